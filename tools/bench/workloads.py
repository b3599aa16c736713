"""What tools/bench/compare measures. A workload is run on one broker at a time and answers numbers by metric.

Each belongs to a group, which is one file of results and one table. `variants` are the ways Kafka is set up for it:
name and topic settings.
"""
import dataclasses
import json
import pathlib
import subprocess
import time
import typing

import brokers
import clients
import fetches
import page_cache

PLAIN = {"Kafka": []}
FLUSHED = {"Kafka flush=1": ["--topic-config", "flush.messages=1"], "Kafka, no flush": []}
CPU = ("broker CPU", "CPU-s/GB", "lower")
CPU_ALL = ("… with kernel threads", "CPU-s/GB", "lower")
CPU_RECORDS = ("… per million records", "CPU-s", "lower")
RATE = ("throughput", "MB/s", "higher")
GROUPS = {
    "produce": "Produce at saturation: `written` beside Kafka's default (neither waits for the disk)",
    "durable": "Durable produce at saturation: acknowledged after the sync, beside Kafka with a flush for every message and without any",
    "consume": "Consume: from the page cache, following the producers, and cold from the disk",
    "fetch": "A fetch request over 10,000 partitions, of which 100 have 1,000 new records a second",
    "latency": "Latency of a raw client, from the intended time of sending",
    "clients": "Latency and cost of real clients",
    "startup": "Start and memory",
}


@dataclasses.dataclass
class Run:
    """How long to measure, and on what."""
    broker: brokers.Broker
    quick: bool
    settings: list = dataclasses.field(default_factory=list)  # of the topic
    count: int = 0

    @property
    def seconds(self):
        return 1.5 if self.quick else 2.5

    @property
    def warm_up(self):
        return 0.5 if self.quick else 1.0

    def topic(self):
        self.count += 1
        return f"bench-{self.count}-{time.monotonic_ns() % 10**9}"

    def rawgen(self, topic, *arguments, seconds=None, warm_up=None, delete=True):
        command = [brokers.RAWGEN, "--bootstrap", self.broker.address, "--topic", topic, "--pid", self.broker.process.pid,
                   "--seconds", seconds or self.seconds, "--warmup", self.warm_up if warm_up is None else warm_up,
                   *self.settings, *(["--delete"] if delete else []), *arguments]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)


@dataclasses.dataclass
class Workload:
    name: str
    group: str
    title: str
    measure: typing.Callable  # Run → {"metrics": {(metric, unit, better): value}, "cpu": …, "curves": {name: …}}
    durability: str = "written"
    variants: dict = dataclasses.field(default_factory=lambda: PLAIN)
    warm: bool = True
    own_broker: bool = False  # it starts brokers itself


def moved(result, flow):
    """What a run with one flow of data answers."""
    return {"metrics": per_gigabyte(result, flow), "cpu": [result["cpu"]],
            "generator": result["cpu"]["generator"] / (result[flow]["payload_bytes"] / 1e9)}


def per_gigabyte(result, flow):
    told = result[flow]
    gigabytes = told["payload_bytes"] / 1e9
    broker, kernel = result["cpu"]["broker"], result["cpu"]["kernel_threads"]
    return {
        CPU: broker / gigabytes,
        CPU_ALL: (broker + kernel) / gigabytes,
        CPU_RECORDS: broker / (told["records"] / 1e6),
        RATE: told["mb_per_s"],
    }


def produce(*arguments, producers=4, warm_up_of_kafka=None):
    def measure(run):
        result = run.rawgen(run.topic(), "--producers", producers, *arguments, warm_up=warm_up_of_kafka if run.broker.kind == "kafka" else None)
        return moved(result, "produced")
    return measure


def catch_up(record):
    """Readers that go round a topic that fits into the page cache."""
    def measure(run):
        topic = run.topic()
        size = 200_000_000 if run.quick else 400_000_000
        run.rawgen(topic, "--producers", 4, "--record", record, "--batch", 65536, "--bytes", size, warm_up=0, seconds=20, delete=False)
        result = run.rawgen(topic, "--consumers", 4, "--record", record, "--again")
        return moved(result, "consumed")
    return measure


