#include "model/walk_vtd.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/tables_vtd.h"
#include "model/walk_vtd_vectors.h"

namespace twinwalk::model {
namespace {

class ImageMemory : public WalkMemory {
 public:
  ImageMemory(const VtdImage& image, const VtdImage& changes, uint64_t aborts) : aborts_(aborts) {
    for (auto [address, word] : image) words[address] = word;
    for (auto [address, word] : changes) words[address] = word;
  }
  bool Read64(uint64_t address, uint64_t* value) override {
    ++reads;
    EXPECT_EQ(address % 8, 0u);
    if (aborts_ != 0 && address == aborts_) return false;
    auto it = words.find(address);
    *value = it == words.end() ? 0 : it->second;
    return true;
  }
  std::map<uint64_t, uint64_t> words;
  int reads = 0;

 private:
  uint64_t aborts_;
};

// HAW 46, MGAW 48, 3- and 4-level, 2M and 1G pages; DT, PT, SC, NEST, SRS, PASID, SMTS, SSTS, FSTS.
constexpr uint64_t kCap = uint64_t{0x06} << 8 | uint64_t{47} << 16 | uint64_t{3} << 34;
constexpr uint64_t Ecap() {
  uint64_t out = 0;
  for (int bit : {2, 6, 7, 26, 31, 40, 43, 46, 47}) out |= uint64_t{1} << bit;
  return out;
}
VtdRegs RegsOf(const VtdImage* image) {
  VtdRegs regs;
  regs.cap = kCap;
  regs.ecap = Ecap();
  regs.rtaddr = image == &kF ? 0x1400 : 0x1000;
  return regs;
}
VtdQuery QueryAt(uint64_t address, bool write = false) {
  VtdQuery query;
  query.sid = 0x310;
  query.address = address;
  query.write = write;
  return query;
}

TEST(WalkVtd, VectorsOfTheSheet) {
  ASSERT_EQ(kVtdVectors.size(), 27u);  // A1..A19, B10..B17
  for (const VtdVector& v : kVtdVectors) {
    for (const char* access = v.access; *access != 0; ++access) {
      SCOPED_TRACE(std::string(v.name) + " " + *access);
      ImageMemory memory(*v.image, v.changes, v.aborts);
      VtdQuery query = QueryAt(v.address, *access == 'w');
      query.sid = v.sid;
      query.hasPasid = v.pasid >= 0;
      query.pasid = v.pasid >= 0 ? static_cast<uint32_t>(v.pasid) : 0;
      query.translationRequest = v.ats;
      query.privileged = v.privileged;
      const VtdAnswer answer = WalkVtd(RegsOf(v.image), memory, query);
      EXPECT_EQ(answer.reason, v.reason);
      EXPECT_EQ(answer.recorded, v.hi != 0);
      EXPECT_EQ(answer.record[0], v.lo);
      EXPECT_EQ(answer.record[1], v.hi);
      EXPECT_FALSE(answer.interrupt);
      if (v.reason != 0) continue;
      EXPECT_EQ(answer.pa, v.pa);
      EXPECT_EQ(answer.rights, v.rights);
      EXPECT_EQ(answer.size, v.size);
      EXPECT_EQ(answer.passThrough, v.size == 0);
      EXPECT_EQ(answer.did, v.did);
      EXPECT_EQ(answer.pgtt, v.pgtt);
    }
  }
}

// Step 1 (sheet 1 and 6).
TEST(WalkVtd, DisabledReadsNothing) {
  ImageMemory memory(kL, {}, 0);
  VtdRegs regs = RegsOf(&kL);
  regs.enabled = false;
  const VtdAnswer answer = WalkVtd(regs, memory, QueryAt(0x1234, true));
  EXPECT_TRUE(answer.passThrough);
  EXPECT_EQ(answer.pa, 0x1234u);
  EXPECT_EQ(answer.reason, 0);
  EXPECT_EQ(memory.reads, 0);
}
TEST(WalkVtd, TheInterruptRangeIsNotTranslated) {
  ImageMemory memory(kL, {}, 0);
  for (uint64_t address : {0xfee00000u, 0xfeefffffu}) {
    for (bool write : {false, true}) {
      const VtdAnswer answer = WalkVtd(RegsOf(&kL), memory, QueryAt(address, write));
      EXPECT_TRUE(answer.interrupt);
      EXPECT_EQ(answer.reason, 0);
      EXPECT_EQ(answer.rights, 0);
    }
  }
  EXPECT_EQ(memory.reads, 0);
  // One byte outside on either side is an ordinary address.
  for (uint64_t address : {0xfedfffffu, 0xfef00000u})
    EXPECT_EQ(WalkVtd(RegsOf(&kL), memory, QueryAt(address, true)).reason, 0x05);
  // A translation request is no interrupt, and gets no way there: step 8.
  ImageMemory through(kF, {{0x2200, 0x800d}, {0x9000, 0x3109}}, 0);
  VtdQuery query = QueryAt(0xfee00000);
  query.translationRequest = true;
  EXPECT_EQ(WalkVtd(RegsOf(&kF), through, query).reason, 0x87);
}
TEST(WalkVtd, UnknownMode) {
  ImageMemory memory(kL, {}, 0);
  for (uint64_t mode : {2, 3}) {
    VtdRegs regs = RegsOf(&kL);
    regs.rtaddr |= mode << 10;
    const VtdAnswer answer = WalkVtd(regs, memory, QueryAt(0x1000));
    EXPECT_EQ(answer.reason, 0x30);
    EXPECT_TRUE(answer.recorded);
  }
}

// Legacy order of checks (sheet, Required order 2).
TEST(WalkVtd, LegacyTables) {
  struct Case {
    VtdImage changes;
    uint64_t aborts;
    uint8_t reason;
    bool recorded;
  };
  const Case cases[] = {
      {{}, 0x1030, 0x08, true},
      {{}, 0x1038, 0x08, true},
      {{{0x1030, 0x2003}}, 0, 0x0a, true},                    // a reserved bit of the root
      {{{0x1038, 1}}, 0, 0x0a, true},                         // its upper word
      {{{0x2100, 0x3003}}, 0x2100, 0x09, true},               // an access error is never qualified
      {{{0x2100, 0x3002}}, 0, 0x02, false},                   // FPD of an absent entry counts
      {{{0x2100, 0x3011}}, 0, 0x0b, true},                    // bit 4
      {{{0x2108, 0x12102}}, 0, 0, true},                      // DID bit 8 is not reserved
      {{{0x2108, 0x1002102}}, 0, 0x0b, true},                 // bit 24
      {{{0x2108, 0x2103}}, 0, 0x03, true},                    // AW 5-level, not offered
      {{{0x2108, 0x2100}}, 0, 0x03, true},                    // AW 0
      {{{0x2108, 0x217a}}, 0, 0, true},                       // bits 6:3 are ignored
      {{{0x2100, 0x3009}, {0x2108, 0x2101}}, 0, 0x03, true},  // pass-through names 3 levels
  };
  int n = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(n++);
    ImageMemory memory(kL, c.changes, c.aborts);
    const VtdAnswer answer = WalkVtd(RegsOf(&kL), memory, QueryAt(0x40801000));
    EXPECT_EQ(answer.reason, c.reason);
    if (c.reason != 0) EXPECT_EQ(answer.recorded, c.recorded);
  }
  VtdQuery query = QueryAt(0x40801000);
  query.hasPasid = true;
  ImageMemory memory(kL, {}, 0);
  EXPECT_EQ(WalkVtd(RegsOf(&kL), memory, query).reason, 0x31);
}

// Types need their capability: DT, PT; SSTS, PT.
TEST(WalkVtd, TypesThatTheUnitLacks) {
  const auto reason = [](const VtdImage* image, VtdImage changes, int bit) {
    ImageMemory memory(*image, changes, 0);
    VtdRegs regs = RegsOf(image);
    if (bit >= 0) regs.ecap &= ~(uint64_t{1} << bit);
    return WalkVtd(regs, memory, QueryAt(0x40801000)).reason;
  };
  EXPECT_EQ(reason(&kL, {{0x2100, 0x3005}}, -1), 0);
  EXPECT_EQ(reason(&kL, {{0x2100, 0x3005}}, 2), 0x03);
  EXPECT_EQ(reason(&kL, {{0x2100, 0x3009}}, 6), 0x03);
  EXPECT_EQ(reason(&kF, {{0x9000, 0x3089}}, 46), 0x5b);
  EXPECT_EQ(reason(&kF, {{0x9000, 0x3109}}, 6), 0x5b);
}

// Scalable order of checks (Required order 3 and 4).
TEST(WalkVtd, ScalableTables) {
  struct Case {
    VtdImage changes;
    uint64_t aborts;
    uint8_t reason;
    bool recorded;
  };
  const VtdImage second = {{0x9000, 0x3089}};
  const auto with = [&](VtdImage more) {
    more.insert(more.begin(), second.begin(), second.end());
    return more;
  };
  const Case cases[] = {
      {second, 0x1030, 0x38, true},
      {with({{0x1030, 0}}), 0, 0x39, true},
      {with({{0x1030, 0x2005}}), 0, 0x3a, true},
      {second, 0x2218, 0x40, true},
      {with({{0x2200, 0x8008}}), 0, 0x41, true},
      {with({{0x2200, 0x8029}}), 0, 0x42, true},
      {with({{0x2208, 0x200000}}), 0, 0x42, true},
      {with({{0x2210, 1}}), 0, 0x42, true},
      {with({{0x2208, 0x2000}}), 0, 0x48, true},  // RID_PASID beyond 128 directory entries
      {second, 0x8000, 0x50, true},
      {with({{0x8000, 0x9000}}), 0, 0x51, true},
      {with({{0x8000, 0x9002}}), 0, 0x51, false},
      {with({{0x8000, 0x9005}}), 0, 0x52, true},
      {second, 0x9008, 0x58, true},
      {{{0x9000, 0x308a}}, 0, 0x59, false},
      {{{0x9000, 0x3489}}, 0, 0x5a, true},
      {with({{0x9008, 0x10055}}), 0, 0x5a, true},
      {with({{0x9008, 0xffffffffff800055}}), 0, 0x79, true},  // memory types
      // FPD keeps no access error of a table from being recorded.
      {with({{0x2200, 0x800b}}), 0x8000, 0x50, true},
      {with({{0x2200, 0x800b}}), 0x9000, 0x58, true},
      {with({{0x2200, 0x800b}}), 0, 0x79, false},
      {{{0x9000, 0x308d}}, 0, 0x5b, true},  // AW 3
      {second, 0x3000, 0x7b, true},
      {second, 0x4008, 0x78, true},
  };
  int n = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(n++);
    ImageMemory memory(kF, c.changes, c.aborts);
    const VtdAnswer answer = WalkVtd(RegsOf(&kF), memory, QueryAt(0x40001000));
    EXPECT_EQ(answer.reason, c.reason);
    EXPECT_EQ(answer.recorded, c.recorded);
  }
  // The upper half of the root serves devfn 0x80 and up.
  ImageMemory memory(kF, second, 0);
  VtdQuery query = QueryAt(0x200202003);
  query.sid = 0x0390;
  EXPECT_EQ(WalkVtd(RegsOf(&kF), memory, query).reason, 0x41);
  EXPECT_EQ(memory.reads, 5);
}

