#!/usr/bin/env python3
"""A process that takes what nobody else wants of the processors, for beside.py: what a machine's caches, memory and scheduler make others pay for such a neighbour.

    tools/bench/idle_load.py KIND [PROCESSOR]      until it is terminated

It has the kernel's idle policy, as the threads of SQL jobs have.
"""
import os
import socket
import sys

MEGABYTE = 1 << 20


def spin():
    """In registers and the first cache: only the switching costs others."""
    while True:
        for _ in range(10**6):
            pass


def memory():
    """Through 64 MB again and again, so that nothing of anybody else stays in the caches."""
    here, there = (memoryview(bytearray(32 * MEGABYTE)) for _ in range(2))
    while True:
        for at in range(0, len(here), MEGABYTE):
            there[at:at + MEGABYTE] = here[at:at + MEGABYTE]


def loopback():
    """Sends itself 64 KB at a time: in the kernel nearly always, where it cannot always be interrupted at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        out = socket.create_connection(server.getsockname())
        back, _ = server.accept()
    piece, room = bytes(65536), bytearray(65536)
    while True:
        out.sendall(piece)
        left = len(piece)
        while left > 0:
            left -= back.recv_into(room, left)


KINDS = {"spin": spin, "memory": memory, "loopback": loopback}

if __name__ == "__main__":
    if len(sys.argv) > 2:
        os.sched_setaffinity(0, {int(sys.argv[2])})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    KINDS[sys.argv[1]]()
