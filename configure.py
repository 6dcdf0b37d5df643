#!/usr/bin/env python3
"""Writes build.ninja, which is committed and the same on every machine.

The one place that lists source files and knows compiler flags. A file's name says what it becomes:
  x.h  listed only     x_test.cc    part of build/V/FOLDER_test    x_perf.cc    part of FOLDER_perf
  x.cc part of libFOLDER.a    x_fuzzer.cc  build/fuzz/x_fuzzer    a file in MAINS: a program
  ./configure.py              writes build.ninja (Ninja does it itself when this file changes)
  ./configure.py --check      says whether build.ninja is stale (exit 1)
  ./configure.py --install    installs the Debian packages of .ci/deps.txt, then writes
  ./configure.py --adopt      rewrites the lists below from the files that exist, then writes
  ./configure.py --engine F   writes F instead: the fuzz targets with $CXX, $CXXFLAGS and
                              $LIB_FUZZING_ENGINE of a fuzzing service
"""
import argparse
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, '.ci'))
from ninja_syntax import NinjaFile  # noqa: E402
import packages  # noqa: E402
import source_lists  # noqa: E402

# ---- What exists: one list a folder, one line an idea ------------------------------------------

TRACES = """
capture_lines.cc capture_lines.h capture_lines_test.cc
check.h
codec.cc codec.h codec_test.cc
codec_layouts.cc codec_layouts.h
compare.cc compare.h compare_test.cc
frame.h
frame_reader.cc frame_reader.h
freedoms.h
import.cc import.h import_test.cc
import_builder.cc import_builder.h
import_bytes_test.cc
import_captures_test.cc
import_damage_test.cc
import_educli.cc import_educli.h import_educli_test.cc
import_facts.cc import_facts.h import_facts_test.cc
import_handles.cc import_handles.h import_handles_test.cc
import_recorded.cc import_recorded.h
import_vrec.cc import_vrec.h import_vrec_test.cc
import_vrec_data.cc
import_vrec_ioctl.cc
import_vrec_memory.cc
import_vsmmucli.cc import_vsmmucli.h import_vsmmucli_test.cc
invariants.h invariants_test.cc
known_defects.h
known_differences.cc known_differences.h known_differences_test.cc
lockstep.cc lockstep.h lockstep_test.cc
machine.h
memory.h
message.cc message.h
message_world.cc
micro_step.h
monitor.h monitor_test.cc
op.cc op.h
op_args.h
op_visit.h
outcome.h
read_trace.cc
reader.cc reader.h reader_test.cc
reader_hostile_test.cc
replay.cc replay.h
resolve.cc resolve.h resolve_test.cc
rules.cc rules.h
source.cc source.h
status.h
test_file.h
test_trace.h
text.cc text.h text_test.cc
text_outcome.cc
text_parse.cc
text_scan.cc text_scan.h
text_world.cc
trace.h
trace_layout_test.cc
view.h
walk.h
walk_vtd.h
word.cc word.h
world.cc world.h world_test.cc
world_visit.h
writer.cc writer.h
""".split()

MODEL = """
areas.cc
attachments.cc
bits.h
commands_smmuv3.h commands_smmuv3_test.cc
commands_vtd.h commands_vtd_test.cc
compat.cc compat.h compat_test.cc
container.cc container.h container_test.cc
context_cache.h
decode_smmuv3.h
decode_vtd.h
device_test.cc
device_file.h
dma.cc
faults.h faults_test.cc
faults_spaces_test.cc
files.cc files.h files_test.cc
frame_batch.h frame_batch_test.cc
front.h front_test.cc
front_container.cc
front_device.cc
front_files.cc
front_group.cc
front_iommufd.cc
front_irqs.cc
front_nesting.cc
front_reset.cc
front_spaces.cc front_spaces_test.cc
front_type1.cc
front_vfio.cc
group.cc group.h group_test.cc
guest_commands.cc
host_memory.cc host_memory.h
hwpts.cc
iotlb.cc iotlb.h iotlb_test.cc
maps.cc maps.h
model.cc model.h model_test.cc
objects.cc objects.h
page_table.cc page_table.h page_table_test.cc
pins.cc
process_test.cc
process_ops.cc
random_test.cc
rows.cc rows.h
sharing.cc sharing.h
smmu.cc smmu.h
spaces.cc spaces.h spaces_test.cc
spaces_random_test.cc
stack.cc stack.h
stages_smmuv3.h
struct_sizes.cc struct_sizes.h
tables_smmuv3.h
tables_vtd.h
test_calls.h
test_driver.h
translation.h
type1_test.cc
type1_random_test.cc
user_struct.h
vfio_driver.h
vtd.cc vtd.h vtd_test.cc
vtd_driver.h
vtd_faults_test.cc
walk_smmuv3.h walk_smmuv3_test.cc
walk_smmuv3_vectors.h
walk_vtd.h walk_vtd_test.cc
walk_vtd_vectors.h
""".split()

