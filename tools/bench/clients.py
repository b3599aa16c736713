"""Real clients as load: librdkafka (through confluent-kafka) and Kafka's own producer-perf-test and consumer-perf-test."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import brokers

HERE = pathlib.Path(__file__).resolve().parent
CPU = ("broker CPU", "CPU-s/GB", "lower")
REBALANCE = 3  # seconds that a new group waits for members before it begins, by default


def python_with_librdkafka():
    for place in (brokers.JUDGES, brokers.ROOT / "build/judges"):
        if (place / "venv/bin/python").exists():
            return place / "venv/bin/python"
    raise RuntimeError("confluent-kafka is missing: tools/setup --tests brings it")


def librdkafka(run, load_percent, rate=0):
    """One producer and one consumer, each a process, 1,000 records a second; beside them rawgen at a share of the knee, or at a rate."""
    topic, beside = run.topic(), None
    seconds = run.seconds * 1.6
    load = ["--producers", 4, "--record", 1000]
    if load_percent:
        rate = run.rawgen(run.topic(), *load)["produced"]["mb_per_s"] * load_percent / 100
    if rate:
        beside = subprocess.Popen([str(x) for x in (brokers.RAWGEN, "--bootstrap", run.broker.address, "--topic", run.topic(), "--delete", *load,
                                                    "--rate", f"{rate:.1f}", "--seconds", seconds + 2, "--warmup", 0)], stdout=subprocess.DEVNULL)
    settings = [x for x in run.settings if x != "--topic-config"]
    probe = subprocess.Popen([str(python_with_librdkafka()), str(HERE / "librdkafka_latency.py"), run.broker.address, topic, str(seconds), *settings],
                             stdout=subprocess.PIPE, text=True)
    account = brokers.CpuAccount(run.broker, [probe.pid])
    told = json.loads(probe.communicate()[0])
    cpu = account.use()
    if beside:
        beside.wait()
    cpu["others"] = 0.0 if beside else cpu["others"] - told.pop("consumer_cpu", 0.0)
    metrics = {}
    for what in ("ack", "end to end"):
        for label in ("p50", "p99", "p99.9"):
            metrics[(f"{what} {label}", "µs", "lower")] = told[what][label]
    curves = {what: [[float(label[1:]), told[what][label]] for label in ("p50", "p90", "p99", "p99.9")] for what in ("ack", "end to end")}
    return {"metrics": metrics, "curves": curves, "cpu": [cpu]}


def java_perf(run, record, megabytes=150, partitions=4):
    """Kafka's producer as it is, for as many records as take some seconds."""
    topic = run.topic()
    records = megabytes * 1_000_000 // (2 if run.quick else 1) // record
    small = ["--producers", 1, "--batch", 200, "--bytes", 100, "--partitions", partitions]
    run.rawgen(topic, *small, seconds=0.2, warm_up=0, delete=False)  # makes the topic
    command = brokers.java("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", records, "--record-size", record,
                           "--throughput", -1, "--producer-props", f"bootstrap.servers={run.broker.address}", "acks=all", jvm=("-Xmx512M",))
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    account = brokers.CpuAccount(run.broker, [client.pid])
    output = client.communicate()[0]
    cpu = account.use()
    done = re.search(r"records sent, ([\d.]+) records/sec.*?, ([\d.]+) ms avg latency", output.strip().splitlines()[-1])
    if not done:
        raise RuntimeError(f"producer-perf-test said:\n{output[-2000:]}")
    run.rawgen(topic, *small, seconds=0.2, warm_up=0)  # deletes it
    return {"metrics": {
        CPU: cpu["broker"] / (records * record / 1e9),
        ("throughput of the client", "MB/s", "higher"): float(done[1]) * record / 1e6,
        ("mean latency", "ms", "lower"): float(done[2]),
    }, "cpu": [cpu]}


