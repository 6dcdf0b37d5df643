#include "model/walk_smmuv3.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/walk_smmuv3_vectors.h"

namespace twinwalk::model {
namespace {

// Records what was read, so that a test can see that a walk stops where it must.
class ImageMemory : public WalkMemory {
 public:
  ImageMemory(const Image& image, const Image& changes, uint64_t aborts) : aborts_(aborts) {
    for (auto [address, word] : image) words_[address] = word;
    for (auto [address, word] : changes) words_[address] = word;
  }
  bool Read64(uint64_t address, uint64_t* value) override {
    ++reads;
    EXPECT_EQ(address % 8, 0u);
    if (aborts_ != 0 && address == aborts_) return false;
    auto it = words_.find(address);
    *value = it == words_.end() ? 0 : it->second;
    return true;
  }
  int reads = 0;

 private:
  std::map<uint64_t, uint64_t> words_;
  uint64_t aborts_;
};

SmmuRegs VectorRegs(const Vector& v) {
  SmmuRegs regs;
  regs.idr[0] = 0x3 | 2 << 2 | 1 << 12 | 1 << 18 | 1 << 19;  // S1P, S2P, AArch64, 16-bit tags, CD2L
  regs.idr[1] = 16 | 20 << 6;                                // SIDSIZE, SSIDSIZE
  regs.idr[5] = 4 | 7 << 4;                                  // OAS 44 bits
  regs.strtabBase = 0x10000;
  regs.strtabBaseCfg = v.image == &kI8 ? 12 | 8 << 6 | 1 << 16 : 4;
  return regs;
}

TEST(WalkSmmuv3, VectorsOfTheSheet) {
  ASSERT_EQ(kVectors.size(), 42u);  // A1..A14, B1..B6, C1..C6, D1..D6, E1..E10
  for (const Vector& v : kVectors) {
    for (const char* access = v.access; *access != 0; ++access) {
      SCOPED_TRACE(std::string(v.name) + " " + *access);
      ImageMemory memory(*v.image, v.changes, v.aborts);
      WalkQuery query;
      query.sid = v.sid;
      query.hasSsid = v.ssid >= 0;
      query.ssid = v.ssid >= 0 ? static_cast<uint32_t>(v.ssid) : 0;
      query.address = v.address;
      query.write = *access == 'w';
      const WalkAnswer answer = WalkSmmuv3(VectorRegs(v), memory, query);
      EXPECT_EQ(answer.event, v.event);
      EXPECT_EQ(answer.record, v.record);
      if (v.event != 0) continue;
      EXPECT_EQ(answer.pa, v.pa);
      EXPECT_EQ(answer.rights, v.rights);
      EXPECT_EQ(answer.size, v.size);
      EXPECT_EQ(answer.bypass, v.size == 0);
      if (v.size == 0) continue;
      EXPECT_EQ(answer.vmid, v.vmid);
      EXPECT_EQ(answer.asid, v.asid);
      EXPECT_EQ(answer.global, v.global);
    }
  }
}

// A disabled SMMU reads no table (sheet 1).
TEST(WalkSmmuv3, DisabledReadsNothing) {
  ImageMemory memory(kI1, {}, 0);
  SmmuRegs regs = VectorRegs(kVectors[0]);
  regs.enabled = false;
  WalkQuery query;
  query.address = 0x1234;
  EXPECT_EQ(WalkSmmuv3(regs, memory, query).event, kAbortedSilently);
  regs.gbpaAbort = false;
  const WalkAnswer answer = WalkSmmuv3(regs, memory, query);
  EXPECT_TRUE(answer.bypass);
  EXPECT_EQ(answer.pa, 0x1234u);
  EXPECT_EQ(memory.reads, 0);
}

// Tables that point at themselves, and words of all ones, end in a bounded number of reads.
TEST(WalkSmmuv3, HostileTablesEnd) {
  for (uint64_t word : {uint64_t{0x31003}, ~uint64_t{0}, uint64_t{0x31001}}) {
    Image loop;
    for (uint64_t a = 0x31000; a < 0x32000; a += 8) loop.emplace_back(a, word);
    loop.emplace_back(0x30000, 0x31003);
    Image image = kI1;
    ImageMemory memory(image, loop, 0);
    WalkQuery query;
    query.sid = 2;
    query.address = 0x7f12345678;
    WalkSmmuv3(VectorRegs(kVectors[0]), memory, query);
    EXPECT_LE(memory.reads, 12);
  }
}

TEST(WalkSmmuv3, TagByteIsIgnoredOnlyWithTbi) {
  Vector v = kVectors[0];  // A1
  WalkQuery query;
  query.sid = v.sid;
  query.address = v.address | uint64_t{0x5a} << 56;
  ImageMemory plain(*v.image, {}, 0);
  EXPECT_EQ(WalkSmmuv3(VectorRegs(v), plain, query).event, kTranslation);
  ImageMemory tbi(*v.image, {{0x20000, 0x42e204c0000010 | uint64_t{1} << 38}}, 0);
  const WalkAnswer answer = WalkSmmuv3(VectorRegs(v), tbi, query);
  EXPECT_EQ(answer.event, 0);
  EXPECT_EQ(answer.pa, v.pa);
}

// CD.R = 0: a stage-1 fault leaves no record, and is told apart from one that does.
TEST(WalkSmmuv3, SilentWhenNotRecorded) {
  Vector v = kVectors[6];  // A7, F_TRANSLATION
  ASSERT_STREQ(v.name, "A7");
  WalkQuery query;
  query.sid = v.sid;
  query.address = v.address;
  ImageMemory memory(*v.image, {{0x20000, 0x42e204c0000010 & ~(uint64_t{1} << 45)}}, 0);
  const WalkAnswer answer = WalkSmmuv3(VectorRegs(v), memory, query);
  EXPECT_EQ(answer.event, kAbortedSilently);
  EXPECT_EQ(answer.record, (std::array<uint64_t, 4>{}));
}

TEST(WalkSmmuv3, ContextDescriptorLegality) {
  using Words = std::array<uint64_t, 8>;
  const std::array<uint64_t, 6> idr{0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74};
  const Words good{0x42e204c0000010, 0x30000};
  EXPECT_EQ(DecodeCd<Concrete>(good, idr, 0).legal, 1u);
  const auto with = [&](uint64_t flip) {
    Words words = good;
    words[0] ^= flip;
    return DecodeCd<Concrete>(words, idr, 0).legal;
  };
  EXPECT_EQ(with(uint64_t{1} << 31), 0u);  // V
  EXPECT_EQ(with(uint64_t{1} << 41), 0u);  // AA64
  EXPECT_EQ(with(uint64_t{1} << 46), 0u);  // A = 0 with TERM_MODEL
  EXPECT_EQ(with(uint64_t{1} << 44), 0u);  // S = 1 where stalls cannot be
  EXPECT_EQ(with(uint64_t{1} << 43), 0u);  // HA without HTTU
  EXPECT_EQ(with(uint64_t{1} << 15), 0u);  // big-endian
  EXPECT_EQ(with(uint64_t{3} << 6), 0u);   // TG0 reserved
  EXPECT_EQ(with(uint64_t{1} << 30), 0u);  // TTB1 in use, with its TG1 reserved
  EXPECT_EQ(with(0x10 ^ 0x0f), 0u);        // T0SZ 15
  EXPECT_EQ(with(0x10 ^ 40), 0u);          // T0SZ 40
}

}  // namespace
}  // namespace twinwalk::model