REFERENCE = """
access.h
access_vtd.h access_vtd_test.cc
args.h
bits.h
cache_smmuv3.h cache_smmuv3_test.cc
cache_vtd.h cache_vtd_test.cc
compat.cc compat.h compat_test.cc
container.h
container_ioctls.cc
containers_test.cc
copy_random_test.cc
decode_smmuv3.h
decode_vtd.h
destroy.h
device_ioctls.cc
dirty.h
dma.cc
env.h
fault_queue.h
faults.h
files.cc
group_ioctls.cc
groups.cc groups.h groups_test.cc
holes.cc holes.h
hwpt.h
invalidate.h
ioas.h
ioas_copy.h
ioas_file.h
ioctls.cc ioctls_test.cc
ioctls_more.cc
iommufd.h
iommufd_more_test.cc
life.cc life_test.cc
lookup.h
options.h
ownership.h
pins.h
placement.h
processes.cc processes.h
reference.cc reference.h reference_test.cc
shell.h
stack.h
state.h
structs.cc structs.h
test_driver.h
test_vfio.h
type1.h type1_test.cc
vfio.h
vfio_device.cc vfio_device.h vfio_device_test.cc
vfio_ioctls.cc
viommu.h
walk_smmuv3.cc walk_smmuv3.h walk_smmuv3_test.cc
walk_vtd.cc walk_vtd.h walk_vtd_test.cc
""".split()

PROOFS = """
areas_perf.cc
both_domains_test.cc
explorer.cc explorer.h explorer_test.cc
host.cc host.h
invariants.cc invariants.h
keeps.cc keeps.h
ops.cc ops.h
ops_dma.cc
ops_ioas.cc
ops_objects.cc
ops_vfio.cc
prove.cc prove.h prove_test.cc
realise.cc realise.h
recipe.cc recipe.h
recipe_retained.cc
shape.h
solver.cc solver.h
state.cc state.h
sym.cc sym.h sym_test.cc
term.cc term.h
theorem.cc theorem.h
walk_rows.h
walks.cc walks.h
walks_vtd.cc walks_vtd.h walks_vtd_test.cc
""".split()

FUZZ = """
bytes.cc bytes.h bytes_test.cc
edit.cc edit.h edit_test.cc
fault_names.cc fault_names.h
generate.cc generate.h generate_test.cc
grow.cc grow.h grow_test.cc
grow_core.cc
grow_guest.cc
grow_ioctls.cc
grow_vfio.cc
guest.cc guest.h
harness.cc harness.h
input.cc input.h
mutate.cc mutate.h mutate_test.cc
random.h
reader_fuzzer.cc
run.cc
scene.cc scene.h
shrink.cc shrink.h shrink_test.cc
trace_fuzzer.cc
walk_fuzzer.cc
walk_image.cc walk_image.h walk_image_test.cc
walk_image_vtd.cc walk_image_vtd.h walk_image_vtd_test.cc
""".split()

REPORTS = """
commands.cc commands.h commands_test.cc
escape.h
golden.cc golden.h golden_test.cc
html.cc html.h
json.cc json.h json_test.cc
lockstep_perf.cc
page.cc page.h page_test.cc
page_proofs.cc
page_replays.cc
page_style.h
page_words.cc
prove_command.cc
replay_file.cc replay_file.h
replay_report.cc replay_report.h
report.cc report.h report_test.cc
test_sample.h
twinwalk.cc
""".split()

# Folder -> (files, folders whose libraries it uses, further libraries). Arrows point down only.
FOLDERS = {
    'traces': (TRACES, [], '-lcapnp -lkj -lz -llz4 -lzstd -lxxhash $absl'),
    'model': (MODEL, ['traces'], ''),
    'reference': (REFERENCE, ['traces'], ''),
    'proofs': (PROOFS, ['reference', 'model', 'traces'], '-lz3'),
    'fuzz': (FUZZ, ['model', 'reference', 'traces'], ''),
    'reports': (REPORTS, ['proofs', 'fuzz', 'model', 'reference', 'traces'], '-lfmt'),
}
PARTS = ['ninja_syntax.py', 'packages.py', 'source_lists.py']  # of this program
SCHEMAS = ['trace', 'rules']
MAINS = {'reports/twinwalk.cc': 'twinwalk', 'fuzz/run.cc': 'fuzz_run'}

# ---- How it is built ---------------------------------------------------------------------------

