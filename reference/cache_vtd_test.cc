// The rows of hw-vtd "What may be stale": each kind of entry under each descriptor, as bits in a
// queue. What must go and what may stay is typed in from the sheet's sections 8 and 9.
#include "reference/cache_vtd.h"

#include <gtest/gtest.h>

#include <string>

namespace twinwalk::reference {
namespace {

using Row = RetainedRow<Concrete>;

constexpr uint64_t kUnit = 2, kSid = 0x310, kDid = 0x21, kPasid = 130;

VtdRegs Unit() {
  VtdRegs unit;
  unit.cap = uint64_t{18} << 48;  // MAMV
  return unit;
}
VtdCommand<Concrete> Command(uint64_t word0, uint64_t word1 = 0) {
  return {kUnit, DecodeVtdInvalidation<Concrete>({word0, word1, 0, 0}, true, Unit())};
}
// Pages 0x40..0x7f of the DID, as one leaf of 256 KiB would be.
Row Entry(uint64_t kind) {
  Row r;
  r.kind = kind, r.smmu = kUnit;
  r.vmid = kDid;
  if (kind == kConfig) {
    r.sid = kSid;
  } else {
    r.first = 0x40000, r.last = 0x7ffff;
  }
  if (kind == kWalkStage1 || kind == kLeafStage1 || kind == kLeafCombined) r.asid = kPasid;
  return r;
}
Row PasidEntry() {
  Row r = Entry(kConfig);
  r.v0 = 1, r.ssid = kPasid;
  return r;
}

// One letter for each kind that must go: C context entry, P PASID entry, W and L second-stage walk
// and leaf, w and l first-stage walk and leaf, n nested.
std::string Gone(const VtdCommand<Concrete>& c, void (*change)(Row*) = nullptr) {
  const std::pair<char, Row> rows[] = {{'C', Entry(kConfig)},      {'P', PasidEntry()},
                                       {'W', Entry(kWalkStage2)},  {'L', Entry(kLeafStage2)},
                                       {'w', Entry(kWalkStage1)},  {'l', Entry(kLeafStage1)},
                                       {'n', Entry(kLeafCombined)}};
  std::string gone;
  for (auto [letter, row] : rows) {
    if (change != nullptr) change(&row);
    if (Covers<Concrete>(c, row)) gone += letter;
  }
  return gone;
}

constexpr uint64_t Did(uint64_t low, uint64_t did) {
  return low | did << 16;
}
constexpr uint64_t Sid(uint64_t low, uint64_t sid, uint64_t fm = 0) {
  return low | sid << 32 | fm << 48;
}
constexpr uint64_t Pasid(uint64_t low, uint64_t did, uint64_t pasid) {
  return low | did << 16 | pasid << 32;
}

TEST(Context, GlobalDomainDevice) {
  EXPECT_EQ(Gone(Command(0x11)), "CP");
  EXPECT_EQ(Gone(Command(Did(0x21, kDid))), "CP");
  EXPECT_EQ(Gone(Command(Did(0x21, kDid + 1))), "");
  EXPECT_EQ(Gone(Command(Sid(0x31, kSid))), "CP");
  EXPECT_EQ(Gone(Command(Sid(0x31, kSid + 1))), "");
}

// FM 1, 2, 3 leave open bit 2, bits 2:1, bits 2:0.
TEST(Context, FunctionMask) {
  const auto covers = [](uint64_t sid, uint64_t fm) {
    return Gone(Command(Sid(0x31, sid, fm))) == "CP";
  };
  EXPECT_TRUE(covers(kSid | 4, 1));
  EXPECT_FALSE(covers(kSid | 2, 1));
  EXPECT_TRUE(covers(kSid | 6, 2));
  EXPECT_FALSE(covers(kSid | 1, 2));
  EXPECT_TRUE(covers(kSid | 7, 3));
  EXPECT_FALSE(covers(kSid | 8, 3));
}

TEST(PasidCache, AllDomainOne) {
  EXPECT_EQ(Gone(Command(0x37)), "P");
  EXPECT_EQ(Gone(Command(Did(0x07, kDid))), "P");
  EXPECT_EQ(Gone(Command(Did(0x07, kDid + 1))), "");
  EXPECT_EQ(Gone(Command(Pasid(0x17, kDid, kPasid))), "P");
  EXPECT_EQ(Gone(Command(Pasid(0x17, kDid, kPasid + 1))), "");
  EXPECT_EQ(Gone(Command(Pasid(0x17, kDid + 1, kPasid))), "");
}

TEST(Iotlb, GlobalAndDomain) {
  EXPECT_EQ(Gone(Command(0x12)), "WLwln");
  EXPECT_EQ(Gone(Command(Did(0x22, kDid))), "WLwln");
  EXPECT_EQ(Gone(Command(Did(0x22, kDid + 1))), "");
}

// Page: second stage by range, and everything of first stage; IH spares what is no leaf.
TEST(Iotlb, Page) {
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x50000)), "WLwln");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x50040)), "Lwln");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x80000)), "wln");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x3f000)), "wln");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid + 1), 0x50000)), "");
  // AM 7 rounds to 512 KiB.
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x3f007)), "WLwln");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x80007)), "wln");
}

