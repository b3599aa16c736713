"""The power goes under load: the broker's disk is ext4 on a loop device; what the device has at some moment is copied, and a broker on the
copy must have every record that was acknowledged until then. Needs root and loop devices."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import Broker
from test_kill import read_everything

CUTS = 5
RECORDS = 60_000  # from cut to cut
IMAGE_BYTES = 512 << 20


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def mount(image, place):
    place.mkdir(exist_ok=True)
    # The file system commits only when it is told to: what nobody has synced stays off the device.
    run("mount", "-o", "loop,commit=300", str(image), str(place))


def why_not():
    if os.geteuid() != 0:
        return "needs root"
    for program in ("losetup", "mkfs.ext4", "mount"):
        if not shutil.which(program):
            return f"needs {program}"
    try:
        run("losetup", "-f")
    except subprocess.CalledProcessError as error:
        return f"no loop device: {error.stderr.strip()}"
    return None


class Computer(Broker):
    """A broker whose log directory is on a device of its own."""

    def __init__(self, kind, image=None, **settings):
        self.image = image
        super().__init__(kind, **settings)

    def start(self):
        disk = self.home / "disk"
        if self.image is None:
            self.image = self.home / "image"
            with open(self.image, "wb") as file:
                file.truncate(IMAGE_BYTES)
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))
        mount(self.image, disk)
        self.log_dir = disk / "data"
        super().start()

    def cut_power(self):
        """What a power cut would leave now: a copy of the device, without what is only in memory."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)  # what is on its way to the device arrives: not being there would be as well
        copy = self.image.with_suffix(".cut")
        run("cp", "--sparse=always", str(self.image), str(copy))
        self.process.send_signal(signal.SIGCONT)
        return copy

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        subprocess.run(["umount", str(self.home / "disk")], check=False)
        shutil.rmtree(self.home, ignore_errors=True)


class Load:
    """Producers on many partitions; what is acknowledged, in order."""

    def __init__(self, broker, topic):
        self.acknowledged = set()
        self.sent = 0
        self.topic = topic
        self.producer = Producer({
            "bootstrap.servers": broker.address, "broker.address.family": "v4", "enable.idempotence": True, "acks": "all", "linger.ms": 1,
            "message.timeout.ms": 120_000,
        })

    def delivered(self, error, message):
        if error is None:
            self.acknowledged.add(message.value())

    def go_on(self, records):
        """Until so many more are acknowledged; others are then under way."""
        wanted = len(self.acknowledged) + records
        end = time.monotonic() + 60
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end, f"{len(self.acknowledged)} records are acknowledged, not {wanted}"
            try:
                self.producer.produce(self.topic, f"value {self.sent} {'x' * 500}".encode(), partition=self.sent % 16, on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                pass
            self.producer.poll(0)


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_what_was_acknowledged_survives_power_cuts(request, tmp_path):
    kind = request.config.getoption("--against")
    settings = {"log_segment_bytes": 4 << 20}
    if kind == "millrace":
        settings["millrace_journal_bytes"] = 8 << 20  # used again and again
    broker = Computer(kind, **settings)
    try:
        admin = AdminClient({"bootstrap.servers": broker.address, "broker.address.family": "v4"})
        admin.create_topics([NewTopic("power", 16, 1)])["power"].result(30)
        load = Load(broker, "power")
        for cut in range(CUTS):
            load.go_on(RECORDS)
            acknowledged = set(load.acknowledged)
            copy = broker.cut_power()
            image = tmp_path / f"after-{cut}"
            shutil.move(copy, image)
            after = Computer(kind, image, **settings)
            try:
                found = read_everything(after, "power", 16)
            finally:
                after.close()
            image.unlink()
            lost = acknowledged - found.keys()
            twice = [value for value, places in found.items() if len(places) > 1]
            print(f"cut {cut}: {len(acknowledged)} acknowledged, {len(found)} found")
            assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged records are gone"
            assert not twice
            assert broker.alive()
    finally:
        broker.close()
