// The rows of hw "What may be stale": fill, change, a command that need not cover (both members are
// permitted), a command that must (only the new one is). And what the table says of single entries.
#include "reference/cache_smmuv3.h"

#include <gtest/gtest.h>

#include <set>

#include "reference/test_driver.h"

namespace twinwalk {
namespace {

constexpr uint64_t kAsid = 0x42;
constexpr uint64_t kVsid = 0x77;
constexpr uint64_t Asid(uint64_t op, uint64_t asid) {
  return op | asid << 48;
}

// Offsets into the backing that a read at `va` may meet; a fault counts as its event number.
std::set<uint64_t> Members(const Driver& d, uint64_t va, uint32_t device = 0) {
  std::set<uint64_t> out;
  for (const Outcome& o : d.machine->Permitted(d.DmaOp(device, va, 8), 64))
    out.insert(o.pieces[0].fault != 0 ? o.pieces[0].fault : o.pieces[0].offset);
  return out;
}
using Set = std::set<uint64_t>;

struct Row {
  const char* name;
  std::vector<uint64_t> insufficient;  // commands, two words each
  std::vector<uint64_t> sufficient;
};

class Stale : public testing::TestWithParam<Row> {};

// A page's leaf changes from 0x110000 to 0x111000.
TEST_P(Stale, Leaf) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000}));
  g.Page(5, 0x111000);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x11000}));
  if (!GetParam().insufficient.empty()) {
    ASSERT_EQ(d.Invalidate(g.iommu, g.viommu, GetParam().insufficient).err, 0);
    EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x11000}));
  }
  ASSERT_EQ(d.Invalidate(g.iommu, g.viommu, GetParam().sufficient).err, 0);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x11000}));
}

INSTANTIATE_TEST_SUITE_P(
    Sheet, Stale,
    testing::Values(Row{"NhAll", {}, {0x10, 0}}, Row{"NsnhAll", {}, {0x30, 0}},
                    Row{"NhAsid", {Asid(0x11, 0x43), 0}, {Asid(0x11, kAsid), 0}},
                    Row{"NhVaOtherAsid", {Asid(0x12, 0x43), 0x5000}, {Asid(0x12, kAsid), 0x5000}},
                    Row{"NhVaOtherPage", {Asid(0x12, kAsid), 0x6001}, {Asid(0x12, kAsid), 0x5001}},
                    Row{"NhVaa", {Asid(0x13, 0), 0x4001}, {Asid(0x13, 0), 0x5001}},
                    // TG 1, TTL 2 names 2 MiB leaves only; TTL 3 pages.
                    Row{"NhVaTtl", {Asid(0x12, kAsid), 0x5601}, {Asid(0x12, kAsid), 0x5701}},
                    // NUM 0, SCALE 2: pages 4 to 7; pages 8 to 11.
                    Row{"NhVaRange",
                        {Asid(0x12, kAsid) | 2 << 20, 0x8401},
                        {Asid(0x12, kAsid) | 2 << 20, 0x4401}},
                    Row{"NotByConfig", {0x06 | kVsid << 32, 0}, {Asid(0x12, kAsid), 0x5001}}),
    [](const auto& info) { return std::string(info.param.name); });

// A table pointer changes: L2[0] from 0x104000 to 0x105000, whose entry 5 is another page.
TEST(StaleTable, NeedsMoreThanALeafInvalidation) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  g.Poke(0x105000 + 5 * 8, 0x112c43);
  g.Poke(0x103000, 0x105003);
  d.Invalidate(g.iommu, g.viommu, {Asid(0x12, kAsid), 0x5001});  // Leaf: tables may stay
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x12000}));
  d.Invalidate(g.iommu, g.viommu, {Asid(0x12, kAsid), 0x5000});
  EXPECT_EQ(Members(d, 0x5000), (Set{0x12000}));
}

// hw 8: a global entry made under one ASID serves another, and no TLBI_NH_ASID ends it.
TEST(StaleGlobal, IsSharedByTheAsidsOfAVmid) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000, true);
  d.Dma(0, 0x5000);
  g.Page(5, 0x111000, true);
  g.Poke(0x100000, Guest::Cd0(0x43));
  d.Invalidate(g.iommu, g.viommu, {0x06 | kVsid << 32, 0, Asid(0x11, kAsid), 0});
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x11000}));
  d.Invalidate(g.iommu, g.viommu, {Asid(0x12, 0x99), 0x5001});  // any ASID names a global entry
  EXPECT_EQ(Members(d, 0x5000), (Set{0x11000}));
}

