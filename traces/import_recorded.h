// What a recording tells about a call's result, as a (partly known) Outcome.
#ifndef TWINWALK_TRACES_IMPORT_RECORDED_H_
#define TWINWALK_TRACES_IMPORT_RECORDED_H_

#include <cstdint>
#include <string>

#include "traces/op.h"

namespace twinwalk {

// What a recorded ioctl left behind.
struct RecordedIoctl {
  uint32_t command = 0;
  std::string after;         // the user's struct, as far as it was looked at
  std::string buffer_after;  // the readable bytes of the buffer that it points to
  uint16_t err = 0;
  int64_t ret = 0;
  bool changed = false;  // the struct is not as it was before
};

// REQUIRES: op was decoded from the bytes that the call was given.
Outcome RecordedOutcome(const Op& op, const RecordedIoctl& call);

// Little-endian u32 or u64 at `offset`; 0 beyond the end.
uint64_t LoadWord(const std::string& bytes, size_t offset, size_t size);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_RECORDED_H_
