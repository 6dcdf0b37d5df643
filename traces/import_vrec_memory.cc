// The part of import_vrec.h that follows a process's memory.
#include "traces/import_vrec.h"

namespace twinwalk {
namespace {

constexpr uint64_t kMapShared = 1, kMapAnonymous = 0x20, kPage = 4096;

// Mappings are whole pages.
uint64_t Rounded(uint64_t length) {
  return length > ~(kPage - 1) ? length : (length + kPage - 1) & ~(kPage - 1);
}

}  // namespace

std::string VrecImporter::Mmap(const CaptureRecord& r, const Call& c) {
  const uint64_t flags = r.NumberOr("flags", 0), length = r.NumberOr("length", 0);
  const bool anonymous = (flags & kMapAnonymous) != 0 || c.kind == "anon";
  if (!anonymous && c.kind != "memfd" && !Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
  if (!anonymous && (MadeByRaw(c, c.fd) || !b_->handles().Fd(c.pid, c.fd)))
    return Raw(r, c, NameOf(c.sys, c.kind));
  if (anonymous && c.err != 0)
    return Skip(NameOf(c.sys, "failed"));  // a matter of this machine's memory
  const uint64_t base = c.err == 0 ? static_cast<uint64_t>(c.ret) : r.NumberOr("addr", 0);
  if (c.err == 0 && b_->handles().Overlaps(c.pid, base, Rounded(length))) {
    // MAP_FIXED replaces what is there; or a call that was not recorded took it away.
    Op op = Start(c, OpKind::kMunmap);
    op.recorded->known = 0;
    op.munmap.map = kDanglingHandle;
    op.munmap.address = base;
    op.munmap.length = Rounded(length);
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
    const auto device = DeviceOf(c);
    if (device && c.err == 0) {
      // A region is one memory, made by its first mmap.
      uint64_t& region = regions_[{*device, op.mmap.offset >> 40}];
      if (region == 0) region = b_->NewBacking();
      backing = region;
      // Read, write and mmap, as the memory can be used.
      b_->facts().RegionUsed(*device, op.mmap.offset, Rounded(length), 4 | (op.mmap.prot & 3));
    }
  } else if (c.err == 0) {
    backing = b_->NewBacking();
  }
  if (c.err == 0) {
    op.recorded->ret = c.ret;
    op.recorded->known |= Outcome::kRet;
  }
  const uint64_t offset = op.mmap.offset & ((uint64_t{1} << 40) - 1);  // into a region, too
  const Handle ordinal = Add(std::move(op), NameOf(c.sys, anonymous ? "anon" : c.kind));
  if (!b_->full() && c.err == 0)
    b_->handles().Map(c.pid, base, Rounded(length), ordinal, backing, offset,
                      anonymous && (flags & kMapShared) == 0);
  return "";
}

std::string VrecImporter::Munmap(const CaptureRecord& r, const Call& c) {
  const uint64_t address = r.NumberOr("addr", 0), length = r.NumberOr("length", 0);
  const auto place = b_->handles().Find(c.pid, address);
  if (!place && !b_->handles().Overlaps(c.pid, address, Rounded(length))) return Skip(c.sys);
  Op op = Start(c, OpKind::kMunmap);
  op.munmap.map = kDanglingHandle;
  op.munmap.address = place ? place->offset : address;
  op.munmap.length = length;
  if (place) ImportBuilder::Name(&op, 1, &op.munmap.map, place->op);
  Add(std::move(op), c.sys);
  if (c.err == 0) b_->handles().Unmap(c.pid, address, Rounded(length));
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

}  // namespace twinwalk
