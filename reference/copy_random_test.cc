// Random walks through MAP, COPY, UNMAP, type1 cuts and HWPTs that come and go: after each Op every
// page of every map must be pinned by exactly one area, the oldest that has it, and be charged
// once. What should be is counted page by page from the calls alone.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "reference/test_driver.h"

namespace twinwalk {
namespace {

constexpr uint64_t kVa = 0x40000000, kPage = 4096, kPages = 16;

// What a call made: page `index` of an IOAS shows page `page` of map number `map`.
struct Shown {
  uint64_t map = 0, page = 0, born = 0;
};

class Walk {
 public:
  explicit Walk(uint32_t seed) : random_(seed) {
    World world;
    world.devices.resize(1);
    d_ = std::make_unique<Driver>(world);
    fd_ = d_->OpenIommu();
    dev_ = d_->Bind(d_->OpenCdev(0), fd_).id;
    for (uint32_t& ioas : ioas_) ioas = d_->Ioas(fd_).id;
    d_->Mmap(kVa, kPages * kPage);
    for (int i = 0; i < 2; ++i) {  // IOAS 0 is cut like type1
      Op op = d_->Make(i == 0 ? OpKind::kVfioIoas : OpKind::kVfioSetIommu, fd_);
      if (i == 0) op.vfioIoas.op = 1, op.vfioIoas.ioasId = ioas_[0];
      if (i == 1) op.vfioSetIommu.arg = 1;
      EXPECT_EQ(d_->Do(op).err, 0);
    }
  }
  uint64_t Pick(uint64_t n) { return random_() % n; }
  static uint64_t Iova(uint64_t index) { return 0x100000 + index * kPage; }

  void Step() {
    const size_t a = Pick(2), b = Pick(2);
    const uint64_t at = Pick(kPages), from = Pick(kPages);
    const uint64_t n = 1 + Pick(kPages - std::max(at, from));
    switch (Pick(6)) {
      case 0:
        if (d_->Map(fd_, ioas_[a], Iova(at), kVa + from * kPage, n * kPage).err == 0) {
          ++maps_, ++births_;
          for (uint64_t i = 0; i < n; ++i) shown_[a][at + i] = {maps_, from + i, births_};
        }
        break;
      case 1:
      case 2: {
        Op op = d_->Make(OpKind::kIoasCopy, fd_);
        op.ioasCopy.flags = 7, op.ioasCopy.length = n * kPage;
        op.ioasCopy.dstIoasId = ioas_[b], op.ioasCopy.dstIova = Iova(at);
        op.ioasCopy.srcIoasId = ioas_[a], op.ioasCopy.srcIova = Iova(from);
        if (d_->Do(op).err == 0) {
          ++births_;
          const auto source = shown_[a];
          for (uint64_t i = 0; i < n; ++i) {
            Shown page = source.at(from + i);
            page.born = births_;
            shown_[b][at + i] = page;
          }
        }
        break;
      }
      case 3: {  // in IOAS 0 any part goes
        Op op = d_->Make(OpKind::kVfioIommuUnmapDma, fd_);
        op.size = 24;
        op.vfioIommuUnmapDma.iova = Iova(at), op.vfioIommuUnmapDma.length = n * kPage;
        EXPECT_EQ(d_->Do(op).err, 0);
        for (uint64_t i = 0; i < n; ++i) shown_[0].erase(at + i);
        break;
      }
      case 4: {  // in IOAS 1 whole areas only
        uint64_t first = at;
        while (first > 0 && shown_[1].count(first - 1) != 0) --first;
        uint64_t last = at;
        while (shown_[1].count(last + 1) != 0) ++last;
        if (d_->Unmap(fd_, ioas_[1], Iova(first), (last - first + 1) * kPage).err == 0)
          for (uint64_t i = first; i <= last; ++i) shown_[1].erase(i);
        break;
      }
      case 5:
        if (hwpt_[a] == 0) {
          hwpt_[a] = d_->Hwpt(fd_, dev_, ioas_[a], 0).id;
          EXPECT_NE(hwpt_[a], 0u);
        } else {
          EXPECT_EQ(d_->Destroy(fd_, hwpt_[a]).err, 0);
          hwpt_[a] = 0;
        }
        break;
    }
  }

  void Check() {
    const View<Concrete> view = d_->Seen();
    // The oldest pinned page of each page of each map pays.
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> oldest;
    for (size_t s = 0; s < 2; ++s) {
      for (const auto& [index, page] : shown_[s]) {
        if (hwpt_[s] == 0) continue;
        auto [it, fresh] = oldest.try_emplace({page.map, page.page}, page.born);
        it->second = std::min(it->second, page.born);
      }
    }
    EXPECT_EQ(view.accounts.Find(1)->pinned, oldest.size());
    uint64_t pages = 0;
    std::set<uint64_t> seen;
    view.areas.EachIndex([&](bool, const AreaRow<Concrete>& row) {
      const size_t s = row.space == ObjectKey(1, ioas_[0]) ? 0 : 1;
      uint64_t pays = 0;
      for (uint64_t iova = row.first; iova <= row.last; iova += kPage, ++pages) {
        const uint64_t index = (iova - Iova(0)) / kPage;
        ASSERT_EQ(shown_[s].count(index), 1u);
        const Shown& page = shown_[s].at(index);
        EXPECT_EQ(row.pages, page.map);
        EXPECT_EQ(row.va + (iova - row.first), kVa + page.page * kPage);
        if (hwpt_[s] == 0) continue;
        EXPECT_EQ(row.backing, 1u);
        EXPECT_EQ(row.offset + (iova - row.first), page.page * kPage);
        // Of two areas of one call the first may pay for what both show.
        if (oldest.at({page.map, page.page}) == page.born &&
            seen.insert(page.born << 32 | page.map << 16 | page.page).second)
          ++pays;
      }
      EXPECT_EQ(row.pinned, pays) << "area at " << std::hex << row.first;
    });
    EXPECT_EQ(pages, shown_[0].size() + shown_[1].size());
  }

 private:
  std::mt19937 random_;
  std::unique_ptr<Driver> d_;
  uint32_t fd_ = 0, dev_ = 0, ioas_[2] = {0, 0}, hwpt_[2] = {0, 0};
  std::map<uint64_t, Shown> shown_[2];
  uint64_t maps_ = 0, births_ = 0;
};

TEST(CopyAtRandom, EveryPageIsPaidOnceByTheOldest) {
  for (uint32_t seed = 0; seed < 60 && !testing::Test::HasFailure(); ++seed) {
    Walk walk(seed);
    for (int i = 0; i < 120 && !testing::Test::HasFailure(); ++i) {
      walk.Step();
      walk.Check();
    }
    if (testing::Test::HasFailure()) ADD_FAILURE() << "seed " << seed;
  }
}

}  // namespace
}  // namespace twinwalk
