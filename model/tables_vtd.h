// Writes and tears down VT-d second-stage tables: the bits of leaves and tables, and one step of
// the writer (one level, one page). No batching in here; model/page_table.cc loops over it.
//
// Bits: VT-d sheet 3. Levels count down to 1. There is no present bit: an entry is there when it
// grants something, so an area without rights leaves no leaf. Write only can be said.
#ifndef TWINWALK_MODEL_TABLES_VTD_H_
#define TWINWALK_MODEL_TABLES_VTD_H_

#include "model/decode_vtd.h"
#include "traces/outcome.h"

namespace twinwalk::model {

// rights: of the area. REQUIRES: address is aligned to the level's size and below 2^HAW;
// level 1..3.
template <class D>
typename D::W LeafEntry(int level, typename D::W address, typename D::W rights) {
  using W = typename D::W;
  using B = typename D::B;
  const B reads = (rights & W(kRead)) != W(0), writes = (rights & W(kWrite)) != W(0);
  const W size = level == 1 ? W(0) : W(1 << 7);
  const W granted = D::Sel(reads, W(1), W(0)) | D::Sel(writes, W(2), W(0));
  return D::Sel(reads || writes, address | size | granted, W(0));
}
// A table withholds nothing: its leaves do.
template <class D>
typename D::W TableEntry(typename D::W table) {
  using W = typename D::W;
  return table | W(3);
}

// Address of the entry for `input` in a table of `level`.
template <class D>
typename D::W VtdEntryAddress(typename D::W table, int level, typename D::W input) {
  using W = typename D::W;
  return table + ((input >> W(VtdShift(level))) & W(511)) * W(8);
}

// What one step of the writer did.
template <class D>
struct VtdWriteResult {
  using W = typename D::W;
  W next{0};    // table of the next level; 0 at the leaf
  W made{0};    // 1: `next` was allocated here
  W failed{0};  // 1: no frame, or the entry was in use; nothing was written
};

// One level, one page: at the leaf's level writes `leaf`; above, follows the table that is there or
// links a fresh one. Memory has: W Read(W address), void Write(W address, W value), W NewTable()
// (a zeroed, otherwise unused frame; 0 when there is none).
template <class D, class Memory>
VtdWriteResult<D> WriteVtdStep(Memory& memory, typename D::W table, int level, int leaf_level,
                               typename D::W input, typename D::W leaf) {
  using W = typename D::W;
  VtdWriteResult<D> out;
  const W where = VtdEntryAddress<D>(table, level, input);
  const W old = memory.Read(where);
  if ((old & W(3)) != W(0)) {
    // A table can be followed; a leaf, or anything in the leaf's place, is in use.
    const bool above = level > leaf_level;
    const W page = level == 2 || level == 3 ? old & W(1 << 7) : W(0);
    if (!above || page != W(0)) {
      out.failed = W(1);
      return out;
    }
    out.next = old & W(kVtdAddressBits);
    return out;
  }
  if (level == leaf_level) {
    memory.Write(where, leaf);
    return out;
  }
  const W fresh = memory.NewTable();
  if (fresh == W(0)) {
    out.failed = W(1);
    return out;
  }
  memory.Write(where, TableEntry<D>(fresh));
  out.next = fresh;
  out.made = W(1);
  return out;
}

// The inverse of one level: the entry for `input` is not there any more; returns what stood there.
template <class D, class Memory>
typename D::W ClearVtdStep(Memory& memory, typename D::W table, int level, typename D::W input) {
  using W = typename D::W;
  const W where = VtdEntryAddress<D>(table, level, input);
  const W old = memory.Read(where);
  memory.Write(where, W(0));
  return old;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_TABLES_VTD_H_
