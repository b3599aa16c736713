"""kcat, which is librdkafka: produce, consume, list, query, groups."""
import signal
import subprocess
import time

import pytest

from conftest import JUDGES, kcat, wait_until  # noqa: F401

LINES = [f"line {n} of a text that a codec can shorten".encode() for n in range(100_000)]
TEXT = b"\n".join(LINES) + b"\n"


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_hundred_thousand_lines_come_back_equal_and_in_order(broker, codec):
    kcat(broker, "-P", "-t", f"lines-{codec}", "-p", "0", "-z", codec, input=TEXT)
    assert kcat(broker, "-C", "-t", f"lines-{codec}", "-p", "0", "-o", "beginning", "-e", "-q") == TEXT


def test_an_idempotent_producer_writes_each_line_once(broker):
    kcat(broker, "-P", "-t", "idempotent", "-p", "0", "-X", "enable.idempotence=true", input=TEXT)
    assert kcat(broker, "-C", "-t", "idempotent", "-p", "0", "-o", "beginning", "-e", "-q") == TEXT


def test_keys_headers_and_nulls_survive(broker):
    kcat(broker, "-P", "-t", "keyed", "-p", "0", "-K:", "-Z", "-H", "trace=17", input=b"a:1\nb:\n:3\n")
    out = kcat(broker, "-C", "-t", "keyed", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%k|%s|%h|%o\n")
    assert out == b"a|1|trace=17|0\nb||trace=17|1\n|3|trace=17|2\n"
    sizes = kcat(broker, "-C", "-t", "keyed", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%K %S\n")
    assert sizes == b"1 1\n1 -1\n-1 1\n"


def test_metadata_lists_broker_topic_and_partitions(broker):
    kcat(broker, "-P", "-t", "listed", input=b"x\n")
    out = kcat(broker, "-L", "-t", "listed").decode()
    assert f"broker 1 at {broker.address} (controller)" in out
    assert 'topic "listed" with 4 partitions:' in out
    assert "partition 3, leader 1, replicas: 1, isrs: 1" in out


def test_offsets_are_found_by_time(broker):
    before = int(time.time() * 1000) - 60_000
    kcat(broker, "-P", "-t", "timed", "-p", "0", input=b"first\n")
    first = int(kcat(broker, "-C", "-t", "timed", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%T"))
    wait_until("the clock's next millisecond", lambda: int(time.time() * 1000) > first)
    kcat(broker, "-P", "-t", "timed", "-p", "0", input=b"second\nthird\n")
    assert b"offset 0" in kcat(broker, "-Q", "-t", f"timed:0:{before}")
    assert b"offset 1" in kcat(broker, "-Q", "-t", f"timed:0:{first + 1}")
    assert b"offset 3" in kcat(broker, "-Q", "-t", "timed:0:-1")
    assert b"offset 0" in kcat(broker, "-Q", "-t", "timed:0:-2")
    since = kcat(broker, "-C", "-t", "timed", "-p", "0", "-o", f"s@{first + 1}", "-e", "-q")
    assert since == b"second\nthird\n"


def test_three_group_members_share_a_topic_and_outlive_one_of_them(broker, tmp_path):
    """Every line is delivered although a member is killed half-way; what it had not committed is delivered again."""
    first, second = LINES[:20_000], LINES[20_000:40_000]
    kcat(broker, "-P", "-t", "shared", input=b"\n".join(first) + b"\n")
    outputs = [open(tmp_path / f"member-{n}", "wb+") for n in range(3)]
    members = [
        subprocess.Popen(["kcat", "-b", broker.address, "-X", "broker.address.family=v4", "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000",
                          "-X", "heartbeat.interval.ms=500", "-u", "-q", "-G", "trio", "shared"], stdout=out, stderr=subprocess.DEVNULL)
        for out in outputs
    ]

    def delivered():
        return set().union(*((tmp_path / f"member-{n}").read_bytes().split(b"\n")[:-1] for n in range(3)))

    try:
        wait_until("delivery of the first half", lambda: delivered() >= set(first))
        members[0].send_signal(signal.SIGKILL)
        kcat(broker, "-P", "-t", "shared", input=b"\n".join(second) + b"\n")
        wait_until("delivery of the second half", lambda: delivered() >= set(second))
        assert delivered() == set(first) | set(second)
    finally:
        for member in members:
            member.kill()
            member.wait()
        for out in outputs:
            out.close()
