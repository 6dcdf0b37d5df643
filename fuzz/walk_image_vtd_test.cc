#include "fuzz/walk_image_vtd.h"

#include <gtest/gtest.h>

#include <set>

#include "fuzz/random.h"
#include "model/walk_vtd.h"
#include "reference/walk_vtd.h"

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kInputs = 20000;

std::vector<uint8_t> Noise(uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> bytes(random.Below(1200));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
  return bytes;
}
std::string Compare(uint64_t seed, VtdWalker model, VtdWalker reference) {
  const std::vector<uint8_t> bytes = Noise(seed);
  return CompareVtdWalks(bytes.data(), bytes.size(), model, reference);
}
// What tells of the first noise that shows a difference; "" if none does.
std::string Found(VtdWalker model, VtdWalker reference) {
  std::string text;
  for (uint64_t seed = 0; seed < kInputs && text.empty(); ++seed)
    text = Compare(seed, model, reference);
  return text;
}

// Every fault reason of hw-vtd 6 that a second stage or what is above it can have, and every way to
// be translated.
TEST(VtdImage, RandomBytesReachEverything) {
  std::set<int> reasons;
  std::set<uint64_t> sizes, levels;
  int pass = 0, interrupts = 0, denied = 0;
  for (uint64_t seed = 0; seed < kInputs; ++seed) {
    const std::vector<uint8_t> bytes = Noise(seed);
    VtdImage image(bytes.data(), bytes.size());
    for (const VtdQuery& query : image.queries()) {
      const VtdAnswer a = reference::WalkVtd(image.regs(), image, query);
      reasons.insert(a.reason);
      if (a.reason == 0 && a.rights != 0) sizes.insert(a.size);
      pass += a.passThrough && image.regs().enabled;
      interrupts += a.interrupt;
      denied += a.reason == 0 && a.rights == 0 && a.size != 0;
    }
  }
  EXPECT_EQ(reasons,
            (std::set<int>{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
                           0x0b, 0x0c, 0x0d, 0x0e, 0x30, 0x31, 0x38, 0x39, 0x3a, 0x40, 0x41,
                           0x42, 0x44, 0x45, 0x46, 0x48, 0x50, 0x51, 0x52, 0x58, 0x59, 0x5a,
                           0x5b, 0x5d, 0x78, 0x79, 0x7a, 0x7b, 0x83, 0x85, 0x86, 0x87}));
  EXPECT_EQ(sizes, (std::set<uint64_t>{0, 0x1000, 0x200000, 0x40000000}));
  EXPECT_GT(pass, 0);
  EXPECT_GT(interrupts, 0);
  EXPECT_GT(denied, 0);
}

TEST(VtdImage, BothWalkersAgreeOnNoise) {
  EXPECT_EQ(Found(model::WalkVtd, reference::WalkVtd), "");
}

// Walkers that take the unit for another, or answer one thing wrongly.
VtdAnswer IgnoresBit11(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  VtdRegs snoops = regs;
  snoops.ecap |= 1 << 7;
  return reference::WalkVtd(snoops, memory, query);
}
VtdAnswer NarrowsTheHost(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  VtdRegs narrow = regs;
  --narrow.haw;
  return reference::WalkVtd(narrow, memory, query);
}
VtdAnswer RecordsDespiteFpd(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  VtdAnswer answer = reference::WalkVtd(regs, memory, query);
  answer.recorded = answer.reason != 0;
  return answer;
}
VtdAnswer ForgetsTheDid(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query) {
  VtdAnswer answer = reference::WalkVtd(regs, memory, query);
  if (answer.size == 0x200000) answer.did = 0;
  return answer;
}

TEST(VtdImage, ADifferenceIsTold) {
  for (VtdWalker wrong : {IgnoresBit11, NarrowsTheHost, RecordsDespiteFpd, ForgetsTheDid}) {
    const std::string text = Found(wrong, reference::WalkVtd);
    EXPECT_NE(text.find("should be"), std::string::npos);
    EXPECT_NE(text.find("rtaddr 0x10"), std::string::npos);
  }
}

TEST(VtdImage, NoBytesIsAnImage) {
  EXPECT_EQ(CompareVtdWalks(nullptr, 0, model::WalkVtd, reference::WalkVtd), "");
}

}  // namespace
}  // namespace twinwalk::fuzz
