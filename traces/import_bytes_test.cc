// What is imported encodes to the very bytes that were recorded: every argument of every typed
// ioctl of every recording, once straight through the codec and once through the trace's handles.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "traces/capture_lines.h"
#include "traces/codec.h"
#include "traces/import.h"
#include "traces/reader.h"
#include "traces/replay.h"
#include "traces/text.h"
#include "traces/writer.h"

namespace twinwalk {
namespace {

// Of the clients' deliberate bad calls: numbers that their file does not know.
const std::set<std::string> kUnknownOnPurpose = {
    "0x3b65",   // a container's call on a device
    "0x3b96",   // no call at all
    "0x3b9f",   // likewise
    "0x3b73",   // VFIO_IOMMU_ENABLE, of another backend
    "0x3b94"};  // HW_QUEUE_ALLOC comes with its own rows
constexpr size_t kRecordings = 6 + 29;

std::vector<std::string> Recordings() {
  std::vector<std::string> all;
  for (const char* folder : {"traces/testdata", "traces/testdata/recordings"})
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().string().ends_with(".jsonl.gz")) all.push_back(entry.path().string());
  std::sort(all.begin(), all.end());
  return all;
}

struct Recorded {
  uint64_t n = 0;
  std::string name, command;
  RawIoctl raw;
};

// The ioctls of a capture, read here and not by the importer.
std::vector<Recorded> Ioctls(const std::string& path) {
  const std::set<std::string> written = {"IOMMU_GET_HW_INFO", "IOMMU_IOAS_IOVA_RANGES",
                                         "VFIO_IOMMU_UNMAP_DMA", "VFIO_IOMMU_DIRTY_PAGES"};
  CaptureLines lines(path);
  std::vector<Recorded> all;
  std::string line;
  while (lines.Next(&line) == CaptureLines::Got::kLine) {
    CaptureRecord r;
    EXPECT_EQ(r.Parse(line), "");
    if (r.TextOr("sys", "") != "ioctl") continue;
    bool bad = false;
    Recorded one;
    one.n = *r.Number("n");
    one.name = r.TextOr("ioctl", "?");
    one.command = *r.Text("cmd");
    one.raw.fd = static_cast<uint32_t>(*r.Number("fd"));
    one.raw.command = static_cast<uint32_t>(*r.Number("cmd"));
    const std::string kind = r.TextOr("kind", "");
    one.raw.file = kind == "vfio-device"  ? Frontend::kDevice
                   : kind == "vfio-group" ? Frontend::kGroup
                                          : Frontend::kContainer;
    one.raw.in = r.Bytes("in", &bad).value_or("");
    one.raw.writable = static_cast<uint16_t>(one.raw.in.size());
    // The address of a struct is not kept; a number is all there is.
    if (one.raw.in.empty() || one.name == "VFIO_GROUP_GET_DEVICE_FD")
      one.raw.arg = *r.Number("arg");
    for (size_t i = 0; i < r.ListSize("ptr"); ++i) {
      const CaptureRecord nested = r.ListAt("ptr", i);
      RawBuffer buffer{*nested.Text("name"), *nested.Number("addr"), *nested.Bytes("in", &bad), 0};
      if (written.count(one.name) > 0) buffer.writable = static_cast<uint32_t>(buffer.bytes.size());
      if (!buffer.bytes.empty()) one.raw.buffers.push_back(buffer);
    }
    EXPECT_FALSE(bad);
    all.push_back(one);
  }
  return all;
}

TEST(ImportBytes, DecodeThenEncodeGivesTheRecordedBytes) {
  ASSERT_EQ(Recordings().size(), kRecordings);
  uint64_t typed = 0;
  for (const std::string& path : Recordings()) {
    for (const Recorded& one : Ioctls(path)) {
      SCOPED_TRACE(path + " n " + std::to_string(one.n) + " " + one.name);
      Op op;
      const bool decoded = Decode(one.raw, &op);
      const bool unknown =
          kUnknownOnPurpose.count(one.command) > 0 && one.name != "VFIO_CHECK_EXTENSION";
      EXPECT_EQ(decoded, !unknown);
      if (!decoded) continue;
      ++typed;
      EXPECT_EQ(Encode(op, [](Handle, HandleRole) { return uint64_t{0}; }), one.raw);
    }
  }
  EXPECT_GT(typed, 4000u);
}

TEST(ImportBytes, TheTraceEncodesToTheRecordedBytesWhenItsHandlesAreTheRecordedNumbers) {
  for (const std::string& path : Recordings()) {
    const std::vector<Recorded> recorded = Ioctls(path);
    const ImportedCapture c = ImportCapture(path);
    const std::vector<Op>& ops = c.trace.ops;
    const HandleNumber number = [&](Handle from, HandleRole role) {
      const Op& op = ops[from];
      if (role == HandleRole::kMap) return op.mmap.base;
      return uint64_t{role == HandleRole::kFd ? op.recorded->fd : op.recorded->id};
    };
    size_t next = 0;
    for (const Op& op : ops) {
      const bool raw_ioctl = op.kind == OpKind::kRaw && op.raw.command != 0;
      if (!raw_ioctl && (op.kind == OpKind::kRaw || !IsIoctl(op.kind))) continue;
      ASSERT_LT(next, recorded.size());
      const Recorded& one = recorded[next++];
      SCOPED_TRACE(path + " n " + std::to_string(one.n) + " " + one.name);
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
  for (const std::string& path : Recordings()) {
    SCOPED_TRACE(path);
    const Trace trace = ImportCapture(path).trace;
    const Result<Trace> text = ParseTrace(TraceText(trace), path);
    ASSERT_TRUE(text.ok()) << text.status().ToString();
    EXPECT_TRUE(SameTrace(*text, trace));
    const Result<std::string> bytes = TraceBytes(trace, {FrameCodec::kLz4});
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    const Result<Trace> file = ReadTraceBytes(*bytes, path);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_TRUE(SameTrace(*file, trace));
  }
}

}  // namespace
}  // namespace twinwalk
