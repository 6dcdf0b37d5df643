#include "fuzz/bytes.h"

#include <gtest/gtest.h>

#include "fuzz/generate.h"
#include "fuzz/random.h"

namespace twinwalk::fuzz {
namespace {

std::string Read(const std::string& bytes, Trace* trace) {
  return BytesToTrace(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), {}, trace);
}

TEST(Bytes, RoundTrip) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Trace trace = RandomTrace(seed), back;
    trace.world.name.clear();
    const std::string bytes = TraceToBytes(trace);
    ASSERT_EQ(Read(bytes, &back), "");
    EXPECT_TRUE(SameTrace(trace, back));
    EXPECT_EQ(TraceToBytes(back), bytes);
  }
}

TEST(Bytes, EveryCutIsRejectedOrShorter) {
  const std::string bytes = TraceToBytes(RandomTrace(2));
  Trace whole, trace;
  ASSERT_EQ(Read(bytes, &whole), "");
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (Read(bytes.substr(0, size), &trace) != "") continue;
    EXPECT_LT(trace.ops.size(), whole.ops.size());  // cut between two Ops
  }
}

// What is accepted is exactly what would be written: nothing hostile passes in silence.
TEST(Bytes, RottenBytesAreRejectedOrCanonical) {
  const std::string bytes = TraceToBytes(RandomTrace(4));
  Random random(1);
  int rejected = 0, accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string rotten = bytes;
    rotten[random.Below(rotten.size())] = static_cast<char>(random.Below(256));
    Trace trace;
    if (Read(rotten, &trace) != "") {
      ++rejected;
    } else {
      EXPECT_EQ(TraceToBytes(trace), rotten);
      ++accepted;
    }
  }
  EXPECT_GT(rejected, 100);
  EXPECT_GT(accepted, 100);
}

TEST(Bytes, HostileLengths) {
  Trace trace = RandomTrace(5), back;
  std::string bytes = TraceToBytes(trace);
  EXPECT_NE(Read("", &back), "");
  EXPECT_NE(Read("TWB2", &back), "");
  EXPECT_NE(Read(std::string("TWB1\xff\xff\xff", 7), &back), "");
  EXPECT_NE(Read(bytes + std::string(96, '\0') + "\xff\xff\xff\xff", &back), "");
  std::string many = bytes;
  Op op;
  op.kind = OpKind::kFailAlloc;
  Trace one;
  one.world = trace.world;
  const size_t head = TraceToBytes(one).size();
  one.ops.push_back(op);
  const std::string record = TraceToBytes(one).substr(head);
  for (int i = 0; i < 300; ++i) many += record;
  EXPECT_NE(Read(many, &back), "");
}

}  // namespace
}  // namespace twinwalk::fuzz
