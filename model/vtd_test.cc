// The model with VT-d units: what its devices meet, what the ioctls answer there, and what the unit
// remembers and records.
#include "model/vtd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

#include "model/vtd_driver.h"
#include "traces/invariants.h"
#include "traces/monitor.h"

namespace twinwalk::model {
namespace {

uint64_t Word(const std::string& bytes, size_t at) {
  uint64_t out = 0;
  std::memcpy(&out, bytes.data() + at, 8);
  return out;
}

// ---- What the ioctls answer (recordings of q35 machines)
// -----------------------------------------

TEST(VtdMachine, IovaRanges) {
  VtdPlain p;
  Op op = p.d.Make(OpKind::kIoasIovaRanges, p.iommu);
  op.ioasIovaRanges.ioasId = p.ioas;
  op.ioasIovaRanges.numIovas = 16;
  op.ioasIovaRanges.bufWritable = 256;
  const Outcome out = p.d.Run(op);
  EXPECT_EQ(out.err, 0);
  EXPECT_EQ(out.values[0], 2u);
  EXPECT_EQ(out.values[1], 0x1000u);
  ASSERT_EQ(out.out.size(), 32u);
  EXPECT_EQ(Word(out.out, 0), 0u);
  EXPECT_EQ(Word(out.out, 8), 0xfedfffffu);
  EXPECT_EQ(Word(out.out, 16), 0xfef00000u);
  EXPECT_EQ(Word(out.out, 24), 0xffffffffffffu);
}

TEST(VtdMachine, ApertureIsTheSmallerOfMgawAndTheWidestTables) {
  World world = VtdWorld();
  const auto last = [&](uint64_t sagaw, uint64_t mgaw) {
    uint64_t& cap = world.vtds[0].cap;
    cap = (cap & ~uint64_t{0x3f1f00}) | sagaw << 8 | (mgaw - 1) << 16;
    VtdPlain p({}, world);
    Op op = p.d.Make(OpKind::kIoasIovaRanges, p.iommu);
    op.ioasIovaRanges.ioasId = p.ioas;
    op.ioasIovaRanges.numIovas = 16;
    op.ioasIovaRanges.bufWritable = 256;
    const Outcome out = p.d.Run(op);
    p.d.Mmap(0x30000000, 4096);
    const uint64_t top = Word(out.out, out.out.size() - 8);
    EXPECT_EQ(p.d.Map(p.iommu, p.ioas, 0x30000000, 4096, top - 4095).err, 0);
    EXPECT_EQ(p.d.DmaRead(0, top, 1).pieces[0].fault, 0);
    EXPECT_EQ(p.d.DmaRead(0, top + 1, 1).pieces[0].fault, 4);
    return top;
  };
  EXPECT_EQ(last(2, 48), (uint64_t{1} << 39) - 1);
  EXPECT_EQ(last(6, 48), (uint64_t{1} << 48) - 1);
  EXPECT_EQ(last(14, 57), (uint64_t{1} << 57) - 1);
  EXPECT_EQ(last(6, 42), (uint64_t{1} << 42) - 1);
}

TEST(VtdMachine, HwInfo) {
  World world = VtdWorld(true);
  world.vtds[0].cap = 0x80d2008c222f0686;
  world.vtds[0].ecap = 0x480080f00f4e;
  VtdPlain p({}, world);
  const auto info = [&](uint32_t flags, uint32_t type, uint32_t length) {
    Op op = p.d.Make(OpKind::kGetHwInfo, p.iommu);
    op.getHwInfo.flags = flags;
    op.getHwInfo.devId = p.dev;
    op.getHwInfo.dataType = type;
    op.getHwInfo.dataLen = op.getHwInfo.bufWritable = length;
    return p.d.Run(op);
  };
  const Outcome out = info(0, 0, 88);
  EXPECT_EQ(out.err, 0);
  EXPECT_EQ(out.values, (std::array<uint64_t, 3>{24, 1, 8}));
  ASSERT_EQ(out.out.size(), 88u);
  EXPECT_EQ(Word(out.out, 0), 1u);
  EXPECT_EQ(Word(out.out, 8), 0x80d2008c222f0686u);
  EXPECT_EQ(Word(out.out, 16), 0x480080f00f4eu);
  EXPECT_EQ(out.out.substr(24), std::string(64, '\0'));
  EXPECT_EQ(info(0, 0, 8).out.size(), 8u);
  EXPECT_EQ(info(1, 1, 24).err, 0);
  EXPECT_EQ(info(1, 2, 24).err, EOPNOTSUPP);
}

TEST(VtdMachine, HwptAlloc) {
  VtdPlain p;
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).err, 0);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 8).err, 0);           // PASID
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 1).err, EOPNOTSUPP);  // NEST_PARENT
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 2).err, EOPNOTSUPP);  // DIRTY_TRACKING
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.hwpt, 0).err, EOPNOTSUPP);
  const auto nested = [&](uint32_t pt) {
    Op op = p.d.Make(OpKind::kHwptAlloc, p.iommu);
    op.hwptAlloc.devId = p.dev;
    op.hwptAlloc.ptId = pt;
    op.hwptAlloc.dataType = 1;
    op.hwptAlloc.dataLen = 24;
    op.hwptAlloc.dataPtr = 0x1000;
    op.blob.assign(24, '\0');
    return p.d.Run(op).err;
  };
  EXPECT_EQ(nested(p.hwpt), EINVAL);
  EXPECT_EQ(nested(p.ioas), EOPNOTSUPP);
  EXPECT_EQ(p.d.Viommu(p.iommu, p.dev, p.hwpt).err, EOPNOTSUPP);
}

