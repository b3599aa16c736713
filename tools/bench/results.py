"""The files that measurements leave in build/bench, and the arithmetic of paired comparisons.

    {"name", "title", "rows": [{"metric", "millrace", "other", "unit", "ratio", "spread"}], "machine", "date"}

`ratio` says how many times better Millrace is: more of what one wants more of, less of what one wants less of; `spread`
is the smallest and the largest ratio of the pairs.
"""
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build/bench"


def paired(ours, theirs, better):
    """(median of ours, median of theirs, median ratio, (lowest, highest ratio)) of runs in pairs; None where it is undefined."""
    ratios = [(a / b if better == "higher" else b / a) for a, b in zip(ours, theirs) if a and b]
    if not ratios:
        return statistics.median(ours), statistics.median(theirs), None, None
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios), (min(ratios), max(ratios))


def number(value):
    """Three significant digits, with thousands grouped: 0.0123, 1.23, 45.6, 789, 12,300."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])
    return f"{round(value, 2 - exponent):,.{max(0, 2 - exponent)}f}"


def row(workload, metric, unit, better, ours, theirs, other="Kafka", noisy=False):
    mine, their, ratio, spread = paired(ours, theirs, better)
    return {
        "workload": workload, "metric": metric, "unit": unit, "better": better, "other_name": other,
        "millrace": mine, "other": their, "ratio": ratio and round(ratio, 4),
        "spread": spread and (f"{number(spread[0])}–{number(spread[1])}" if len(ours) > 1 else "one pair"), "noisy": noisy, "commit": commit(),
    }


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}, {memory:.0f} GB, Linux {platform.release()}"


def commit():
    """What is measured: of the tree here, unless MILLRACE names a binary from elsewhere and MILLRACE_COMMIT says which."""
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return os.environ.get("MILLRACE_COMMIT") or done.stdout.strip() or "unknown"


def merge(known, rows):
    """Rows of workloads that were measured again replace the old ones, in the order of the old."""
    fresh = {}
    for r in rows:
        fresh.setdefault(r["workload"], []).append(r)
    merged = []
    for r in known:
        if r["workload"] not in fresh:
            merged.append(r)
        elif fresh[r["workload"]]:
            merged += fresh[r["workload"]]
            fresh[r["workload"]] = []
    return merged + [r for rest in fresh.values() for r in rest]


def save(name, title, rows, curves=None, generator=(), columns=None):
    """`generator` are the CPU seconds per GB that the generator itself used; `columns` what is compared, if not us with a rival."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    known = json.loads(path.read_text()) if path.exists() else {"rows": [], "curves": {}}
    path.write_text(json.dumps({
        "name": name, "title": title, "columns": columns, "rows": merge(known["rows"], rows), "curves": known.get("curves", {}) | (curves or {}),
        "generator": [min(generator), max(generator)] if generator else known.get("generator"),
        "machine": machine(), "commit": commit(), "date": datetime.date.today().isoformat(),
    }, indent=1, ensure_ascii=False) + "\n")
    return path
