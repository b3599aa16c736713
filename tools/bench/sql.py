#!/usr/bin/env python3
"""Events per CPU-second of SQL jobs over a Nexmark-shaped JSON topic, beside Apache Flink 2.3 in the same run.

    tools/bench/sql.py [--millrace-only] [--queries pass,filter,…] [--events N] [--runs N] [--directory DIR] [--port N]

The broker gets three topics of one partition each: N bids of about 250 bytes, and N/8 persons and auctions together, as
the Nexmark generator shapes them; they stay in DIR for the next time. Each query runs as one INSERT over the whole topic,
in Millrace and, reading the same broker, in Flink with parallelism 1, mini-batches and a JIT that has seen the query
before. What counts is the CPU time of the whole process, broker or JVM, from the statement's start to its end: parsing,
planning, reading, writing and checkpoints are all in it. The rows that both wrote must be the same.

The result goes to build/bench/sql.json; queries that were not run keep what they had there.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))
import results  # noqa: E402
from nexmark import BID, GENERATORS  # noqa: E402
from flink import FlinkGateway, Session  # noqa: E402

JUDGES = pathlib.Path(os.environ.get("MILLRACE_JUDGES", ROOT / "build/judges"))
BINARY = os.environ.get("MILLRACE", str(ROOT / "build/release/millrace"))
WINDOWED = "window_start TIMESTAMP(3), window_end TIMESTAMP(3)"
TUMBLE = "TABLE(TUMBLE(TABLE {}, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))"
HOP = "TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))"
ALL = "SELECT auction, bidder, price, channel, url, `dateTime`, extra FROM bid"

# name: (title, topics read, columns of the sink, nothing for a sink that throws rows away, query)
QUERIES = {
    "pass": ("pass-through of all columns, to nowhere", ["bid"], None, ALL),
    "copy": ("pass-through of all columns, to a JSON topic", ["bid"], BID, ALL),
    "filter": ("filter, two columns to a JSON topic", ["bid"], "auction BIGINT, price BIGINT", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0"),
    "tumble": ("10 s TUMBLE by auction (count, max, sum)", ["bid"], f"auction BIGINT, {WINDOWED}, bids BIGINT, highest BIGINT, total BIGINT",
               f"SELECT auction, window_start, window_end, COUNT(*), MAX(price), SUM(price) FROM {TUMBLE.format('bid')} GROUP BY auction, window_start, window_end"),
    "q5": ("Nexmark q5, auctions with most bids, 10 s HOP of 2 s", ["bid"], "auction BIGINT, num BIGINT", f"""
SELECT a.auction, a.num
FROM (SELECT auction, COUNT(*) AS num, window_start AS s, window_end AS e FROM {HOP} GROUP BY auction, window_start, window_end) AS a
JOIN (SELECT MAX(num) AS most, s, e
      FROM (SELECT COUNT(*) AS num, window_start AS s, window_end AS e FROM {HOP} GROUP BY auction, window_start, window_end) AS c
      GROUP BY s, e) AS m
ON a.s = m.s AND a.e = m.e AND a.num >= m.most"""),
    "q7": ("Nexmark q7, highest bids of 10 s", ["bid"], "auction BIGINT, price BIGINT, bidder BIGINT, `dateTime` TIMESTAMP(3), extra STRING", f"""
SELECT b.auction, b.price, b.bidder, b.`dateTime`, b.extra
FROM bid AS b
JOIN (SELECT MAX(price) AS highest, window_end AS `dateTime` FROM {TUMBLE.format('bid')} GROUP BY window_start, window_end) AS m
ON b.price = m.highest
WHERE b.`dateTime` BETWEEN m.`dateTime` - INTERVAL '10' SECOND AND m.`dateTime`"""),
    "q8": ("Nexmark q8, new persons who sell, 10 s", ["person", "auction"], "id BIGINT, name STRING, s TIMESTAMP(3)", f"""
