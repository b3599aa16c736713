#!/usr/bin/env python3
"""Compares protocol/schema with the message definitions inside Kafka's own jars, and reports every difference.

    protocol_drift.py --jars DIR      DIR holds kafka-clients, kafka-metadata, kafka-raft, kafka-storage and the
                                      kafka-*-coordinator jars of one release

Ends with 1 when something differs. Compared are: which messages there are, their keys and versions, and of every field
its place, name, wire type, versions, nullability, tag, default, and whether it may be dropped.
"""
import argparse
import json
import os
import re
import sys
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'protocol', 'generator'))
from notation import NEVER, TYPES, parse  # noqa: E402

# What Kafka has and we leave out: the records of a tiered storage that keeps its metadata in a topic.
LEFT_OUT = re.compile(r'Remote(Log|Partition)\w+Record')

KINDS = {'request': 'request', 'response': 'response', 'header': 'header', 'metadata': 'metadata'}
COORDINATORS = {'kafka-group-coordinator': 'group', 'kafka-transaction-coordinator': 'transaction',
                'kafka-share-coordinator': 'share'}
WIRE = {'boolean': 'bool', 'i8': 'int8', 'i16': 'int16', 'u16': 'uint16', 'i32': 'int32', 'u32': 'uint32', 'i64': 'int64',
        'f64': 'float64', 'plain_string': 'string'}

# Where a name of ours does not follow from Kafka's by the rules in names_for.
OURS = {'ForgottenTopicsData': 'forgotten_topics', 'TopicData': 'topics', 'PartitionData': 'partitions',
        'PartitionResponses': 'partitions', 'Responses': 'topics', 'DivergingEpoch': 'diverging', 'IsolationLevel': 'isolation',
        'RequestApiKey': 'api_key', 'RequestApiVersion': 'api_version', 'ThrottleTimeMs': 'throttle'}
OURS_IN = {('FindCoordinatorRequest', 'Key'): 'coordinator_key'}


def snake(name): return re.sub(r'(?<!^)([A-Z])', r'_\1', name).lower()


def names_for(message, kafka_name):
    """What we may call that field."""
    plain = snake(kafka_name)
    allowed = {plain, OURS.get(kafka_name), OURS_IN.get((message, kafka_name))}
    if plain.endswith('_ms'): allowed.add(plain[:-3])
    if plain.endswith('error_code'): allowed.add(plain[:-5])
    if plain in ('partition', 'partition_index', 'partition_id'): allowed.add('index')
    if plain == 'partition_indexes': allowed.add('partitions')
    if plain in ('topic', 'topic_name'): allowed.add('name')
    if plain == 'topic_id': allowed.add('id')
    return allowed


def span(text, first, last):
    """The versions that a range means within [first, last]; nothing when there are none."""
    if text is None or text == 'none': return None
    match = re.fullmatch(r'(\d+)(\+)?(?:-(\d+))?', str(text))
    low = int(match[1])
    high = last if match[2] else int(match[3] or low)
    low, high = max(low, first), min(high, last)
    return (low, high) if low <= high else None


def read_jars(directory):
    """name -> definition, with the jar it came from."""
    found = {}
    for jar in sorted(os.listdir(directory)):
        if not re.match(r'kafka-[a-z-]+-\d[\w.]*\.jar$', jar): continue
        with zipfile.ZipFile(os.path.join(directory, jar)) as archive:
            for entry in archive.namelist():
                if not re.search(r'(^|/)(message|metadata)/\w+\.json$', entry): continue
                text = archive.read(entry).decode()
                definition = json.loads(re.sub(r'^\s*//.*$', '', text, flags=re.M))
                definition['jar'] = re.sub(r'-\d[\w.]*\.jar$', '', jar)
                found[definition['name']] = definition
    return {name: d for name, d in found.items() if d['validVersions'] != 'none'}


