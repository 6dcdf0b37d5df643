// Bytes of known length that can be read at any place: a file, or memory. A file that shrinks while
// it is read gives short reads, never a fault.
#ifndef TWINWALK_TRACES_SOURCE_H_
#define TWINWALK_TRACES_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "traces/status.h"

namespace twinwalk {

class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size() const = 0;
  // Whether all of offset..offset+size-1 was read.
  virtual bool Read(uint64_t offset, void* to, size_t size) = 0;

  // REQUIRES: `bytes` outlive the Source.
  static std::unique_ptr<Source> Memory(std::string_view bytes);
  // What is no regular file (a pipe) is read whole first, at most `max_bytes`.
  static Result<std::unique_ptr<Source>> File(const std::string& path, uint64_t max_bytes);
};

// All of it. An error when larger than max_bytes.
Result<std::string> ReadAll(Source& source, const std::string& name, uint64_t max_bytes);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_SOURCE_H_
