#!/usr/bin/env python3
"""Tests of the build's own scripts: each rule must be able to fail, and does on bad text."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_tests  # noqa: E402
import tidy  # noqa: E402
from ninja_syntax import NinjaFile  # noqa: E402

GOOD_HEADER = '''// Counts pages, because nobody else does.
#ifndef TWINWALK_TRACES_X_H_
#define TWINWALK_TRACES_X_H_
#endif  // TWINWALK_TRACES_X_H_
'''


class TidyTest(unittest.TestCase):
    def assertSays(self, path, text, line, what):
        found = tidy.complaints_about(path, text)
        self.assertTrue(any(at == line and what in why for at, why in found), found)

    def assertSilent(self, path, text):
        self.assertEqual(tidy.complaints_about(path, text), [])

    def test_good_files_pass(self):
        self.assertSilent('traces/x.h', GOOD_HEADER)
        for text in ['// rand() and time(0) in a comment\nint a = f("rand()");\n',
                     'int operand(int x);\nint b = operand(1), c = a.time(2);\n']:
            self.assertSilent('traces/x.cc', text)

    def test_whitespace(self):
        self.assertSays('traces/x.cc', 'int a;\n\tint b;\n', 2, 'a tab')
        self.assertSays('traces/x.cc', 'int a; \n', 1, 'end of the line')
        self.assertSays('traces/x.cc', 'int a;', 1, 'no newline')
        self.assertSays('traces/x.cc', 'int a;\n\n', 3, 'empty line at the end')
        self.assertSays('traces/x.cc', '//' + 'x' * 99 + '\n', 1, '101 columns')

    def test_length(self):
        self.assertSays('traces/x.cc', 'int a;\n' * 501, 501, '501 lines')
        self.assertSilent('traces/x.cc', 'int a;\n' * 500)
        self.assertSilent('traces/trace.capnp', '# a\n' * 501)

    def test_purpose(self):
        self.assertSays('traces/x.h', GOOD_HEADER.split('\n', 1)[1], 1, 'purpose')
        self.assertSays('model/x.h', GOOD_HEADER, 1, 'TWINWALK_MODEL_X_H_')

    def test_banned(self):
        for line, what in [('std::regex r;', 'std::regex'), ('int a = rand();', 'rand()'),
                           ('int a = time(nullptr);', 'clock'),
                           ('using namespace std;', 'namespace'),
                           ('std::chrono::system_clock c;', 'clock'), ('// TODO: this', 'TODO'),
                           ('std::random_device d;', 'random_device'), ('#pragma once', 'guards'),
                           ('f("/home/x/y");', 'one machine')]:
            self.assertSays('traces/x.cc', f'int z;\n{line}\n', 2, what)

    def test_closed_switches(self):
        bad = 'switch (op.kind) {\n  case OpKind::kDma: { return 1; }\n  default: return 2;\n}\n'
        self.assertSays('model/x.cc', bad, 3, 'default')
        self.assertSilent('model/x.cc', bad.replace('  default: return 2;\n', ''))
        numbers = 'switch (word) {\n  case 1: return 1;\n  default: return 2;\n}\n'
        self.assertSilent('model/x.cc', numbers)

    def test_layers(self):
        self.assertSays('model/x.cc', '#include "reference/state.h"\n', 1, 'must not include')
        self.assertSays('reference/x.cc', '#include "model/iotlb.h"\n', 1, 'must not include')
        self.assertSays('traces/x.cc', '#include "model/model.h"\n', 1, 'must not include')
        self.assertSilent('reports/x.cc', '#include "model/model.h"\n#include "reports/page.h"\n')

    def test_golden(self):
        self.assertSays('traces/golden/good_x.txt', 'op\nop\n', 2, 'expect')
        self.assertSays('traces/golden/x.txt', 'op\nexpect agreed\n', 1, 'named')
        self.assertSays('traces/golden/bad_x.txt', '', 1, 'expect')
        self.assertSilent('traces/golden/bad_x.txt', 'op\nexpect violation no-stale\n')

    def test_listing(self):
        self.assertEqual(list(tidy.listing(['a/x.cc'], ['a/x.cc'])), [])
        self.assertIn('not in configure.py', list(tidy.listing(['a/x.cc'], []))[0][2])
        self.assertIn('does not exist', list(tidy.listing([], ['a/x.cc']))[0][2])
        seedless = list(tidy.listing(['fuzz/a_fuzzer.cc'], ['fuzz/a_fuzzer.cc']))
        self.assertIn('needs seeds in traces/seed/a_fuzzer/', seedless[0][2])
        self.assertEqual(list(tidy.listing(['fuzz/a_fuzzer.cc', 'traces/seed/a_fuzzer/1'],
                                           ['fuzz/a_fuzzer.cc'])), [])


class TallyTest(unittest.TestCase):
    def tally(self, lines, status=0):
        tally = run_tests.Tally()
        for line in lines:
            tally.line(line + '\n')
        sys.stdout = open(os.devnull, 'w')
        try:
            tally.ended('x', status, (0, 0, 0))
        finally:
            sys.stdout.close()
            sys.stdout = sys.__stdout__
        return tally.summary()

    def test_counts(self):
        self.assertEqual(self.tally(['[ RUN      ] A.b', '[       OK ] A.b (0 ms)']),
                         '1 passed, 0 failed')
        self.assertEqual(self.tally(['[ RUN      ] A.b', '[  FAILED  ] A.b (0 ms)',
                                     '[  FAILED  ] 1 test, listed below:', '[  FAILED  ] A.b'], 1),
                         '0 passed, 1 failed')
        self.assertEqual(self.tally(['[ RUN      ] A.b', '[  SKIPPED ] A.b (0 ms)']),
                         '0 passed, 0 failed, 1 skipped')
        self.assertEqual(self.tally(['test_a (x.Y.test_a) ... ok', 'test_b (x.Y) ... FAIL'], 1),
                         '1 passed, 1 failed')

    def test_silence_is_a_failure(self):
        self.assertEqual(self.tally([]), '0 passed, 1 failed')
        self.assertEqual(self.tally(['[ RUN      ] A.b'], -11), '0 passed, 1 failed')
        self.assertEqual(self.tally(['[ RUN      ] A.b', '[       OK ] A.b (0 ms)'], 1),
                         '1 passed, 1 failed')


class NinjaFileTest(unittest.TestCase):
    def test_lines(self):
        n = NinjaFile()
        n.let('cc', 'clang')
        n.rule('cp', 'cp $in $out')
        n.edge('a b:c', 'cp', ['d'], implicit=['e'], order_only=['f'], flags='-x')
        n.default('a b:c')
        self.assertEqual(n.text(), 'cc = clang\n\nrule cp\n  command = cp $in $out\n'
                         'build a$ b$:c: cp d | e || f\n  flags = -x\n\ndefault a$ b$:c\n')

    def test_wraps(self):
        n = NinjaFile()
        n.edge('all', 'phony', [f'some/path/{i}' for i in range(30)])
        self.assertTrue(all(len(line) <= 100 for line in n.text().split('\n')))
        joined = n.text().replace('$\n', '').split()
        self.assertEqual(joined[3:], [f'some/path/{i}' for i in range(30)])

    def test_refuses_doubles(self):
        n = NinjaFile()
        n.edge('a', 'phony')
        with self.assertRaises(AssertionError):
            n.edge('a', 'phony')
        with self.assertRaises(AssertionError):
            n.edge('b', 'no-such-rule')


if __name__ == '__main__':
    unittest.main()
