// VT-d at stack level: domains and their ids, what a device reaches, the fault records that the
// recorded kernel printed, what stays retained and what ends it. Expected values: hw-vtd and
// iommufd sheets, and the DMAR lines of a recorded machine.
#include "reference/access_vtd.h"

#include <gtest/gtest.h>

#include <set>

#include "reference/test_driver.h"
#include "traces/invariants.h"
#include "traces/monitor.h"

namespace twinwalk {
namespace {

constexpr uint64_t kVa = 0x40000000;
constexpr uint16_t kSid = 0x80;  // 00:10.0

// Devices 0, 1, 2 behind VT-d unit 0 (IOMMU 1), 3 behind unit 1 (IOMMU 2), 4 behind SMMU 0.
World VtdWorld(bool scalable = false) {
  World world;
  world.vtds.resize(2);
  world.vtds[0].cap = 0x80d2008c222f0686, world.vtds[0].ecap = 0xf00f4e;  // the recorded unit
  world.vtds[0].scalable = scalable;
  world.processes = {{1000, false, 4096}};
  for (uint32_t i = 0; i < 5; ++i) {
    DeviceConfig device;
    device.smmu = i < 3 ? 1 : i == 3 ? 2 : 0;
    device.streamId = kSid + 8 * i;
    device.group = i;
    world.devices.push_back(device);
  }
  return world;
}

// Device 0 bound, one IOAS with 16 pages read/write at 16 MiB.
struct Vm {
  explicit Vm(const World& world = VtdWorld(), const ReferenceFaults& faults = {})
      : d(world, faults) {
    iommu = d.OpenIommu();
    cdev = d.OpenCdev(0);
    dev = d.Bind(cdev, iommu).id;
    ioas = d.Ioas(iommu).id;
    d.Mmap(kVa, 0x200000);
    d.Map(iommu, ioas, 0x1000000, kVa, 0x10000);
  }
  uint32_t Bind(uint32_t device, uint32_t* file) {
    *file = d.OpenCdev(device);
    return d.Bind(*file, iommu).id;
  }
  std::pair<uint64_t, uint64_t> LastRecord(const Outcome& o) {
    EXPECT_EQ(o.events.size(), 1u);
    if (o.events.empty()) return {};
    EXPECT_EQ(o.events[0].queue, 0u);
    EXPECT_EQ(o.events[0].words[2], 0u);
    EXPECT_EQ(o.events[0].words[3], 0u);
    return {o.events[0].words[0], o.events[0].words[1]};
  }
  Driver d;
  uint32_t iommu, cdev, dev, ioas;
};
using Record = std::pair<uint64_t, uint64_t>;

// What the invariants say of the state, each in its words.
std::string Broken(const Driver& d) {
  const View<Concrete> view = d.Seen();
  std::string broken;
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char*, const auto&) {
      if (!ok) broken += std::string(info.id) + " ";
    });
  });
  return broken;
}

// The order of micro-steps, judged.
class Judge : public MicroStepObserver {
 public:
  explicit Judge(Driver* d) : d_(d) { d_->machine->SetObserver(this); }
  ~Judge() override { d_->machine->SetObserver(nullptr); }
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    ++steps;
    monitor_.OnStep(step, [&](bool ok, const char* what, const auto&) {
      if (!ok) broken += std::string(what) + " ";
    });
  }
  std::string broken;
  size_t steps = 0;

 private:
  Driver* d_;
  Monitor<Concrete> monitor_;
};

TEST(Domain, IsSecondStageTaggedByTheLowestFreeDid) {
  Vm vm;
  const uint32_t hwpt = vm.d.Attach(vm.cdev, vm.ioas).id;
  const uint32_t second = vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).id;
  const uint32_t third = vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 8).id;  // PASID
  std::set<uint64_t> dids;
  vm.d.Seen().hwpts.EachIndex([&](bool, const HwptRow<Concrete>& h) {
    EXPECT_EQ(h.smmu, 1u);
    EXPECT_EQ(h.nestParent, 0u);
    EXPECT_EQ(h.asid, 0u);
    dids.insert(h.vmid);
  });
  EXPECT_EQ(dids, (std::set<uint64_t>{1, 2, 3}));
  EXPECT_EQ(vm.d.Destroy(vm.iommu, second).err, 0);
  const uint32_t again = vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).id;
  EXPECT_EQ(again, second);
  uint64_t did = 0;
  vm.d.Seen().hwpts.EachIndex([&](bool, const HwptRow<Concrete>& h) {
    if ((h.key & 0xffffffff) == again) did = h.vmid;
  });
  EXPECT_EQ(did, 2u);
  EXPECT_NE(hwpt, third);
  EXPECT_EQ(Broken(vm.d), "");
}

