#include "model/iotlb.h"

#include <algorithm>

namespace twinwalk::model {
namespace {

RetainedKind RetainedKindOf(EntryKind kind) {
  switch (kind) {
    case EntryKind::kHostStage1:
      return kLeafStage1;
    case EntryKind::kStage2:
      return kLeafStage2;
    case EntryKind::kCombined:
      return kLeafCombined;
    case EntryKind::kWalkStage1:
      return kWalkStage1;
    case EntryKind::kWalkStage2:
      return kWalkStage2;
  }
  return kLeafStage2;
}

}  // namespace

RetainedRow<Concrete> RowOf(const RangeEntry& e, uint64_t smmu) {
  RetainedRow<Concrete> row;
  row.kind = RetainedKindOf(e.kind);
  row.smmu = smmu;
  row.vmid = e.vmid;
  row.asid = e.asid;
  row.global = e.global;
  row.first = e.first;
  row.last = e.first + ((uint64_t{1} << e.log2Size) - 1);
  row.owner = e.owner;
  switch (e.kind) {
    case EntryKind::kHostStage1:
    case EntryKind::kStage2:
      row.rights = RightsOf(e.permissions1, e.permissions2, false);
      break;
    case EntryKind::kCombined:
      row.v0 = e.ipa;
      row.v1 = e.first >> e.leafLog2 << e.leafLog2;
      row.v2 = row.v1 + ((uint64_t{1} << e.leafLog2) - 1);
      row.rights = RightsOf(e.permissions1, e.permissions2, false);
      break;
    case EntryKind::kWalkStage1:
      row.level = e.level;
      row.v0 = e.vmid == 0 ? 0 : e.output;  // of a host-owned table: a frame of ours
      row.v1 = e.permissions1;
      break;
    case EntryKind::kWalkStage2:
      row.level = e.level;
      break;
  }
  return row;
}

void RangeCache::Reset(uint32_t capacity) {
  ways_ = std::min<uint32_t>(capacity, 4);
  const uint32_t sets = capacity < 4 ? 1 : std::bit_floor(capacity / 4);
  setMask_ = sets - 1;
  if (entries_.size() != size_t{sets} * ways_ || used_ != 0)
    entries_.assign(size_t{sets} * ways_, RangeEntry{});
  next_.assign(sets, 0);
  used_ = 0;
  sizes_ = 0;
  std::fill(std::begin(counts_), std::end(counts_), 0u);
}

void RangeCache::Drop(RangeEntry* entry) {
  if (--counts_[entry->log2Size] == 0) sizes_ &= ~(uint64_t{1} << entry->log2Size);
  --used_;
  *entry = RangeEntry{};
}

int RangeCache::Insert(const RangeEntry& entry) {
  if (ways_ == 0) return -1;
  const uint32_t set = SetOf(entry.vmid, entry.first, entry.log2Size);
  RangeEntry* place = nullptr;
  for (uint32_t way = 0; way < ways_; ++way) {
    RangeEntry& e = entries_[set + way];
    if (e.log2Size == 0) {
      if (place == nullptr) place = &e;
    } else if (e.first == entry.first && e.log2Size == entry.log2Size && e.vmid == entry.vmid &&
               e.kind == entry.kind && e.global == entry.global && e.asid == entry.asid) {
      place = &e;
      break;
    }
  }
  if (place == nullptr) {
    uint8_t& next = next_[set / ways_];
    place = &entries_[set + next];
    next = static_cast<uint8_t>((next + 1u) % ways_);
  }
  if (place->log2Size != 0) Drop(place);
  *place = entry;
  ++used_;
  if (counts_[entry.log2Size]++ == 0) sizes_ |= uint64_t{1} << entry.log2Size;
  return static_cast<int>(place - entries_.data());
}

void RangeCache::Invalidate(const Command& command, uint64_t smmu) {
  DropIf([&](const RangeEntry& e) {
    return Covers<Concrete>(command.word0, command.word1, RowOf(e, smmu));
  });
}

// ---- Configuration
// -------------------------------------------------------------------------------

RetainedRow<Concrete> ConfigRowOf(const ConfigEntry& entry, uint64_t smmu) {
  RetainedRow<Concrete> row;
  row.kind = kConfig;
  row.smmu = smmu;
  row.sid = entry.sid;
  row.owner = entry.owner;
  return row;
}
RetainedRow<Concrete> CdRowOf(const ConfigEntry& entry, uint64_t smmu) {
  RetainedRow<Concrete> row;
  row.kind = kCd;
  row.smmu = smmu;
  row.sid = entry.sid;
  row.ssid = entry.config.ssid;
  row.v0 = entry.config.cdWords[0];
  row.v1 = entry.config.cdWords[1];
  row.v2 = entry.config.cdWords[2];
  row.owner = entry.owner;
  return row;
}

void ConfigCache::Reset(uint32_t capacity, uint32_t devices) {
  entries_.clear();
  hints_.assign(devices, -1);
  capacity_ = capacity;
  next_ = 0;
  count_ = 0;
}

const ConfigEntry* ConfigCache::Search(uint32_t device, bool has_ssid, uint32_t ssid) const {
  for (const ConfigEntry& e : entries_)
    if (Is(e, device, has_ssid, ssid)) return &e;
  return nullptr;
}

const ConfigEntry* ConfigCache::Insert(const ConfigEntry& entry) {
  if (capacity_ == 0) return nullptr;
  size_t place = entries_.size();
  if (place < capacity_) {
    entries_.emplace_back();
  } else {
    place = capacity_;
    if (count_ < capacity_)
      for (place = 0; entries_[place].valid;) ++place;
    if (place == capacity_) place = next_, next_ = (next_ + 1) % capacity_;
  }
  if (!entries_[place].valid) ++count_;
  entries_[place] = entry;
  entries_[place].valid = true;
  hints_[entry.device] = static_cast<int32_t>(place);
  return &entries_[place];
}

void ConfigCache::Invalidate(const Command& command, uint64_t smmu) {
  if (count_ == 0) return;
  for (ConfigEntry& e : entries_) {
    if (!e.valid) continue;
    const bool config = Covers<Concrete>(command.word0, command.word1, ConfigRowOf(e, smmu));
    const bool cd =
        e.config.stage1 && Covers<Concrete>(command.word0, command.word1, CdRowOf(e, smmu));
    if (!config && !cd) continue;
    e.valid = false;
    --count_;
  }
}

}  // namespace twinwalk::model
