// The part of import_vrec.h that reads what goes through files: eventfds, fault queues, the regions
// of a device, and what a client prints.
#include <algorithm>
#include <cstring>

#include "traces/import_vrec.h"

namespace twinwalk {
namespace {

constexpr uint64_t kEventfdBytes = 8;
constexpr uint32_t kSemaphore = 1;                     // EFD_SEMAPHORE
constexpr uint64_t kPollIn = 1;                        // POLLIN
constexpr uint32_t kRegionRead = 1, kRegionWrite = 2;  // RegionConfig::flags
constexpr size_t kMaxPrinted = 4096;                   // of one line of a client

}  // namespace

std::string VrecImporter::Eventfd(const CaptureRecord& r, const Call& c) {
  if (c.err != 0) return Skip(NameOf(c.sys, "failed"));
  Op op = Start(c, OpKind::kEventfd);
  op.eventfd.initval = static_cast<uint32_t>(r.NumberOr("initval", 0));
  op.eventfd.flags = static_cast<uint32_t>(r.NumberOr("flags", 0));
  op.recorded->fd = static_cast<uint32_t>(c.ret);
  op.recorded->known |= Outcome::kFd;
  Counter counter{op.eventfd.initval, (op.eventfd.flags & kSemaphore) != 0};
  const Handle ordinal = Add(std::move(op), c.sys);
  if (b_->full()) return "";
  NewFd(r, c, ordinal);
  const auto made = r.Object("newfd");
  if (made) eventfds_[made->NumberOr("obj", 0)] = counter;
  return "";
}

void VrecImporter::Interrupt(const Call& c, uint64_t n) {
  Op op = Start(c, OpKind::kWrite);
  op.recorded->known = 0;
  op.recorded->err = 0;
  NameFd(c, c.fd, &op);
  op.blob.resize(kEventfdBytes);
  std::memcpy(op.blob.data(), &n, sizeof n);
  b_->Add(std::move(op));
  ++b_->stats().derived;
}

std::string VrecImporter::Read(const CaptureRecord& r, const Call& c) {
  const bool eventfd = c.kind == "eventfd" && eventfds_.count(c.obj) > 0;
  if (!eventfd && !Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
  if (MadeByRaw(c, c.fd) || !c.finished) return Raw(r, c, NameOf(c.sys, c.kind));
  bool bad = false;
  const std::string data = r.Bytes("data", &bad).value_or("");
  if (bad) return "'data' is not hex";
  Op op = Start(c, OpKind::kRead);
  op.read.count = r.NumberOr("count", 0);
  op.read.positional = c.sys == "pread64" ? 1 : 0;
  op.read.offset = op.read.positional != 0 ? r.NumberOr("offset", 0) : 0;
  op.read.bufWritable = static_cast<uint32_t>(std::min<uint64_t>(op.read.count, ~uint32_t{0}));
  if (c.err == 0) {
    op.recorded->ret = c.ret;
    op.recorded->known |= Outcome::kRet;
    // The recorder keeps the first 4096 bytes. What a region holds is environment.
    if (c.kind != "vfio-device" && data.size() == static_cast<uint64_t>(c.ret)) {
      op.recorded->known |= Outcome::kOut;
      op.recorded->out = data;
    }
  }
  if (eventfd) {
    Counter& counter = eventfds_[c.obj];
    const uint64_t got = c.err == 0 ? LoadWord(data, 0, 8) : 0;
    const uint64_t there = counter.semaphore ? std::min<uint64_t>(counter.value, 1) : counter.value;
    if (got > there) {
      Interrupt(c, got - there);
      counter.value += got - there;
    } else if (got < there) {
      // Another thread's write was recorded before this call, and came after it.
      op.recorded->known = 0;
      op.recorded->out.clear();
    }
    counter.value = counter.semaphore && counter.value > 0 ? counter.value - 1 : 0;
  }
  const auto device = DeviceOf(c);
  if (device && c.err == 0 && op.read.positional != 0) {
    b_->facts().ConfigSpace(*device, op.read.offset, data);
    b_->facts().RegionUsed(*device, op.read.offset, static_cast<uint64_t>(c.ret), kRegionRead);
  }
  NameFd(c, c.fd, &op);
  Add(std::move(op), NameOf(c.sys, c.kind));
  return "";
}

std::string VrecImporter::Write(const CaptureRecord& r, const Call& c) {
  if (c.kind == "stdio") return Print(r, c);
  const bool eventfd = c.kind == "eventfd" && eventfds_.count(c.obj) > 0;
  if (!eventfd && !Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
  bool bad = false;
  const std::string data = r.Bytes("data", &bad).value_or("");
  if (bad) return "'data' is not hex";
  if (MadeByRaw(c, c.fd) || !c.finished || data.size() != r.NumberOr("count", 0))
    return Raw(r, c, NameOf(c.sys, c.kind));
  Op op = Start(c, OpKind::kWrite);
  NameFd(c, c.fd, &op);
  op.write.positional = c.sys == "pwrite64" ? 1 : 0;
  op.write.offset = op.write.positional != 0 ? r.NumberOr("offset", 0) : 0;
  op.blob = data;
  if (c.err == 0) {
    op.recorded->ret = c.ret;
    op.recorded->known |= Outcome::kRet;
    if (eventfd) eventfds_[c.obj].value += LoadWord(data, 0, 8);
    if (const auto device = DeviceOf(c); device && op.write.positional != 0)
      b_->facts().RegionUsed(*device, op.write.offset, static_cast<uint64_t>(c.ret), kRegionWrite);
  }
  Add(std::move(op), NameOf(c.sys, c.kind));
  return "";
}

std::string VrecImporter::Poll(const CaptureRecord& r, const Call& c) {
  bool any = false;
  for (size_t i = 0; i < r.ListSize("fds"); ++i) {
    const CaptureRecord one = r.ListAt("fds", i);
    const std::string kind = one.TextOr("kind", "");
    const auto fd = one.Number("fd");
    Call of = c;
    of.obj = one.NumberOr("obj", 0);
    const bool eventfd = kind == "eventfd" && eventfds_.count(of.obj) > 0;
    if ((!eventfd && !Matters(kind)) || !fd) continue;
    any = true;
    of.fd = *fd;
    if (MadeByRaw(of, *fd) || !b_->handles().Fd(c.pid, *fd)) {
      Raw(r, of, NameOf(c.sys, kind));
      continue;
    }
    Op op = Start(c, OpKind::kPoll);
    NameFd(c, *fd, &op);
    op.poll.events = static_cast<uint32_t>(one.NumberOr("events", 0));
    const uint64_t revents = one.NumberOr("revents", 0);
    if (c.err != 0) {
      op.recorded->known = 0;  // interrupted: says nothing about the file
    } else {
      op.recorded->ret = static_cast<int64_t>(revents);
      op.recorded->known |= Outcome::kRet;
    }
    if (eventfd && c.err == 0 && (op.poll.events & kPollIn) != 0) {
      Counter& counter = eventfds_[of.obj];
      if ((revents & kPollIn) != 0 && counter.value == 0) {
        Interrupt(of, 1);
        counter.value = 1;
      } else if ((revents & kPollIn) == 0 && counter.value != 0) {
        op.recorded->known = 0;  // as in Read
      }
    }
    Add(std::move(op), NameOf(c.sys, kind));
  }
  return any ? "" : Skip(c.sys);
}

// Lines that the client printed, put together from its writes.
std::string VrecImporter::Print(const CaptureRecord& r, const Call& c) {
  Skip(NameOf(c.sys, c.kind));
  if ((text_ == nullptr && edu_ == nullptr) || c.fd != 1) return "";
  std::string& pending = unfinished_[{c.pid, c.fd}];
  pending += r.TextOr("text", "");
  std::string wrong;
  for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
    const std::string line = pending.substr(0, end);
    const std::string now = text_ != nullptr ? text_->Line(line) : edu_->Line(line);
    if (wrong.empty()) wrong = now;
  }
  if (pending.size() > kMaxPrinted) pending.clear();
  return wrong;
}

}  // namespace twinwalk
