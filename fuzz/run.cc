// fuzz_run: generated and mutated traces against the lockstep, without a fuzz engine. The same seed
// and --ops give the same output. A find is shrunk, told, and written as a trace file.
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "fuzz/fault_names.h"
#include "fuzz/generate.h"
#include "fuzz/harness.h"
#include "fuzz/input.h"
#include "fuzz/mutate.h"
#include "model/model.h"
#include "reference/reference.h"
#include "traces/reader.h"
#include "traces/writer.h"

namespace twinwalk::fuzz {
namespace {

struct Options {
  double seconds = 0;
  uint64_t ops = 0;
  uint64_t seed = 1;
  size_t max_ops = 64;
  size_t exhaustive = 0;
  std::string fault, level = "touched", out = "build/finds", write_seeds, crash_file;
  bool canary = false, all = false, rules = false, no_generate = false, quiet = false;
  std::vector<std::string> seeds;
};

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Run {
 public:
  Run(const Options& options, const ModelFaults& faults, CheckLevel level)
      : options_(options),
        random_(options.seed),
        model_(MakeModel(faults)),
        reference_(MakeReference(ReferenceFaults{})),
        harness_(model_.get(), reference_.get(), level),
        judge_(model_.get(), reference_.get(), level),
        tasted_(MakeModel(ModelFaults{})),
        oracle_(tasted_.get()) {}

  void AddSeed(Trace trace) { corpus_.push_back(std::move(trace)); }
  // Whether nothing was found.
  bool Go();
  std::string Totals() const { return harness_.coverage().Text(); }

 private:
  static constexpr size_t kCorpus = 4096;

  bool Done() const {
    return (options_.ops != 0 && harness_.coverage().counts.ops >= options_.ops) ||
           (options_.seconds != 0 && ThreadSeconds() >= options_.seconds);
  }
  Trace Next();
  // Whether to go on.
  bool Take(const Trace& trace);
  void Tell(const Trace& trace, const Finding& finding);

  const Options& options_;
  Random random_;
  std::unique_ptr<Machine> model_;
  std::unique_ptr<PermittingMachine> reference_;
  Harness harness_, judge_;  // the second one for shrinking, so that totals stay those of the run
  std::unique_ptr<Machine> tasted_;  // without faults: what growth builds on
  MachineOracle oracle_;
  std::vector<Trace> corpus_;
  std::set<std::string> told_;
  bool found_ = false;
};

Trace Run::Next() {
  MutateOptions mutate;
  mutate.max_ops = options_.max_ops, mutate.rules = options_.rules;
  mutate.oracle = random_.OneIn(4) ? nullptr : &oracle_;
  if (corpus_.empty() || (!options_.no_generate && random_.OneIn(3))) {
    GenerateOptions generate;
    generate.max_ops = options_.max_ops, generate.flip_rules = options_.rules;
    generate.grow.oracle = mutate.oracle;
    return RandomTrace(random_.Next(), generate);
  }
  // Rather a recent one: it is news that nothing has built on yet.
  size_t at = random_.Below(corpus_.size());
  if (random_.OneIn(2)) at = std::max<size_t>(at, random_.Below(corpus_.size()));
  Trace trace =
      random_.OneIn(12) ? Splice(corpus_[at], random_.Pick(corpus_), random_, mutate) : corpus_[at];
  Mutate(&trace, random_, mutate);
  return trace;
}

bool Run::Take(const Trace& trace) {
  if (!options_.crash_file.empty()) (void)WriteTrace(trace, options_.crash_file);
  const auto finding = harness_.Run(trace);
  if (!finding) {
    if (!harness_.novel()) return true;
    if (corpus_.size() < kCorpus)
      corpus_.push_back(trace);
    else
      corpus_[random_.Below(kCorpus)] = trace;
    return true;
  }
  found_ = true;
  if (told_.insert(FindingKey(trace, *finding)).second) Tell(trace, *finding);
  return options_.all;
}

void Run::Tell(const Trace& trace, const Finding& finding) {
  const uint64_t ops = harness_.coverage().counts.ops;
  const Shrunk shrunk = Shrink(trace, [&](const Trace& t) { return judge_.Run(t); });
  const auto again = judge_.Run(shrunk.trace);
  std::printf("FOUND %s\nafter %" PRIu64 " Ops; shrunk from %zu to %zu Ops in %zu runs\n",
              FindingKey(trace, finding).c_str(), ops, trace.ops.size(), shrunk.trace.ops.size(),
              shrunk.runs);
  std::fputs(FindingText(shrunk.trace, again ? *again : finding).c_str(), stdout);
  std::error_code ignored;
  std::filesystem::create_directories(options_.out, ignored);
  const std::string path = options_.out + "/find-" + std::to_string(told_.size()) + ".trace";
  const Status written = WriteTrace(shrunk.trace, path);
  if (!written.ok()) std::printf("not written: %s\n", written.ToString().c_str());
  std::printf("reproduce: fuzz_run --level %s%s%s --ops 1 --no-generate %s\n\n",
              options_.level.c_str(), options_.fault.empty() ? "" : " --fault ",
              options_.fault.c_str(), path.c_str());
  std::fflush(stdout);
}

bool Run::Go() {
  const std::vector<Trace> seeds = corpus_;
  corpus_.clear();
  for (const Trace& seed : seeds) {
    corpus_.push_back(seed);
    if (!Take(seed)) return false;
  }
  if (options_.exhaustive != 0) {
    Trace prefix;
    std::vector<Op> alphabet;
    NestedAlphabet(&prefix, &alphabet);
    EachTrace(prefix, alphabet, options_.exhaustive, [&](const Trace& t) { return Take(t); });
    return !found_;
  }
  while (!Done())
    if (!Take(Next())) break;
  return !found_;
}

int WriteSeeds(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  for (const Starter& starter : StarterTraces()) {
    const Status status = WriteTrace(starter.trace, folder + "/" + starter.name + ".trace");
    if (status.ok()) continue;
    std::fprintf(stderr, "fuzz_run: %s\n", status.ToString().c_str());
    return 2;
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Steps generated and mutated traces through model and reference.\n"
      "Exit codes: 0 agreed, 1 a find, 2 bad input, 3 the canary was not found.\n"
      "Example: fuzz_run --seconds-cpu 60 --seed 1 traces/seed/trace_fuzzer/*"};
  app.add_option("--seconds-cpu", options.seconds, "stop after this much thread CPU time");
  app.add_option("--ops", options.ops, "stop after about so many Ops (repeatable output)");
  app.add_option("--seed", options.seed, "of the random numbers");
  app.add_option("--max-ops", options.max_ops, "Ops of one trace")->check(CLI::Range(1, 4096));
  app.add_option("--fault", options.fault, "plant this fault in the model (model/faults.h)");
  app.add_option("--level", options.level, "outcome, touched or full");
  app.add_option("--out", options.out, "folder for finds");
  app.add_option("--exhaustive", options.exhaustive, "all sequences of so many Ops instead");
  app.add_option("--write-seeds", options.write_seeds, "only write starter traces to this folder");
  app.add_option("--crash-file", options.crash_file, "write each trace here before it runs (slow)");
  app.add_flag("--canary", options.canary, "plant a fault; fail unless it is found");
  app.add_flag("--all", options.all, "go on after a find; tell each kind of find once");
  app.add_flag("--rules", options.rules, "worlds with single rules flipped, too");
  app.add_flag("--no-generate", options.no_generate, "mutate the seeds only");
  app.add_flag("--quiet", options.quiet, "no totals");
  app.add_option("seeds", options.seeds, "trace files; without any: built-in starters");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.write_seeds.empty()) return WriteSeeds(options.write_seeds);
  const auto level = CheckLevelOf(options.level);
  ModelFaults faults;
  if (options.canary && options.fault.empty()) options.fault = "configCacheSurvivesDetach";
  if (!options.fault.empty() && !SetFault(options.fault, &faults)) {
    std::fprintf(stderr, "fuzz_run: --fault %s: no such fault\n", options.fault.c_str());
    return 2;
  }
  if (!level) {
    std::fprintf(stderr, "fuzz_run: --level %s: outcome, touched or full\n", options.level.c_str());
    return 2;
  }
  if (options.ops == 0 && options.seconds == 0) options.ops = 1000000;
  Run run(options, faults, *level);
  for (const std::string& path : options.seeds) {
    Result<Trace> trace = ReadTrace(path);
    if (!trace.ok()) {
      std::fprintf(stderr, "fuzz_run: %s\n", trace.status().ToString().c_str());
      return 2;
    }
    run.AddSeed(std::move(*trace));
  }
  if (options.seeds.empty())
    for (Starter& starter : StarterTraces()) run.AddSeed(std::move(starter.trace));
  const bool agreed = run.Go();
  if (!options.quiet) std::fputs(run.Totals().c_str(), stdout);
  if (options.canary) {
    std::printf("canary %s: %s\n", options.fault.c_str(), agreed ? "NOT FOUND" : "found");
    return agreed ? 3 : 0;
  }
  return agreed ? 0 : 1;
}

}  // namespace
}  // namespace twinwalk::fuzz

int main(int argc, char** argv) {
  return twinwalk::fuzz::Main(argc, argv);
}
