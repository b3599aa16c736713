#!/usr/bin/env python3
"""Checks the rules of the source tree that a compiler does not: who may include whom, who may touch the world,
how files begin and are called, and words that do not belong here.

    tools/lint/lint.py [ROOT]        prints one line per violation; exit code 1 when there is one

Only files known to git are looked at, or, outside of a git tree, all files.
"""
import re
import subprocess
import sys
from pathlib import Path

# ---- who may include whom ----
# A folder may include itself and these. Nothing but tools and tests includes broker; nothing includes tests.
MAY_INCLUDE = {
    'protocol': set(),
    'runtime': set(),
    'log': {'protocol', 'runtime'},
    'replication': {'protocol', 'runtime', 'log'},
    'processing': {'protocol', 'runtime', 'log'},
    'broker': {'protocol', 'runtime', 'log', 'replication', 'processing'},
    'tools': {'protocol', 'runtime', 'log', 'replication', 'processing', 'broker'},
    'tests': {'protocol', 'runtime', 'log', 'replication', 'processing', 'broker', 'tools'},
}
# The vocabulary everybody shares.
SHARED_HEADERS = {'protocol/types.h', 'protocol/bytes.h', 'protocol/check.h'}
# The real adapters are for those who start a process; everybody else gets the seams handed.
REAL_ADAPTERS = 'runtime/real/'
MAY_START_A_PROCESS = ('runtime/real/', 'tools/', 'tests/', 'broker/main.cc', 'broker/serve.cc')

# ---- who may touch the world ----
# The adapters and the command-line clients may; tests may, too, but never wait for time to pass.
MAY_TOUCH_THE_WORLD = ('runtime/real/', 'tools/', 'tests/')
# Files elsewhere that may, and what: each with its reason.
EXCEPTIONS = {
}
WORLD_HEADERS = re.compile(
    r'(thread|mutex|shared_mutex|condition_variable|future|latch|barrier|semaphore|stop_token|fstream|filesystem|'
    r'iostream|random|ctime|time\.h|csignal|signal\.h|pthread\.h|unistd\.h|fcntl\.h|poll\.h|netdb\.h|dirent\.h|'
    r'liburing\.h|sys/.*|netinet/.*|arpa/.*|boost/asio.*)')
WORLD_CALLS = re.compile(
    r'(std::chrono::(system|steady|high_resolution)_clock'
    r'|\b(system|steady|high_resolution)_clock::now'
    r'|\b(gettimeofday|clock_gettime|getrandom|random_device|srand|fopen|freopen|popen|mkstemp|tmpfile)\b\s*[({]'
    r'|(?<![\w.>:])(std::)?time\((nullptr|NULL|0\)|&)'
    r'|(?<![\w.>:])rand\(\)'
    r'|std::(jthread|thread|async|mutex|ifstream|ofstream|fstream)\b'
    r'|this_thread::)')
WAITING = re.compile(r'\b(sleep_for|usleep|nanosleep)\b|(?<![\w.>:])sleep\(\d')
HEAVY_IN_HEADERS = re.compile(r'(regex|iostream|format|boost/asio.*|boost/beast.*)')

# ---- names and words ----
EMPTY_NAMES = re.compile(r'(^|[_.-])(utils?|helpers?|misc)([_.-]|$)')
FOREIGN_WORDS = [
    (re.compile(r'/(work|root)/\w'), 'a path of one machine'),
    (re.compile(r'/home/(?!appuser)\w'), 'a path of one machine'),
    (re.compile(r'\bissue\s*#?\d', re.I), 'an issue number'),
    (re.compile(r'\b(HOUSE_STYLE|TEAM\.md|DESIGN\.md|DESIGN §)'), 'a page that is not in the project'),
    (re.compile(r'\b(pypi\.org|registry\.npmjs\.org|repo1?\.maven\.(org|apache\.org)|proxy\.golang\.org|crates\.io)\b'),
     'a registry host'),
]

