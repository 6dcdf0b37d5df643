// The walk vectors A1 to A19 and B10 to B17 of hw-vtd.md, as the sheet states them, its descriptor
// encodings, and a few cases of our own.
#include "reference/walk_vtd.h"

#include <gtest/gtest.h>

#include <map>

#include "traces/word.h"

namespace twinwalk::reference {
namespace {

using Image = std::map<uint64_t, uint64_t>;  // 8-byte words; what is not listed reads 0

class ImageMemory : public WalkMemory {
 public:
  explicit ImageMemory(const Image& image) : image_(image) {}
  bool Read64(uint64_t address, uint64_t* value) override {
    if (address == abort_at) return false;
    auto it = image_.find(address);
    *value = it == image_.end() ? 0 : it->second;
    return true;
  }
  uint64_t abort_at = ~uint64_t{0};

 private:
  const Image& image_;
};

// clang-format off
const Image kL{
    {0x1030, 0x2001}, {0x2100, 0x3001}, {0x2108, 0x2102}, {0x3000, 0x4003}, {0x4008, 0x5003},
    {0x4010, 0x240000083}, {0x4018, 0x6001}, {0x5020, 0x7003}, {0x5028, 0x600081},
    {0x5030, 0x601083}, {0x6000, 0x7003}, {0x7008, 0x123456003}, {0x7010, 0x123457002},
    {0x7018, 0x400012345003}, {0x7020, 0xfee00003}};
const Image kF{
    {0x1030, 0x2001}, {0x1038, 0x28001}, {0x2200, 0x8009}, {0x2208, 0x0}, {0x3000, 0x4003},
    {0x4000, 0x5003}, {0x4040, 0x300000083}, {0x5000, 0x6003}, {0x8000, 0x9001}, {0x8010, 0xa001},
    {0x9000, 0x3049}, {0x9008, 0x55}, {0x9010, 0xb000}, {0xa080, 0x41}, {0xa088, 0x56},
    {0xa090, 0xb000}, {0xb000, 0xc007}, {0xb800, 0xc007}, {0xc008, 0xd007}, {0xc010, 0x180000087},
    {0xd020, 0xe007}, {0xd028, 0x800085}, {0xd030, 0x802087}, {0xe008, 0x200001007},
    {0xe010, 0x200002003}, {0xe018, 0x200003005}};
// clang-format on

constexpr uint64_t Bit(int n) {
  return uint64_t{1} << n;
}
// HAW 46, MGAW 48, SAGAW 3- and 4-level, 2M and 1G second-stage pages, FS1GP, MAMV 18; QI, DT, PT,
// SC, NEST, SRS, PASID, SMTS, SSTS, FSTS.
VtdRegs Registers(bool scalable) {
  VtdRegs regs;
  regs.cap =
      Bit(9) | Bit(10) | uint64_t{47} << 16 | Bit(34) | Bit(35) | uint64_t{18} << 48 | Bit(56);
  regs.ecap =
      Bit(1) | Bit(2) | Bit(6) | Bit(7) | Bit(26) | Bit(31) | Bit(40) | Bit(43) | Bit(46) | Bit(47);
  regs.haw = 46;
  regs.rtaddr = 0x1000 | (scalable ? 0x400 : 0);
  return regs;
}

constexpr uint64_t kNowhere = ~uint64_t{0};
enum Attribute { kPlain, kAts, kPrivileged };
struct Vector {
  const char* name;
  const Image* image;
  uint16_t sid;
  int64_t pasid;  // -1: none
  uint64_t address;
  const char* access;  // r, w, rw
  uint8_t reason;
  std::array<uint64_t, 2> record;  // {lo, hi}; zeroes: not recorded
  uint64_t pa;
  uint8_t rights;
  uint64_t size;  // 0: pass-through
  uint16_t did;
  uint8_t pgtt;
  uint64_t patch_at = 0, patch = 0;  // a word that differs from the image
  uint64_t abort_at = kNowhere;
  Attribute attribute = kPlain;
};

// clang-format off
const Vector kVectors[] = {
    {"A1", &kL, 0x0310, -1, 0x40801abc, "rw", 0, {}, 0x123456abc, 3, 0x1000, 33, 0},
    {"A2", &kL, 0x0310, -1, 0x8aa66077, "w", 0, {}, 0x24aa66077, 3, 0x40000000, 33, 0},
    {"A3", &kL, 0x0310, -1, 0x40a12034, "r", 0, {}, 0x612034, 1, 0x200000, 33, 0},
    {"A4", &kL, 0x0310, -1, 0x40a12034, "w", 0x5, {0x40a12000, 0x8000000500000310}, 0, 0, 0, 0, 0},
    {"A5", &kL, 0x0310, -1, 0x40c00000, "r", 0xc, {0x40c00000, 0xc000000c00000310}, 0, 0, 0, 0, 0},
    {"A6", &kL, 0x0310, -1, 0x40802000, "r", 0x6, {0x40802000, 0xc000000600000310}, 0, 0, 0, 0, 0},
    {"A7", &kL, 0x0310, -1, 0x40803000, "r", 0xc, {0x40803000, 0xc000000c00000310}, 0, 0, 0, 0, 0},
    {"A8", &kL, 0x0310, -1, 0x40804010, "w", 0xe, {0x40804000, 0x8000000e00000310}, 0, 0, 0, 0, 0},
    {"A9", &kL, 0x0310, -1, 0xc0001000, "w", 0x5, {0xc0001000, 0x8000000500000310}, 0, 0, 0, 0, 0},
    {"A10", &kL, 0x0310, -1, 0x1000000000000, "r", 0x4, {0x1000000000000, 0xc000000400000310}, 0, 0, 0, 0, 0},
    {"A11", &kL, 0x0410, -1, 0x1000, "r", 0x1, {0x1000, 0xc000000100000410}, 0, 0, 0, 0, 0},
    {"A12", &kL, 0x0311, -1, 0x1000, "r", 0x2, {0x1000, 0xc000000200000311}, 0, 0, 0, 0, 0},
    {"A13", &kL, 0x0310, -1, 0x1000, "r", 0x3, {0x1000, 0xc000000300000310}, 0, 0, 0, 0, 0, 0x2100, 0x300d},
    {"A14", &kL, 0x0310, -1, 0x40801000, "r", 0xd, {0x40801000, 0xc000000d00000310},
     0, 0, 0, 0, 0, 0, 0, kNowhere, kAts},
    {"A15", &kL, 0x0310, -1, 0xdeadb000, "w", 0, {}, 0xdeadb000, 3, 0, 33, 0, 0x2100, 0x3009},
    {"A16", &kL, 0x0310, -1, 0x40e00000, "r", 0x6, {0, 0}, 0, 0, 0, 0, 0, 0x2100, 0x3003},
    {"A17", &kL, 0x0310, -1, 0x40801000, "r", 0x7, {0x40801000, 0xc000000700000310}, 0, 0, 0, 0, 0, 0, 0, 0x7008},
    {"A18", &kL, 0x0310, -1, 0x40801000, "r", 0x3, {0x40801000, 0xc000000300000310}, 0, 0, 0, 0, 0, 0, 0, 0x3000},
    {"A19", &kL, 0x0310, -1, 0x1000, "r", 0xb, {0x1000, 0xc000000b00000310}, 0, 0, 0, 0, 0, 0x2108, 0x2182},
    {"B10", &kF, 0x0310, 64, 0x1000, "r", 0x51, {0x1000, 0xc000405180000310}, 0, 0, 0, 0, 0},
    {"B11", &kF, 0x0310, 131, 0x1000, "r", 0x59, {0x1000, 0xc000835980000310}, 0, 0, 0, 0, 0},
    {"B12", &kF, 0x0310, 8192, 0x1000, "r", 0x46, {0x1000, 0xc020004680000310}, 0, 0, 0, 0, 0},
    {"B13", &kF, 0x0310, -1, 0x1000, "r", 0x5b, {0x1000, 0xc000005b00000310}, 0, 0, 0, 0, 0, 0x9000, 0x3149},
    {"B14", &kF, 0x0310, 130, 0x40802000, "r", 0x5d, {0x40802000, 0xc000825da0000310},
     0, 0, 0, 0, 0, 0, 0, kNowhere, kPrivileged},
    {"B15", &kF, 0x0310, -1, 0x77771000, "w", 0, {}, 0x77771000, 3, 0, 85, 4, 0x9000, 0x3109},
    {"B16", &kF, 0x0310, -1, 0x200202003, "w", 0, {}, 0x300202003, 3, 0x40000000, 85, 2, 0x9000, 0x3089},
    {"B17", &kF, 0x0310, -1, 0x240000000, "r", 0x79, {0x240000000, 0xc000007900000310}, 0, 0, 0, 0, 0, 0x9000, 0x3089},
    // Our own. Every fault before the tables, in the sheet's order, and what FPD silences.
    {"RootAbort", &kL, 0x0310, -1, 0x1000, "r", 0x8, {0x1000, 0xc000000800000310}, 0, 0, 0, 0, 0, 0, 0, 0x1038},
    {"RootReserved", &kL, 0x0310, -1, 0x1000, "r", 0xa, {0x1000, 0xc000000a00000310}, 0, 0, 0, 0, 0, 0x1030, 0x2003},
    {"RootHighReserved", &kL, 0x0310, -1, 0x1000, "r", 0xa, {0x1000, 0xc000000a00000310}, 0, 0, 0, 0, 0, 0x1038, 0x1},
    {"ContextAbort", &kL, 0x0310, -1, 0x1000, "r", 0x9, {0x1000, 0xc000000900000310}, 0, 0, 0, 0, 0, 0, 0, 0x2108},
    {"NotPresentFpd", &kL, 0x0310, -1, 0x1000, "r", 0x2, {0, 0}, 0, 0, 0, 0, 0, 0x2100, 0x3002},
    {"FiveLevels", &kL, 0x0310, -1, 0x1000, "r", 0x3, {0x1000, 0xc000000300000310}, 0, 0, 0, 0, 0, 0x2108, 0x2103},
    {"LegacyPasid", &kL, 0x0310, 1, 0x1000, "w", 0x31, {0x1000, 0x8000013180000310}, 0, 0, 0, 0, 0},
    {"WriteOnly", &kL, 0x0310, -1, 0x40802008, "w", 0, {}, 0x123457008, 2, 0x1000, 33, 0},
    {"RightsOfAllLevels", &kL, 0x0310, -1, 0xc0001008, "r", 0, {}, 0x123456008, 1, 0x1000, 33, 0},
    {"SmRootAbort", &kF, 0x0310, -1, 0x1000, "r", 0x38, {0x1000, 0xc000003800000310}, 0, 0, 0, 0, 0, 0, 0, 0x1030},
    {"SmRootAbsent", &kF, 0x0410, -1, 0x1000, "r", 0x39, {0x1000, 0xc000003900000410}, 0, 0, 0, 0, 0},
    {"SmRootReserved", &kF, 0x0310, -1, 0x1000, "r", 0x3a, {0x1000, 0xc000003a00000310}, 0, 0, 0, 0, 0, 0x1030, 0x2801},
    {"SmUpperHalf", &kF, 0x0390, -1, 0x1000, "r", 0x41, {0x1000, 0xc000004100000390}, 0, 0, 0, 0, 0},
    {"SmContextAbort", &kF, 0x0310, -1, 0x1000, "r", 0x40, {0x1000, 0xc000004000000310}, 0, 0, 0, 0, 0, 0, 0, 0x2218},
    {"SmContextReserved", &kF, 0x0310, -1, 0x1000, "r", 0x42, {0x1000, 0xc000004200000310}, 0, 0, 0, 0, 0, 0x2218, 0x1},
    {"SmAts", &kF, 0x0310, -1, 0x1000, "r", 0x44, {0x1000, 0xc000004400000310}, 0, 0, 0, 0, 0, 0, 0, kNowhere, kAts},
    {"SmNoPasids", &kF, 0x0310, 130, 0x1000, "r", 0x45, {0x1000, 0xc000824580000310}, 0, 0, 0, 0, 0, 0x2200, 0x8001},
    {"SmRidPasid", &kF, 0x0310, -1, 0x1000, "r", 0x48, {0x1000, 0xc000004800000310}, 0, 0, 0, 0, 0, 0x2208, 0x2000},
    {"DirectoryAbort", &kF, 0x0310, 130, 0x1000, "r", 0x50, {0x1000, 0xc000825080000310}, 0, 0, 0, 0, 0, 0, 0, 0x8010},
    {"DirectoryReserved", &kF, 0x0310, 130, 0x1000, "r", 0x52, {0x1000, 0xc000825280000310},
     0, 0, 0, 0, 0, 0x8010, 0xa005},
    {"DirectoryFpd", &kF, 0x0310, 131, 0x1000, "r", 0x59, {0, 0}, 0, 0, 0, 0, 0, 0x8010, 0xa003},
    {"PasidAbort", &kF, 0x0310, 130, 0x1000, "r", 0x58, {0x1000, 0xc000825880000310}, 0, 0, 0, 0, 0, 0, 0, 0xa088},
    {"PasidReserved", &kF, 0x0310, -1, 0x1000, "r", 0x5a, {0x1000, 0xc000005a00000310}, 0, 0, 0, 0, 0, 0x9008, 0x10055},
    {"PasidWidth", &kF, 0x0310, -1, 0x1000, "r", 0x5b, {0x1000, 0xc000005b00000310}, 0, 0, 0, 0, 0, 0x9000, 0x308d},
    {"SmWidth", &kF, 0x0310, -1, 0x1000000000000, "r", 0x83, {0x1000000000000, 0xc000008300000310},
     0, 0, 0, 0, 0, 0x9000, 0x3089},
    {"SmPassWidth", &kF, 0x0310, -1, 0x1000000000000, "w", 0x83, {0x1000000000000, 0x8000008300000310},
     0, 0, 0, 0, 0, 0x9000, 0x3109},
    {"SmTop", &kF, 0x0310, -1, 0x1000, "r", 0x7b, {0x1000, 0xc000007b00000310},
     0, 0, 0, 0, 0, 0x9000, 0x2ff089, 0x2ff000},
};
// clang-format on

class WalkVtdVectors : public testing::TestWithParam<Vector> {};

TEST_P(WalkVtdVectors, AnswerAsTheSheetSays) {
  const Vector& v = GetParam();
  Image image = *v.image;
  if (v.patch_at != 0) image[v.patch_at] = v.patch;
  ImageMemory memory(image);
  memory.abort_at = v.abort_at;
  VtdQuery query;
  query.sid = v.sid;
  query.hasPasid = v.pasid >= 0;
  query.pasid = v.pasid >= 0 ? static_cast<uint32_t>(v.pasid) : 0;
  query.address = v.address;
  query.privileged = v.attribute == kPrivileged;
  query.translationRequest = v.attribute == kAts;
  for (const char* access = v.access; *access != 0; ++access) {
    query.write = *access == 'w';
    const VtdAnswer is = WalkVtd(Registers(v.image == &kF), memory, query);
    EXPECT_EQ(is.reason, v.reason);
    EXPECT_EQ(is.record, v.record);
    EXPECT_EQ(is.recorded, v.record[1] != 0);
    EXPECT_FALSE(is.interrupt);
    EXPECT_EQ(is.passThrough, v.reason == 0 && v.size == 0);
    EXPECT_EQ(is.pa, v.pa);
    EXPECT_EQ(is.rights, v.rights);
    EXPECT_EQ(is.size, v.size);
    EXPECT_EQ(is.did, v.did);
    EXPECT_EQ(is.pgtt, v.pgtt);
  }
}

INSTANTIATE_TEST_SUITE_P(Sheet, WalkVtdVectors, testing::ValuesIn(kVectors),
                         [](const auto& info) { return std::string(info.param.name); });

VtdAnswer Ask(const Image& image, const VtdRegs& regs, const VtdQuery& query) {
  ImageMemory memory(image);
  return WalkVtd(regs, memory, query);
}
VtdQuery Request(uint64_t address, bool write = false, bool ats = false) {
  VtdQuery query;
  query.sid = 0x310, query.address = address;
  query.write = write, query.translationRequest = ats;
  return query;
}

// Step 1: a unit that is off passes, a request in the interrupt range is one, a bad mode is 0x30.
TEST(WalkVtd, BeforeAnyTable) {
  VtdRegs regs = Registers(false);
  VtdAnswer is = Ask(kL, regs, Request(0xfee00100, true));
  EXPECT_TRUE(is.interrupt);
  EXPECT_EQ(is.rights, 0);
  EXPECT_TRUE(Ask(kL, regs, Request(0xfeefffff, true)).interrupt);
  EXPECT_EQ(Ask(kL, regs, Request(0xfedffff8, true)).reason, 0x05);
  EXPECT_EQ(Ask(kL, regs, Request(0xfef00000, true)).reason, 0x05);
  regs.rtaddr |= 0x800;
  EXPECT_EQ(Ask(kL, regs, Request(0x40801000)).reason, 0x30);
  regs.enabled = false;
  is = Ask(kL, regs, Request(0x40801008));
  EXPECT_TRUE(is.passThrough);
  EXPECT_EQ(is.pa, 0x40801008u);
  EXPECT_EQ(Ask(kL, regs, Request(0x40801008, false, true)).rights, 0);
}

// 7.1: allowed with TT = 01. What is missing denies; everything else is recorded.
TEST(WalkVtd, TranslationRequests) {
  const VtdRegs regs = Registers(false);
  Image image = kL;
  image[0x2100] = 0x3005;
  VtdAnswer is = Ask(image, regs, Request(0x40801abc, false, true));
  EXPECT_EQ(is.reason, 0);
  EXPECT_EQ(is.pa, 0x123456abcu);
  EXPECT_EQ(is.rights, 3);
  is = Ask(image, regs, Request(0xc0001000, true, true));  // read-only table above
  EXPECT_EQ(is.rights, 1);
  is = Ask(image, regs, Request(0x40e00000, true, true));  // not present
  EXPECT_EQ(is.reason, 0);
  EXPECT_FALSE(is.recorded);
  EXPECT_EQ(is.rights, 0);
  EXPECT_EQ(is.size, 4096u);
  EXPECT_EQ(Ask(image, regs, Request(0x40c00000, false, true)).reason, 0x0c);
  VtdRegs without = regs;
  without.ecap &= ~Bit(2);  // no device TLBs: TT = 01 is no type
  EXPECT_EQ(Ask(image, without, Request(0x40801abc)).reason, 0x03);
}

// 3: what the unit lacks makes bits reserved; an absent entry is not looked at.
TEST(DecodeVtdEntry, ReservedBits) {
  VtdRegs regs = Registers(false);
  const auto reserved = [&](uint64_t word, int level) {
    return DecodeVtdEntry<Concrete>(word, level, regs).reserved;
  };
  EXPECT_EQ(reserved(0x1803, 1), 0u);    // SNP
  EXPECT_EQ(reserved(0x1803, 2), 1u);    // bit 11 of a table
  EXPECT_EQ(reserved(0x200883, 2), 0u);  // SNP of a leaf
  EXPECT_EQ(reserved(0x1083, 4), 1u);    // PS above level 3
  EXPECT_EQ(reserved(0x40000083, 3), 0u);
  EXPECT_EQ(reserved(0x60000083, 3), 1u);        // page bits
  EXPECT_EQ(reserved(0x1000 | Bit(46), 1), 0u);  // R = W = 0
  EXPECT_EQ(reserved(0x1001 | Bit(46), 1), 1u);
  EXPECT_EQ(reserved(0x1001 | Bit(52) | Bit(62) | Bit(63), 1), 0u);
  regs.ecap &= ~Bit(7);
  EXPECT_EQ(reserved(0x1803, 1), 1u);
  regs.cap &= ~Bit(35);
  EXPECT_EQ(reserved(0x40000083, 3), 1u);
  EXPECT_EQ(reserved(0x200083, 2), 0u);
  regs.haw = 52;
  EXPECT_EQ(DecodeVtdEntry<Concrete>(0x1003 | Bit(51), 1, regs).output, 0x1000 | Bit(51));
}

// 2: TT = 10 has no tables, but AW must still name the widest.
TEST(WalkVtd, PassThroughOfTheWidestOnly) {
  Image image = kL;
  image[0x2100] = 0x3009, image[0x2108] = 0x2101;
  EXPECT_EQ(Ask(image, Registers(false), Request(0x1000)).reason, 0x03);
  VtdRegs regs = Registers(false);
  regs.cap &= ~Bit(10);
  EXPECT_TRUE(Ask(image, regs, Request(0x1000)).passThrough);
  regs.ecap &= ~Bit(6);
  EXPECT_EQ(Ask(image, regs, Request(0x1000)).reason, 0x03);
}

// A leaf of 2 MiB that only partly lies in the interrupt range touches it.
TEST(WalkVtd, LargePageTouchesInterrupts) {
  Image image = kL;
  image[0x5030] = 0xfee00083;
  EXPECT_EQ(Ask(image, Registers(false), Request(0x40d80000)).reason, 0x0e);
  image[0x5030] = 0xff000083;
  EXPECT_EQ(Ask(image, Registers(false), Request(0x40d80000)).pa, 0xff180000u);
}

// ---- "Descriptor encodings" ---------------------------------------------------------------------

VtdInvalidation<Concrete> Decode(uint64_t word0, uint64_t word1, bool wide = false) {
  return DecodeVtdInvalidation<Concrete>({word0, word1, 0, 0}, wide, Registers(false));
}

TEST(DecodeVtdInvalidation, EncodingsOfTheSheet) {
  auto d = Decode(0x0000031000210031, 0);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 1u);
  EXPECT_EQ(d.granularity, 3u);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(d.did, 0x21u);
  EXPECT_EQ(d.functionMask, 0u);
  d = Decode(0x00000000002100e2, 0);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 2u);
  EXPECT_EQ(d.granularity, 2u);
  EXPECT_EQ(d.did, 0x21u);
  d = Decode(0x00000000002100f2, 0x40810044);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.first, 0x40810000u);
  EXPECT_EQ(d.last, 0x4081ffffu);
  EXPECT_EQ(d.leafOnly, 1u);
  d = Decode(0x0000008200560017, 0, true);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 7u);
  EXPECT_EQ(d.granularity, 1u);
  EXPECT_EQ(d.did, 0x56u);
  EXPECT_EQ(d.pasid, 130u);
  d = Decode(0x0000008200560026, 0, true);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 6u);
  EXPECT_EQ(d.granularity, 2u);
  d = Decode(0x0000008200560036, 0x40801040, true);
  EXPECT_EQ(d.first, 0x40801000u);
  EXPECT_EQ(d.last, 0x40801fffu);
  EXPECT_EQ(d.leafOnly, 1u);
  EXPECT_EQ(d.pasid, 130u);
  d = Decode(0x0000031000000003, 0x40807001);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(d.first, 0x40800000u);
  EXPECT_EQ(d.last, 0x4080ffffu);
  d = Decode(0x0000008203100008, 0x408ff800, true);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.sid, 0x310u);
  EXPECT_EQ(d.pasid, 130u);
  EXPECT_EQ(d.first, 0x40800000u);
  EXPECT_EQ(d.last, 0x409fffffu);
  d = Decode(0x0000000100000065, 0x90000000);
  EXPECT_EQ(d.legal, 1u);
  EXPECT_EQ(d.type, 5u);
}

