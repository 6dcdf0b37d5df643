#include "model/commands_vtd.h"

#include <gtest/gtest.h>

namespace twinwalk::model {
namespace {

constexpr uint64_t kMamv = 18;
using Descriptor2 = std::array<uint64_t, 2>;
Descriptor2 Low(const VtdDescriptor& d) {
  return {d[0], d[1]};
}
VtdInvalidation<Concrete> Decode(uint64_t w0, uint64_t w1, bool wide = true) {
  return DecodeVtdInvalidation<Concrete>({w0, w1, 0, 0}, kMamv, wide);
}

// The encodings that the VT-d sheet lists below its vectors.
TEST(CommandsVtd, Encodings) {
  EXPECT_EQ(Low(ContextCacheDescriptor(kInvDevice, 0x21, 0x310)),
            (Descriptor2{0x0000031000210031, 0}));
  EXPECT_EQ(Low(IotlbDescriptor(kInvDomain, 0x21, 0, 0, false)),
            (Descriptor2{0x00000000002100e2, 0}));
  EXPECT_EQ(Low(IotlbDescriptor(kInvPage, 0x21, 0x40810000, 4, true)),
            (Descriptor2{0x00000000002100f2, 0x40810044}));
  EXPECT_EQ(Low(PasidCacheDescriptor(kOnePasid, 0x56, 130)), (Descriptor2{0x0000008200560017, 0}));
  EXPECT_EQ(Low(PasidIotlbDescriptor(kWholePasid, 0x56, 130, 0, 0, false)),
            (Descriptor2{0x0000008200560026, 0}));
  EXPECT_EQ(Low(PasidIotlbDescriptor(kPasidPage, 0x56, 130, 0x40801000, 0, true)),
            (Descriptor2{0x0000008200560036, 0x40801040}));
  EXPECT_EQ(Low(DeviceTlbDescriptor(0x310, 0x40800000, 4)),
            (Descriptor2{0x0000031000000003, 0x40807001}));
  EXPECT_EQ(Low(PasidDeviceTlbDescriptor(0x310, 130, 0x40800000, 9)),
            (Descriptor2{0x0000008203100008, 0x408ff800}));
  EXPECT_EQ(Low(WaitDescriptor(0x90000000, 1)), (Descriptor2{0x0000000100000065, 0x90000000}));
}

TEST(CommandsVtd, Decoded) {
  auto d = Decode(0x0000031000210031, 0);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 1u);
  EXPECT_EQ(d.granularity, 3u);
  EXPECT_EQ(d.did, 0x21u);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(Decode(0x0002031000210031, 0).functionMask, 2u);
  d = Decode(0x00000000002100f2, 0x40810044);
  EXPECT_EQ(d.first, 0x40810000u);
  EXPECT_EQ(d.last, 0x4081ffffu);
  EXPECT_EQ(d.leafOnly, 1u);
  d = Decode(0x00000000002100f2, 0x40813004);  // rounded to its size
  EXPECT_EQ(d.first, 0x40810000u);
  EXPECT_EQ(d.last, 0x4081ffffu);
  d = Decode(0x0000008200560017, 0);
  EXPECT_EQ(d.pasid, 130u);
  EXPECT_EQ(d.granularity, 1u);
  d = Decode(0x0000031000000003, 0x40807001);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(d.first, 0x40800000u);
  EXPECT_EQ(d.last, 0x4080ffffu);
  EXPECT_EQ(Decode(0x0000031000000003, 0x40807000).last, 0x40807fffu);
  d = Decode(0x0000008203100008, 0x408ff800);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(d.pasid, 130u);
  EXPECT_EQ(d.first, 0x40800000u);
  EXPECT_EQ(d.last, 0x409fffffu);
  d = Decode(0x0000000100000065, 0x90000000);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 5u);
}

TEST(CommandsVtd, Illegal) {
  const uint64_t cases[][2] = {
      {0, 0},      // type 0
      {0xa, 0},    // unknown type
      {0x231, 0},  // type bits 11:9
      {0x1, 0},    // context, G 0
      {0x71, 0},   // context, bit 6
      {0x31, 1},   // context, word 1
      {0x31 | uint64_t{1} << 50, 0},
      {0x2, 0},      // IOTLB, G 0
      {0x132, 0},    // IOTLB, bit 8
      {0x32, 0x80},  // IOTLB, reserved bits of the address word
      {0x32, 19},    // AM > MAMV
      {0x5, 0},      // a wait for nothing
      {0x25, 2},     // unaligned status address
      {0x25 | 1 << 12, 0},
      {0x6, 0},  // P-IOTLB, G 0
      {0x16, 0},
      {0x27, 0},  // PASID cache, G 2
      {0x3 | 1 << 4, 0},
      {0x3, 2},
      {0x8, 2},
  };
  for (auto [w0, w1] : cases) EXPECT_EQ(Decode(w0, w1).legal, 0u) << std::hex << w0 << " " << w1;
  EXPECT_EQ(Decode(0x32, 18).legal, 1u);
  EXPECT_EQ(Decode(0x22, 19).legal, 1u);  // AM counts for pages only
  EXPECT_EQ(Decode(0x45, 0).legal, 1u);   // a fence alone
  // A 128-bit queue has no PASID-granular types; a 256-bit one has reserved words.
  EXPECT_EQ(Decode(0x26, 0, true).legal, 1u);
  EXPECT_EQ(Decode(0x26, 0, false).legal, 0u);
  EXPECT_EQ(Decode(0x17, 0, false).legal, 0u);
  EXPECT_EQ(DecodeVtdInvalidation<Concrete>({0x31, 0, 0, 1}, kMamv, true).legal, 0u);
}

