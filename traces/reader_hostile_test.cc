// Trace files whose checksums hold and whose contents lie.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <lz4.h>

#include <chrono>
#include <cstring>
#include <random>

#include "traces/test_file.h"
#include "traces/trace.capnp.h"

namespace twinwalk {
namespace {

TEST(HostileReader, ClaimsAreNotBelieved) {
  const std::string start = Preamble();
  const std::string message(8, '\0');
  // A billion Ops in one frame, and a message that is not there.
  Trace trace =
      Read(start + Sealed(OpsHeader(0, 1000000000, 8), message) + Sealed(EndHeader(0), ""));
  EXPECT_TRUE(trace.ops.empty());
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].what, "a frame that claims 1000000000 Ops");
  trace = Read(start + Sealed(OpsHeader(0, 4096, 8), message) + Sealed(EndHeader(4096), ""));
  EXPECT_TRUE(trace.ops.empty());
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].lost, 4096u);
  // An end frame that counts a billion.
  trace = Read(start + Sealed(EndHeader(1000000000), ""));
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].lost, 1000000000u);
  trace = Read(start + Sealed(EndHeader(~uint64_t{0}), ""));
  ASSERT_EQ(trace.damages.size(), 1u);
  // Lengths beyond the limit and beyond the file.
  for (uint32_t length : {uint32_t{1} << 30, ~uint32_t{0}, uint32_t{1} << 20}) {
    std::string frame = Sealed(OpsHeader(0, 1, 8), message);
    std::memcpy(&frame[8], &length, 4), std::memcpy(&frame[12], &length, 4);
    trace = Read(start + frame);
    EXPECT_TRUE(trace.ops.empty());
    EXPECT_FALSE(trace.damages.empty());
  }
  // Ordinals that no handle can name.
  trace = Read(start + Sealed(OpsHeader(~uint64_t{0}, 1, 8), message));
  EXPECT_EQ(trace.damages[0].what, "a frame with Ops that handles cannot name");
}

TEST(HostileReader, CompressionBombsAreBounded) {
  const std::string zeroes(kMaxFrameBytes, '\0');
  std::string packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(zeroes.size()))), '\0');
  packed.resize(static_cast<size_t>(LZ4_compress_default(zeroes.data(), packed.data(),
                                                         static_cast<int>(zeroes.size()),
                                                         static_cast<int>(packed.size()))));
  for (uint32_t claim : {kMaxFrameBytes, kMaxFrameBytes - 8, 16u, ~0u}) {
    FrameHeader header = OpsHeader(0, 1, claim);
    header.codec = FrameCodec::kLz4;
    const Trace trace = Read(Preamble() + Sealed(header, packed) + Sealed(EndHeader(1), ""));
    EXPECT_TRUE(trace.ops.empty()) << claim;
    EXPECT_EQ(trace.damages.at(0).lost, 1u) << claim;
  }
}

std::string Flat(capnp::MessageBuilder& builder) {
  const auto words = capnp::messageToFlatArray(builder);
  const auto bytes = words.asBytes();
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}
std::string OneFrame(const std::string& message, uint32_t ops) {
  return Preamble() + Sealed(OpsHeader(0, ops, message.size()), message) +
         Sealed(EndHeader(ops), "");
}

TEST(HostileReader, UnknownKindsAreRefused) {
  capnp::MallocMessageBuilder builder;
  builder.initRoot<schema::Frame>().initOps(2);
  std::string message = Flat(builder);
  EXPECT_EQ(Read(OneFrame(message, 2)).ops.size(), 2u);
  EXPECT_EQ(Read(OneFrame(message, 3)).damages.at(0).what,
            "a frame whose header miscounts its Ops");
  // The discriminant of the second Op: prefix, root, list pointer, tag, one Op, 14 bytes.
  message[8 + 8 * (1 + 1 + 1 + 14) + 14] = static_cast<char>(kOpKinds);
  const Trace trace = Read(OneFrame(message, 2));
  EXPECT_TRUE(trace.ops.empty());
  EXPECT_EQ(trace.damages.at(0).what, "an Op of the unknown kind 62");
}