SANITIZE = '-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
# Variant -> (compile flags, link flags, folders). proofs/ is optimised everywhere: Z3 waits for it.
VARIANTS = {
    'dbg': ('-O0 -g', '', list(FOLDERS)),
    'opt': ('-O2 -gline-tables-only', '', list(FOLDERS)),
    'asan': (f'-O1 -gline-tables-only {SANITIZE}', SANITIZE, list(FOLDERS)),
    'fuzz': (f'-O1 -gline-tables-only {SANITIZE} -fsanitize=fuzzer-no-link',
             f'{SANITIZE} -fsanitize=fuzzer', ['traces', 'model', 'reference', 'fuzz']),
    'cov': ('-O1 -gline-tables-only -fprofile-instr-generate -fcoverage-mapping',
            '-fprofile-instr-generate', list(FOLDERS)),
}
FOLDER_FLAGS = {'proofs': '-O1'}


def role(path):
    """What a listed file becomes: 'header', 'test', 'perf', 'fuzzer', 'main' or 'lib'."""
    if path.endswith('.h'):
        return 'header'
    if path in MAINS:
        return 'main'
    for suffix in ('test', 'perf', 'fuzzer'):
        if path.endswith(f'_{suffix}.cc'):
            return suffix
    return 'lib'


def listed():
    """Every listed source file, root-relative."""
    return [f'{folder}/{name}' for folder, (names, _, _) in FOLDERS.items() for name in names]


def of(folder, kind):
    return [f'{folder}/{n}' for n in FOLDERS[folder][0] if role(f'{folder}/{n}') == kind]


def write_rules(n, cxx):
    n.note('Generated by configure.py: do not edit.')
    n.let('ninja_required_version', '1.5')
    n.let('builddir', 'build')
    n.let('cxx', cxx)
    # offsetof of OpData, whose head is a base class: trace_layout_test holds the places.
    n.let('cxxflags', '-std=c++20 -Wall -Wextra -Werror -Wno-invalid-offsetof -I. -Ibuild/gen '
          '-pthread')
    n.let('absl', '$$(pkg-config --libs absl_flat_hash_map absl_btree)')
    n.rule('capnp', 'capnp compile --no-standard-import -I/usr/include -oc++:build/gen $in',
           description='SCHEMA $in')
    n.rule('cxx', '$cxx $cxxflags $flags -MMD -MF $out.d -c $in -o $out',
           deps='gcc', depfile='$out.d', description='CXX $out')
    n.rule('ar', 'rm -f $out && ar crs $out $in', description='AR $out')
    n.rule('link', '$cxx $flags -pthread $in -o $out $libs', description='LINK $out')
    n.rule('tests', 'python3 .ci/run_tests.py $in', pool='console', description='TEST')
    n.rule('script', 'python3 $script', pool='console', description='$what')

def write_schemas(n):
    """Returns the generated headers, which every compilation waits for."""
    n.note('Schemas')
    made = []
    for name in SCHEMAS:
        outs = [f'build/gen/traces/{name}.capnp.{end}' for end in ('h', 'c++')]
        others = [f'traces/{s}.capnp' for s in SCHEMAS if s != name]
        n.edge(outs, 'capnp', [f'traces/{name}.capnp'], implicit=others)
        made.append(outs[0])
    return made


def write_variant(n, variant, headers):
    """Objects, libraries and programs below build/VARIANT."""
    flags, link, folders = VARIANTS[variant]
    n.note(f'Variant {variant}')
    n.let(f'flags_{variant}', flags)

    def compiled(source, more=''):
        out = f'build/{variant}/{os.path.splitext(source)[0]}.o'.replace('/build/gen/', '/gen/')
        n.edge(out, 'cxx', [source], order_only=headers, flags=f'$flags_{variant} {more}'.strip())
        return out

    def linked(program, folder, sources, libs=''):
        objects = [compiled(s, FOLDER_FLAGS.get(folder, '')) for s in sources]
        uses = [folder] + FOLDERS[folder][1]
        archives = [f'build/{variant}/lib{f}.a' for f in uses]
        needed = [FOLDERS[f][2] for f in uses if FOLDERS[f][2]]
        n.edge(f'build/{variant}/{program}', 'link', objects + archives,
               flags=f'$flags_{variant} {link}'.strip(), libs=' '.join([libs] + needed).strip())

    for folder in folders:
        sources = of(folder, 'lib')
        if folder == 'traces':
            sources = sources + [f'build/gen/traces/{s}.capnp.c++' for s in SCHEMAS]
        n.edge(f'build/{variant}/lib{folder}.a', 'ar',
               [compiled(s, FOLDER_FLAGS.get(folder, '')) for s in sources])
        if variant == 'fuzz':
            for source in of(folder, 'fuzzer'):
                linked(os.path.basename(source)[:-3], folder, [source])
            continue
        if of(folder, 'test'):
            linked(f'{folder}_test', folder, of(folder, 'test'), '-lgmock -lgtest -lgtest_main')
        if of(folder, 'perf'):
            linked(f'{folder}_perf', folder, of(folder, 'perf'), '-lbenchmark -lbenchmark_main')
        for source in of(folder, 'main'):
            linked(MAINS[source], folder, [source])


