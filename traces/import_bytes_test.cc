// What is imported encodes to the very bytes that were recorded: every argument of every typed
// ioctl of the six captures, once straight through the codec and once through the trace's handles.
#include <gtest/gtest.h>

#include "traces/capture_lines.h"
#include "traces/codec.h"
#include "traces/import.h"
#include "traces/reader.h"
#include "traces/text.h"
#include "traces/writer.h"

namespace twinwalk {
namespace {

const char* const kNames[] = {"basic", "stale", "attach", "errors", "faults", "vste"};

struct Recorded {
  uint64_t n = 0;
  std::string name;
  RawIoctl raw;
};

// The ioctls of a capture, read here and not by the importer.
std::vector<Recorded> Ioctls(const std::string& capture) {
  CaptureLines lines("traces/testdata/vsmmu-" + capture + ".jsonl.gz");
  std::vector<Recorded> all;
  std::string line;
  while (lines.Next(&line) == CaptureLines::Got::kLine) {
    CaptureRecord r;
    EXPECT_EQ(r.Parse(line), "");
    if (r.TextOr("sys", "") != "ioctl") continue;
    bool bad = false;
    Recorded one;
    one.n = *r.Number("n");
    one.name = *r.Text("ioctl");
    one.raw.fd = static_cast<uint32_t>(*r.Number("fd"));
    one.raw.command = static_cast<uint32_t>(*r.Number("cmd"));
    one.raw.is_vfio_device = r.TextOr("kind", "") == "vfio-device";
    one.raw.in = *r.Bytes("in", &bad);
    one.raw.writable = static_cast<uint16_t>(one.raw.in.size());
    for (size_t i = 0; i < r.ListSize("ptr"); ++i) {
      const CaptureRecord nested = r.ListAt("ptr", i);
      RawBuffer buffer{*nested.Text("name"), *nested.Number("addr"), *nested.Bytes("in", &bad), 0};
      if (one.name == "IOMMU_GET_HW_INFO" || one.name == "IOMMU_IOAS_IOVA_RANGES")
        buffer.writable = static_cast<uint32_t>(buffer.bytes.size());
      if (!buffer.bytes.empty()) one.raw.buffers.push_back(buffer);
    }
    EXPECT_FALSE(bad);
    all.push_back(one);
  }
  return all;
}

TEST(ImportBytes, DecodeThenEncodeGivesTheRecordedBytes) {
  uint64_t typed = 0, raw = 0;
  for (const char* name : kNames) {
    for (const Recorded& one : Ioctls(name)) {
      SCOPED_TRACE(std::string(name) + " n " + std::to_string(one.n) + " " + one.name);
      Op op;
      if (!Decode(one.raw, &op)) {
        ++raw;
        continue;
      }
      ++typed;
      EXPECT_EQ(Encode(op, [](Handle, HandleRole) { return uint64_t{0}; }), one.raw);
    }
  }
  EXPECT_EQ(typed, 23u + 43 + 42 + 75 + 59 + 121);
  EXPECT_EQ(raw, 1u + 1 + 1 + 7 + 2 + 1);
}

TEST(ImportBytes, TheTraceEncodesToTheRecordedBytesWhenItsHandlesAreTheRecordedNumbers) {
  for (const char* name : kNames) {
    const std::vector<Recorded> recorded = Ioctls(name);
    const ImportedCapture c =
        ImportCapture("traces/testdata/vsmmu-" + std::string(name) + ".jsonl.gz");
    const std::vector<Op>& ops = c.trace.ops;
    const HandleNumber number = [&](Handle from, HandleRole role) {
      const Op& op = ops[from];
      if (role == HandleRole::kMap) return op.mmap.base;
      return uint64_t{role == HandleRole::kFd ? op.recorded->fd : op.recorded->id};
    };
    size_t next = 0;
    for (const Op& op : ops) {
      const bool raw_ioctl = op.kind == OpKind::kRaw && op.raw.command != 0;
      if (StructSize(op.kind) == 0 && !raw_ioctl) continue;
      ASSERT_LT(next, recorded.size());
      const Recorded& one = recorded[next++];
      SCOPED_TRACE(std::string(name) + " n " + std::to_string(one.n) + " " + one.name);
      if (raw_ioctl) {
        EXPECT_EQ(op.raw.command, one.raw.command);
        EXPECT_EQ(op.blob, one.raw.in);
      } else {
        EXPECT_EQ(Encode(op, number), one.raw);
      }
    }
    EXPECT_EQ(next, recorded.size());
  }
}

TEST(ImportBytes, ImportedTracesSurviveTextAndFile) {
  for (const char* name : kNames) {
    SCOPED_TRACE(name);
    const Trace trace =
        ImportCapture("traces/testdata/vsmmu-" + std::string(name) + ".jsonl.gz").trace;
    const Result<Trace> text = ParseTrace(TraceText(trace), name);
    ASSERT_TRUE(text.ok()) << text.status().ToString();
    EXPECT_TRUE(SameTrace(*text, trace));
    const Result<std::string> bytes = TraceBytes(trace);
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    const Result<Trace> file = ReadTraceBytes(*bytes, name);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_TRUE(SameTrace(*file, trace));
  }
}

}  // namespace
}  // namespace twinwalk
