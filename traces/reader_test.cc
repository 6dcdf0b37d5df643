#include "traces/reader.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <set>

#include "traces/source.h"
#include "traces/test_file.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

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

// A trace of each schema version must open for ever, and be written alike on every machine.
TEST(Reader, CommittedVersionsOpen) {
  const std::string name = "traces/testdata/version_1";
  auto text = ReadTrace(name + ".txt");
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  std::set<OpKind> kinds;
  for (const Op& op : text->ops) kinds.insert(op.kind);
  EXPECT_EQ(kinds.size(), 26u);
  for (const char* end : {".trace", "_lz4.trace"}) {
    auto binary = ReadTrace(name + end);
    ASSERT_TRUE(binary.ok()) << binary.status().ToString();
    EXPECT_TRUE(SameTrace(*binary, *text));
    EXPECT_TRUE(binary->damages.empty());
  }
  // Fields that came later say their defaults.
  EXPECT_EQ(text->world.dmaEntryLimit, 65535u);
  EXPECT_EQ(text->world.devices.at(0).vfio, VfioConfig());
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

}  // namespace
}  // namespace twinwalk
