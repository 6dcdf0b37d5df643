// Steps a Machine (the subject: the model) and the reference over one trace through machine.h
// alone, and stops at the first finding. What is compared, in order: the subject's Outcome against
// what the reference permits; the order of its micro-steps; the invariants on its View; at level
// kFull also whole Views, and probes (Peeks at micro-steps) against what was permitted before or
// after the Op.
#ifndef TWINWALK_TRACES_LOCKSTEP_H_
#define TWINWALK_TRACES_LOCKSTEP_H_

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "traces/compare.h"
#include "traces/machine.h"
#include "traces/monitor.h"
#include "traces/resolve.h"

namespace twinwalk {

enum class CheckLevel { kOutcome, kTouched, kFull };

struct Finding {
  enum class Kind {
    kDivergence,   // the subject's Outcome is none that the reference permits
    kViewDiffers,  // the Views after the Op differ
    kViolation,    // an invariant does not hold in the subject's View
    kOrder,        // the monitor: micro-steps in an order that leaves memory exposed
    kProbe,  // an access in the middle of the Op met what is permitted neither before nor after
  };
  Kind kind = Kind::kDivergence;
  size_t ordinal = 0;                   // of the Op in the trace
  std::string invariant;                // id, for kViolation ("monitor" for kOrder)
  std::string clause;                   // what does not hold
  std::vector<Difference> differences;  // should be, is
  std::vector<std::string> rows;        // the culprit rows
};
const char* FindingKindName(Finding::Kind kind);  // "divergence", ...

struct LockstepCounts {
  uint64_t ops = 0;
  uint64_t accesses = 0;       // DMA Ops
  uint64_t other_member = 0;   // accesses answered by a member other than present memory's
  uint64_t undecided = 0;      // more members than could be looked at: never passed in silence
  uint64_t known_defects = 0;  // violations listed in known_defects.h
  uint64_t probes = 0;
};

class Lockstep : private MicroStepObserver {
 public:
  // Does not own the Machines.
  Lockstep(Machine* subject, PermittingMachine* reference, CheckLevel level);
  ~Lockstep() override;
  void Reset(const World& world);
  // Takes the next Op of the trace. False when it made a finding: the pair is no longer in step.
  bool Step(const Op& op);
  const std::vector<Finding>& findings() const { return findings_; }
  const LockstepCounts& counts() const { return counts_; }
  // What the subject answered to the last Op.
  const Outcome& outcome() const { return outcome_; }

 private:
  struct Probe {
    Op op;                       // resolved, clipped to 8 bytes of one page
    uint16_t kind = 0, nth = 0;  // place: micro-step kind + 1, occurrence; 0: every micro-step
    std::vector<Outcome> before;
  };
  struct Sighting {
    size_t probe;
    bool freed;  // met a page that this very micro-step gave back
    Outcome met;
  };

  void OnMicroStep(const MicroStep<uint64_t>& step) override;
  void CheckInvariants();
  void CheckViews();
  void BeginProbes();
  void JudgeProbes();
  void RememberProbe(const Op& op);
  void Violated(Finding::Kind kind, const char* invariant, const char* clause, std::string row);

  Machine* subject_;
  PermittingMachine* reference_;
  CheckLevel level_;
  World world_;
  Resolver subject_resolver_, reference_resolver_;
  Monitor<Concrete> monitor_;
  View<Concrete> view_;  // reused: tables keep what they can
  Outcome outcome_;
  std::vector<Finding> findings_;
  LockstepCounts counts_;
  std::deque<Probe> probes_;   // the last accesses, retried inside later Ops (kFull)
  std::vector<Probe> placed_;  // accesses of the trace that name a place in the next Op
  std::vector<Sighting> sightings_;
  std::array<uint32_t, kMicroStepKinds> seen_{};  // micro-steps of each kind in this Op
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_LOCKSTEP_H_