SOURCES = {'.h', '.cc'}
TEXTS = SOURCES | {'.py', '.sh', '.md', '.build', '.sql', '.properties', '.java', '.js', '.go', '.yaml', '.yml', '.txt', ''}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def files_of(root):
    listed = subprocess.run(['git', '-C', str(root), 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                            capture_output=True)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split('\0') if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob('*')
                 if path.is_file() and path.relative_to(root).parts[0] != 'build']
    return sorted(name for name in names if (root / name).is_file())


def without_comments(text):
    """The code of a C++ file with comments and string contents blanked, line by line."""
    def blank(match):
        token = match.group(0)
        if token.startswith('/'):
            return re.sub(r'[^\n]', ' ', token)
        return token[0] + re.sub(r'[^\n]', ' ', token[1:-1]) + token[-1]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text, flags=re.S)


def check_include(name, kind, header):
    folder = name.split('/')[0]
    if kind == '<':
        if WORLD_HEADERS.fullmatch(header) and not name.startswith(MAY_TOUCH_THE_WORLD) \
                and header not in EXCEPTIONS.get(name, ()):
            yield f'<{header}> is for runtime/real/: use the seams Clock, Disk, Net, Random'
        if name.endswith('.h') and HEAVY_IN_HEADERS.fullmatch(header):
            yield f'<{header}> is too heavy for a header: include it in a .cc'
        return
    target = header.split('/')[0]
    if target not in MAY_INCLUDE or folder not in MAY_INCLUDE:
        return
    if target != folder and target not in MAY_INCLUDE[folder] and header not in SHARED_HEADERS:
        yield f'{folder}/ may not include {target}/'
    if header.startswith(REAL_ADAPTERS) and not name.startswith(MAY_START_A_PROCESS):
        yield f'{header} is for those who start a process: take a Shard'


def check_source(name, text):
    lines = text.split('\n')
    # The implementation or the test of a header may leave it to the header, which it then includes first; every header
    # says what it is.
    first = lines[0].strip()
    subject = re.sub(r'^tests/(.*)_test\.cc$', r'\1.cc', name)[:-3]
    about_a_header = first == f'#include "{subject}.h"'
    if not first.startswith(('//', '/*')) and not about_a_header:
        yield 1, 'the first line says what the file is, as a comment'
    if name.endswith('.h') and '#pragma once' not in lines:
        yield 1, 'a header begins with #pragma once'
    for number, line in enumerate(lines, 1):
        if include := INCLUDE.match(line):
            for problem in check_include(name, *include.groups()):
                yield number, problem
    may_touch = name.startswith(MAY_TOUCH_THE_WORLD)
    for number, line in enumerate(without_comments(text).split('\n'), 1):
        found = WORLD_CALLS.search(line)
        if found and not may_touch and found.group(0) not in EXCEPTIONS.get(name, ()):
            yield number, f'{found.group(0).strip()} is for runtime/real/: use the seams Clock, Disk, Net, Random'
        if name.startswith('tests/') and (found := WAITING.search(line)):
            yield number, f'{found.group(0)}: a test waits for what it expects, not for time to pass'


def check_file(root, name):
    path = Path(name)
    for part in path.parts:
        if EMPTY_NAMES.search(part.lower()):
            yield 1, f'"{part}" says nothing: name what it is about'
    if path.suffix not in TEXTS or name.startswith('tools/lint/') or path.name == 'LICENSE':
        return
    try:
        text = (root / name).read_text(encoding='utf-8')
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.split('\n'), 1):
        for words, what in FOREIGN_WORDS:
            if found := words.search(line):
                yield number, f'"{found.group(0)}" is {what}'
    if path.suffix in SOURCES:
        yield from check_source(name, text)
    elif path.suffix in ('.py', '.sh') and text and not text.startswith(('#', '"""')):
        yield 1, 'the first line says what the file is, as a comment'


def check_tree(root):
    problems = []
    for name in files_of(root):
        for number, problem in check_file(root, name):
            problems.append(f'{name}:{number}: {problem}')
    return problems


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    problems = check_tree(root)
    for problem in problems:
        print(problem)
    print(f'lint: {len(files_of(root))} files, {len(problems)} violations')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
