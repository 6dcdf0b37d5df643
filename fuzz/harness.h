// One pair of Machines that takes trace after trace: what trace_fuzzer and fuzz_run share. Also how
// a finding is told, and the counts of what a run reached.
#ifndef TWINWALK_FUZZ_HARNESS_H_
#define TWINWALK_FUZZ_HARNESS_H_

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/grow.h"
#include "fuzz/shrink.h"
#include "traces/lockstep.h"
#include "traces/resolve.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

// What a run met. The same traces in the same order give the same text.
struct Coverage {
  LockstepCounts counts;  // summed over traces
  uint64_t traces = 0;
  std::map<std::pair<int, int>, uint64_t> errnos;  // (OpKind, errno) -> Ops
  std::map<int, uint64_t> faults;                  // Piece::fault -> pieces
  std::string Text() const;
};

class Harness {
 public:
  // Does not own the Machines.
  Harness(Machine* subject, PermittingMachine* reference, CheckLevel level)
      : lockstep_(subject, reference, level) {}
  // Steps the whole trace, or up to its first finding.
  std::optional<Finding> Run(const Trace& trace);
  // Whether the last Run met a pair of neighbouring behaviours that no earlier one did.
  bool novel() const { return novel_; }
  const Coverage& coverage() const { return coverage_; }

 private:
  void Note(const Op& op, const Outcome& outcome);

  Lockstep lockstep_;
  Coverage coverage_;
  std::map<uint64_t, uint64_t> seen_;  // (behaviour before, behaviour) -> times
  uint64_t last_ = 0;                  // behaviour of the Op before
  bool novel_ = false;
};

// Growth's view of a Machine.
class MachineOracle : public Oracle {
 public:
  explicit MachineOracle(Machine* machine) : machine_(machine) {}
  void Reset(const World& world) override;
  bool Succeeds(const Op& op) override;

 private:
  Machine* machine_;
  Resolver resolver_;
};

// The finding, then the trace as text: what a person reads first.
std::string FindingText(const Trace& trace, const Finding& finding);
std::optional<CheckLevel> CheckLevelOf(const std::string& name);  // "outcome", "touched", "full"

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_HARNESS_H_
