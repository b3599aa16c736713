"""What one fetch request costs the broker when a consumer follows many partitions of which few have new records."""

PARTITIONS = 10_000
WRITTEN = 100  # of them, in turn
RATE = 1_000  # batches a second, of one record each
AT_ONCE = ["--fetch-min", 0, "--max-wait", 0]


def of_many_partitions(run):
    """Asking at once and always shows the bare request. Where requests wait for records, what they cost is the
    difference to the same load without a reader, and has their waiting and waking in it. A broker that takes longer
    than there is time between two batches finds several in one request, so that is told for each batch, too."""
    topic = run.topic()
    many = ["--partitions", PARTITIONS, "--from", "end"]
    reader = [*many, "--consumers", 1]
    writer = [*many, "--producers", 1, "--write-to", WRITTEN, "--batch", 200, "--requests", RATE]

    def measure(*arguments, seconds=run.seconds):
        result = run.rawgen(topic, *arguments, seconds=seconds, warm_up=3 if run.broker.kind == "kafka" else run.warm_up, delete=False)
        if "--sessions" in arguments and result["sessions_begun"] != 1:
            raise RuntimeError(f"the session began {result['sessions_begun']} times")
        return result

    nothing = measure(*reader, *AT_ONCE, "--sessions")
    alone = measure(*writer, seconds=run.seconds * 2)
    both = measure(*writer, "--consumers", 1, "--sessions", seconds=run.seconds * 2)
    whole = measure(*reader, *AT_ONCE)
    return {"metrics": {
        ("broker CPU of a request that finds nothing new, answered at once", "µs", "lower"): microseconds(nothing, "requests"),
        ("broker CPU of a request that waits for records", "µs", "lower"): microseconds(both, "requests", alone),
        ("… for each batch", "µs", "lower"): microseconds(both, "records", alone),
        ("end to end p50", "µs", "lower"): both["end_to_end_us"]["p50"],
        ("end to end p99", "µs", "lower"): both["end_to_end_us"]["p99"],
        ("broker CPU of a request without a session, naming every partition", "µs", "lower"): microseconds(whole, "requests"),
    }, "cpu": [told["cpu"] for told in (nothing, alone, both, whole)]}


def microseconds(result, of_what, without_reader=None):
    """Of the broker's CPU for each request or record that was fetched, less what the load takes by itself."""
    share = result["cpu"]["broker"] / result["cpu"]["wall"]
    if without_reader:
        share -= without_reader["cpu"]["broker"] / without_reader["cpu"]["wall"]
    return share * 1e6 / result["consumed"][f"{of_what}_per_s"]
