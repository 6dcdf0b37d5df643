// Interrupts and ioeventfds of a VFIO device, as far as callers can tell: which are set up, and
// what is refused (type1 sheet 6). None is ever raised.
#include <bit>

#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

enum IrqFlags : uint32_t {
  kDataNone = 1,
  kDataBool = 2,
  kDataEventfd = 4,
  kDataKinds = 7,
  kMask = 8,
  kUnmask = 16,
  kTrigger = 32,
  kActions = 56
};

// 0 or an errno; -1 stands for none.
int CheckEventfd(Stack* stack, const Op& op, int32_t fd) {
  if (fd < 0) return 0;
  const OpenFile* file = stack->process(op.process).File(static_cast<uint32_t>(fd));
  if (file == nullptr) return IsStandardStream(static_cast<uint32_t>(fd)) ? EINVAL : EBADF;
  return file->kind == FileKind::kEventfd ? 0 : EINVAL;
}

// One SET_IRQS whose struct was found good.
struct Request {
  const VfioDeviceSetIrqsArgs& args;
  std::string_view payload;
  bool none() const { return (args.flags & kDataNone) != 0; }
  bool eventfds() const { return (args.flags & kDataEventfd) != 0; }
  int32_t Fd(uint32_t i) const {
    int32_t fd = -1;
    if (payload.size() >= (i + size_t{1}) * 4) std::memcpy(&fd, payload.data() + i * size_t{4}, 4);
    return fd;
  }
};

// What the struct alone tells: 0 or an errno.
int CheckRequest(const VfioConfig& vfio, const Op& op) {
  const VfioDeviceSetIrqsArgs& a = op.vfioDeviceSetIrqs;
  if (const int error = CheckVfioStruct(op)) return error;
  if (a.index >= vfio.irqs.size() || a.count >= 0xffffffff - a.start) return EINVAL;
  if ((a.flags & ~uint32_t{kDataKinds | kActions}) != 0) return EINVAL;
  const uint64_t vectors = a.index == kIrqErr && !vfio.pcie ? 0 : vfio.irqs[a.index];
  if (a.start >= vectors || uint64_t{a.start} + a.count > vectors) return EINVAL;
  if (!std::has_single_bit(a.flags & kDataKinds)) return EINVAL;
  const uint64_t each = (a.flags & kDataNone) != 0 ? 0 : (a.flags & kDataBool) != 0 ? 1 : 4;
  if (op.size - 20 < each * a.count) return EINVAL;
  // Of a payload only what blob holds can be read.
  return CanRead(op, 20 + each * a.count) && op.blob.size() >= each * a.count ? 0 : EFAULT;
}

int SetIntx(Stack* stack, DeviceState* state, const Op& op, const Request& request) {
  const VfioDeviceSetIrqsArgs& a = request.args;
  const bool on = state->irqMode == kIrqIntx;
  const uint32_t action = a.flags & kActions;
  if (action == kTrigger && on && a.count == 0 && request.none()) {
    state->irqMode = kNoIrq;
    return 0;
  }
  const bool free = action == kTrigger && state->irqMode == kNoIrq;
  if (!(on || free) || a.start != 0 || a.count != 1) return EINVAL;
  if (action == kMask) return request.eventfds() ? ENOTTY : 0;
  if (request.eventfds()) {
    if (const int error = CheckEventfd(stack, op, request.Fd(0))) return error;
    if (action == kTrigger) state->irqMode = kIrqIntx;
    return 0;
  }
  return on ? 0 : EINVAL;  // a loopback test of what was never set up
}