// Two units count their domain ids apart; a limit of 2 leaves one.
TEST(Domain, IdsAreOfOneUnitAndRunOut) {
  World world = VtdWorld();
  world.vtds[0].didLimit = 2;
  Vm vm(world);
  EXPECT_EQ(vm.d.Attach(vm.cdev, vm.ioas).err, 0);
  EXPECT_EQ(vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).err, ENOSPC);
  uint32_t file = 0;
  const uint32_t dev = vm.Bind(3, &file);
  EXPECT_EQ(vm.d.Hwpt(vm.iommu, dev, vm.ioas, 0).err, 0);
  EXPECT_EQ(vm.d.Attach(file, vm.d.Hwpt(vm.iommu, dev, vm.ioas, 0).id).err, 0);
  EXPECT_EQ(vm.d.Attach(vm.cdev, vm.d.Hwpt(vm.iommu, dev, vm.ioas, 0).id).err, EINVAL);
}

TEST(Domain, NeedsTables) {
  World world = VtdWorld();
  world.vtds[0].cap &= ~uint64_t{0x1f00};  // SAGAW
  Vm vm(world);
  EXPECT_EQ(vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).err, EOPNOTSUPP);
  EXPECT_EQ(vm.d.Attach(vm.cdev, vm.ioas).err, EOPNOTSUPP);
}

TEST(Domain, NestsNothing) {
  Vm vm;
  const uint32_t hwpt = vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).id;
  EXPECT_EQ(vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 1).err, EOPNOTSUPP);  // NEST_PARENT
  EXPECT_EQ(vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 2).err, EOPNOTSUPP);  // dirty tracking
  EXPECT_EQ(vm.d.Viommu(vm.iommu, vm.dev, hwpt).err, EOPNOTSUPP);
  Op op = vm.d.HwptOp(vm.iommu, vm.dev, hwpt, 0);
  EXPECT_EQ(vm.d.Do(op).err, EOPNOTSUPP);  // no data
  op.hwptAlloc.dataType = 1, op.hwptAlloc.dataLen = 24, op.hwptAlloc.dataPtr = 0x1000;
  op.blob = std::string(24, '\0');
  EXPECT_EQ(vm.d.Do(op).err, EINVAL);  // its parent is none
  op.hwptAlloc.ptId = vm.ioas;
  EXPECT_EQ(vm.d.Do(op).err, EOPNOTSUPP);
}

// The registers of the recorded machine, as recorded.
TEST(HwInfo, TellsCapAndEcap) {
  Vm vm;
  Op op = vm.d.Make(OpKind::kGetHwInfo, vm.iommu);
  op.getHwInfo.devId = vm.dev, op.getHwInfo.dataLen = 88, op.getHwInfo.bufWritable = 88;
  Outcome out = vm.d.Do(op);
  ASSERT_EQ(out.err, 0);
  EXPECT_EQ(out.values[0], 24u);
  EXPECT_EQ(out.values[1], 1u);
  EXPECT_EQ(out.values[2], 8u);
  ASSERT_EQ(out.out.size(), 88u);
  EXPECT_EQ(out.out.substr(0, 24), Driver::Words({1, 0x80d2008c222f0686, 0xf00f4e}));
  EXPECT_EQ(out.out.substr(24), std::string(64, '\0'));
  op.getHwInfo.flags = 1, op.getHwInfo.dataType = 1;
  EXPECT_EQ(vm.d.Do(op).err, 0);
  op.getHwInfo.dataType = 2;
  EXPECT_EQ(vm.d.Do(op).err, EOPNOTSUPP);
}

