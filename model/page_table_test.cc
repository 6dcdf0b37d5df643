// What the table writer writes is what the walker reads: the page table against the plain walk, and
// the leaf bits against the sheet.
#include "model/page_table.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "model/walk_smmuv3.h"
#include "model/walk_vtd.h"

namespace twinwalk::model {
namespace {

TEST(LeafDescriptor, BitsOfTheSheet) {
  const auto leaf = [](int level, uint64_t rights, TableStage stage) {
    return LeafDescriptor<Concrete>(level, 0x40000000, rights, stage);
  };
  // Stage 2: S2AP bits 7:6 are write, read; MemAttr 1111; SH 11; AF.
  EXPECT_EQ(leaf(3, kRead | kWrite, TableStage::kStage2), 0x400007ffu);
  EXPECT_EQ(leaf(3, kRead, TableStage::kStage2), 0x4000077fu);
  EXPECT_EQ(leaf(2, kWrite, TableStage::kStage2), 0x400007bdu);
  // Stage 1: AP 01 or 11, nG.
  EXPECT_EQ(leaf(3, kRead | kWrite, TableStage::kStage1), 0x40000f43u);
  EXPECT_EQ(leaf(1, kRead, TableStage::kStage1), 0x40000fc1u);
}

class HostEnv {
 public:
  explicit HostEnv(const HostMemory* memory) : memory_(memory) {}
  bool Read(uint64_t pa, uint64_t* value) { return memory_->Read64(pa, value); }
  bool Stage2Start(uint64_t, int, int*, uint64_t*, uint64_t*) { return false; }
  void Stage2Table(uint64_t, int, int, uint64_t, uint64_t) {}