int SetMessages(Stack* stack, DeviceState* state, const Op& op, const Request& request) {
  const VfioDeviceSetIrqsArgs& a = request.args;
  const bool on = state->irqMode == a.index;
  if (on && a.count == 0 && request.none()) {
    state->irqMode = kNoIrq;
    return 0;
  }
  if (!on && state->irqMode != kNoIrq) return EINVAL;
  if (!request.eventfds()) return on ? 0 : EINVAL;
  if (!on && a.start + a.count == 0) return EINVAL;  // no vector to set up
  const uint32_t vectors = on ? state->irqVectors : a.start + a.count;
  for (uint32_t i = 0; i < a.count; ++i) {
    const int32_t fd = request.Fd(i);
    if (fd < 0) continue;
    if (const int error = CheckEventfd(stack, op, fd)) return error;
    if (a.index == kIrqMsi && a.start + i >= vectors) return EINVAL;
  }
  state->irqMode = a.index;
  state->irqVectors = vectors;
  return 0;
}

int SetSingle(Stack* stack, bool* bound, const Op& op, const Request& request) {
  const VfioDeviceSetIrqsArgs& a = request.args;
  if (a.start != 0 || a.count > 1) return EINVAL;
  if (request.none()) {
    if (!*bound) return EINVAL;
    if (a.count == 0) *bound = false;
    return 0;
  }
  if (a.count == 0) return EINVAL;
  if (!request.eventfds()) return 0;
  const int32_t fd = request.Fd(0);
  if (const int error = CheckEventfd(stack, op, fd)) return error;
  if (fd >= 0) *bound = true;
  if (fd == -1) *bound = false;
  return 0;
}

}  // namespace

Outcome DeviceSetIrqs(Stack* stack, OpenFile* file, const Op& op) {
  Device& device = stack->device(file->device);
  const VfioDeviceSetIrqsArgs& a = op.vfioDeviceSetIrqs;
  if (const int error = CheckRequest(device.config.vfio, op)) return Fail(error);
  const Request request{a, op.blob};
  const uint32_t action = a.flags & kActions;
  if (!std::has_single_bit(action)) return Fail(ENOTTY);
  if (a.index == kIrqIntx) return Fail(SetIntx(stack, &device.vfio, op, request));
  if (action != kTrigger) return Fail(ENOTTY);
  switch (a.index) {
    case kIrqMsi:
    case kIrqMsix:
      return Fail(SetMessages(stack, &device.vfio, op, request));
    case kIrqErr:
      return Fail(SetSingle(stack, &device.vfio.errorBound, op, request));
    case kIrqReq:
      return Fail(SetSingle(stack, &device.vfio.requestBound, op, request));
    default:
      return Fail(ENOTTY);
  }
}

Outcome DeviceIoeventfd(Stack* stack, OpenFile* file, const Op& op) {
  constexpr uint32_t kLastBar = 5;
  constexpr size_t kMost = 1000;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioDeviceIoeventfdArgs& a = op.vfioDeviceIoeventfd;
  const int32_t fd = static_cast<int32_t>(a.eventfd);
  if ((a.flags & ~15u) != 0 || !std::has_single_bit(a.flags) || fd < -1) return Fail(EINVAL);
  Device& device = stack->device(file->device);
  const std::vector<RegionConfig>& regions = device.config.vfio.regions;
  const uint64_t bar = a.offset >> 40, at = a.offset & ((uint64_t{1} << 40) - 1);
  if (bar > kLastBar || bar >= regions.size() || at + a.flags > regions[bar].size)
    return Fail(EINVAL);
  std::vector<Ioeventfd>& known = device.vfio.ioeventfds;
  const Ioeventfd wanted{a.offset, a.data, a.flags};
  const auto found = std::find(known.begin(), known.end(), wanted);
  if (found != known.end()) {
    if (fd >= 0) return Fail(EEXIST);
    known.erase(found);
    return Outcome();
  }
  if (fd < 0) return Fail(ENODEV);
  if (known.size() >= kMost) return Fail(ENOSPC);
  if (const int error = CheckEventfd(stack, op, fd)) return Fail(error);
  known.push_back(wanted);
  return Outcome();
}

}  // namespace twinwalk::model