// [0, 0xfedfffff] and [0xfef00000, 2^48 - 1] while attached, everything before and after.
TEST(Aperture, WithoutTheInterruptRange) {
  Vm vm;
  Op op = vm.d.Make(OpKind::kIoasIovaRanges, vm.iommu);
  op.ioasIovaRanges.ioasId = vm.ioas, op.ioasIovaRanges.numIovas = 4;
  op.ioasIovaRanges.bufWritable = 64;
  EXPECT_EQ(vm.d.Do(op).out, Driver::Words({0, ~uint64_t{0}}));
  vm.d.Attach(vm.cdev, vm.ioas);
  const Outcome out = vm.d.Do(op);
  EXPECT_EQ(out.out, Driver::Words({0, 0xfedfffff, 0xfef00000, 0xffffffffffff}));
  EXPECT_EQ(out.values[1], 4096u);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0xfee00000, kVa, 0x1000).err, EINVAL);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0xfedff000, kVa, 0x2000).err, EINVAL);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0x1000000000000, kVa, 0x1000).err, EINVAL);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0x8000000, kVa, 0x1000).err, 0);  // SMMUv3's window
  vm.d.Detach(vm.cdev);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0xfee00000, kVa, 0x1000).err, 0);
  EXPECT_EQ(vm.d.Attach(vm.cdev, vm.ioas).err, EADDRINUSE);
}

// MGAW 39 bounds a unit with wider tables; without 4 levels the tables do.
TEST(Aperture, OfMgawAndTables) {
  for (const uint64_t cap : {uint64_t{0x00d2008c22260606}, uint64_t{0x00d2008c222f0206}}) {
    World world = VtdWorld();
    world.vtds[0].cap = cap;
    Vm vm(world);
    ASSERT_EQ(vm.d.Attach(vm.cdev, vm.ioas).err, 0);
    EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0x8000000000, kVa, 0x1000).err, EINVAL);
    EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0x7ffffff000, kVa, 0x1000).err, 0);
    EXPECT_EQ(vm.d.Dma(0, 0x8000000000).pieces[0].fault, 0x04);
    EXPECT_EQ(vm.d.Dma(0, 0x7ffffff000).pieces[0].fault, 0);
  }
}

// "DMA Read NO_PASID ... fault addr 0x5000000 [fault reason 0x06]", and its companions.
TEST(Faults, AsTheRecordedKernelPrintsThem) {
  Vm vm;
  vm.d.Attach(vm.cdev, vm.ioas);
  vm.d.Map(vm.iommu, vm.ioas, 0x3000000, kVa, 0x1000, 5);            // read-only
  vm.d.Map(vm.iommu, vm.ioas, 0x3001000, kVa + 0x10000, 0x1000, 3);  // write-only
  const std::string bytes(256, 'x');
  Outcome out = vm.d.Dma(0, 0x5000000, 256);
  EXPECT_EQ(out.pieces[0].fault, 0x06);
  EXPECT_EQ(vm.LastRecord(out), Record(0x5000000, 0xc000000600000080));
  out = vm.d.Dma(0, 0x5000000, 256, bytes);
  EXPECT_EQ(vm.LastRecord(out), Record(0x5000000, 0x8000000500000080));
  out = vm.d.Dma(0, 0x3000000, 256, bytes);
  EXPECT_EQ(vm.LastRecord(out), Record(0x3000000, 0x8000000500000080));
  out = vm.d.Dma(0, 0x3001000, 256);
  EXPECT_EQ(vm.LastRecord(out), Record(0x3001000, 0xc000000600000080));
  out = vm.d.Dma(0, 0x3001f80, 256, bytes);  // straddles the end
  ASSERT_EQ(out.pieces.size(), 2u);
  EXPECT_EQ(out.pieces[0].fault, 0);
  EXPECT_EQ(out.pieces[0].rights, kWrite);  // read stays withheld
  EXPECT_EQ(vm.LastRecord(out), Record(0x3002000, 0x8000000500000080));
  vm.d.Detach(vm.cdev);
  out = vm.d.Dma(0, 0x1000000, 256);
  EXPECT_EQ(vm.LastRecord(out), Record(0x1000000, 0xc000000200000080));
  EXPECT_EQ(out.events[0].position, 5u);
  EXPECT_EQ(Broken(vm.d), "");
}

// Never bound is blocked too; a PASID is no business of legacy mode.
TEST(Faults, BeforeTheTables) {
  Vm vm;
  EXPECT_EQ(vm.d.Dma(1, 0x1000).pieces[0].fault, 0x02);
  Op op = vm.d.DmaOp(0, 0x1000123, 8);
  op.dma.flags |= kDmaHasPasid, op.dma.pasid = 5;
  EXPECT_EQ(vm.LastRecord(vm.d.Do(op)), Record(0x1000000, 0xc000053180000080));
  vm.d.Attach(vm.cdev, vm.ioas);
  EXPECT_EQ(vm.LastRecord(vm.d.Dma(0, 0x1000000000000)),
            Record(0x1000000000000, 0xc000000400000080));
  const Outcome msi = vm.d.Dma(0, 0xfee00000, 4, "abcd");
  EXPECT_EQ(msi.pieces[0].fault, kAbortedSilently);
  EXPECT_TRUE(msi.events.empty());
  EXPECT_EQ(vm.d.Dma(0, 0xfeefffff, 4).pieces[0].fault, kAbortedSilently);
  EXPECT_EQ(vm.d.Dma(0, 0xfeefffff, 4).pieces[1].fault, 0x06);
}