// Second stage: presence, reserved bits, then the right, level by level (sheet 3).
TEST(WalkVtd, SecondStageEntries) {
  const auto walk = [](VtdImage changes, uint64_t address, bool write, const VtdRegs& regs) {
    ImageMemory memory(regs.rtaddr == 0x1400 ? kF : kL, changes, 0);
    return WalkVtd(regs, memory, QueryAt(address, write));
  };
  const VtdRegs regs = RegsOf(&kL);
  // An absent entry is not looked at further.
  EXPECT_EQ(walk({{0x7008, 0xfffffffffffffffc}}, 0x40801000, false, regs).reason, 0x06);
  // Reserved: bit 11 of a table, bit 7 at level 4, an address above HAW.
  EXPECT_EQ(walk({{0x5020, 0x7803}}, 0x40801000, false, regs).reason, 0x0c);
  EXPECT_EQ(walk({{0x3000, 0x4083}}, 0x40801000, false, regs).reason, 0x0c);
  EXPECT_EQ(walk({{0x4008, 0x400000005003}}, 0x40801000, false, regs).reason, 0x0c);
  // SNP is a bit of leaves where SC is offered.
  EXPECT_EQ(walk({{0x7008, 0x123456803}}, 0x40801000, false, regs).reason, 0);
  VtdRegs no_snoop = regs;
  no_snoop.ecap &= ~uint64_t{0x80};
  EXPECT_EQ(walk({{0x7008, 0x123456803}}, 0x40801000, false, no_snoop).reason, 0x0c);
  // Ignored: memory type, IPAT, X, bit 10, 63:52.
  EXPECT_EQ(walk({{0x7008, 0xfff000012345677f}}, 0x40801abc, false, regs).pa, 0x123456abcu);
  // Large pages that CAP does not offer.
  VtdRegs small = regs;
  small.cap &= ~(uint64_t{1} << 34);
  EXPECT_EQ(walk({}, 0x40a12034, false, small).reason, 0x0c);
  EXPECT_EQ(walk({}, 0x8aa66077, false, small).reason, 0);
  small.cap &= ~(uint64_t{1} << 35);
  EXPECT_EQ(walk({}, 0x8aa66077, false, small).reason, 0x0c);
  // Rights are those of all levels together.
  EXPECT_EQ(walk({}, 0xc0001abc, false, regs).pa, 0x123456abcu);
  EXPECT_EQ(walk({}, 0xc0001abc, false, regs).rights, kRead);
  // A right missing above is told before what stands below.
  EXPECT_EQ(walk({{0x5020, 0x7001}, {0x7008, 0}}, 0x40801000, true, regs).reason, 0x05);
  // Scalable mode tells a missing right from a missing entry.
  const VtdRegs scalable = RegsOf(&kF);
  const VtdImage read_only = {{0x9000, 0x3089}, {0x4040, 0x300000081}};
  EXPECT_EQ(walk(read_only, 0x200202003, true, scalable).reason, 0x85);
  const VtdImage write_only = {{0x9000, 0x3089}, {0x4040, 0x300000082}};
  EXPECT_EQ(walk(write_only, 0x200202003, false, scalable).reason, 0x86);
  EXPECT_EQ(walk(write_only, 0x200202003, true, scalable).rights, kWrite);
  const VtdImage reserved = {{0x9000, 0x3089}, {0x4040, 0x300001083}};
  EXPECT_EQ(walk(reserved, 0x200202003, true, scalable).reason, 0x7a);
}

