// Random Ops on containers, groups, devices and processes: the model keeps every invariant and the
// order of its micro-steps, two runs are alike, and planted faults are found.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model/vfio_driver.h"
#include "traces/invariants.h"
#include "traces/known_defects.h"
#include "traces/monitor.h"

namespace twinwalk::model {
namespace {

// Two VT-d units and an SMMUv3; group 6 has two devices on the first unit.
World SmallWorld() {
  World world = RecordedPc();
  world.smmus.resize(1);
  world.vtds.resize(2, world.vtds[0]);
  for (VtdConfig& vtd : world.vtds)
    vtd.didLimit = 4, vtd.iotlbEntries = 8, vtd.walkCacheEntries = 4, vtd.contextCacheEntries = 2;
  world.devices = {Edu(0x80, "0", 6, 1), Edu(0x88, "1", 6, 1), Edu(0x90, "2", 7, 2),
                   Edu(0x98, "3", 8, 0)};
  world.processes[0].memlockPages = world.processes[2].memlockPages = 64;
  world.dmaEntryLimit = 6;
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
  }
  // Runs n Ops; the first thing that is broken, "" when nothing is.
  std::string Run(int n) {
    for (int i = 0; i < n && broken_.empty(); ++i) {
      const Op op = Next();
      const Outcome out = machine_->Step(op);
      digest_ = digest_ * 31 + out.err * 7u + out.fd * 5u + out.pieces.size() * 3 + out.values[0];
      for (const Piece& p : out.pieces) ++(p.fault == 0 ? reached : faulted);
      if (out.err == 0) ++succeeded[static_cast<size_t>(op.kind)];
      View<Concrete> view;
      machine_->GetView(ViewScope::kAll, &view);
      ForEachInvariant<Concrete>([&](InvariantInfo info, auto&& check) {
        check(view, [&](bool ok, const char* what, const auto&) {
          if (FindKnownDefect(world_.rules, info.id, what) == nullptr) Note(ok, what);
        });
      });
    }
    return broken_;
  }
  uint64_t digest() const { return digest_; }
  uint64_t reached = 0, faulted = 0;
  std::array<uint64_t, kOpKinds> succeeded{};

 private:
  // In process 0: containers 3 and 4, groups 5 (two devices), 6, 7 in the first, memory.
  void SetUp() {
    Op op;
    op.readable = op.writable = 0xffff;
    const auto run = [&](OpKind kind, uint32_t fd) {
      op.kind = kind, op.fd = fd, op.size = StructSize(kind);
      EXPECT_EQ(machine_->Step(op).err, 0) << OpName(kind);
      for (uint64_t& word : op.words) word = 0;
    };
    for (uint32_t node : {2, 2, 3, 3, 3}) {
      op.open.node = node, op.open.device = 6 + groups_;
      groups_ += node == 3;
      run(OpKind::kOpen, 0);
    }
    for (uint32_t group = 5; group <= 7; ++group) {
      op.vfioGroupSetContainer.container = 3;
      run(OpKind::kVfioGroupSetContainer, group);
    }
    op.vfioSetIommu.arg = 3;
    run(OpKind::kVfioSetIommu, 3);
    op.mmap.base = 0x10000000, op.mmap.length = 0x8000, op.mmap.prot = 3;
    run(OpKind::kMmap, kDanglingHandle);
  }
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(rng_() % n); }
  void Note(bool ok, const char* what) {
    if (!ok && broken_.empty()) broken_ = what;
  }
  Op Next() {
    static constexpr OpKind kKinds[] = {OpKind::kDma,
                                        OpKind::kDma,
                                        OpKind::kDma,
                                        OpKind::kVfioIommuMapDma,
                                        OpKind::kVfioIommuMapDma,
                                        OpKind::kVfioIommuMapDma,
                                        OpKind::kVfioIommuUnmapDma,
                                        OpKind::kOpen,
                                        OpKind::kOpen,
                                        OpKind::kVfioGroupSetContainer,
                                        OpKind::kVfioGroupSetContainer,
                                        OpKind::kVfioSetIommu,
                                        OpKind::kVfioSetIommu,
                                        OpKind::kVfioGroupGetDeviceFd,
                                        OpKind::kVfioGroupUnsetContainer,
                                        OpKind::kMmap,
                                        OpKind::kMunmap,
                                        OpKind::kFork,
                                        OpKind::kExec,
                                        OpKind::kExit,
                                        OpKind::kPassFd,
                                        OpKind::kClose,
                                        OpKind::kBindIommufd,
                                        OpKind::kFailAlloc};
    OpKind kind = kKinds[Below(std::size(kKinds))];
    if ((kind == OpKind::kExec || kind == OpKind::kExit || kind == OpKind::kMunmap ||
         kind == OpKind::kClose || kind == OpKind::kVfioGroupUnsetContainer) &&
        Below(6) != 0)
      kind = OpKind::kVfioIommuMapDma;
    Op op;
    op.kind = kind;
    op.process = kind != OpKind::kExec && kind != OpKind::kExit && Below(6) != 0 ? 0 : 1 + Below(2);
    op.fd = 3 + Below(7);
    if (Below(4) != 0) {  // a file of the right kind, if it is still there
      const bool group = kind == OpKind::kVfioGroupSetContainer ||
                         kind == OpKind::kVfioGroupUnsetContainer ||
                         kind == OpKind::kVfioGroupGetDeviceFd;
      op.fd = group ? 5 + Below(3) : kind == OpKind::kClose ? 8 + Below(4) : 3 + Below(2);
    }
    op.size = kind == OpKind::kVfioIommuUnmapDma ? 24 : StructSize(kind);
    op.readable = op.writable = 0xffff;
    Fill(&op);
    return op;
  }
  void Fill(Op* op) {
    const uint64_t iova = Below(8) * 0x1000, va = 0x10000000 + Below(8) * 0x1000;
    const uint64_t length = (1 + Below(4)) * 0x1000;
    if (op->kind == OpKind::kDma) {
      op->dma.device = Below(4), op->dma.iova = iova + 8, op->dma.length = 8;
      op->dma.flags = Below(2);
      if (op->dma.flags != 0) op->blob.assign(8, 'x');
    } else if (op->kind == OpKind::kVfioIommuMapDma) {
      op->vfioIommuMapDma.flags = Below(6) == 0 ? 4 : 1 + Below(3);
      op->vfioIommuMapDma.vaddr = va, op->vfioIommuMapDma.iova = iova;
      op->vfioIommuMapDma.length = length;
    } else if (op->kind == OpKind::kVfioIommuUnmapDma) {
      op->vfioIommuUnmapDma.flags = Below(4) == 0 ? 4 : 0;
      op->vfioIommuUnmapDma.iova = iova, op->vfioIommuUnmapDma.length = 0x8000;
      if (Below(3) == 0)
        op->vfioIommuUnmapDma.flags |= 2, op->vfioIommuUnmapDma.iova = 0,
                                          op->vfioIommuUnmapDma.length = 0;
    } else if (op->kind == OpKind::kOpen) {
      op->open.node = Below(4), op->open.device = Below(2) ? 6 + Below(3) : Below(4);
    } else if (op->kind == OpKind::kVfioGroupSetContainer) {
      op->vfioGroupSetContainer.container = 3 + Below(6);
    } else if (op->kind == OpKind::kVfioSetIommu) {
      op->vfioSetIommu.arg = Below(4) == 0 ? 1 : 3;
    } else if (op->kind == OpKind::kVfioGroupGetDeviceFd) {
      op->blob = std::to_string(Below(4)) + '\0';
    } else if (op->kind == OpKind::kMmap) {
      op->fd = Below(3) == 0 ? op->fd : kDanglingHandle;
      op->mmap.base = va, op->mmap.length = length, op->mmap.prot = Below(5) ? 3 : 1;
      op->mmap.shared = Below(4) != 0;
    } else if (op->kind == OpKind::kMunmap) {
      op->munmap.address = va, op->munmap.length = length;
    } else if (op->kind == OpKind::kFork || op->kind == OpKind::kPassFd) {
      op->fork.child = Below(3);
    } else if (op->kind == OpKind::kBindIommufd) {
      op->bind.iommufd = 3 + Below(6);
    } else if (op->kind == OpKind::kFailAlloc) {
      op->failAlloc.nth = Below(3);
    }
  }