TEST(Faults, OfScalableMode) {
  Vm vm(VtdWorld(true));
  EXPECT_EQ(vm.LastRecord(vm.d.Dma(0, 0x1000)), Record(0x1000, 0xc000004100000080));
  vm.d.Attach(vm.cdev, vm.ioas);
  vm.d.Map(vm.iommu, vm.ioas, 0x3000000, kVa, 0x1000, 5);
  vm.d.Map(vm.iommu, vm.ioas, 0x3001000, kVa, 0x1000, 3);
  EXPECT_EQ(vm.d.Dma(0, 0x1000000).pieces[0].fault, 0);
  EXPECT_EQ(vm.LastRecord(vm.d.Dma(0, 0x5000000)), Record(0x5000000, 0xc000007900000080));
  EXPECT_EQ(vm.d.Dma(0, 0x3000000, 4, "abcd").pieces[0].fault, 0x85);
  EXPECT_EQ(vm.d.Dma(0, 0x3001000, 4).pieces[0].fault, 0x86);
  EXPECT_EQ(vm.d.Dma(0, 0x1000000000000).pieces[0].fault, 0x83);
  Op op = vm.d.DmaOp(0, 0x1000123, 8);
  op.dma.flags |= kDmaHasPasid, op.dma.pasid = 5;
  EXPECT_EQ(vm.LastRecord(vm.d.Do(op)), Record(0x1000000, 0xc000054580000080));
}

// One record for each transaction; each names the page.
TEST(Faults, OneForEachTransaction) {
  World world = VtdWorld();
  world.devices[0].transactionBytes = 4;
  Vm vm(world);
  const Outcome out = vm.d.Dma(0, 0x5000ff8, 16);
  ASSERT_EQ(out.events.size(), 4u);
  EXPECT_EQ(out.events[1].words[0], 0x5000000u);
  EXPECT_EQ(out.events[3].words[0], 0x5001000u);
  EXPECT_EQ(out.events[3].position, 3u);
  EXPECT_EQ(out.events[3].words[2], 0u);
}

size_t Count(const Driver& d, RetainedKind kind) {
  size_t n = 0;
  d.Seen().retained.EachIndex([&](bool, const RetainedRow<Concrete>& r) { n += r.kind == kind; });
  return n;
}

// A device access retains its context entry and pages; unmap and detach end them.
TEST(Retained, EndsWithUnmapAndDetach) {
  Vm vm;
  vm.d.Attach(vm.cdev, vm.ioas);
  vm.d.Dma(0, 0x1000000, 0x2000);
  EXPECT_EQ(Count(vm.d, kLeafStage2), 2u);
  EXPECT_EQ(Count(vm.d, kConfig), 1u);
  vm.d.Seen().retained.EachIndex([&](bool, const RetainedRow<Concrete>& r) {
    EXPECT_EQ(r.vmid, 1u);
    EXPECT_EQ(r.smmu, 1u);
  });
  vm.d.Map(vm.iommu, vm.ioas, 0x1010000, kVa, 0x1000);
  vm.d.Dma(0, 0x1010000);
  vm.d.Unmap(vm.iommu, vm.ioas, 0x1000000, 0x10000);
  EXPECT_EQ(Count(vm.d, kLeafStage2), 1u);  // the neighbour may stay
  EXPECT_EQ(Broken(vm.d), "");
  EXPECT_EQ(vm.d.Dma(0, 0x1000000).pieces[0].fault, 0x06);
  vm.d.Detach(vm.cdev);
  EXPECT_EQ(vm.d.Seen().retained.size(), 0u);  // the domain is gone with its last device
  EXPECT_EQ(Broken(vm.d), "");
}

