"""A real Apache Kafka 4.3.1 starts on a directory that Millrace wrote, and Millrace on what Kafka left."""
import pytest

from conftest import Broker, kcat, run, tool, wait_until

LINES = b"".join(b"line %d\n" % n for n in range(20_000))
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture(scope="module")
def directory(kind):
    if kind != "millrace":
        pytest.skip("the hand-over starts with Millrace")
    it = Broker()
    yield it
    it.close()


def hand_over_to(kind, broker):
    broker.stop(60)
    broker.output.close()
    broker.keep_api_usage()
    broker.kind = kind
    broker.start()


def read(broker, topic):
    return kcat(broker, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")


def committed(broker):
    rows = tool("consumer.group.ConsumerGroupCommand", broker, "--describe", "--group", "handed").splitlines()
    return [row.split()[1:5] for row in rows if row.startswith("handed ")]


def test_records_and_topics_go_over_to_kafka_and_back_and_committed_offsets_survive(directory):
    for codec in CODECS:
        kcat(directory, "-P", "-t", f"lines-{codec}", "-p", "0", "-z", codec, "-X", "enable.idempotence=true", input=LINES)
    run("kcat", "-b", directory.address, "-X", "broker.address.family=v4", "-X", "auto.offset.reset=earliest", "-q", "-G", "handed", "lines-lz4", "-e", timeout=60)
    assert ["lines-lz4", "0", "20000", "20000"] in committed(directory)
    topics = tool("TopicCommand", directory, "--describe", "--topic", "lines-none")

    hand_over_to("kafka", directory)
    for codec in CODECS:
        assert read(directory, f"lines-{codec}") == LINES
    assert tool("TopicCommand", directory, "--describe", "--topic", "lines-none") == topics
    wait_until("loading the group", lambda: ["lines-lz4", "0", "20000", "20000"] in committed(directory))
    kcat(directory, "-P", "-t", "lines-lz4", "-p", "0", input=b"from Kafka\n")

    hand_over_to("millrace", directory)
    assert read(directory, "lines-lz4") == LINES + b"from Kafka\n"
    wait_until("loading the group", lambda: ["lines-lz4", "0", "20000", "20001"] in committed(directory))