  uint32_t groups_ = 0;
  std::mt19937_64 rng_;
  World world_;
  std::unique_ptr<Machine> machine_;
  Monitor<Concrete> monitor_;
  std::string broken_;
  uint64_t digest_ = 0;
};

TEST(Type1Random, InvariantsHoldAndRunsAreAlike) {
  uint64_t reached = 0, faulted = 0;
  std::array<uint64_t, kOpKinds> succeeded{};
  for (uint32_t seed = 1; seed <= 15; ++seed) {
    Walker a(seed, {}), b(seed, {});
    ASSERT_EQ(a.Run(1500), "") << "seed " << seed;
    ASSERT_EQ(b.Run(1500), "");
    ASSERT_EQ(a.digest(), b.digest());
    reached += a.reached, faulted += a.faulted;
    for (size_t k = 0; k < kOpKinds; ++k) succeeded[k] += a.succeeded[k];
  }
  // Else these runs say nothing.
  EXPECT_GT(reached, 200u);
  EXPECT_GT(faulted, 200u);
  for (OpKind kind : {OpKind::kVfioIommuMapDma, OpKind::kVfioIommuUnmapDma, OpKind::kVfioSetIommu,
                      OpKind::kVfioGroupSetContainer, OpKind::kVfioGroupGetDeviceFd, OpKind::kFork})
    EXPECT_GT(succeeded[static_cast<size_t>(kind)], 5u) << OpName(kind);
}

bool Found(bool ModelFaults::*fault) {
  ModelFaults faults;
  faults.*fault = true;
  for (uint32_t seed = 1; seed <= 40; ++seed)
    if (!Walker(seed, faults).Run(1500).empty()) return true;
  return false;
}
TEST(Type1Random, FindsPlantedFaults) {
  EXPECT_TRUE(Found(&ModelFaults::m01UnchargesCaller));
  EXPECT_TRUE(Found(&ModelFaults::unpinBeforeInvDone));
  EXPECT_TRUE(Found(&ModelFaults::m36PagesFreedBeforeFlush));
  EXPECT_TRUE(Found(&ModelFaults::vmidReleasedEarly));
}

}  // namespace
}  // namespace twinwalk::model
