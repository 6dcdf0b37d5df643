// The walk vectors A1 to E10 of hw-smmuv3.md, as the sheet states them: images, queries, answers.
#include <gtest/gtest.h>

#include <map>

#include "reference/cache_smmuv3.h"
#include "reference/walk_smmuv3.h"

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
const Image kI1{
    {0x10080, 0x2000b}, {0x10090, 0x7}, {0x20000, 0x42e204c0000010}, {0x20008, 0x30000},
    {0x30000, 0x31003}, {0x31008, 0x32003}, {0x31010, 0x80000c41}, {0x32010, 0x33003},
    {0x32018, 0xc004c1}, {0x33028, 0x123456c43}, {0x33030, 0x123457843}, {0x33038, 0x123458c03},
    {0x33040, 0x123459c41}, {0x33048, 0x200000000c43}};
const Image kI2{
    {0x10080, 0x2000b}, {0x10090, 0x7}, {0x20000, 0x42e204c0000091}, {0x20008, 0x40000},
    {0x40018, 0x44003}, {0x44008, 0x102000c41}, {0x44010, 0x48003}, {0x48038, 0x200004c43}};
const Image kI3{
    {0x10080, 0x2000b}, {0x10090, 0x7}, {0x20000, 0x42e204c0000056}, {0x20008, 0x40000},
    {0x40028, 0x60000c41}, {0x40030, 0x50003}, {0x50048, 0x300090c43}};
const Image kI4{
    {0x10080, 0x2000b}, {0x10090, 0x7}, {0x20000, 0x42e20480990019}, {0x20008, 0x30000},
    {0x20010, 0x60000}, {0x60ff8, 0x61003}, {0x61ff8, 0x62003}, {0x62ff8, 0x777777c43}};
const Image kI5{
    {0x10040, 0xd}, {0x10050, 0x44c005800000009}, {0x10058, 0x70000}, {0x70018, 0x74003},
    {0x71008, 0x40000004c1}, {0x74008, 0x75003}, {0x75020, 0x987654443}};
const Image kI6{
    {0x10080, 0x100f}, {0x10090, 0x44c005800000009}, {0x10098, 0x70000}, {0x70000, 0x74003},
    {0x74000, 0x75003}, {0x75008, 0x1000014c3}, {0x75010, 0x1000024c3}, {0x75018, 0x1000034c3},
    {0x75020, 0x1000044c3}, {0x75028, 0x1000054c3}, {0x75030, 0x100006443},
    {0x75038, 0x100007483}, {0x100001000, 0x11e202c0000019}, {0x100001008, 0x2000},
    {0x100002000, 0x3003}, {0x100003000, 0x4003}, {0x100003008, 0x7003}, {0x100003010, 0x9003},
    {0x100004000, 0x5c43}, {0x100004008, 0x6c43}, {0x100004010, 0x8c43}};
const Image kI7{
    {0x10080, 0x400000000002001b}, {0x10088, 0x2}, {0x10090, 0x7}, {0x20000, 0x21001},
    {0x20008, 0x22001}, {0x21000, 0x1e204c0000010}, {0x21008, 0x30000},
    {0x220c0, 0x43e204c0000010}, {0x220c8, 0x38000}, {0x30000, 0x31003}, {0x31000, 0x32003},
    {0x32000, 0x33003}, {0x33008, 0xaaaac43}, {0x38000, 0x39003}, {0x39000, 0x3a003},
    {0x3a000, 0x3b003}, {0x3b008, 0xbbbbc43}};
const Image kI8{
    {0x10018, 0x18004}, {0x18140, 0x9}};
// clang-format on

// OAS 44 bits, SIDSIZE 16, SSIDSIZE 16, S1P, S2P, STALL_MODEL 0; linear stream table at 0x10000.
SmmuRegs Registers() {
  SmmuRegs regs;
  regs.idr = {0x3, 16 | 16 << 6, 0, 0, 0, 0x74};
  regs.strtabBase = 0x10000;
  regs.strtabBaseCfg = 4;
  return regs;
}

struct Vector {
  const char* name;
  const Image* image;
  uint32_t sid;
  int64_t ssid;  // -1: none
  uint64_t address;
  const char* access;  // r, w, rw
  uint8_t event;
  std::array<uint64_t, 4> record;
  uint64_t pa;
  uint8_t rights;
  uint64_t size;  // 0: bypass
  uint16_t vmid, asid;
  bool global;
  uint64_t patch_at, patch;  // a word that differs from the image
  uint64_t abort_at;
};
constexpr uint64_t kNowhere = ~uint64_t{0};

