#!/usr/bin/env python3
"""What an SQL job does to those who produce beside it: their latency with and without a job in the same broker.

    tools/bench/beside.py [--situations foreign,steady,backlog] [--jobs pass,filter,tumble,wide] [--pairs N] [--seconds S]
                          [--directory DIR] [--unpinned] [--alone COMMAND]

Four producers of 100-byte records in batches of 1 KB, so that requests and not the page cache decide, send on a fixed
schedule what keeps the broker's processor half busy (half of what it takes at most keeps it fully busy: then it takes many
requests at once), acks=all, `written`.
`foreign`: no job, but another process on the broker's processor that only gets what nobody else wants (idle_load.py). It
shows what the machine makes others pay for a neighbour of such low rank, whatever that one does.
`steady`: another producer writes 20,000 Nexmark bids a second as JSON to another topic, and the job keeps up with them.
`backlog`: the job has three million bids to catch up on, again and again, as fast as it may.
Runs are in the order alone, with the job, with the job, alone; `alone` has that other producer, too. Each situation and
job is a session of its own on a fresh directory. The broker, job included, has one processor and the generator the
others; with --unpinned they share all of them, and the kernel's choices weigh more than ours. --alone is put in front of its command: something that keeps other
work off the machine meanwhile. A ratio says how many times longer an acknowledgement takes with the job.

The result goes to build/bench/beside.json, for tools/bench/report; sessions that were not run keep what they had there.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))
import brokers  # noqa: E402
import nexmark  # noqa: E402
import results  # noqa: E402
from flink import Session  # noqa: E402
from workloads import Run  # noqa: E402

BACKLOG = 3_000_000
FEED = 20_000  # bids a second
BUSY = 0.5  # of a processor
LOAD = ["--producers", 4, "--batch", 1024]
FOREIGN_LIMIT = 0.06
WINDOWED = "window_start TIMESTAMP(3), window_end TIMESTAMP(3)"


def tumble(key):
    return (f"{key} BIGINT, {WINDOWED}, bids BIGINT, total BIGINT",
            f"SELECT {key}, window_start, window_end, COUNT(*), SUM(price) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) "
            f"GROUP BY {key}, window_start, window_end")


# name: (title, columns of the sink, nothing for a sink that throws rows away, query)
JOBS = {
    "pass": ("pass-through", None, "SELECT auction, bidder, price, channel, url, `dateTime`, extra FROM bid"),
    "filter": ("filter", "auction BIGINT, price BIGINT", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0"),
    "tumble": ("10 s TUMBLE by auction", *tumble("auction")),
    "wide": ("10 s TUMBLE by price, 100,000 keys in each window", *tumble("price")),
}
FOREIGN = {"spin": "counting", "memory": "copying through 64 MB", "loopback": "sending to itself"}
SITUATIONS = {"foreign": "a foreign process of idle priority", "steady": "job that keeps up with 20,000 bids a second", "backlog": "job that catches up"}


class Job:
    """An INSERT that runs until it is stopped; over a backlog it starts again whenever it has come to the end."""

    def __init__(self, broker, name, topic, again):
        _, self.columns, self.select = JOBS[name]
        self.broker, self.topic, self.again = broker, topic, again
        self.url = f"http://127.0.0.1:{broker.port + 2}"
        self.session = Session(self.url, **{"table.local-time-zone": "UTC", "parallelism.default": "1"})
        servers = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{broker.address}', 'format' = 'json'"
        bounded = ", 'scan.bounded.mode' = 'latest-offset'" if again else ""
        self.session.execute(f"CREATE TABLE bid ({nexmark.BID}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) "
                             f"WITH ({servers}, 'topic' = '{topic}', 'scan.startup.mode' = 'earliest-offset'{bounded})")
        if self.columns:
            self.session.execute(f"CREATE TABLE sink ({self.columns}) WITH ({servers}, 'topic' = '{topic}-out')")
        else:
            self.session.execute(f"CREATE TABLE sink ({nexmark.BID}) WITH ('connector' = 'blackhole')")
        self.done = 0  # bids of rounds that are over
        self.submit()
        self.stopping = threading.Event()
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def submit(self):
        _, rows, _ = self.session.execute(f"INSERT INTO sink {self.select}")
        self.id = rows[0][1][0]

    def status(self):
        with urllib.request.urlopen(f"{self.url}/v1/jobs/{self.id}") as answer:
            return json.load(answer)

    def watch(self):
        # What this asks must not hold up the generator, with which it shares processors.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while not self.stopping.wait(0.1 if self.again else 0.25):
            status = self.status()
            if status["state"] == "FAILED":
                raise RuntimeError(status["root-exception"])
            if self.again and status["state"] == "FINISHED":
                self.done += status["records-in"]
                self.submit()

    def bids(self):
        """(read so far, still to be read)"""
        status = self.status()
        return self.done + status["records-in"], status["backlog"]

    def stop(self):
        self.stopping.set()
        self.watcher.join()
        if self.status()["state"] == "RUNNING":
            self.session.execute(f"STOP JOB '{self.id}'")
        self.session.close()


class Measurement:
    def __init__(self, broker, situation, name, lines, seconds):
        self.run = Run(broker, False)
        self.broker, self.situation, self.name, self.lines, self.seconds = broker, situation, name, lines, seconds
        if situation == "backlog":
            self.backlog = self.run.topic()
            self.run.rawgen(self.backlog, "--producers", 1, "--partitions", 1, "--batch", 65536, "--lines", lines, "--distinct", 10**9,
                            "--bytes", lines.stat().st_size - BACKLOG - 10 * 65536, seconds=60, warm_up=0, delete=False)
        self.run.rawgen(self.run.topic(), *LOAD, seconds=1, warm_up=0)
        knee = self.run.rawgen(self.run.topic(), *LOAD, seconds=1.5, warm_up=0.5)["produced"]["mb_per_s"]
        for share in range(8, 50, 4):
            self.rate = f"{knee * share / 100:.1f}"
            if self.measure()["cpu"] >= BUSY:
                break

    def measure(self, seconds=1):
        told = self.run.rawgen(self.run.topic(), *LOAD, "--rate", self.rate, seconds=seconds, warm_up=0.5)
        ack, cpu = told["ack_us"], told["cpu"]
        return {"p50": ack["p50"], "p99": ack["p99"], "p99.9": ack["p999"], "rate": told["produced"]["mb_per_s"],
                "cpu": cpu["broker"] / cpu["wall"], "others": cpu["others"] / cpu["wall"] / os.cpu_count()}

    def once(self, with_job):
        brokers.wait_for_calm(self.broker)
        feed = job = neighbour = None
        topic = self.backlog if self.situation == "backlog" else self.run.topic()
        if self.situation == "steady":
            self.run.rawgen(topic, "--producers", 1, "--partitions", 1, "--lines", self.lines, "--distinct", 1, "--bytes", 1, seconds=1, warm_up=0, delete=False)
            feed = subprocess.Popen([str(x) for x in (
                brokers.RAWGEN, "--bootstrap", self.broker.address, "--topic", topic, "--producers", 1, "--partitions", 1, "--lines", self.lines,
                "--distinct", int((self.seconds + 8) * FEED / 60), "--records", FEED, "--seconds", self.seconds + 4, "--warmup", 0)], stdout=subprocess.DEVNULL)
        try:
            if with_job and self.situation == "foreign":
                where = os.sched_getaffinity(self.broker.process.pid)
                neighbour = subprocess.Popen([sys.executable, ROOT / "tools/bench/idle_load.py", self.name, *(map(str, where) if len(where) == 1 else ())])
            elif with_job:
                job = Job(self.broker, self.name, topic, self.situation == "backlog")
            time.sleep(1.5)
            before = job.bids()[0] if job else 0
            began = time.monotonic()
            told = self.measure(self.seconds)
            wall = time.monotonic() - began
            read, left = job.bids() if job else (0, 0)
        finally:
            if job:
                job.stop()
            for process in (feed, neighbour):
                if process:
                    process.terminate()
                    process.wait()
            if self.situation == "steady":
                self.run.rawgen(topic, "--producers", 1, "--partitions", 1, "--bytes", 1, seconds=1, warm_up=0)  # deletes it
        return told | {"with_job": with_job, "bids": (read - before) / wall, "left": left, "foreign": 0.0 if feed or job or neighbour else told["others"]}


def separate(broker):
    """The broker on the first processor, everything else of ours on the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    for thread in os.listdir(f"/proc/{broker.process.pid}/task"):
        os.sched_setaffinity(int(thread), {first})
    os.sched_setaffinity(0, others or {first})