// P-IOTLB: first stage and nested of one PASID only.
TEST(PasidIotlb, PasidAndPage) {
  EXPECT_EQ(Gone(Command(Pasid(0x26, kDid, kPasid))), "wln");
  EXPECT_EQ(Gone(Command(Pasid(0x26, kDid, kPasid + 1))), "");
  EXPECT_EQ(Gone(Command(Pasid(0x26, kDid + 1, kPasid))), "");
  EXPECT_EQ(Gone(Command(Pasid(0x36, kDid, kPasid), 0x50000)), "wln");
  EXPECT_EQ(Gone(Command(Pasid(0x36, kDid, kPasid), 0x50040)), "ln");
  EXPECT_EQ(Gone(Command(Pasid(0x36, kDid, kPasid), 0x80000)), "");
}

// The source of a request is no tag of the IOTLB; the unit is one of everything.
TEST(Tags, SidAndUnit) {
  EXPECT_EQ(Gone(Command(Did(0x22, kDid)), [](Row* r) { r->sid = 0x999; }), "WLwln");
  EXPECT_EQ(Gone(Command(0x12), [](Row* r) { r->smmu = kUnit + 1; }), "");
  EXPECT_EQ(Gone(Command(0x11), [](Row* r) { r->smmu = kUnit + 1; }), "");
}

// What ends nothing: waits, device TLBs, interrupt entries, page responses, what is not legal.
TEST(Others, EndNothing) {
  EXPECT_EQ(Gone(Command(0x65, 0x90000000)), "");
  EXPECT_EQ(Gone(Command(Sid(0x03, kSid), 0x50000)), "");
  EXPECT_EQ(Gone(Command(0x04)), "");
  EXPECT_EQ(Gone(Command(0x08 | kSid << 16)), "");
  EXPECT_EQ(Gone(Command(0x09)), "");
  EXPECT_EQ(Gone(Command(Did(0x32, kDid), 0x50000 | 19)), "");  // AM above MAMV
  EXPECT_EQ(Gone(Command(Did(0x22, kDid), 0x80)), "");          // a reserved bit
}

// What the host issues is what the sheet's encodings say.
TEST(HostCommands, EqualTheirEncodings) {
  HwptRow<Concrete> h;
  h.smmu = kUnit, h.vmid = kDid;
  DeviceRow<Concrete> device;
  device.smmu = kUnit, device.sid = kSid;
  EXPECT_EQ(Gone(HostIotlb(h)), "WLwln");
  EXPECT_EQ(Gone(HostIotlb<Concrete>(h, 0x7f000, 0x90fff)), "WLwln");
  EXPECT_EQ(Gone(HostIotlb<Concrete>(h, 0x80000, 0x90fff)), "wln");
  EXPECT_EQ(Gone(HostContext(device)), "CP");
}

}  // namespace
}  // namespace twinwalk::reference
