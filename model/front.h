// The front ends: one function per call, which decides the errno in the sheet's order and then has
// the stack do it. Shared here: how an ioctl's struct is framed (docs/TRACE.md 2).
#ifndef TWINWALK_MODEL_FRONT_H_
#define TWINWALK_MODEL_FRONT_H_

#include <cerrno>
#include <string_view>

#include "model/stack.h"

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
      : op_(op), known_(StructSize(op.kind)) {
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
    const size_t skip = TrailingBytes(op_);
    return blob.substr(skip < blob.size() ? skip : blob.size());
  }

 private:
  bool CanRead(uint32_t bytes) const { return op_.readable == 0xffff || op_.readable >= bytes; }
  int Check(uint32_t minimum, Surplus surplus) const {
    if (!CanRead(4)) return EFAULT;
    if (op_.size < minimum) return EINVAL;
    if (op_.size > known_ && surplus == kMustBeZero) {
      const size_t trailing = TrailingBytes(op_);
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
Outcome HwptAlloc(Stack* stack, Context* context, const Op& op);
Outcome ViommuAlloc(Stack* stack, Context* context, const Op& op);
Outcome VdeviceAlloc(Stack* stack, Context* context, const Op& op);
Outcome VeventqAlloc(Stack* stack, Context* context, const Op& op);
Outcome HwptInvalidate(Stack* stack, Context* context, const Op& op);

// VFIO device cdev (front_vfio.cc).
Outcome BindIommufd(Stack* stack, OpenFile* file, const Op& op);
Outcome AttachIommufdPt(Stack* stack, OpenFile* file, const Op& op);
Outcome DetachIommufdPt(Stack* stack, OpenFile* file, const Op& op);

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

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_FRONT_H_
