// Writes and tears down VMSAv8-64 tables, 4 KiB granule: the bits of leaves and tables, and one
// step of the writer (one level, one page). No batching in here; model/page_table.cc loops over it.
//
// Bits: SMMUv3 sheet 4.1. Stage 1 here is for host-owned spaces: TTB0 of 48 bits, unprivileged,
// tagged by ASID (nG). Stage 1 cannot say "write only": such a leaf is readable too.
#ifndef TWINWALK_MODEL_TABLES_SMMUV3_H_
#define TWINWALK_MODEL_TABLES_SMMUV3_H_

#include <cstdint>

#include "traces/outcome.h"

namespace twinwalk::model {

enum class TableStage { kStage1, kStage2 };

inline constexpr int kGranule = 12, kStride = 9, kLeafLevel = 3;
inline constexpr int LevelShift(int level) {
  return kGranule + (3 - level) * kStride;
}

inline constexpr uint64_t kAddressBits = 0x0000fffffffff000;

// rights: of the area. REQUIRES: address is aligned to the level's size and below 2^48; level 1..3.
template <class D>
typename D::W LeafDescriptor(int level, typename D::W address, typename D::W rights,
                             TableStage stage) {
  using W = typename D::W;
  using B = typename D::B;
  const W kind = level == kLeafLevel ? W(3) : W(1);
  const W common = address | kind | W(uint64_t{1} << 10) | W(uint64_t{3} << 8);  // AF, inner shared
  const B writes = (rights & W(kWrite)) != W(0);
  const B reads = (rights & W(kRead)) != W(0);
  if (stage == TableStage::kStage1) {
    // AP[1] unprivileged, AP[2] read-only, nG; AttrIndx 0.
    return common | W(1 << 6) | D::Sel(writes, W(0), W(1 << 7)) | W(1 << 11);
  }
  return common | W(0xf << 2) | D::Sel(reads, W(1 << 6), W(0)) | D::Sel(writes, W(1 << 7), W(0));
}

template <class D>
typename D::W TableDescriptorWord(typename D::W table) {
  using W = typename D::W;
  return table | W(3);
}

// Rights that hardware grants by LeafDescriptor(..., rights, stage).
inline uint8_t GrantedRights(uint8_t rights, TableStage stage) {
  return stage == TableStage::kStage1 ? rights | kRead : rights;
}

// Address of the entry for `input` in a table of `level`. wide: extra index bits of a first lookup
// (concatenated tables), 0 elsewhere.
template <class D>
typename D::W EntryAddress(typename D::W table, int level, typename D::W input, int wide) {
  using W = typename D::W;
  const W mask = W((uint64_t{1} << (kStride + wide)) - 1);
  return table + ((input >> W(LevelShift(level))) & mask) * W(8);
}

// What one step of the writer did.
template <class D>
struct WriteStepResult {
  using W = typename D::W;
  W next{0};    // table of the next level; 0 at the leaf
  W made{0};    // 1: `next` was allocated here
  W failed{0};  // 1: no frame, or the entry was in use; nothing was written
};

// One level, one page: at the leaf's level writes `leaf`; above, follows the table that is there or
// links a fresh one. Memory has: W Read(W address), void Write(W address, W value), W NewTable()
// (a zeroed, otherwise unused frame; 0 when there is none).
template <class D, class Memory>
WriteStepResult<D> WriteStep(Memory& memory, typename D::W table, int level, int wide,
                             int leafLevel, typename D::W input, typename D::W leaf) {
  using W = typename D::W;
  WriteStepResult<D> out;
  const W where = EntryAddress<D>(table, level, input, wide);
  const W old = memory.Read(where);
  if (level == leafLevel) {
    if ((old & W(1)) != W(0)) {
      out.failed = W(1);
      return out;
    }
    memory.Write(where, leaf);
    return out;
  }
  if ((old & W(3)) == W(3)) {
    out.next = old & W(kAddressBits);
    return out;
  }
  if ((old & W(1)) != W(0)) {  // a block stands here
    out.failed = W(1);
    return out;
  }
  const W fresh = memory.NewTable();
  if (fresh == W(0)) {
    out.failed = W(1);
    return out;
  }
  memory.Write(where, TableDescriptorWord<D>(fresh));
  out.next = fresh;
  out.made = W(1);
  return out;
}

// The inverse of one level: makes the entry for `input` invalid and returns what stood there.
template <class D, class Memory>
typename D::W ClearStep(Memory& memory, typename D::W table, int level, int wide,
                        typename D::W input) {
  using W = typename D::W;
  const W where = EntryAddress<D>(table, level, input, wide);
  const W old = memory.Read(where);
  memory.Write(where, W(0));
  return old;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_TABLES_SMMUV3_H_