TEST(VtdMachine, DomainIdsAreTheLowestFree) {
  World world = VtdWorld();
  world.vtds[0].didLimit = 3;
  VtdPlain p({}, world);
  const auto did = [&](uint32_t id) {
    const View<Concrete> view = p.d.GetView();
    const HwptRow<Concrete>* row = view.hwpts.Find(ObjectKey(1, id));
    EXPECT_EQ(row->asid, 0u);
    EXPECT_EQ(row->nestParent, 0u);
    EXPECT_NE(view.tags.Find(TagKey<uint64_t>(0, row->vmid, 0)), nullptr);
    return row->vmid;
  };
  EXPECT_EQ(did(p.hwpt), 1u);
  const uint32_t second = p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).id;
  EXPECT_EQ(did(second), 2u);
  EXPECT_EQ(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).err, ENOSPC);
  p.d.Detach(p.cdev);
  EXPECT_EQ(p.d.Destroy(p.iommu, p.hwpt).err, 0);
  EXPECT_EQ(did(p.d.Hwpt(p.iommu, p.dev, p.ioas, 0).id), 1u);
}

TEST(VtdMachine, InterruptWindowIsReserved) {
  VtdPlain p;
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, 0xfee00000).err, EINVAL);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, 0xfeeff000).err, EINVAL);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, 0xfef00000).err, 0);
  // The software window of SMMUv3 means nothing here.
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, 0x08000000).err, 0);
  const uint32_t other = p.d.Ioas(p.iommu);
  EXPECT_EQ(p.d.Map(p.iommu, other, Plain::kVa, 4096, 0xfee00000).err, 0);
  EXPECT_EQ(p.d.Attach(p.cdev, other).err, EADDRINUSE);
  p.d.Detach(p.cdev);
  EXPECT_EQ(p.d.Map(p.iommu, p.ioas, Plain::kVa, 4096, 0xfee00000).err, 0);
  // A write there is an interrupt: no memory, no fault.
  const Outcome out = p.d.DmaWrite(0, 0xfee00000, "x");
  EXPECT_EQ(out.pieces[0].fault, kAbortedSilently);
  EXPECT_TRUE(out.events.empty());
}

