#include "traces/reader.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <lz4.h>
#include <xxhash.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "traces/frame.h"
#include "traces/test_trace.h"
#include "traces/text.h"
#include "traces/trace.capnp.h"
#include "traces/writer.h"

namespace twinwalk {
namespace {

// A file with frames of three Ops, and where each frame begins.
struct SampleFile {
  Trace trace;
  std::string bytes;
  std::vector<size_t> frames;  // offsets of Ops frames, then of the end frame

  explicit SampleFile(int frame_count, uint64_t seed = 5) {
    std::mt19937_64 random(seed);
    trace = RandomTrace(random, 3 * static_cast<size_t>(frame_count));
    for (size_t i = 0; i < trace.ops.size(); ++i) {
      // Every third Op names the one before it, and one three before it.
      Op op;
      op.kind = OpKind::kIoasMap;
      op.fd = static_cast<Handle>(i - 1), op.ioasMap.ioasId = static_cast<Handle>(i - 3);
      op.results = i >= 3 ? 3 : 0;
      if (i % 3 == 2)
        trace.ops[i] = op;
      else
        trace.ops[i].results = 0;
    }
    TraceWriter writer(trace.world, trace.expect, {}, &bytes);
    for (size_t i = 0; i < trace.ops.size(); ++i) {
      if (i % 3 == 0) writer.Flush(), frames.push_back(bytes.size());
      EXPECT_TRUE(writer.Add(trace.ops[i]).ok());
    }
    writer.Flush();
    frames.push_back(bytes.size());
    writer.Finish();
  }
};

// A frame as an enemy would make it: anything, with a checksum that holds.
std::string Sealed(FrameHeader header, const std::string& payload) {
  header.magic = kFrameMagic;
  header.length = static_cast<uint32_t>(payload.size());
  const uint64_t seed = XXH3_64bits(&header, kChecksummedHeaderBytes);
  header.checksum = XXH3_64bits_withSeed(payload.data(), payload.size(), seed);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
}
FrameHeader OpsHeader(uint64_t first, uint32_t ops, size_t plain_length) {
  FrameHeader header{};
  header.first = first, header.ops = ops;
  header.plain_length = static_cast<uint32_t>(plain_length);
  return header;
}
FrameHeader EndHeader(uint64_t total) {
  FrameHeader header{};
  header.first = total, header.kind = FrameKind::kEnd;
  return header;
}

// Only the file header and the World.
std::string Preamble() {
  std::string bytes;
  TraceWriter writer(World(), "", {}, &bytes);
  return bytes;
}

Trace Read(const std::string& bytes) {
  auto trace = ReadTraceBytes(bytes, "test");
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  return trace.ok() ? std::move(*trace) : Trace();
}

std::string Complaint(const std::string& bytes) {
  auto trace = ReadTraceBytes(bytes, "test");
  return trace.ok() ? "accepted" : trace.status().ToString();
}

TEST(Reader, ReadsWhatWasWritten) {
  std::mt19937_64 random(11);
  for (FrameCodec codec : {FrameCodec::kPlain, FrameCodec::kLz4}) {
    for (size_t ops : {0, 1, 511, 512, 513, 2000}) {
      const Trace trace = RandomTrace(random, ops);
      const auto bytes = TraceBytes(trace, {codec});
      ASSERT_TRUE(bytes.ok());
      const Trace again = Read(*bytes);
      EXPECT_TRUE(SameTrace(trace, again)) << ops;
      EXPECT_TRUE(again.damages.empty());
      EXPECT_EQ(*TraceBytes(again, {codec}), *bytes);
    }
  }
}

TEST(Reader, LargestOpsFit) {
  Trace trace;
  for (int i = 0; i < 3; ++i) {
    Op op;
    op.kind = OpKind::kDma;
    op.blob.assign(kMaxBlobBytes, 'x');
    op.recorded.emplace();
    op.recorded->out = op.recorded->data = op.blob;
    op.recorded->pieces.resize(kMaxPieces);
    op.recorded->events.resize(kMaxEvents);
    trace.ops.push_back(op);
  }
  const auto bytes = TraceBytes(trace);
  ASSERT_TRUE(bytes.ok());
  EXPECT_TRUE(SameTrace(Read(*bytes), trace));
  // Also as text, when nothing repeats.
  std::mt19937_64 random(4);
  Op& op = trace.ops[0];
  for (std::string* bytes : {&op.blob, &op.recorded->out, &op.recorded->data})
    for (char& c : *bytes) c = static_cast<char>(random());
  for (Piece& p : op.recorded->pieces) p = {~uint64_t{0}, ~0u, 0, 0xf5, ~uint64_t{0}, ~uint64_t{0}};
  for (FaultRecord& e : op.recorded->events) {
    e.queue = ~uint64_t{1}, e.position = ~0u;
    for (uint64_t& word : e.words) word = ~uint64_t{0};
  }
  EXPECT_TRUE(SameTrace(Read(TraceText(trace)), trace));
  trace.ops[1].blob += 'x';
  EXPECT_EQ(TraceBytes(trace).status().what, "a blob above 1 MiB");
}

TEST(Reader, StreamsFilesAndText) {
  const SampleFile sample(4);
  const std::string path = testing::TempDir() + "/reader_test.trace";
  ASSERT_TRUE(WriteTrace(sample.trace, path).ok());
  auto from_file = ReadTrace(path);
  ASSERT_TRUE(from_file.ok()) << from_file.status().ToString();
  EXPECT_TRUE(SameTrace(*from_file, sample.trace));
  const std::string text = TraceText(sample.trace);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
  auto from_text = ReadTrace(path);
  ASSERT_TRUE(from_text.ok()) << from_text.status().ToString();
  EXPECT_TRUE(SameTrace(*from_text, sample.trace));
  std::remove(path.c_str());
}

TEST(Reader, ErrorsNameTheFile) {
  EXPECT_EQ(Complaint(""), "test: byte 0: the file is empty");
  EXPECT_EQ(Complaint("ELF"), "test: byte 0: not a trace: it does not begin with TWINWALK");
  std::string bytes = Preamble();
  bytes[8] = 7;
  EXPECT_EQ(Complaint(bytes), "test: byte 8: schema version 7, this program reads 1");
  EXPECT_EQ(ReadTrace("/no/such").status().ToString(),
            "/no/such: byte 0: No such file or directory");
  EXPECT_FALSE(ReadTrace("/").ok());
  ReadLimits limits;
  limits.ops = 5;
  EXPECT_EQ(ReadTraceBytes(SampleFile(2).bytes, "test", limits).status().what, "more than 5 Ops");
}

TEST(Reader, TruncatedAtEveryByte) {
  const SampleFile sample(6);
  const size_t body = sample.frames[0];
  for (size_t size = 0; size < sample.bytes.size(); ++size) {
    auto trace = ReadTraceBytes(std::string_view(sample.bytes).substr(0, size), "test");
    ASSERT_EQ(trace.ok(), size >= body) << size;
    if (!trace.ok()) continue;
    size_t whole = 0;
    while (whole + 1 < sample.frames.size() && sample.frames[whole + 1] <= size) ++whole;
    ASSERT_EQ(trace->ops.size(), 3 * whole) << size;
    for (size_t i = 0; i < trace->ops.size(); ++i)
      ASSERT_TRUE(SameOp(trace->ops[i], sample.trace.ops[i]));
    ASSERT_FALSE(trace->damages.empty()) << size;
    // Torn inside a frame: it is named; and the missing end in any case.
    ASSERT_EQ(trace->damages[0].offset, sample.frames[whole]) << size;
    ASSERT_EQ(trace->damages[0].first, 3 * whole);
    ASSERT_EQ(trace->damages.back().lost, kLostUnknown);
  }
}

// Expects that frame `bad` of the sample is lost and nothing else.
void ExpectFrameLost(const SampleFile& sample, size_t bad, const Trace& trace, size_t at) {
  ASSERT_EQ(trace.ops.size(), sample.trace.ops.size() - 3) << at;
  ASSERT_EQ(trace.damages.size(), 1u) << at;
  EXPECT_EQ(trace.damages[0].offset, sample.frames[bad]) << at;
  EXPECT_EQ(trace.damages[0].first, 3 * bad) << at;
  EXPECT_EQ(trace.damages[0].lost, 3u) << at;
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const size_t ordinal = i < 3 * bad ? i : i + 3;
    Op expected = sample.trace.ops[ordinal];
    const auto renumber = [&](Handle& handle, int bit) {
      if (!(expected.results >> bit & 1) || handle < 3 * bad) return;
      if (handle >= 3 * bad + 3) {
        handle -= 3;
      } else {
        handle = kDanglingHandle;
        expected.results = static_cast<uint8_t>(expected.results & ~(1 << bit));
      }
    };
    if (ordinal > 3 * bad + 2 && expected.kind == OpKind::kIoasMap)
      renumber(expected.fd, 0), renumber(expected.ioasMap.ioasId, 1);
    ASSERT_TRUE(SameOp(trace.ops[i], expected)) << at << "\n"
                                                << OpText(i, trace.ops[i]) << "\n"
                                                << OpText(i, expected);
  }
}

TEST(Reader, EveryFlippedByteLosesItsFrameOnly) {
  const SampleFile sample(6);
  std::mt19937_64 random(6);
  for (size_t at = 0; at < sample.bytes.size(); ++at) {
    std::string bytes = sample.bytes;
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
    auto trace = ReadTraceBytes(bytes, "test");
    ASSERT_EQ(trace.ok(), at >= sample.frames[0]) << at;
    if (!trace.ok()) continue;
    size_t bad = 0;
    while (bad + 1 < sample.frames.size() && sample.frames[bad + 1] <= at) ++bad;
    if (bad + 1 < sample.frames.size()) {
      ExpectFrameLost(sample, bad, *trace, at);
      if (HasFatalFailure()) return;
    } else {
      EXPECT_EQ(trace->ops.size(), sample.trace.ops.size()) << at;
      EXPECT_FALSE(trace->damages.empty()) << at;
    }
  }
}

TEST(Reader, EveryBitOfAFrameHeaderCounts) {
  const SampleFile sample(6);
  for (size_t bit = 0; bit < 8 * sizeof(FrameHeader); ++bit) {
    std::string bytes = sample.bytes;
    bytes[sample.frames[2] + bit / 8] ^= static_cast<char>(1 << bit % 8);
    ExpectFrameLost(sample, 2, Read(bytes), bit);
  }
}

TEST(Reader, RotLosesItsFramesAndNamesEach) {
  const SampleFile sample(8);
  std::string bytes = sample.bytes;
  for (size_t frame : {2, 3, 5}) bytes[sample.frames[frame] + 100] ^= 1;
  const Trace trace = Read(bytes);
  EXPECT_EQ(trace.ops.size(), 3u * 5);
  ASSERT_EQ(trace.damages.size(), 3u);
  EXPECT_EQ(trace.damages[0].offset, sample.frames[2]);
  EXPECT_EQ(trace.damages[0].first, 6u);
  EXPECT_EQ(trace.damages[0].lost, 6u);  // of both frames
  EXPECT_EQ(trace.damages[1].offset, sample.frames[3]);
  EXPECT_EQ(trace.damages[2].offset, sample.frames[5]);
  EXPECT_EQ(trace.damages[2].first, 15u);
  EXPECT_EQ(trace.damages[2].lost, 3u);
}

TEST(Reader, DamageInWords) {
  EXPECT_EQ(DamageText({40, "rot", 6, 3}), "byte 40: rot; Ops 6..8 are lost");
  EXPECT_EQ(DamageText({40, "rot", 6, 0}), "byte 40: rot");
  EXPECT_EQ(DamageText({40, "cut", 6, kLostUnknown}), "byte 40: cut; Ops from 6 on may be lost");
}

TEST(Reader, InsertedRemovedAndRepeatedFrames) {
  const SampleFile sample(5);
  const auto& f = sample.frames;
  std::string garbage = sample.bytes;
  garbage.insert(f[2], "garbage");
  Trace trace = Read(garbage);
  EXPECT_TRUE(SameTrace(trace, sample.trace));
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].lost, 0u);
  trace = Read(sample.bytes.substr(0, f[1]) + sample.bytes.substr(f[2]));
  EXPECT_EQ(trace.ops.size(), 12u);
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].what, "Ops are missing before this frame");
  EXPECT_EQ(trace.damages[0].offset, f[1]);
  EXPECT_EQ(trace.damages[0].first, 3u);
  EXPECT_EQ(trace.damages[0].lost, 3u);
  trace = Read(sample.bytes.substr(0, f[2]) + sample.bytes.substr(f[1]));
  EXPECT_TRUE(SameTrace(trace, sample.trace));
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].offset, f[2]);
  trace = Read(sample.bytes + "more");
  EXPECT_TRUE(SameTrace(trace, sample.trace));
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].what, "4 bytes behind the end");
}

