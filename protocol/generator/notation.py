"""The notation of protocol/schema, read into a model.

    api fetch  key 1  versions 4-18  flexible 12        two messages, FetchRequest and FetchResponse
    message TopicRecord  in metadata  key 2  versions 0  flexible 0

One field a line: name, type, versions, tag, comment. Indented lines below a struct are its fields.

    type      one of TYPES, or a struct's name       []type  an array       type?  nullable, type?7+  from version 7 on
              = value  the default, where it is not zero, empty, or null for what is nullable
    versions  which versions carry it, where not all that carry its parent: 7+  4-12  3. Where a version does not
              carry a field, its value is dropped in writing; with ! behind, any value but the default is an error.
    tag       its number among the tagged fields, which are left out while they have their default

A struct that is used a second time in a message is only named there; its fields' versions are then the message's.
"""
import re
from dataclasses import dataclass, field as dataclass_field

# name -> C++ type, wire form
TYPES = {
    'bool': ('bool', 'boolean'), 'int8': ('int8_t', 'i8'), 'int16': ('int16_t', 'i16'), 'uint16': ('uint16_t', 'u16'),
    'int32': ('int32_t', 'i32'), 'uint32': ('uint32_t', 'u32'), 'int64': ('int64_t', 'i64'), 'float64': ('double', 'f64'),
    'uuid': ('Uuid', 'uuid'), 'string': ('std::string', 'string'), 'bytes': ('Bytes', 'bytes'),
    'records': ('Records', 'records'),
    'plain_string': ('std::string', 'plain_string'),  # with a two byte length in flexible versions, too
    'offset': ('Offset', 'i64'), 'leader_epoch': ('LeaderEpoch', 'i32'), 'partition_id': ('PartitionId', 'i32'),
    'broker_id': ('BrokerId', 'i32'), 'producer_id': ('ProducerId', 'i64'), 'producer_epoch': ('ProducerEpoch', 'i16'),
    'sequence': ('Sequence', 'i32'), 'timestamp': ('Timestamp', 'i64'), 'topic_id': ('TopicId', 'uuid'),
    'topic_name': ('std::string', 'string'), 'group_id': ('std::string', 'string'),
    'transactional_id': ('std::string', 'string'),
    'millis': ('Millis', 'i32'), 'millis64': ('Millis', 'i64'),  # durations
    'error': ('ErrorCode', 'i16'), 'isolation_level': ('IsolationLevel', 'i8'),
}
KINDS = ['request', 'response', 'header', 'metadata', 'group_key', 'group_value', 'transaction_key', 'transaction_value',
         'share_key', 'share_value', 'control', 'other']
NEVER = 32767


@dataclass
class Struct:
    name: str
    first: int
    last: int
    fields: list = dataclass_field(default_factory=list)


@dataclass
class Field:
    name: str
    type: str  # a key of TYPES, or the struct's name
    array: bool
    nullable: int | None  # from this version on
    default: str | None
    first: int
    last: int
    strict: bool
    tag: int | None
    comment: str
    struct: Struct | None = None


@dataclass
class Message:
    name: str
    kind: str
    key: int
    first: int
    last: int
    flexible: int
    comment: str = ''
    response_header: int | None = None
    body: Struct = None
    structs: list = dataclass_field(default_factory=list)  # each after those it contains


class NotationError(Exception):
    pass


LINE = re.compile(r'(?P<indent> +)(?P<name>[a-z][a-z0-9_]*) +(?P<array>\[\])?(?P<type>[A-Za-z0-9_]+)'
                  r'(?P<null>\?(?:(?P<from>\d+)\+)?)?(?: = (?P<default>\S+))?'
                  r'(?: +(?P<versions>\d+(?:\+|-\d+)?)(?P<strict>!)?)?(?: +tag (?P<tag>\d+))? *$')