SELECT p.id, p.name, p.s
FROM (SELECT id, name, window_start AS s, window_end AS e FROM {TUMBLE.format('person')} GROUP BY id, name, window_start, window_end) AS p
JOIN (SELECT seller, window_start AS s, window_end AS e FROM {TUMBLE.format('auction')} GROUP BY seller, window_start, window_end) AS a
ON p.id = a.seller AND p.s = a.s AND p.e = a.e"""),
}


# ---- The topics


def amounts(events):
    return {"bid": events, "person": events // 32, "auction": events // 32 * 3}



def produce(address, topic, lines):
    command = [BINARY, "cat", "-b", address, "-P", "-t", topic, "-X", "acks=1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    block = []
    for line in lines:
        block.append(line)
        if len(block) == 10_000:
            process.stdin.write(("\n".join(block) + "\n").encode())
            block.clear()
    process.stdin.write("".join(line + "\n" for line in block).encode())
    process.stdin.close()
    if process.wait():
        sys.exit(f"could not fill {topic}")


# ---- The two engines


def cpu_seconds(pid):
    """Of all threads the process has had, in nanosecond steps."""
    return time.clock_gettime(~pid << 3 | 2)


class Broker:
    def __init__(self, directory, port):
        self.directory, self.port = directory, port
        self.directory.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port + 2}"
        self.address = f"127.0.0.1:{port}"
        file = directory / "server.properties"
        file.write_text(
            f"node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}\n"
            f"controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{port + 1}\nlog.dirs={directory}/data\n"
            f"offsets.topic.replication.factor=1\nmillrace.http.listener=127.0.0.1:{port + 2}\nlog.retention.ms=-1\nlog.segment.delete.delay.ms=0\n")
        self.output = open(directory / "broker.txt", "ab")
        self.process = subprocess.Popen([BINARY, "serve", str(file)], stdout=self.output, stderr=subprocess.STDOUT)
        for _ in range(1000):
            if subprocess.run([BINARY, "topics", "-b", self.address, "list"], capture_output=True).returncode == 0:
                return
            time.sleep(0.02)
        sys.exit(f"the broker does not answer: see {directory}/broker.txt")

    def topics(self, *arguments):
        return subprocess.run([BINARY, "topics", "-b", self.address, *arguments], capture_output=True, text=True)

    def await_deletions(self):
        """Freeing what earlier queries wrote takes the broker's processor time, and is not what is measured."""
        while any((self.directory / "data").glob("*-delete")):
            time.sleep(0.02)

    def fill(self, events):
        """The topics as wanted, made anew when they are not what an earlier run has left."""
        note = self.directory / "events.json"
        wanted = amounts(events)
        if note.exists() and json.loads(note.read_text()) == wanted:
            return
        note.unlink(missing_ok=True)
        for name, count in wanted.items():
            topic = f"nexmark-{name}"
            self.topics("delete", topic)
            made = self.topics("create", topic, "-p", "1")
            if made.returncode:
                sys.exit(f"cannot create {topic}: {made.stderr}")
            began = time.monotonic()
            produce(self.address, topic, GENERATORS[name][1](count))
            print(f"{topic}: {count:,} events in {time.monotonic() - began:.0f} s", file=sys.stderr)
        note.write_text(json.dumps(wanted))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.output.close()


SESSION = {"table.dml-sync": "true", "table.local-time-zone": "UTC", "table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "2 s",
           "table.exec.mini-batch.size": "50000", "parallelism.default": "1"}
STEADY = ["-Xms2g", "-Xmx2g"]  # the JVM's own choice of collector and compilers