def session(situation, name, arguments):
    """A session is a process of its own, so that it can be kept alone on the machine."""
    lines = arguments.directory / "bids.jsonl"
    with brokers.Broker("millrace", "written").start() as broker:
        if not arguments.unpinned:
            separate(broker)
        measurement = Measurement(broker, situation, name, lines, arguments.seconds)
        print(json.dumps({"load": measurement.rate}), flush=True)
        for turn in range(arguments.pairs):
            for with_job in (False, True) if turn % 2 == 0 else (True, False):
                print(json.dumps(measurement.once(with_job)), flush=True)


def run_session(situation, name, arguments):
    command = [*shlex.split(arguments.alone), sys.executable, __file__, "--session", "--situations", situation, "--jobs", name,
               "--pairs", arguments.pairs, "--seconds", arguments.seconds, "--directory", arguments.directory, *(["--unpinned"] if arguments.unpinned else [])]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    told = []
    for line in process.stdout:
        one = json.loads(line)
        if "load" in one:
            print(f"{situation} {name}: {one['load']} MB/s", flush=True)
            continue
        told.append(one)
        print(f"  {'with the job' if one['with_job'] else 'alone':12}  p50 {one['p50']:6.0f}  p99 {one['p99']:6.0f}  p99.9 {one['p99.9']:6.0f} µs   {one['rate']:.0f} MB/s   "
              f"broker {one['cpu']:.2f} CPU   {one['bids'] / 1000:7.1f} k bids/s, {one['left']} left", flush=True)
    if process.wait() != 0:
        raise SystemExit("beside.py: the session failed")
    return told


