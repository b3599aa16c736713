"""Flink SQL through the front door: `millrace sql` and Flink's own client, against our gateway and against Flink's."""
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import threading
import time
from decimal import ROUND_HALF_UP, Decimal

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import JUDGES, MILLRACE, ROOT, Broker, free_ports, kcat, wait_until
from flink import FlinkGateway, flink_java

EXAMPLES = ["word-count", "count", "sliding-average", "sum", "upper-case"]


@pytest.fixture(scope="module", autouse=True)
def ours_only(kind):
    if kind != "millrace":
        pytest.skip("Apache Kafka has no SQL gateway")


@pytest.fixture(scope="module")
def flink(tmp_path_factory):
    port, rest_port = free_ports(2)
    gateway = FlinkGateway(JUDGES, tmp_path_factory.mktemp("flink"), port, rest_port)
    yield gateway
    gateway.close()


def sql(endpoint, *arguments, input=None, code=0, timeout=120):
    """Runs `millrace sql` and answers what it printed."""
    done = subprocess.run([str(MILLRACE), "sql", "--endpoint", endpoint, *map(str, arguments)],
                          input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{done.stdout}{done.stderr}"
    return done.stdout


def create(broker, *names, partitions=1):
    """Topics whose records may be as old as they like."""
    admin = AdminClient({"bootstrap.servers": broker.address, "broker.address.family": "v4"})
    topics = [NewTopic(name, partitions, 1, config={"retention.ms": "-1"}) for name in names]
    for made in admin.create_topics(topics).values():
        made.result(30)


def produce(broker, topic, records):
    """Records are (partition, timestamp, key, value)."""
    producer = Producer({"bootstrap.servers": broker.address, "broker.address.family": "v4"})
    for partition, timestamp, key, value in records:
        producer.produce(topic, value, key, partition, timestamp=timestamp)
    assert producer.flush(30) == 0


def read(broker, topic):
    """All values of a topic, partition by partition."""
    return kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e", "-q").decode().splitlines()


def bounded(script, broker):
    """The script of an example as a test wants it: on this broker, and with an end."""
    script = script.replace("localhost:9092", broker.address)
    return re.sub(r"('scan\.startup\.mode' = 'earliest-offset')", r"\1, 'scan.bounded.mode' = 'latest-offset'", script)


def rows(output):
    """The rows of the tables that a client printed, without their order."""
    return sorted(line for line in output.splitlines() if re.match(r"\| [+-][IUD] \|", line))


def folded(output):
    """What is left once every change has been taken in."""
    left = []
    for line in output.splitlines():
        if match := re.match(r"\| ([+-][IUD]) \|(.*)", line):
            if match[1] in ("+I", "+U"):
                left.append(match[2])
            else:
                left.remove(match[2])
    return sorted(left)


# ---- kcat in, windowed SQL inside, kcat out ----

def test_kcat_in_windows_inside_kcat_out(broker, tmp_path):
    create(broker, "clicks", "clicks-per-page")
    lines = "".join(json.dumps({"page": page, "ts": f"2026-01-01 10:00:{second:02}"}) + "\n"
                    for second in range(30) for page in ("home", "shop")[: 1 + second % 2])
    kcat(broker, "-P", "-t", "clicks", input=lines.encode())
    script = tmp_path / "clicks.sql"
    script.write_text(f"""
CREATE TABLE clicks (page STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = '{broker.address}',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json');
CREATE TABLE counts (page STRING, window_start TIMESTAMP(3), clicks BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 'clicks-per-page', 'properties.bootstrap.servers' = '{broker.address}', 'format' = 'json');
INSERT INTO counts SELECT page, window_start, COUNT(*)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, page;
""")
    output = sql(broker.http, "-f", script)
    assert "[INFO] SQL update statement has been successfully submitted to the cluster:" in output
    assert output.rstrip().endswith("[INFO] Complete execution of the SQL update statement.")
    found = sorted((row["window_start"], row["page"], row["clicks"]) for row in map(json.loads, read(broker, "clicks-per-page")))
    assert found == [(f"2026-01-01 10:00:{ten}0", page, count) for ten in range(3) for page, count in (("home", 10), ("shop", 5))]


# ---- the examples and the demo ----

def case(name):
    """A recorded case: {topic: (partitions, records)}, its expectations, in the form of tests/sql/README.md."""
    text = (ROOT / f"tests/sql/cases/{name}.sqltest").read_text()
    parts = re.split(r"^\[(.+)\]\n", text, flags=re.M)
    topics, expected = {}, {}
    for title, body in zip(parts[1::2], parts[2::2]):
        lines = [line for line in body.split("\n") if line]
        if match := re.match(r"topic (\S+) partitions=(\d+)", title):
            records = [line.split("\t") for line in lines]
            topics[match[1]] = int(match[2]), [(int(r[0]), int(r[1]), None if r[2] == "\\N" else r[2], r[3]) for r in records]
        elif title.startswith("expect topic="):
            expected[title.removeprefix("expect topic=")] = sorted(line.split("\t")[3] for line in lines)
        elif title.startswith("expect "):
            expected[None] = lines
    return topics, expected


def fill(broker, topics):
    for topic, (partitions, records) in topics.items():
        create(broker, topic, partitions=partitions)
        produce(broker, topic, records)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_program_gives_what_flink_gave(broker, name, tmp_path):
    topics, expected = case(f"example-{name}")
    fill(broker, topics)
    script = tmp_path / "example.sql"
    script.write_text(bounded((ROOT / f"conf/examples/{name}.sql").read_text(), broker))
    output = sql(broker.http, "-f", script)
    for topic, values in expected.items():
        if topic is None:
            cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in ["|" + line for line in folded(output)]]
            wanted = []
            for line in values:
                kind, *row = line.split("\t")
                wanted.append(row) if kind in ("+I", "+U") else wanted.remove(row)
            assert sorted(cells) == sorted(wanted), output
        else:
            assert sorted(read(broker, topic)) == values, output


