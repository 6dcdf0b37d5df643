// Random Ops over few names: the model keeps every invariant and the order of its micro-steps, and
// two runs are alike. The same Ops find the planted faults that matter most.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model/test_driver.h"
#include "traces/invariants.h"
#include "traces/known_defects.h"
#include "traces/monitor.h"

namespace twinwalk::model {
namespace {

World SmallWorld() {
  World world = TwoDevices();
  world.devices.emplace_back();
  world.devices[2].streamId = 0x305;
  world.devices[2].group = 1;
  world.devices[2].transactionBytes = 4;
  world.processes[1].memlockPages = 40;
  world.smmus[0].vmidLimit = 4;
  world.smmus[0].asidLimit = 4;
  world.smmus[0].tlbEntries = 8;
  world.smmus[0].walkCacheEntries = 4;
  world.smmus[0].configCacheEntries = 2;
  world.frames = 4096;
  return world;
}

class Walker : public MicroStepObserver {
 public:
  Walker(uint32_t seed, const ModelFaults& faults)
      : rng_(seed), world_(SmallWorld()), machine_(MakeModel(faults)) {
    machine_->Reset(world_);
    machine_->SetObserver(this);
    SetUp();
  }
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    monitor_.OnStep(step, [&](bool ok, const char* what, const auto&) { Note(ok, what); });
    machine_->Peek(Access());
  }
  // Runs n Ops; the first thing that is broken, "" when nothing is.
  std::string Run(int n) {
    for (int i = 0; i < n && broken_.empty(); ++i) {
      const Outcome out = machine_->Step(Next());
      digest_ = digest_ * 31 + out.err * 7 + out.id * 5 + out.events.size() + out.pieces.size() * 3;
      for (const Piece& p : out.pieces) {
        digest_ = digest_ * 31 + p.fault + p.offset;
        ++(p.fault == 0 ? reached : faulted);
      }
      View<Concrete> view;
      machine_->GetView(i % 16 == 0 ? ViewScope::kAll : ViewScope::kTouched, &view);
      ForEachInvariant<Concrete>([&](InvariantInfo info, auto&& check) {
        check(view, [&](bool ok, const char* what, const auto&) {
          if (FindKnownDefect(world_.rules, info.id, what) == nullptr) Note(ok, what);
        });
      });
    }
    return broken_;
  }
  uint64_t digest() const { return digest_; }
  uint64_t reached = 0, faulted = 0;  // pieces

