"""Writes the C++ of a message: a struct for all its versions, with decode and encode as straight lines."""
import re

from notation import NEVER, TYPES

WIDTH = {'boolean': 1, 'i8': 1, 'i16': 2, 'u16': 2, 'i32': 4, 'u32': 4, 'i64': 8, 'f64': 8, 'uuid': 16}


def form(item): return 'structure' if item.struct else TYPES[item.type][1]


def struct_name(message, struct): return message.name if struct is message.body else message.name + struct.name


def element_type(message, item): return struct_name(message, item.struct) if item.struct else TYPES[item.type][0]


def cpp_type(message, item):
    text = element_type(message, item)
    if item.array: text = f'std::vector<{text}>'
    return f'std::optional<{text}>' if item.nullable is not None else text


def number(text): return {'-9223372036854775808': 'INT64_MIN', '-2147483648': 'INT32_MIN'}.get(text, text)


def default_value(message, item):
    """The value a field has when nothing is said; None for an empty one."""
    if item.nullable is not None or item.array or item.struct: return None
    ctype, wire = TYPES[item.type]
    value = number(item.default or '0')
    if wire not in WIDTH or wire == 'uuid': return None
    if ctype == 'bool': return 'true' if value == 'true' else 'false'
    if ctype == 'ErrorCode': return 'ErrorCode::none' if value == '0' else f'ErrorCode{{{value}}}'
    return value if ctype.endswith('_t') or ctype == 'double' else f'{ctype}{{{value}}}'


def declaration(message, item):
    ctype, value = cpp_type(message, item), default_value(message, item)
    if item.nullable is not None: value = 'std::in_place' if item.default else None
    if value is None: return f'{ctype} {item.name};'
    if value == 'std::in_place': return f'{ctype} {item.name}{{std::in_place}};'
    if value.endswith('}'): return f'{ctype} {item.name}{value[value.index("{"):]};'
    return f'{ctype} {item.name} = {value};'


def is_set(message, item):
    """A condition: the field has another value than its default."""
    name = item.name
    if item.nullable is not None:
        if not item.default: return f'{name}.has_value()'
        if item.struct and not item.array: return f'!({name} && *{name} == {element_type(message, item)}{{}})'
        return f'!({name} && {name}->empty())'
    if item.array: return f'!{name}.empty()'
    if item.struct: return f'!({name} == {element_type(message, item)}{{}})'
    value = default_value(message, item)
    if value is None: return f'{name} != Uuid{{}}' if form(item) == 'uuid' else f'!{name}.empty()'
    if value == 'true': return f'!{name}'
    if value == 'false': return name
    return f'{name} != {value}'


def in_versions(item, struct):
    """The condition on v under which the field is there; '' for always."""
    parts = []
    if item.first > struct.first: parts.append(f'v >= {item.first}')
    if item.last < struct.last: parts.append(f'v <= {item.last}')
    if item.first == item.last and len(parts) == 2: return f'v == {item.first}'
    return ' && '.join(parts)


def flexible(message, struct):
    if message.flexible <= struct.first: return 'true'
    if message.flexible > struct.last: return 'false'
    return 'f'


def least_size(message, struct):
    """The fewest bytes that the struct takes in any version."""
    return min(size_in(message, struct, version) for version in range(struct.first, struct.last + 1))


def size_in(message, struct, version):
    """The fewest bytes that the struct takes in that version."""
    short = version >= message.flexible
    total = 1 if short else 0
    for item in struct.fields:
        if item.tag is not None or not item.first <= version <= item.last: continue
        wire = form(item)
        if item.array or wire in ('bytes', 'records'): total += 1 if short else 4
        elif wire == 'string': total += 1 if short else 2
        elif wire == 'plain_string': total += 2
        elif not item.struct: total += WIDTH[wire]
        else: total += 1 if item.nullable is not None else size_in(message, item.struct, version)
    return total


def element_size(message, item):
    if item.struct: return least_size(message, item.struct)
    if form(item) == 'string': return 1 if message.flexible <= item.last else 2
    return WIDTH[form(item)]


