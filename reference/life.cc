// Processes come, go and hand files on; eventfds (TRACE 8, Processes, eventfd).
#include <algorithm>
#include <cstring>

#include "reference/shell.h"

namespace twinwalk::reference {
namespace {

constexpr uint32_t kEventfdFlags = 0x80801;  // CLOEXEC, NONBLOCK, SEMAPHORE
constexpr size_t kCounterBytes = 8;

Outcome Error(int err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

}  // namespace

Outcome Shell::DoLife(const Op& op) {
  Outcome out;
  if (op.kind == OpKind::kFork) return DoFork(op);
  if (op.kind == OpKind::kWrite) return DoWrite(op);
  if (op.kind == OpKind::kEventfd) {
    if ((op.eventfd.flags & ~kEventfdFlags) != 0) return Error(EINVAL);
    File file;
    file.kind = FileKind::kEventfd;
    file.counter = op.eventfd.initval;
    file.semaphore = (op.eventfd.flags & 1) != 0;
    out.fd = processes_.Open(op.process, file);
    return out;
  }
  if (op.kind == OpKind::kPassFd) {
    if (op.passFd.to >= world_.processes.size()) return Error(EINVAL);
    if (!processes_.Alive(op.passFd.to)) return Error(ESRCH);
    out.fd = processes_.Pass(op.process, op.fd, op.passFd.to);
    return out;
  }
  if (op.kind == OpKind::kSetrlimit) {
    SetMemlock(op.process, op.setrlimit.memlockPages);
    return out;
  }
  if (op.kind == OpKind::kExec) {
    processes_.UnmapAll(op.process);
    CloseAll(op.process, processes_.Descriptors(op.process, true));
  } else {  // kExit
    CloseAll(op.process, processes_.Descriptors(op.process, false));
    processes_.End(op.process);
  }
  processes_.ForgetUnused(s_.view);
  return out;
}

void Shell::CloseAll(size_t process, const std::vector<uint32_t>& fds) {
  for (const uint32_t fd : fds) CloseFd(process, fd);
}

Outcome Shell::DoFork(const Op& op) {
  const uint32_t child = op.fork.child;
  if (child >= world_.processes.size()) return Error(EINVAL);
  if (!processes_.Unborn(child)) return Error(EAGAIN);
  processes_.Fork(op.process, child);
  return Outcome();
}

// An account never shrinks below what it was allowed to hold: pins made under the old limit stay.
void Shell::SetMemlock(size_t process, uint64_t pages) {
  world_.processes[process].memlockPages = pages;
  const uint64_t user = uint64_t{world_.processes[process].uid} + 1;
  const uint64_t itself = AccountOfProcess(uint64_t{process} + 1);
  s_.view.accounts.UpdateWhere(
      [&](const AccountRow<Real>& a) { return a.key == user || a.key == itself; },
      [&](AccountRow<Real>& a) { a.limit = std::max(a.limit, pages); });
}

// ---- Reading and writing ------------------------------------------------------------------------

Outcome Shell::DoEventfdRead(const Op& op, File* file) {
  if (op.read.count < kCounterBytes) return Error(EINVAL);
  if (file->counter == 0) return Error(EAGAIN);
  const uint64_t taken = file->semaphore ? 1 : file->counter;
  file->counter -= taken;  // also when the user does not get it
  if (op.read.bufWritable < kCounterBytes) return Error(EFAULT);
  Outcome out;
  out.out.assign(reinterpret_cast<const char*>(&taken), kCounterBytes);
  out.ret = kCounterBytes;
  return out;
}

Outcome Shell::DoWrite(const Op& op) {
  File& file = *processes_.Find(op.process, op.fd);
  const bool device =
      file.kind == FileKind::kDevice || (file.kind == FileKind::kCdev && file.context != 0);
  if (device && op.write.positional != 0)
    return DoRegionAccess(file, op.write.offset, op.blob.size(), op.blob.size());
  if (file.kind == FileKind::kFault) {  // iommufd 14.4
    const bool away = op.write.positional != 0 && op.write.offset != 0;
    return Error(away ? ESPIPE : FaultResponseError(op.blob.size()));
  }
  if (file.kind != FileKind::kEventfd) return Error(EINVAL);
  if (op.blob.size() != kCounterBytes) return Error(EINVAL);
  uint64_t more = 0;
  std::memcpy(&more, op.blob.data(), kCounterBytes);
  if (more == ~uint64_t{0}) return Error(EINVAL);
  if (more > ~uint64_t{0} - 1 - file.counter) return Error(EAGAIN);
  file.counter += more;
  Outcome out;
  out.ret = kCounterBytes;
  return out;
}

}  // namespace twinwalk::reference