// Devices of one domain share its entries; a replace leaves nothing behind.
TEST(Retained, ReplaceChangesTheContextEntry) {
  Vm vm;
  const uint32_t other = vm.d.Ioas(vm.iommu).id;
  vm.d.Map(vm.iommu, other, 0x1000000, kVa + 0x100000, 0x1000);
  uint32_t file = 0;
  vm.Bind(1, &file);
  EXPECT_EQ(vm.d.Attach(vm.cdev, vm.ioas).id, vm.d.Attach(file, vm.ioas).id);
  vm.d.Dma(0, 0x1000000);
  EXPECT_EQ(vm.d.Dma(1, 0x1000000).pieces[0].offset, 0u);
  EXPECT_EQ(Count(vm.d, kLeafStage2), 1u);
  EXPECT_EQ(Count(vm.d, kConfig), 2u);
  EXPECT_EQ(vm.d.Attach(vm.cdev, other).err, 0);
  EXPECT_EQ(Count(vm.d, kConfig), 1u);
  EXPECT_EQ(vm.d.machine->Permitted(vm.d.DmaOp(0, 0x1000000, 8), 64).size(), 1u);
  EXPECT_EQ(vm.d.Dma(0, 0x1000000).pieces[0].offset, 0x100000u);
  EXPECT_EQ(vm.d.Dma(1, 0x1000000).pieces[0].offset, 0u);
  EXPECT_EQ(Broken(vm.d), "");
}

// Devices behind both kinds of IOMMU on one IOAS: each with its own window, tag and rights.
TEST(Mixed, SmmuAndVtdOnOneIoas) {
  Vm vm;
  vm.d.Attach(vm.cdev, vm.ioas);
  uint32_t file = 0;
  vm.Bind(4, &file);
  ASSERT_EQ(vm.d.Attach(file, vm.ioas).err, 0);
  vm.d.Map(vm.iommu, vm.ioas, 0x3001000, kVa, 0x1000, 3);  // write-only
  EXPECT_EQ(vm.d.Dma(4, 0x3001000).pieces[0].fault, 0);
  EXPECT_EQ(vm.d.Dma(0, 0x3001000).pieces[0].fault, 0x06);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0x8000000, kVa, 0x1000).err, EINVAL);
  EXPECT_EQ(vm.d.Map(vm.iommu, vm.ioas, 0xfee00000, kVa, 0x1000).err, EINVAL);
  EXPECT_EQ(Broken(vm.d), "");
  vm.d.Unmap(vm.iommu, vm.ioas, 0x3001000, 0x1000);
  EXPECT_EQ(vm.d.Dma(4, 0x3001000).pieces[0].fault, 0x10);
  EXPECT_EQ(vm.d.Dma(0, 0x3001000).pieces[0].fault, 0x06);
}

// Each unmap, detach and destroy flushes before it lets go of memory or of a domain id.
TEST(MicroSteps, ComeInOrder) {
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.skipInvalidation = planted;
    Vm vm(VtdWorld(), faults);
    Judge judge(&vm.d);
    vm.d.Attach(vm.cdev, vm.ioas);
    vm.d.Map(vm.iommu, vm.ioas, 0x1010000, kVa + 0x100000, 0x1000);
    vm.d.Unmap(vm.iommu, vm.ioas, 0x1000000, 0x10000);
    EXPECT_EQ(judge.broken == "", !planted) << judge.broken;
    const uint32_t hwpt = vm.d.Hwpt(vm.iommu, vm.dev, vm.ioas, 0).id;
    vm.d.Attach(vm.cdev, hwpt);
    vm.d.Detach(vm.cdev);
    vm.d.Destroy(vm.iommu, hwpt);
    EXPECT_EQ(judge.broken == "", !planted) << judge.broken;
    EXPECT_GT(judge.steps, 10u);
  }
}

// Planted faults show: the IOTLB keeps what an unmap did not flush.
TEST(Planted, UnmapWithoutFlush) {
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.skipInvalidation = planted;
    Vm vm(VtdWorld(), faults);
    vm.d.Attach(vm.cdev, vm.ioas);
    vm.d.Dma(0, 0x1000000);
    vm.d.Unmap(vm.iommu, vm.ioas, 0x1000000, 0x10000);
    const auto permitted = vm.d.machine->Permitted(vm.d.DmaOp(0, 0x1000000, 8), 64);
    EXPECT_EQ(permitted.size(), planted ? 2u : 1u);
    EXPECT_EQ(Broken(vm.d) == "", !planted);
  }
}

}  // namespace
}  // namespace twinwalk