// clang-format off
const Vector kVectors[] = {
    {"A1", &kI1, 0x2, -1, 0x40405abc, "rw", 0, {0, 0, 0, 0}, 0x123456abc, 3, 0x1000,
     7, 66, false, 0, 0, kNowhere},
    {"A2", &kI1, 0x2, -1, 0x4061f010, "r", 0, {0, 0, 0, 0}, 0xc1f010, 1, 0x200000,
     7, 0, true, 0, 0, kNowhere},
    {"A3", &kI1, 0x2, -1, 0x4061f010, "w", 0x13, {0x200000013, 0x20000000000, 0x4061f010, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A4", &kI1, 0x2, -1, 0xa0000000, "w", 0, {0, 0, 0, 0}, 0xa0000000, 3, 0x40000000,
     7, 66, false, 0, 0, kNowhere},
    {"A5", &kI1, 0x2, -1, 0x40406000, "r", 0x12, {0x200000012, 0x20800000000, 0x40406000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A6", &kI1, 0x2, -1, 0x40407000, "r", 0x13, {0x200000013, 0x20800000000, 0x40407000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A7", &kI1, 0x2, -1, 0x40408000, "r", 0x10, {0x200000010, 0x20800000000, 0x40408000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A8", &kI1, 0x2, -1, 0x40409000, "r", 0x11, {0x200000011, 0x20800000000, 0x40409000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A9", &kI1, 0x2, -1, 0x1000000000000, "r", 0x10, {0x200000010, 0x20800000000, 0x1000000000000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A10", &kI1, 0x2, -1, 0x40405000, "r", 0x0b, {0x20000000b, 0x10800000000, 0x40405000, 0x33028}, 0, 0, 0,
     0, 0, false, 0, 0, 0x33028},
    {"A11", &kI1, 0x3, -1, 0x1000, "r", 0x04, {0x300000004, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A12", &kI1, 0x10, -1, 0x1000, "r", 0x02, {0x1000000002, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A13", &kI1, 0x2, 5, 0x1000, "r", 0x08, {0x200005008, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"A14", &kI1, 0x2, -1, 0x40405000, "w", 0x13, {0x200000013, 0x20000000000, 0x40405000, 0x0}, 0, 0, 0,
     0, 0, false, 0x32010, 0x4000000000033003, kNowhere},
    {"B1", &kI2, 0x2, -1, 0x300401fabc, "rw", 0, {0, 0, 0, 0}, 0x200007abc, 3, 0x4000,
     7, 66, false, 0, 0, kNowhere},
    {"B2", &kI2, 0x2, -1, 0x3003234567, "r", 0, {0, 0, 0, 0}, 0x103234567, 3, 0x2000000,
     7, 66, false, 0, 0, kNowhere},
    {"B3", &kI3, 0x2, -1, 0xc009beef, "r", 0, {0, 0, 0, 0}, 0x30009beef, 3, 0x10000,
     7, 66, false, 0, 0, kNowhere},
    {"B4", &kI3, 0x2, -1, 0xbffffff0, "w", 0, {0, 0, 0, 0}, 0x7ffffff0, 3, 0x20000000,
     7, 66, false, 0, 0, kNowhere},
    {"B5", &kI4, 0x2, -1, 0xfffffffffffff123, "r", 0, {0, 0, 0, 0}, 0x777777123, 3, 0x1000,
     7, 66, false, 0, 0, kNowhere},
    {"B6", &kI4, 0x2, -1, 0xffffff7fffffffff, "r", 0x10, {0x200000010, 0x20800000000, 0xffffff7fffffffff, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"C1", &kI5, 0x1, -1, 0xc0204abc, "r", 0, {0, 0, 0, 0}, 0x987654abc, 1, 0x1000,
     9, 0, false, 0, 0, kNowhere},
    {"C2", &kI5, 0x1, -1, 0xc0204abc, "w", 0x13, {0x100000013, 0x28000000000, 0xc0204abc, 0xc0204000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"C3", &kI5, 0x1, -1, 0x8040000010, "rw", 0, {0, 0, 0, 0}, 0x4000000010, 3, 0x40000000,
     9, 0, false, 0, 0, kNowhere},
    {"C4", &kI5, 0x1, -1, 0x10000000000, "r", 0x10, {0x100000010, 0x28800000000, 0x10000000000, 0x10000000000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"C5", &kI5, 0x1, -1, 0x100000000000, "r", 0x11, {0x100000011, 0x20800000000, 0x100000000000, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"C6", &kI5, 0x1, -1, 0x1000, "r", 0x04, {0x100000004, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0x10050, 0x44c001800000009, kNowhere},
    {"D1", &kI6, 0x2, -1, 0x123, "rw", 0, {0, 0, 0, 0}, 0x100005123, 3, 0x1000,
     9, 17, false, 0, 0, kNowhere},
    {"D2", &kI6, 0x2, -1, 0x1abc, "w", 0x13, {0x200000013, 0x28000000000, 0x1abc, 0x6000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"D3", &kI6, 0x2, -1, 0x2abc, "r", 0x10, {0x200000010, 0x28800000000, 0x2abc, 0x8000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"D4", &kI6, 0x2, -1, 0x200000, "r", 0x13, {0x200000013, 0x18800000000, 0x200000, 0x7000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"D5", &kI6, 0x2, -1, 0x400000, "r", 0x10, {0x200000010, 0x18800000000, 0x400000, 0x9000}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"D6", &kI6, 0x2, -1, 0x123, "r", 0x10, {0x200000010, 0x8800000000, 0x123, 0x1000}, 0, 0, 0,
     0, 0, false, 0x75008, 0x0, kNowhere},
    {"E1", &kI7, 0x2, -1, 0x1234, "r", 0, {0, 0, 0, 0}, 0xaaaa234, 3, 0x1000,
     7, 1, false, 0, 0, kNowhere},
    {"E2", &kI7, 0x2, 67, 0x1234, "r", 0, {0, 0, 0, 0}, 0xbbbb234, 3, 0x1000,
     7, 67, false, 0, 0, kNowhere},
    {"E3", &kI7, 0x2, 0, 0x1234, "r", 0x06, {0x200000006, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"E4", &kI7, 0x2, 128, 0x1234, "r", 0x08, {0x200080008, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"E5", &kI7, 0x2, 256, 0x1234, "r", 0x08, {0x200100008, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"E6", &kI7, 0x2, -1, 0x1234, "r", 0x06, {0x200000006, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0x10088, 0x0, kNowhere},
    {"E7", &kI7, 0x2, -1, 0x1234, "r", 0, {0, 0, 0, 0}, 0x1234, 3, 0,
     0, 0, false, 0x10088, 0x1, kNowhere},
    {"E8", &kI8, 0x305, -1, 0xdeadbeef, "rw", 0, {0, 0, 0, 0}, 0xdeadbeef, 3, 0,
     0, 0, false, 0, 0, kNowhere},
    {"E9", &kI8, 0x308, -1, 0xdeadbeef, "r", 0x02, {0x30800000002, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
    {"E10", &kI8, 0x205, -1, 0xdeadbeef, "r", 0x02, {0x20500000002, 0x0, 0x0, 0x0}, 0, 0, 0,
     0, 0, false, 0, 0, kNowhere},
};
// clang-format on

class WalkVectors : public testing::TestWithParam<Vector> {};

TEST_P(WalkVectors, AnswerAsTheSheetSays) {
  const Vector& v = GetParam();
  Image image = *v.image;
  if (v.patch_at != 0) image[v.patch_at] = v.patch;
  ImageMemory memory(image);
  memory.abort_at = v.abort_at;
  SmmuRegs regs = Registers();
  if (v.image == &kI8) {  // two-level, Split 8, LOG2SIZE 12
    regs.strtabBaseCfg = 12 | 8 << 6 | 1 << 16;
  }
  WalkQuery query;
  query.sid = v.sid;
  query.hasSsid = v.ssid >= 0;
  query.ssid = v.ssid >= 0 ? static_cast<uint32_t>(v.ssid) : 0;
  query.address = v.address;
  for (const char* access = v.access; *access != 0; ++access) {
    query.write = *access == 'w';
    const WalkAnswer is = WalkSmmuv3(regs, memory, query);
    EXPECT_EQ(is.event, v.event);
    EXPECT_EQ(is.record, v.record);
    if (v.event != 0) continue;
    EXPECT_EQ(is.bypass, v.size == 0);
    EXPECT_EQ(is.pa, v.pa);
    EXPECT_EQ(is.rights, v.rights);
    EXPECT_EQ(is.size, v.size);
    EXPECT_EQ(is.vmid, v.vmid);
    EXPECT_EQ(is.asid, v.asid);
    EXPECT_EQ(is.global, v.global);
  }
}

INSTANTIATE_TEST_SUITE_P(Sheet, WalkVectors, testing::ValuesIn(kVectors),
                         [](const auto& info) { return std::string(info.param.name); });

// "Command encodings" of the sheet: a guest's TLBI_NSNH_ALL under host VMID 9.
TEST(TranslateCommand, NsnhAllBecomesNhAll) {
  const HostCommand<Concrete> c = TranslateCommand<Concrete>(0x30, 0, 9, true, true);
  EXPECT_EQ(c.allowed, 1u);
  EXPECT_EQ(c.word0, 0x0000000900000010u);
  EXPECT_EQ(c.word1, 0u);
}

// 512 pages of 4 KiB from 0x10000000, leaf, TTL 3; 5 and then 32 pages at 0x40000000; one page.
TEST(DecodeCommand, Ranges) {
  const auto range = [](uint64_t word0, uint64_t word1) {
    const Command<Concrete> c = DecodeCommand<Concrete>(0, word0, word1, true);
    EXPECT_EQ(c.vmid, 9u);
    EXPECT_EQ(c.asid, 0x11u);
    EXPECT_EQ(c.nothing, 0u);
    return std::make_pair(c.first, c.last);
  };
  EXPECT_EQ(range(0x0011000900900012, 0x10000701), std::make_pair(0x10000000ul, 0x101ffffful));
  EXPECT_EQ(range(0x0011000900004012, 0x40000701), std::make_pair(0x40000000ul, 0x40004ffful));
  EXPECT_EQ(range(0x0011000900500012, 0x40005701), std::make_pair(0x40005000ul, 0x40024ffful));
  EXPECT_EQ(range(0x0011000900000012, 0x10005001), std::make_pair(0x10005000ul, 0x10005ffful));
}

}  // namespace
}  // namespace twinwalk::reference
