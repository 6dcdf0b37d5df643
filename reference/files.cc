// What is no ioctl: descriptors, mappings, reading events (TRACE 1; iommufd 1, 15.4, 16, 19.4).
#include <algorithm>
#include <cstring>

#include "reference/shell.h"

namespace twinwalk::reference {
namespace {

constexpr uint32_t kPollIn = 0x41;    // IN, RDNORM
constexpr uint32_t kPollAll = 0x145;  // and OUT, WRNORM
constexpr uint32_t kPollNval = 0x20;
constexpr uint64_t kMarkerBytes = 8;

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
  }
  if (op.open.node > static_cast<uint32_t>(Node::kVfioCdev)) return Error(ENOENT);
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
  File file;
  if (!processes_.Close(op.process, op.fd, &file)) return Outcome();
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
    case FileKind::kMemfd:
      break;
  }
  processes_.ForgetUnused(v);
  return Outcome();
}

void Shell::MaybeEndContext(uint64_t context) {
  const bool open = processes_.AnyFile([&](const File& file) {
    return file.context == context;  // the iommufd itself, a bound cdev, a vEVENTQ
  });
  if (open) return;
  CloseContext(MakeEnv(), s_, ObjectsOf(s_), s_.tombstones, context);
  std::erase_if(records_, [&](const auto& entry) { return entry.first >> 32 == context; });
}

// 16: whole records; the first must fit.
Outcome Shell::DoRead(const Op& op) {
  const File& file = *processes_.Find(op.process, op.fd);
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
      case FileKind::kVeventq:
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
  file.backing = processes_.NewBacking();
  Outcome out;
  out.fd = processes_.Open(op.process, file);
  return out;
}

Outcome Shell::DoMemWrite(const Op& op) {
  if (op.blob.size() > 1 << 16) return Error(EINVAL);
  return Error(processes_.Write(op.process, op.memWrite.address, op.blob));
}

}  // namespace twinwalk::reference
