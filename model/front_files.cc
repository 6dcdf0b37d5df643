// Files and process memory (docs/TRACE.md 1; iommufd sheet 15.4, 16).
#include <algorithm>
#include <cstring>

#include "model/front.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kAddressEnd = uint64_t{1} << 48;
constexpr uint64_t kMostMemfd = uint64_t{1} << 40;
constexpr uint64_t kMostWrite = 1 << 16;
constexpr uint32_t kPollIn = 0x41;  // IN, RDNORM
constexpr uint32_t kPollOut = 4;
constexpr uint32_t kPollAlways = 0x145;  // and OUT, WRNORM
constexpr uint32_t kPollNval = 0x20;

uint64_t RoundUp(uint64_t length) {
  return (length + kPageSize - 1) & ~(kPageSize - 1);
}

// Appends records as long as they fit into `count` bytes and the buffer takes them (sheet 16).
Outcome ReadQueue(Veventq* queue, uint64_t count, uint64_t writable) {
  Outcome out;
  int error = 0;
  const auto put = [&](uint32_t flags, uint32_t sequence, const void* payload, size_t size) {
    const uint64_t used = out.out.size();
    if (8 + size > count - used) return error = EINVAL, false;
    if (used + 8 + size > writable) return error = EFAULT, false;
    const uint32_t header[2] = {flags, sequence};
    out.out.append(reinterpret_cast<const char*>(header), 8);
    out.out.append(static_cast<const char*>(payload), size);
    return true;
  };
  while (!queue->records.empty()) {
    const Veventq::Record& record = queue->records.front();
    if (!put(0, record.sequence, record.words.data(), sizeof record.words)) break;
    queue->records.pop_front();
  }
  if (queue->records.empty() && queue->lost && error == 0 && put(1, queue->lostSequence, "", 0))
    queue->lost = false;
  if (out.out.empty() && error != 0) return Fail(error);
  out.ret = static_cast<int64_t>(out.out.size());
  return out;
}

}  // namespace

Outcome OpenNode(Stack* stack, const Op& op) {
  OpenFile* file = nullptr;
  if (op.open.node == static_cast<uint32_t>(Node::kIommu)) {
    file = stack->OpenContext();
  } else {
    if (op.open.node != static_cast<uint32_t>(Node::kVfioCdev)) return OpenVfioNode(stack, op);
    if (op.open.device >= stack->devices().size() || !HasIommu(stack->world(), op.open.device))
      return Fail(ENOENT);
    file = stack->NewFile(FileKind::kCdev);
    file->device = op.open.device;
  }
  Outcome out;
  out.fd = stack->process(op.process).Install(file);
  return out;
}

Outcome CloseFd(Stack* stack, const Op& op) {
  Process& process = stack->process(op.process);
  OpenFile* file = process.File(op.fd);
  if (file == nullptr) return Fail(EBADF);
  process.Remove(op.fd);
  stack->CloseFile(file);
  return Outcome();
}

Outcome DupFd(Stack* stack, const Op& op) {
  Process& process = stack->process(op.process);
  OpenFile* file = process.File(op.fd);
  if (file == nullptr) return Fail(EBADF);
  ++file->refs;
  Outcome out;
  out.fd = process.Install(file);
  return out;
}

Outcome ReadFd(Stack* stack, const Op& op) {
  OpenFile* file = stack->process(op.process).File(op.fd);
  if (file == nullptr) return Fail(EBADF);
  if (file->kind == FileKind::kEventfd) return ReadEventfd(file, op);
  if (IsDevice(*file) && op.read.positional != 0)
    return AccessRegion(stack, file, op.read.offset, op.read.count, op.read.bufWritable);
  if (file->kind == FileKind::kFault) return ReadFault(op);
  if (file->kind != FileKind::kVeventq) return Fail(EINVAL);
  if (op.read.positional != 0 && op.read.offset != 0) return Fail(ESPIPE);
  if (op.read.count < 8) return Fail(EINVAL);
  return ReadQueue(file->queue, op.read.count, op.read.bufWritable);
}

Outcome PollFd(Stack* stack, const Op& op) {
  const OpenFile* file = stack->process(op.process).File(op.fd);
  Outcome out;
  if (file == nullptr) {
    out.ret = kPollNval;
  } else if (file->kind == FileKind::kVeventq) {
    const bool waiting = !file->queue->records.empty() || file->queue->lost;
    out.ret = waiting ? op.poll.events & kPollIn : 0;
  } else if (file->kind == FileKind::kFault) {
    out.ret = op.poll.events & kPollOut;
  } else if (file->kind == FileKind::kEventfd) {
    const uint32_t full = file->counter >= ~uint64_t{0} - 1 ? 0 : 4;
    out.ret = op.poll.events & ((file->counter != 0 ? 1 : 0) | full);
  } else {
    out.ret = op.poll.events & kPollAlways;
  }
  return out;
}

