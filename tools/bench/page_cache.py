"""A page cache that is full, as that of a machine that has been up for a while.

Free pages of a virtual machine have often been given back to the host. Who writes to the page cache then waits until the
host has supplied the page, several times longer than the copy takes; with a full cache the kernel uses pages again that
are there.
"""
import os
import pathlib
import shutil
import tempfile

PIECE = 4 << 20
LEFT_FREE = 6 << 30
LEFT_ON_DISK = 40 << 30  # the longest session writes nearly as much


def path():
    return pathlib.Path(os.environ.get("MILLRACE_BENCH_DIR") or tempfile.gettempdir()) / "bench-page-cache"


def available():
    line = next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def fill():
    """Reads a file as large as the memory nobody uses; makes it first where that is needed and the disk has room."""
    file = path()
    wanted = min(available() - LEFT_FREE, shutil.disk_usage(file.parent).free - LEFT_ON_DISK) // PIECE * PIECE
    with open(file, "ab") as out:
        zeros = bytes(PIECE)
        while out.tell() < wanted:
            out.write(zeros)
        out.flush()
        os.fsync(out.fileno())
    buffer = bytearray(PIECE)
    with open(file, "rb", buffering=0) as whole:
        while whole.readinto(buffer):
            pass


def remove():
    path().unlink(missing_ok=True)