class Comparison:
    def __init__(self):
        self.differences = []
        self.fields = 0

    def differ(self, where, what, ours, kafka): self.differences.append(f'{where}: {what}: ours {ours}, Kafka\'s {kafka}')

    def same(self, where, what, ours, kafka):
        if ours != kafka: self.differ(where, what, ours, kafka)

    def message(self, ours, kafka, unstable):
        where = ours.name
        versions = span(kafka['validVersions'], 0, NEVER)
        if unstable: versions = (versions[0], versions[1] - 1)
        self.same(where, 'versions', (ours.first, ours.last), versions)
        flexible = NEVER if kafka['flexibleVersions'] == 'none' else int(kafka['flexibleVersions'].rstrip('+'))
        self.same(where, 'flexible', ours.flexible, flexible)
        if kafka['type'] in ('request', 'response', 'metadata', 'coordinator-key', 'coordinator-value'):
            self.same(where, 'key', ours.key, int(kafka['apiKey']))
        kind = KINDS.get(kafka['type'])
        if kafka['type'].startswith('coordinator'):
            kind = COORDINATORS[kafka['jar']] + '_' + kafka['type'].split('-')[1]
        if kind: self.same(where, 'kind', ours.kind, kind)
        common = {struct['name']: struct['fields'] for struct in kafka.get('commonStructs', [])}
        self.struct(ours, where, ours.body, kafka.get('fields', []), common, (ours.first, ours.last), set())

    def struct(self, message, where, ours, kafka, common, versions, seen):
        theirs = [(item, span(item.get('versions', item.get('taggedVersions')), *versions)) for item in kafka]
        theirs = [(item, ages) for item, ages in theirs if ages]
        for mine, (item, ages) in zip(ours.fields, theirs):
            self.fields += 1
            self.field(message, f'{where}.{mine.name}', mine, item, ages, versions, common, seen)
        for mine in ours.fields[len(theirs):]: self.differ(f'{where}.{mine.name}', 'field', 'there', 'missing')
        for item, _ in theirs[len(ours.fields):]: self.differ(f'{where}.{item["name"]}', 'field', 'missing', 'there')

    def field(self, message, where, mine, item, ages, parent, common, seen):
        if mine.name not in names_for(message.name, item['name']): self.differ(where, 'name', mine.name, item['name'])
        kafka_type = item['type'].removeprefix('[]')
        is_struct = kafka_type[0].isupper()
        self.same(where, 'array', mine.array, item['type'].startswith('[]'))
        self.same(where, 'versions', (mine.first, mine.last), ages)
        nullable = span(item.get('nullableVersions'), *ages)
        mine_nullable = None if mine.nullable is None else (mine.nullable, mine.last)
        self.same(where, 'nullable', mine_nullable, nullable)
        self.same(where, 'tag', mine.tag, item.get('tag'))
        if item.get('tag') is not None: self.same(where, 'tagged versions', ages, span(item['taggedVersions'], *ages))
        self.default(where, mine, item, nullable, ages)
        if ages != parent: self.same(where, 'an error in other versions', mine.strict, not item.get('ignorable', False))
        if not is_struct:
            wire = None if mine.struct else WIRE.get(TYPES[mine.type][1], TYPES[mine.type][1])
            self.same(where, 'type', wire, kafka_type)
            plain = mine.type == 'plain_string'
            self.same(where, 'old form in flexible versions', plain, item.get('flexibleVersions') == 'none')
            return
        if mine.struct is None: return self.differ(where, 'type', mine.type, kafka_type)
        if kafka_type in common:
            if kafka_type in seen: return
            seen.add(kafka_type)
            ages = (message.first, message.last) if self.uses(message, mine.struct) > 1 else ages
        self.struct(message, where, mine.struct, common.get(kafka_type, item.get('fields', [])), common, ages, seen)

    @staticmethod
    def uses(message, struct):
        return sum(item.struct is struct for owner in (*message.structs, message.body) for item in owner.fields)

    def default(self, where, mine, item, nullable, ages):
        theirs = item.get('default')
        theirs = '' if theirs is None else str(theirs).lower() if isinstance(theirs, bool) else str(theirs)
        if nullable and theirs == 'null': theirs = None
        elif nullable:
            # Without a default Kafka's is empty. Where it is not written out, null in its place changes no bytes.
            if mine.default is None and item.get('tag') is None and nullable == ages: return
            theirs = theirs or ('[]' if item['type'].startswith('[]') else '{}' if item['type'][0].isupper() else '""')
        elif theirs in ('', '0', 'false'): theirs = None
        self.same(where, 'default', mine.default, theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--jars', required=True, help='the directory of Kafka\'s jars')
    parser.add_argument('--schema', default=os.path.join(ROOT, 'protocol', 'schema'))
    options = parser.parse_args()
    kafka = read_jars(options.jars)
    if len(kafka) < 100: sys.exit(f'only {len(kafka)} message definitions in {options.jars}: are these Kafka\'s jars?')
    ours = {message.name: message for file in sorted(os.listdir(options.schema)) if file.endswith('.schema')
            for message in parse(os.path.join(options.schema, file))}
    compared = Comparison()
    for name in sorted(ours.keys() | kafka.keys()):
        if name not in kafka: compared.differ(name, 'message', 'there', 'missing')
        elif name not in ours:
            if not LEFT_OUT.fullmatch(name): compared.differ(name, 'message', 'missing', 'there')
        else:
            request = kafka.get(re.sub('Response$', 'Request', name), kafka[name])
            compared.message(ours[name], kafka[name], request.get('latestVersionUnstable', False))
    print('\n'.join(compared.differences + [f'{len(ours)} messages, {compared.fields} fields, '
                                           f'{len(compared.differences)} differences']))
    sys.exit(1 if compared.differences else 0)


if __name__ == '__main__':
    main()
