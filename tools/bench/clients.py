"""Real clients as load: librdkafka (through confluent-kafka) and Kafka's own producer-perf-test."""
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


def python_with_librdkafka():
    for place in (brokers.JUDGES, brokers.ROOT / "build/judges"):
        if (place / "venv/bin/python").exists():
            return place / "venv/bin/python"
    raise RuntimeError("confluent-kafka is missing: tools/setup --tests brings it")


def librdkafka(run, load_percent):
    """One producer and one consumer, each a process, 1,000 records a second; beside them rawgen at a share of the knee."""
    topic, beside = run.topic(), None
    seconds = run.seconds * 1.6
    if load_percent:
        load = ["--producers", 4, "--record", 1000]
        knee = run.rawgen(run.topic(), *load)["produced"]["mb_per_s"]
        rate = knee * load_percent / 100
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
