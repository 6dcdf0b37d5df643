// Bad input as a value: what is wrong and where. (CHECK is for our own mistakes, see check.h.)
#ifndef TWINWALK_TRACES_STATUS_H_
#define TWINWALK_TRACES_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace twinwalk {

// An empty `what` means success.
struct Status {
  std::string what;
  std::string file;     // as the caller named it; empty: bytes without a name
  uint64_t offset = 0;  // bytes from the start of the file; unused in text
  uint32_t line = 0;    // from 1, in text; 0: not text

  bool ok() const { return what.empty(); }
  // "a.txt:7: what", "a.trace: byte 4096: what"
  std::string ToString() const {
    if (ok()) return "ok";
    const std::string name = file.empty() ? "input" : file;
    if (line != 0) return name + ":" + std::to_string(line) + ": " + what;
    return name + ": byte " + std::to_string(offset) + ": " + what;
  }
};

// A value, or the Status that says why there is none. REQUIRES of * and ->: ok().
template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_STATUS_H_
