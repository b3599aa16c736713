#!/usr/bin/env python3
"""Records what a real Apache Flink does with a SQL case, so that nothing in an [expect …] section is written by hand.

    record.py FILE.sqltest…        rewrites the [expect …] sections of each file

A case gives its topics with their records, and a script (format: tests/sql/README.md). The recorder starts Apache Kafka
and a Flink SQL gateway from build/judges, makes the topics, runs the script statement by statement with every INSERT
awaited, and writes down the rows of the last SELECT, the records of every topic named in an [expect topic=…] line, or
the error.
"""
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from conftest import JUDGES, Broker, free_ports  # noqa: E402
from flink import FlinkGateway, Session, StatementError  # noqa: E402

KINDS = {"INSERT": "+I", "UPDATE_BEFORE": "-U", "UPDATE_AFTER": "+U", "DELETE": "-D"}


def sections(text):
    """The header lines, and every [section] as (title, lines)."""
    parts = re.split(r"^\[(.+)\]\n", text, flags=re.M)
    return parts[0], [(parts[i], parts[i + 1]) for i in range(1, len(parts), 2)]


def field(text):
    if text == r"\N":
        return None
    return bytes.fromhex(text[2:]) if text.startswith(r"\x") else text.encode()


def show(data):
    if data is None:
        return r"\N"
    try:
        return data.decode()
    except UnicodeDecodeError:
        return r"\x" + data.hex()


def statements(script):
    """Splits at semicolons outside of quotes, comments and statement sets."""
    found, start, i, inside_set = [], 0, 0, False
    while i < len(script):
        if script[i] in "'`":
            end = script.find(script[i], i + 1)
            i = len(script) if end < 0 else end
        elif script.startswith("--", i):
            end = script.find("\n", i)
            i = len(script) if end < 0 else end
        elif script[i] == ";":
            piece = script[start:i]
            inside_set = bool(re.match(r"\s*EXECUTE\s+STATEMENT\s+SET\b", piece, re.I)) and not re.search(r"\bEND\s*$", piece, re.I)
            if not inside_set:
                found.append(piece)
                start = i + 1
        i += 1
    return [piece for piece in found + [script[start:]] if piece.strip()]


def make_topics(address, topics):
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic(name, partitions, 1, config={"retention.ms": "-1"}) for name, partitions, _ in topics]).values() if topics else ():
        future.result(30)
    producer = Producer({"bootstrap.servers": address})
    for name, _, records in topics:
        for line in records.splitlines():
            partition, timestamp, key, value, *headers = line.split("\t")
            pairs = [tuple(pair.split("=", 1)) for pair in headers[0].split(";")] if headers else None
            producer.produce(name, field(value), field(key), int(partition), timestamp=int(timestamp), headers=pairs)
            producer.flush()
    return admin


def read_topic(address, topic, partitions, started):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "recorder"})
    lines = []
    for partition in range(partitions):
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)
        consumer.assign([TopicPartition(topic, partition, 0)])
        while consumer.position([TopicPartition(topic, partition)])[0].offset < end:
            message = consumer.poll(10)
            if message is None:
                break
            time = message.timestamp()[1]
            cells = [str(partition), "now" if time >= started else str(time), show(message.key()), show(message.value())]
            if message.headers():
                cells.append(";".join(f"{k}={show(v)}" for k, v in message.headers()))
            lines.append("\t".join(cells))
            if message.offset() + 1 >= end:
                break
    consumer.close()
    return lines


def escape(cell):
    return cell.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def run(gateway, address, script):
    """The last result as an [expect …] title and its lines."""
    session = Session(gateway.url, **{"table.display.max-column-width": "1000", "table.dml-sync": "true"})
    columns, rows, is_query, title = [], [], False, "ok"
    try:
        for statement in statements(script.replace("${bootstrap}", address)):
            columns, rows, is_query = session.execute(statement)
            if not columns or columns[0]["name"] in ("result", "job id"):
                rows, title = [], "ok"
            elif is_query:
                updating = any(kind != "INSERT" for kind, _ in rows)
                title = "changelog" if updating else "append sorted"
            else:
                title = "append ordered"
    except StatementError as error:
        chain = [cause for cause in error.causes() if "SqlGatewayException" not in cause.split(":")[0]]
        ran = any("JobExecutionException" in cause or "JobException" in cause or "RuntimeException: Failed to fetch" in cause for cause in chain)
        position = re.search(r"[Ll]ine (\d+), column (\d+)", "\n".join(chain))
        lines = [f"stage\t{'run' if ran else 'plan'}", f"reason\t{chain[-1].splitlines()[0]}"]
        if position:
            lines.append(f"position\tline {position[1]}, column {position[2]}")
        return "error", lines
    finally:
        session.close()
    lines = ["\t".join(([KINDS[kind]] if title == "changelog" else []) + [escape("<NULL>" if cell is None else str(cell)) for cell in cells]) for kind, cells in rows]
    return title, sorted(lines) if title == "append sorted" else lines


def record(path, broker, gateway, number):
    header, parts = sections(path.read_text())
    script = next(body for title, body in parts if title == "sql")
    topics = [(re.match(r"topic (\S+)", title)[1], int(re.search(r"partitions=(\d+)", title)[1]), body.strip("\n")) for title, body in parts if title.startswith("topic ")]
    wanted = [title for title, _ in parts if title.startswith("expect topic=")]
    import time
    started = int(time.time() * 1000)
    admin = make_topics(broker.address, topics)
    title, lines = run(gateway, broker.address, script)
    out = header + "".join(f"[{name}]\n{body}" for name, body in parts if not name.startswith("expect"))
    if title != "ok" or not wanted:
        out += f"[expect {title}]\n" + "".join(line + "\n" for line in lines)
    for expectation in wanted:
        topic = re.match(r"expect topic=(\S+)", expectation)[1]
        partitions = next(count for name, count, _ in topics if name == topic)
        out += f"[{expectation}]\n" + "".join(line + "\n" for line in sorted(read_topic(broker.address, topic, partitions, started)))
    path.write_text(out)
    for future in admin.delete_topics([name for name, _, _ in topics]).values() if topics else ():
        future.result(30)
    print(f"{path.name}: {title}, {len(lines)} lines")


def main():
    broker = Broker("kafka", auto_create_topics_enable="false")
    gateway = FlinkGateway(JUDGES, tempfile.mkdtemp(), *free_ports(2))
    try:
        for number, name in enumerate(sys.argv[1:]):
            record(pathlib.Path(name), broker, gateway, number)
    finally:
        gateway.close()
        broker.close()


if __name__ == "__main__":
    main()