// The width is the smaller of MGAW and the tables'.
TEST(WalkVtd, Widths) {
  VtdRegs regs = RegsOf(&kL);
  ImageMemory three(kL, {{0x2108, 0x2101}, {0x3008, 0x5003}}, 0);  // 39 bits, root at level 3
  EXPECT_EQ(WalkVtd(regs, three, QueryAt(0x40801abc)).pa, 0x123456abcu);
  EXPECT_EQ(WalkVtd(regs, three, QueryAt(uint64_t{1} << 39)).reason, 0x04);
  regs.cap = (regs.cap & ~(uint64_t{63} << 16)) | uint64_t{31} << 16;  // MGAW 32
  ImageMemory four(kL, {}, 0);
  EXPECT_EQ(WalkVtd(regs, four, QueryAt(0x40801abc)).reason, 0);
  EXPECT_EQ(WalkVtd(regs, four, QueryAt(uint64_t{1} << 32)).reason, 0x04);
  ImageMemory through(kL, {{0x2100, 0x3009}}, 0);
  EXPECT_EQ(WalkVtd(regs, through, QueryAt(uint64_t{1} << 32)).reason, 0x04);
}

// Translation requests (sheet 7.1): a missing right is an answer, not a fault.
TEST(WalkVtd, TranslationRequests) {
  const auto ask = [](uint64_t address, bool write, VtdImage changes = {}) {
    changes.insert(changes.begin(), {0x2100, 0x3005});  // TT 01
    ImageMemory memory(kL, changes, 0);
    VtdQuery query = QueryAt(address, write);
    query.translationRequest = true;
    return WalkVtd(RegsOf(&kL), memory, query);
  };
  EXPECT_EQ(ask(0x40801abc, true).rights, kRead | kWrite);
  EXPECT_EQ(ask(0x40801abc, false).rights, kRead | kWrite);
  EXPECT_EQ(ask(0x40802000, true).rights, kWrite);
  EXPECT_EQ(ask(0x40a12034, true).rights, kRead);
  for (uint64_t address : {0x40e01000, 0x40800000}) {
    const VtdAnswer answer = ask(address, true);
    EXPECT_EQ(answer.reason, 0);
    EXPECT_FALSE(answer.recorded);
    EXPECT_EQ(answer.rights, 0);
    EXPECT_EQ(answer.size, 0x1000u);
  }
  EXPECT_EQ(ask(0x40c00000, true).reason, 0x0c);  // reserved bits stay a fault
  ImageMemory scalable(kF, {{0x9000, 0x3089}}, 0);
  VtdQuery query = QueryAt(0x200202003);
  query.translationRequest = true;
  EXPECT_EQ(WalkVtd(RegsOf(&kF), scalable, query).reason, 0x44);  // DTE 0
}