def programs(variant, kind):
    """The programs of one kind in a variant: 'test', 'perf' or 'fuzzer'."""
    if kind == 'fuzzer':
        return [f'build/{variant}/{os.path.basename(s)[:-3]}' for s in of('fuzz', 'fuzzer')]
    return [f'build/{variant}/{f}_{kind}' for f in VARIANTS[variant][2] if of(f, kind)]


def write_verbs(n):
    """What a person types after `ninja`."""
    n.note('Verbs')
    twinwalk = [f'build/opt/{MAINS[s]}' for s in listed() if role(s) == 'main']
    fuzzers = programs('fuzz', 'fuzzer')

    def verb(name, script, needs, what):
        n.edge(name, 'script', implicit=needs + ['always'], script=script, what=what)

    n.edge('all', 'phony', twinwalk + programs('opt', 'test'))
    n.edge('fuzzers', 'phony', fuzzers)
    python_tests = ['.ci/ci_test.py']
    n.edge('test', 'tests', python_tests + programs('opt', 'test'), implicit=['always'] + twinwalk)
    for variant in ('dbg', 'asan', 'cov'):
        n.edge(f'test-{variant}', 'tests', programs(variant, 'test'), implicit=['always'])
    verb('verify', '.ci/verify.py', twinwalk + fuzzers, 'VERIFY')
    verb('report', '.ci/verify.py --only report', twinwalk, 'REPORT')
    verb('prove', '.ci/verify.py --only prove', twinwalk, 'PROVE')
    verb('fuzz', '.ci/verify.py --only fuzz --seconds 600', twinwalk + fuzzers, 'FUZZ')
    verb('mutants', '.ci/verify.py --only mutants', twinwalk, 'MUTANTS')
    verb('bench', '.ci/bench.py ' + ' '.join(programs('opt', 'perf')), programs('opt', 'perf'),
         'BENCH')
    verb('tidy', '.ci/tidy.py', [], 'TIDY')
    n.default('all')


def build_ninja():
    n = NinjaFile()
    write_rules(n, 'clang++')
    n.note('This file')
    n.rule('configure', 'python3 configure.py', generator=1, description='CONFIGURE')
    n.edge('build.ninja', 'configure',
           implicit=['configure.py'] + ['.ci/' + part for part in PARTS])
    n.edge('always', 'phony')
    headers = write_schemas(n)
    for variant in VARIANTS:
        write_variant(n, variant, headers)
    write_verbs(n)
    return n.text()


def engine_ninja():
    """The fuzz targets alone, for a fuzzing service that sets compiler, flags and engine."""
    VARIANTS['fuzz'] = (os.environ.get('CXXFLAGS', ''), os.environ['LIB_FUZZING_ENGINE'],
                        VARIANTS['fuzz'][2])
    n = NinjaFile()
    write_rules(n, os.environ.get('CXX', 'clang++'))
    write_variant(n, 'fuzz', write_schemas(n))
    n.edge('fuzzers', 'phony', programs('fuzz', 'fuzzer'))
    return n.text()


# ---- The commands ------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--install', action='store_true', help='install the needed packages first')
    parser.add_argument('--check', action='store_true', help='only say if build.ninja is stale')
    parser.add_argument('--adopt', action='store_true', help='list every source file that exists')
    parser.add_argument('--engine', metavar='F', help='write F for a fuzzing service instead')
    args = parser.parse_args()
    path = os.path.join(ROOT, 'build.ninja')
    if args.engine:
        os.makedirs(os.path.dirname(args.engine) or '.', exist_ok=True)
        with open(args.engine, 'w') as f:
            f.write(engine_ninja())
        return 0
    if args.check:
        with open(path) as f:
            if f.read() == build_ninja():
                return 0
        print('build.ninja is stale: run ./configure.py', file=sys.stderr)
        return 1
    if args.adopt:
        source_lists.adopt(ROOT, FOLDERS)
        return subprocess.run([sys.executable, os.path.join(ROOT, 'configure.py')]).returncode
    if args.install and packages.install() != 0:
        return 1
    with open(path, 'w') as f:
        f.write(build_ninja())
    return 0


if __name__ == '__main__':
    sys.exit(main())
