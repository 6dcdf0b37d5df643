// What is no ioctl: descriptors, mappings, reading events (TRACE 1; iommufd 1, 15.4, 16, 19.4).
#include <algorithm>
#include <cstring>

#include "reference/options.h"
#include "reference/shell.h"

namespace twinwalk::reference {
namespace {

constexpr uint32_t kPollIn = 0x41;    // IN, RDNORM
constexpr uint32_t kPollAll = 0x145;  // and OUT, WRNORM
constexpr uint32_t kPollNval = 0x20;
constexpr uint32_t kPollReadable = 1;
constexpr uint32_t kPollOut = 4;
constexpr uint64_t kMarkerBytes = 8;
constexpr uint64_t kFaultMessageBytes = 40;

Outcome Error(int err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

}  // namespace

Outcome Shell::DoOpen(const Op& op) {
  File file;
  switch (static_cast<Node>(op.open.node)) {
    case Node::kIommu:
      file.kind = FileKind::kIommu;
      file.context = ++last_context_;
      break;
    case Node::kVfioCdev:
      if (op.open.device >= world_.devices.size()) return Error(ENOENT);
      file.kind = FileKind::kCdev;
      file.device = op.open.device;
      break;
    case Node::kVfioContainer:
      file.kind = world_.iommufdContainer ? FileKind::kIommu : FileKind::kContainer;
      file.context = ++last_context_;
      if (world_.iommufdContainer) {  // TRACE 8, open
        UpdateContext<Real>(s_.contexts, file.context,
                            [](ContextRow<Real>& c) { c.perProcess = 1; });
      } else {
        ContainerRow<Real> row;
        row.key = file.context;
        s_.containers.Insert(row);
      }
      break;
    case Node::kVfioGroup:
    case Node::kVfioNoiommuGroup:
      return OpenGroupNode(op);
  }
  if (op.open.node > static_cast<uint32_t>(Node::kVfioNoiommuGroup)) return Error(ENOENT);
  Outcome out;
  out.fd = processes_.Open(op.process, file);
  return out;
}

Outcome Shell::DoDup(const Op& op) {
  Outcome out;
  out.fd = processes_.Dup(op.process, op.fd);
  return out;
}

Outcome Shell::DoClose(const Op& op) {
  return CloseFd(op.process, op.fd);
}

Outcome Shell::CloseFd(size_t process, uint32_t fd) {
  File file;
  if (!processes_.Close(process, fd, &file)) return Outcome();
  View<Real>& v = s_.view;
  switch (file.kind) {
    case FileKind::kIommu:
      MaybeEndContext(file.context);
      break;
    case FileKind::kCdev:
      if (file.context == 0) break;
      CloseDevice(MakeEnv(), v.devices, v.nesteds, SpacesOf(s_), v.vdevices, v.viommus,
                  s_.tombstones, uint64_t{file.device} + 1);
      MaybeEndContext(file.context);
      break;
    case FileKind::kVeventq:
      CloseVeventq<Real>(v.veventqs, file.veventq);
      MaybeEndContext(file.context);
      break;
    case FileKind::kFault:
      CloseFaultQueue<Real>(s_.faults, file.fault);
      MaybeEndContext(file.context);
      break;
    case FileKind::kContainer:
      MaybeEndContainer(file.context);
      break;
    case FileKind::kGroup:
      CloseGroupFile(file);
      break;
    case FileKind::kDevice:
      CloseDeviceFile(file);
      break;
    case FileKind::kEventfd:
    case FileKind::kMemfd:
      break;
  }
  processes_.ForgetUnused(v);
  return Outcome();
}

void Shell::MaybeEndContext(uint64_t context) {
  const bool open = processes_.AnyFile([&](const File& file) {
    return file.context == context;  // the iommufd itself, a bound device, a vEVENTQ
  });
  const bool held = std::any_of(
      open_groups_.begin(), open_groups_.end(),
      [&](const OpenGroup& group) { return group.compat && group.container == context; });
  if (open || held) return;
  CloseContext(MakeEnv(), s_, ObjectsOf(s_), s_.tombstones, context);
  std::erase_if(records_, [&](const auto& entry) { return entry.first >> 32 == context; });
}

// 16: whole records; the first must fit.
Outcome Shell::DoRead(const Op& op) {
  File& file = *processes_.Find(op.process, op.fd);
  const bool device =
      file.kind == FileKind::kDevice || (file.kind == FileKind::kCdev && file.context != 0);
  if (device && op.read.positional != 0)
    return DoRegionAccess(file, op.read.offset, op.read.count, op.read.bufWritable);
  if (file.kind == FileKind::kEventfd) return DoEventfdRead(op, &file);
  if (file.kind == FileKind::kFault) {  // 14.3: never anything there
    const bool whole = op.read.count % kFaultMessageBytes == 0;
    return Error(whole && (op.read.positional == 0 || op.read.offset == 0) ? 0 : ESPIPE);
  }
  if (file.kind != FileKind::kVeventq) return Error(EINVAL);
  if (op.read.positional != 0 && op.read.offset != 0) return Error(ESPIPE);
  if (op.read.count < kMarkerBytes) return Error(EINVAL);
  std::deque<std::string>& waiting = records_[file.veventq];
  Outcome out;
  uint64_t events = 0, markers = 0;
  while (!waiting.empty()) {
    const std::string& record = waiting.front();
    const bool first = out.out.empty();
    if (record.size() > op.read.count - out.out.size()) {
      if (first) return Error(EINVAL);
      break;
    }
    if (out.out.size() + record.size() > op.read.bufWritable) {
      if (first) return Error(EFAULT);
      break;
    }
    ++(record.size() == kMarkerBytes ? markers : events);
    out.out += record;
    waiting.pop_front();
  }
  TakeRecords<Real>(s_.view.veventqs, file.veventq, events, markers);
  out.ret = static_cast<int64_t>(out.out.size());
  return out;
}

Outcome Shell::DoPoll(const Op& op) {
  Outcome out;
  const File* file = processes_.Find(op.process, op.fd);
  if (file == nullptr) {
    out.ret = kPollNval;
  } else if (file->kind == FileKind::kVeventq) {
    out.ret = records_[file->veventq].empty() ? 0 : op.poll.events & kPollIn;
  } else if (file->kind == FileKind::kFault) {  // 14.5
    out.ret = op.poll.events & kPollOut;
  } else if (file->kind == FileKind::kEventfd) {
    const uint32_t full = file->counter == ~uint64_t{0} - 1 ? 0 : kPollOut;
    out.ret = op.poll.events & (full | (file->counter != 0 ? kPollReadable : 0));
  } else {
    out.ret = op.poll.events & kPollAll;
  }
  return out;
}

Outcome Shell::DoMmap(const Op& op) {
  const MmapArgs& in = op.mmap;
  const File* file = nullptr;
  if (op.fd != kDanglingHandle) {
    file = processes_.Find(op.process, op.fd);
    if (file == nullptr) return Error(EBADF);
    switch (file->kind) {
      case FileKind::kIommu:  // 15.4: no driver announces a region here
        if (in.length % 4096 != 0 || in.shared != 1) return Error(EINVAL);
        if ((in.prot & kProtExec) != 0) return Error(EPERM);
        return Error(ENXIO);
      case FileKind::kCdev:
        if (file->context == 0) return Error(ENODEV);
        return DoRegionMmap(op, *file);
      case FileKind::kDevice:
        return DoRegionMmap(op, *file);
      case FileKind::kVeventq:
      case FileKind::kFault:
      case FileKind::kContainer:
      case FileKind::kGroup:
      case FileKind::kEventfd:
        return Error(ENODEV);
      case FileKind::kMemfd:
        break;
    }
  }
  if (const int err = processes_.MapMemory(op.process, in, file)) return Error(err);
  Outcome out;
  out.ret = static_cast<int64_t>(in.base);
  return out;
}

Outcome Shell::DoMunmap(const Op& op) {
  const int err = processes_.Unmap(op.process, op.munmap.address, op.munmap.length);
  processes_.ForgetUnused(s_.view);
  return Error(err);
}

Outcome Shell::DoMemfd(const Op& op) {
  const uint64_t length = op.memfd.length;
  if (length == 0 || length > uint64_t{1} << 40) return Error(EINVAL);
  File file;
  file.kind = FileKind::kMemfd;
  file.length = (length + 4095) & ~uint64_t{4095};
  file.backing = processes_.NewMemoryFile(file.length);
  Outcome out;
  out.fd = processes_.Open(op.process, file);
  return out;
}

Outcome Shell::DoMemWrite(const Op& op) {
  if (op.blob.size() > 1 << 16) return Error(EINVAL);
  return Error(processes_.Write(op.process, op.memWrite.address, op.blob));
}

}  // namespace twinwalk::reference