// ---- Accesses and faults
// -------------------------------------------------------------------------

// The DMAR lines of the recordings edu-*-faults.
TEST(VtdMachine, FaultsOfTheRecordings) {
  VtdPlain p;
  p.Map(0, 1, 5);  // read only
  p.Map(1, 1, 3);  // write only
  uint32_t position = 0;
  const auto faults = [&](const Outcome& out, uint8_t reason, uint64_t address, bool write) {
    ASSERT_EQ(out.pieces.back().fault, reason);
    ASSERT_EQ(out.events.size(), 1u);
    EXPECT_EQ(out.events[0].queue, 0u);
    EXPECT_EQ(out.events[0].position, position++);
    EXPECT_EQ(out.events[0].words, VtdFault(reason, 0x80, address, write));
  };
  faults(p.d.DmaRead(0, 0x5000100, 256), 6, 0x5000000, false);
  faults(p.d.DmaWrite(0, 0x5000100, "x"), 5, 0x5000000, true);
  faults(p.d.DmaWrite(0, Plain::kIova, "x"), 5, Plain::kIova, true);
  faults(p.d.DmaRead(0, Plain::kIova + 0x1000, 1), 6, Plain::kIova + 0x1000, false);
  // Straddling the end: the first part lands.
  const Outcome out = p.d.DmaWrite(0, Plain::kIova + 0x1f80, std::string(256, 'x'));
  ASSERT_EQ(out.pieces.size(), 2u);
  EXPECT_EQ(out.pieces[0].fault, 0);
  EXPECT_EQ(out.pieces[0].rights, kWrite);
  faults(out, 5, Plain::kIova + 0x2000, true);
  p.d.Detach(p.cdev);
  faults(p.d.DmaRead(0, Plain::kIova, 1), 2, Plain::kIova, false);
}

TEST(VtdMachine, FaultsOfScalableMode) {
  VtdPlain p({}, VtdWorld(true));
  p.Map(0, 1, 5);
  p.Map(1, 1, 3);
  EXPECT_EQ(p.Read(0).fault, 0);
  EXPECT_EQ(p.d.DmaWrite(0, Plain::kIova, "x").pieces[0].fault, 0x85);
  EXPECT_EQ(p.Read(1).fault, 0x86);
  EXPECT_EQ(p.d.DmaWrite(0, Plain::kIova + 0x1000, "x").pieces[0].fault, 0);
  EXPECT_EQ(p.Read(2).fault, 0x79);
  EXPECT_EQ(p.d.DmaRead(0, uint64_t{1} << 48, 1).pieces[0].fault, 0x83);
  Op op = p.d.DmaOp(0, Plain::kIova, 1, kDmaHasPasid);
  EXPECT_EQ(p.d.Run(op).pieces[0].fault, 0x45);
  p.d.Detach(p.cdev);
  EXPECT_EQ(p.Read(0).fault, 0x41);
}

TEST(VtdMachine, RequestsWithPasidInLegacyMode) {
  VtdPlain p;
  p.Map(0, 1);
  Op op = p.d.DmaOp(0, Plain::kIova, 1, kDmaHasPasid);
  op.dma.pasid = 5;
  const Outcome out = p.d.Run(op);
  EXPECT_EQ(out.pieces[0].fault, 0x31);
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_EQ(out.events[0].words[1], 0xc000053180000080u);
}

TEST(VtdMachine, DataMoves) {
  for (bool scalable : {false, true}) {
    VtdPlain p({}, VtdWorld(scalable));
    p.Map(0, 16);
    EXPECT_EQ(p.d.DmaWrite(0, Plain::kIova + 0xffe, "abcd").pieces.size(), 2u);
    const Outcome out = p.d.DmaRead(0, Plain::kIova + 0xffe, 4);
    EXPECT_EQ(out.data, "abcd");
    EXPECT_EQ(out.pieces[0].rights, kRead | kWrite);
    EXPECT_EQ(out.pieces[1].offset, 0x1000u);
    // The other device is attached to nothing.
    EXPECT_EQ(p.d.DmaRead(1, Plain::kIova, 1).pieces[0].fault, scalable ? 0x41 : 0x02);
  }
}

