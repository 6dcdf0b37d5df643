// The context cache of a VT-d unit, and in scalable mode its PASID cache: what the tables say about
// requests without a PASID, by source. Bounded, deterministic; lookups change nothing.
#ifndef TWINWALK_MODEL_CONTEXT_CACHE_H_
#define TWINWALK_MODEL_CONTEXT_CACHE_H_

#include <cstdint>
#include <vector>

#include "model/walk_vtd.h"
#include "traces/view.h"

namespace twinwalk::model {

struct ContextEntry {
  bool valid = false;
  uint32_t device = 0;
  uint64_t sid = 0;
  uint64_t owner = 0;  // HWPT that the entry names
  VtdStream stream;
};

// kConfig: the context entry, which names a domain id; kCd: the PASID entry behind it.
inline RetainedRow<Concrete> ContextRowOf(const ContextEntry& entry, uint64_t iommu,
                                          RetainedKind kind) {
  RetainedRow<Concrete> row;
  row.kind = kind;
  row.smmu = iommu;
  row.vmid = entry.stream.did;
  row.sid = entry.sid;
  row.owner = entry.owner;
  return row;
}

class ContextCache {
 public:
  // REQUIRES: capacity is not 0.
  void Reset(uint32_t capacity, uint32_t devices) {
    entries_.clear();
    hints_.assign(devices, -1);
    capacity_ = capacity;
    next_ = 0;
  }
  const ContextEntry* Find(uint32_t device) const {
    const int32_t hint = hints_[device];
    if (hint < 0) return nullptr;
    const ContextEntry& e = entries_[hint];
    return e.valid && e.device == device ? &e : nullptr;
  }
  // REQUIRES: the device has none. The oldest goes when there is no room.
  const ContextEntry* Insert(const ContextEntry& entry) {
    size_t place = 0;
    while (place < entries_.size() && entries_[place].valid) ++place;
    if (place == entries_.size()) {
      if (place < capacity_)
        entries_.emplace_back();
      else
        place = next_, next_ = (next_ + 1) % capacity_;
    }
    entries_[place] = entry;
    entries_[place].valid = true;
    hints_[entry.device] = static_cast<int32_t>(place);
    return &entries_[place];
  }
  template <class P>
  void DropIf(P&& gone) {
    for (ContextEntry& e : entries_)
      if (e.valid && gone(e)) e.valid = false;
  }
  template <class F>
  void Each(F&& f) const {
    for (const ContextEntry& e : entries_)
      if (e.valid) f(e);
  }

 private:
  std::vector<ContextEntry> entries_;  // grows to capacity_
  std::vector<int32_t> hints_;         // by device: where its entry was put
  uint32_t capacity_ = 0, next_ = 0;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_CONTEXT_CACHE_H_
