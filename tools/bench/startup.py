#!/usr/bin/env python3
"""Start to first answered ApiVersions, and memory at rest, beside Apache Kafka in the same run.

    tools/bench/startup.py [--runs N] [--kafka]      --kafka needs build/judges (tools/setup --tests)

Time is from the process's start to the last byte of the first answer, asked again every millisecond; memory is VmRSS two
seconds later. Both on a directory that is formatted and empty, median and range of N runs.
"""
import argparse
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, 0)


def answered(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.sendall(API_VERSIONS)
            return len(s.recv(4)) == 4
    except OSError:
        return False


def rss_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def settings(directory, port, controller, http):
    file = directory / "server.properties"
    file.write_text(
        f"node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={directory}/data\n"
        f"offsets.topic.replication.factor=1\nmillrace.http.listener=127.0.0.1:{http}\n")
    return file


def measure(command, port):
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not answered(port):
        if process.poll() is not None:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        time.sleep(0.001)
    took = (time.perf_counter() - began) * 1000
    time.sleep(2)
    memory = rss_mb(process.pid)
    process.terminate()
    process.wait()
    return took, memory


def report(name, results):
    times, memory = zip(*results)
    print(f"{name:10} first answer {statistics.median(times):8.1f} ms ({min(times):.1f}–{max(times):.1f})   at rest {statistics.median(memory):6.1f} MB   {len(results)} runs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kafka", action="store_true")
    arguments = parser.parse_args()
    binary = os.environ.get("MILLRACE", str(ROOT / "build/release/millrace"))
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        port, controller, http = free_ports(3)
        file = settings(directory, port, controller, http)
        measure([binary, "serve", str(file)], port)  # formats the directory
        report("Millrace", [measure([binary, "serve", str(file)], port) for _ in range(arguments.runs)])
    if arguments.kafka:
        from conftest import java, JUDGES
        plain = ["java", "-Xmx1g", "-Xms1g", "-cp", f"{JUDGES}/kafka/libs/*", "kafka.Kafka"]
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            port, controller, http = free_ports(3)
            file = settings(directory, port, controller, http)
            java("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(file))
            report("Kafka", [measure([*plain, str(file)], port) for _ in range(max(2, arguments.runs // 2))])


main()
