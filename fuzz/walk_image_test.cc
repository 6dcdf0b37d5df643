#include "fuzz/walk_image.h"

#include <gtest/gtest.h>

#include <set>

#include "fuzz/random.h"

namespace twinwalk::fuzz {
namespace {

std::vector<uint8_t> Noise(uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> bytes(random.Below(1200));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
  return bytes;
}

// A walker that only follows pointers: tells how deep random bytes lead.
WalkAnswer Follow(const SmmuRegs& regs, WalkMemory& memory, const WalkQuery& query) {
  WalkAnswer answer;
  uint64_t word = 0, at = regs.strtabBase;
  if (!memory.Read64(at, &word)) return answer;
  if (!memory.Read64((word & 0x000fffffffffffc0) + 8, &word)) return answer;  // TTB0
  at = word & 0x0000fffffffff000;
  for (int level = 0; level < 4; ++level) {
    if (!memory.Read64(at + 8 * (query.address >> (39 - 9 * level) & 511), &word)) return answer;
    if ((word & 3) != 3) break;
    ++answer.size;
    at = word & 0x0000fffffffff000;
  }
  return answer;
}
WalkAnswer Wrong(const SmmuRegs& regs, WalkMemory& memory, const WalkQuery& query) {
  WalkAnswer answer = Follow(regs, memory, query);
  if (answer.size == 3) answer.pa = 1;
  return answer;
}

TEST(WalkImage, RandomBytesReachEveryLevel) {
  std::set<uint64_t> depths;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    const std::vector<uint8_t> bytes = Noise(seed);
    WalkImage image(bytes.data(), bytes.size());
    for (const WalkQuery& query : image.queries())
      depths.insert(Follow(image.regs(), image, query).size);
  }
  EXPECT_EQ(depths, (std::set<uint64_t>{0, 1, 2, 3, 4}));
}

TEST(WalkImage, ADifferenceIsTold) {
  std::string text;
  for (uint64_t seed = 0; seed < 20000 && text.empty(); ++seed) {
    const std::vector<uint8_t> bytes = Noise(seed);
    EXPECT_EQ(CompareWalks(bytes.data(), bytes.size(), Follow, Follow), "");
    text = CompareWalks(bytes.data(), bytes.size(), Wrong, Follow);
  }
  EXPECT_NE(text.find("should be"), std::string::npos);
  EXPECT_NE(text.find("strtabBase 0x10000"), std::string::npos);
}

TEST(WalkImage, NoBytesIsAnImage) {
  EXPECT_EQ(CompareWalks(nullptr, 0, Follow, Follow), "");
}

}  // namespace
}  // namespace twinwalk::fuzz
