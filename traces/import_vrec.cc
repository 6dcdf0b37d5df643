#include "traces/import_vrec.h"

#include <algorithm>
#include <cstring>

#include "traces/codec.h"
#include "traces/resolve.h"

namespace twinwalk {
namespace {

constexpr uint32_t kDupFd = 0, kDupFdCloexec = 1030;  // fcntl
constexpr char kCdev[] = "/dev/vfio/devices/", kVfio[] = "/dev/vfio/";
constexpr char kNoiommu[] = "/dev/vfio/noiommu-";
constexpr uint64_t kStdioFds = 3;  // 0, 1, 2

bool StartsWith(const std::string& text, const char* prefix) {
  return text.rfind(prefix, 0) == 0;
}

bool EndsWith(const std::string& text, const char* suffix) {
  const size_t length = std::strlen(suffix);
  return text.size() >= length && text.compare(text.size() - length, length, suffix) == 0;
}

// All of `text` from `at` on, as a decimal number.
std::optional<uint32_t> Decimal(const std::string& text, size_t at) {
  if (at >= text.size() || text.size() - at > 9) return std::nullopt;
  if (text.find_first_not_of("0123456789", at) != std::string::npos) return std::nullopt;
  return static_cast<uint32_t>(std::stoul(text.substr(at)));
}

// Files that the trace follows besides those whose every call matters.
bool Follows(const std::string& kind) {
  return kind == "memfd" || kind == "eventfd" || kind == "dmabuf";
}

// What a path under /dev is; nullopt: none of ours. `device`: of kVfioCdev to be filled in.
std::optional<OpenArgs> NodeOf(const std::string& name) {
  const auto node = [](Node n, uint32_t device) {
    return OpenArgs{static_cast<uint32_t>(n), device};
  };
  if (name == "/dev/iommu") return node(Node::kIommu, 0);
  if (name == "/dev/vfio/vfio") return node(Node::kVfioContainer, 0);
  if (StartsWith(name, kCdev)) return node(Node::kVfioCdev, kMaxDevices);  // none such
  if (StartsWith(name, kNoiommu)) {
    const auto group = Decimal(name, sizeof kNoiommu - 1);
    return group ? std::optional(node(Node::kVfioNoiommuGroup, *group)) : std::nullopt;
  }
  if (!StartsWith(name, kVfio)) return std::nullopt;
  const auto group = Decimal(name, sizeof kVfio - 1);
  return group ? std::optional(node(Node::kVfioGroup, *group)) : std::nullopt;
}

}  // namespace

std::string VrecImporter::NameOf(const std::string& sys, const std::string& kind) {
  return kind.empty() ? sys : sys + " " + kind;
}

bool VrecImporter::Matters(const std::string& kind) {
  return StartsWith(kind, "iommufd") || StartsWith(kind, "vfio-");
}

VrecImporter::VrecImporter(ImportBuilder* builder, const CaptureRecord& header,
                           std::optional<std::set<uint64_t>> pages)
    : b_(builder) {
  if (pages) text_ = std::make_unique<VsmmucliText>(builder, std::move(*pages));
  if (EducliText::IsClient(header)) edu_ = std::make_unique<EducliText>(builder, header);
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

std::optional<Handle> VrecImporter::ArgumentFd(const Call& c, uint64_t fd, OpKind kind) {
  if (const auto from = b_->handles().Fd(c.pid, fd)) return from;
  if (fd >= kStdioFds) return std::nullopt;
  // stdin, stdout, stderr: open, but not what any call wants. An eventfd is that to all but those
  // that want one, and memory to none of these.
  const bool wants_eventfd =
      kind == OpKind::kVfioDeviceSetIrqs || kind == OpKind::kVfioDeviceIoeventfd;
  const OpKind standin = wants_eventfd ? OpKind::kMemfd : OpKind::kEventfd;
  const auto known = standins_.find({{c.pid, fd}, standin});
  if (known != standins_.end()) return known->second;
  Op op = Start(c, standin);
  op.recorded->known = 0;
  op.recorded->err = 0;
  op.recorded->fd = static_cast<uint32_t>(fd);
  if (standin == OpKind::kMemfd) op.memfd.length = 1;
  const Handle made = b_->Add(std::move(op));
  if (b_->full()) return std::nullopt;
  ++b_->stats().derived;
  if (standin == OpKind::kMemfd) memfds_[made] = b_->NewBacking();
  standins_[{{c.pid, fd}, standin}] = made;
  return made;
}

void VrecImporter::NameHandles(const Call& c, uint64_t context, Op* op) {
  struct Namer {
    VrecImporter* self;
    const Call& c;
    uint64_t context;
    Op* op;
    void Field(const char*, uint64_t&) {}
    void Field(const char*, uint32_t&) {}
    void Field(const char*, uint16_t&) {}
    void HandleField(const char*, Handle& handle, HandleRole role, int index) {
      if (index == 0 || role == HandleRole::kMap) return;
      ImportBuilder::Name(op, index, &handle,
                          role == HandleRole::kFd ? self->ArgumentFd(c, handle, op->kind)
                                                  : self->b_->handles().Id(context, handle));
    }
  };
  VisitArgs(static_cast<OpData&>(*op), Namer{this, c, context, op});
  // Addresses become offsets into the mapping that they point to.
  const auto address = [&](Handle* map, int bit, uint64_t* at) {
    *map = kDanglingHandle;
    const auto place = b_->handles().Find(c.pid, *at);
    if (!place) return;
    ImportBuilder::Name(op, bit, map, place->op);
    *at = place->offset;
  };
  if (op->kind == OpKind::kIoasMap) address(&op->ioasMap.userMap, 2, &op->ioasMap.userVa);
  if (op->kind == OpKind::kVfioIommuMapDma)
    address(&op->vfioIommuMapDma.vaddrMap, 1, &op->vfioIommuMapDma.vaddr);
}

// The fds in the payload of SET_IRQS and HOT_RESET (vfio-type1 sheet 6).
void VrecImporter::NameFdWords(const Call& c, Op* op) {
  constexpr uint32_t kDataEventfd = 4;
  uint64_t* words = MutableFdResults(op);
  if (words == nullptr) return;
  if (op->kind == OpKind::kVfioDeviceSetIrqs && (op->vfioDeviceSetIrqs.flags & kDataEventfd) == 0)
    return;
  const uint64_t count = op->kind == OpKind::kVfioDeviceSetIrqs ? op->vfioDeviceSetIrqs.count
                                                                : op->vfioPciHotReset.count;
  for (size_t i = 0; i < 64 && i < count && 4 * i + 4 <= op->blob.size(); ++i) {
    uint32_t word = 0;
    std::memcpy(&word, op->blob.data() + 4 * i, sizeof word);
    const auto from = ArgumentFd(c, word, op->kind);
    if (!from) continue;
    std::memcpy(op->blob.data() + 4 * i, &*from, sizeof *from);
    *words |= uint64_t{1} << i;
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
  if (made->NumberOr("dupof", 0) != 0) return true;
  const Op& op = b_->op(from);
  if (op.kind == OpKind::kOpen && op.open.node == static_cast<uint32_t>(Node::kVfioCdev))
    devices_[obj] = op.open.device;
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
  auto node = NodeOf(name);
  if (!node) return Matters(kind) ? Raw(r, c, NameOf(c.sys, kind)) : Skip(NameOf(c.sys, kind));
  if (made && node->node == static_cast<uint32_t>(Node::kVfioCdev)) {
    const auto device = b_->facts().Cdev(name.substr(sizeof kCdev - 1));
    if (!device) return "more devices than a World can have";
    node->device = *device;
  }
  if (made && node->node == static_cast<uint32_t>(Node::kVfioGroup))
    b_->facts().GroupOpened(node->device);
  if (made && node->node == static_cast<uint32_t>(Node::kVfioContainer) && kind == "iommufd")
    b_->facts().ContainerIsIommufd();
  Op op = Start(c, OpKind::kOpen);
  op.open = *node;
  if (made) {
    op.recorded->fd = static_cast<uint32_t>(c.ret);
    op.recorded->known |= Outcome::kFd;
  }
  static const char* const kNames[] = {"iommufd", "vfio-device", "vfio-container", "vfio-group",
                                       "vfio-noiommu"};
  const Handle ordinal = Add(std::move(op), NameOf(c.sys, kNames[node->node]));
  if (!b_->full()) NewFd(r, c, ordinal);
  return "";
}

std::string VrecImporter::Close(const CaptureRecord& r, const Call& c) {
  const auto from = b_->handles().Fd(c.pid, c.fd);
  if (!Matters(c.kind) && !Follows(c.kind)) return Skip(NameOf(c.sys, c.kind));
  if (!from && !Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
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
    if (command != kDupFd && command != kDupFdCloexec)
      return Matters(c.kind) ? Raw(r, c, NameOf(c.sys, c.kind)) : Skip(NameOf(c.sys, c.kind));
  }
  if (!Matters(c.kind) && !(Follows(c.kind) && b_->handles().Fd(c.pid, c.fd)))
    return Skip(NameOf(c.sys, c.kind));
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

// "/sys/devices/.../0000:00:10.0/vfio-dev" lists "vfio0": the address of /dev/vfio/devices/vfio0.
// "/sys/bus/pci/devices/0000:00:10.0/iommu_group" points to ".../iommu_groups/6".
void VrecImporter::Learn(const CaptureRecord& r, const Call& c) {
  if (c.sys == "readlink" || c.sys == "readlinkat") {
    std::string name = r.TextOr("name", "");
    const std::string target = r.TextOr("target", "");
    const size_t slash = target.rfind('/');
    if (!EndsWith(name, "/iommu_group") || slash == std::string::npos) return;
    name.erase(name.rfind('/'));
    const auto group = Decimal(target, slash + 1);
    if (group && EndsWith(target.substr(0, slash), "iommu_groups"))
      b_->facts().GroupIs(name.substr(name.rfind('/') + 1), *group);
    return;
  }
  if (c.sys != "getdents64" || c.kind != "sysfs") return;
  std::string path = r.TextOr("path", "");
  if (!EndsWith(path, "/vfio-dev")) return;
  path.erase(path.rfind('/'));
  bool bad = false;
  const std::string entries = r.Bytes("data", &bad).value_or("");
  const size_t at = entries.find("vfio");
  if (at == std::string::npos) return;
  size_t stop = at + 4;
  while (stop < entries.size() && entries[stop] >= '0' && entries[stop] <= '9') ++stop;
  b_->facts().CdevIs(entries.substr(at, stop - at), path.substr(path.rfind('/') + 1));
}

std::string VrecImporter::KernelLog(const CaptureRecord& r) {
  const std::string text = r.TextOr("text", "");
  b_->facts().KernelLog(text);
  if (edu_ != nullptr) edu_->KernelLog(text);
  return Skip("kmsg");
}

// A thread is no process of its own.
std::string VrecImporter::Fork(const CaptureRecord& r, const Call& c) {
  const auto child = r.Number("child_pid");
  if (!child || *child == c.pid) return Skip("fork");
  const auto index = b_->Process(*child);
  if (!index) return Skip("more processes than a World can have");
  b_->world().processes[*index].unborn = true;
  Op op = Start(c, OpKind::kFork);
  op.recorded->known = Outcome::kErr;
  op.fork.child = *index;
  Add(std::move(op), "fork");
  b_->handles().Fork(c.pid, *child, [&] { return b_->NewBacking(); });
  std::map<Key, uint64_t> inherited;
  for (auto it = files_.lower_bound({c.pid, 0}); it != files_.end() && it->first.first == c.pid;
       ++it)
    inherited[{*child, it->first.second}] = it->second;
  files_.merge(inherited);
  return "";
}

// The kernel's own releases at the end of a process are part of the Op.
std::string VrecImporter::Exit(const CaptureRecord& r, const Call& c) {
  constexpr uint64_t kSignalled = 128;
  if (r.NumberOr("tid", c.pid) != c.pid) return Skip("exit");  // of a thread
  Op op = Start(c, OpKind::kExit);
  op.recorded->known = Outcome::kErr;
  op.exit.status =
      static_cast<uint32_t>(r.NumberOr("status", kSignalled + r.NumberOr("signal", 0)));
  Add(std::move(op), "exit");
  b_->handles().ForgetProcess(c.pid);
  files_.erase(files_.lower_bound({c.pid, 0}), files_.lower_bound({c.pid + 1, 0}));
  unfinished_.erase(unfinished_.lower_bound({c.pid, 0}), unfinished_.lower_bound({c.pid + 1, 0}));
  return "";
}

std::string VrecImporter::Record(const CaptureRecord& r) {
  Call c;
  c.sys = r.TextOr("sys", "");
  if (c.sys.empty()) return "a record without 'sys'";
  if (c.sys == "header") return "a second header";
  if (c.sys == "kmsg") return KernelLog(r);
  if (c.sys == "footer" || c.sys == "signal") return Skip(c.sys);
  const auto pid = r.Number("pid");
  if (!pid) return "a record without 'pid'";
  c.pid = *pid;
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

  using Handler = std::string (VrecImporter::*)(const CaptureRecord&, const Call&);
  static const std::map<std::string, Handler> kHandlers = {
      {"open", &VrecImporter::Open},        {"openat", &VrecImporter::Open},
      {"close", &VrecImporter::Close},      {"dup", &VrecImporter::Dup},
      {"dup2", &VrecImporter::Dup},         {"dup3", &VrecImporter::Dup},
      {"fcntl", &VrecImporter::Dup},        {"ioctl", &VrecImporter::Ioctl},
      {"read", &VrecImporter::Read},        {"pread64", &VrecImporter::Read},
      {"write", &VrecImporter::Write},      {"pwrite64", &VrecImporter::Write},
      {"poll", &VrecImporter::Poll},        {"ppoll", &VrecImporter::Poll},
      {"mmap", &VrecImporter::Mmap},        {"munmap", &VrecImporter::Munmap},
      {"eventfd2", &VrecImporter::Eventfd}, {"memfd_create", &VrecImporter::Memfd},
      {"fork", &VrecImporter::Fork},        {"exit", &VrecImporter::Exit}};
  if (const auto handler = kHandlers.find(c.sys); handler != kHandlers.end())
    return (this->*handler->second)(r, c);
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
