// Whole traces in memory, from either form.
#include "traces/reader.h"
#include "traces/source.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

bool IsText(Source& source) {
  char start[kTextMagic.size()];
  return source.Read(0, start, sizeof start) && std::string_view(start, sizeof start) == kTextMagic;
}

Result<Trace> Collect(TraceReader& reader, const std::string& name, const ReadLimits& limits) {
  Trace trace;
  trace.world = reader.world();
  trace.expect = reader.expect();
  uint64_t payload_bytes = 0;
  for (Op op; reader.Next(&op);) {
    payload_bytes += PayloadBytes(op);
    if (trace.ops.size() >= limits.ops)
      return Status{"more than " + std::to_string(limits.ops) + " Ops", name, 0, 0};
    if (payload_bytes > limits.payload_bytes)
      return Status{"the trace holds too many bytes", name, 0, 0};
    trace.ops.push_back(op);
  }
  trace.damages = reader.damages();
  return trace;
}

Result<Trace> FromSource(std::unique_ptr<Source> source, const std::string& name,
                         const ReadLimits& limits) {
  if (IsText(*source)) {
    auto text = ReadAll(*source, name, limits.text_bytes);
    if (!text.ok()) return text.status();
    return ParseTrace(*text, name, limits);
  }
  auto reader = TraceReader::OpenSource(std::move(source), name);
  if (!reader.ok()) return reader.status();
  return Collect(*reader, name, limits);
}

}  // namespace

Result<Trace> ReadTrace(const std::string& path, const ReadLimits& limits) {
  auto source = Source::File(path, limits.file_bytes);
  if (!source.ok()) return source.status();
  return FromSource(std::move(*source), path, limits);
}

Result<Trace> ReadTraceBytes(std::string_view bytes, const std::string& name,
                             const ReadLimits& limits) {
  return FromSource(Source::Memory(bytes), name, limits);
}

}  // namespace twinwalk