RetainedRow<Concrete> Row(RetainedKind kind, uint64_t did, uint64_t first, uint64_t last,
                          uint64_t pasid = 0) {
  RetainedRow<Concrete> row;
  row.kind = kind;
  row.vmid = did;
  row.asid = row.ssid = pasid;
  row.first = first;
  row.last = last;
  row.sid = 0x310;
  return row;
}
bool Gone(const VtdDescriptor& d, const RetainedRow<Concrete>& row) {
  return Covers<Concrete>(DecodeVtdInvalidation<Concrete>(d, kMamv, true), row);
}

TEST(CommandsVtd, IotlbCovers) {
  const auto leaf = Row(kLeafStage2, 5, 0x200000, 0x3fffff);
  EXPECT_TRUE(Gone(IotlbDescriptor(kInvGlobal, 0, 0, 0, false), leaf));
  EXPECT_TRUE(Gone(IotlbDescriptor(kInvDomain, 5, 0, 0, false), leaf));
  EXPECT_FALSE(Gone(IotlbDescriptor(kInvDomain, 6, 0, 0, false), leaf));
  // A page inside of a larger one takes it; the one beside it does not.
  EXPECT_TRUE(Gone(IotlbDescriptor(kInvPage, 5, 0x3ff000, 0, true), leaf));
  EXPECT_FALSE(Gone(IotlbDescriptor(kInvPage, 5, 0x400000, 0, true), leaf));
  EXPECT_FALSE(Gone(IotlbDescriptor(kInvPage, 6, 0x3ff000, 0, true), leaf));
  const auto walk = Row(kWalkStage2, 5, 0x200000, 0x3fffff);
  EXPECT_FALSE(Gone(IotlbDescriptor(kInvPage, 5, 0x3ff000, 0, true), walk));
  EXPECT_TRUE(Gone(IotlbDescriptor(kInvPage, 5, 0x3ff000, 0, false), walk));
  // What went through a first stage cannot be matched by address: all of the domain goes.
  for (RetainedKind kind : {kLeafStage1, kLeafCombined, kWalkStage1}) {
    const auto first = Row(kind, 5, 0x800000, 0x800fff, 130);
    EXPECT_TRUE(Gone(IotlbDescriptor(kInvPage, 5, 0, 0, true), first));
    EXPECT_FALSE(Gone(IotlbDescriptor(kInvPage, 6, 0, 0, true), first));
    EXPECT_TRUE(Gone(PasidIotlbDescriptor(kWholePasid, 5, 130, 0, 0, true), first));
    EXPECT_FALSE(Gone(PasidIotlbDescriptor(kWholePasid, 5, 131, 0, 0, true), first));
    EXPECT_FALSE(Gone(PasidIotlbDescriptor(kPasidPage, 5, 130, 0, 0, false), first));
    EXPECT_EQ(Gone(PasidIotlbDescriptor(kPasidPage, 5, 130, 0x800000, 0, true), first),
              kind != kWalkStage1);
    EXPECT_TRUE(Gone(PasidIotlbDescriptor(kPasidPage, 5, 130, 0x800000, 0, false), first));
  }
  EXPECT_FALSE(Gone(PasidIotlbDescriptor(kWholePasid, 5, 0, 0, 0, false), leaf));
  EXPECT_FALSE(Gone(IotlbDescriptor(kInvGlobal, 0, 0, 0, false), Row(kConfig, 5, 0, 0)));
}

TEST(CommandsVtd, ContextCovers) {
  const auto context = Row(kConfig, 5, 0, 0);
  const auto pasid = Row(kCd, 5, 0, 0, 130);
  EXPECT_TRUE(Gone(ContextCacheDescriptor(kInvGlobal, 0, 0), context));
  EXPECT_TRUE(Gone(ContextCacheDescriptor(kInvDomain, 5, 0), context));
  EXPECT_FALSE(Gone(ContextCacheDescriptor(kInvDomain, 6, 0), context));
  EXPECT_TRUE(Gone(ContextCacheDescriptor(kInvDevice, 6, 0x310), context));
  EXPECT_FALSE(Gone(ContextCacheDescriptor(kInvDevice, 5, 0x311), context));
  VtdDescriptor masked = ContextCacheDescriptor(kInvDevice, 5, 0x314);
  EXPECT_FALSE(Gone(masked, context));
  masked[0] |= uint64_t{1} << 48;  // FM 1: bit 2
  EXPECT_TRUE(Gone(masked, context));
  masked = ContextCacheDescriptor(kInvDevice, 5, 0x316);
  masked[0] |= uint64_t{1} << 48;
  EXPECT_FALSE(Gone(masked, context));
  masked[0] ^= uint64_t{3} << 48;  // FM 2: bits 2:1
  EXPECT_TRUE(Gone(masked, context));
  EXPECT_TRUE(Gone(ContextCacheDescriptor(kInvDevice, 0, 0x310), pasid));
  EXPECT_FALSE(Gone(PasidCacheDescriptor(kAllPasids, 0, 0), context));
  EXPECT_TRUE(Gone(PasidCacheDescriptor(kAllPasids, 0, 0), pasid));
  EXPECT_TRUE(Gone(PasidCacheDescriptor(kDomainPasids, 5, 0), pasid));
  EXPECT_FALSE(Gone(PasidCacheDescriptor(kDomainPasids, 6, 0), pasid));
  EXPECT_TRUE(Gone(PasidCacheDescriptor(kOnePasid, 5, 130), pasid));
  EXPECT_FALSE(Gone(PasidCacheDescriptor(kOnePasid, 5, 131), pasid));
}

}  // namespace
}  // namespace twinwalk::model
