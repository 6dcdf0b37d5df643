// The front ends: one function per call, which decides the errno in the sheet's order and then has
// the stack do it. Shared here: how an ioctl's struct is framed (docs/TRACE.md 2).
#ifndef TWINWALK_MODEL_FRONT_H_
#define TWINWALK_MODEL_FRONT_H_

#include <cerrno>
#include <string_view>

#include "model/stack.h"
#include "model/struct_sizes.h"

namespace twinwalk::model {

inline Outcome Fail(int error) {
  Outcome out;
  out.err = static_cast<uint16_t>(error);
  return out;
}

// The struct of one ioctl, as far as it can be read and written.
class Frame {
 public:
  enum Surplus { kMustBeZero, kIgnored };
  Frame(const Op& op, uint32_t minimum, Surplus surplus = kMustBeZero)
      : op_(op), known_(SizesOf(op.kind).known) {
    error_ = Check(minimum, surplus);
  }
  int error() const { return error_; }
  // A field of `width` bytes at `offset`: bytes beyond the user's struct read as zero.
  uint64_t Field(uint32_t offset, uint32_t width, uint64_t value) const {
    const uint32_t there = op_.size > offset ? op_.size - offset : 0;
    return there >= width ? value : value & ((uint64_t{1} << there * 8) - 1);
  }
  // Whether a result can be written back.
  bool CanRespond() const { return CanWrite(op_.size < known_ ? op_.size : known_); }
  bool CanWrite(uint32_t bytes) const { return op_.writable == 0xffff || op_.writable >= bytes; }
  // The readable bytes of the buffer that the struct points to.
  std::string_view Buffer() const {
    const std::string_view blob = op_.blob;
    const size_t skip = BytesBehind(op_);
    return blob.substr(skip < blob.size() ? skip : blob.size());
  }

 private:
  bool CanRead(uint32_t bytes) const { return op_.readable == 0xffff || op_.readable >= bytes; }
  int Check(uint32_t minimum, Surplus surplus) const {
    if (!CanRead(4)) return EFAULT;
    if (op_.size < minimum) return EINVAL;
    if (op_.size > known_ && surplus == kMustBeZero) {
      const size_t trailing = BytesBehind(op_);
      for (size_t i = 0; i < trailing && i < op_.blob.size(); ++i)
        if (op_.blob[i] != 0) return E2BIG;
      if (!CanRead(op_.size)) return EFAULT;
    }
    return CanRead(op_.size < known_ ? op_.size : known_) ? 0 : EFAULT;
  }