def test_the_demo_gives_what_flink_gave(tmp_path):
    topics, expected = case("demo-orders")
    broker = Broker()
    try:
        fill(broker, topics)
        script = tmp_path / "demo.sql"
        script.write_text(bounded((ROOT / "conf/demo.sql").read_text(), broker))
        output = sql(broker.http, "-f", script)
        for topic, values in expected.items():
            assert sorted(read(broker, topic)) == values, output
    finally:
        broker.close()


def orders(seed, count):
    """Orders whose times are out of order by less than the two seconds that the demo waits."""
    dice = random.Random(seed)
    found = []
    for n in range(count):
        millis = n * 97 + dice.randrange(1900)
        found.append({"order_id": n, "shop": dice.choice(["north", "south", "east", "west"]), "cents": dice.randrange(1, 100_000), "millis": millis})
    return found


def order_json(order):
    seconds, millis = divmod(order["millis"], 1000)
    return json.dumps({"order_id": order["order_id"], "shop": order["shop"], "amount": float(Decimal(order["cents"]) / 100),
                       "ts": f"2026-01-01 {10 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"})


def clock(seconds):
    return f"2026-01-01 {10 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def in_sqlite(found):
    """Revenue per shop in 10 s windows, and the average order over 30 s, every 10 s: as a batch."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE orders (shop TEXT, cents INTEGER, millis INTEGER)")
    base.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(o["shop"], o["cents"], o["millis"]) for o in found])
    revenue = base.execute("SELECT shop, millis / 10000 * 10, COUNT(*), SUM(cents) FROM orders GROUP BY 1, 2").fetchall()
    average = base.execute("""
        WITH slides(back) AS (VALUES (0), (10), (20))
        SELECT millis / 10000 * 10 - back, SUM(cents), COUNT(*) FROM orders, slides GROUP BY 1""").fetchall()
    return revenue, average


def before_ten(seconds):
    return clock(seconds) if seconds >= 0 else f"2026-01-01 09:59:{60 + seconds:02}"


def test_the_demo_equals_a_batch_computation_in_sqlite(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    broker = Broker()
    try:
        create(broker, "orders", "revenue", "average-order")
        found = orders(seed, 20_000)
        kcat(broker, "-P", "-t", "orders", input="".join(order_json(order) + "\n" for order in found).encode())
        script = tmp_path / "demo.sql"
        script.write_text(bounded((ROOT / "conf/demo.sql").read_text(), broker))
        sql(broker.http, "-f", script)
        revenue, average = in_sqlite(found)
        ours = sorted((row["shop"], row["window_start"], row["window_end"], row["orders"], Decimal(str(row["revenue"])))
                      for row in map(json.loads, read(broker, "revenue")))
        assert ours == sorted((shop, clock(start), clock(start + 10), count, Decimal(cents) / 100) for shop, start, count, cents in revenue)
        ours = sorted((row["window_start"], row["window_end"], Decimal(str(row["average"]))) for row in map(json.loads, read(broker, "average-order")))
        micro = Decimal("0.000001")
        assert ours == sorted((before_ten(start), clock(start + 30), (Decimal(cents) / 100 / count).quantize(micro, ROUND_HALF_UP).normalize() + 0)
                              for start, cents, count in average)
    finally:
        broker.close()


# ---- a job that goes on ----

def test_a_continuous_job_survives_kills_without_losing_or_repeating_a_window(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    broker = Broker()
    try:
        create(broker, "orders", "revenue", "average-order")
        script = tmp_path / "demo.sql"
        text = (ROOT / "conf/demo.sql").read_text().replace("localhost:9092", broker.address)
        script.write_text(text[: text.index("INSERT INTO average_order")])
        output = sql(broker.http, "-f", script)
        job = re.search(r"Job ID: (\w+)", output)[1]

        found = orders(seed, 6_000)
        # Its time closes every window before it.
        found.append({"order_id": -1, "shop": "last", "cents": 1, "millis": 3_000_000})
        failures = []

        def feed():
            producer = Producer({"bootstrap.servers": broker.address, "broker.address.family": "v4", "enable.idempotence": True,
                                 "linger.ms": 5, "message.timeout.ms": 120_000, "reconnect.backoff.max.ms": 200})
            for n, order in enumerate(found):
                producer.produce("orders", order_json(order), on_delivery=lambda error, _: failures.append(error) if error else None)
                if n % 100 == 0:
                    producer.flush(60)
            if producer.flush(120):
                failures.append("not everything was delivered")

        feeder = threading.Thread(target=feed)
        feeder.start()
        for _ in range(5):
            feeder.join(dice.uniform(0.1, 1.0))
            broker.kill()
            broker.start()
        feeder.join(180)
        assert not feeder.is_alive() and not failures, failures

        revenue, _ = in_sqlite(found[:-1])
        wanted = sorted((shop, clock(start), count, Decimal(cents) / 100) for shop, start, count, cents in revenue)

        def seen():
            return sorted((row["shop"], row["window_start"], row["orders"], Decimal(str(row["revenue"]))) for row in map(json.loads, read(broker, "revenue")))

        wait_until("the last window", lambda: len(seen()) >= len(wanted))
        assert seen() == wanted
        assert "RUNNING" in sql(broker.http, "-e", "SHOW JOBS")
        sql(broker.http, "-e", f"STOP JOB '{job}'")
        assert seen() == wanted
    finally:
        broker.close()


def test_a_job_that_copies_a_backlog_survives_kills_without_losing_or_repeating_a_row(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    rows = 400_000
    broker = Broker()
    try:
        create(broker, "rows", partitions=2)
        create(broker, "copies")
        text = "x" * 300
        kcat(broker, "-P", "-t", "rows", input="".join(f'{{"id":{n},"text":"{text}"}}\n' for n in range(rows)).encode())
        script = tmp_path / "copy.sql"
        script.write_text("".join(
            f"CREATE TABLE `{name}` (id BIGINT, text STRING) WITH ('connector' = 'kafka', 'topic' = '{name}', 'scan.startup.mode' = 'earliest-offset', "
            f"'properties.bootstrap.servers' = '{broker.address}', 'format' = 'json');\n" for name in ("rows", "copies")) + "INSERT INTO copies SELECT * FROM `rows`;\n")
        sql(broker.http, "-f", script)
        for _ in range(8):
            time.sleep(dice.uniform(0, 0.1))
            broker.kill()
            broker.start()

        def seen():
            return [json.loads(row)["id"] for row in read(broker, "copies")]

        wait_until("the last row", lambda: len(seen()) >= rows)
        assert sorted(seen()) == list(range(rows))
    finally:
        broker.close()


# ---- the same script on both gateways ----

def windowed_script(broker):
    return f"""-- The same text for both gateways.
