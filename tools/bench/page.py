"""docs/PERFORMANCE.md out of the files in build/bench: one table for each, and the figures to draw."""
import charts
import results

COMPARED = ["produce", "durable", "consume", "fetch", "latency", "clients", "startup"]  # by tools/bench/compare
ORDER = [*COMPARED, "scale", "sql", "beside", "callgrind"]
OTHER = {"sql": "Flink 2.3"}
LESS_IS_BETTER = ("s/GB", "CPU-s", "ms", "µs", "us", "s", "MB", "KB", "bytes", "B", "instructions")
REPRODUCE = {"scale": "tools/bench/scale", "sql": "tools/bench/sql.py", "beside": "tools/bench/beside.py"}
SHARES = {"CPU-s/GB": "broker CPU", "MB/s": "throughput"}  # what is drawn as bars, by unit

INTRODUCTION = """# Performance

What Millrace costs and how fast it is, beside Apache Kafka 4.3.1 (and Flink 2.3) on the same machine, in the same run, with the same generator.
Every figure on this page was printed by a program in `tools/bench`; `tools/bench/report` makes the page out of what they leave in `build/bench`.
Do not carry the absolute numbers to another machine: run it there. The ratios travel better.
"""

METHOD = """## How this is measured

- **The generator** is `rawgen` (C++, in `tools/bench`): requests are encoded before the run, with valid checksums; while it runs only correlation ids change.
  It uses one thread, on the same two processors as the broker. Rates and gigabytes are of keys and values (10^9 bytes); headers of batches and records come on top.
- **CPU first.** On a shared virtual machine wall time says little. *Broker CPU* is user and system time of the broker's process from `/proc`, over the measured
  seconds only. *With kernel threads* adds what all kernel threads used meanwhile (writing pages back, completing disk requests); they may also have finished work of the run before.
- **Pages of a virtual machine.** Free pages of a virtual machine may have been given back to its host, and writing to the page cache then waits for the host, for either broker:
  the same copy then costs several times as much. So every measurement begins with a page cache that is full of something else, as on a machine that
  has been up for a while (`tools/bench/page_cache.py`). Sections of a commit before 87a3eff had it full
  only when their session began, or not at all. A wide range in the last column can still be this.
- **Pairs.** Sessions run in the order Millrace, Kafka, Kafka, Millrace; each on a fresh directory of the same file system. A figure is the median of its sessions, a ratio the
  median of the pairs, with the lowest and highest pair behind it: two pairs, unless said otherwise. Ratios count in Millrace's favour: 8 means eight times less CPU, or eight times
  more throughput; below 1 Kafka is better.
- **Noise.** Before a measurement the others on the machine are given five seconds to come to rest; while it runs, the time that unrelated processes used is measured, too. Above 6 % of the machine the row is marked *noisy*; it is not thrown away. What says *one pair* was measured once for each
  broker. The commit is that of the broker, for each row where they differ.
- **Kafka** runs with the heap and JVM options of its own start script (1 GB, G1), its default settings, and is warmed up with produce and fetch load before anything counts. A warm-up of
  seconds is short for a JVM that runs for weeks; each measurement has one more second of its own.
- **Durability.** `written` answers when the operating system has the bytes, as Kafka always does. `durable` answers after they are synced; Kafka is then shown twice, with `flush.messages=1`
  (its per-topic name of `log.flush.interval.messages`), which syncs every batch, and without any sync, which is less than what Millrace promises there.
- **Latency** of the raw client counts from when a request was *due* on a fixed schedule, also when the broker (or the generator) was too late to take it then. The knee is what the same session reached at
  saturation, so that a share of it is a higher absolute load for the faster broker.
- **Beside a job** `tools/bench/beside.py` compares the broker with itself: the same load alone and while an SQL job runs in the same process. There a ratio says how many times longer
  an acknowledgement takes; 1 is what one wants, and below 1 is chance. Rows of *a foreign process* have no job: another process of the same low rank takes what is left of
  the broker's processor instead. That share of a delay is the machine's, whatever the broker does.
- **Real clients** are librdkafka (through confluent-kafka, in two Python processes, whose own cost is in both columns) and Kafka's Java `kafka-producer-perf-test` and `kafka-consumer-perf-test`.
- **A fetch request** over many partitions is that of one consumer whose session has 10,000. Answered at once, one follows the other without a pause. Waiting, it is woken by a producer that
  writes one record after the other, to 100 of the partitions in turn; what the same load costs without the reader is taken off. A broker that needs longer than the millisecond between
  two records finds several of them in one request; so that is told for each of them, too.
- **What reading costs** at the tail of a load is what the broker uses with readers, less what it uses for the same load without any.
- **What it does not show:** networks other than loopback, more than two processors, replication, TLS, runs of hours, power loss (that is tested elsewhere). The disk is virtual; what its flush
  means to the host is unknown, so durable figures compare software on equal terms and are no promise about hardware.
"""


def lower_is_better(row):
    if "better" in row:
        return row["better"] == "lower"
    return row["unit"] in LESS_IS_BETTER or row["unit"].startswith(("ms", "KB", "CPU-s"))