TEST(DecodeVtdInvalidation, Illegal) {
  EXPECT_EQ(Decode(0, 0).legal, 0u);                            // no type
  EXPECT_EQ(Decode(0x00000000002100ff, 0).legal, 0u);           // type 15
  EXPECT_EQ(Decode(0x00000000002102e2, 0).legal, 0u);           // type 0x12
  EXPECT_EQ(Decode(0x0000031000210001, 0).legal, 0u);           // context, G 0
  EXPECT_EQ(Decode(0x0004031000210031, 0).legal, 0u);           // a reserved bit above FM
  EXPECT_EQ(Decode(0x0000031000210031, 1).legal, 0u);           // context has no second word
  EXPECT_EQ(Decode(0x0000000100210022, 0).legal, 0u);           // a PASID in a plain IOTLB flush
  EXPECT_EQ(Decode(0x0000000000210032, 0x40000012).legal, 1u);  // AM 18 is MAMV
  EXPECT_EQ(Decode(0x0000000000210032, 0x40000013).legal, 0u);
  EXPECT_EQ(Decode(0x0000008200560026, 0).legal, 0u);  // 256-bit only
  EXPECT_EQ(Decode(0x0000008200560017, 0).legal, 0u);
  EXPECT_EQ(Decode(0x0000008200560027, 0, true).legal, 0u);     // PASID cache, G 2
  EXPECT_EQ(Decode(0x0000000100000005, 0x90000000).legal, 0u);  // waits for nothing
  EXPECT_EQ(DecodeVtdInvalidation<Concrete>({0x21, 0, 0, 1}, true, Registers(false)).legal, 0u);
}

}  // namespace
}  // namespace twinwalk::reference