 private:
  // Everything bound, an IOAS with memory, a nest parent, a vIOMMU; ids 1..3 devices, 4 IOAS, 5, 6.
  void SetUp() {
    Op op;
    op.readable = op.writable = 0xffff;
    const auto run = [&](OpKind kind, uint32_t fd) {
      op.kind = kind, op.fd = fd, op.size = StructSize(kind);
      EXPECT_EQ(machine_->Step(op).err, 0) << OpName(kind);
      for (uint64_t& word : op.words) word = 0;
    };
    run(OpKind::kOpen, 0);
    for (uint32_t i = 0; i < 3; ++i) {
      op.open.node = 1, op.open.device = i;
      run(OpKind::kOpen, 0);
      op.bind.iommufd = 3;
      run(OpKind::kBindIommufd, 4 + i);
    }
    op.mmap.base = 0x10000000, op.mmap.length = 0x10000, op.mmap.prot = 3, op.mmap.shared = 1;
    run(OpKind::kMmap, kDanglingHandle);
    run(OpKind::kIoasAlloc, 3);
    op.ioasMap.flags = 7, op.ioasMap.ioasId = 4, op.ioasMap.userVa = 0x10000000;
    op.ioasMap.length = 0x8000;
    run(OpKind::kIoasMap, 3);
    op.hwptAlloc.flags = 1, op.hwptAlloc.devId = 1, op.hwptAlloc.ptId = 4;
    run(OpKind::kHwptAlloc, 3);
    op.viommuAlloc.type = 1, op.viommuAlloc.devId = 1, op.viommuAlloc.hwptId = 5;
    run(OpKind::kViommuAlloc, 3);
    op.vdeviceAlloc.viommuId = 6, op.vdeviceAlloc.devId = 1, op.vdeviceAlloc.virtId = 1;
    run(OpKind::kVdeviceAlloc, 3);
  }
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(rng_() % n); }
  void Note(bool ok, const char* what) {
    if (!ok && broken_.empty()) broken_ = what;
  }
  uint64_t Iova() {
    return Below(12) == 0 ? rng_() : Below(16) * 0x1000 + (Below(4) ? 0 : 0x7ff000);
  }
  Op Access() {
    Op op;
    op.kind = OpKind::kDma;
    op.dma.device = Below(3);
    op.dma.iova = Iova() + Below(8) * 512;
    op.dma.length = Below(3) == 0 ? 5000 : 8;
    op.dma.flags = Below(8) == 0 ? Below(16) : Below(2);
    if ((op.dma.flags & kDmaWrite) != 0) op.blob.assign(op.dma.length, 'x');
    return op;
  }
  Op Next() {
    // Accesses most of all, then what makes and unmakes translations.
    static constexpr OpKind kKinds[] = {OpKind::kDma,
                                        OpKind::kDma,
                                        OpKind::kDma,
                                        OpKind::kDma,
                                        OpKind::kIoasMap,
                                        OpKind::kIoasMap,
                                        OpKind::kIoasUnmap,
                                        OpKind::kAttachIommufdPt,
                                        OpKind::kAttachIommufdPt,
                                        OpKind::kDetachIommufdPt,
                                        OpKind::kHwptAlloc,
                                        OpKind::kHwptAlloc,
                                        OpKind::kViommuAlloc,
                                        OpKind::kVdeviceAlloc,
                                        OpKind::kVeventqAlloc,
                                        OpKind::kHwptInvalidate,
                                        OpKind::kDestroy,
                                        OpKind::kMemWrite,
                                        OpKind::kMemWrite,
                                        OpKind::kMmap,
                                        OpKind::kMunmap,
                                        OpKind::kIoasAlloc,
                                        OpKind::kOpen,
                                        OpKind::kBindIommufd,
                                        OpKind::kClose,
                                        OpKind::kFailAlloc,
                                        OpKind::kRead,
                                        OpKind::kMemfd};
    Op op = Access();
    OpKind kind = kKinds[Below(std::size(kKinds))];
    // What takes away is rarer than what makes.
    if ((kind == OpKind::kDestroy || kind == OpKind::kMunmap || kind == OpKind::kIoasUnmap ||
         kind == OpKind::kDetachIommufdPt || kind == OpKind::kClose) &&
        Below(4) != 0)
      kind = OpKind::kDma;
    if (kind == OpKind::kDma) return op;
    op = Op();
    op.kind = kind;
    op.process = Below(12) == 0;
    op.fd = 3 + Below(5);
    if (kind == OpKind::kAttachIommufdPt || kind == OpKind::kDetachIommufdPt ||
        kind == OpKind::kBindIommufd)
      op.fd = 4 + Below(3);
    else if (StructSize(kind) != 0 && Below(8) != 0)
      op.fd = 3;
    else if (kind == OpKind::kClose && Below(4) != 0)
      op.fd = 9 + Below(4);
    op.size = StructSize(kind);
    op.readable = op.writable = 0xffff;
    if (Below(40) == 0) op.writable = 4;
    for (uint64_t& word : op.words) word = 0;
    Fill(&op);
    return op;
  }
  void Fill(Op* op) {
    const uint32_t id = 1 + Below(9), id2 = 1 + Below(9);
    const uint64_t va = 0x10000000 + Below(16) * 0x1000;
    switch (op->kind) {
      case OpKind::kOpen:
        op->open.node = Below(2), op->open.device = Below(3);
        return;
      case OpKind::kBindIommufd:
        op->bind.iommufd = 3;
        return;
      case OpKind::kAttachIommufdPt:
        op->attach.ptId = Below(3) != 0 ? 4 + Below(5) : id;
        return;
      case OpKind::kIoasMap:
        op->ioasMap.flags = Below(5) == 0 ? 6 : 7;
        if (Below(4) == 0) op->ioasMap.flags &= ~2u;
        op->ioasMap.ioasId = Below(4) != 0 ? 4 : id, op->ioasMap.userVa = va,
        op->ioasMap.iova = Iova() & ~0xfffull;
        op->ioasMap.length = (1 + Below(8)) * 0x1000;
        return;
      case OpKind::kIoasUnmap:
        op->ioasUnmap.ioasId = Below(4) != 0 ? 4 : id, op->ioasUnmap.iova = Iova() & ~0xfffull;
        op->ioasUnmap.length = (1 + Below(12)) * 0x1000;
        if (Below(6) == 0) op->ioasUnmap.iova = 0, op->ioasUnmap.length = ~uint64_t{0};
        return;
      case OpKind::kHwptAlloc:
        op->hwptAlloc.devId = id, op->hwptAlloc.ptId = id2, op->hwptAlloc.flags = Below(2);
        if (Below(2) == 0) return;
        op->hwptAlloc.flags = 0, op->hwptAlloc.dataType = 2, op->hwptAlloc.dataLen = 16;
        op->hwptAlloc.dataPtr = 0x1000;
        Driver::AppendWord(&op->blob, Below(3) == 0 ? 9 : 0x1000 | 5 << 1 | 1);
        Driver::AppendWord(&op->blob, 0);
        return;
      case OpKind::kViommuAlloc:
        op->viommuAlloc.type = 1, op->viommuAlloc.devId = id, op->viommuAlloc.hwptId = id2;
        return;
      case OpKind::kVdeviceAlloc:
        op->vdeviceAlloc.viommuId = id, op->vdeviceAlloc.devId = id2;
        op->vdeviceAlloc.virtId = Below(3);
        return;
      case OpKind::kVeventqAlloc:
        op->veventqAlloc.viommuId = id, op->veventqAlloc.type = 1, op->veventqAlloc.depth = 2;
        return;
      case OpKind::kHwptInvalidate: {
        static constexpr uint64_t kOpcodes[] = {5, 6, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40, 0x46};
        op->hwptInvalidate.hwptId = id, op->hwptInvalidate.dataType = 1;
        op->hwptInvalidate.entryLen = 16, op->hwptInvalidate.entryNum = 2;
        op->hwptInvalidate.dataPtr = 0x1000;
        for (int i = 0; i < 2; ++i) {
          Driver::AppendWord(&op->blob, kOpcodes[Below(9)] | uint64_t{Below(3)} << 32);
          Driver::AppendWord(&op->blob, Iova());
        }
        return;
      }
      case OpKind::kDestroy:
        op->destroy.id = id;
        return;
      case OpKind::kMmap:
        op->fd = Below(3) == 0 ? 3 + Below(6) : kDanglingHandle;
        op->mmap.base = va, op->mmap.length = (1 + Below(16)) * 0x1000;
        op->mmap.prot = Below(6) == 0 ? kProtRead : 3u, op->mmap.shared = 1;
        return;
      case OpKind::kMunmap:
        op->munmap.address = va, op->munmap.length = 0x2000;
        return;
      case OpKind::kMemfd:
        op->memfd.length = 0x8000;
        return;
      case OpKind::kMemWrite: {
        op->memWrite.address = 0x10000000 + Below(8) * 0x1000 + Below(4) * 8;
        static constexpr uint64_t kWords[] = {0,      ~uint64_t{0}, 0x2003, 0x3003,
                                              0x4c43, 0x5443,       0xc41};
        const uint64_t cd = 25 | uint64_t{3} << 30 | uint64_t{4} << 32 | uint64_t{1} << 41 |
                            uint64_t{3} << 45 | uint64_t{0x11} << 48;
        Driver::AppendWord(&op->blob, Below(3) == 0 ? cd : kWords[Below(7)]);
        if (Below(2) == 0) Driver::AppendWord(&op->blob, kWords[Below(7)]);
        return;
      }
      case OpKind::kFailAlloc:
        op->failAlloc.nth = Below(3);
        return;
      case OpKind::kRead:
        op->read.count = 100, op->read.bufWritable = Below(100);
        return;
      case OpKind::kRaw:
      case OpKind::kClose:
      case OpKind::kDup:
      case OpKind::kDetachIommufdPt:
      case OpKind::kIoasAlloc:
      case OpKind::kIoasIovaRanges:
      case OpKind::kGetHwInfo:
      case OpKind::kPoll:
      case OpKind::kDma:
      case OpKind::kWrite:
      case OpKind::kEventfd:
      case OpKind::kFork:
      case OpKind::kExec:
      case OpKind::kExit:
      case OpKind::kPassFd:
      case OpKind::kSetrlimit:
      case OpKind::kVfioGetApiVersion:
      case OpKind::kVfioCheckExtension:
      case OpKind::kVfioSetIommu:
      case OpKind::kVfioIommuGetInfo:
      case OpKind::kVfioIommuMapDma:
      case OpKind::kVfioIommuUnmapDma:
      case OpKind::kVfioIommuDirtyPages:
      case OpKind::kVfioGroupGetStatus:
      case OpKind::kVfioGroupSetContainer:
      case OpKind::kVfioGroupUnsetContainer:
      case OpKind::kVfioGroupGetDeviceFd:
      case OpKind::kVfioDeviceGetInfo:
      case OpKind::kVfioDeviceGetRegionInfo:
      case OpKind::kVfioDeviceGetIrqInfo:
      case OpKind::kVfioDeviceSetIrqs:
      case OpKind::kVfioDeviceReset:
      case OpKind::kVfioPciHotResetInfo:
      case OpKind::kVfioPciHotReset:
      case OpKind::kVfioDeviceIoeventfd:
      case OpKind::kVfioDeviceFeature:
      case OpKind::kIoasAllowIovas:
      case OpKind::kIoasCopy:
      case OpKind::kIoasMapFile:
      case OpKind::kIommuOption:
      case OpKind::kVfioIoas:
      case OpKind::kHwptSetDirty:
      case OpKind::kHwptGetDirty:
      case OpKind::kFaultQueueAlloc:
      case OpKind::kIoasChangeProcess:
        return;
    }
  }

