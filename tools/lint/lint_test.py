#!/usr/bin/env python3
"""Plants violations in a small tree, one kind at a time, and sees each one caught, and nothing else."""
import tempfile
import unittest
from pathlib import Path

import lint

GOOD = {
    'protocol/types.h': '// Ids.\n#pragma once\n#include <string>\n',
    'runtime/clock.h': '// Clock.\n#pragma once\n#include "protocol/types.h"\n',
    'runtime/real/clock.cc': '// The clock.\n#include <thread>\nauto t = std::chrono::steady_clock::now();\n',
    'log/log.h': '// Log.\n#pragma once\n#include "protocol/types.h"\n#include "runtime/clock.h"\n',
    'log/log.cc': '#include "log/log.h"\n\n// std::thread and time(nullptr) in a comment, "fopen(" in a string\n'
                  'const char* text = "fopen(path)";\nint uptime(int);\nauto later = clock.time(0) + DataType::time(0);\n',
    'broker/main.cc': '// main.\n#include "runtime/real/world.h"\n#include "log/log.h"\n',
    'tools/cat.cc': '// cat.\n#include <unistd.h>\n#include "broker/main.h"\n',
    'tests/log/log_test.cc': '// Log tests.\n#include <filesystem>\n#include "tests/sim/world.h"\n',
    'tools/run.sh': '#!/bin/sh\n',
}

PLANTED = [
    ('log/up.cc', '// x\n#include "broker/session.h"\n', 'log/ may not include broker/'),
    ('processing/side.cc', '// x\n#include "replication/raft.h"\n', 'processing/ may not include replication/'),
    ('protocol/down.cc', '// x\n#include "runtime/clock.h"\n', 'protocol/ may not include runtime/'),
    ('runtime/up.h', '// x\n#pragma once\n#include "protocol/messages/fetch.h"\n', 'runtime/ may not include protocol/'),
    ('broker/test.cc', '// x\n#include "tests/sim/world.h"\n', 'broker/ may not include tests/'),
    ('log/real.cc', '// x\n#include "runtime/real/world.h"\n', 'take a Shard'),
    ('broker/t.cc', '// x\n#include <thread>\n', '<thread> is for runtime/real/'),
    ('runtime/t.cc', '// x\n#include <mutex>\n', '<mutex> is for runtime/real/'),
    ('log/f.cc', '// x\n#include <fstream>\n', '<fstream> is for runtime/real/'),
    ('log/s.cc', '// x\n#include <sys/socket.h>\n', '<sys/socket.h> is for runtime/real/'),
    ('broker/a.cc', '// x\n#include <boost/asio/io_context.hpp>\n', '<boost/asio/io_context.hpp> is for'),
    ('broker/c.cc', '// x\nauto t = std::chrono::system_clock::now();\n', 'std::chrono::system_clock is for'),
    ('broker/d.cc', '// x\nlong t = time(nullptr);\n', 'time(nullptr is for'),
    ('broker/d2.cc', '// x\nlong t = std::time(0);\n', 'time(0) is for'),
    ('broker/e.cc', '// x\nauto* f = fopen("x", "r");\n', 'fopen( is for'),
    ('processing/r.cc', '// x\nint r = rand();\n', 'rand() is for'),
    ('protocol/r.cc', '// x\nstd::random_device random_device{};\n', 'random_device'),
    ('tests/log/slow_test.cc', '// x\nvoid f() { std::this_thread::sleep_for(1s); }\n', 'a test waits for'),
    ('log/heavy.h', '// x\n#pragma once\n#include <regex>\n', 'too heavy for a header'),
    ('log/bare.cc', '#include <string>\n', 'the first line says'),
    ('tests/log/about_test.cc', '#include "log/log.h"\n', 'the first line says'),
    ('log/once.h', '// x\n#include <string>\n', '#pragma once'),
    ('log/string_util.cc', '// x\n', '"string_util.cc" says nothing'),
    ('log/helpers/x.cc', '// x\n', '"helpers" says nothing'),
    ('log/path.cc', '// see /' + 'work/main/log\n', 'a path of one machine'),
    ('tools/number.py', '# as asked in issue' + ' 7\n', 'an issue number'),
]


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class LintTest(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            write(root, files)
            return lint.check_tree(root)

    def test_a_good_tree_passes(self):
        self.assertEqual(self.problems(GOOD), [])

    def test_every_planted_violation_is_caught(self):
        for name, text, expected in PLANTED:
            with self.subTest(name):
                problems = self.problems({**GOOD, name: text})
                self.assertTrue(problems)
                for problem in problems:
                    self.assertTrue(problem.startswith(name + ':'), problem)
                self.assertTrue(any(expected in problem for problem in problems), problems)


if __name__ == '__main__':
    unittest.main()
