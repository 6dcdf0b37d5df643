#include "traces/text.h"

#include <gtest/gtest.h>

#include <random>

#include "traces/test_trace.h"
#include "traces/text_scan.h"

namespace twinwalk {
namespace {

Op Parsed(const std::string& line, uint64_t ordinal = 7) {
  auto op = ParseOp(line, ordinal);
  EXPECT_TRUE(op.ok()) << op.status().ToString();
  return op.ok() ? *op : Op();
}

std::string Complaint(const std::string& text) {
  auto trace = ParseTrace(text, "a.txt");
  return trace.ok() ? "accepted" : trace.status().ToString();
}

TEST(Text, LineOfIoasMap) {
  const std::string line =
      "7 p0 ioas_map fd=%3 flags=0x7 ioasId=%5 userMap=%4 userVa=+0x1000 length=0x2000 "
      "iova=0x4000000 => ok values=0x4000000";
  const Op op = Parsed(line);
  EXPECT_EQ(op.kind, OpKind::kIoasMap);
  EXPECT_EQ(op.fd, 3u);
  EXPECT_EQ(op.results, 7);
  EXPECT_EQ(op.size, 40u);
  EXPECT_EQ(op.readable, 40);
  EXPECT_EQ(op.writable, 40);
  EXPECT_EQ(op.ioasMap.flags, 7u);
  EXPECT_EQ(op.ioasMap.ioasId, 5u);
  EXPECT_EQ(op.ioasMap.userMap, 4u);
  EXPECT_EQ(op.ioasMap.userVa, 0x1000u);
  EXPECT_EQ(op.ioasMap.length, 0x2000u);
  EXPECT_EQ(op.ioasMap.iova, 0x4000000u);
  ASSERT_TRUE(op.recorded.has_value());
  EXPECT_EQ(op.recorded->known, Outcome::kErr | Outcome::kValues);
  EXPECT_EQ(op.recorded->values[0], 0x4000000u);
  EXPECT_EQ(OpText(7, op), line);
}

TEST(Text, WhatPeopleWrite) {
  const Op op = Parsed("ioas_map iova=4096 userVa=0x10 userMap=%2 readable=8 flags=5 fd=%0 # why");
  EXPECT_EQ(op.process, 0);
  EXPECT_EQ(op.readable, 8);
  EXPECT_EQ(op.results, 0b101);
  EXPECT_EQ(op.ioasMap.iova, 4096u);
  const Op literal = Parsed("7 p3 destroy fd=5 id=none");
  EXPECT_EQ(literal.process, 3);
  EXPECT_EQ(literal.results, 0);
  EXPECT_EQ(literal.fd, 5u);
  EXPECT_EQ(literal.destroy.id, kDanglingHandle);
  EXPECT_EQ(OpText(7, literal), "7 p3 destroy fd=5 id=none");
}

TEST(Text, Outcomes) {
  const auto round = [](const std::string& words) {
    return OutcomeText(*Parsed("7 p0 close => " + words).recorded);
  };
  for (const char* words :
       {"ok", "EINVAL", "err=999", "nothing", "all ok", "all EIO values=2", "ok id=0", "ret=-5",
        "ok ?id=3", "known=0x201 ok",
        "all ok pieces=0x1000+16@2:0x30/rw,0x2000+4!0x10,0x3000+1!abort", "pieces=-",
        "pieces=0x0+1!0x13@7:0x0/0xf5", "ret=-9223372036854775808",
        "events=log#0:0x1:0x2:0x3:0x4,1.7#5:0x0:0x0:0x0:0x0,dropped#0:0x0:0x0:0x0:"
        "0xffffffffffffffff",
        "data=0xe5*64", "out=-", "values=0,0,7"})
    EXPECT_EQ(round(words), words);
  const Outcome o = *Parsed("close => pieces=0x1000+16@2:0x30/w,0x2000+4!0x10").recorded;
  ASSERT_EQ(o.pieces.size(), 2u);
  EXPECT_EQ(o.pieces[0], (Piece{0x1000, 16, 0, kWrite, 2, 0x30}));
  EXPECT_EQ(o.pieces[1], (Piece{0x2000, 4, 0x10, 0, 0, 0}));
  EXPECT_EQ(o.known, Outcome::kPieces);
}

TEST(Text, Bytes) {
  const auto bytes = [](const std::string& word) {
    std::string out;
    EXPECT_TRUE(text::ParseBytes(word, 1 << 20, &out)) << word;
    return out;
  };
  EXPECT_EQ(bytes("0x0102"), "\x01\x02");
  EXPECT_EQ(bytes("0102*2+ff"), "\x01\x02\x01\x02\xff");
  EXPECT_EQ(bytes("q0x1234+w1"), std::string("\x34\x12\0\0\0\0\0\0\1\0\0\0", 12));
  EXPECT_EQ(bytes("e5*4088"), std::string(4088, '\xe5'));
  EXPECT_EQ(text::Bytes(std::string(4088, '\xe5')), "0xe5*4088");
  EXPECT_EQ(text::Bytes("ab" + std::string(16, 'c') + "d"), "0x6162+63*16+64");
  EXPECT_EQ(text::Bytes(std::string("\x34\x12\0\0\0\0\0\0", 8)), "q0x1234");
  std::string out = "kept";
  for (const char* bad : {"", "0x", "0x1", "0xgg", "00+", "+00", "00*", "*3", "q", "w0x100000000",
                          "00*1048577", "00*1048576+00", "00*99999999999999999999", "q0*131073"})
    EXPECT_FALSE(text::ParseBytes(bad, 1 << 20, &out)) << bad;
  EXPECT_EQ(out, "kept");
}

TEST(Text, WorldsRoundTrip) {
  const std::string lines =
      "world name=\"two words \\\"\\x0a\" preset=repaired invalidCdCacheable=false frames=0x400 "
      "swMsiFirst=1 swMsiLast=0\n"
      "world smmu vmidLimit=3 tlbEntries=4 canNest=false\n"
      "world smmu idr=1,2,3,4,5,6\n"
      "world device streamId=128 transactionBytes=4\n"
      "world device smmu=1\n"
      "world process\n"
      "world process uid=1000 ipcLock=true memlockPages=16\n";
  auto trace = ParseTrace(lines, "a.txt");
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  const World& world = trace->world;
  EXPECT_EQ(world.name, "two words \"\n");
  EXPECT_FALSE(world.rules.badCommandDropsBatch);
  EXPECT_TRUE(world.rules.reservedCommandBitsRefused);
  EXPECT_FALSE(world.rules.invalidCdCacheable);
  ASSERT_EQ(world.smmus.size(), 2u);
  EXPECT_EQ(world.smmus[0].tlbEntries, 4u);
  EXPECT_FALSE(world.smmus[0].canNest);
  EXPECT_EQ(world.smmus[1].idr[5], 6u);
  ASSERT_EQ(world.devices.size(), 2u);
  EXPECT_EQ(world.devices[0].streamId, 128u);
  ASSERT_EQ(world.processes.size(), 2u);
  EXPECT_TRUE(world.processes[1].ipcLock);
  EXPECT_EQ(WorldText(world), lines);
}

TEST(Text, Labels) {
  auto trace = ParseTrace(
      "iommu: open node=iommu\n"
      "map: p0 mmap base=0x10000 length=0x1000 prot=3\n"
      "ioas_map fd=%iommu userMap=%map userVa=0\n"
      "expect agree\n",
      "a.txt");
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  ASSERT_EQ(trace->ops.size(), 3u);
  EXPECT_EQ(trace->ops[2].fd, 0u);
  EXPECT_EQ(trace->ops[2].ioasMap.userMap, 1u);
  EXPECT_EQ(trace->expect, "agree");
}

TEST(Text, ComplaintsSayWhere) {
  EXPECT_EQ(Complaint("# x\n\np0 ioas_mop fd=1\n"), "a.txt:3: no Op is called 'ioas_mop'");
  EXPECT_EQ(Complaint("destroy fd=1 ids=3"), "a.txt:1: destroy has no field 'ids'; it has fd id");
  EXPECT_EQ(Complaint("destroy fd=1 id=0x100000000"), "a.txt:1: id: bad value '0x100000000'");
  EXPECT_EQ(Complaint("3 destroy fd=1"), "a.txt:1: the line says 3, but this is Op 0");
  EXPECT_EQ(Complaint("destroy fd=1 => id=x"), "a.txt:1: an Outcome has no 'id=x'");
  EXPECT_EQ(Complaint("destroy fd=%map"), "a.txt:1: fd: bad value '%map'");
  EXPECT_EQ(Complaint("mem_write blob=00*1048577"), "a.txt:1: blob: bad value '00*1048577'");
  EXPECT_EQ(Complaint("close\nworld device"), "a.txt:2: a world line after the first Op");
  EXPECT_EQ(Complaint("expect agree\nclose"), "a.txt:2: an Op after the expect line");
  EXPECT_EQ(Complaint("world device smmu=7"),
            "a.txt:1: the World is not possible: device 0.smmu = 7, there is no such IOMMU");
  EXPECT_EQ(Complaint("world namme=x"), "a.txt:1: a World has no 'namme' here");
  EXPECT_EQ(Complaint("world preset=linux-9"), "a.txt:1: no preset 'linux-9'");
  EXPECT_EQ(Complaint("close \"x"), "a.txt:1: a quote is not closed");
}

TEST(Text, LimitsHold) {
  ReadLimits limits;
  limits.ops = 2;
  EXPECT_TRUE(ParseTrace("close\nclose\n", "", limits).ok());
  EXPECT_FALSE(ParseTrace("close\nclose\nclose\n", "", limits).ok());
  EXPECT_EQ(Complaint("close\n#" + std::string(kMaxLineBytes, '.')),
            "a.txt:2: a line longer than any Op");
  limits.payload_bytes = 100;
  EXPECT_TRUE(ParseTrace("mem_write blob=00*100\n", "", limits).ok());
  EXPECT_FALSE(ParseTrace("mem_write blob=00*101\n", "", limits).ok());
}

TEST(Text, RandomTracesRoundTrip) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    const Trace trace = RandomTrace(random, random() % 12);
    const std::string text = TraceText(trace);
    auto again = ParseTrace(text, "random");
    ASSERT_TRUE(again.ok()) << again.status().ToString() << "\n" << text;
    ASSERT_TRUE(SameTrace(*again, trace)) << text << "\n" << TraceText(*again);
    ASSERT_EQ(TraceText(*again), text);
  }
}

// The round trip can fail: one lost bit anywhere in the Op is seen.
TEST(Text, SameOpSeesEveryBit) {
  std::mt19937_64 random(2);
  const Op op = RandomOp(random, 3);
  for (size_t bit = 0; bit < 8 * sizeof(OpData); ++bit) {
    Op other = op;
    reinterpret_cast<uint8_t*>(static_cast<OpData*>(&other))[bit / 8] ^= 1 << bit % 8;
    EXPECT_FALSE(SameOp(op, other)) << bit;
    if (static_cast<int>(other.kind) < kOpKinds) EXPECT_NE(OpText(3, op), OpText(3, other)) << bit;
  }
}

TEST(Text, HostileLinesAreRefusedOrKept) {
  std::mt19937_64 random(3);
  const std::string text = TraceText(RandomTrace(random, 30));
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bad = text;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random() % 128);
    auto trace = ParseTrace(bad, "x");
    if (!trace.ok()) continue;
    ++accepted;
    auto again = ParseTrace(TraceText(*trace), "y");
    ASSERT_TRUE(again.ok() && SameTrace(*trace, *again));
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 5000);
}

}  // namespace
}  // namespace twinwalk
