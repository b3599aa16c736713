"""Clients in Python, JavaScript and Go: produce, consume, groups, administration."""
import subprocess

import pytest

from conftest import JUDGES, run

PYTHON = JUDGES / "venv/bin/python"


def script(text, broker):
    return run(PYTHON, "-c", text, broker.address).decode()


KAFKA_PYTHON = """
import sys, kafka
from kafka.admin import NewTopic
address = sys.argv[1]
admin = kafka.KafkaAdminClient(bootstrap_servers=address)
admin.create_topics([NewTopic('kp', num_partitions=3, replication_factor=1)])
producer = kafka.KafkaProducer(bootstrap_servers=address, acks='all')
sent = [producer.send('kp', key=str(n % 50).encode(), value=f'value {n}'.encode(), headers=[('n', str(n).encode())]) for n in range(5000)]
offsets = {(m.partition, m.offset) for m in (f.get(30) for f in sent)}
assert len(offsets) == 5000, len(offsets)
producer.close()
consumer = kafka.KafkaConsumer('kp', bootstrap_servers=address, group_id='kp-group', auto_offset_reset='earliest', consumer_timeout_ms=30000, enable_auto_commit=False)
seen = {}
for message in consumer:
    seen[message.value] = (message.partition, message.offset)
    assert message.headers == [('n', message.value.split()[1])], message.headers
    if len(seen) == 5000: break
assert set(seen.values()) == offsets
consumer.commit()
consumer.close()
committed = admin.list_group_offsets('kp-group') if hasattr(admin, 'list_group_offsets') else admin.list_consumer_group_offsets('kp-group')
print('ok', len(seen))
"""


def test_kafka_python_creates_produces_consumes_in_a_group_and_commits(broker):
    assert "ok 5000" in script(KAFKA_PYTHON, broker)


CONFLUENT = """
import sys
from confluent_kafka import Producer, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, NewPartitions, ConfigResource, AlterConfigOpType, ConfigEntry, OffsetSpec
address = {'bootstrap.servers': sys.argv[1], 'broker.address.family': 'v4'}
admin = AdminClient(address)
for f in admin.create_topics([NewTopic('ck', 2, 1, config={'retention.ms': '-1'})]).values(): f.result(30)
for f in admin.create_partitions([NewPartitions('ck', 3)]).values(): f.result(30)
delivered = []
producer = Producer(address | {'enable.idempotence': True, 'compression.type': 'lz4'})
def done(error, message):
    assert error is None, error
    delivered.append((message.partition(), message.offset()))
for n in range(20000):
    while True:
        try:
            producer.produce('ck', f'value {n}', key=str(n % 31), on_delivery=done); break
        except BufferError: producer.poll(0.1)
assert producer.flush(60) == 0
assert len(set(delivered)) == 20000
consumer = Consumer(address | {'group.id': 'ck-group', 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
consumer.subscribe(['ck'])
seen = set()
while len(seen) < 20000:
    message = consumer.poll(30)
    assert message is not None and message.error() is None, message and message.error()
    seen.add((message.partition(), message.offset()))
assert seen == set(delivered)
consumer.commit(asynchronous=False)
committed = consumer.committed([TopicPartition('ck', p) for p in range(3)], 30)
assert sum(c.offset for c in committed) == 20000, committed
consumer.close()
resource = ConfigResource(ConfigResource.Type.TOPIC, 'ck', incremental_configs=[ConfigEntry('max.message.bytes', '2000000', incremental_operation=AlterConfigOpType.SET)])
for f in admin.incremental_alter_configs([resource]).values(): f.result(30)
for f in admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, 'ck')]).values():
    assert f.result(30)['max.message.bytes'].value == '2000000'
groups = admin.list_consumer_groups().result(30)
assert 'ck-group' in {g.group_id for g in groups.valid}
for f in admin.delete_consumer_groups(['ck-group']).values(): f.result(30)
for f in admin.delete_topics(['ck']).values(): f.result(30)
print('ok')
"""


def test_confluent_kafka_administers_produces_consumes_and_commits(broker):
    assert "ok" in script(CONFLUENT, broker)


KAFKAJS = """
const { Kafka, logLevel, CompressionTypes } = require('kafkajs');
(async () => {
  const kafka = new Kafka({ brokers: [process.argv[1]], logLevel: logLevel.ERROR, retry: { retries: 8 } });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'js', numPartitions: 3 }] });
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  for (let b = 0; b < 10; b++)
    await producer.send({ topic: 'js', acks: -1, compression: b % 2 ? CompressionTypes.GZIP : CompressionTypes.None,
      messages: [...Array(500).keys()].map(n => ({ key: String(n % 17), value: `value ${b} ${n}` })) });
  const consumer = kafka.consumer({ groupId: 'js-group' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'js', fromBeginning: true });
  const seen = new Set();
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`only ${seen.size} messages`)), 60000);
    consumer.run({ eachMessage: async ({ message }) => { seen.add(message.value.toString()); if (seen.size === 5000) resolve(); } }).catch(reject);
  });
  await consumer.disconnect();
  const offsets = await admin.fetchOffsets({ groupId: 'js-group', topics: ['js'] });
  const total = offsets[0].partitions.reduce((sum, p) => sum + Number(p.offset), 0);
  if (total !== 5000) throw new Error(`committed ${total}`);
  const groups = await admin.listGroups();
  if (!groups.groups.some(g => g.groupId === 'js-group')) throw new Error('group not listed');
  await admin.deleteGroups(['js-group']);
  await admin.deleteTopics({ topics: ['js'] });
  await producer.disconnect(); await admin.disconnect();
  console.log('ok', seen.size);
  process.exit(0);
})().catch(error => { console.error(error); process.exit(1); });
"""


def test_kafkajs_produces_consumes_in_a_group_and_administers(broker):
    done = subprocess.run(["node", "-e", KAFKAJS, broker.address], cwd=JUDGES / "node", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ok 5000" in done.stdout


def test_franz_go_creates_produces_groups_and_administers(broker):
    assert b"ok:" in run(JUDGES / "franz/franz", broker.address, "franz")
