#include "traces/import_handles.h"

#include <gtest/gtest.h>

namespace twinwalk {
namespace {

TEST(ImportHandles, TheLastOpThatReturnedANumberCountsAlsoWhenStale) {
  ImportHandles h;
  EXPECT_FALSE(h.Fd(1, 3).has_value());
  h.SetFd(1, 3, 10);
  h.CloseFd(1, 3);
  EXPECT_EQ(h.Fd(1, 3), 10u);
  EXPECT_TRUE(h.OpenFds(1).empty());
  h.SetFd(1, 3, 12);
  EXPECT_EQ(h.Fd(1, 3), 12u);
  EXPECT_EQ(h.OpenFds(1), std::vector<uint64_t>{3});
  EXPECT_FALSE(h.Fd(2, 3).has_value());
  h.SetId(7, 5, 20);
  h.SetId(7, 5, 21);
  EXPECT_EQ(h.Id(7, 5), 21u);
  EXPECT_FALSE(h.Id(8, 5).has_value());
}

TEST(ImportHandles, MappingsAreCutWhereSomethingElseIsMappedOrUnmapped) {
  ImportHandles h;
  h.Map(1, 0x10000, 0x5000, 4, 9, 0x100000);
  const auto place = h.Find(1, 0x12345);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->op, 4u);
  EXPECT_EQ(place->offset, 0x2345u);
  EXPECT_EQ(place->rest, 0x2cbbu);
  EXPECT_EQ(place->backing, 9u);
  EXPECT_EQ(place->backing_offset, 0x102345u);
  EXPECT_FALSE(h.Find(1, 0x15000).has_value());
  EXPECT_FALSE(h.Find(2, 0x12345).has_value());

  h.Unmap(1, 0x12000, 0x1000);  // a hole
  EXPECT_TRUE(h.Find(1, 0x11fff).has_value());
  EXPECT_FALSE(h.Find(1, 0x12000).has_value());
  ASSERT_TRUE(h.Find(1, 0x13000).has_value());
  EXPECT_EQ(h.Find(1, 0x13000)->offset, 0x3000u);
  EXPECT_EQ(h.Find(1, 0x13000)->backing_offset, 0x103000u);
  EXPECT_FALSE(h.Overlaps(1, 0x12000, 0x1000));
  EXPECT_TRUE(h.Overlaps(1, 0x12000, 0x1001));
  EXPECT_TRUE(h.Overlaps(1, 0x11fff, 1));

  h.Map(1, 0x14000, 0x4000, 6, 11, 0);  // over the tail
  EXPECT_EQ(h.Find(1, 0x14000)->op, 6u);
  EXPECT_EQ(h.Find(1, 0x13fff)->op, 4u);
  h.Map(1, 0, ~uint64_t{0}, 8, 12, 0);  // nearly everything
  EXPECT_EQ(h.Find(1, 0x14000)->op, 8u);
  h.Unmap(1, 0xfffffffffffff000, 0x2000);  // wraps: to the top
  EXPECT_FALSE(h.Find(1, 0xfffffffffffffffe).has_value());
  h.ForgetProcess(1);
  EXPECT_FALSE(h.Find(1, 0x14000).has_value());
}

TEST(ImportHandles, AChildHasTheFilesAndItsOwnPrivateMemory) {
  ImportHandles h;
  h.SetFd(1, 3, 10);
  h.Map(1, 0x10000, 0x3000, 4, 1, 0, true);
  h.Unmap(1, 0x11000, 0x1000);                // one memory in two pieces
  h.Map(1, 0x20000, 0x1000, 5, 2, 0, false);  // shared
  uint64_t next = 7;
  h.Fork(1, 2, [&] { return next++; });
  EXPECT_EQ(h.Fd(2, 3), 10u);
  EXPECT_EQ(h.Find(2, 0x10000)->backing, 7u);
  EXPECT_EQ(h.Find(2, 0x12000)->backing, 7u);
  EXPECT_EQ(h.Find(2, 0x12000)->op, 4u);
  EXPECT_EQ(h.Find(2, 0x20000)->backing, 2u);
  EXPECT_EQ(next, 8u);
  h.Unmap(2, 0x10000, 0x1000);
  EXPECT_EQ(h.Find(1, 0x10000)->backing, 1u);  // the parent's stays
}

}  // namespace
}  // namespace twinwalk