// ---- The table writer
// ----------------------------------------------------------------------------

struct WordMemory {
  std::map<uint64_t, uint64_t> words;
  uint64_t next = 0x10000, frames = 8;
  uint64_t Read(uint64_t address) { return words[address]; }
  void Write(uint64_t address, uint64_t value) { words[address] = value; }
  uint64_t NewTable() { return frames-- == 0 ? 0 : next += 0x1000; }
};

TEST(TablesVtd, Entries) {
  EXPECT_EQ(LeafEntry<Concrete>(1, 0x123456000, kRead | kWrite), 0x123456003u);
  EXPECT_EQ(LeafEntry<Concrete>(1, 0x123457000, kWrite), 0x123457002u);
  EXPECT_EQ(LeafEntry<Concrete>(2, 0x600000, kRead), 0x600081u);
  EXPECT_EQ(LeafEntry<Concrete>(3, 0x240000000, kRead | kWrite), 0x240000083u);
  EXPECT_EQ(LeafEntry<Concrete>(1, 0x123456000, 0), 0u);
  EXPECT_EQ(TableEntry<Concrete>(0x7000), 0x7003u);
  EXPECT_EQ(VtdEntryAddress<Concrete>(0x3000, 4, 0x40801abc), 0x3000u);
  EXPECT_EQ(VtdEntryAddress<Concrete>(0x4000, 3, 0x40801abc), 0x4008u);
  EXPECT_EQ(VtdEntryAddress<Concrete>(0x5000, 2, 0x40801abc), 0x5020u);
  EXPECT_EQ(VtdEntryAddress<Concrete>(0x7000, 1, 0x40801abc), 0x7008u);
}

