// What an SMMU remembers: leaves (the TLB), tables on the way to them (the walk caches), and
// configuration by stream. Bounded, deterministic, and emptied by exactly the commands that
// commands_smmuv3.h says cover an entry. Lookups change nothing, so a Peek can use them. A VT-d
// unit keeps its leaves and tables in the same store (vmid: the domain id), its contexts apart.
#ifndef TWINWALK_MODEL_IOTLB_H_
#define TWINWALK_MODEL_IOTLB_H_

#include <bit>
#include <cstdint>
#include <vector>

#include "model/walk_smmuv3.h"

namespace twinwalk::model {

enum class EntryKind : uint8_t {
  kHostStage1,  // VA -> PA, host-owned stage 1 (no stage 2 behind)
  kStage2,      // IPA -> PA
  kCombined,    // VA -> IPA -> PA
  kWalkStage1,  // VA prefix -> table (an IPA when nested)
  kWalkStage2,  // IPA prefix -> table
};

// One remembered range. Tag: kind, vmid, asid (unless global), first >> log2Size.
struct RangeEntry {
  uint64_t first = 0;   // of the input range
  uint64_t output = 0;  // first byte, or the table
  uint64_t ipa = 0;     // kCombined: between the stages
  uint64_t owner = 0;   // HWPT that the stream was attached to when it was made
  uint16_t vmid = 0, asid = 0;
  uint8_t log2Size = 0;  // 0: empty
  uint8_t leafLog2 = 0;  // kCombined: of the stage-1 leaf that this is (part of)
  EntryKind kind = EntryKind::kStage2;
  bool global = false;
  uint8_t level = 0;         // walks: of the table
  uint8_t permissions1 = 0;  // leaf: stage 1, final; kWalkStage1: limits so far
  uint8_t permissions2 = 0;  // leaf: stage 2
  uint8_t granule = 0;       // walks: log2
};

// The entry as invalidation rules and the View see it; backing and offset are the caller's.
RetainedRow<Concrete> RowOf(const RangeEntry& entry, uint64_t smmu);

// A set-associative store of ranges of mixed sizes. Replacement is round robin within a set.
class RangeCache {
 public:
  // capacity 0 remembers nothing.
  void Reset(uint32_t capacity);

  // The smallest entry of `kind` that contains `address`.
  const RangeEntry* Find(EntryKind kind, uint16_t vmid, uint16_t asid, uint64_t address) const {
    for (uint64_t sizes = sizes_; sizes != 0; sizes &= sizes - 1) {
      const int log2 = std::countr_zero(sizes);
      const uint64_t first = address >> log2 << log2;
      const RangeEntry* set = &entries_[SetOf(vmid, first, log2)];
      for (uint32_t way = 0; way < ways_; ++way) {
        const RangeEntry& e = set[way];
        if (e.first == first && e.log2Size == log2 && e.vmid == vmid && e.kind == kind &&
            (e.global || e.asid == asid))
          return &e;
      }
    }
    return nullptr;
  }
  // Replaces an entry with the same tag and size. Returns where it stands (-1: nowhere).
  int Insert(const RangeEntry& entry);
  // Drops what a completed command covers; or every entry for which gone(entry).
  void Invalidate(const Command& command, uint64_t smmu);
  template <class P>
  void DropIf(P&& gone) {
    if (used_ == 0) return;
    for (RangeEntry& e : entries_)
      if (e.log2Size != 0 && gone(e)) Drop(&e);
  }
  template <class F>
  void Each(F&& f) const {
    if (used_ == 0) return;
    for (const RangeEntry& e : entries_)
      if (e.log2Size != 0) f(e);
  }
  const RangeEntry& At(int place) const { return entries_[place]; }

 private:
  uint32_t SetOf(uint16_t vmid, uint64_t first, int log2) const {
    const uint64_t key = (first >> log2) + vmid * 0x9e37u + static_cast<uint64_t>(log2) * 0x85ebu;
    return static_cast<uint32_t>((key ^ key >> 17) & setMask_) * ways_;
  }
  void Drop(RangeEntry* entry);

  std::vector<RangeEntry> entries_;  // sets in a row
  std::vector<uint8_t> next_;        // way to replace next, per set
  uint32_t ways_ = 0, setMask_ = 0, used_ = 0;
  uint64_t sizes_ = 0;        // bit n: some entry has log2Size n
  uint32_t counts_[64] = {};  // entries per log2Size
};

// STE and CD of streams.
struct ConfigEntry {
  bool valid = false;
  uint32_t device = 0, sid = 0;
  bool hasSsid = false;
  uint32_t ssid = 0;   // as requested
  uint64_t owner = 0;  // HWPT that the STE names
  StreamConfig config;
};

class ConfigCache {
 public:
  void Reset(uint32_t capacity, uint32_t devices);
  const ConfigEntry* Find(uint32_t device, bool has_ssid, uint32_t ssid) const {
    const int hint = hints_[device];
    if (hint >= 0 && Is(entries_[hint], device, has_ssid, ssid)) return &entries_[hint];
    return count_ == 0 ? nullptr : Search(device, has_ssid, ssid);
  }
  // Null when nothing can be kept.
  const ConfigEntry* Insert(const ConfigEntry& entry);
  void Invalidate(const Command& command, uint64_t smmu);
  template <class F>
  void Each(F&& f) const {
    for (const ConfigEntry& e : entries_)
      if (e.valid) f(e);
  }

 private:
  static bool Is(const ConfigEntry& e, uint32_t device, bool has_ssid, uint32_t ssid) {
    return e.valid && e.device == device && e.hasSsid == has_ssid && e.ssid == ssid;
  }
  const ConfigEntry* Search(uint32_t device, bool has_ssid, uint32_t ssid) const;

  std::vector<ConfigEntry> entries_;  // grows to capacity_
  std::vector<int32_t> hints_;        // by device: where its last entry was put
  uint32_t capacity_ = 0, next_ = 0, count_ = 0;
};
RetainedRow<Concrete> ConfigRowOf(const ConfigEntry& entry, uint64_t smmu);
RetainedRow<Concrete> CdRowOf(const ConfigEntry& entry, uint64_t smmu);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_IOTLB_H_
