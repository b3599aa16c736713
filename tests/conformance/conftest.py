"""What the conformance tests share: a broker to talk to, and the foreign clients to talk with.

Each test module gets a broker of its own on a fresh directory. `--against kafka` starts Apache Kafka 4.3.1 in Millrace's
place: a test that fails there is wrong about Kafka.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUDGES = pathlib.Path(os.environ.get("MILLRACE_JUDGES", ROOT / "build/judges"))
MILLRACE = pathlib.Path(os.environ.get("MILLRACE", ROOT / "build/release/millrace"))
SETTINGS = {
    "num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}


def pytest_addoption(parser):
    parser.addoption("--against", default="millrace", choices=["millrace", "kafka"])


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_until(what, condition, seconds=60):
    """Polls an outside program, which has no other way to tell us."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Broker:
    """One broker process on a directory of its own."""

    def __init__(self, kind="millrace", **settings):
        self.kind = kind
        self.port, self.controller_port, self.http_port = free_ports(3)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-test-"))
        self.log_dir = self.home / "data"
        self.settings = SETTINGS | {key.replace("_", "."): str(value) for key, value in settings.items()}
        self.process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def http(self):
        return f"http://127.0.0.1:{self.http_port}"

    def properties(self):
        settings = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.log_dir),
        }
        if self.kind == "millrace":
            settings["millrace.http.listener"] = f"127.0.0.1:{self.http_port}"
        file = self.home / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in (settings | self.settings).items()))
        return file

    def start(self):
        file = self.properties()
        self.output = open(self.home / "output.txt", "ab")
        if self.kind == "millrace":
            command = [str(MILLRACE), "serve", str(file)]
        else:
            if not self.log_dir.exists():
                java("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(file))
            command = java_command("kafka.Kafka", str(file))
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, cwd=self.home)
        wait_until("the broker's first accepted connection", lambda: self.alive() and accepts(self.port))

    def alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker exited with {self.process.returncode}:\n{self.log()[-3000:]}")
        return True

    def log(self):
        return (self.home / "output.txt").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def keep_api_usage(self):
        """What the broker said at its end of who used which API: tools/compatibility makes a table of it."""
        lines = [line.split(" INFO ", 1)[1] for line in self.log().splitlines() if " used " in line and " INFO " in line]
        if self.kind == "millrace" and lines:
            with open(ROOT / "build/api-usage.txt", "a") as file:
                file.writelines(line + "\n" for line in lines)

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def close(self):
        if self.process.poll() is None:
            self.stop()
        self.output.close()
        self.keep_api_usage()
        shutil.rmtree(self.home, ignore_errors=True)


def java_command(main, *arguments):
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{JUDGES}/kafka/libs/*", main, *map(str, arguments)]


def java(main, *arguments, input=None, timeout=120, check=True):
    """Runs one of Kafka's own tools and answers what it printed, errors included."""
    done = subprocess.run(java_command(main, *arguments), input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    output = "".join(line for line in done.stdout.splitlines(True) if "SLF4J" not in line and "StatusLogger" not in line)
    assert done.returncode == 0 or not check, f"{main} {' '.join(map(str, arguments))} exited with {done.returncode}:\n{output}"
    return output


def tool(name, broker, *arguments, **options):
    return java(f"org.apache.kafka.tools.{name}", "--bootstrap-server", broker.address, *arguments, **options)


def run(*command, input=None, timeout=120, check=True):
    """Runs a command and answers its standard output as bytes."""
    done = subprocess.run(list(map(str, command)), input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
    assert done.returncode == 0 or not check, f"{' '.join(map(str, command))} exited with {done.returncode}:\n{done.stderr.decode()[-3000:]}"
    return done.stdout


def kcat(broker, *arguments, **options):
    return run("kcat", "-b", broker.address, "-X", "broker.address.family=v4", *arguments, **options)


@pytest.fixture(scope="module")
def broker(request):
    it = Broker(request.config.getoption("--against"))
    yield it
    it.close()


@pytest.fixture(scope="module")
def kind(request):
    return request.config.getoption("--against")