Outcome MapMemory(Stack* stack, const Op& op) {
  const MmapArgs& a = op.mmap;
  Process& process = stack->process(op.process);
  OpenFile* file = nullptr;
  if (op.fd != kDanglingHandle) {
    file = process.File(op.fd);
    if (file == nullptr) return Fail(EBADF);
    if (file->kind == FileKind::kIommufd) {  // sheet 15.4; no region is announced
      if (a.length % kPageSize != 0 || a.shared != 1) return Fail(EINVAL);
      return Fail((a.prot & kProtExec) != 0 ? EPERM : ENXIO);
    }
    if (file->kind != FileKind::kMemfd && !IsDevice(*file)) return Fail(ENODEV);
  }
  if (a.length == 0 || a.base % kPageSize != 0 || a.offset % kPageSize != 0) return Fail(EINVAL);
  if (a.length > kAddressEnd || a.base > kAddressEnd - RoundUp(a.length)) return Fail(ENOMEM);
  const uint64_t length = RoundUp(a.length);
  if (process.Overlaps(a.base, a.base + (length - 1))) return Fail(EEXIST);
  Vma vma;
  vma.last = a.base + (length - 1);
  vma.prot = a.prot;
  if (file == nullptr) {
    vma.backing = stack->backings().Make(length);
    vma.shared = a.shared == 1;
  } else if (a.shared != 1) {
    return Fail(EINVAL);
  } else if (IsDevice(*file)) {
    vma.backing = RegionMemory(stack, file, a.offset, length);
    if (vma.backing == nullptr) return Fail(EINVAL);
    vma.offset = a.offset & ((uint64_t{1} << 40) - 1);
  } else {
    vma.backing = file->backing;
    vma.offset = a.offset;
    const uint64_t size = file->backing->length();
    if (length > size || a.offset > size - length) return Fail(EINVAL);
  }
  ++vma.backing->users;
  process.Map(a.base, vma);
  Outcome out;
  out.ret = static_cast<int64_t>(a.base);
  return out;
}

Outcome UnmapMemory(Stack* stack, const Op& op) {
  const MunmapArgs& a = op.munmap;
  if (a.address % kPageSize != 0 || a.length == 0) return Fail(EINVAL);
  const uint64_t end = a.address + RoundUp(std::min(a.length, kAddressEnd));
  const uint64_t last = end < a.address ? ~uint64_t{0} : end - 1;
  stack->process(op.process).Unmap(a.address, last, &stack->backings());
  return Outcome();
}

Outcome MakeMemfd(Stack* stack, const Op& op) {
  if (op.memfd.length == 0 || op.memfd.length > kMostMemfd) return Fail(EINVAL);
  OpenFile* file = stack->NewFile(FileKind::kMemfd);
  file->backing = stack->backings().Make(RoundUp(op.memfd.length));
  ++file->backing->users;
  Outcome out;
  out.fd = stack->process(op.process).Install(file);
  return out;
}

Outcome WriteMemory(Stack* stack, const Op& op) {
  const uint64_t length = op.blob.size();
  if (length > kMostWrite) return Fail(EINVAL);
  if (length == 0) return Outcome();
  const uint64_t first = op.memWrite.address, last = first + (length - 1);
  if (last < first) return Fail(EFAULT);
  const Process& process = stack->process(op.process);
  for (uint64_t at = first;;) {
    const auto it = process.Find(at);
    if (it == process.vmas().end() || (it->second.prot & kProtWrite) == 0) return Fail(EFAULT);
    if (it->second.last >= last) break;
    at = it->second.last + 1;
  }
  HostMemory& memory = stack->memory();
  for (uint64_t at = first; at <= last;) {
    const auto it = process.Find(at);
    const uint64_t offset = it->second.offset + (at - it->first);
    const uint64_t n = std::min(last - at + 1, kPageSize - at % kPageSize);
    const uint64_t frame = it->second.backing->Touch(&memory, offset / kPageSize, false);
    memory.Write(frame * kPageSize + offset % kPageSize, op.blob.data() + (at - first), n);
    at += n;
  }
  return Outcome();
}

}  // namespace twinwalk::model
