// Random maps, copies, files, cuts and owners over two address spaces: every invariant and the
// order of micro-steps hold, and when all is closed nobody is charged for anything.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "model/test_calls.h"
#include "traces/invariants.h"
#include "traces/known_defects.h"
#include "traces/monitor.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kVa = 0x10000000, kPage = 4096;

World SmallWorld() {
  World world = TwoDevices();
  world.devices[1].group = 7;
  world.processes[0].sysResource = true;
  world.processes[0].memlockPages = 60;
  world.processes[1].memlockPages = 30;
  world.frames = 4096;
  return world;
}

class Walker : public MicroStepObserver {
 public:
  Walker(uint32_t seed, const ModelFaults& faults)
      : rng_(seed), d_(SmallWorld(), faults), c_{d_, d_.OpenIommu()} {
    d_.machine().SetObserver(this);
    if (seed % 3 == 0) c_.Option(0, 0, 0, 1);  // accounts of processes
    d_.Mmap(kVa, 16 * kPage);
    file_ = c_.Memfd(16 * kPage);
    for (uint32_t i = 0; i < 2; ++i) d_.Bind(cdevs_[i] = d_.OpenDevice(i), c_.fd);
    for (uint32_t& ioas : ioases_) ioas = d_.Ioas(c_.fd);
    c_.VfioIoas(1, ioases_[0]);
    if (seed % 2 == 0) c_.SetIommu(1);
    Op pass = d_.Make(OpKind::kPassFd, c_.fd);
    pass.passFd.to = 1;
    there_ = d_.Run(pass).fd;
  }
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    monitor_.OnStep(step, [&](bool ok, const char* what, const auto&) { Note(ok, what); });
    cuts += step.kind == MicroStepKind::kMapSplit;
    d_.machine().Peek(d_.DmaOp(Below(2), Iova(), 8));
  }
  std::string Run(int n) {
    for (int i = 0; i < n && broken_.empty(); ++i) {
      Next();
      if (i % 2 == 0) d_.DmaRead(Below(2), Iova(), 5000);
      const View<Concrete> view = d_.GetView();
      ForEachInvariant<Concrete>([&](InvariantInfo info, auto&& check) {
        check(view, [&](bool ok, const char* what, const auto&) {
          if (FindKnownDefect(d_.world().rules, info.id, what) == nullptr) Note(ok, what);
        });
      });
    }
    if (broken_.empty()) CloseAll();
    return broken_;
  }
  uint32_t done = 0, cuts = 0;  // calls that succeeded; cuts

 private:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(rng_() % n); }
  uint64_t Iova() { return Below(16) * kPage; }
  uint64_t Length() { return (1 + Below(6)) * kPage - (Below(20) == 0 ? 0x800 : 0); }
  uint32_t Ioas() { return ioases_[Below(2)]; }
  uint32_t Flags() { return Below(4) == 0 ? 5 : 7; }
  void Note(bool ok, const char* what) {
    if (!ok && broken_.empty()) broken_ = what;
  }
  void Count(const Outcome& out) { done += out.err == 0; }
  void Next() {
    const uint32_t cdev = cdevs_[Below(2)];
    switch (Below(16)) {
      case 0:
      case 1:
        return Count(d_.Map(c_.fd, Ioas(), kVa + Iova(), Length(), Iova(), Flags()));
      case 2:
        return Count(c_.MapFile(Ioas(), file_, Iova(), Length(), Iova(), Flags()));
      case 3:
      case 4:
      case 5:
        return Count(c_.Copy(Ioas(), Iova(), Ioas(), Iova(), Length(), Flags()));
      case 6:
        return Count(c_.MapDma(kVa + Iova(), Iova(), Length()));
      case 7:
        return Count(c_.UnmapDma(Iova(), Length()));
      case 8:
        return Count(d_.Unmap(c_.fd, Ioas(), Iova(), 4 * kPage));
      case 9:
      case 10:
        return Count(d_.Attach(cdev, Ioas()));
      case 11:
        return Count(Below(3) == 0 ? d_.Detach(cdev) : d_.DmaRead(Below(2), Iova(), 5000));
      case 12:
        return Count(c_.Allow(Ioas(), {{0, Below(2) * 0x20000 + 1}}));
      case 13:
        return Count(c_.Option(1, 0, Ioas(), Below(2)));
      case 14:
        Count(Below(2) == 0 ? d_.Munmap(kVa + Iova(), 2 * kPage)
                            : d_.Mmap(kVa + Iova(), 2 * kPage));
        return;
      default:
        if (Below(4) == 0) Count(d_.FailAlloc(Below(3)));
        if (Below(8) != 0) return;
        d_.Unmap(c_.fd, ioases_[0], 0, ~uint64_t{0});
        d_.process = static_cast<uint8_t>(Below(2));
        Count(Calls{d_, d_.process == 0 ? c_.fd : there_}.ChangeProcess());
        d_.process = 0;
    }
  }
  void CloseAll() {
    d_.Close(cdevs_[0]), d_.Close(cdevs_[1]), d_.Close(file_), d_.Close(c_.fd);
    d_.process = 1;
    d_.Close(there_);
    d_.process = 0;
    const View<Concrete> view = d_.GetView();
    view.accounts.EachIndex([&](bool, const AccountRow<Concrete>& a) {
      Note(a.pinned == 0, "an account is charged for nothing");
    });
    Note(view.ioases.size() == 0 && view.devices.Find(1)->context == 0, "something is left");
    d_.Munmap(kVa, 32 * kPage);
  }

  std::mt19937 rng_;
  Driver d_;
  Calls c_;
  Monitor<Concrete> monitor_;
  std::string broken_;
  uint32_t cdevs_[2] = {}, ioases_[2] = {}, file_ = 0, there_ = 0;
};

TEST(SpacesRandom, InvariantsAndOrderHold) {
  uint32_t done = 0, cuts = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Walker walker(seed, {});
    ASSERT_EQ(walker.Run(150), "") << "seed " << seed;
    done += walker.done, cuts += walker.cuts;
  }
  EXPECT_GT(done, 60u * 30);
  EXPECT_GT(cuts, 10u);
}

// How many of 60 seeds see a planted fault.
uint32_t Finds(bool ModelFaults::*fault) {
  ModelFaults faults;
  faults.*fault = true;
  uint32_t found = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) found += !Walker(seed, faults).Run(150).empty();
  return found;
}
TEST(SpacesRandom, FindsPlantedFaults) {
  EXPECT_GT(Finds(&ModelFaults::unpinBeforeInvDone), 0u);
  EXPECT_GT(Finds(&ModelFaults::m10SplitKeepsOldShare), 0u);
  EXPECT_GT(Finds(&ModelFaults::m12CarryCounts), 0u);
}

}  // namespace
}  // namespace twinwalk::model