// One blob that many Ops point to must not become many blobs.
TEST(HostileReader, SharedBlobsAreBounded) {
  constexpr uint32_t kOps = 4096, kBlobWords = 1 << 15;
  capnp::MallocMessageBuilder builder(1 << 18, capnp::AllocationStrategy::FIXED_SIZE);
  auto ops = builder.initRoot<schema::Frame>().initOps(kOps);
  ops[0].initBlob(8 * kBlobWords);
  std::string message = Flat(builder);
  const size_t list = 8 + 8 * 3;  // behind prefix, root, list pointer and tag
  uint64_t pointer = 0;
  std::memcpy(&pointer, &message[list + 96], 8);
  for (uint32_t i = 1; i < kOps; ++i) {  // the offset counts words from the pointer
    const uint64_t moved = (pointer & ~uint64_t{0xfffffffc}) |
                           ((pointer - (uint64_t{i} * kOpWords << 2)) & 0xfffffffc);
    std::memcpy(&message[list + i * 112 + 96], &moved, 8);
  }
  const Trace trace = Read(OneFrame(message, kOps));
  EXPECT_GE(trace.ops.size(), 1u);
  EXPECT_LT(trace.ops.size(), 64u);
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.ops.size() + trace.damages[0].lost, kOps);
  EXPECT_EQ(trace.damages[0].first, trace.ops.size());
}

// Messages with random rot behind checksums that hold.
TEST(HostileReader, RottenMessagesNeverEscape) {
  std::mt19937_64 random(8);
  const SampleFile sample(1);
  const size_t at = sample.frames[0] + sizeof(FrameHeader);
  const std::string message = sample.bytes.substr(at, sample.frames[1] - at);
  int whole = 0, partial = 0, none = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bad = message;
    const size_t pointers = random() % 2 == 0 ? bad.size() : std::min<size_t>(bad.size(), 400);
    for (uint64_t k = 1 + random() % 4; k > 0; --k)
      bad[random() % pointers] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    const Trace trace = Read(OneFrame(bad, 3));
    uint64_t lost = 0;
    for (const Damage& damage : trace.damages) lost += damage.lost;
    ASSERT_EQ(trace.ops.size() + lost, 3u);
    ++(lost == 0 ? whole : lost == 3 ? none : partial);
  }
  EXPECT_GT(whole, 100);
  EXPECT_GT(partial, 100);
  EXPECT_GT(none, 100);
}

TEST(HostileReader, RandomBytesBehindTheHeader) {
  std::mt19937_64 random(9);
  const SampleFile sample(3);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = sample.bytes;
    for (uint64_t k = random() % 5; k < 5; ++k) {
      const size_t at = sample.frames[0] + random() % (bytes.size() - sample.frames[0]);
      if (random() % 3 == 0)
        bytes.erase(at, random() % 50);
      else if (random() % 2 == 0)
        bytes.insert(at, RandomBytes(random, 60));
      else
        bytes.insert(at, sample.bytes.substr(sample.frames[random() % 4], random() % 200));
      if (bytes.size() <= sample.frames[0]) bytes = sample.bytes;
    }
    const Trace trace = Read(bytes);
    EXPECT_LE(trace.ops.size(), 9u);
    if (trace.ops.size() < 9) EXPECT_FALSE(trace.damages.empty());
  }
}

// Headers everywhere, each claiming all the rest: searching must not become quadratic.
TEST(HostileReader, SearchIsBounded) {
  std::string bytes = Preamble();
  const size_t size = 4 << 20;
  while (bytes.size() < size) {
    FrameHeader header = OpsHeader(0, 1, 8);
    header.magic = kFrameMagic;
    header.length = header.plain_length = static_cast<uint32_t>(size - bytes.size() - 100);
    if (bytes.size() + 200 > size) header.length = header.plain_length = 0;
    bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += '!';  // so that no header is followed by another
  }
  const auto start = std::chrono::steady_clock::now();
  const Trace trace = Read(bytes);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(trace.ops.empty());
  EXPECT_EQ(trace.damages.back().what, "too much damage: the rest was not searched");
  EXPECT_LT(took.count(), 5);  // unbounded: 100000 times 2 MiB
}

TEST(HostileReader, DamagesAreListedUpToALimit) {
  std::string bytes = Preamble();
  for (int i = 0; i < 3000; ++i) bytes += Sealed(OpsHeader(2 * i, 1, 8), std::string(8, '\0'));
  bytes += Sealed(EndHeader(6000), "");
  const Trace trace = Read(bytes);
  EXPECT_EQ(trace.damages.size(), TraceReader::kMaxDamages);
  EXPECT_EQ(trace.damages.front().lost, 6000u);
}

}  // namespace
}  // namespace twinwalk
