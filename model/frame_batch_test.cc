#include "model/frame_batch.h"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace twinwalk::model {
namespace {

using Put = std::tuple<uint64_t, uint64_t, uint64_t>;  // address, frame, count

std::vector<Put> Gather(const std::vector<uint64_t>& frames, bool fault = false) {
  std::vector<Put> out;
  FrameBatch batch(0x10000, fault);
  const auto put = [&](uint64_t at, uint64_t frame, uint64_t count) {
    out.emplace_back(at, frame, count);
  };
  for (uint64_t frame : frames) batch.Add(frame, put);
  batch.Finish(put);
  return out;
}

TEST(FrameBatch, NeighboursMakeARow) {
  EXPECT_EQ(Gather({5, 6, 7, 9, 3}),
            (std::vector<Put>{{0x10000, 5, 3}, {0x13000, 9, 1}, {0x14000, 3, 1}}));
  EXPECT_TRUE(Gather({}).empty());
}

TEST(FrameBatch, TheLastRowOfAFullBatchGrowsOn) {
  // Four rows; the fourth is two frames when the fifth begins.
  const std::vector<Put> out = Gather({30, 20, 10, 100, 101, 1, 2});
  ASSERT_EQ(out.size(), 5u);
  EXPECT_EQ(out[2], (Put{0x12000, 10, 1}));
  EXPECT_EQ(out[3], (Put{0x13000, 100, 2}));
  EXPECT_EQ(out[4], (Put{0x15000, 1, 2}));
}

TEST(FrameBatch, PlantedFault) {
  const std::vector<Put> out = Gather({30, 20, 10, 100, 101, 1, 2}, true);
  EXPECT_EQ(out[3], (Put{0x15000, 100, 2}));
}

}  // namespace
}  // namespace twinwalk::model
