#!/usr/bin/env python3
"""Runs the benchmark programs and joins their results in build/bench.json (thread CPU time)."""
import json
import os
import subprocess
import sys


def main(programs):
    joined = {'context': None, 'benchmarks': []}
    for program in programs:
        out = program + '.json'
        print(f'== {program}', flush=True)
        status = subprocess.run([os.path.join('.', program), f'--benchmark_out={out}',
                                 '--benchmark_out_format=json']).returncode
        if status:
            return status
        with open(out) as f:
            one = json.load(f)
        joined['context'] = joined['context'] or {
            key: one['context'].get(key) for key in ('num_cpus', 'mhz_per_cpu', 'caches')}
        joined['benchmarks'] += one['benchmarks']
    with open('build/bench.json', 'w') as f:
        json.dump(joined, f, indent=1)
    print(f'build/bench.json: {len(joined["benchmarks"])} benchmarks')
    return 0 if joined['benchmarks'] else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
