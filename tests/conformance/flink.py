"""A real Flink SQL gateway in one process, and the REST calls of its clients."""
import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

OPEN_PACKAGES = ["util", "lang", "net", "io", "nio", "lang.reflect", "text", "time", "util.concurrent"]

QUICK_START = ["-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


def flink_java(judges, main, *arguments, flags=QUICK_START):
    opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPEN_PACKAGES] + ["--add-opens=java.base/sun.nio.ch=ALL-UNNAMED"]
    return ["java", *flags, "-Duser.timezone=UTC", *opens, "-cp", f"{judges}/flink/libs/*", main, *map(str, arguments)]


class FlinkGateway:
    """Jobs run in a cluster inside the gateway's process, so that one JVM is enough."""

    def __init__(self, judges, home, port, rest_port, flags=QUICK_START):
        self.url = f"http://127.0.0.1:{port}"
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "config.yaml").write_text(
            f"execution.target: local\nrest.port: {rest_port}\ntaskmanager.numberOfTaskSlots: 8\nparallelism.default: 1\n"
            "restart-strategy.type: disable\ntable.local-time-zone: UTC\n")
        command = flink_java(judges, "org.apache.flink.table.gateway.SqlGateway", "-Dsql-gateway.endpoint.rest.address=127.0.0.1", f"-Dsql-gateway.endpoint.rest.port={port}", flags=flags)
        self.output = open(self.home / "gateway.txt", "wb")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, env={"FLINK_CONF_DIR": str(self.home), "PATH": "/usr/bin:/bin"})
        deadline = time.monotonic() + 60
        while True:
            try:
                call(self.url, "/v1/info")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.output.close()


class StatementError(Exception):
    """What the gateway printed of a failed statement: the whole chain of causes."""

    def causes(self):
        """`class: message` of every exception, outermost first; messages may span lines."""
        chain, current = [], None
        for line in str(self).replace("<Exception on server side:", "").splitlines():
            if line.startswith("\tat ") or line.startswith("\t...") or line.startswith("End of exception"):
                current = None
            elif line.startswith("Caused by: ") or (not chain and line):
                chain.append(line.removeprefix("Caused by: "))
                current = True
            elif current and line:
                chain[-1] += "\n" + line
        return chain


def call(url, path, body=None, method=None, timeout=60):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise StatementError("\n".join(json.load(error)["errors"][1:])) from None


class Session:
    """One session on a gateway: ours or Flink's."""

    def __init__(self, url, **properties):
        self.url = url
        self.handle = call(url, "/v3/sessions", {"properties": properties})["sessionHandle"]

    def execute(self, statement, row_format="PLAIN_TEXT", seconds=120):
        """Runs one statement to its end: (columns, rows as (kind, cells), is_query)."""
        operation = call(self.url, f"/v3/sessions/{self.handle}/statements", {"statement": statement})["operationHandle"]
        rows, columns, is_query, token = [], [], False, f"/v3/sessions/{self.handle}/operations/{operation}/result/0?rowFormat={row_format}"
        deadline = time.monotonic() + seconds
        while token:
            answer = call(self.url, token)
            if answer["resultType"] != "NOT_READY":
                columns, is_query = answer["results"]["columns"], answer["isQueryResult"]
                rows += [(row["kind"], row["fields"]) for row in answer["results"]["data"]]
            if answer["resultType"] == "EOS":
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{statement[:60]}… did not end within {seconds} s")
            token = answer.get("nextResultUri")
            if not answer.get("results", {}).get("data"):
                time.sleep(0.05)
        return columns, rows, is_query

    def close(self):
        call(self.url, f"/v3/sessions/{self.handle}", method="DELETE")
