#!/usr/bin/env python3
"""Acknowledgement and end-to-end latency of librdkafka at 1,000 records a second, linger 0, as one JSON object.

    librdkafka_latency.py BROKER TOPIC SECONDS [NAME=VALUE of the topic]…

The producer is this process and the consumer another. A record carries the time it should be sent at, and latency counts
from then, on one clock; the first second is not counted. Microseconds.
"""
import json
import multiprocessing
import resource
import struct
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

RATE = 1000
WARM_UP = 1.0


def percentiles(values):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(len(values) * share))] * 1e6
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99.9": at(0.999), "max": values[-1] * 1e6, "count": len(values)}


def consume(address, topic, last, ready, out):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "bench", "enable.auto.commit": False, "fetch.wait.max.ms": 500,
                         "broker.address.family": "v4"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    while (message := consumer.poll(10)) is None or message.error():
        pass
    ready.set()
    latencies = []
    while True:
        for message in [m for m in [consumer.poll(10)] if m and not m.error()]:
            now = time.monotonic()
            number, due = struct.unpack_from("<qd", message.value())
            if number >= RATE * WARM_UP:
                latencies.append(now - due)
            if number >= last:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                out.put((percentiles(latencies), usage.ru_utime + usage.ru_stime))
                consumer.close()
                return


def main():
    address, topic, seconds, *settings = sys.argv[1:]
    total = int(RATE * (WARM_UP + float(seconds)))
    admin = AdminClient({"bootstrap.servers": address, "broker.address.family": "v4"})
    admin.create_topics([NewTopic(topic, 1, 1, config=dict(s.split("=", 1) for s in settings))])[topic].result(30)
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "acks": "all", "broker.address.family": "v4"})
    producer.produce(topic, struct.pack("<qd", -1, 0.0))
    producer.flush(30)
    ready, out = multiprocessing.Event(), multiprocessing.Queue()
    consumer = multiprocessing.Process(target=consume, args=(address, topic, total - 1, ready, out))
    consumer.start()
    ready.wait(30)
    latencies = []
    padding = bytes(100 - 16)

    def acknowledged(number, due):
        def callback(error, _):
            now = time.monotonic()
            if error is None and number >= RATE * WARM_UP:
                latencies.append(now - due)
        return callback

    began = time.monotonic()
    for number in range(total):
        due = began + number / RATE
        while (left := due - time.monotonic()) > 0:
            producer.poll(left)
        producer.produce(topic, struct.pack("<qd", number, due) + padding, on_delivery=acknowledged(number, due))
    producer.flush(30)
    end_to_end, consumer_cpu = out.get(timeout=30)
    consumer.join()
    admin.delete_topics([topic])[topic].result(30)
    print(json.dumps({"ack": percentiles(latencies), "end to end": end_to_end, "consumer_cpu": consumer_cpu}))


main()
