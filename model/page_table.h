// The I/O page table of one HWPT_PAGING: real table bits in simulated host memory, mapped a run at
// a time with the largest leaves that fit, removed a run at a time. Areas are removed whole, so no
// block is ever split. What an entry looks like is the writer's affair: one for SMMUv3, one for
// VT-d (page_table.cc). Levels are counted as SMMUv3 does: 3 holds the smallest leaves.
#ifndef TWINWALK_MODEL_PAGE_TABLE_H_
#define TWINWALK_MODEL_PAGE_TABLE_H_

#include <cstdint>
#include <vector>

#include "model/host_memory.h"
#include "model/tables_smmuv3.h"
#include "model/tables_vtd.h"
#include "traces/word.h"

namespace twinwalk::model {

// A table that was unlinked and must not be reused before its range is invalidated.
struct FreedTable {
  uint64_t frame = 0;
  uint64_t first = 0, last = 0;  // input range that it mapped
};

// Second-stage tables of VT-d.
struct VtdTables {
  int levels = 4;      // 3, 4 or 5
  int inputBits = 48;  // at most what the levels span
  bool pages2M = false, pages1G = false;
};

class PageTable {
 public:
  // inputBits: 48 for stage 1; the IPA size for stage 2 (32..48).
  PageTable(HostMemory* memory, TableStage stage, int input_bits);
  PageTable(HostMemory* memory, const VtdTables& tables);
  // REQUIRES of destruction: FreeAll was called.
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  uint64_t root() const { return root_; }
  int start_level() const { return startLevel_; }
  int input_bits() const { return inputBits_; }
  TableStage stage() const { return stage_; }
  // Off: what is mapped from now on gets leaves of one page.
  void set_large_leaves(bool on) { largeLeaves_ = on; }
  int vtd_levels() const { return VtdLevel(startLevel_); }

  // REQUIRES: [first, first + pages * 4096) is inside of the input range; nothing is mapped there;
  // frame(i) is the frame of its i-th page.
  template <class FrameOf>
  void Map(uint64_t first, uint64_t pages, uint8_t rights, FrameOf&& frame_of) {
    runEnd_ = 0;  // what RunOf remembers is of another range
    for (uint64_t i = 0; i < pages;) {
      const uint64_t pa = frame_of(i) * kPageSize;
      const uint64_t run = RunOf(i, pages, frame_of);
      const int level = LevelFor(first + i * kPageSize, pa, run);
      WriteLeaf(first + i * kPageSize, pa, level, rights);
      i += uint64_t{1} << (LevelShift(level) - kGranule);
    }
  }
  // Removes all leaves in first..last; unlinked tables go to `freed`. skip_frame_zero: a planted
  // fault (M14).
  void Unmap(uint64_t first, uint64_t last, bool skip_frame_zero, std::vector<FreedTable>* freed);
  // Frees every table, the root included.
  void FreeAll();

 private:
  // What WriteStep sees, and how entries of each format are written and read.
  struct Memory;
  struct SmmuWriter;
  struct VtdWriter;
  static constexpr int VtdLevel(int level) { return 4 - level; }

  // Contiguous pages from i on; looks no further than a 1 GiB leaf needs.
  template <class FrameOf>
  uint64_t RunOf(uint64_t i, uint64_t pages, FrameOf&& frame_of) {
    if (i < runEnd_ && i >= runBegin_) return runEnd_ - i;
    uint64_t end = i + 1;
    while (end < pages && frame_of(end) == frame_of(end - 1) + 1) ++end;
    runBegin_ = i, runEnd_ = end;
    return end - i;
  }
  int LevelFor(uint64_t input, uint64_t pa, uint64_t pages) const;
  void WriteLeaf(uint64_t input, uint64_t pa, int level, uint8_t rights);
  template <class Writer>
  void WriteLeafBy(const Writer& writer, uint64_t input, uint64_t pa, int level, uint8_t rights);
  // Returns whether the table has become empty.
  template <class Writer>
  bool UnmapIn(const Writer& writer, uint64_t table, int level, uint64_t base, uint64_t first,
               uint64_t last, bool skip, std::vector<FreedTable>* freed);
  template <class Writer>
  void FreeBelow(const Writer& writer, uint64_t table, int level);
  int Wide(int level) const { return level == startLevel_ ? wide_ : 0; }

  HostMemory* memory_;
  bool vtd_ = false;
  TableStage stage_ = TableStage::kStage2;
  bool blocks_[kLeafLevel] = {false, true, true};  // levels above the last that may hold leaves
  int inputBits_;
  int startLevel_ = 0;
  bool largeLeaves_ = true;
  int wide_ = 0;                        // extra index bits of the first lookup: concatenated tables
  uint64_t root_ = 0;                   // address
  uint64_t runBegin_ = 0, runEnd_ = 0;  // of the Map in progress
  uint64_t lastBase_ = 1, lastTable_ = 0;  // the leaf table used last, for runs of pages
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_PAGE_TABLE_H_
