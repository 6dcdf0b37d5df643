#include "traces/resolve.h"

namespace twinwalk {

struct Resolver::Replace {
  const std::vector<Result>& results;
  uint8_t mask;
  uint64_t base = 0;  // of the mapping that an address is relative to
  template <class T>
  void Field(const char*, T&) {}
  void HandleField(const char*, Handle& handle, HandleRole role, int index) {
    if ((mask >> index & 1) == 0) return;
    const Result result = handle < results.size() ? results[handle] : Result{};
    handle = role == HandleRole::kFd ? result.fd : role == HandleRole::kId ? result.id : 0;
    if (role == HandleRole::kMap) base = result.base;
  }
};

const Op& Resolver::Resolve(const Op& op) {
  if (op.results == 0 && FdResults(op) == 0) return op;
  static_cast<OpData&>(scratch_) = op;
  scratch_.blob.assign(op.blob);
  Replace replace{results_, op.results};
  VisitArgs(static_cast<OpData&>(scratch_), replace);
  scratch_.results = 0;
  if (op.kind == OpKind::kIoasMap) scratch_.ioasMap.userVa += replace.base;
  if (op.kind == OpKind::kVfioIommuMapDma) scratch_.vfioIommuMapDma.vaddr += replace.base;
  if (op.kind == OpKind::kMunmap) scratch_.munmap.address += replace.base;
  if (op.kind == OpKind::kMemWrite) scratch_.memWrite.address += replace.base;
  FillFdWords(op, &scratch_.blob, [&](Handle from) {
    return from < results_.size() ? results_[from].fd : kDanglingHandle;
  });
  if (uint64_t* words = MutableFdResults(&scratch_)) *words = 0;
  return scratch_;
}

void Resolver::Record(const Op& op, const Outcome& outcome) {
  Result result;
  if (outcome.err == 0) {
    if (outcome.id != 0) result.id = outcome.id;
    if (outcome.fd != 0) result.fd = outcome.fd;
    if (op.kind == OpKind::kMmap) result.base = static_cast<uint64_t>(outcome.ret);
  }
  results_.push_back(result);
}

}  // namespace twinwalk
