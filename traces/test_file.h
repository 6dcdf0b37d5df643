// Trace files for tests of the reader: sound ones, and what an enemy would make.
#ifndef TWINWALK_TRACES_TEST_FILE_H_
#define TWINWALK_TRACES_TEST_FILE_H_

#include <gtest/gtest.h>
#include <xxhash.h>

#include <string>
#include <vector>

#include "traces/frame.h"
#include "traces/reader.h"
#include "traces/test_trace.h"
#include "traces/writer.h"

namespace twinwalk {

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
inline std::string Sealed(FrameHeader header, const std::string& payload) {
  header.magic = kFrameMagic;
  header.length = static_cast<uint32_t>(payload.size());
  const uint64_t seed = XXH3_64bits(&header, kChecksummedHeaderBytes);
  header.checksum = XXH3_64bits_withSeed(payload.data(), payload.size(), seed);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
}
inline FrameHeader OpsHeader(uint64_t first, uint32_t ops, size_t plain_length) {
  FrameHeader header{};
  header.first = first, header.ops = ops;
  header.plain_length = static_cast<uint32_t>(plain_length);
  return header;
}
inline FrameHeader EndHeader(uint64_t total) {
  FrameHeader header{};
  header.first = total, header.kind = FrameKind::kEnd;
  return header;
}

// Only the file header and the World.
inline std::string Preamble() {
  std::string bytes;
  TraceWriter writer(World(), "", {}, &bytes);
  return bytes;
}

inline Trace Read(const std::string& bytes) {
  auto trace = ReadTraceBytes(bytes, "test");
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  return trace.ok() ? std::move(*trace) : Trace();
}

inline std::string Complaint(const std::string& bytes) {
  auto trace = ReadTraceBytes(bytes, "test");
  return trace.ok() ? "accepted" : trace.status().ToString();
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_TEST_FILE_H_
