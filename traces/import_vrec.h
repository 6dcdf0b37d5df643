// Captures in the format vrec-1 (JSON Lines of system calls): calls in scope become typed Ops with
// what the kernel answered, other calls on files that matter become raw Ops, the rest is counted.
//
// Ops that nobody called, counted as derived: the end of what a call replaces (MAP_FIXED, dup2);
// the interrupts of a device, which reach an eventfd from outside of the trace (a write of what was
// read there beyond what the client had written); a file that stands for one which the trace does
// not follow (stdout as an argument; a dma-buf, as memory of its length).
//
// Known limits: contents of memory are not recorded (import_vsmmucli.h and import_educli.h read two
// clients that print them); a kernel log line that is missing means nothing; status flags of files
// (F_SETFL) are not followed.
#ifndef TWINWALK_TRACES_IMPORT_VREC_H_
#define TWINWALK_TRACES_IMPORT_VREC_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "traces/capture_lines.h"
#include "traces/codec.h"
#include "traces/import_builder.h"
#include "traces/import_educli.h"
#include "traces/import_recorded.h"
#include "traces/import_vsmmucli.h"

namespace twinwalk {

class VrecImporter {
 public:
  // `pages`: of VsmmucliPages, when the client is that one. `header`: the first line.
  VrecImporter(ImportBuilder* builder, const CaptureRecord& header,
               std::optional<std::set<uint64_t>> pages);

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

  // Calls on files: import_vrec.cc.
  std::string Open(const CaptureRecord& r, const Call& c);
  std::string Close(const CaptureRecord& r, const Call& c);
  std::string Dup(const CaptureRecord& r, const Call& c);
  std::string Fork(const CaptureRecord& r, const Call& c);
  std::string Exit(const CaptureRecord& r, const Call& c);
  std::string KernelLog(const CaptureRecord& r);
  // import_vrec_ioctl.cc
  std::string Ioctl(const CaptureRecord& r, const Call& c);
  // import_vrec_data.cc
  std::string Eventfd(const CaptureRecord& r, const Call& c);
  std::string Read(const CaptureRecord& r, const Call& c);
  std::string Write(const CaptureRecord& r, const Call& c);
  std::string Poll(const CaptureRecord& r, const Call& c);
  std::string Print(const CaptureRecord& r, const Call& c);
  // import_vrec_memory.cc
  std::string Mmap(const CaptureRecord& r, const Call& c);
  std::string Munmap(const CaptureRecord& r, const Call& c);
  std::string Memfd(const CaptureRecord& r, const Call& c);

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
  // An fd in an argument: also a file that the trace does not follow.
  std::optional<Handle> ArgumentFd(const Call& c, uint64_t fd, OpKind kind);
  void NameHandles(const Call& c, uint64_t context, Op* op);
  void NameFdWords(const Call& c, Op* op);
  // A new descriptor that Op `from` returned; false when the record has none.
  bool NewFd(const CaptureRecord& r, const Call& c, Handle from);
  bool MadeByRaw(const Call& c, uint64_t fd) const;
  bool ReadBytes(const CaptureRecord& r, RawIoctl* raw, RecordedIoctl* call) const;
  void Learn(const CaptureRecord& r, const Call& c);  // facts on devices, out of sysfs lookups
  void AfterIoctl(const CaptureRecord& r, const Call& c, Handle ordinal);
  void Mapped(const Call& c, uint64_t iova, uint64_t length, std::optional<MapPlace> place);
  void DmaBuf(const Call& c, uint64_t fd, Handle feature);
  std::optional<uint32_t> DeviceOf(const Call& c) const;

  // The counter of an eventfd, as the calls tell it.
  struct Counter {
    uint64_t value = 0;
    bool semaphore = false;
  };
  // Interrupts: adds `n` to an eventfd.
  void Interrupt(const Call& c, uint64_t n);

  ImportBuilder* b_;
  std::unique_ptr<VsmmucliText> text_;
  std::unique_ptr<EducliText> edu_;
  std::map<uint64_t, uint64_t> contexts_;  // recorder's file id -> that of its iommufd
  std::map<Key, uint64_t> files_;          // (pid, fd) -> recorder's file id
  std::map<Key, std::string> unfinished_;  // (pid, fd of stdio) -> begin of a printed line
  std::map<Handle, uint64_t> memfds_;      // kMemfd -> its backing
  std::map<uint64_t, uint32_t> devices_;   // recorder's file id -> index into World::devices
  std::map<uint64_t, Counter> eventfds_;   // by the recorder's file id
  std::map<Key, uint64_t> regions_;        // (device, region) -> its backing
  std::map<std::pair<Key, OpKind>, Handle> standins_;  // (pid, fd) and kind -> made for it
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_VREC_H_
