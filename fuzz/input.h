// Traces from whatever a fuzz engine hands over: our byte form, or a trace file.
#ifndef TWINWALK_FUZZ_INPUT_H_
#define TWINWALK_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>

#include "fuzz/mutate.h"
#include "traces/trace.h"

namespace twinwalk::fuzz {

// False: neither form. A trace file with damage is taken as far as it goes.
bool TraceFromInput(const uint8_t* data, size_t size, Trace* trace);
// Writes the byte form, without its last Ops when it would pass `max_size`; the bytes written (0:
// not even the World fits).
size_t TraceToInput(Trace* trace, uint8_t* data, size_t max_size);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_INPUT_H_
