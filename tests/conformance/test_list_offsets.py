"""Which record ListOffsets names when several carry the newest timestamp: asked in bare bytes, as no client sends such batches."""
import gzip
import socket
import struct

import pytest

from conftest import tool

MAX_TIMESTAMP = -3


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def batch(timestamps, codec):
    records = b""
    for i, timestamp in enumerate(timestamps):
        body = b"\0" + varint(timestamp - timestamps[0]) + varint(i) + varint(-1) + varint(1) + b"v" + varint(0)
        records += varint(len(body)) + body
    if codec == "gzip":
        records = gzip.compress(records)
    attributes = 1 if codec == "gzip" else 0
    body = struct.pack(">hiqqqhii", attributes, len(timestamps) - 1, timestamps[0], max(timestamps), -1, -1, -1, len(timestamps)) + records
    rest = struct.pack(">ibI", -1, 2, crc32c(body)) + body
    return struct.pack(">qi", 0, len(rest)) + rest


def ask(broker, key, version, body, flexible=False):
    with socket.create_connection(("127.0.0.1", broker.port), 30) as s:
        header = struct.pack(">hhih", key, version, 1, 1) + b"t" + (b"\0" if flexible else b"")
        s.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        stream = s.makefile("rb")
        return stream.read(struct.unpack(">i", stream.read(4))[0])[5 if flexible else 4:]


def produce(broker, topic, records):
    name = topic.encode()
    body = struct.pack(">hhiih", -1, -1, 10_000, 1, len(name)) + name + struct.pack(">iii", 1, 0, len(records)) + records
    answer = ask(broker, 0, 3, body)
    error = struct.unpack_from(">h", answer, 4 + 2 + len(name) + 4 + 4)[0]
    assert error == 0


def newest(broker, topic):
    """Its offset and timestamp."""
    name = topic.encode()
    body = struct.pack(">ibB", -1, 0, 2) + bytes([len(name) + 1]) + name + b"\2" + struct.pack(">iiq", 0, -1, MAX_TIMESTAMP) + b"\0\0\0"
    answer = ask(broker, 2, 7, body, flexible=True)
    error, timestamp, offset = struct.unpack_from(">hqq", answer, 4 + 1 + 1 + len(name) + 1 + 4)
    assert error == 0
    return offset, timestamp


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_the_first_record_of_the_newest_timestamp_is_named(broker, codec):
    topic = f"newest-{codec}"
    tool("TopicCommand", broker, "--create", "--topic", topic, "--partitions", "1")
    base = 1_700_000_000_000
    produce(broker, topic, batch([base + 10, base + 20, base + 20, base + 15], codec))
    assert newest(broker, topic) == (1, base + 20)
    produce(broker, topic, batch([base + 5, base + 20], codec))
    assert newest(broker, topic) == (1, base + 20)
    produce(broker, topic, batch([base + 30, base + 29, base + 30], codec))
    assert newest(broker, topic) == (6, base + 30)


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_of_a_batch_that_the_broker_stamped_the_first_record_is_named(broker, codec):
    topic = f"stamped-{codec}"
    tool("TopicCommand", broker, "--create", "--topic", topic, "--partitions", "1", "--config", "message.timestamp.type=LogAppendTime")
    base = 1_700_000_000_000
    produce(broker, topic, batch([base, base + 20, base + 10], codec))
    offset, timestamp = newest(broker, topic)
    assert offset == 0 and timestamp > base + 20