SET 'table.local-time-zone' = 'UTC';
SET 'sql-client.execution.result-mode' = 'tableau';
SET 'table.dml-sync' = 'true';

CREATE TABLE bids (
  item STRING, price DECIMAL(10, 2), ts TIMESTAMP(3), tags ARRAY<STRING>, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka', 'topic' = 'bids', 'properties.bootstrap.servers' = '{broker.address}',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json'
);
SHOW TABLES;
DESCRIBE bids;
SELECT item, window_start, window_end, COUNT(*) AS bids, MAX(price) AS highest, AVG(price) AS average
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, item;
SELECT item, ts, tags, CASE WHEN price > 50 THEN 'dear' END AS remark, price > 50 AS is_dear FROM bids WHERE price < 60;
"""


def fill_bids(broker):
    create(broker, "bids")
    produce(broker, "bids", [(0, 1767261600000 + n, None, json.dumps(
        {"item": "ABC"[n % 3], "price": n * 7 % 100 + 0.25, "ts": f"2026-01-01 10:00:{n:02}", "tags": ["x", None] if n % 2 else None})) for n in range(45)])


def without_times(output):
    return [re.sub(r" \(\d+\.\d+ seconds\)", "", line) for line in output.splitlines()]


def test_a_script_gives_the_same_on_flinks_gateway_and_on_ours(broker, flink, tmp_path):
    fill_bids(broker)
    script = tmp_path / "bids.sql"
    script.write_text(windowed_script(broker))
    ours = sql(broker.http, "-f", script)
    theirs = sql(flink.url, "-f", script)
    assert len(rows(ours)) > 20
    assert sorted(without_times(ours)) == sorted(without_times(theirs))


def test_a_bad_statement_gets_the_same_error_from_both(broker, flink, tmp_path):
    for text in ["SELECT nope FROM (VALUES (1)) AS t (a);", "CREATE TABLE x (\n  a INT,,\n);", "SELECT * FROM missing;"]:
        script = tmp_path / "bad.sql"
        script.write_text("SET 'a' = 'b';\n\n" + text + "\nSELECT 1;\n")
        ours = sql(broker.http, "-f", script, code=1)
        theirs = sql(flink.url, "-f", script, code=1)
        # Up to the first line of the reason: Flink's syntax errors go on with every token its parser would have taken.
        first_line = re.compile(r".*Reason:\n[^\n]*", re.S)
        assert first_line.match(ours)[0] == first_line.match(theirs)[0]
        assert "[ERROR] Could not execute SQL statement. Reason:" in ours


def test_flinks_own_client_reads_a_windowed_select_from_our_gateway(broker, tmp_path):
    if "bids" not in kcat(broker, "-L").decode():
        fill_bids(broker)
    script = tmp_path / "bids.sql"
    script.write_text(windowed_script(broker))
    (tmp_path / "config.yaml").write_text("execution.target: local\n")
    command = flink_java(JUDGES, "org.apache.flink.table.client.SqlClient", "gateway", "--endpoint", broker.http.removeprefix("http://"), "-f", script)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          env={"FLINK_CONF_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout[-3000:]
    assert rows(done.stdout) == rows(sql(broker.http, "-f", script)), done.stdout[-3000:]
    assert "Received a total of" in done.stdout


# ---- the client ----

def test_a_bad_statement_is_told_with_its_line_and_column(broker, tmp_path):
    script = tmp_path / "bad.sql"
    script.write_text("-- first\nSHOW TABLES;\n\nSELECT a\nFROM nope;\nSHOW TABLES;\n")
    output = sql(broker.http, "-f", script, code=1)
    assert "org.apache.calcite.sql.validate.SqlValidatorException: Object 'nope' not found" in output
    assert f"({script}, line 5, column 6)" in output
    output = sql(broker.http, "-e", "SELECT 1 FROM\n t WHER 3", code=1)
    assert 'org.apache.flink.sql.parser.impl.ParseException: Encountered "3" at line 2, column 9.' in output


def test_a_bounded_job_that_fails_makes_the_script_fail(broker, tmp_path):
    create(broker, "zeros", "quotients")
    produce(broker, "zeros", [(0, 1, None, '{"n":0}')])
    table = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{broker.address}', 'format' = 'json'"
    script = tmp_path / "fails.sql"
    script.write_text(f"""