// A guest may hold a trace in its memory: what is inside a rotten frame is not read as a trace.
TEST(Reader, ContentsAreNotFrames) {
  const std::string inner = SampleFile(3, 1).bytes;
  Trace outer;
  outer.ops.resize(1);
  outer.ops[0].kind = OpKind::kMemWrite;
  outer.ops[0].blob = inner;
  std::string bytes = *TraceBytes(outer);
  const size_t at = bytes.find("TWINWALK", 8);
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  const Trace trace = Read(bytes);
  EXPECT_TRUE(trace.ops.empty());
  ASSERT_EQ(trace.damages.size(), 1u);
  EXPECT_EQ(trace.damages[0].lost, 1u);
}

TEST(Reader, ClaimsAreNotBelieved) {
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

TEST(Reader, CompressionBombsAreBounded) {
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

TEST(Reader, UnknownKindsAreRefused) {
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
  EXPECT_EQ(trace.damages.at(0).what, "an Op of the unknown kind 26");
}

// One blob that many Ops point to must not become many blobs.
TEST(Reader, SharedBlobsAreBounded) {
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
TEST(Reader, RottenMessagesNeverEscape) {
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

TEST(Reader, RandomBytesBehindTheHeader) {
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
TEST(Reader, SearchIsBounded) {
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

TEST(Reader, DamagesAreListedUpToALimit) {
  std::string bytes = Preamble();
  for (int i = 0; i < 3000; ++i) bytes += Sealed(OpsHeader(2 * i, 1, 8), std::string(8, '\0'));
  bytes += Sealed(EndHeader(6000), "");
  const Trace trace = Read(bytes);
  EXPECT_EQ(trace.damages.size(), TraceReader::kMaxDamages);
  EXPECT_EQ(trace.damages.front().lost, 6000u);
}

}  // namespace
}  // namespace twinwalk