// One fault a transaction, however few recording registers there are: they are emptied at once.
TEST(VtdMachine, RecordingRegisters) {
  World world = VtdWorld();
  world.devices[0].transactionBytes = 4;
  VtdPlain p({}, world);
  EXPECT_EQ(p.d.DmaRead(0, 0x5000000, 16).events.size(), 4u);
  const Outcome out = p.d.DmaRead(0, 0x5000000, 256);
  ASSERT_EQ(out.events.size(), 64u);
  EXPECT_EQ(out.events[0].position, 4u);
  EXPECT_EQ(out.events[63].position, 67u);
  EXPECT_EQ(out.events[0].words, out.events[63].words);
  world.vtds[0].faultRecords = 1;
  VtdPlain q({}, world);
  EXPECT_EQ(q.d.DmaRead(0, 0x5000000, 256).events.size(), 64u);
  // Two pages: each record names its own.
  const Outcome two = q.d.DmaRead(0, 0x5000ffc, 8);
  ASSERT_EQ(two.events.size(), 2u);
  EXPECT_EQ(two.events[0].words[0], 0x5000000u);
  EXPECT_EQ(two.events[1].words[0], 0x5001000u);
}

// ---- What is remembered
// --------------------------------------------------------------------------

TEST(VtdMachine, RetainedRows) {
  VtdPlain p;
  p.Map(0, 2);
  p.Read(0);
  const auto count = [&](RetainedKind kind) {
    uint64_t n = 0;
    p.d.GetView().retained.EachIndex([&](bool, const RetainedRow<Concrete>& row) {
      if (row.kind != kind) return;
      ++n;
      EXPECT_EQ(row.vmid, 1u);
      EXPECT_EQ(row.owner, ObjectKey(1, p.hwpt));
      if (kind == kConfig) {
        EXPECT_EQ(row.sid, 0x80u);
        return;
      }
      EXPECT_LE(row.first, Plain::kIova);
      EXPECT_GE(row.last, Plain::kIova + 0xfff);
    });
    return n;
  };
  EXPECT_EQ(count(kConfig), 1u);
  EXPECT_EQ(count(kLeafStage2), 1u);
  EXPECT_EQ(count(kWalkStage2), 2u);  // tables of 1 GiB and 2 MiB
  p.d.Unmap(p.iommu, p.ioas, Plain::kIova, 2 * 4096);
  EXPECT_EQ(count(kConfig), 1u);
  EXPECT_EQ(count(kLeafStage2), 0u);
  EXPECT_EQ(count(kWalkStage2), 0u);
}

TEST(VtdMachine, UnmapStepsAreInOrder) {
  VtdPlain p;
  p.Map(0, 2);
  p.Unmap(0, 2);
  std::vector<MicroStepKind> kinds;
  for (const auto& step : p.d.steps) kinds.push_back(step.kind);
  using K = MicroStepKind;
  const std::vector<K> want = {K::kMapGone, K::kInvIssued,    K::kInvIssued,      K::kInvDone,
                               K::kInvDone, K::kPageUnpinned, K::kTableFrameFreed};
  EXPECT_EQ(std::vector<K>(kinds.begin(), kinds.begin() + 7), want);
  EXPECT_EQ(p.d.steps[1].scope, InvScope::kStage2Range);
  EXPECT_EQ(p.d.steps[1].tag.vmid, 1u);
  EXPECT_EQ(p.d.steps[1].first, Plain::kIova);
  EXPECT_EQ(p.d.steps[1].last, Plain::kIova + 0x1fff);
  EXPECT_EQ(p.d.steps[2].scope, InvScope::kStage1Vmid);
}