class Engine:
    """Runs queries on one gateway and knows which process works for it."""

    def __init__(self, name, broker, url, pid):
        self.name, self.broker, self.url, self.pid = name, broker, url, pid

    def run(self, query):
        """(CPU seconds, seconds, rows written or None)"""
        _, sources, columns, select = QUERIES[query]
        sink = f"out-{self.name}-{query}"
        session = Session(self.url, **SESSION)
        for source in sources:
            session.execute(f"CREATE TABLE {source} ({GENERATORS[source][0]}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ('connector' = 'kafka', "
                            f"'topic' = 'nexmark-{source}', 'properties.bootstrap.servers' = '{self.broker.address}', 'scan.startup.mode' = 'earliest-offset', "
                            "'scan.bounded.mode' = 'latest-offset', 'format' = 'json')")
        if columns is None:
            session.execute(f"CREATE TABLE sink ({BID}) WITH ('connector' = 'blackhole')")
        else:
            self.broker.topics("delete", sink)
            self.broker.await_deletions()
            self.broker.topics("create", sink, "-p", "1")
            session.execute(f"CREATE TABLE sink ({columns}) WITH ('connector' = 'kafka', 'topic' = '{sink}', 'properties.bootstrap.servers' = '{self.broker.address}', 'format' = 'json')")
        cpu, wall = cpu_seconds(self.pid), time.monotonic()
        session.execute(f"INSERT INTO sink {select}", seconds=600)
        cpu, wall = cpu_seconds(self.pid) - cpu, time.monotonic() - wall
        session.close()
        return cpu, wall

    def rows(self, query):
        """How many rows the last run wrote, and a number that is the same for the same rows in any order."""
        if QUERIES[query][2] is None:
            return None
        count = total = 0
        with subprocess.Popen([BINARY, "cat", "-b", self.broker.address, "-C", "-q", "-t", f"out-{self.name}-{query}", "-o", "beginning", "-e"], stdout=subprocess.PIPE) as process:
            for line in process.stdout:
                count += 1
                total += hash(line)
        return count, total


def events_of(query, events):
    return sum(amounts(events)[topic] for topic in QUERIES[query][1])


def measure(engine, query, events, runs, warm):
    for _ in range(warm):
        engine.run(query)
    rates, walls = [], []
    for _ in range(runs):
        cpu, wall = engine.run(query)
        rates.append(events / cpu / 1000)
        walls.append(events / wall / 1000)
    rows = engine.rows(query)
    print(f"{query:8} {engine.name:9} {statistics.median(rates):10,.0f} k events/CPU-s ({min(rates):,.0f}–{max(rates):,.0f})   {statistics.median(walls):8,.0f} k events/s"
          f"   {'' if rows is None else f'{rows[0]:,} rows'}", flush=True)
    return rates, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace-only", action="store_true")
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="of Millrace; Flink, which takes its time, is measured once after one run for its JIT")
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build/bench/sql-data")
    parser.add_argument("--port", type=int, default=24000, help="the first of five")
    arguments = parser.parse_args()
    queries = arguments.queries.split(",")
    if unknown := [query for query in queries if query not in QUERIES]:
        sys.exit(f"unknown query {unknown[0]}: there are {', '.join(QUERIES)}")
    broker = Broker(arguments.directory.resolve(), arguments.port)
    flink = None
    different = []
    try:
        broker.fill(arguments.events)
        engines = [(Engine("millrace", broker, broker.url, broker.process.pid), arguments.runs)]
        if not arguments.millrace_only:
            flink = FlinkGateway(JUDGES, arguments.directory.resolve() / "flink", arguments.port + 3, arguments.port + 4, STEADY)
            engines.append((Engine("flink", broker, flink.url, flink.process.pid), 1))
        rows = []
        for query in queries:
            events = events_of(query, arguments.events)
            measured = [measure(engine, query, events, runs, 1) for engine, runs in engines]
            if flink is None:
                continue
            (ours, our_rows), (theirs, their_rows) = measured
            if our_rows != their_rows:
                different.append(query)
            rows.append(results.row(query, QUERIES[query][0], "thousand events per CPU-second", "higher", ours, theirs * len(ours), "Flink 2.3"))
        if rows:
            results.save("sql", "SQL over a Nexmark-shaped JSON topic, beside Apache Flink 2.3 (parallelism 1, mini-batch, warm)", rows)
    finally:
        if flink:
            flink.close()
        broker.close()
    if different:
        sys.exit(f"Millrace and Flink do not agree on {', '.join(different)}")


main()