class Parser:
    def __init__(self, path):
        self.path, self.number = path, 0
        self.messages = []
        self.comments = []   # above what comes next
        self.api = None      # (name, facts) of the api that the file describes
        self.open = []       # the lines whose children may follow: [match, comment, line number, children]

    def fail(self, why): raise NotationError(f'{self.path}:{self.number}: {why}')

    def read(self):
        tree = None  # of the message being read
        with open(self.path) as file: lines = file.read().split('\n')
        for self.number, line in enumerate(lines, 1):
            text, _, comment = (part.strip() if i else part.rstrip() for i, part in enumerate(line.partition('#')))
            if not text:
                self.comments = self.comments + [comment] if comment else []
            elif line.startswith(' '):
                if tree is None: self.fail('a field without a message')
                self.field(tree, text, comment)
            else:
                self.close(tree)
                tree = self.begin(text.split())
                self.comments = []
        self.close(tree)
        return self.messages

    def facts(self, words):
        """What stands behind the name: key 1 versions 4-18 flexible 12."""
        facts = dict(zip(words[::2], words[1::2]))
        allowed = {'in', 'key', 'versions', 'flexible', 'response_header'}
        if len(words) % 2 or not {'versions', 'flexible'} <= facts.keys() <= allowed:
            self.fail('expected: key N versions A-B flexible N|never')
        first, _, last = facts['versions'].partition('-')
        flexible = NEVER if facts['flexible'] == 'never' else int(facts['flexible'])
        return dict(key=int(facts.get('key', -1)), first=int(first), last=int(last or first), flexible=flexible), facts

    def begin(self, words):
        """A line at the margin; answers the tree for the fields below it."""
        if words[0] == 'api' and len(words) > 2:
            name = ''.join(part.capitalize() for part in words[1].split('_'))
            self.api = name, *self.facts(words[2:]), self.comments
            return None
        if words in (['request'], ['response']) and self.api:
            name, known, facts, comments = self.api
            header = facts.get('response_header') if words == ['response'] else None
            self.messages.append(Message(name + words[0].capitalize(), words[0], comment='\n'.join(comments),
                                         response_header=header and int(header), **known))
        elif words[0] == 'message' and len(words) > 2:
            known, facts = self.facts(words[2:])
            if facts.get('in') not in KINDS: self.fail(f"'in' one of {', '.join(KINDS)}")
            self.messages.append(Message(words[1], facts['in'], comment='\n'.join(self.comments), **known))
        else:
            self.fail('expected api, request, response, message or an indented field')
        tree = []
        self.open = [(None, '', self.number, tree)]
        return tree

    def field(self, tree, text, comment):
        match = LINE.match(text)
        if not match: self.fail(f'not a field: {text.strip()}')
        depth = len(match['indent']) // 2
        if len(match['indent']) % 2 or depth > len(self.open): self.fail('wrong indentation')
        del self.open[depth:]
        node = (match, comment, self.number, [])
        self.open[-1][3].append(node)
        self.open.append(node)

    def close(self, tree):
        """All lines of a message have been read: makes its fields and structs."""
        if tree is None: return
        message = self.messages[-1]
        uses = {}

        def count(nodes):
            for match, _, _, children in nodes:
                uses[match['type']] = uses.get(match['type'], 0) + 1
                count(children)
        count(tree)
        structs = {}

        def make(parent, nodes):
            for match, comment, self.number, children in nodes:
                item = self.make_field(message, parent, match, comment)
                if any(other.name == item.name for other in parent.fields): self.fail(f'{item.name} twice')
                parent.fields.append(item)
                if item.type[0].islower():
                    if item.type not in TYPES: self.fail(f'no type {item.type}')
                    if children: self.fail(f'{item.type} has no fields')
                elif children:
                    if item.type in structs: self.fail(f'{item.type} is described twice')
                    ages = (item.first, item.last) if uses[item.type] == 1 else (message.first, message.last)
                    item.struct = structs[item.type] = Struct(item.type, *ages)
                    make(item.struct, children)
                elif item.type in structs:
                    item.struct = structs[item.type]
                else:
                    self.fail(f'{item.type} has no fields')
                if item.struct and item.struct not in message.structs: message.structs.append(item.struct)
        message.body = Struct(message.name, message.first, message.last)
        make(message.body, tree)

    def make_field(self, message, parent, match, comment):
        first, last = parent.first, parent.last
        if match['versions']:
            bound = re.fullmatch(r'(\d+)(?:(\+)|-(\d+))?', match['versions'])
            first = int(bound[1])
            last = parent.last if bound[2] else int(bound[3] or first)
        if not parent.first <= first <= last <= parent.last: self.fail('versions outside those of its parent')
        item = Field(match['name'], match['type'], bool(match['array']),
                     int(match['from'] or first) if match['null'] else None, match['default'], first, last,
                     bool(match['strict']), int(match['tag']) if match['tag'] else None, comment)
        if item.tag is not None and first < message.flexible: self.fail('a tag below the flexible versions')
        return item


def parse(path):
    """The messages of one file."""
    return Parser(path).read()