// A range that no page-selective descriptor can name goes with its whole domain.
TEST(VtdMachine, WideRangesInvalidateTheDomain) {
  World world = VtdWorld();
  const auto scope = [&](uint64_t psi, uint64_t mamv) {
    uint64_t& cap = world.vtds[0].cap;
    cap = (cap & ~(uint64_t{63} << 48 | uint64_t{1} << 39)) | mamv << 48 | psi << 39;
    VtdPlain p({}, world);
    p.Map(3, 2);  // pages 3 and 4: eight pages hold both
    p.Read(4);
    p.Unmap(3, 2);
    const auto inv = std::find_if(p.d.steps.begin(), p.d.steps.end(),
                                  [](const auto& s) { return s.kind == MicroStepKind::kInvDone; });
    EXPECT_EQ(p.Read(4).fault, 6);
    return inv->scope;
  };
  EXPECT_EQ(scope(1, 18), InvScope::kStage2Range);
  EXPECT_EQ(scope(1, 3), InvScope::kStage2Range);
  EXPECT_EQ(scope(1, 2), InvScope::kVmid);
  EXPECT_EQ(scope(0, 18), InvScope::kVmid);
}

TEST(VtdMachine, ReplaceMovesAtOnce) {
  VtdPlain p;
  p.Map(0, 1);
  p.Read(0);
  const uint32_t other = p.d.Ioas(p.iommu);
  p.d.Map(p.iommu, other, Plain::kVa + 0x1000, 4096, Plain::kIova);
  const Op probe = p.d.DmaOp(0, Plain::kIova, 1);
  p.d.probe = &probe;
  EXPECT_EQ(p.d.Attach(p.cdev, other).err, 0);
  p.d.probe = nullptr;
  EXPECT_FALSE(p.d.seen.empty());
  for (const auto& [kind, met] : p.d.seen) EXPECT_EQ(met.pieces[0].fault, 0);
  EXPECT_EQ(p.Read(0).offset, 0x1000u);
}

// ---- The unit
// ------------------------------------------------------------------------------------