// A CD survives every TLBI, until CFGI_CD of its stream; V = 0 is cached too under the rule.
TEST(StaleCd, EndsWithCfgiOnly) {
  for (const bool cacheable : {true, false}) {
    World world = Driver::TwoGuests();
    world.rules.invalidCdCacheable = cacheable;
    Driver d(world);
    Guest g(&d);
    g.Page(5, 0x110000);
    g.Poke(0x100000, Guest::Cd0(kAsid) & ~(uint64_t{1} << 31));
    d.Dma(0, 0x5000);  // C_BAD_CD
    g.Poke(0x100000, Guest::Cd0(kAsid));
    EXPECT_EQ(Members(d, 0x5000), cacheable ? (Set{0x0a, 0x10000}) : (Set{0x10000}));
    d.Invalidate(g.iommu, g.viommu, {0x30, 0});
    EXPECT_EQ(Members(d, 0x5000), cacheable ? (Set{0x0a, 0x10000}) : (Set{0x10000}));
    d.Invalidate(g.iommu, g.viommu, {0x05 | kVsid << 32, 1});
    EXPECT_EQ(Members(d, 0x5000), (Set{0x10000}));
  }
}

// A faulting result may never come from a cache; a permission fault may, from a valid leaf.
TEST(StaleFaults, OnlyPermissionFaultsStay) {
  Driver d;
  Guest g(&d);
  EXPECT_EQ(d.Dma(0, 0x5000).pieces[0].fault, 0x10);
  g.Page(5, 0x110000);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000}));
  g.Poke(0x104000 + 8 * 6, 0x111000 | 0x843);  // AF = 0
  EXPECT_EQ(d.Dma(0, 0x6000).pieces[0].fault, 0x12);
  g.Page(6, 0x111000);
  EXPECT_EQ(Members(d, 0x6000), (Set{0x11000}));
  g.Poke(0x104000 + 8 * 7, 0x112000 | 0xcc3);  // read-only
  EXPECT_EQ(d.Dma(0, 0x7000, 8, "12345678").pieces[0].fault, 0x13);
  g.Page(7, 0x112000);
  std::set<uint64_t> faults;
  for (const Outcome& o : d.machine->Permitted(d.DmaOp(0, 0x7000, 8, "12345678"), 64))
    faults.insert(o.pieces[0].fault);
  EXPECT_EQ(faults, (Set{0, 0x13}));
}

// A 2 MiB stage-1 block is one leaf: what was learnt of one page of it holds for the others, and an
// invalidation of any of its addresses ends all of it (hw, Observed 2: not what one emulator does).
TEST(StaleBlock, IsOneLeaf) {
  World rich = Driver::TwoGuests();
  rich.processes[0].memlockPages = 4096;
  Driver e(rich);
  Guest h(&e);
  e.Mmap(0x50000000, 0x400000);
  ASSERT_EQ(e.Map(h.iommu, h.ioas, 0x200000, 0x50000000, 0x400000).err, 0);
  h.Poke(0x103000 + 8, 0x200000 | 0xc41);  // L2[1]: block at VA 0x200000
  e.Dma(0, 0x200000);
  h.Poke(0x103000 + 8, 0x400000 | 0xc41);
  EXPECT_EQ(Members(e, 0x305000), (Set{0x105000, 0x305000}));
  e.Invalidate(h.iommu, h.viommu, {Asid(0x12, kAsid), 0x3ff001});
  EXPECT_EQ(Members(e, 0x305000), (Set{0x305000}));
  EXPECT_EQ(Members(e, 0x200000), (Set{0x200000}));
}

// Attach and replace flush the configuration, not the TLB (iommufd Observed 10).
TEST(StaleAttach, EqualAsidsMeetEachOther) {
  Driver d;
  Guest g(&d);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  g.Poke(0x108000, Guest::Cd0(kAsid));  // a second CD, other tables, same ASID
  g.Poke(0x108008, 0x109000);
  g.Poke(0x109000, 0x10a003), g.Poke(0x10a000, 0x10b003), g.Poke(0x10b000, 0x10c003);
  g.Poke(0x10c000 + 5 * 8, 0x113c43);
  const uint32_t other = d.Nested(g.iommu, g.dev, g.viommu, 0x10800b).id;
  EXPECT_EQ(d.Attach(g.cdev, other).err, 0);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x13000}));
  d.Invalidate(g.iommu, g.viommu, {Asid(0x11, kAsid), 0});
  EXPECT_EQ(Members(d, 0x5000), (Set{0x13000}));
}