 private:
  const HostMemory* memory_;
};

Stage Walk(const HostMemory& memory, const PageTable& table, uint64_t ipa) {
  StreamEntry<Concrete> ste;
  ste.s2ttb = table.root();
  ste.s2size = table.input_bits();
  ste.s2level = table.start_level();
  ste.s2granule = 12;
  ste.s2outputBits = 48;
  HostEnv env(&memory);
  return WalkStage2(env, ste, ipa);
}

TEST(PageTable, WalkFindsWhatWasMapped) {
  for (int bits : {32, 36, 40, 42, 44, 48}) {
    SCOPED_TRACE(bits);
    HostMemory memory;
    const uint64_t frames = memory.AllocateRun(2048, 2048, 1, 0);
    PageTable table(&memory, TableStage::kStage2, bits);
    const uint64_t top = (uint64_t{1} << bits) - (8 << 20);
    // 4 MiB, aligned: two 2 MiB leaves. Then 3 pages in reverse order: 4 KiB leaves.
    table.Map(top, 1024, kRead | kWrite, [&](uint64_t i) { return frames + i; });
    table.Map(0x1000, 3, kRead, [&](uint64_t i) { return frames + 2000 - i; });
    const Stage large = Walk(memory, table, top + 0x212345);
    EXPECT_EQ(large.event, 0);
    EXPECT_EQ(large.output, frames * kPageSize + 0x212345);
    EXPECT_EQ(large.log2Size, 21);
    const Stage small = Walk(memory, table, 0x3010);
    EXPECT_EQ(small.output, (frames + 1998) * kPageSize + 0x10);
    EXPECT_EQ(small.log2Size, 12);
    EXPECT_EQ(small.permissions & (kUserRead | kUserWrite), kUserRead);
    EXPECT_EQ(Walk(memory, table, 0x4000).event, kTranslation);
    EXPECT_EQ(Walk(memory, table, top - 1).event, kTranslation);

    std::vector<FreedTable> freed;
    table.Unmap(0x1000, 0x3fff, false, &freed);
    EXPECT_EQ(Walk(memory, table, 0x1000).event, kTranslation);
    EXPECT_EQ(Walk(memory, table, top).event, 0);
    ASSERT_FALSE(freed.empty());
    EXPECT_EQ(freed[0].first, 0u);
    EXPECT_EQ(freed[0].last, 0x1fffffu);
    for (const FreedTable& f : freed) memory.Free(f.frame);
    table.FreeAll();
  }
}

TEST(PageTable, GigabyteLeaf) {
  HostMemory memory;
  const uint64_t frames = memory.AllocateRun(1 << 18, 1 << 18, 1, 0);
  PageTable table(&memory, TableStage::kStage1, 48);
  table.Map(uint64_t{1} << 30, 1 << 18, kRead, [&](uint64_t i) { return frames + i; });
  uint64_t l0 = 0, l1 = 0;
  memory.Read64(table.root(), &l0);
  ASSERT_EQ(l0 & 3, 3u);
  memory.Read64((l0 & kAddressBits) + 8, &l1);
  EXPECT_EQ(l1, frames * kPageSize | 0xfc1);
  std::vector<FreedTable> freed;
  table.Unmap(uint64_t{1} << 30, (uint64_t{2} << 30) - 1, false, &freed);
  EXPECT_EQ(freed.size(), 1u);
}

// A domain of `levels` levels as a legacy context entry names it, walked by the unit's own steps.
VtdAnswer WalkDomain(const HostMemory& memory, uint64_t root, int levels, uint64_t iova) {
  struct Tables : WalkMemory {
    const HostMemory* memory;
    uint64_t root;
    int levels;
    bool Read64(uint64_t address, uint64_t* value) override {
      const uint64_t high = uint64_t{1} << 60;  // where the root and context entries are
      if (address < high) return memory->Read64(address, value);
      *value = address == high            ? high | 0x1001
               : address == high + 0x1000 ? root | 1
               : address == high + 0x1008 ? static_cast<uint64_t>(levels) - 2
                                          : 0;
      return true;
    }
  } tables;
  tables.memory = &memory, tables.root = root, tables.levels = levels;
  VtdRegs regs;
  regs.cap = uint64_t{14} << 8 | uint64_t{56} << 16 | uint64_t{3} << 34;
  regs.rtaddr = uint64_t{1} << 60;
  VtdQuery query;
  query.address = iova;
  return WalkVtd(regs, tables, query);
}

TEST(PageTable, VtdWalkFindsWhatWasMapped) {
  for (int levels : {3, 4, 5}) {
    SCOPED_TRACE(levels);
    HostMemory memory;
    const uint64_t frames = memory.AllocateRun(2048, 2048, 1, 0);
    const int bits = 12 + 9 * levels;
    PageTable table(&memory, {levels, bits, true, true});
    EXPECT_EQ(table.vtd_levels(), levels);
    const uint64_t top = (uint64_t{1} << bits) - (8 << 20);
    table.Map(top, 1024, kRead | kWrite, [&](uint64_t i) { return frames + i; });
    table.Map(0x1000, 3, kRead, [&](uint64_t i) { return frames + 2000 - i; });
    const auto walk = [&](uint64_t iova) { return WalkDomain(memory, table.root(), levels, iova); };
    EXPECT_EQ(walk(top + 0x212345).pa, frames * kPageSize + 0x212345);
    EXPECT_EQ(walk(top + 0x212345).size, 0x200000u);
    EXPECT_EQ(walk(0x3010).pa, (frames + 1998) * kPageSize + 0x10);
    EXPECT_EQ(walk(0x3010).size, 0x1000u);
    EXPECT_EQ(walk(0x3010).rights, kRead);
    EXPECT_EQ(walk(0x4000).reason, 6);
    EXPECT_EQ(walk(top - 1).reason, 6);
    std::vector<FreedTable> freed;
    table.Unmap(0x1000, 0x3fff, false, &freed);
    EXPECT_EQ(walk(0x1000).reason, 6);
    EXPECT_EQ(walk(top).reason, 0);
    ASSERT_EQ(freed.size(), static_cast<size_t>(levels) - 1);
    EXPECT_EQ(freed[0].first, 0u);
    EXPECT_EQ(freed[0].last, 0x1fffffu);
    for (const FreedTable& f : freed) memory.Free(f.frame);
    table.FreeAll();
  }
}

// Leaves as large as the unit offers, and no larger.
TEST(PageTable, VtdLargeLeaves) {
  HostMemory memory;
  const uint64_t frames = memory.AllocateRun(1 << 18, 1 << 18, 1, 0);
  const auto size = [&](bool pages_2m, bool pages_1g) {
    PageTable table(&memory, {3, 39, pages_2m, pages_1g});
    table.Map(uint64_t{1} << 30, 1 << 18, kRead, [&](uint64_t i) { return frames + i; });
    const uint64_t out = WalkDomain(memory, table.root(), 3, uint64_t{1} << 30).size;
    table.FreeAll();
    return out;
  };
  EXPECT_EQ(size(true, true), uint64_t{1} << 30);
  EXPECT_EQ(size(true, false), uint64_t{1} << 21);
  EXPECT_EQ(size(false, false), uint64_t{1} << 12);
}

// Concrete memory for one step of the writer.
struct FlatMemory {
  std::map<uint64_t, uint64_t> words;
  uint64_t next = 0x100000;
  uint64_t Read(uint64_t a) { return words[a]; }
  void Write(uint64_t a, uint64_t v) { words[a] = v; }
  uint64_t NewTable() { return next == 0 ? 0 : std::exchange(next, 0); }
};

TEST(WriteStep, LinksFollowsAndRefuses) {
  FlatMemory memory;
  const auto step = [&](int level) {
    return WriteStep<Concrete>(memory, 0x1000, level, 0, 3, 0x201000, 0xabc003);
  };
  const auto made = step(2);
  EXPECT_EQ(made.next, 0x100000u);
  EXPECT_EQ(made.made, 1u);
  EXPECT_EQ(memory.words[0x1008], 0x100003u);
  const auto followed = step(2);
  EXPECT_EQ(followed.next, 0x100000u);
  EXPECT_EQ(followed.made, 0u);
  EXPECT_EQ(step(1).failed, 1u);  // no frame left
  EXPECT_EQ(step(3).failed, 1u);  // entry 1 is in use (as the table link above)
  memory.words[0x1008] = 0x200001;
  EXPECT_EQ(step(2).failed, 1u);  // a block stands there
}

}  // namespace
}  // namespace twinwalk::model