def rows_of(situation, name, told):
    alone, with_job = ([one for one in told if one["with_job"] is it] for it in (False, True))
    title = f"{SITUATIONS[situation]}, {FOREIGN[name] if situation == 'foreign' else JOBS[name][0]}"
    noisy = max(one["foreign"] for one in told) > FOREIGN_LIMIT
    workload = f"{situation}-{name}"
    rows = [results.row(workload, f"{title}: ack {label}", "µs", "lower", [one[label] for one in alone], [one[label] for one in with_job], "with the job", noisy)
            for label in ("p50", "p99", "p99.9")]
    if situation == "foreign":
        return rows
    bids = [one["bids"] / 1000 for one in with_job]
    rows.append({"workload": workload, "metric": f"{title}: what the job reads meanwhile", "unit": "thousand bids a second", "millrace": None,
                 "other": statistics.median(bids), "other_name": "with the job", "ratio": None, "spread": f"{results.number(min(bids))}–{results.number(max(bids))}",
                 "commit": results.commit()})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--situations", default=",".join(SITUATIONS))
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build/bench/beside-data")
    parser.add_argument("--unpinned", action="store_true")
    parser.add_argument("--alone", default="")
    parser.add_argument("--session", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.directory = arguments.directory.resolve()
    situations, jobs = arguments.situations.split(","), arguments.jobs.split(",")
    if arguments.session:
        session(situations[0], jobs[0], arguments)
        return
    if unknown := [x for x in situations if x not in SITUATIONS] + [x for x in jobs if x not in JOBS]:
        raise SystemExit(f"beside.py: unknown {unknown[0]}: there are {', '.join([*SITUATIONS, *JOBS])}")
    lines = arguments.directory / "bids.jsonl"
    if not lines.exists():
        arguments.directory.mkdir(parents=True, exist_ok=True)
        half = lines.with_suffix(".part")
        with half.open("w") as file:
            file.writelines(line + "\n" for line in nexmark.bids(BACKLOG))
        half.rename(lines)
    for situation in situations:
        for name in FOREIGN if situation == "foreign" else jobs:
            rows = rows_of(situation, name, run_session(situation, name, arguments))
            results.save("beside", "Producing beside an SQL job in the same broker, with the broker's processor half busy", rows,
                         columns=("alone", "with the job", "longer by"))
            for row in rows:
                print(f"{row['metric']:80} {results.number(row['millrace']):>9} {results.number(row['other']):>9} {row['unit']}  × {results.number(row['ratio'])} ({row['spread']})", flush=True)


main()