  const Op& op_;
  uint32_t known_;
  int error_;
};

// iommufd ioctls (front_iommufd.cc, front_nesting.cc). REQUIRES: op.kind is the one named.
Outcome IoasAlloc(Stack* stack, Context* context, const Op& op);
Outcome IoasMap(Stack* stack, Context* context, const Op& op);
Outcome IoasUnmap(Stack* stack, Context* context, const Op& op);
Outcome IoasIovaRanges(Stack* stack, Context* context, const Op& op);
Outcome GetHwInfo(Stack* stack, Context* context, const Op& op);
Outcome Destroy(Stack* stack, Context* context, const Op& op);
// The rest of them (front_spaces.cc).
Outcome IoasAllowIovas(Stack* stack, Context* context, const Op& op);
Outcome IoasCopy(Stack* stack, Context* context, const Op& op);
Outcome IoasMapFile(Stack* stack, Context* context, const Op& op);
Outcome IommuOption(Stack* stack, Context* context, const Op& op);
Outcome VfioIoas(Stack* stack, Context* context, const Op& op);
Outcome HwptSetDirty(Stack* stack, Context* context, const Op& op);
Outcome HwptGetDirty(Stack* stack, Context* context, const Op& op);
Outcome FaultQueueAlloc(Stack* stack, Context* context, const Op& op);
Outcome IoasChangeProcess(Stack* stack, Context* context, const Op& op);
Outcome ReadFault(const Op& op);    // of a fault queue's file (sheet 14.3)
Outcome WriteFault(const Op& op);   // sheet 14.4
int DisableLargePages(Ioas* ioas);  // 0, EINVAL or EADDRINUSE (sheet 7.1)
Outcome HwptAlloc(Stack* stack, Context* context, const Op& op);
Outcome ViommuAlloc(Stack* stack, Context* context, const Op& op);
Outcome VdeviceAlloc(Stack* stack, Context* context, const Op& op);
Outcome VeventqAlloc(Stack* stack, Context* context, const Op& op);
Outcome HwptInvalidate(Stack* stack, Context* context, const Op& op);

// VFIO device cdev (front_vfio.cc).
Outcome BindIommufd(Stack* stack, OpenFile* file, const Op& op);
Outcome AttachIommufdPt(Stack* stack, OpenFile* file, const Op& op);
Outcome DetachIommufdPt(Stack* stack, OpenFile* file, const Op& op);
// Whether `context` may have a device: 0 or EPERM (sheet 10.1). BindDevice gives it.
int CheckBind(Stack* stack, uint32_t index, const Context* context);
void BindDevice(Stack* stack, uint32_t index, Context* context);
// Attaches a bound device, or moves it with its group: to an IOAS, HWPT or nested HWPT; *target
// becomes what is used. 0 or an errno. `may_fail`: an allocation may (docs/TRACE.md 1).
int AttachDevice(Stack* stack, uint32_t index, bool may_fail, Object** target);

// Files and memory (front_files.cc).
Outcome OpenNode(Stack* stack, const Op& op);
Outcome CloseFd(Stack* stack, const Op& op);
Outcome DupFd(Stack* stack, const Op& op);
Outcome ReadFd(Stack* stack, const Op& op);
Outcome PollFd(Stack* stack, const Op& op);
Outcome MapMemory(Stack* stack, const Op& op);
Outcome UnmapMemory(Stack* stack, const Op& op);
Outcome MakeMemfd(Stack* stack, const Op& op);
Outcome WriteMemory(Stack* stack, const Op& op);

// Standard input, output and error are open in every process, and nothing that we model.
inline bool IsStandardStream(uint32_t fd) {
  return fd < Process::kFirstFd;
}

// A VFIO device that can be used: got from its group, or a cdev that is bound.
inline bool IsDevice(const OpenFile& file) {
  return file.kind == FileKind::kDevice ||
         (file.kind == FileKind::kCdev && file.context != nullptr);
}

// Processes, eventfds and writes (process_ops.cc).
Outcome MakeEventfd(Stack* stack, const Op& op);
Outcome ReadEventfd(OpenFile* file, const Op& op);
Outcome WriteFd(Stack* stack, const Op& op);
Outcome Fork(Stack* stack, const Op& op);
Outcome Exec(Stack* stack, const Op& op);
Outcome Exit(Stack* stack, const Op& op);
Outcome PassFd(Stack* stack, const Op& op);
Outcome SetMemlock(Stack* stack, const Op& op);

// Native containers: front_container.cc and, what a type1 backend answers, front_type1.cc.
Outcome OpenVfioNode(Stack* stack, const Op& op);  // container, group, group without IOMMU
Outcome ContainerCommand(Stack* stack, Context* context, const Op& op);
Outcome Type1GetInfo(Stack* stack, Context* context, const Op& op);
Outcome Type1Map(Stack* stack, Context* context, const Op& op);
Outcome Type1Unmap(Stack* stack, Context* context, const Op& op);
Outcome Type1DirtyPages(Stack* stack, Context* context, const Op& op);

// Groups (front_group.cc). REQUIRES: `file` is a group.
Outcome GroupCommand(Stack* stack, OpenFile* file, const Op& op);

// VFIO devices, of a group or bound to an iommufd (front_device.cc, front_irqs.cc, front_reset.cc).
Outcome DeviceCommand(Stack* stack, OpenFile* file, const Op& op);
Outcome DeviceSetIrqs(Stack* stack, OpenFile* file, const Op& op);
Outcome DeviceIoeventfd(Stack* stack, OpenFile* file, const Op& op);
Outcome PciHotResetInfo(Stack* stack, OpenFile* file, const Op& op);
Outcome PciHotReset(Stack* stack, OpenFile* file, const Op& op);
// pread, pwrite: `count` bytes, of which `available` are in the caller's buffer.
Outcome AccessRegion(Stack* stack, OpenFile* file, uint64_t offset, uint64_t count,
                     uint64_t available);
// What mmap of `length` bytes (whole pages) at `offset` shows; null: EINVAL.
Backing* RegionMemory(Stack* stack, OpenFile* file, uint64_t offset, uint64_t length);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_FRONT_H_
