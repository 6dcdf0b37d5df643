// The part of import_vrec.h that follows a process's memory, and what happens when it ends.
#include "traces/import_vrec.h"

namespace twinwalk {
namespace {

constexpr uint64_t kMapShared = 1, kMapFixed = 0x10, kMapAnonymous = 0x20;
constexpr size_t kMaxPrinted = 4096;  // of one line of a client

}  // namespace

std::string VrecImporter::Mmap(const CaptureRecord& r, const Call& c) {
  const uint64_t flags = r.NumberOr("flags", 0), length = r.NumberOr("length", 0);
  const bool anonymous = (flags & kMapAnonymous) != 0 || c.kind == "anon";
  if (!anonymous && c.kind != "memfd" && c.kind != "iommufd") {
    return Matters(c.kind) ? Raw(r, c, NameOf(c.sys, c.kind)) : Skip(NameOf(c.sys, c.kind));
  }
  if (!anonymous && (MadeByRaw(c, c.fd) || !b_->handles().Fd(c.pid, c.fd)))
    return Raw(r, c, NameOf(c.sys, c.kind));
  if (anonymous && c.err != 0)
    return Skip(NameOf(c.sys, "failed"));  // a matter of this machine's memory
  const uint64_t base = c.err == 0 ? static_cast<uint64_t>(c.ret) : r.NumberOr("addr", 0);
  if (c.err == 0 && (flags & kMapFixed) != 0 && b_->handles().Overlaps(c.pid, base, length)) {
    Op op = Start(c, OpKind::kMunmap);  // MAP_FIXED replaces what is there
    op.recorded->known = 0;
    op.munmap.map = kDanglingHandle;
    op.munmap.address = base;
    op.munmap.length = length;
    b_->Add(std::move(op));
    ++b_->stats().derived;
  }
  Op op = Start(c, OpKind::kMmap);
  op.mmap.base = base;
  op.mmap.length = length;
  op.mmap.offset = anonymous ? 0 : r.NumberOr("offset", 0);
  op.mmap.prot =
      static_cast<uint32_t>(r.NumberOr("prot", 0)) & (kProtRead | kProtWrite | kProtExec);
  op.mmap.shared = static_cast<uint32_t>(flags & kMapShared);
  uint64_t backing = 0;
  if (!anonymous) {
    NameFd(c, c.fd, &op);
    const auto from = b_->handles().Fd(c.pid, c.fd);
    if (auto it = memfds_.find(*from); it != memfds_.end()) backing = it->second;
  } else if (c.err == 0) {
    backing = b_->NewBacking();
  }
  if (c.err == 0) {
    op.recorded->ret = c.ret;
    op.recorded->known |= Outcome::kRet;
  }
  const uint64_t offset = op.mmap.offset;
  const Handle ordinal = Add(std::move(op), NameOf(c.sys, anonymous ? "anon" : c.kind));
  if (!b_->full() && c.err == 0) b_->handles().Map(c.pid, base, length, ordinal, backing, offset);
  return "";
}

std::string VrecImporter::Munmap(const CaptureRecord& r, const Call& c) {
  const uint64_t address = r.NumberOr("addr", 0), length = r.NumberOr("length", 0);
  const auto place = b_->handles().Find(c.pid, address);
  if (!place && !b_->handles().Overlaps(c.pid, address, length)) return Skip(c.sys);
  Op op = Start(c, OpKind::kMunmap);
  op.munmap.map = kDanglingHandle;
  op.munmap.address = place ? place->offset : address;
  op.munmap.length = length;
  if (place) ImportBuilder::Name(&op, 1, &op.munmap.map, place->op);
  Add(std::move(op), c.sys);
  if (c.err == 0) b_->handles().Unmap(c.pid, address, length);
  return "";
}

std::string VrecImporter::Memfd(const CaptureRecord& r, const Call& c) {
  if (c.err != 0) return Skip(NameOf(c.sys, "failed"));
  Op op = Start(c, OpKind::kMemfd);
  op.memfd.length = 1;  // until ftruncate says
  op.recorded->fd = static_cast<uint32_t>(c.ret);
  op.recorded->known |= Outcome::kFd;
  const Handle ordinal = Add(std::move(op), NameOf(c.sys, "memfd"));
  if (b_->full()) return "";
  NewFd(r, c, ordinal);
  memfds_[ordinal] = b_->NewBacking();
  return "";
}

// Lines that the client printed, put together from its writes.
std::string VrecImporter::Print(const CaptureRecord& r, const Call& c) {
  Skip(NameOf(c.sys, c.kind));
  if (text_ == nullptr || c.fd != 1) return "";
  std::string& pending = unfinished_[{c.pid, c.fd}];
  pending += r.TextOr("text", "");
  std::string wrong;
  for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
    const std::string now = text_->Line(pending.substr(0, end));
    if (wrong.empty()) wrong = now;
  }
  if (pending.size() > kMaxPrinted) pending.clear();
  return wrong;
}

// The kernel's own releases at the end of a process: memory first, then files.
void VrecImporter::Exit(uint64_t pid) {
  const auto process = b_->Process(pid);
  if (!process) return;
  Call c;
  c.pid = pid;
  c.process = *process;
  for (const auto& [base, length] : b_->handles().Mappings(pid)) {
    Op op = Start(c, OpKind::kMunmap);
    const auto place = b_->handles().Find(pid, base);
    op.munmap.map = kDanglingHandle;
    op.munmap.address = place->offset;
    op.munmap.length = length;
    ImportBuilder::Name(&op, 1, &op.munmap.map, place->op);
    b_->Add(std::move(op));
    ++b_->stats().derived;
  }
  for (uint64_t fd : b_->handles().OpenFds(pid)) {
    if (MadeByRaw(c, fd)) continue;
    Op op = Start(c, OpKind::kClose);
    NameFd(c, fd, &op);
    b_->Add(std::move(op));
    ++b_->stats().derived;
  }
  b_->handles().ForgetProcess(pid);
  files_.erase(files_.lower_bound({pid, 0}), files_.lower_bound({pid + 1, 0}));
  unfinished_.erase(unfinished_.lower_bound({pid, 0}), unfinished_.lower_bound({pid + 1, 0}));
  b_->EndProcess(pid);
}

}  // namespace twinwalk