def read_value(item, flex):
    ctype, wire = TYPES[item.type]
    if wire == 'plain_string': call, arguments = 'string', 'false'
    elif wire == 'records': call, arguments = 'bytes', flex
    else: call, arguments = wire, '' if wire in WIDTH else flex
    value = f'r.{call}({arguments})'
    plain = ctype.endswith('_t') or ctype in ('bool', 'double', 'Uuid', 'TopicId', 'std::string', 'Bytes', 'Records')
    return value if plain else f'{ctype}({value})'


def write_value(item, name, flex):
    ctype, wire = TYPES[item.type]
    if wire == 'plain_string': return f'w.string({name}, false);'
    if wire == 'records': return f'w.bytes({name}.pieces, {flex});'
    if wire not in WIDTH: return f'w.{wire}({name}, {flex});'
    if ctype == 'Millis': return f'w.i32(generated::narrow({name}));' if wire == 'i32' else f'w.i64({name}.count());'
    if ctype in ('ErrorCode', 'IsolationLevel'): return f'w.{wire}(static_cast<int{wire[1:]}_t>({name}));'
    plain = ctype.endswith('_t') or ctype in ('bool', 'double', 'Uuid', 'TopicId')
    return f'w.{wire}({name if plain else name + ".value"});'


def read_field(message, struct, item, flex):
    name, wire, version = item.name, form(item), ', v'
    nullable = item.nullable is not None
    partly = nullable and item.nullable > max(item.first, struct.first)
    if item.array:
        one = 'emplace_back().decode(r, v)' if item.struct else f'push_back({read_value(item, flex)})'
        arguments = f'({flex}, {element_size(message, item)})'
        if not nullable:
            again = [f'{name}.clear();'] if item.tag is not None else []
            return again + [f'if (size_t n = r.count{arguments}) {{', f'  {name}.reserve(n);',
                            f'  for (; n > 0 && r.ok(); --n) {name}.{one};', '}']
        count = f'r.nullable_count{arguments}'
        if partly: count = f'v >= {item.nullable} ? {count} : std::optional<size_t>(r.count{arguments})'
        return [f'{name}.reset();', f'if (std::optional<size_t> n = {count}) {{', f'  auto& list = {name}.emplace();',
                '  list.reserve(*n);', f'  for (; *n > 0 && r.ok(); --*n) list.{one};', '}']
    if item.struct:
        if not nullable: return [f'{name}.decode(r, v);']
        # Behind a tag, whether there is one is a uvarint; elsewhere it is a signed byte.
        there = 'r.uvarint() > 0' if item.tag is not None else 'r.i8() >= 0 && r.ok()'
        return [f'{name}.reset();', f'if ({there}) {name}.emplace().decode(r, v);']
    if not nullable: return [f'{name} = {read_value(item, flex)};']
    call = {'plain_string': 'nullable_string(false)', 'string': f'nullable_string({flex})', 'records': f'nullable_bytes({flex})',
            'bytes': f'nullable_bytes({flex})'}[wire]
    if partly: return [f'if (v >= {item.nullable}) {name} = r.{call};', f'else {name} = {read_value(item, flex)};']
    return [f'{name} = r.{call};']


def write_field(message, struct, item, flex):
    name, wire = item.name, form(item)
    nullable = item.nullable is not None
    lines = []
    if nullable and item.nullable > max(item.first, struct.first):
        lines.append(f'if (v < {item.nullable} && !{name}) generated::null_in_version("{struct_name(message, struct)}.{name}", v);')
    if item.array:
        each = 'element.encode(w, v);' if item.struct else write_value(item, 'element', flex)
        source = f'*{name}' if nullable else name
        member = f'{name}->size()' if nullable else f'{name}.size()'
        many = [f'w.count({member}, {flex});', f'for (const auto& element : {source}) {each}']
        if not nullable: return lines + many
        return lines + [f'if ({name}) {{', *('  ' + line for line in many), f'}} else w.null_count({flex});']
    if item.struct:
        if not nullable: return lines + [f'{name}.encode(w, v);']
        there = f'w.uvarint({name} ? 1 : 0);' if item.tag is not None else f'w.i8({name} ? 1 : -1);'
        return lines + [there, f'if ({name}) {name}->encode(w, v);']
    if not nullable: return lines + [write_value(item, name, flex)]
    if wire in ('string', 'plain_string'):
        return lines + [f'w.nullable_string({name}, {"false" if wire == "plain_string" else flex});']
    if wire == 'bytes': return lines + [f'w.nullable_bytes({name}, {flex});']
    return lines + [f'if ({name}) w.bytes({name}->pieces, {flex});', f'else w.null_bytes({flex});']