def follow(record, rate):
    """Readers at the tail of a steady load; the same load without them tells what reading costs."""
    def measure(run):
        load = ["--producers", 4, "--record", record, "--rate", rate]
        seconds = run.seconds * 2
        alone = run.rawgen(run.topic(), *load, seconds=seconds)
        both = run.rawgen(run.topic(), *load, "--consumers", 4, "--from", "end", seconds=seconds)
        return {"metrics": clients.reading(alone, both) | {
            ("end to end p50", "µs", "lower"): both["end_to_end_us"]["p50"],
            ("end to end p99", "µs", "lower"): both["end_to_end_us"]["p99"],
        }, "cpu": [alone["cpu"], both["cpu"]]}
    return measure


def cold(record):
    def measure(run):
        topic = run.topic()
        size = 300_000_000 if run.quick else 800_000_000
        run.rawgen(topic, "--producers", 4, "--record", record, "--batch", 65536, "--bytes", size, warm_up=0, seconds=30, delete=False)
        run.broker.drop_caches()
        result = run.rawgen(topic, "--consumers", 4, "--record", record, "--until-end", warm_up=0, seconds=30)
        return moved(result, "consumed")
    return measure


def latencies(prefix, told):
    return {(f"{prefix} {label}", "µs", "lower"): told[key] for label, key in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"))}


def curve(told):
    """(percentile, µs) for a plot."""
    return [[share, told[key]] for share, key in ((50, "p50"), (90, "p90"), (99, "p99"), (99.9, "p999"))]


def thousand_a_second(run):
    result = run.rawgen(run.topic(), "--partitions", 1, "--producers", 1, "--consumers", 1, "--from", "end", "--batch", 200,
                        "--records", 1000, seconds=run.seconds * 1.6)
    return {"metrics": latencies("ack", result["ack_us"]) | latencies("end to end", result["end_to_end_us"]),
            "curves": {"ack": curve(result["ack_us"]), "end to end": curve(result["end_to_end_us"])}, "cpu": [result["cpu"]]}


def under_load(record):
    """At a quarter, half and three quarters of what this very broker does at most."""
    def measure(run):
        load = ["--producers", 4, "--record", record]
        knee = run.rawgen(run.topic(), *load)
        metrics = {("knee", "MB/s", "higher"): knee["produced"]["mb_per_s"]}
        curves, cpu = {}, [knee["cpu"]]
        for percent in (25, 50, 75):
            result = run.rawgen(run.topic(), *load, "--rate", f"{knee['produced']['mb_per_s'] * percent / 100:.2f}")
            metrics |= latencies(f"ack at {percent} % load", result["ack_us"])
            curves[f"{percent} %"] = curve(result["ack_us"])
            cpu.append(result["cpu"])
        return {"metrics": metrics, "curves": curves, "cpu": cpu}
    return measure


def at_rate(record, rate):
    """The same load for both, so many megabytes a second."""
    def measure(run):
        result = run.rawgen(run.topic(), "--producers", 4, "--record", record, "--rate", rate, seconds=run.seconds * 1.6)
        return {"metrics": latencies("ack", result["ack_us"]), "curves": {"ack": curve(result["ack_us"])}, "cpu": [result["cpu"]]}
    return measure


def start(run):
    """From the start of the process, on a directory with a topic in it, to the first acknowledgement; then memory at rest."""
    broker = run.broker
    question = [str(brokers.RAWGEN), "--bootstrap", broker.address, "--producers", "1", "--first-ack", "--distinct", "1", "--batch", "200"]
    times = []
    for turn in range(1 + (5 if broker.kind == "millrace" and not run.quick else 1)):
        asking = subprocess.Popen(question, stdout=subprocess.PIPE, text=True) if turn else None
        began = broker.launch()
        asking = asking or subprocess.Popen(question, stdout=subprocess.PIPE, text=True)
        acknowledged = json.loads(asking.communicate()[0])["first_ack"]
        times += [acknowledged - began] if turn else []  # the first start creates the topic
        time.sleep(2)
        memory = broker.rss()
        broker.stop()
    times.sort()
    return {"metrics": {("start to first acknowledgement", "ms", "lower"): times[len(times) // 2] * 1000,
                        ("memory at rest", "MB", "lower"): memory / 1e6}, "cpu": []}


def after_load(run):
    """Memory after a mixed load."""
    load = ["--producers", 4, "--consumers", 4, "--from", "end"]
    run.rawgen(run.topic(), *load)
    run.rawgen(run.topic(), *load, "--record", 1000, "--batch", 1 << 20)
    run.rawgen(run.topic(), "--producers", 4, "--partitions", 64, "--batches", 16)
    return {"metrics": {("memory after load", "MB", "lower"): run.broker.rss() / 1e6}, "cpu": []}


def client(what, *arguments):
    return lambda run: what(run, *arguments)


MEGABYTE = ["--batch", 1 << 20]
KILOBYTE = ["--record", 1000]
QUARTER = 60  # MB/s
OVER_64 = ["--partitions", 64, "--batches", 16]
WORKLOADS = [
    Workload("produce-100b", "produce", "100 B records, 16 KB batches, acks=all", produce()),
    Workload("produce-1k", "produce", "1 KB records, 16 KB batches, acks=all", produce(*KILOBYTE)),
    Workload("produce-100b-1mb", "produce", "100 B records, 1 MB batches, acks=all", produce(*MEGABYTE)),
    Workload("produce-1k-1mb", "produce", "1 KB records, 1 MB batches, acks=all", produce(*KILOBYTE, *MEGABYTE)),
    Workload("produce-acks1", "produce", "100 B records, 16 KB batches, acks=1", produce("--acks", 1)),
    Workload("produce-lz4", "produce", "100 B records, 16 KB batches in lz4, acks=all", produce("--codec", "lz4")),
    Workload("produce-keyed50", "produce", "50 producers, keyed 100 B records, 4 KB batches over 64 partitions",
             produce("--keyed", "--batch", 4096, "--partitions", 64, "--batches", 4, "--in-flight", 2, "--distinct", 64, producers=50)),
    Workload("produce-64p", "produce", "100 B records, 16 KB batches over 64 partitions", produce(*OVER_64)),
    Workload("produce-1000p", "produce", "100 B records, 16 KB batches over 1,000 partitions",
             produce("--partitions", 1000, "--batches", 50, warm_up_of_kafka=30)),  # Kafka makes a partition's index files with its first record
    Workload("durable-100b", "durable", "100 B records, 16 KB batches, 4 partitions", produce(), "durable", FLUSHED),
    Workload("durable-1k", "durable", "1 KB records, 16 KB batches, 4 partitions", produce(*KILOBYTE), "durable", FLUSHED),
    Workload("durable-100b-1mb", "durable", "100 B records, 1 MB batches, 4 partitions", produce(*MEGABYTE), "durable", FLUSHED),
    Workload("durable-64p", "durable", "100 B records, 16 KB batches over 64 partitions", produce(*OVER_64), "durable", FLUSHED),
    Workload("consume-100b", "consume", "100 B records, from the page cache", catch_up(100)),
    Workload("consume-1k", "consume", "1 KB records, from the page cache", catch_up(1000)),
    Workload("tail-100b", "consume", "100 B records at 60 MB/s, read as they come", follow(100, 60)),
    Workload("tail-1k", "consume", "1 KB records at 100 MB/s, read as they come", follow(1000, 100)),
    Workload("cold-100b", "consume", "100 B records, cold", cold(100)),
    Workload("fetch-10000p", "fetch", "one consumer in an incremental fetch session", fetches.of_many_partitions),
    Workload("latency-written", "latency", "1,000 records a second, one in a batch, `written`", thousand_a_second),
    Workload("latency-durable", "latency", "1,000 records a second, one in a batch, `durable`", thousand_a_second, "durable", FLUSHED),
    Workload("load-100b", "latency", "100 B records, 16 KB batches, at a share of each one's own knee, `written`", under_load(100)),
    Workload("load-same", "latency", f"100 B records, 16 KB batches, {QUARTER} MB/s for both, about a quarter of Kafka's knee, `written`", at_rate(100, QUARTER)),
    Workload("load-durable", "latency", "100 B records, 16 KB batches, at a share of each one's own knee, `durable`", under_load(100), "durable",
             {"Kafka, no flush": []}),
    Workload("librdkafka-1000", "clients", "librdkafka, linger 0, 1,000 records a second, `written`", client(clients.librdkafka, 0)),
    Workload("librdkafka-durable", "clients", "librdkafka, linger 0, 1,000 records a second, `durable`", client(clients.librdkafka, 0), "durable", FLUSHED),
    Workload("librdkafka-loaded", "clients", "librdkafka, linger 0, 1,000 records a second beside a load of 25 % of each one's own knee, `written`",
             client(clients.librdkafka, 25)),
    Workload("librdkafka-same", "clients", f"librdkafka, linger 0, 1,000 records a second beside a load of {QUARTER} MB/s for both, `written`",
             client(clients.librdkafka, 0, QUARTER)),
    Workload("java-100b", "clients", "kafka-producer-perf-test, 100 B records, acks=all", client(clients.java_perf, 100)),
    Workload("java-1k", "clients", "kafka-producer-perf-test, 1 KB records, acks=all", client(clients.java_perf, 1000)),
    Workload("java-consume-100b", "clients", "kafka-consumer-perf-test, 100 B records, from the page cache", client(clients.java_consume, 100)),
    Workload("java-consume-1k", "clients", "kafka-consumer-perf-test, 1 KB records, from the page cache", client(clients.java_consume, 1000)),
    Workload("java-tail-100b", "clients", "kafka-consumer-perf-test, 100 B records at 60 MB/s, read as they come", client(clients.java_follow, 100, 60)),
    Workload("java-tail-1k", "clients", "kafka-consumer-perf-test, 1 KB records at 100 MB/s, read as they come", client(clients.java_follow, 1000, 100)),
    Workload("java-durable-64p", "clients", "kafka-producer-perf-test, 1 KB records over 64 partitions, acks=all, `durable`",
             client(clients.java_perf, 1000, 40, 64), "durable", FLUSHED),
    Workload("start", "startup", "A broker with one small topic", start, warm=False, own_broker=True),
    Workload("memory", "startup", "After load", after_load, warm=False),
]
QUICK = ["produce-100b", "produce-1k", "produce-100b-1mb", "durable-100b", "durable-64p", "consume-100b", "tail-100b", "latency-written",
         "librdkafka-1000", "start"]


def chosen(names, quick):
    """Workloads by their own names or those of groups; all, or the quick ones, without any."""
    known = {w.name for w in WORKLOADS} | GROUPS.keys()
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"compare: no workload or group is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    names = names or (QUICK if quick else list(GROUPS))
    return [w for w in WORKLOADS if w.name in names or w.group in names]


def warm_up(run):
    """A JVM compiles what it runs often, and needs some ten seconds of small batches for it; then the other kinds."""
    brief = run.broker.kind == "millrace"
    both = ["--producers", 4, "--consumers", 4, "--from", "end"]
    run.rawgen(run.topic(), *both, seconds=1 if brief else 10, warm_up=0)
    run.rawgen(run.topic(), "--producers", 4, "--record", 1000, seconds=0.5 if brief else 2, warm_up=0)
    run.rawgen(run.topic(), *both, *MEGABYTE, seconds=0.5 if brief else 2, warm_up=0)


def session(kind, workloads, quick):
    """Measures them on one kind of broker, telling each result as it comes."""
    for durability in ("written", "durable"):
        here = [w for w in workloads if w.durability == durability or kind == "kafka"]
        if kind == "kafka" and durability == "durable" or not here:
            continue
        shared = [w for w in here if not w.own_broker]
        if shared:
            page_cache.fill()
            with brokers.Broker(kind, durability).start() as broker:
                if any(w.warm for w in shared):
                    warm_up(Run(broker, quick))
                for workload in shared:
                    yield from variants(workload, broker, quick)
        for workload in (w for w in here if w.own_broker):
            with brokers.Broker(kind, durability) as broker:
                yield from variants(workload, broker, quick)


def variants(workload, broker, quick):
    for name, settings in (workload.variants if broker.kind == "kafka" else PLAIN).items():
        page_cache.fill()
        if broker.process:
            brokers.wait_for_calm(broker)
        result = workload.measure(Run(broker, quick, settings))
        yield {
            "workload": workload.name, "variant": name if broker.kind == "kafka" else "millrace",
            "metrics": [[*metric, value] for metric, value in result["metrics"].items()],
            "curves": result.get("curves", {}),
            "generator": result.get("generator"),
            "foreign": max([cpu["others"] / cpu["wall"] / brokers.os.cpu_count() for cpu in result["cpu"]], default=0.0),
        }
