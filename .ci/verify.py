#!/usr/bin/env python3
"""What `ninja verify` runs: quick proofs, smoke fuzzing, then the replays and the report.

Every step leaves a file below build/ that the report reads; the report is written also, and above
all, when a step failed. Exit status: the worst of the steps.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

TWINWALK = 'build/opt/twinwalk'
FUZZ_RUN = 'build/opt/fuzz_run'
PROOFS = 'build/proofs.json'
FUZZ = 'build/fuzz.json'
MUTANTS = 'build/mutants.json'
# Planted faults of the model that fuzzing must find from the seeds within SECONDS_EACH; the other
# ones of model/faults.h are tried too, and counted.
REQUIRED = ['invalidateWrongVmid', 'unpinBeforeInvDone', 'configCacheSurvivesDetach',
            'vmidReleasedEarly']
SECONDS_EACH = 60
OUT = 'reports/out'


def run(command, **more):
    print('$ ' + ' '.join(command), flush=True)
    return subprocess.run(command, **more).returncode


def prove(args):
    """Proofs depend on the program alone, so a finished file that is newer than it stands."""
    stamp = PROOFS + '.status'  # the status of a run that came to its end
    if args.only != 'prove' and os.path.exists(stamp) and \
            os.path.getmtime(stamp) >= os.path.getmtime(TWINWALK):
        with open(stamp) as f:
            print(f'{PROOFS} is newer than {TWINWALK}: kept')
            return int(f.read())
    for path in (PROOFS, stamp):
        if os.path.exists(path):
            os.remove(path)
    quick = [] if args.only == 'prove' else ['--quick']  # `ninja prove` runs them all
    status = run([TWINWALK, 'prove', '--json', PROOFS] + quick)
    if status in (0, 1) and os.path.exists(PROOFS):
        with open(stamp, 'w') as f:
            f.write(str(status))
    return status


def told(said):
    """What a fuzz target said about its find: the finding and the trace as text."""
    begin = re.search(r'^(FOUND |[a-z][a-z ]* at Op \d+ \()', said, re.MULTILINE)
    if not begin:
        return said[-2000:]
    end = re.search(r'^(==\d+==|reproduce:)', said[begin.start():], re.MULTILINE)
    return said[begin.start():][:end.start() if end else 6000]


def fuzz_one(target, args):
    """Runs one fuzz target from its seeds, without keeping what it finds interesting."""
    name = os.path.basename(target)
    seeds = [s for s in [f'traces/seed/{name}'] if os.path.isdir(s)]
    artifacts = f'build/finds/{name}/'
    os.makedirs(artifacts, exist_ok=True)
    before = set(glob.glob(artifacts + '*'))
    limit = [f'-max_total_time={args.seconds}'] if args.seconds else [f'-runs={args.runs}']
    dictionary = [f'-dict=fuzz/{name}.dict'] if os.path.exists(f'fuzz/{name}.dict') else []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as corpus, \
            open(f'build/finds/{name}.log', 'w+', errors='replace') as log:
        status = run([target, corpus, *seeds, f'-seed={args.seed}', f'-artifact_prefix={artifacts}',
                      '-print_final_stats=1', '-timeout=60', '-max_len=65536', '-len_control=0',
                      '-entropic=0',  # scheduling by entropy takes three quarters of the time
                      '-rss_limit_mb=4096'] + limit +
                     dictionary, stdout=log, stderr=subprocess.STDOUT)
        log.seek(0)
        said = log.read()
    seconds = time.monotonic() - begun
    runs = re.search(r'stat::number_of_executed_units:\s*(\d+)', said)
    counts = {key: int(value) for key, value in
              re.findall(r'^count::(\w+):\s*(\d+)', said, re.MULTILINE)}
    finds = sorted(set(glob.glob(artifacts + '*')) - before)
    result = {'target': name, 'runs': int(runs.group(1)) if runs else 0, 'seed': args.seed,
              'seeds': sum(len(os.listdir(s)) for s in seeds), 'seconds': round(seconds, 1),
              'status': status, 'finds': finds, 'counts': counts}
    if status != 0:
        result['told'] = told(said)
        result['replay'] = target + ' ' + (finds[-1] if finds else '')
        print(said[-4000:])
        print(f'{name}: ended with status {status}; to replay: {target} '
              f'{finds[-1] if finds else ""}')
    print(f'{name}: {result["runs"]} runs in {seconds:.0f} s, {len(finds)} finds', flush=True)
    return result


def trace_seeds():
    return sorted(glob.glob('traces/seed/trace_fuzzer/*.trace'))


def engineless(args):
    """Generated and mutated traces without a fuzz engine: many more Ops a second."""
    limit = ['--seconds-cpu', str(args.seconds)] if args.seconds else ['--ops', str(args.ops)]
    command = [FUZZ_RUN, '--seed', str(args.seed)] + limit + trace_seeds()
    print('$ ' + ' '.join(command[:5]) + f' {len(trace_seeds())} seeds', flush=True)
    done = subprocess.run(command, capture_output=True, text=True, errors='replace')
    counts = {name.split(' (')[0].strip(): int(value) for name, value in
              re.findall(r'^(\S[^:\n]*?)\s+(\d+)$', done.stdout, re.MULTILINE)}
    if done.returncode:
        print(done.stdout[-4000:] + done.stderr[-4000:])
    print(f'fuzz_run: {counts.get("ops", 0)} Ops, status {done.returncode}', flush=True)
    result = {'target': 'fuzz_run', 'runs': counts.pop('traces', 0), 'seed': args.seed,
              'seeds': len(trace_seeds()), 'status': done.returncode, 'finds': [],
              'counts': counts}
    if done.returncode:
        find = re.search(r'^reproduce: .* (\S+)$', done.stdout, re.MULTILINE)
        result['finds'] = [find.group(1)] if find else []
        result['told'] = told(done.stdout + done.stderr)
        result['replay'] = f'{TWINWALK} replay {find.group(1)}' if find else ' '.join(command)
    return result


def fuzz(args):
    """Smoke fuzzing: a fixed number of runs from a fixed seed."""
    targets = sorted(t for t in glob.glob('build/fuzz/*_fuzzer') if os.access(t, os.X_OK))
    results = [fuzz_one(target, args) for target in targets] + [engineless(args)]
    with open(FUZZ, 'w') as f:
        json.dump({'targets': results}, f, indent=1)
    if not targets:
        print('no fuzz target was built')
    return 1 if not targets or any(r['status'] for r in results) else 0


def mutants(args):
    """Planted faults of the model, each to be found by fuzzing from the seeds."""
    with open('model/faults.h') as f:
        names = re.findall(r'^\s*\{"(\w+)", &ModelFaults::', f.read(), re.MULTILINE)
    results = []
    for name in names:
        done = subprocess.run([FUZZ_RUN, '--canary', '--fault', name, '--seed', str(args.seed),
                               '--seconds-cpu', str(SECONDS_EACH), '--out', f'build/finds/{name}'] +
                              trace_seeds(), capture_output=True, text=True, errors='replace')
        found = re.search(r'^FOUND (.*)\nafter (\d+) Ops; shrunk from \d+ to (\d+)', done.stdout,
                          re.MULTILINE)
        results.append({'fault': name, 'required': name in REQUIRED,
                        'found': done.returncode == 0 and found is not None,
                        'finding': found.group(1) if found else '',
                        'ops': int(found.group(2)) if found else 0,
                        'shrunk': int(found.group(3)) if found else 0})
        print(f'{name}: ' + (f'found after {found.group(2)} Ops: {found.group(1)}' if found else
                             f'NOT FOUND (status {done.returncode})'), flush=True)
    with open(MUTANTS, 'w') as f:
        json.dump({'mutants': results}, f, indent=1)
    print(f'{sum(r["found"] for r in results)} of {len(results)} planted faults found')
    return 0 if results and all(r['found'] for r in results if r['required']) else 1


def report(args):
    command = [TWINWALK, 'report', '-o', OUT]
    for option, path in (('--proofs', PROOFS), ('--fuzz', FUZZ), ('--mutants', MUTANTS)):
        if os.path.exists(path):
            command += [option, path]
    return run(command)


STEPS = {'prove': prove, 'fuzz': fuzz, 'mutants': mutants, 'report': report}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', choices=STEPS, help='one step instead of prove, fuzz, report')
    parser.add_argument('--runs', type=int, default=10000, help='of each fuzz target')
    parser.add_argument('--ops', type=int, default=1000000, help='of fuzz_run')
    parser.add_argument('--seconds', type=int, help='of each fuzz target, instead of --runs')
    parser.add_argument('--seed', type=int, default=1, help='of the fuzz engine')
    args = parser.parse_args()
    os.makedirs('build/finds', exist_ok=True)
    statuses = {}
    for name in [args.only] if args.only else ['prove', 'fuzz', 'report']:
        begun = time.monotonic()
        statuses[name] = STEPS[name](args)
        print(f'== {name}: status {statuses[name]}, {time.monotonic() - begun:.0f} s', flush=True)
    if 'report' in statuses:
        print(f'report: {OUT}/index.html')
    return max(abs(status) for status in statuses.values())


if __name__ == '__main__':
    sys.exit(main())
