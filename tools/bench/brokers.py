"""Brokers to measure: Millrace and Apache Kafka, each as its users start it, on a fresh directory of the same disk.

Kafka runs with the heap and the JVM options of its own start script and the settings of its own defaults.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
MILLRACE = pathlib.Path(os.environ.get("MILLRACE", BUILD / "millrace"))
RAWGEN = pathlib.Path(os.environ.get("RAWGEN", BUILD / "tools/bench/rawgen"))
JUDGES = pathlib.Path(os.environ.get("MILLRACE_JUDGES", ROOT / "build/judges"))
DIRECTORY = os.environ.get("MILLRACE_BENCH_DIR")  # where brokers store; the system's temporary directory otherwise
PORT = int(os.environ.get("MILLRACE_BENCH_PORT", "21000"))
JVM = ("-Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 "
       "-XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true").split()
TICK = os.sysconf("SC_CLK_TCK")


def java(main, *arguments, jvm=("-Xmx256m",)):
    return ["java", *jvm, "-cp", f"{JUDGES}/kafka/libs/*", main, *map(str, arguments)]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.settimeout(2)
            s.sendall(bytes.fromhex("0000000a0012000000000001ffff"))  # ApiVersions, version 0
            return len(s.recv(4)) == 4
    except OSError:
        return False


class Broker:
    """One broker; `durability` is Millrace's, Kafka is told by topic."""

    def __init__(self, kind, durability="written"):
        self.kind = kind
        self.durability = durability
        self.port = PORT
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{kind}-", dir=DIRECTORY))
        self.log_dir = self.home / "data"
        self.settings = self.home / "server.properties"
        self.settings.write_text(self.properties())
        if kind == "kafka":
            subprocess.run(java("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", self.settings),
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = None

    def properties(self):
        settings = {
            "node.id": 1,
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.port + 1}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{self.port + 1}",
            "log.dirs": self.log_dir,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
        }
        if self.kind == "millrace":
            settings |= {"millrace.http.listener": f"127.0.0.1:{self.port + 2}", "millrace.ack.durability": self.durability}
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def launch(self):
        """Starts the process and answers the monotonic time of that; it serves a while later."""
        command = [MILLRACE, "serve", self.settings] if self.kind == "millrace" else java("kafka.Kafka", self.settings, jvm=JVM)
        self.output = open(self.home / "output.txt", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, cwd=self.home)
        return began

    def start(self):
        self.launch()
        deadline = time.monotonic() + 60
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.kind} does not serve:\n{(self.home / 'output.txt').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return self

    def rss(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def drop_caches(self):
        """Puts what it has written on the disk and out of the page cache."""
        os.sync()
        for path in self.log_dir.rglob("*.log"):
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        self.output.close()

    def close(self):
        if self.process:
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure and self.process:
            output = (self.home / "output.txt").read_text(errors="replace")
            print(f"{self.kind} (exit status {self.process.poll()}) said:\n{output[-2000:]}", file=sys.stderr)
        self.close()


def cpu_times():
    """({pid: seconds} of processes, seconds of all kernel threads together)."""
    processes, kernel = {}, 0.0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        seconds = (int(fields[11]) + int(fields[12])) / TICK
        if int(fields[6]) & 0x00200000:
            kernel += seconds
        else:
            processes[int(entry)] = seconds
    return processes, kernel


class CpuAccount:
    """CPU seconds since it was made: of the broker, of kernel threads, and of processes that have no part in the run."""

    def __init__(self, broker, ours=()):
        self.broker = broker.process.pid
        self.ours = {os.getpid(), self.broker, *ours}
        self.before, self.kernel_before = cpu_times()
        self.began = time.monotonic()

    def use(self):
        after, kernel = cpu_times()
        grown = {pid: seconds - self.before.get(pid, 0.0) for pid, seconds in after.items()}
        return {
            "wall": time.monotonic() - self.began,
            "broker": grown.get(self.broker, 0.0),
            "kernel_threads": kernel - self.kernel_before,
            "others": sum(seconds for pid, seconds in grown.items() if pid not in self.ours),
        }


def wait_for_calm(broker, limit=0.06, seconds=5):
    """Until processes other than ours leave the machine alone, but not for long: what stays is measured and told."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        account = CpuAccount(broker)
        time.sleep(0.25)
        use = account.use()
        if use["others"] / use["wall"] / os.cpu_count() <= limit:
            return
