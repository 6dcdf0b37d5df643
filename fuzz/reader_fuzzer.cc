// Raw bytes to the trace reader; whatever it keeps goes through writer and text and must come back
// the same. A finding aborts.
#include <cstdint>
#include <string>
#include <string_view>

#include "traces/check.h"
#include "traces/reader.h"
#include "traces/text.h"
#include "traces/writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twinwalk;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  ReadLimits limits;
  limits.ops = 1 << 12, limits.payload_bytes = 1 << 22;
  Result<Trace> read = ReadTraceBytes(input, "input", limits);
  if (!read.ok()) {
    CHECK(!read.status().what.empty());
    return 0;
  }
  for (FrameCodec codec : {FrameCodec::kPlain, FrameCodec::kLz4}) {
    Result<std::string> bytes = TraceBytes(*read, {.codec = codec});
    CHECK(bytes.ok(), "%s", bytes.status().ToString().c_str());
    Result<Trace> back = ReadTraceBytes(*bytes, "written");
    CHECK(back.ok(), "%s", back.status().ToString().c_str());
    CHECK(back->damages.empty());
    CHECK(SameTrace(*read, *back));
  }
  const std::string text = TraceText(*read);
  Result<Trace> parsed = ParseTrace(text, "text");
  CHECK(parsed.ok(), "%s", parsed.status().ToString().c_str());
  CHECK(SameTrace(*read, *parsed), "text does not come back:\n%s", text.c_str());
  CHECK(TraceText(*parsed) == text);
  return 0;
}
