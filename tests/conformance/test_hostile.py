"""Input that is not Kafka's: an error or a closed connection, and the broker keeps serving within bounded memory."""
import os
import random
import socket
import struct

import pytest

from conftest import accepts, kcat, wait_until

MIB = 1 << 20


def connect(broker):
    s = socket.create_connection(("127.0.0.1", broker.port), 10)
    s.settimeout(10)
    return s


def frame(body):
    return struct.pack(">i", len(body)) + body


def request(key, version, body=b"", correlation=7, client=b"test"):
    return frame(struct.pack(">hhih", key, version, correlation, len(client)) + client + body)


def closed(s):
    """Whether the broker ends the connection without an answer."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def answer(s):
    size = struct.unpack(">i", exactly(s, 4))[0]
    return exactly(s, size)


def exactly(s, count):
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        assert part, "closed early"
        data += part
    return data


def still_serves(broker):
    with connect(broker) as s:
        s.sendall(request(18, 0))
        assert struct.unpack(">ih", answer(s)[:6]) == (7, 0)


@pytest.mark.parametrize("length", [0, -1, -(2**31), 100 * MIB + 1, 2**31 - 1])
def test_a_length_that_no_request_has_closes_the_connection_at_once(broker, length):
    with connect(broker) as s:
        s.sendall(struct.pack(">i", length))
        assert closed(s)
    still_serves(broker)


@pytest.mark.parametrize("key,version", [(4, 0), (7, 3), (99, 0), (-1, 0), (32767, 32767), (1, 3), (1, 19), (0, 2), (3, -1), (52, 0), (62, 0)])
def test_an_api_or_version_that_is_not_served_closes_the_connection(broker, key, version):
    with connect(broker) as s:
        s.sendall(request(key, version, b"\0" * 40))
        assert closed(s)
    still_serves(broker)


def test_an_unknown_version_of_apiversions_is_answered_in_version_0(broker):
    with connect(broker) as s:
        for version in (5, 99, -1):
            s.sendall(request(18, version, b"\0" + os.urandom(20)))
            assert answer(s) == struct.pack(">ihihhh", 7, 35, 1, 18, 0, 4)
        s.sendall(request(18, 0))
        assert struct.unpack(">ih", answer(s)[:6]) == (7, 0)


def test_a_cut_body_closes_the_connection(broker):
    whole = request(3, 1, struct.pack(">ih3s", 1, 3, b"abc"))[4:]
    for length in range(1, len(whole)):
        with connect(broker) as s:
            s.sendall(frame(whole[:length]))
            assert closed(s), length
    still_serves(broker)


def test_counts_and_lengths_that_lie_close_the_connection_without_allocation(broker):
    before = broker.rss_bytes()
    for body in (struct.pack(">i", 2**31 - 1), struct.pack(">ih", 1, 32767), struct.pack(">ih", 1, -2)):
        with connect(broker) as s:
            s.sendall(request(3, 1, body))
            assert closed(s)
    with connect(broker) as s:  # a compact array of 2^31−2 entries, in a flexible version
        s.sendall(request(3, 12, b"\0" + b"\xff\xff\xff\xff\x07" + b"\0" * 8))
        assert closed(s)
    assert broker.rss_bytes() - before < 8 * MIB
    still_serves(broker)


def test_noise_never_stops_the_broker(broker):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for round_ in range(300):
        with connect(broker) as s:
            if round_ % 3 == 0:
                s.sendall(chance.randbytes(chance.randrange(1, 2000)))
            elif round_ % 3 == 1:
                s.sendall(frame(chance.randbytes(chance.randrange(1, 200))))
            else:
                s.sendall(request(chance.randrange(0, 80), chance.randrange(0, 14), chance.randbytes(chance.randrange(0, 300))))
    still_serves(broker)
    kcat(broker, "-P", "-t", "after-noise", "-p", "0", input=b"alive\n")
    assert kcat(broker, "-C", "-t", "after-noise", "-p", "0", "-o", "beginning", "-e", "-q") == b"alive\n"


def test_pipelined_requests_are_answered_in_order_and_a_half_close_still_gets_them(broker):
    with connect(broker) as s:
        s.sendall(b"".join(request(18, 0, correlation=n) for n in range(200)))
        s.shutdown(socket.SHUT_WR)
        assert [struct.unpack(">i", answer(s)[:4])[0] for _ in range(200)] == list(range(200))
        assert closed(s)


def test_a_client_that_sends_byte_by_byte_is_served(broker):
    with connect(broker) as s:
        for byte in request(18, 0):
            s.sendall(bytes([byte]))
        assert struct.unpack(">ih", answer(s)[:6]) == (7, 0)


def test_five_hundred_idle_connections_cost_little(broker):
    before = broker.rss_bytes()
    idle = [connect(broker) for _ in range(500)]
    still_serves(broker)
    assert broker.rss_bytes() - before < 500 * 16 * 1024
    for s in idle:
        s.close()
    wait_until("serving again", lambda: accepts(broker.port))


# Last, for a Kafka with a 1 GB heap never answers again.
def test_forty_announced_frames_of_a_hundred_megabytes_cost_nothing(broker):
    before = broker.rss_bytes()
    connections = [connect(broker) for _ in range(40)]
    for s in connections:
        s.sendall(struct.pack(">i", 100 * MIB - 1) + b"x")
    still_serves(broker)
    assert broker.rss_bytes() - before < 8 * MIB
    for s in connections:
        s.close()
    still_serves(broker)
