#!/usr/bin/env python3
"""Style as a test: the habits that a machine judges well. Prints `file:line: what`; exit 1 if any.

Each rule is a function from a file's text to complaints, so that ci_test.py can feed it bad text.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
sys.dont_write_bytecode = True
import configure  # noqa: E402

MAX_LINES = 500
MAX_COLUMNS = 100
# Tables of typed-in expectations read better on long lines and in one piece.
MAX_TEST_LINES = 700
MAX_TEST_COLUMNS = 120
CODE = ('.h', '.cc')
TEXT = CODE + ('.py', '.capnp', '.yml', '.yaml', '.sh')
SKIPPED_FOLDERS = {'.git', 'build', 'out', '__pycache__', '.cache'}

# What must not stand in C++ code, and why.
BANNED = [
    (r'\bstd::regex\b', 'std::regex is slow and recursive: write the few lines that parse'),
    (r'(?<![\w.>])s?rand\s*\(', 'rand() is hidden state: pass a seeded generator'),
    (r'\brandom_device\b', 'random_device is not repeatable: pass a seed'),
    (r'(?<![\w.>])time\s*\(|\bsystem_clock\b|\bgettimeofday\b', 'no clock in any output'),
    (r'\busing\s+namespace\s+std\b', 'using namespace std'),
    (r'^\s*#\s*pragma\s+once\b', 'headers have #ifndef guards'),
    (r'\bTODO\b', 'a TODO is an issue, not a comment'),
]
# Folder -> folders that it may include from.
LAYERS = {name: {name} | set(uses) for name, (_, uses, _) in configure.FOLDERS.items()}


def without_comments_and_strings(text):
    """The same text, same lines and columns, comments and literals blanked."""
    blank = lambda m: re.sub(r'[^\n]', ' ', m.group(0))  # noqa: E731
    return re.sub(r'R"\((?:.|\n)*?\)"|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|'
                  r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", blank, text)


def is_test(path):
    return path.endswith(('_test.cc', '_perf.cc'))


def whitespace(path, text):
    limit = MAX_TEST_COLUMNS if is_test(path) else MAX_COLUMNS
    lines = text.split('\n')
    for number, line in enumerate(lines, 1):
        if '\t' in line:
            yield number, 'a tab'
        if line != line.rstrip():
            yield number, 'white space at the end of the line'
        if len(line) > limit:
            yield number, f'{len(line)} columns, at most {limit}'
    if text and not text.endswith('\n'):
        yield len(lines), 'no newline at the end of the file'
    if text.endswith('\n\n'):
        yield len(lines), 'an empty line at the end of the file'


def length(path, text):
    count = text.count('\n')
    limit = MAX_TEST_LINES if is_test(path) else MAX_LINES
    if count > limit and os.path.basename(path) != 'trace.capnp':
        yield count, f'{count} lines, at most {limit}: split it by idea'


def purpose(path, text):
    """A header opens with a sentence of purpose, then its guard."""
    if not path.endswith('.h'):
        return
    first = text.split('\n', 1)[0]
    if not re.match(r'// \S.{10,}', first):
        yield 1, 'a header opens with a comment that says its purpose'
    guard = 'TWINWALK_' + re.sub(r'[/.]', '_', path).upper() + '_'
    if f'#ifndef {guard}\n#define {guard}\n' not in text:
        yield 1, f'no include guard {guard}'


def banned(path, text):
    if path.endswith(CODE):
        code = without_comments_and_strings(text)
        for number, (line, full) in enumerate(zip(code.split('\n'), text.split('\n')), 1):
            for pattern, why in BANNED:
                where = full if 'TODO' in pattern else line
                if re.search(pattern, where):
                    yield number, why
    for number, line in enumerate(text.split('\n'), 1):
        if re.search(r'(?<![\w.])/(?:work|root|home)/', line) and not path.startswith('.'):
            yield number, 'a path of one machine'


def closed_switches(path, text):
    """A switch over an enum has no default: the compiler lists what a new member still needs."""
    if not path.endswith(CODE):
        return
    code = without_comments_and_strings(text)
    for match in re.finditer(r'\bswitch\s*\(', code):
        start = code.find('{', match.end())
        if start < 0:
            continue
        depth, end, own = 0, start, []
        for end in range(start, len(code)):
            depth += {'{': 1, '}': -1}.get(code[end], 0)
            if depth == 0:
                break
            own.append(code[end])
        body = ''.join(own)
        inner = re.search(r'\bswitch\s*\(', body)
        body = body[:inner.start()] if inner else body
        default = re.search(r'\bdefault\s*:', body)
        if default and re.search(r'\bcase\s+(?:\w+::)*(?:OpKind|\w+Kind|Preset|Node)::k', body):
            yield code.count('\n', 0, start + default.start()) + 1, 'a default over an enum'


def layers(path, text):
    folder = path.split('/')[0]
    for number, line in enumerate(text.split('\n'), 1):
        match = re.match(r'#include "([a-z]+)/', line)
        to = match and match.group(1)
        if to in LAYERS and folder in LAYERS and to not in LAYERS[folder]:
            yield number, f'{folder}/ must not include from {to}/'


def golden(path, text):
    """A golden says in its last line what must come out."""
    if not re.match(r'(good|bad)_', os.path.basename(path)):
        yield 1, 'a golden trace is named good_*.txt or bad_*.txt'
    last = text.rstrip().split('\n')[-1] if text.strip() else ''
    if not last.startswith('expect '):
        yield text.count('\n') or 1, 'the last line of a golden starts with "expect "'


RULES = [whitespace, length, purpose, banned, closed_switches, layers]


def complaints_about(path, text):
    """All complaints about one file, sorted by line."""
    rules = RULES if path.endswith(TEXT) or path == '.ci/run' else []
    if path.startswith('traces/golden/'):
        rules = [golden]
    return sorted((line, what) for rule in rules for line, what in rule(path, text))


def files():
    """Every file of the project, root-relative, sorted."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def listing(paths, listed):
    """Complaints about what configure.py lists and what exists."""
    for path in paths:
        if path.endswith(CODE) and path not in listed:
            yield path, 1, 'not in configure.py (./configure.py --adopt lists it)'
    for path in listed:
        if path not in paths:
            yield 'configure.py', 1, f'lists {path}, which does not exist'
    for path in listed:
        if configure.role(path) == 'fuzzer':
            seeds = f'traces/seed/{os.path.basename(path)[:-3]}/'
            if not any(other.startswith(seeds) for other in paths):
                yield path, 1, f'a fuzz target needs seeds in {seeds}'


def main():
    paths = list(files())
    found = list(listing(paths, configure.listed()))
    for path in paths:
        if path.endswith(TEXT) or path.startswith('traces/golden/') or path == '.ci/run':
            with open(os.path.join(ROOT, path), encoding='utf-8', errors='replace') as f:
                found += [(path, line, what) for line, what in complaints_about(path, f.read())]
    for path, line, what in found:
        print(f'{path}:{line}: {what}')
    print(f'tidy: {len(paths)} files, {len(found)} complaints')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
