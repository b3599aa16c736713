"""Kafka's own command-line tools, version 4.3.1."""
import re

from conftest import java, tool


def test_the_tools_find_every_api_usable(broker):
    out = tool("BrokerApiVersionsCommand", broker)
    assert f"{broker.address} (id: 1" in out
    assert re.search(r"Produce\(0\): 0 to 13 \[usable: 13\]", out)
    assert "Fetch(1): 4 to 18 [usable: 18]" in out


def test_topics_are_created_described_grown_and_deleted(broker):
    assert "Created topic jt." in tool("TopicCommand", broker, "--create", "--topic", "jt", "--partitions", "3", "--config", "cleanup.policy=compact")
    again = tool("TopicCommand", broker, "--create", "--topic", "jt", check=False)
    assert "Topic 'jt' already exists" in again
    out = tool("TopicCommand", broker, "--describe", "--topic", "jt")
    assert re.search(r"Topic: jt\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*cleanup.policy=compact", out)
    assert re.search(r"Topic: jt\s+Partition: 2\s+Leader: 1\s+Replicas: 1\s+Isr: 1", out)
    tool("TopicCommand", broker, "--alter", "--topic", "jt", "--partitions", "5")
    assert "PartitionCount: 5" in tool("TopicCommand", broker, "--describe", "--topic", "jt")
    assert "jt" in tool("TopicCommand", broker, "--list").splitlines()
    tool("TopicCommand", broker, "--delete", "--topic", "jt")
    assert "jt" not in tool("TopicCommand", broker, "--list").splitlines()


def test_a_topic_config_is_set_described_and_deleted(broker):
    tool("TopicCommand", broker, "--create", "--topic", "jc")
    configs = lambda *arguments, **options: java("kafka.admin.ConfigCommand", "--bootstrap-server", broker.address, *arguments, **options)
    configs("--alter", "--entity-type", "topics", "--entity-name", "jc", "--add-config", "retention.ms=12345")
    assert "retention.ms=12345 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=12345" in configs("--describe", "--entity-type", "topics", "--entity-name", "jc")
    configs("--alter", "--entity-type", "topics", "--entity-name", "jc", "--delete-config", "retention.ms")
    assert "retention.ms=12345" not in configs("--describe", "--entity-type", "topics", "--entity-name", "jc")
    wrong = configs("--alter", "--entity-type", "topics", "--entity-name", "jc", "--add-config", "retention.ms=often", check=False)
    assert "Invalid value often for configuration retention.ms" in wrong
    assert "num.partitions=4" in configs("--describe", "--all", "--entity-type", "brokers", "--entity-name", "1")


def test_console_producer_and_consumer_exchange_keyed_lines(broker):
    tool("TopicCommand", broker, "--create", "--topic", "jp", "--partitions", "1")
    lines = "".join(f"k{n}:value {n}\n" for n in range(1000))
    tool("ConsoleProducer", broker, "--topic", "jp", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:", input=lines)
    out = tool("consumer.ConsoleConsumer", broker, "--topic", "jp", "--from-beginning", "--max-messages", "1000", "--timeout-ms", "60000",
               "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:", "--group", "jp-group")
    assert [line for line in out.splitlines() if line.startswith("k")] == lines.splitlines()
    offsets = tool("GetOffsetShell", broker, "--topic", "jp")
    assert offsets.splitlines()[-1] == "jp:0:1000"
    assert tool("GetOffsetShell", broker, "--topic", "jp", "--time", "earliest").splitlines()[-1] == "jp:0:0"
    assert re.search(r"jp:0:\d+", tool("GetOffsetShell", broker, "--topic", "jp", "--time", "max-timestamp"))


def test_consumer_groups_are_listed_described_reset_and_deleted(broker):
    groups = lambda *arguments: tool("consumer.group.ConsumerGroupCommand", broker, *arguments)
    assert "jp-group" in groups("--list")
    row = next(line for line in groups("--describe", "--group", "jp-group").splitlines() if line.startswith("jp-group"))
    assert row.split()[:6] == ["jp-group", "jp", "0", "1000", "1000", "0"]
    reset = groups("--group", "jp-group", "--reset-offsets", "--to-offset", "10", "--topic", "jp", "--execute")
    assert re.search(r"jp-group\s+jp\s+0\s+10", reset)
    assert groups("--describe", "--group", "jp-group", "--state").split()[-2:] == ["Empty", "0"] or "Empty" in groups("--describe", "--group", "jp-group", "--state")
    assert "Deletion of requested consumer groups ('jp-group') was successful." in groups("--delete", "--group", "jp-group")


def test_the_producer_performance_tool_gets_every_record_through(broker):
    out = tool("ProducerPerformance", broker, "--topic", "perf", "--num-records", "200000", "--record-size", "100", "--throughput", "-1")
    assert "200000 records sent" in out