def advantage(row):
    """How many times better Millrace is; None without something to compare."""
    if "better" in row:
        return row["ratio"]
    mine, other = row["millrace"], row.get("other")
    if not mine or not other:
        return None
    return other / mine if lower_is_better(row) else mine / other


def spread(row):
    told = row.get("spread")
    if isinstance(told, (list, tuple)):
        return f"{results.number(told[0])}–{results.number(told[1])} {row['unit']}"
    return told or ""


def table(data):
    first, other, judged = data.get("columns") or ("Millrace", data.get("other_name") or OTHER.get(data["name"], "Kafka"), "better by")
    compared = any(row.get("other") is not None for row in data["rows"])
    lines = [f"| | {first} | {other} | {judged} | range |", "|---|--:|--:|--:|---|"] if compared else [f"| | {first} | range |", "|---|--:|---|"]
    title = None
    several = len({row.get("commit") for row in data["rows"]}) > 1
    for row in data["rows"]:
        workload, separator, metric = row["metric"].rpartition(": ")
        if not separator:
            workload, metric = "", row["metric"]
        beside = row.get("other_name", other)
        heading = f"{workload}, beside {beside}" if workload and beside != other else workload
        if heading != title and heading:
            version = f" ({row['commit']})" if several and row.get("commit") else ""
            lines.append(f"| **{heading}**{version} |" + " |" * (4 if compared else 2))
        title = heading
        mine, theirs = (f"{results.number(row[side])} {row['unit']}".rstrip() if row.get(side) is not None else "–" for side in ("millrace", "other"))
        note = spread(row) + (" *noisy*" if row.get("noisy") else "")
        ratio = advantage(row)
        lines.append(f"| {metric} | {mine} | {theirs} | {'–' if ratio is None else f'**{results.number(ratio)}×**'} | {note} |" if compared
                     else f"| {metric} | {mine} | {note} |")
    return lines


def bar_figures(data):
    """{file name: SVG}: one chart for each unit that several workloads have."""
    figures = {}
    for unit, metric in SHARES.items():
        rows = [row for row in data["rows"] if row["unit"] == unit and row["metric"].endswith(": " + metric)]
        others = list(dict.fromkeys(row.get("other_name", "Kafka") for row in rows))
        groups = {}
        for row in rows:
            name = row["metric"].rpartition(": ")[0]
            values = groups.setdefault(name, {"Millrace": row["millrace"]})
            values[row.get("other_name", "Kafka")] = row["other"]
        if len(groups) >= 2:
            names = ["Millrace", *others][:3]
            title = "Broker CPU" if unit == "CPU-s/GB" else "Throughput"
            figures[f"{data['name']}-{'cpu' if unit == 'CPU-s/GB' else 'throughput'}.svg"] = charts.bars(
                f"{title}: {data['name']}", unit + (" (less is better)" if unit == "CPU-s/GB" else ""), names, [(name, [values.get(n) for n in names]) for name, values in groups.items()])
    if data["name"] == "sql":
        groups = [(row["metric"], [row["millrace"], row["other"]]) for row in data["rows"]]
        figures["sql.svg"] = charts.bars("SQL", data["rows"][0]["unit"] if data["rows"] else "", ["Millrace", OTHER["sql"]], groups)
    return figures


def curve_figures(data):
    figures = {}
    for workload, brokers in data.get("curves", {}).items():
        lines = []
        for index, name in enumerate(name for name in brokers if name != "title"):
            for number, (what, points) in enumerate(brokers[name].items()):
                if number in (0, len(brokers[name]) - 1):  # of several loads the lightest and the heaviest
                    lines.append((f"{name}, {what}", index, number > 0, points))
        if lines:
            figures[f"{workload}.svg"] = charts.curves(brokers["title"].replace("`", ""), lines)
    return figures


def page(files):
    """(text of the page, {file name: SVG}) of the parsed result files."""
    files = sorted((data for data in files if data["rows"]), key=lambda data: (ORDER.index(data["name"]) if data["name"] in ORDER else len(ORDER), data["name"]))
    figures = {}
    lines = [INTRODUCTION]
    for data in files:
        lines += [f"## {data['title']}", ""]
        commits = list(dict.fromkeys(row["commit"] for row in data["rows"] if row.get("commit"))) or ([data["commit"]] if data.get("commit") else [])
        about = [data.get("date"), f"commit {' and '.join(commits)}" if commits else None, data.get("machine")]
        command = REPRODUCE.get(data["name"]) or (f"tools/bench/compare {data['name']}" if data["name"] in COMPARED else f"tools/bench/{data['name']}")
        lines += [". ".join(part for part in (", ".join(filter(None, about)), f"Again: `{command}`") if part), ""]
        lines += table(data) + [""]
        if data.get("generator"):
            lines += ["The generator itself used {} to {} CPU-s per GB, on the same processors.".format(*map(results.number, data["generator"])), ""]
        drawn = bar_figures(data) | curve_figures(data)
        for name, svg in drawn.items():
            figures[name] = svg
            lines += [f"![{name.removesuffix('.svg')}](performance/{name})", ""]
    lines.append(METHOD)
    return "\n".join(lines), figures