  std::mt19937_64 rng_;
  World world_;
  std::unique_ptr<Machine> machine_;
  Monitor<Concrete> monitor_;
  std::string broken_;
  uint64_t digest_ = 0;
};

TEST(Random, InvariantsHoldAndRunsAreAlike) {
  uint64_t reached = 0, faulted = 0;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    Walker a(seed, {}), b(seed, {});
    ASSERT_EQ(a.Run(1500), "") << "seed " << seed;
    ASSERT_EQ(b.Run(1500), "");
    ASSERT_EQ(a.digest(), b.digest());
    reached += a.reached, faulted += a.faulted;
  }
  RecordProperty("reached", static_cast<int>(reached));
  RecordProperty("faulted", static_cast<int>(faulted));
  EXPECT_GT(reached, 1000u);  // else these runs say nothing
  EXPECT_GT(faulted, 1000u);
}

bool Found(bool ModelFaults::*fault) {
  ModelFaults faults;
  faults.*fault = true;
  for (uint32_t seed = 1; seed <= 40; ++seed)
    if (!Walker(seed, faults).Run(1500).empty()) return true;
  return false;
}
TEST(Random, FindsPlantedFaults) {
  EXPECT_TRUE(Found(&ModelFaults::invalidateWrongVmid));
  EXPECT_TRUE(Found(&ModelFaults::unpinBeforeInvDone));
  EXPECT_TRUE(Found(&ModelFaults::configCacheSurvivesDetach));
  EXPECT_TRUE(Found(&ModelFaults::vmidReleasedEarly));
}

}  // namespace
}  // namespace twinwalk::model
