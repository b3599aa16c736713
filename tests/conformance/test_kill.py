"""SIGKILL under load: what was acknowledged is there, once, and Kafka's own tool finds nothing wrong with the files."""
import collections
import random
import threading

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from conftest import Broker, java, tool, wait_until

KILLS = 50


@pytest.fixture(scope="module")
def victim(request):
    # Small segments and frequent index entries, so that kills meet rolls too.
    it = Broker(request.config.getoption("--against"), log_segment_bytes=1 << 20, log_index_interval_bytes=512)
    yield it
    it.close()


class Load:
    """An idempotent producer that never stops; remembers what the broker acknowledged."""

    def __init__(self, broker, topic):
        self.acknowledged = {}
        self.sent = 0
        self.errors = collections.Counter()
        self.topic = topic
        self.producer = Producer({
            "bootstrap.servers": broker.address, "broker.address.family": "v4", "enable.idempotence": True, "acks": "all", "linger.ms": 1,
            "compression.type": "lz4", "message.timeout.ms": 120_000, "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 50, "retry.backoff.ms": 10,
        })
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def delivered(self, error, message):
        if error is not None:
            self.errors[error.name()] += 1
        else:
            self.acknowledged[message.value()] = (message.partition(), message.offset())

    def run(self):
        while not self.ending.is_set():
            try:
                self.producer.produce(self.topic, f"value {self.sent} {'x' * 100}".encode(), key=str(self.sent % 1000), on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                pass
            self.producer.poll(0.0005)

    def finish(self):
        self.ending.set()
        self.thread.join()
        assert self.producer.flush(120) == 0


def read_everything(broker, topic, partitions):
    consumer = Consumer({"bootstrap.servers": broker.address, "broker.address.family": "v4", "group.id": "check", "enable.partition.eof": False})
    found = collections.defaultdict(list)
    ends = {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), 30) for partition in range(partitions)}
    left = {partition: high for partition, (low, high) in ends.items() if low < high}
    consumer.assign([TopicPartition(topic, partition, ends[partition][0]) for partition in left])
    while left:
        message = consumer.poll(30)
        assert message is not None and message.error() is None, message and message.error()
        found[message.value()].append((message.partition(), message.offset()))
        if message.offset() + 1 >= left.get(message.partition(), 0):
            left.pop(message.partition(), None)
    consumer.close()
    return found


def test_fifty_kills_lose_nothing_acknowledged_and_double_nothing(victim):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    tool("TopicCommand", victim, "--create", "--topic", "killed", "--partitions", "4")
    load = Load(victim, "killed")
    for _ in range(KILLS):
        enough = len(load.acknowledged) + chance.randrange(50, 2000)
        wait_until("the next acknowledgements", lambda: len(load.acknowledged) >= enough)
        victim.kill()
        victim.start()
    load.finish()
    assert not load.errors, load.errors
    found = read_everything(victim, "killed", 4)
    lost = [value for value, place in load.acknowledged.items() if place not in found.get(value, [])]
    twice = [value for value, places in found.items() if len(places) > 1]
    assert not lost and not twice, f"{len(lost)} lost, {len(twice)} twice of {len(load.acknowledged)}; seed {seed}"
    assert len(load.acknowledged) == load.sent > 50 * KILLS


def complaints_of(files, *options):
    out = java("org.apache.kafka.tools.DumpLogSegments", "--files", ",".join(map(str, files)), *options)
    signs = ("isvalid: false", "mismatch", "Exception", "not found in the log", "Found", "Could not")
    return out, [line for line in out.splitlines() if any(sign in line for sign in signs)]


def test_kafkas_dump_tool_reads_every_file_without_a_complaint(victim):
    assert victim.stop() == 0
    segments = sorted(victim.log_dir.glob("killed-*/*.log"))
    assert len(segments) > 4, "the load never rolled a segment"
    out, complaints = complaints_of(segments, "--print-data-log")
    assert not complaints, complaints[:5]
    assert "value 0 " in out
    first = [segment for segment in segments if segment.name == f"{0:020}.log"]
    _, complaints = complaints_of(first, "--deep-iteration")  # it complains about every later segment, Kafka's own too
    assert not complaints, complaints[:5]
    for kind in ("index", "timeindex", "snapshot"):
        files = [file for file in sorted(victim.log_dir.glob(f"killed-*/*.{kind}")) if file.stat().st_size]
        assert files, kind
        _, complaints = complaints_of(files)
        assert not complaints, complaints[:5]
    out, complaints = complaints_of(sorted(victim.log_dir.glob("__cluster_metadata-0/*.log")), "--cluster-metadata-decoder")
    assert not complaints, complaints[:5]
    assert '"type":"TOPIC_RECORD"' in out and '"name":"killed"' in out
