// Turns the handles of a trace into the numbers that one Machine returned. One Resolver a Machine:
// the same trace resolves differently where two Machines answered differently.
#ifndef TWINWALK_TRACES_RESOLVE_H_
#define TWINWALK_TRACES_RESOLVE_H_

#include <cstring>
#include <string>
#include <vector>

#include "traces/op.h"

namespace twinwalk {

// Bit i: the i-th 32-bit word of blob is the ordinal of the Op that returned this fd. 0 for kinds
// whose blob holds no fds.
inline uint64_t FdResults(const OpData& op) {
  if (op.kind == OpKind::kVfioDeviceSetIrqs) return op.vfioDeviceSetIrqs.fdResults;
  if (op.kind == OpKind::kVfioPciHotReset) return op.vfioPciHotReset.fdResults;
  return 0;
}
inline uint64_t* MutableFdResults(OpData* op) {
  if (op->kind == OpKind::kVfioDeviceSetIrqs) return &op->vfioDeviceSetIrqs.fdResults;
  if (op->kind == OpKind::kVfioPciHotReset) return &op->vfioPciHotReset.fdResults;
  return nullptr;
}

// Replaces these words of `blob` by number(ordinal), an uint32_t. Words beyond its end are none.
template <class Number>
void FillFdWords(const OpData& op, std::string* blob, Number&& number) {
  uint64_t mask = FdResults(op);
  for (size_t at = 0; mask != 0 && at + 4 <= blob->size(); at += 4, mask >>= 1) {
    if ((mask & 1) == 0) continue;
    uint32_t word = 0;
    std::memcpy(&word, blob->data() + at, sizeof word);
    word = number(word);
    std::memcpy(blob->data() + at, &word, sizeof word);
  }
}

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