def guarded(condition, lines, otherwise=None):
    if not condition: return lines
    out = [f'if ({condition}) {{', *('  ' + line for line in lines), '}']
    if otherwise: out[-1] = f'}} else if ({otherwise[0]}) {otherwise[1]}'
    return out


def functions(message, struct):
    """decode and encode of one struct."""
    name, flex, top = struct_name(message, struct), flexible(message, struct), struct is message.body
    plain = [item for item in struct.fields if item.tag is None]
    tags = sorted((item for item in struct.fields if item.tag is not None), key=lambda item: item.tag)
    flag = [f'const bool f = v >= {message.flexible};'] if flex == 'f' else []
    versions = f'v < {message.first} || v > {message.last}'

    lines = [f'if ({versions}) return r.fail();', f'*this = {name}();'] if top else []
    lines += flag
    for item in plain: lines += guarded(in_versions(item, struct), read_field(message, struct, item, flex))
    if tags:
        cases = []
        for item in tags:
            cases += [f'case {item.tag}:', *('  ' + line for line in
                      guarded(in_versions(item, struct) if item.first > message.flexible else '',
                              read_field(message, struct, item, 'true'))), '  break;']
        lines += guarded('' if flex == 'true' else 'f',
                         ['r.tagged([&](uint32_t tag) {', '  switch (tag) {', *('    ' + line for line in cases), '  }', '});'])
    elif flex != 'false':
        lines.append('r.skip_tagged();' if flex == 'true' else 'if (f) r.skip_tagged();')
    uses_v = 'v' if any_uses(lines, 'v') else ''
    out = [f'void {name}::decode(Reader& r, int16_t {uses_v}) {{', *('  ' + line for line in lines), '}']

    lines = [f'if ({versions}) generated::no_version(message_name, v);'] if top else []
    lines += flag
    for item in plain:
        condition = in_versions(item, struct)
        otherwise = (is_set(message, item), f'generated::not_in_version("{name}.{item.name}", v);') if item.strict else None
        lines += guarded(condition, write_field(message, struct, item, flex), otherwise)
    counts, fields = [], []
    for item in tags:
        condition = in_versions(item, struct) if item.first > message.flexible else ''
        lines.append(f'const bool tag{item.tag} = {condition + " && " if condition else ""}{is_set(message, item)};')
        if item.strict and item.first > struct.first:
            lines.append(f'if (!({in_versions(item, struct)}) && {is_set(message, item)}) '
                         f'generated::not_in_version("{name}.{item.name}", v);')
        counts.append(f'uint32_t{{tag{item.tag}}}')
        fields += guarded(f'tag{item.tag}', [f'const size_t begin = w.begin_tagged({item.tag});',
                                              *write_field(message, struct, item, 'true'), 'w.end_tagged(begin);'])
    if flex != 'false':
        count = f'w.uvarint({" + ".join(counts) or 0});'
        lines += guarded('' if flex == 'true' else 'f', [count, *fields])
    uses_v = 'v' if any_uses(lines, 'v') else ''
    uses_w = 'w' if any_uses(lines, 'w') else ''
    return out + [f'void {name}::encode(Writer& {uses_w}, int16_t {uses_v}) const {{', *('  ' + line for line in lines), '}', '']


def any_uses(lines, name):
    return any(re.search(rf'(?<![\w"]){name}(?![\w"])', line) for line in lines)


