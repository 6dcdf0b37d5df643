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

struct PageTable::SmmuWriter {
  TableStage stage;
  static bool Present(uint64_t word) { return (word & 1) != 0; }
  static bool IsTable(uint64_t word, int level) { return level < kLeafLevel && (word & 3) == 3; }
  static uint64_t Output(uint64_t word) { return word & kAddressBits; }
  uint64_t Leaf(int level, uint64_t pa, uint8_t rights) const {
    return LeafDescriptor<Concrete>(level, pa, rights, stage);
  }
  static WriteStepResult<Concrete> Write(Memory& memory, uint64_t table, int level, int wide,
                                         int leaf_level, uint64_t input, uint64_t leaf) {
    return WriteStep<Concrete>(memory, table, level, wide, leaf_level, input, leaf);
  }
  static void Clear(Memory& memory, uint64_t table, int level, int wide, uint64_t input) {
    ClearStep<Concrete>(memory, table, level, wide, input);
  }
};

struct PageTable::VtdWriter {
  static bool Present(uint64_t word) { return (word & 3) != 0; }
  static bool IsTable(uint64_t word, int level) {
    return Present(word) && level < kLeafLevel && (word & 1 << 7) == 0;
  }
  static uint64_t Output(uint64_t word) { return word & kVtdAddressBits; }
  static uint64_t Leaf(int level, uint64_t pa, uint8_t rights) {
    return LeafEntry<Concrete>(VtdLevel(level), pa, rights);
  }
  static VtdWriteResult<Concrete> Write(Memory& memory, uint64_t table, int level, int,
                                        int leaf_level, uint64_t input, uint64_t leaf) {
    return WriteVtdStep<Concrete>(memory, table, VtdLevel(level), VtdLevel(leaf_level), input,
                                  leaf);
  }
  static void Clear(Memory& memory, uint64_t table, int level, int, uint64_t input) {
    ClearVtdStep<Concrete>(memory, table, VtdLevel(level), input);
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

PageTable::PageTable(HostMemory* memory, const VtdTables& tables)
    : memory_(memory), vtd_(true), inputBits_(tables.inputBits), startLevel_(4 - tables.levels) {
  blocks_[1] = tables.pages1G, blocks_[2] = tables.pages2M;
  root_ = memory->Allocate(0, 0) * kPageSize;
}

int PageTable::LevelFor(uint64_t input, uint64_t pa, uint64_t pages) const {
  for (int level = 1; level < kLeafLevel; ++level) {
    if (!largeLeaves_ || !blocks_[level]) continue;
    const uint64_t size = uint64_t{1} << LevelShift(level);
    if ((input | pa) % size == 0 && pages >= size / kPageSize) return level;
  }
  return kLeafLevel;
}

void PageTable::WriteLeaf(uint64_t input, uint64_t pa, int level, uint8_t rights) {
  if (vtd_)
    WriteLeafBy(VtdWriter{}, input, pa, level, rights);
  else
    WriteLeafBy(SmmuWriter{stage_}, input, pa, level, rights);
}

template <class Writer>
void PageTable::WriteLeafBy(const Writer& writer, uint64_t input, uint64_t pa, int level,
                            uint8_t rights) {
  Memory memory{memory_};
  const uint64_t leaf = writer.Leaf(level, pa, rights);
  const uint64_t base = input >> LevelShift(2) << LevelShift(2);
  if (level == kLeafLevel && base == lastBase_) {  // same leaf table as before
    writer.Write(memory, lastTable_, level, 0, level, input, leaf);
    return;
  }
  uint64_t table = root_;
  for (int at = startLevel_; at < level; ++at) {
    const auto step = writer.Write(memory, table, at, Wide(at), level, input, leaf);
    if (step.failed != 0) return;  // only beneath a planted fault: an old leaf still stands
    table = step.next;
  }
  writer.Write(memory, table, level, Wide(level), level, input, leaf);
  if (level == kLeafLevel) lastBase_ = base, lastTable_ = table;
}

void PageTable::Unmap(uint64_t first, uint64_t last, bool skip_frame_zero,
                      std::vector<FreedTable>* freed) {
  lastBase_ = 1;
  runEnd_ = 0;
  if (vtd_)
    UnmapIn(VtdWriter{}, root_, startLevel_, 0, first, last, skip_frame_zero, freed);
  else
    UnmapIn(SmmuWriter{stage_}, root_, startLevel_, 0, first, last, skip_frame_zero, freed);
}

template <class Writer>
bool PageTable::UnmapIn(const Writer& writer, uint64_t table, int level, uint64_t base,
                        uint64_t first, uint64_t last, bool skip, std::vector<FreedTable>* freed) {
  Memory memory{memory_};
  const int shift = LevelShift(level);
  const uint64_t size = uint64_t{1} << shift;
  const uint64_t index_from = first > base ? (first - base) >> shift : 0;
  const uint64_t entries = uint64_t{1} << (kStride + Wide(level));
  for (uint64_t i = index_from; i < entries && base + i * size <= last; ++i) {
    const uint64_t input = base + i * size;
    const uint64_t word = memory.Read(EntryAddress<Concrete>(table, level, input, Wide(level)));
    if (!writer.Present(word)) continue;
    if (writer.IsTable(word, level)) {
      const uint64_t next = writer.Output(word);
      if (!UnmapIn(writer, next, level + 1, input, first, last, skip, freed)) continue;
      freed->push_back({next / kPageSize, input, input + size - 1});
    }
    if (skip && writer.Output(word) == 0) continue;
    writer.Clear(memory, table, level, Wide(level), input);
  }
  return level != startLevel_ && memory_->At(table / kPageSize).page == 0;
}

template <class Writer>
void PageTable::FreeBelow(const Writer& writer, uint64_t table, int level) {
  for (uint64_t i = 0; level < kLeafLevel && i < uint64_t{512} << Wide(level); ++i) {
    uint64_t word = 0;
    memory_->Read64(table + i * 8, &word);
    if (writer.IsTable(word, level)) FreeBelow(writer, writer.Output(word), level + 1);
  }
  for (uint64_t i = 0; i < uint64_t{1} << Wide(level); ++i) memory_->Free(table / kPageSize + i);
}

void PageTable::FreeAll() {
  if (vtd_)
    FreeBelow(VtdWriter{}, root_, startLevel_);
  else
    FreeBelow(SmmuWriter{stage_}, root_, startLevel_);
  lastBase_ = 1;
}

}  // namespace twinwalk::model