TEST(VtdUnit, RecordsInARing) {
  HostMemory memory;
  ModelFaults faults;
  VtdConfig config;
  config.faultRecords = 3;
  Vtd unit;
  unit.Reset(0, config, {0x80}, &faults, &memory);
  std::vector<uint64_t> seen;
  const auto drain = [&] {
    seen.clear();
    unit.DrainFaults([&](uint64_t lo, uint64_t) { seen.push_back(lo); });
    return seen;
  };
  const uint64_t f = uint64_t{1} << 63;
  unit.Record(1, f), unit.Record(2, f);
  EXPECT_EQ(drain(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(drain(), std::vector<uint64_t>{});
  for (uint64_t n = 3; n <= 7; ++n) unit.Record(n, f);  // from the third register on, around
  EXPECT_EQ(drain(), (std::vector<uint64_t>{3, 4, 5}));
  unit.Record(8, f);
  EXPECT_EQ(drain(), std::vector<uint64_t>{8});
}

// ---- Random Ops
// ----------------------------------------------------------------------------------

// Maps, attaches and accesses at random: invariants and the order of micro-steps hold. "" or what
// was broken first.
std::string RunRandom(uint32_t seed, const ModelFaults& faults, uint64_t* reached) {
  World world = VtdWorld(seed % 2 == 1);
  world.vtds.push_back(VtdWorld(seed % 3 == 1).vtds[0]);
  world.devices.push_back(world.devices[1]);
  world.devices[2].group = 2;
  world.devices[1].smmu = 1;
  for (VtdConfig& vtd : world.vtds) {
    vtd.iotlbEntries = 8, vtd.walkCacheEntries = 4, vtd.contextCacheEntries = 1;
    vtd.didLimit = 4;
    if (seed % 5 == 0) vtd.cap |= 1 << 7;  // caching mode
  }
  Driver d(world, faults);
  std::mt19937_64 rng(seed);
  const auto below = [&](uint64_t n) { return rng() % n; };
  const uint32_t iommu = d.OpenIommu();
  uint32_t cdevs[3], devs[3];
  for (uint32_t i = 0; i < 3; ++i) {
    cdevs[i] = d.OpenDevice(i);
    devs[i] = d.Bind(cdevs[i], iommu).id;
  }
  d.Mmap(0x10000000, 64 << 12);
  d.Ioas(iommu), d.Ioas(iommu);
  Monitor<Concrete> monitor;
  std::string broken;
  const auto note = [&](bool ok, const char* what, const auto&) {
    if (!ok && broken.empty()) broken = what;
  };
  for (int n = 0; n < 600 && broken.empty(); ++n) {
    const uint32_t device = static_cast<uint32_t>(below(3)), id = 4 + below(6);
    const uint64_t iova = below(16) << 12 | (below(4) == 0 ? uint64_t{1} << 30 : 0);
    const uint64_t pages = 1 + below(6);
    switch (below(8)) {
      case 0:
        d.Map(iommu, 4 + below(2), 0x10000000 + (below(32) << 12), pages << 12, iova,
              static_cast<uint32_t>(1 | (1 + below(3)) << 1));
        break;
      case 1:
        d.Unmap(iommu, 4 + below(2), iova, pages << 12);
        break;
      case 2:
        d.Attach(cdevs[device], id);
        break;
      case 3:
        if (below(3) == 0) d.Detach(cdevs[device]);
        break;
      case 4:
        d.Hwpt(iommu, devs[device], 4 + below(2), 0);
        break;
      case 5:
        if (below(2) == 0 && id > 5) d.Destroy(iommu, id);
        break;
      default:
        const Outcome out = d.Run(d.DmaOp(device, iova, 4097, below(2) ? kDmaWrite : 0));
        for (const Piece& piece : out.pieces) *reached += piece.fault == 0;
    }
    for (const auto& step : d.steps) monitor.OnStep(step, note);
    d.steps.clear();
    const View<Concrete> view = d.GetView(n % 4 == 0 ? ViewScope::kAll : ViewScope::kTouched);
    ForEachInvariant<Concrete>([&](InvariantInfo, auto&& check) { check(view, note); });
  }
  return broken;
}

TEST(VtdRandom, InvariantsAndOrderHold) {
  uint64_t reached = 0;
  for (uint32_t seed = 1; seed <= 30; ++seed)
    ASSERT_EQ(RunRandom(seed, {}, &reached), "") << "seed " << seed;
  EXPECT_GT(reached, 500u);  // else these runs say nothing
}

TEST(VtdRandom, FindsPlantedFaults) {
  for (bool ModelFaults::*fault :
       {&ModelFaults::invalidateWrongVmid, &ModelFaults::unpinBeforeInvDone,
        &ModelFaults::configCacheSurvivesDetach, &ModelFaults::vmidReleasedEarly,
        &ModelFaults::m03SameVmidTwice, &ModelFaults::m28LastPageNotFlushed,
        &ModelFaults::m32UnalignedFlushLeavesTail, &ModelFaults::m36PagesFreedBeforeFlush}) {
    ModelFaults faults;
    faults.*fault = true;
    uint64_t reached = 0;
    bool found = false;
    for (uint32_t seed = 1; seed <= 40 && !found; ++seed)
      found = !RunRandom(seed, faults, &reached).empty();
    const auto name = std::find_if(std::begin(kModelFaults), std::end(kModelFaults),
                                   [&](const ModelFaultName& n) { return n.fault == fault; });
    EXPECT_TRUE(found) << name->name;
  }
}

}  // namespace
}  // namespace twinwalk::model
