// Keeps: from every state in which the invariants hold, one Op leads to one in which they hold.
#ifndef TWINWALK_PROOFS_KEEPS_H_
#define TWINWALK_PROOFS_KEEPS_H_

#include <memory>
#include <string>
#include <vector>

#include "proofs/ops.h"
#include "proofs/theorem.h"

namespace twinwalk::proofs {

// What a refuted row needs to become a trace.
struct Counterexample {
  View<Concrete> before;
  OpRun::Wanted wanted;
  std::vector<std::array<uint64_t, 3>> guest;  // backing, offset, value
};

struct KeepsRow {
  TheoremRow row;
  std::unique_ptr<Counterexample> counterexample;
};

// All invariants, the monitor, well-formed and the containers' contracts for one Op and preset; and
// the canary that the Op never succeeds.
std::vector<KeepsRow> ProveKeeps(const OpProof& op, const Rules& rules, const char* preset,
                                 const ReferenceFaults& faults, const std::string& fault,
                                 const std::string& only_invariant, const Limits& limits);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_KEEPS_H_
