"""The notation: what it means, and how mistakes in it are answered."""
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'protocol', 'generator'))
from notation import NEVER, NotationError, parse  # noqa: E402


def read(text):
    with tempfile.NamedTemporaryFile('w', suffix='.schema') as file:
        file.write(text)
        file.flush()
        return parse(file.name)


class Notation(unittest.TestCase):
    def refused(self, fields, why, head='message A  in other  versions 1-5  flexible 3'):
        with self.assertRaisesRegex(NotationError, why): read(f'{head}\n{fields}\n')

    def test_an_api_is_a_request_and_a_response(self):
        request, response = read('# About.\napi do_it  key 7  versions 2-4  flexible never\n\nrequest\n  a  int32\nresponse\n')
        self.assertEqual((request.name, request.key, request.first, request.last), ('DoItRequest', 7, 2, 4))
        self.assertEqual((request.flexible, request.comment), (NEVER, 'About.'))
        self.assertEqual((response.name, response.kind, response.body.fields), ('DoItResponse', 'response', []))

    def test_versions_are_those_of_the_parent_unless_said(self):
        message, = read('message A  in other  versions 1-5  flexible 3\n  s  []S  2-4\n    a  int8\n    b  int8  3+\n')
        a, b = message.structs[0].fields
        self.assertEqual((a.first, a.last, b.first, b.last), (2, 4, 3, 4))

    def test_a_struct_used_twice_is_as_old_as_the_message(self):
        message, = read('message A  in other  versions 1-5  flexible 3\n  s  []S  1-2!\n    a  int8\n  t  []S  3+!\n')
        s, t = message.body.fields
        self.assertIs(s.struct, t.struct)
        self.assertEqual((s.struct.first, s.struct.last, len(message.structs)), (1, 5, 1))

    def test_null_may_begin_later_than_the_field(self):
        message, = read('message A  in other  versions 1-5  flexible 3\n  a  []string?4+ = []  2+!\n')
        a, = message.body.fields
        self.assertEqual((a.nullable, a.first, a.default, a.strict), (4, 2, '[]', True))

    def test_mistakes_name_their_line(self):
        self.refused('  a  int8\n  a  int8', r':3: a twice')
        self.refused('  a  integer', r':2: no type integer')
        self.refused('  a  Missing', r':2: Missing has no fields')
        self.refused('    a  int8', r':2: wrong indentation')
        self.refused('  a  int8  6+', r':2: versions outside')
        self.refused('  a  int8  2+  tag 0', r':2: a tag below the flexible versions')
        self.refused('  a  int8 int8', r':2: not a field')
        self.refused('', r':1: .in. one of', head='message A  in limbo  versions 1  flexible 1')
        self.refused('', r':1: expected: key', head='message A  in other  versions 1')


if __name__ == '__main__':
    unittest.main()
