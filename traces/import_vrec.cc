#include "traces/import_vrec.h"

#include <algorithm>

#include "traces/codec.h"

namespace twinwalk {
namespace {

constexpr uint32_t kDupFd = 0, kDupFdCloexec = 1030;  // fcntl
const char kCdev[] = "/dev/vfio/devices/";

bool StartsWith(const std::string& text, const char* prefix) {
  return text.rfind(prefix, 0) == 0;
}

// Where an ioctl that stays raw returned an id: FAULT_QUEUE_ALLOC, HW_QUEUE_ALLOC (sheet 3.1). The
// id must not be taken for a number that a Machine gave to something else.
std::optional<uint32_t> RawId(const RecordedIoctl& call) {
  if (call.err != 0) return std::nullopt;
  if (call.command == 0x3b8e) return static_cast<uint32_t>(LoadWord(call.after, 8, 4));
  if (call.command == 0x3b94) return static_cast<uint32_t>(LoadWord(call.after, 20, 4));
  return std::nullopt;
}

// Whether the kernel writes to the nested buffer: IOAS_IOVA_RANGES, GET_HW_INFO.
bool KernelWrites(uint32_t command) {
  return command == 0x3b84 || command == 0x3b8a;
}

}  // namespace

std::string VrecImporter::NameOf(const std::string& sys, const std::string& kind) {
  return kind.empty() ? sys : sys + " " + kind;
}

bool VrecImporter::Matters(const std::string& kind) {
  return StartsWith(kind, "iommufd") || StartsWith(kind, "vfio-");
}

VrecImporter::VrecImporter(ImportBuilder* builder, std::optional<std::set<uint64_t>> pages)
    : b_(builder) {
  if (pages) text_ = std::make_unique<VsmmucliText>(builder, std::move(*pages));
}

std::string VrecImporter::CheckHeader(const CaptureRecord& record) {
  if (record.TextOr("sys", "") != "header") return "not a capture: the first record is no header";
  const std::string format = record.TextOr("format", "");
  return format == "vrec-1" ? "" : "format '" + format.substr(0, 40) + "', only vrec-1 is known";
}

bool VrecImporter::IsVsmmucli(const CaptureRecord& header) {
  return StartsWith(header.TextOr("title", ""), "vsmmucli ");
}

std::string VrecImporter::Skip(const std::string& name) {
  ImportBuilder::Count(&b_->stats().skipped, name);
  return "";
}

Op VrecImporter::Start(const Call& c, OpKind kind) const {
  Op op;
  op.process = c.process;
  op.kind = kind;
  op.recorded.emplace();
  op.recorded->known = c.finished ? Outcome::kErr : 0;
  op.recorded->err = c.err;
  return op;
}

void VrecImporter::NameFd(const Call& c, uint64_t fd, Op* op) const {
  op->fd = static_cast<Handle>(fd);
  ImportBuilder::Name(op, 0, &op->fd, b_->handles().Fd(c.pid, fd));
}

void VrecImporter::NameHandles(const Call& c, uint64_t context, Op* op) const {
  struct Namer {
    const VrecImporter* self;
    const Call& c;
    uint64_t context;
    Op* op;
    void Field(const char*, uint64_t&) {}
    void Field(const char*, uint32_t&) {}
    void Field(const char*, uint16_t&) {}
    void HandleField(const char*, Handle& handle, HandleRole role, int index) {
      const ImportHandles& handles = self->b_->handles();
      if (index == 0 || role == HandleRole::kMap) return;
      ImportBuilder::Name(
          op, index, &handle,
          role == HandleRole::kFd ? handles.Fd(c.pid, handle) : handles.Id(context, handle));
    }
  };
  VisitArgs(static_cast<OpData&>(*op), Namer{this, c, context, op});
  if (op->kind != OpKind::kIoasMap) return;
  op->ioasMap.userMap = kDanglingHandle;
  if (const auto place = b_->handles().Find(c.pid, op->ioasMap.userVa)) {
    ImportBuilder::Name(op, 2, &op->ioasMap.userMap, place->op);
    op->ioasMap.userVa = place->offset;
  }
}

Handle VrecImporter::Add(Op op, const std::string& name) {
  const Handle ordinal = b_->Add(std::move(op));
  if (!b_->full()) ImportBuilder::Count(&b_->stats().typed, name);
  return ordinal;
}

bool VrecImporter::NewFd(const CaptureRecord& r, const Call& c, Handle from) {
  const auto made = r.Object("newfd");
  const auto fd = made ? made->Number("fd") : std::nullopt;
  if (!fd) return false;
  const uint64_t obj = made->NumberOr("obj", 0);
  b_->handles().SetFd(c.pid, *fd, from);
  files_[{c.pid, *fd}] = obj;
  if (made->TextOr("kind", "") == "iommufd") contexts_[obj] = obj;
  return true;
}

bool VrecImporter::MadeByRaw(const Call& c, uint64_t fd) const {
  const auto from = b_->handles().Fd(c.pid, fd);
  return from && b_->op(*from).kind == OpKind::kRaw;
}

std::string VrecImporter::Raw(const CaptureRecord& r, const Call& c, const std::string& name) {
  Op op = Start(c, OpKind::kRaw);
  NameFd(c, c.fd, &op);
  bool bad = false;
  const char* payload = c.sys == "ioctl" ? "in" : "data";
  op.raw.command = c.sys == "ioctl" ? static_cast<uint32_t>(r.NumberOr("cmd", 0)) : 0;
  op.raw.arg = r.NumberOr(c.sys == "ioctl" ? "arg" : "offset", 0);
  op.blob = r.Bytes(payload, &bad).value_or("");
  if (bad) return std::string("'") + payload + "' is not hex";
  op.size = op.readable = static_cast<uint16_t>(std::min<size_t>(op.blob.size(), 65535));
  op.writable = op.readable;
  op.recorded->known = 0;  // counted, never compared
  if (const auto made = r.Object("newfd"))
    op.recorded->fd = static_cast<uint32_t>(made->NumberOr("fd", 0));
  const Handle ordinal = b_->Add(std::move(op));
  if (b_->full()) return "";
  ImportBuilder::Count(&b_->stats().raw, name);
  NewFd(r, c, ordinal);
  return "";
}

std::string VrecImporter::Open(const CaptureRecord& r, const Call& c) {
  const std::string name = r.TextOr("name", "");
  const auto made = r.Object("newfd");
  const std::string kind = made ? made->TextOr("kind", "") : "";
  if (kind == "memfd") return Memfd(r, c);
  const bool cdev = StartsWith(name, kCdev);
  if (name != "/dev/iommu" && !cdev) {
    return Matters(kind) ? Raw(r, c, NameOf(c.sys, kind)) : Skip(NameOf(c.sys, kind));
  }
  Op op = Start(c, OpKind::kOpen);
  op.open.node = static_cast<uint32_t>(cdev ? Node::kVfioCdev : Node::kIommu);
  if (cdev && made) {
    const auto device = b_->Device(name.substr(sizeof kCdev - 1));
    if (!device) return "more devices than a World can have";
    op.open.device = *device;
  } else if (cdev) {
    op.open.device = kMaxDevices;  // none such
  }
  if (made) {
    op.recorded->fd = static_cast<uint32_t>(c.ret);
    op.recorded->known |= Outcome::kFd;
  }
  const Handle ordinal = Add(std::move(op), c.sys + (cdev ? " vfio-device" : " iommufd"));
  if (!b_->full()) NewFd(r, c, ordinal);
  return "";
}

std::string VrecImporter::Close(const CaptureRecord& r, const Call& c) {
  const auto from = b_->handles().Fd(c.pid, c.fd);
  const bool matters = Matters(c.kind) || c.kind == "memfd";
  if (!matters) return Skip(NameOf(c.sys, c.kind));
  if (!from || b_->op(*from).kind == OpKind::kRaw) {
    std::string wrong = Raw(r, c, NameOf(c.sys, c.kind));
    b_->handles().CloseFd(c.pid, c.fd);
    return wrong;
  }
  Op op = Start(c, OpKind::kClose);
  NameFd(c, c.fd, &op);
  Add(std::move(op), NameOf(c.sys, c.kind));
  if (c.err == 0) b_->handles().CloseFd(c.pid, c.fd);
  return "";
}

std::string VrecImporter::Dup(const CaptureRecord& r, const Call& c) {
  const auto made = r.Object("newfd");
  if (c.sys == "fcntl") {
    const uint64_t command = r.NumberOr("cmd", 1);
    const bool dup = command == kDupFd || command == kDupFdCloexec;
    if (!dup)
      return Matters(c.kind) ? Raw(r, c, NameOf(c.sys, c.kind)) : Skip(NameOf(c.sys, c.kind));
  }
  if (!Matters(c.kind) && c.kind != "memfd") return Skip(NameOf(c.sys, c.kind));
  if (MadeByRaw(c, c.fd)) return Raw(r, c, NameOf(c.sys, c.kind));
  const auto fd = made ? made->Number("fd") : std::nullopt;
  // dup2 onto an open file closes that one first.
  const auto open = b_->handles().OpenFds(c.pid);
  if (fd && *fd != c.fd && std::binary_search(open.begin(), open.end(), *fd)) {
    Op close = Start(c, OpKind::kClose);
    close.recorded->known = 0;
    NameFd(c, *fd, &close);
    b_->Add(std::move(close));
    ++b_->stats().derived;
  }
  Op op = Start(c, OpKind::kDup);
  NameFd(c, c.fd, &op);
  if (fd) {
    op.recorded->fd = static_cast<uint32_t>(*fd);
    op.recorded->known |= Outcome::kFd;
  }
  const Handle ordinal = Add(std::move(op), NameOf(c.sys, c.kind));
  if (!b_->full()) NewFd(r, c, ordinal);
  return "";
}

std::string VrecImporter::Ioctl(const CaptureRecord& r, const Call& c) {
  const std::string name = r.TextOr("ioctl", "ioctl");
  if (!Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
  RawIoctl raw;
  bool bad = false;
  raw.process = c.process;
  raw.fd = static_cast<uint32_t>(c.fd);
  raw.command = static_cast<uint32_t>(r.NumberOr("cmd", 0));
  raw.is_vfio_device = c.kind == "vfio-device";
  raw.arg = r.NumberOr("arg", 0);
  raw.in = r.Bytes("in", &bad).value_or("");
  // What could be written was not recorded: taken to be what could be read.
  raw.writable = static_cast<uint16_t>(std::min<size_t>(raw.in.size(), 65535));
  RecordedIoctl call;
  call.command = raw.command;
  call.err = c.err;
  call.after = r.Bytes("out", &bad).value_or(raw.in);
  for (size_t i = 0; i < r.ListSize("ptr"); ++i) {
    const CaptureRecord nested = r.ListAt("ptr", i);
    RawBuffer buffer;
    buffer.name = nested.TextOr("name", "");
    buffer.address = nested.NumberOr("addr", 0);
    buffer.bytes = nested.Bytes("in", &bad).value_or("");
    if (KernelWrites(raw.command)) buffer.writable = static_cast<uint32_t>(buffer.bytes.size());
    if (i == 0) call.buffer_after = nested.Bytes("out", &bad).value_or(buffer.bytes);
    raw.buffers.push_back(std::move(buffer));
  }
  if (bad) return "an ioctl's bytes are not hex";
  uint64_t context = 0;
  if (auto it = contexts_.find(c.obj); it != contexts_.end()) context = it->second;

  Op op;
  const bool typed = (c.kind == "iommufd" || c.kind == "vfio-device") && c.finished &&
                     !MadeByRaw(c, c.fd) && Decode(raw, &op);
  if (!typed) {
    const Handle next = static_cast<Handle>(b_->stats().ops);
    std::string wrong = Raw(r, c, name);
    const auto id = RawId(call);
    if (wrong.empty() && id && !b_->full()) {
      b_->handles().SetId(context, *id, next);
      b_->op(next).recorded->id = *id;
    }
    return wrong;
  }
  if (op.kind == OpKind::kBindIommufd) {
    auto file = files_.find({c.pid, op.bind.iommufd});
    context = file == files_.end() ? 0 : file->second;
    if (c.err == 0 && context != 0) contexts_[c.obj] = context;
  }
  op.recorded = RecordedOutcome(op, call);
  NameFd(c, c.fd, &op);
  // The id that ATTACH replaces by that of the HWPT which it used.
  const uint32_t given = op.kind == OpKind::kAttachIommufdPt ? op.attach.ptId : 0;
  NameHandles(c, context, &op);
  const Outcome recorded = *op.recorded;
  const Handle ordinal = Add(std::move(op), name);
  if (b_->full()) return "";
  ++b_->stats().ioctls;
  if (recorded.err == 0) {
    const bool has_id = (recorded.known & Outcome::kId) != 0 && recorded.id != 0;
    if (has_id && recorded.id != given) b_->handles().SetId(context, recorded.id, ordinal);
    NewFd(r, c, ordinal);
    AfterIoctl(c, ordinal);
  }
  return "";
}

// What a successful call tells about the machine and the guest's memory.
void VrecImporter::AfterIoctl(const Call& c, Handle ordinal) {
  const Op& op = b_->op(ordinal);
  const Outcome recorded = *op.recorded;
  if (op.kind == OpKind::kIoasMap && text_ != nullptr) {
    const IoasMapArgs map = op.ioasMap;
    const uint64_t base = (op.results >> 2 & 1) != 0 ? b_->op(map.userMap).mmap.base : 0;
    const auto place = b_->handles().Find(c.pid, base + map.userVa);
    if (place) text_->Mapped(c.pid, recorded.values[0], map.length, *place);
  } else if (op.kind == OpKind::kIoasUnmap && text_ != nullptr) {
    text_->Unmapped(op.ioasUnmap.iova, recorded.values[0]);
  } else if (op.kind == OpKind::kGetHwInfo && recorded.values[1] == 2 &&
             recorded.out.size() >= 40) {
    // struct of data type 2 (sheet 20.2): flags, reserved, IDR0..5, IIDR, AIDR.
    SmmuConfig& smmu = b_->world().smmus[0];
    for (size_t i = 0; i < smmu.idr.size(); ++i)
      smmu.idr[i] = static_cast<uint32_t>(LoadWord(recorded.out, 8 + 4 * i, 4));
    smmu.iidr = static_cast<uint32_t>(LoadWord(recorded.out, 32, 4));
    smmu.aidr = static_cast<uint32_t>(LoadWord(recorded.out, 36, 4));
    if (!smmu_known_) b_->stats().environment += 8;
    smmu_known_ = true;
  }
}

std::string VrecImporter::Read(const CaptureRecord& r, const Call& c) {
  const bool typed = c.kind == "iommufd-veventq" || (c.kind == "iommufd" && c.sys == "read");
  if (!typed || MadeByRaw(c, c.fd) || !c.finished) {
    return Matters(c.kind) ? Raw(r, c, NameOf(c.sys, c.kind)) : Skip(NameOf(c.sys, c.kind));
  }
  Op op = Start(c, OpKind::kRead);
  NameFd(c, c.fd, &op);
  op.read.count = r.NumberOr("count", 0);
  op.read.positional = c.sys == "pread64" ? 1 : 0;
  op.read.offset = op.read.positional != 0 ? r.NumberOr("offset", 0) : 0;
  op.read.bufWritable = static_cast<uint32_t>(std::min<uint64_t>(op.read.count, ~uint32_t{0}));
  if (c.err == 0) {
    bool bad = false;
    op.recorded->ret = c.ret;
    op.recorded->out = r.Bytes("data", &bad).value_or("");
    if (bad) return "'data' is not hex";
    op.recorded->known |= Outcome::kRet;
    // The recorder keeps the first 4096 bytes.
    if (op.recorded->out.size() == static_cast<uint64_t>(c.ret))
      op.recorded->known |= Outcome::kOut;
    else
      op.recorded->out.clear();
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
    if (!Matters(kind) || !fd) continue;
    any = true;
    Call of = c;
    of.fd = *fd;
    if (MadeByRaw(of, *fd) || !b_->handles().Fd(c.pid, *fd)) {
      Raw(r, of, NameOf(c.sys, kind));
      continue;
    }
    Op op = Start(c, OpKind::kPoll);
    NameFd(c, *fd, &op);
    op.poll.events = static_cast<uint32_t>(one.NumberOr("events", 0));
    if (c.err != 0) {
      op.recorded->known = 0;  // interrupted: says nothing about the file
    } else {
      op.recorded->ret = static_cast<int64_t>(one.NumberOr("revents", 0));
      op.recorded->known |= Outcome::kRet;
    }
    Add(std::move(op), NameOf(c.sys, kind));
  }
  return any ? "" : Skip(c.sys);
}

// "/sys/devices/.../0000:00:10.0/vfio-dev" lists "vfio0": the address of /dev/vfio/devices/vfio0.
void VrecImporter::Learn(const CaptureRecord& r, const Call& c) {
  if (c.sys != "getdents64" || c.kind != "sysfs") return;
  std::string path = r.TextOr("path", "");
  const size_t end = path.rfind("/vfio-dev");
  if (end == std::string::npos || end == 0 || end + 9 != path.size()) return;
  path.erase(end);
  bool bad = false;
  const std::string entries = r.Bytes("data", &bad).value_or("");
  size_t at = entries.find("vfio");
  if (at == std::string::npos) return;
  size_t stop = at + 4;
  while (stop < entries.size() && entries[stop] >= '0' && entries[stop] <= '9') ++stop;
  b_->SetAddress(entries.substr(at, stop - at), path.substr(path.rfind('/') + 1));
}

std::string VrecImporter::Record(const CaptureRecord& r) {
  Call c;
  c.sys = r.TextOr("sys", "");
  if (c.sys.empty()) return "a record without 'sys'";
  if (c.sys == "header") return "a second header";
  if (c.sys == "kmsg" || c.sys == "footer" || c.sys == "signal" || c.sys == "fork")
    return Skip(c.sys);
  const auto pid = r.Number("pid");
  if (!pid) return "a record without 'pid'";
  c.pid = *pid;
  if (c.sys == "exit") {
    if (r.NumberOr("tid", c.pid) == c.pid) Exit(c.pid);
    return Skip(c.sys);
  }
  c.kind = r.TextOr("kind", "");
  c.fd = r.NumberOr("fd", ~uint64_t{0});
  c.obj = r.NumberOr("obj", 0);
  c.err = static_cast<uint16_t>(r.NumberOr("errno", 0));
  const auto ret = r.Number("ret");
  c.finished = ret.has_value();
  c.ret = static_cast<int64_t>(ret.value_or(0));
  if (c.finished && c.ret == -1 && c.err == 0) return "ret is -1 without 'errno'";
  const auto process = b_->Process(c.pid);
  if (!process) return Skip("more processes than a World can have");
  c.process = *process;

  if (c.sys == "open" || c.sys == "openat") return Open(r, c);
  if (c.sys == "close") return Close(r, c);
  if (c.sys == "dup" || c.sys == "dup2" || c.sys == "dup3" || c.sys == "fcntl") return Dup(r, c);
  if (c.sys == "ioctl") return Ioctl(r, c);
  if (c.sys == "read" || c.sys == "pread64") return Read(r, c);
  if (c.sys == "poll" || c.sys == "ppoll") return Poll(r, c);
  if (c.sys == "mmap") return Mmap(r, c);
  if (c.sys == "munmap") return Munmap(r, c);
  if (c.sys == "memfd_create") return Memfd(r, c);
  if (c.sys == "write" && c.kind == "stdio") return Print(r, c);
  if (c.sys == "ftruncate" && c.kind == "memfd") {
    const auto from = b_->handles().Fd(c.pid, c.fd);
    if (from && b_->op(*from).kind == OpKind::kMemfd && c.err == 0)
      b_->op(*from).memfd.length = r.NumberOr("length", 1);
    return Skip(NameOf(c.sys, c.kind));
  }
  Learn(r, c);
  return Matters(c.kind) ? Raw(r, c, NameOf(c.sys, c.kind)) : Skip(NameOf(c.sys, c.kind));
}

}  // namespace twinwalk