CREATE TABLE zeros (n INT) WITH ({table}, 'topic' = 'zeros', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE quotients (n INT) WITH ({table}, 'topic' = 'quotients');
INSERT INTO quotients SELECT 1 / n FROM zeros;
SHOW TABLES;
""")
    output = sql(broker.http, "-f", script, code=1)
    assert "java.lang.ArithmeticException: / by zero" in output
    assert "quotients" not in output.split("[ERROR]")[1]


def test_statements_come_from_standard_input_and_from_the_command_line(broker):
    assert "Empty set" in sql(broker.http, input="SHOW VIEWS;")
    output = sql(broker.http, "-e", "SET 'a' = 'b'; SELECT 'x' AS s, 1 AS n;")
    assert "[INFO] Execute statement succeeded." in output
    assert "| +I |                              x |           1 |" in output
    assert "Received a total of 1 row (" in output


def test_an_unbounded_select_prints_rows_as_they_come_and_ends_with_ctrl_c(broker):
    create(broker, "ticks")
    statement = (f"CREATE TABLE ticks (n INT) WITH ('connector' = 'kafka', 'topic' = 'ticks', 'properties.bootstrap.servers' = '{broker.address}', "
                 "'scan.startup.mode' = 'earliest-offset', 'format' = 'json'); SELECT n FROM ticks;")
    client = subprocess.Popen([str(MILLRACE), "sql", "--endpoint", broker.http, "-e", statement], stdout=subprocess.PIPE, text=True)
    try:
        for n in range(3):
            produce(broker, "ticks", [(0, n, None, json.dumps({"n": n}))])
            while f"| +I |           {n} |" not in client.stdout.readline():
                assert client.poll() is None
        client.send_signal(2)
        rest = client.stdout.read()
        assert client.wait(10) == 130
        assert "Query terminated, received a total of 3 rows" in rest
    finally:
        client.kill()
    wait_until("the query's end", lambda: "RUNNING" not in sql(broker.http, "-e", "SHOW JOBS"))


def test_nobody_there_is_said_so():
    port = free_ports(1)[0]
    done = subprocess.run([str(MILLRACE), "sql", "--endpoint", f"http://127.0.0.1:{port}", "-e", "SELECT 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
