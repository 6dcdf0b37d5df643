#include "model/commands_smmuv3.h"

#include <gtest/gtest.h>

namespace twinwalk::model {
namespace {

// The encodings that the SMMUv3 sheet lists below its vectors.
TEST(Commands, Encodings) {
  const auto is = [](const Command& c, uint64_t w0, uint64_t w1) {
    EXPECT_EQ(c.word0, w0);
    EXPECT_EQ(c.word1, w1);
  };
  is(TlbiCommand(kTlbiNhAll, 9, 0), 0x0000000900000010, 0);
  is(TlbiCommand(kTlbiNhAsid, 9, 0x11), 0x0011000900000011, 0);
  is(TlbiCommand(kTlbiS12Vmall, 9, 0), 0x0000000900000028, 0);
  is(TlbiRange(kTlbiS2Ipa, 9, 0, 0x5000, 0, 0), 0x000000090000002a, 0x5000);
  is(CfgiSte(0x205), 0x0000020500000003, 1);
  // 5 pages, then 32 pages, of 37 at 0x40000000; there with leaf and TTL 3.
  is(TlbiRange(kTlbiNhVa, 9, 0x11, 0x40000000, 5, 0), 0x0011000900004012, 0x0000000040000400);
  is(TlbiRange(kTlbiNhVa, 9, 0x11, 0x40005000, 1, 5), 0x0011000900500012, 0x0000000040005400);
}

TEST(Commands, GuestCommands) {
  const auto translate = [](uint64_t w0, uint64_t w1, bool strict = false) {
    return TranslateCommand<Concrete>(w0, w1, 9, strict);
  };
  // NSNH_ALL becomes NH_ALL of the host's VMID.
  EXPECT_EQ(translate(0x30, 0).word0, 0x0000000900000010u);
  EXPECT_EQ(translate(0x0011000500000012, 0x5001).word0, 0x0011000900000012u);
  EXPECT_EQ(translate(0x0011000500000012, 0x5001).word1, 0x5001u);
  EXPECT_EQ(translate(0x0000007700000005, 1).needsStream, 1u);
  for (uint64_t opcode = 0; opcode < 256; ++opcode) {
    const bool allowed = opcode == 0x05 || opcode == 0x06 || opcode == 0x10 || opcode == 0x11 ||
                         opcode == 0x12 || opcode == 0x13 || opcode == 0x30 || opcode == 0x40;
    EXPECT_EQ(translate(opcode, 0).allowed, allowed ? 1u : 0u) << opcode;
  }
}

TEST(Commands, ReservedBitsOnlyWhenStrict) {
  const uint64_t cases[][2] = {{0x10 | uint64_t{1} << 63, 0},
                               {0x30 | uint64_t{1} << 32, 0},
                               {0x12 | 1 << 8, 0},
                               {0x12, 2},
                               {0x12 | 3 << 12, 0},
                               {0x06, 1},
                               {0x05 | 1 << 10, 0},
                               {0x40, 1 << 7}};
  for (auto [w0, w1] : cases) {
    EXPECT_EQ(TranslateCommand<Concrete>(w0, w1, 9, false).allowed, 1u);
    EXPECT_EQ(TranslateCommand<Concrete>(w0, w1, 9, true).allowed, 0u) << std::hex << w0;
  }
  EXPECT_EQ(TranslateCommand<Concrete>(0x0011000900500012, 0x40005701, 9, true).allowed, 1u);
}

TEST(Commands, Ranges) {
  uint64_t first = 0, last = 0;
  CommandRange<Concrete>(0x0011000900004012, 0x40000701, &first, &last);  // 5 pages
  EXPECT_EQ(first, 0x40000000u);
  EXPECT_EQ(last, 0x40004fffu);
  CommandRange<Concrete>(0x0011000900900012, 0x10000701, &first, &last);  // 512 pages
  EXPECT_EQ(last, 0x101fffffu);
  CommandRange<Concrete>(0x12, 0x5001, &first, &last);  // one address
  EXPECT_EQ(first, 0x5000u);
  EXPECT_EQ(last, 0x5fffu);
  CommandRange<Concrete>(0x12 | 31 << 12 | 31 << 20, 0xfffffffffffff400, &first, &last);  // wraps
  EXPECT_EQ(last, ~uint64_t{0});
}

}  // namespace
}  // namespace twinwalk::model
