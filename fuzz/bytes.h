// A trace as plain bytes for fuzz engines: the World in fixed fields, then for each Op its 96
// bytes, the length of its blob, the blob. No recorded Outcomes, no names: what a fuzzer has no use
// for. Committed seeds are trace files; the fuzz target takes both.
#ifndef TWINWALK_FUZZ_BYTES_H_
#define TWINWALK_FUZZ_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "traces/trace.h"

namespace twinwalk::fuzz {

inline constexpr char kBytesMagic[4] = {'T', 'W', 'B', '2'};

struct BytesLimits {
  size_t ops = 256;
  size_t blob = 8192;  // bytes of one Op; the mutator keeps tighter bounds
};

std::string TraceToBytes(const Trace& trace);
// "" and *trace, or what is wrong. Accepts exactly what TraceToBytes gives: a valid World, known
// kinds, handles that name earlier Ops, no stray bits. Never throws, never reads beyond `size`.
std::string BytesToTrace(const uint8_t* data, size_t size, const BytesLimits& limits, Trace* trace);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_BYTES_H_
