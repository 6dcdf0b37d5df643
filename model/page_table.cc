#include "model/page_table.h"

#include "traces/check.h"

namespace twinwalk::model {

// Counts the entries in use of each table frame, so that an empty one is noticed at once.
struct PageTable::Memory {
  HostMemory* host;
  uint64_t Read(uint64_t address) {
    uint64_t value = 0;
    CHECK(host->Read64(address, &value));
    return value;
  }
  void Write(uint64_t address, uint64_t value) {
    uint64_t& used = host->At(address / kPageSize).page;
    const uint64_t old = Read(address);
    if (old == 0 && value != 0) ++used;
    if (old != 0 && value == 0) --used;
    host->Write64(address, value);
  }
  // Never frame 0: WriteStep reads 0 as "none".
  uint64_t NewTable() {
    const uint64_t frame = host->Allocate(0, 0);
    if (frame != 0) return frame * kPageSize;
    const uint64_t other = host->Allocate(0, 0);
    host->Free(frame);
    return other * kPageSize;
  }
};

PageTable::PageTable(HostMemory* memory, TableStage stage, int input_bits)
    : memory_(memory), stage_(stage), inputBits_(input_bits) {
  // Start at level 1 when at most 16 concatenated tables do (SMMUv3 sheet 4.3), else at level 0.
  const int above = input_bits - LevelShift(1) - kStride;
  startLevel_ = stage == TableStage::kStage2 && above <= 4 ? 1 : 0;
  if (startLevel_ == 1 && above > 0) wide_ = above;
  const uint64_t tables = uint64_t{1} << wide_;
  root_ = memory->AllocateRun(tables, tables, 0, 0) * kPageSize;
}

int PageTable::LevelFor(uint64_t input, uint64_t pa, uint64_t pages) const {
  for (int level = 1; level < kLeafLevel; ++level) {
    const uint64_t size = uint64_t{1} << LevelShift(level);
    if ((input | pa) % size == 0 && pages >= size / kPageSize) return level;
  }
  return kLeafLevel;
}

void PageTable::WriteLeaf(uint64_t input, uint64_t pa, int level, uint8_t rights) {
  Memory memory{memory_};
  const uint64_t leaf = LeafDescriptor<Concrete>(level, pa, rights, stage_);
  const uint64_t base = input >> LevelShift(2) << LevelShift(2);
  if (level == kLeafLevel && base == lastBase_) {  // same leaf table as before
    WriteStep<Concrete>(memory, lastTable_, level, 0, level, input, leaf);
    return;
  }
  uint64_t table = root_;
  for (int at = startLevel_; at < level; ++at) {
    const auto step = WriteStep<Concrete>(memory, table, at, Wide(at), level, input, leaf);
    if (step.failed != 0) return;  // only beneath a planted fault: an old leaf still stands
    table = step.next;
  }
  WriteStep<Concrete>(memory, table, level, Wide(level), level, input, leaf);
  if (level == kLeafLevel) lastBase_ = base, lastTable_ = table;
}

void PageTable::Unmap(uint64_t first, uint64_t last, bool skip_frame_zero,
                      std::vector<FreedTable>* freed) {
  lastBase_ = 1;
  runEnd_ = 0;
  UnmapIn(root_, startLevel_, 0, first, last, skip_frame_zero, freed);
}

bool PageTable::UnmapIn(uint64_t table, int level, uint64_t base, uint64_t first, uint64_t last,
                        bool skip, std::vector<FreedTable>* freed) {
  Memory memory{memory_};
  const int shift = LevelShift(level);
  const uint64_t size = uint64_t{1} << shift;
  const uint64_t index_from = first > base ? (first - base) >> shift : 0;
  const uint64_t entries = uint64_t{1} << (kStride + Wide(level));
  for (uint64_t i = index_from; i < entries && base + i * size <= last; ++i) {
    const uint64_t input = base + i * size;
    const uint64_t word = memory.Read(EntryAddress<Concrete>(table, level, input, Wide(level)));
    if ((word & 1) == 0) continue;
    if (level < kLeafLevel && (word & 2) != 0) {
      const uint64_t next = word & kAddressBits;
      if (!UnmapIn(next, level + 1, input, first, last, skip, freed)) continue;
      freed->push_back({next / kPageSize, input, input + size - 1});
    }
    if (skip && (word & kAddressBits) == 0) continue;
    ClearStep<Concrete>(memory, table, level, Wide(level), input);
  }
  return level != startLevel_ && memory_->At(table / kPageSize).page == 0;
}

void PageTable::FreeBelow(uint64_t table, int level) {
  for (uint64_t i = 0; level < kLeafLevel && i < uint64_t{512} << Wide(level); ++i) {
    uint64_t word = 0;
    memory_->Read64(table + i * 8, &word);
    if ((word & 3) == 3) FreeBelow(word & kAddressBits, level + 1);
  }
  for (uint64_t i = 0; i < uint64_t{1} << Wide(level); ++i) memory_->Free(table / kPageSize + i);
}

void PageTable::FreeAll() {
  FreeBelow(root_, startLevel_);
  lastBase_ = 1;
}

}  // namespace twinwalk::model
