#!/usr/bin/env python3
"""Runs test programs one after the other; ends in one line, `N passed, M failed`.

Programs are GoogleTest binaries or Python unittest files. A program that dies, or that runs no test
at all, counts as a failure of its own, so silence never passes.
"""
import os
import re
import subprocess
import sys


class Tally:
    """Counts results by reading what the programs print."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.running = None

    def line(self, text):
        if match := re.match(r'\[ RUN +\] (\S+)', text):
            self.running = match.group(1)
        elif re.match(r'\[ +OK \] ', text):
            self.passed, self.running = self.passed + 1, None
        elif re.match(r'\[  SKIPPED \] .*\(\d+ ms\)', text):
            self.skipped, self.running = self.skipped + 1, None
        elif re.match(r'\[  FAILED  \] .*\(\d+ ms\)', text):
            self.failed, self.running = self.failed + 1, None
        elif match := re.match(r'test\w* \(.*\.\.\. (ok|FAIL|ERROR|skipped)', text):
            self.passed += match.group(1) == 'ok'
            self.skipped += match.group(1) == 'skipped'
            self.failed += match.group(1) in ('FAIL', 'ERROR')

    def ended(self, program, status, before):
        """A program ended; `before` is what `seen()` was when it began."""
        if self.running:
            print(f'{program}: died in {self.running} (status {status})')
            self.failed, self.running = self.failed + 1, None
        elif self.seen() == before:
            print(f'{program}: ran no test (status {status})')
            self.failed += 1
        elif status != 0 and self.failed == before[1]:
            print(f'{program}: ended with status {status} though no test failed')
            self.failed += 1

    def seen(self):
        return (self.passed, self.failed, self.skipped)

    def summary(self):
        skipped = f', {self.skipped} skipped' if self.skipped else ''
        return f'{self.passed} passed, {self.failed} failed{skipped}'


def run(program, tally):
    before = tally.seen()
    if program.endswith('.py'):
        command = [sys.executable, program, '-v']
    else:
        command = [os.path.join('.', program)]
    print(f'== {program}', flush=True)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors='replace')
    except OSError as error:
        print(f'{program}: {error.strerror}')
        tally.failed += 1
        return
    for text in process.stdout:
        print(text, end='', flush=True)
        tally.line(text)
    tally.ended(program, process.wait(), before)


def main(arguments):
    tally = Tally()
    for program in arguments:
        run(program, tally)
    if not arguments:
        print('no test program was given')
        tally.failed += 1
    print(tally.summary())
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