// iommufd Observed 9: vIOMMUs on two nest parents do not meet.
TEST(StaleTag, AnotherVmidIsUntouched) {
  Driver d;
  Guest g(&d);
  d.process = 1;
  Guest h(&d, 1, 0x78);
  ASSERT_EQ(h.attached.err, 0);
  d.process = 0;
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  g.Page(5, 0x111000);
  d.process = 1;
  EXPECT_EQ(d.Invalidate(h.iommu, h.viommu, {0x30, 0}).err, 0);
  EXPECT_EQ(Members(d, 0x5000), (Set{0x10000, 0x11000}));
}

// Both members of a permitted set are accepted, and a third value is not.
TEST(Guided, AdoptsThePermittedMemberThatWasSeen) {
  for (const uint64_t seen : {uint64_t{0x10000}, uint64_t{0x11000}, uint64_t{0x12000}}) {
    Driver d;
    Guest g(&d);
    g.Page(5, 0x110000);
    d.Dma(0, 0x5000);
    g.Page(5, 0x111000);
    Outcome wanted;
    wanted.known = Outcome::kErr | Outcome::kPieces;
    wanted.pieces = {{0x5000, 8, 0, 0, 1, seen}};
    const GuidedStep step = d.machine->StepTowards(d.DmaOp(0, 0x5000, 8), wanted);
    EXPECT_EQ(step.match, seen == 0x12000 ? Match::kDifferent : Match::kEqual);
    EXPECT_EQ(step.outcome.pieces[0].offset, seen == 0x12000 ? 0x11000 : seen);
    EXPECT_EQ(step.members > 1, seen != 0x11000);
  }
}

// What was read decides where pieces are not known.
TEST(Guided, ByData) {
  Driver d;
  Guest g(&d);
  g.Poke(0x110000, 0xaaaa), g.Poke(0x111000, 0xbbbb);
  g.Page(5, 0x110000);
  d.Dma(0, 0x5000);
  g.Page(5, 0x111000);
  Outcome wanted;
  wanted.known = Outcome::kData;
  wanted.data = Driver::Words({0xaaaa});
  EXPECT_EQ(d.machine->StepTowards(d.DmaOp(0, 0x5000, 8), wanted).match, Match::kEqual);
  wanted.data = Driver::Words({0xcccc});
  EXPECT_EQ(d.machine->StepTowards(d.DmaOp(0, 0x5000, 8), wanted).match, Match::kDifferent);
}

// Planted faults show (the same switches that proofs must refute).
TEST(Planted, SkippedInvalidationLeavesTheOldPage) {
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.skipInvalidation = planted;
    Driver d(Driver::TwoGuests(), faults);
    Guest g(&d);
    g.Page(5, 0x110000);
    d.Dma(0, 0x5000);
    d.Unmap(g.iommu, g.ioas, Guest::kIpa, Guest::kBytes);
    EXPECT_EQ(Members(d, 0x5000).count(0x10000), planted ? 1u : 0u);
  }
}
TEST(Planted, ForgottenSpaceLeavesTheOldPage) {
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.unmapForgetsSpace = planted;
    Driver d(Driver::TwoGuests(), faults);
    Guest g(&d);
    const uint32_t b = d.OpenCdev(1);
    d.Bind(b, g.iommu);
    ASSERT_EQ(d.Attach(b, g.ioas).err, 0);  // a second HWPT on the same IOAS
    d.Dma(1, Guest::kIpa);
    d.Unmap(g.iommu, g.ioas, Guest::kIpa, Guest::kBytes);
    EXPECT_EQ(Members(d, Guest::kIpa, 1).count(0), planted ? 1u : 0u);
  }
}
TEST(Planted, WrongRightsAndUncountedReference) {
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.wrongRightsAnd = faults.uncountedReference = planted;
    Driver d(Driver::TwoGuests(), faults);
    Guest g(&d);
    EXPECT_EQ(d.Destroy(g.iommu, g.nested).err, planted ? 0 : EBUSY);
    Driver e(Driver::TwoGuests(), faults);
    Guest h(&e);
    e.Unmap(h.iommu, h.ioas, Guest::kIpa, Guest::kBytes);
    e.Map(h.iommu, h.ioas, Guest::kIpa, Guest::kVa, Guest::kBytes, 5);  // read-only
    h.Page(5, 0x110000);
    EXPECT_EQ(e.Dma(0, 0x5000, 4, "abcd").pieces[0].fault, planted ? 0 : 0x13);
  }
}

}  // namespace
}  // namespace twinwalk
