#!/usr/bin/env python3
"""Generates the messages from the notation.

    generate.py names SCHEMA_DIR                   the names of the files below, one a line
    generate.py write SCHEMA_DIR OUT_DIR UNITS     writes NAME.h for each, messages_0.cc …, and message_table.cc
    generate.py codecs SCHEMA_DIR OUT_DIR UNITS    writes codecs_0.cc …, through which tests reach every message
"""
import os
import sys

import cpp
from notation import NotationError, parse

SUFFIX = '.schema'


def names(schema): return sorted(name[:-len(SUFFIX)] for name in os.listdir(schema) if name.endswith(SUFFIX))


def save(path, lines):
    """Leaves the file alone when nothing in it changes, so that what depends on it is not built again."""
    text = '\n'.join(['// Generated from protocol/schema.', *lines])
    try:
        with open(path) as file:
            if file.read() == text: return
    except FileNotFoundError:
        pass
    with open(path, 'w') as file: file.write(text)


def load(schema): return [(name, parse(os.path.join(schema, name + SUFFIX))) for name in names(schema)]


def divide(files, units):
    """The heaviest files first, each to the lightest unit."""
    parts = [[0, []] for _ in range(units)]
    weight = lambda entry: sum(len(struct.fields) for message in entry[1] for struct in (*message.structs, message.body))
    for entry in sorted(files, key=weight, reverse=True):
        lightest = min(parts, key=lambda part: part[0])
        lightest[0] += weight(entry)
        lightest[1].append(entry)
    return [sorted(entries) for _, entries in parts]


def write(schema, out, units):
    files = load(schema)
    messages = [message for _, list_of in files for message in list_of]
    index = {message.name: i for i, message in enumerate(messages)}
    if len(index) != len(messages): raise NotationError('two messages of one name')
    for name, list_of in files: save(os.path.join(out, name + '.h'), cpp.header(list_of))
    for i, part in enumerate(divide(files, units)): save(os.path.join(out, f'messages_{i}.cc'), cpp.source(part, index))
    save(os.path.join(out, 'message_table.cc'), cpp.table(messages))


def codecs(schema, out, units):
    for i, part in enumerate(divide(load(schema), units)):
        save(os.path.join(out, f'codecs_{i}.cc'), cpp.codecs(part, i))


if __name__ == '__main__':
    try:
        if sys.argv[1:2] == ['names'] and len(sys.argv) == 3: print('\n'.join(names(sys.argv[2])))
        elif sys.argv[1:2] == ['write'] and len(sys.argv) == 5: write(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        elif sys.argv[1:2] == ['codecs'] and len(sys.argv) == 5: codecs(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        else: sys.exit(__doc__)
    except NotationError as error:
        sys.exit(str(error))
