// Turns the handles of a trace into the numbers that one Machine returned. One Resolver a Machine:
// the same trace resolves differently where two Machines answered differently.
#ifndef TWINWALK_TRACES_RESOLVE_H_
#define TWINWALK_TRACES_RESOLVE_H_

#include <vector>

#include "traces/op.h"

namespace twinwalk {

class Resolver {
 public:
  void Clear() { results_.clear(); }
  // The next Op of the trace with literal handles and absolute addresses. Valid until the next
  // call.
  const Op& Resolve(const Op& op);
  // What the Machine answered to it. REQUIRES: once after each Resolve.
  void Record(const Op& op, const Outcome& outcome);

 private:
  // 0xffffffff (a base: all ones) where the Op failed or makes no such thing.
  struct Result {
    uint32_t id = kDanglingHandle;
    uint32_t fd = kDanglingHandle;
    uint64_t base = ~uint64_t{0};
  };
  struct Replace;
  std::vector<Result> results_;
  Op scratch_;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_RESOLVE_H_
