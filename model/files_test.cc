#include "model/files.h"

#include <gtest/gtest.h>

namespace twinwalk::model {
namespace {

TEST(Process, LowestFreeDescriptor) {
  Process p;
  OpenFile a{}, b{}, c{};
  EXPECT_EQ(p.Install(&a), 3u);
  EXPECT_EQ(p.Install(&b), 4u);
  EXPECT_EQ(p.Install(&c), 5u);
  p.Remove(3), p.Remove(4);
  EXPECT_EQ(p.File(3), nullptr);
  EXPECT_EQ(p.File(5), &c);
  EXPECT_EQ(p.File(2), nullptr);
  EXPECT_EQ(p.File(0xffffffff), nullptr);
  EXPECT_EQ(p.Install(&b), 3u);
  EXPECT_EQ(p.Install(&a), 4u);
  EXPECT_EQ(p.Install(&a), 6u);
}

TEST(Process, UnmapSplitsAndReleases) {
  HostMemory memory;
  Backings backings(&memory);
  Process p;
  Backing* backing = backings.Make(0x5000);
  ++backing->users;
  const uint64_t frame = backing->Touch(&memory, 1, false);
  p.Map(0x10000, Vma{0x14fff, backing, 0, 3});
  EXPECT_TRUE(p.Overlaps(0x14000, 0x20000));
  EXPECT_FALSE(p.Overlaps(0x15000, 0x20000));
  p.Unmap(0x11000, 0x12fff, &backings);
  ASSERT_EQ(p.vmas().size(), 2u);
  EXPECT_EQ(p.Find(0x10fff)->second.last, 0x10fffu);
  EXPECT_EQ(p.Find(0x11000), p.vmas().end());
  EXPECT_EQ(p.Find(0x13000)->second.offset, 0x3000u);
  EXPECT_EQ(backing->users, 2u);
  EXPECT_NE(memory.Find(frame * kPageSize), nullptr);
  p.Unmap(0, ~uint64_t{0}, &backings);
  EXPECT_TRUE(p.vmas().empty());
  EXPECT_EQ(memory.Find(frame * kPageSize), nullptr);  // the backing and its frames are gone
  EXPECT_EQ(backings.Make(0x1000)->ordinal(), 2u);     // its number is not reused
}

TEST(HostMemory, FreedFramesComeBackFirstAndZeroed) {
  HostMemory memory;
  const uint64_t a = memory.Allocate(1, 0), b = memory.Allocate(1, 1);
  memory.Write64(b * kPageSize + 8, 0x1234);
  memory.Free(a), memory.Free(b);
  EXPECT_EQ(memory.Allocate(2, 7), b);
  uint64_t value = 1;
  EXPECT_TRUE(memory.Read64(b * kPageSize + 8, &value));
  EXPECT_EQ(value, 0u);
  EXPECT_EQ(memory.Find(b * kPageSize)->backing, 2u);
  EXPECT_FALSE(memory.Read64(a * kPageSize, &value));  // nobody's: an external abort
  const uint64_t run = memory.AllocateRun(512, 512, 3, 0);
  EXPECT_EQ(run % 512, 0u);
  EXPECT_EQ(memory.Find((run + 511) * kPageSize)->page, 511u);
}

}  // namespace
}  // namespace twinwalk::model
