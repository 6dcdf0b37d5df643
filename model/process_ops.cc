// Processes and their plain files: eventfds, writes, fork, exec, exit, fds passed on (docs/TRACE.md
// 1, 8).
#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "model/front.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};

Outcome Returned(int64_t ret) {
  Outcome out;
  out.ret = ret;
  return out;
}

void CloseFds(Stack* stack, Process* process, bool only_by_ioctl) {
  for (uint32_t fd : process->Fds(only_by_ioctl)) {
    OpenFile* file = process->File(fd);
    process->Remove(fd);
    stack->CloseFile(file);
  }
}

// The child sees the parent's mappings; private memory is copied, once however it was cut up.
void CopyMappings(Stack* stack, const Process& parent, Process* child) {
  absl::flat_hash_map<Backing*, Backing*> copies;
  for (const auto& [base, vma] : parent.vmas()) {
    Vma copy = vma;
    if (!vma.shared) {
      Backing*& fresh = copies[vma.backing];
      if (fresh == nullptr) {
        fresh = stack->backings().Make(vma.backing->length());
        vma.backing->CopyTo(&stack->memory(), fresh);
      }
      copy.backing = fresh;
    }
    ++copy.backing->users;
    child->Map(base, copy);
  }
}

}  // namespace

Outcome MakeEventfd(Stack* stack, const Op& op) {
  constexpr uint32_t kSemaphore = 1, kNonblock = 0x800, kCloexec = 0x80000;
  if ((op.eventfd.flags & ~(kSemaphore | kNonblock | kCloexec)) != 0) return Fail(EINVAL);
  OpenFile* file = stack->NewFile(FileKind::kEventfd);
  file->counter = op.eventfd.initval;
  file->semaphore = (op.eventfd.flags & kSemaphore) != 0;
  Outcome out;
  out.fd = stack->process(op.process).Install(file);
  return out;
}

Outcome ReadEventfd(OpenFile* file, const Op& op) {
  if (op.read.count < 8) return Fail(EINVAL);  // it has no position: pread is read
  if (file->counter == 0) return Fail(EAGAIN);
  const uint64_t value = file->semaphore ? 1 : file->counter;
  file->counter -= value;
  if (op.read.bufWritable < 8) return Fail(EFAULT);
  Outcome out = Returned(8);
  out.out.assign(reinterpret_cast<const char*>(&value), 8);
  return out;
}

Outcome WriteFd(Stack* stack, const Op& op) {
  OpenFile* file = stack->process(op.process).File(op.fd);
  if (file == nullptr) return Fail(EBADF);
  if (IsDevice(*file) && op.write.positional != 0)
    return AccessRegion(stack, file, op.write.offset, op.blob.size(), op.blob.size());
  if (file->kind == FileKind::kFault) return WriteFault(op);
  if (file->kind != FileKind::kEventfd) return Fail(EINVAL);
  if (op.blob.size() != 8) return Fail(EINVAL);
  uint64_t value = 0;
  std::memcpy(&value, op.blob.data(), 8);
  if (value == kTop) return Fail(EINVAL);
  if (value > kTop - 1 - file->counter) return Fail(EAGAIN);  // it would wait for a reader
  file->counter += value;
  return Returned(8);
}

Outcome Fork(Stack* stack, const Op& op) {
  const uint32_t index = op.fork.child;
  if (index >= stack->world().processes.size()) return Fail(EINVAL);
  const Process& parent = stack->process(op.process);
  Process& child = stack->process(index);
  if (child.alive || child.ended) return Fail(EAGAIN);
  child.alive = true;
  stack->SetLimit(index, stack->world().processes[index].memlockPages);
  child.CopyFds(parent);
  CopyMappings(stack, parent, &child);
  return Outcome();
}

Outcome Exec(Stack* stack, const Op& op) {
  Process& process = stack->process(op.process);
  process.Unmap(0, kTop, &stack->backings());
  CloseFds(stack, &process, true);
  return Outcome();
}

Outcome Exit(Stack* stack, const Op& op) {
  Process& process = stack->process(op.process);
  CloseFds(stack, &process, false);
  process.Unmap(0, kTop, &stack->backings());
  process.alive = false, process.ended = true;
  return Outcome();
}

Outcome PassFd(Stack* stack, const Op& op) {
  OpenFile* file = stack->process(op.process).File(op.fd);
  if (file == nullptr) return Fail(EBADF);
  if (op.passFd.to >= stack->world().processes.size()) return Fail(EINVAL);
  Process& to = stack->process(op.passFd.to);
  if (!to.alive) return Fail(ESRCH);
  ++file->refs;
  Outcome out;
  out.fd = to.Install(file);
  return out;
}

Outcome SetMemlock(Stack* stack, const Op& op) {
  stack->SetLimit(op.process, op.setrlimit.memlockPages);
  return Outcome();
}

}  // namespace twinwalk::model
