#include "fuzz/input.h"

#include <cstring>
#include <string_view>

#include "fuzz/bytes.h"
#include "fuzz/edit.h"
#include "traces/reader.h"

namespace twinwalk::fuzz {

bool TraceFromInput(const uint8_t* data, size_t size, Trace* trace) {
  if (size >= sizeof kBytesMagic && std::memcmp(data, kBytesMagic, sizeof kBytesMagic) == 0)
    return BytesToTrace(data, size, {}, trace).empty();
  ReadLimits limits;
  limits.ops = 256, limits.payload_bytes = 1 << 20;
  Result<Trace> read = ReadTraceBytes({reinterpret_cast<const char*>(data), size}, "input", limits);
  if (!read.ok()) return false;
  *trace = std::move(*read);
  for (Op& op : trace->ops) static_cast<OpData&>(op) = Canonical(op);
  DangleForward(&trace->ops);
  return ValidateWorld(trace->world).empty();
}

size_t TraceToInput(Trace* trace, uint8_t* data, size_t max_size) {
  std::string bytes = TraceToBytes(*trace);
  while (bytes.size() > max_size && !trace->ops.empty()) {
    bytes.resize(bytes.size() - sizeof(OpData) - 4 - trace->ops.back().blob.size());
    trace->ops.pop_back();
  }
  if (bytes.size() > max_size) return 0;
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace twinwalk::fuzz