class JavaConsumer:
    """Kafka's consumer-perf-test, as it is, reading `records` records of a topic or until a second brings none."""

    def __init__(self, run, topic, records, *arguments):
        command = brokers.java("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", run.broker.address, "--topic", topic, "--num-records", records,
                               "--hide-header", *arguments, jvm=("-Xmx512M",))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def result(self):
        """(records, megabytes a second) without the time that joining its group took."""
        output = self.process.communicate()[0]
        # start, end, MB (2^20), MB/s, records, records/s, rebalance ms, fetch ms, MB/s of fetching, records/s of fetching
        fields = output.strip().splitlines()[-1].split(", ")
        if len(fields) != 10:
            raise RuntimeError(f"consumer-perf-test said:\n{output[-2000:]}")
        return int(fields[4]), float(fields[8]) * 2**20 / 1e6


def make_topic(run, topic):
    """And a first consumer group with it, for which Kafka makes the partitions of __consumer_offsets."""
    run.rawgen(topic, "--producers", 1, "--bytes", 100_000, seconds=0.5, warm_up=0, delete=False)
    JavaConsumer(run, topic, 500).result()


def java_consume(run, record):
    """Kafka's consumer on what the page cache has. The broker's CPU counts from before the client begins to read to its end."""
    topic = run.topic()
    make_topic(run, run.topic())
    size = 300_000_000 if run.quick else 800_000_000
    run.rawgen(topic, "--producers", 4, "--record", record, "--bytes", size, warm_up=0, seconds=30, delete=False)
    run.rawgen(topic, "--consumers", 4, "--record", record, "--until-end", warm_up=0, seconds=30, delete=False)  # brings it into the page cache
    consumer = JavaConsumer(run, topic, size // record)
    time.sleep(REBALANCE)
    account = brokers.CpuAccount(run.broker, [consumer.process.pid])
    records, rate = consumer.result()
    cpu = account.use()
    run.rawgen(topic, "--producers", 1, "--bytes", 100, seconds=0.2, warm_up=0)  # deletes it
    return {"metrics": {
        CPU: cpu["broker"] / (records * record / 1e9),
        ("throughput of the client", "MB/s", "higher"): rate,
    }, "cpu": [cpu]}


def java_follow(run, record, rate):
    """Kafka's consumer at the tail of a steady load: what its reading adds to what the load costs without it."""
    load = ["--producers", 4, "--record", record, "--rate", rate]
    seconds = run.seconds * 2
    alone = run.rawgen(run.topic(), *load, seconds=seconds)
    topic = run.topic()
    make_topic(run, topic)
    consumer = JavaConsumer(run, topic, 1 << 40, "--from-latest", "--timeout", (REBALANCE + 3) * 1000, "--reporting-interval", 1 << 30)
    both = run.rawgen(topic, *load, seconds=seconds, warm_up=REBALANCE + 3, delete=False)  # by then the client has joined its group
    records, _ = consumer.result()
    run.rawgen(topic, "--producers", 1, "--bytes", 100, seconds=0.2, warm_up=0)  # deletes it
    if records < both["produced"]["records"]:
        raise RuntimeError(f"consumer-perf-test has read {records:,} records of {both['produced']['records']:,}")
    both["cpu"]["others"] = 0.0  # the client is no child of the generator
    return {"metrics": reading(alone, both), "cpu": [alone["cpu"]]}


def reading(alone, both):
    """What reading adds, from a run with producers alone and one with readers at their tail, at the same rate."""
    gigabytes = both.get("consumed", both["produced"])["payload_bytes"] / 1e9
    writing = alone["cpu"]["broker"] / (alone["produced"]["payload_bytes"] / 1e9)
    total = both["cpu"]["broker"] / (both["produced"]["payload_bytes"] / 1e9)
    return {
        ("broker CPU of writing and reading", "CPU-s/GB", "lower"): both["cpu"]["broker"] / gigabytes,
        ("broker CPU of reading", "CPU-s/GB", "lower"): total - writing,
    }
