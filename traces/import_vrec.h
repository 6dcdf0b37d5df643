// Captures in the format vrec-1 (JSON Lines of system calls): calls in scope become typed Ops with
// what the kernel answered, other calls on files that matter become raw Ops, the rest is counted.
// Known limits: contents of memory are not recorded (see import_vsmmucli.h for the one client that
// prints them), descriptors inherited through fork stay those of the parent, kernel log lines are
// skipped (a missing line would mean nothing).
#ifndef TWINWALK_TRACES_IMPORT_VREC_H_
#define TWINWALK_TRACES_IMPORT_VREC_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "traces/capture_lines.h"
#include "traces/import_builder.h"
#include "traces/import_recorded.h"
#include "traces/import_vsmmucli.h"

namespace twinwalk {

class VrecImporter {
 public:
  // `pages`: of VsmmucliPages, when the client is that one.
  VrecImporter(ImportBuilder* builder, std::optional<std::set<uint64_t>> pages);

  // Whether this is the first line of a capture; "" or what is wrong.
  static std::string CheckHeader(const CaptureRecord& record);
  static bool IsVsmmucli(const CaptureRecord& header);

  // The records after the header, in order. "" or what is wrong with it.
  std::string Record(const CaptureRecord& r);

 private:
  // The fields that most calls have.
  struct Call {
    std::string sys, kind;
    uint64_t pid = 0;
    uint8_t process = 0;
    uint64_t fd = ~uint64_t{0}, obj = 0;  // obj: the recorder's id of an open file
    uint16_t err = 0;
    int64_t ret = 0;
    bool finished = false;  // ret was recorded
  };
  using Key = std::pair<uint64_t, uint64_t>;

  std::string Open(const CaptureRecord& r, const Call& c);
  std::string Close(const CaptureRecord& r, const Call& c);
  std::string Dup(const CaptureRecord& r, const Call& c);
  std::string Ioctl(const CaptureRecord& r, const Call& c);
  std::string Read(const CaptureRecord& r, const Call& c);
  std::string Poll(const CaptureRecord& r, const Call& c);
  std::string Mmap(const CaptureRecord& r, const Call& c);
  std::string Munmap(const CaptureRecord& r, const Call& c);
  std::string Memfd(const CaptureRecord& r, const Call& c);
  std::string Print(const CaptureRecord& r, const Call& c);
  void Exit(uint64_t pid);

  // Files whose every call matters.
  static bool Matters(const std::string& kind);
  static std::string NameOf(const std::string& sys, const std::string& kind);
  // Counts a record that becomes nothing.
  std::string Skip(const std::string& name);
  // Appends a call that no typed kind describes.
  std::string Raw(const CaptureRecord& r, const Call& c, const std::string& name);
  // Appends a typed call that was recorded under `name`.
  Handle Add(Op op, const std::string& name);
  Op Start(const Call& c, OpKind kind) const;
  // The head's fd: result of an Op, or the number.
  void NameFd(const Call& c, uint64_t fd, Op* op) const;
  void NameHandles(const Call& c, uint64_t context, Op* op) const;
  // A new descriptor that Op `from` returned; false when the record has none.
  bool NewFd(const CaptureRecord& r, const Call& c, Handle from);
  bool MadeByRaw(const Call& c, uint64_t fd) const;
  void Learn(const CaptureRecord& r, const Call& c);  // facts on devices, out of sysfs lookups
  void AfterIoctl(const Call& c, Handle ordinal);

  ImportBuilder* b_;
  std::unique_ptr<VsmmucliText> text_;
  std::map<uint64_t, uint64_t> contexts_;  // recorder's file id -> that of its iommufd
  std::map<Key, uint64_t> files_;          // (pid, fd) -> recorder's file id
  std::map<Key, std::string> unfinished_;  // (pid, fd of stdio) -> begin of a printed line
  std::map<Handle, uint64_t> memfds_;      // kMemfd -> its backing
  bool smmu_known_ = false;                // its registers were told
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_VREC_H_
