// One trace, all opinions: the model against the reference in lockstep, and, where the trace was
// recorded, the recording against a reference of its own that follows the recorded choices.
#ifndef TWINWALK_TRACES_REPLAY_H_
#define TWINWALK_TRACES_REPLAY_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "traces/lockstep.h"
#include "traces/trace.h"

namespace twinwalk {

// A recorded answer that the reference does not permit, or that differs in what is not free.
struct RecordedDifference {
  size_t ordinal = 0;
  std::vector<Difference> differences;
};

// An access that hardware may answer in more than one way.
struct PermittedSet {
  size_t ordinal = 0;
  size_t members = 0;  // outcomes permitted (counted up to kCountedMembers)
  int recorded_member =
      -1;  // which of them was recorded: 0 is present memory's; -1: none, or unknown
};
inline constexpr size_t kCountedMembers = 64;

struct ReplayResult {
  LockstepCounts counts;
  std::vector<Finding> findings;  // of model against reference; at most one Op's
  uint64_t ioctls = 0;
  uint64_t raw_ioctls = 0;      // counted, not compared
  uint64_t recorded_agree = 0;  // Ops with a recorded Outcome that is permitted
  std::vector<RecordedDifference> recorded_differ;
  std::vector<PermittedSet> permitted_sets;  // those with more than one member, before that Op
  std::map<std::string, uint64_t> freedoms;  // used freedoms by name (freedoms.h)
};

struct MachinePair {
  std::unique_ptr<Machine> model;
  std::unique_ptr<PermittingMachine> reference;
};
using MachineFactory = std::function<MachinePair()>;

// Whether Ops of this kind are system calls named ioctl.
bool IsIoctl(OpKind kind);

ReplayResult Replay(const Trace& trace, CheckLevel level, const MachineFactory& make);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_REPLAY_H_