TEST(TablesVtd, WriteAndClear) {
  WordMemory m;
  const uint64_t leaf = LeafEntry<Concrete>(1, 0x123456000, kRead);
  const auto made = WriteVtdStep<Concrete>(m, 0x3000, 4, 1, 0x40801000, leaf);
  EXPECT_EQ(made.made, 1u);
  EXPECT_EQ(m.words[0x3000], made.next | 3);
  const auto again = WriteVtdStep<Concrete>(m, 0x3000, 4, 1, 0x40801000, leaf);
  EXPECT_EQ(again.made, 0u);
  EXPECT_EQ(again.next, made.next);
  EXPECT_EQ(WriteVtdStep<Concrete>(m, 0x7000, 1, 1, 0x40801000, leaf).failed, 0u);
  EXPECT_EQ(m.words[0x7008], leaf);
  EXPECT_EQ(WriteVtdStep<Concrete>(m, 0x7000, 1, 1, 0x40801000, leaf).failed, 1u);
  m.words[0x5020] = 0x600081;  // a large leaf is never a table
  EXPECT_EQ(WriteVtdStep<Concrete>(m, 0x5000, 2, 1, 0x40801000, leaf).failed, 1u);
  EXPECT_EQ(ClearVtdStep<Concrete>(m, 0x7000, 1, 0x40801000), leaf);
  EXPECT_EQ(m.words[0x7008], 0u);
  m.frames = 0;
  EXPECT_EQ(WriteVtdStep<Concrete>(m, 0x6000, 3, 1, 0x40801000, leaf).failed, 1u);
  EXPECT_EQ(m.words[0x6008], 0u);
}

}  // namespace
}  // namespace twinwalk::model
