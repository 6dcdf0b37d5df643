// The fuzz target that is the differential tester: bytes to a trace, the trace to the lockstep of
// model and reference. A finding is told on stderr, then abort. Inputs are our byte form or trace
// files, so that committed seeds serve as they are.
//   TWINWALK_LEVEL = outcome | touched (default) | full
//   TWINWALK_FAULT = a planted fault of model/faults.h
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "fuzz/fault_names.h"
#include "fuzz/generate.h"
#include "fuzz/harness.h"
#include "fuzz/input.h"
#include "model/model.h"
#include "reference/reference.h"
#include "traces/check.h"

// What libFuzzer links to every target: its own mutations of plain bytes.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace twinwalk::fuzz {
namespace {

struct Target {
  std::unique_ptr<Machine> model, tasted;
  std::unique_ptr<PermittingMachine> reference;
  std::unique_ptr<Harness> harness;
  std::unique_ptr<MachineOracle> oracle;  // for the mutator

  Target() {
    ModelFaults faults;
    if (const char* name = std::getenv("TWINWALK_FAULT"))
      CHECK(SetFault(name, &faults), "TWINWALK_FAULT=%s: no such fault", name);
    const char* level = std::getenv("TWINWALK_LEVEL");
    const auto wanted = CheckLevelOf(level != nullptr ? level : "touched");
    CHECK(wanted.has_value(), "TWINWALK_LEVEL=%s: outcome, touched or full", level);
    model = MakeModel(faults);
    reference = MakeReference(ReferenceFaults{});
    tasted = MakeModel(ModelFaults{});
    oracle = std::make_unique<MachineOracle>(tasted.get());
    harness = std::make_unique<Harness>(model.get(), reference.get(), *wanted);
  }
};

// A fuzz engine calls plain functions, so what lives from run to run has no other owner.
Target& TheTarget() {
  static Target* const target = new Target;
  return *target;
}

// Lets the engine at a blob: its dictionary and what it learned from comparisons.
void MutateBlob(Trace* trace, Random& random, size_t max_blob) {
  if (trace->ops.empty()) return;
  Op& op = trace->ops[random.Below(trace->ops.size())];
  if (op.blob.empty()) return;
  std::string blob = op.blob;
  blob.resize(std::min(max_blob, op.blob.size() + 64));
  blob.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(blob.data()),
                               std::min(op.blob.size(), blob.size()), blob.size()));
  op.blob = std::move(blob);
}

}  // namespace
}  // namespace twinwalk::fuzz

using twinwalk::Trace;
using namespace twinwalk::fuzz;  // NOLINT: the functions below must be global

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Trace trace;
  if (!TraceFromInput(data, size, &trace)) return 0;
  if (const auto finding = TheTarget().harness->Run(trace)) {
    std::fputs(FindingText(trace, *finding).c_str(), stderr);
    std::abort();
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  Random random(seed);
  Trace trace;
  MutateOptions options;
  if (!random.OneIn(4)) options.oracle = TheTarget().oracle.get();
  if (!TraceFromInput(data, size, &trace))
    trace = RandomTrace(random.Next());
  else if (random.OneIn(24))
    MutateBlob(&trace, random, options.max_blob);
  else
    Mutate(&trace, random, options);
  return TraceToInput(&trace, data, max_size);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                            const uint8_t* data2, size_t size2, uint8_t* out,
                                            size_t max_size, unsigned int seed) {
  Random random(seed);
  Trace a, b;
  if (!TraceFromInput(data1, size1, &a) || !TraceFromInput(data2, size2, &b)) return 0;
  Trace both = Splice(a, b, random);
  return TraceToInput(&both, out, max_size);
}