def structure(message, struct):
    lines = []
    if struct is message.body:
        lines += [f'static constexpr std::string_view message_name = "{message.name}";']
        if message.key >= 0:
            label = 'key' if message.kind in ('request', 'response') else 'record_type'
            lines.append(f'static constexpr int16_t {label} = {message.key};')
        never = 'never_flexible' if message.flexible == NEVER else message.flexible
        lines.append(f'static constexpr int16_t min_version = {message.first}, max_version = {message.last}, '
                     f'flexible_from = {never};')
        if message.kind == 'request': lines.append(f'using Response = {message.name[:-7]}Response;')
        if message.kind == 'response':
            header = 'std::nullopt' if message.response_header is None else message.response_header
            lines.append(f'static constexpr std::optional<int16_t> header_version = {header};')
        lines += [f'using {other.name} = {struct_name(message, other)};' for other in message.structs]
        lines.append('')
    for item in struct.fields:
        text = declaration(message, item)
        notes = []
        if (item.first, item.last) != (struct.first, struct.last):
            notes.append(f'v{item.first}' + ('' if item.last == item.first else '+' if item.last == struct.last else f'-{item.last}'))
        if item.comment: notes.append(item.comment)
        lines.append(text + ('  // ' + ': '.join(notes) if notes else ''))
    if struct.fields: lines.append('')
    lines += ['void decode(Reader& r, int16_t version);', 'void encode(Writer& w, int16_t version) const;']
    if struct is message.body: lines.append('static const MessageInfo& info();')
    name = struct_name(message, struct)
    lines.append(f'bool operator==(const {name}&) const = default;')
    return [f'struct {name} {{', *('  ' + line if line else '' for line in lines), '};', '']


def header(messages):
    lines = ['#pragma once', '', '#include "protocol/message.h"', '', 'namespace millrace::protocol {', '']
    if any(message.kind == 'request' for message in messages):
        lines += [f'struct {message.name};' for message in messages if message.kind == 'response'] + ['']
    for message in messages:
        if message.comment and message.kind != 'response': lines += ['// ' + line for line in message.comment.split('\n')]
        for struct in message.structs: lines += structure(message, struct)
        lines += structure(message, message.body)
    return lines + ['}  // namespace millrace::protocol', '']


def source(files, index):
    """One translation unit: [(file name, messages)]. index: a message's place in the table of all."""
    lines = [f'#include "protocol/messages/{name}.h"' for name, _ in files]
    lines += ['', '#include "protocol/reader.h"', '#include "protocol/writer.h"', '', 'namespace millrace::protocol {', '']
    for _, messages in files:
        for message in messages:
            for struct in (*message.structs, message.body): lines += functions(message, struct)
            lines += [f'const MessageInfo& {message.name}::info() {{ return generated::messages[{index[message.name]}]; }}', '']
    return lines + ['}  // namespace millrace::protocol', '']


def table(messages):
    """The descriptions of all messages."""
    lines = ['#include "protocol/message.h"', '', 'namespace millrace::protocol {', 'namespace {', '']

    def fields_name(message, struct): return f'{struct_name(message, struct)}_fields'

    rows = []
    for message in messages:
        for struct in (*message.structs, message.body):
            name = fields_name(message, struct)
            if struct.fields:
                lines.append(f'constexpr FieldShape {name}[] = {{')
                for item in struct.fields:
                    child = f'&{struct_name(message, item.struct)}_shape' if item.struct else 'nullptr'
                    null = NEVER if item.nullable is None else item.nullable
                    tag = -1 if item.tag is None else item.tag
                    lines.append(f'    {{"{item.name}", WireForm::{form(item)}, {str(item.array).lower()}, {item.first}, '
                                 f'{item.last}, {null}, {tag}, {child}}},')
                lines.append('};')
            shape = f'{{{name}, {len(struct.fields)}}}' if struct.fields else '{nullptr, 0}'
            if struct is not message.body:
                lines.append(f'constexpr Shape {struct_name(message, struct)}_shape{shape};')
        rows.append(f'    {{"{message.name}", MessageKind::{message.kind}, {message.key}, {message.first}, {message.last}, '
                    f'{message.flexible}, {shape}}},')
    lines += ['', '}  // namespace', '', 'namespace generated {', 'const MessageInfo messages[] = {', *rows, '};',
              f'const size_t message_count = {len(messages)};', '}  // namespace generated', '}  // namespace millrace::protocol', '']
    return lines


def codecs(files, unit):
    """For tests: what tests/protocol/codec.h does, for each message."""
    lines = [f'#include "protocol/messages/{name}.h"' for name, _ in files]
    lines += ['#include "tests/protocol/codec.h"', '', 'namespace millrace::protocol {', '',
              'template <>', f'void add_codecs<{unit}>(std::vector<Codec>& all) {{']
    lines += [f'  all.push_back(codec_of<{message.name}>());' for _, messages in files for message in messages]
    return lines + ['}', '', '}  // namespace millrace::protocol', '']
