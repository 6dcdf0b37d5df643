#include "model/spaces.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
using Pairs = std::vector<std::pair<uint64_t, uint64_t>>;

void Add(Space* space, uint64_t first, uint64_t last) {
  Area area;
  area.first = first, area.last = last;
  space->areas().emplace(first, std::move(area));
}

TEST(Space, FixedChecksInOrder) {
  Space space;
  EXPECT_EQ(space.CheckFixed(0x1001, 5, 3), 0);  // alignment 1 without a page table
  space.set_alignment(4096);
  space.Reserve(0x8000, 0xffff, &space);
  Add(&space, 0x20000, 0x2ffff);
  EXPECT_EQ(space.CheckFixed(0x1000, 0, 0), EINVAL);
  EXPECT_EQ(space.CheckFixed(0x1000, 0x800, 0), EINVAL);
  EXPECT_EQ(space.CheckFixed(0x1800, 0x1000, 0), EINVAL);
  EXPECT_EQ(space.CheckFixed(0xfffffffffffff000, 0x2000, 0), EOVERFLOW);
  EXPECT_EQ(space.CheckFixed(0x7000, 0x2000, 0), EINVAL);  // reserved
  EXPECT_EQ(space.CheckFixed(0x1f000, 0x2000, 0), EEXIST);
  EXPECT_EQ(space.CheckFixed(0x1000, 0x1000, 0x10), EINVAL);  // offset in the page
  EXPECT_EQ(space.CheckFixed(0x7000, 0x1000, 0x1000), 0);
}

TEST(Space, RangesAreTheHolesOfReserved) {
  Space space;
  EXPECT_EQ(space.Ranges(), (Pairs{{0, kTop}}));
  space.Reserve(uint64_t{1} << 48, kTop, &space);
  int device = 0;
  space.Reserve(0x8000000, 0x80fffff, &device);
  space.Reserve(0x8000000, 0x80fffff, &space);  // overlaps are allowed
  EXPECT_EQ(space.Ranges(), (Pairs{{0, 0x7ffffff}, {0x8100000, (uint64_t{1} << 48) - 1}}));
  space.Unreserve(&device);
  EXPECT_EQ(space.Ranges().size(), 2u);
  space.Unreserve(&space);
  EXPECT_EQ(space.Ranges(), (Pairs{{0, kTop}}));
  space.Reserve(0, kTop, &space);
  EXPECT_TRUE(space.Ranges().empty());
}

TEST(Space, Placement) {
  Space space;
  ModelFaults none;
  uint64_t iova = 0;
  EXPECT_EQ(space.Place(0x1000, 0x12345000, none, &iova), 0);
  EXPECT_EQ(iova, 0x1000u);  // never 0
  EXPECT_EQ(space.Place(0x1000, 0x12345678, none, &iova), 0);
  EXPECT_EQ(iova, 0x1678u);  // aligned to 8, keeps the offset in the page
  EXPECT_EQ(space.Place(0x300000, 0x40000000, none, &iova), 0);
  EXPECT_EQ(iova, 0x200000u);  // capped at 2 MiB
  EXPECT_EQ(space.Place(uint64_t{1} << 63, 0, none, &iova), EOVERFLOW);
  Add(&space, 0x1000, 0x5fff);
  EXPECT_EQ(space.Place(0x2000, 0x2000, none, &iova), 0);
  EXPECT_EQ(iova, 0x6000u);
  space.Reserve(0x7000, kTop, &space);
  EXPECT_EQ(space.Place(0x2000, 0x2000, none, &iova), ENOSPC);
  EXPECT_EQ(space.Place(0x1000, 0x1000, none, &iova), 0);
  EXPECT_EQ(iova, 0x6000u);
  space.set_alignment(4096);
  EXPECT_EQ(space.Place(0x800, 0x1000, none, &iova), EINVAL);
}

TEST(Space, FirstMeeting) {
  Space space;
  Add(&space, 0x1000, 0x1fff);
  Add(&space, 0x5000, 0x5fff);
  EXPECT_EQ(space.FirstMeeting(0, 0xfff), space.areas().end());
  EXPECT_EQ(space.FirstMeeting(0x1fff, 0x9000)->first, 0x1000u);
  EXPECT_EQ(space.FirstMeeting(0x2000, kTop)->first, 0x5000u);
  EXPECT_EQ(space.FirstMeeting(0x6000, kTop), space.areas().end());
}

TEST(ResolveRuns, OneRunForEachMapping) {
  HostMemory memory;
  Backings backings(&memory);
  Process process;
  Backing* a = backings.Make(0x3000);
  Backing* b = backings.Make(0x2000);
  process.Map(0x10000, Vma{0x12fff, a, 0, 3});
  process.Map(0x13000, Vma{0x14fff, b, 0, 3});
  Area area;
  area.first = 0x80000, area.last = 0x82fff, area.va = 0x12000, area.rights = kRead | kWrite;
  std::vector<model::Run> runs;
  ASSERT_TRUE(ResolveRuns(area, process, {}, &runs));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].backing, a);
  EXPECT_EQ(runs[0].offset, 0x2000u);
  EXPECT_EQ(runs[0].last, 0x80fffu);
  EXPECT_EQ(runs[1].backing, b);
  EXPECT_EQ(runs[1].first, 0x81000u);
  EXPECT_EQ(runs[1].va, 0x13000u);
  area.last = 0x83fff;  // one page too far
  EXPECT_FALSE(ResolveRuns(area, process, {}, &runs));
  area.last = 0x80fff;
  process.Map(0x10000, Vma{0x12fff, a, 0, kProtRead});
  EXPECT_FALSE(ResolveRuns(area, process, {}, &runs));
  area.rights = kRead;
  EXPECT_TRUE(ResolveRuns(area, process, {}, &runs));
}

}  // namespace
}  // namespace twinwalk::model
