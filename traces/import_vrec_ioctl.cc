// The part of import_vrec.h that reads ioctls: their bytes, their answers, and what these tell.
#include <algorithm>

#include "traces/codec.h"
#include "traces/import_vrec.h"

namespace twinwalk {
namespace {

// Numbers of ioctls: iommufd sheet 3.1, vfio-type1 sheet 2.
constexpr uint32_t kUnmapDma = 0x3b72, kDirtyPages = 0x3b75, kIovaRanges = 0x3b84;
constexpr uint32_t kGetHwInfo = 0x3b8a, kGetDirty = 0x3b8c, kHwQueueAlloc = 0x3b94;
constexpr uint32_t kFeatureDmaBuf = 11;  // of VFIO_DEVICE_FEATURE
constexpr uint16_t kEfault = 14;

// Where an ioctl that stays raw returned an id. The id must not be taken for a number that a
// Machine gave to something else.
std::optional<uint32_t> RawId(const RecordedIoctl& call) {
  if (call.err != 0 || call.command != kHwQueueAlloc) return std::nullopt;
  return static_cast<uint32_t>(LoadWord(call.after, 20, 4));
}

// Whether the kernel writes to the nested buffer.
bool KernelWrites(uint32_t command, Frontend file) {
  if (file != Frontend::kContainer) return false;
  return command == kIovaRanges || command == kGetHwInfo || command == kGetDirty ||
         command == kUnmapDma || command == kDirtyPages;
}

std::optional<Frontend> FrontendOf(const std::string& kind) {
  if (kind == "iommufd" || kind == "vfio-container") return Frontend::kContainer;
  if (kind == "vfio-group") return Frontend::kGroup;
  if (kind == "vfio-device") return Frontend::kDevice;
  return std::nullopt;
}

}  // namespace

// False when something is not hex.
bool VrecImporter::ReadBytes(const CaptureRecord& r, RawIoctl* raw, RecordedIoctl* call) const {
  bool bad = false;
  raw->in = r.Bytes("in", &bad).value_or("");
  // What could be written was not recorded: taken to be what could be read.
  raw->writable = static_cast<uint16_t>(std::min<size_t>(raw->in.size(), 65535));
  call->after = r.Bytes("out", &bad).value_or(raw->in);
  call->changed = call->after != raw->in;
  for (size_t i = 0; i < r.ListSize("ptr"); ++i) {
    const CaptureRecord nested = r.ListAt("ptr", i);
    RawBuffer buffer;
    buffer.name = nested.TextOr("name", "");
    buffer.address = nested.NumberOr("addr", 0);
    buffer.bytes = nested.Bytes("in", &bad).value_or("");
    if (KernelWrites(raw->command, raw->file))
      buffer.writable = static_cast<uint32_t>(buffer.bytes.size());
    if (i == 0) call->buffer_after = nested.Bytes("out", &bad).value_or(buffer.bytes);
    raw->buffers.push_back(std::move(buffer));
  }
  return !bad;
}

std::string VrecImporter::Ioctl(const CaptureRecord& r, const Call& c) {
  const std::string name = r.TextOr("ioctl", r.TextOr("cmd", "ioctl").c_str());
  if (!Matters(c.kind)) return Skip(NameOf(c.sys, c.kind));
  const auto file = FrontendOf(c.kind);
  RawIoctl raw;
  raw.process = c.process;
  raw.fd = static_cast<uint32_t>(c.fd);
  raw.command = static_cast<uint32_t>(r.NumberOr("cmd", 0));
  raw.file = file.value_or(Frontend::kContainer);
  raw.arg = r.NumberOr("arg", 0);
  RecordedIoctl call;
  call.command = raw.command;
  call.err = c.err;
  call.ret = c.ret;
  if (!ReadBytes(r, &raw, &call)) return "an ioctl's bytes are not hex";
  uint64_t context = 0;
  if (auto it = contexts_.find(c.obj); it != contexts_.end()) context = it->second;

  Op op;
  const bool typed = file && c.finished && !MadeByRaw(c, c.fd) && Decode(raw, &op);
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
    auto bound = files_.find({c.pid, op.bind.iommufd});
    context = bound == files_.end() ? 0 : bound->second;
    if (c.err == 0 && context != 0) contexts_[c.obj] = context;
  }
  // The recorder looks no further than the size word. A struct that is longer than that was there
  // in memory when the kernel's copy of it did not fail; what it held there nobody reads.
  if (c.err != kEfault && raw.in.size() == r.NumberOr("len", 0))
    op.readable = std::max(op.readable, static_cast<uint16_t>(StructSize(op.kind)));
  op.recorded = RecordedOutcome(op, call);
  b_->facts().Ioctl(op, DeviceOf(c));
  NameFd(c, c.fd, &op);
  // The id that ATTACH replaces by that of the HWPT which it used.
  const uint32_t given = op.kind == OpKind::kAttachIommufdPt ? op.attach.ptId : 0;
  NameHandles(c, context, &op);
  NameFdWords(c, &op);
  const Outcome recorded = *op.recorded;
  const Handle ordinal = Add(std::move(op), name);
  if (b_->full()) return "";
  ++b_->stats().ioctls;
  if (recorded.err == 0) {
    const bool has_id = (recorded.known & Outcome::kId) != 0 && recorded.id != 0;
    if (has_id && recorded.id != given) b_->handles().SetId(context, recorded.id, ordinal);
    AfterIoctl(r, c, ordinal);
  }
  return "";
}

std::optional<uint32_t> VrecImporter::DeviceOf(const Call& c) const {
  if (c.kind != "vfio-device") return std::nullopt;
  auto it = devices_.find(c.obj);
  if (it == devices_.end()) return std::nullopt;
  return it->second;
}

// The clients that print what their memory holds want to know where it is.
void VrecImporter::Mapped(const Call& c, uint64_t iova, uint64_t length,
                          std::optional<MapPlace> place) {
  if (!place) return;
  if (text_ != nullptr) text_->Mapped(c.pid, iova, length, *place);
  if (edu_ != nullptr) edu_->Mapped(c.pid, iova, length, *place);
}

// A dma-buf of a device's memory: memory of its length stands for it. struct of the feature:
// region_index, open_flags, flags, nr_ranges, then {offset, length} each.
void VrecImporter::DmaBuf(const Call& c, uint64_t fd, Handle feature) {
  const std::string& payload = b_->op(feature).blob;
  const uint64_t ranges = std::min<uint64_t>(LoadWord(payload, 12, 4), 1024);
  uint64_t length = 0;
  for (uint64_t i = 0; i < ranges; ++i) length += LoadWord(payload, 24 + 16 * i, 8);
  Op op = Start(c, OpKind::kMemfd);
  op.memfd.length = length;
  op.recorded->known = 0;
  op.recorded->fd = static_cast<uint32_t>(fd);
  const Handle made = b_->Add(std::move(op));
  if (b_->full()) return;
  ++b_->stats().derived;
  memfds_[made] = b_->NewBacking();
  b_->handles().SetFd(c.pid, fd, made);
}

// What a successful call made and changed.
void VrecImporter::AfterIoctl(const CaptureRecord& r, const Call& c, Handle ordinal) {
  const Op& op = b_->op(ordinal);
  const Outcome recorded = *op.recorded;
  const auto made = r.Object("newfd");
  const auto fd = made ? made->Number("fd") : std::nullopt;
  if (op.kind == OpKind::kVfioDeviceFeature) {
    if (fd && (op.vfioDeviceFeature.flags & 0xffff) == kFeatureDmaBuf) DmaBuf(c, *fd, ordinal);
    return;
  }
  NewFd(r, c, ordinal);
  if (op.kind == OpKind::kVfioGroupGetDeviceFd && made) {
    const auto device = b_->facts().Device(op.blob.substr(0, op.blob.find('\0')));
    if (device) devices_[made->NumberOr("obj", 0)] = *device;
  } else if (op.kind == OpKind::kIoasMap) {
    const IoasMapArgs map = op.ioasMap;
    const uint64_t base = (op.results >> 2 & 1) != 0 ? b_->op(map.userMap).mmap.base : 0;
    Mapped(c, recorded.values[0], map.length, b_->handles().Find(c.pid, base + map.userVa));
  } else if (op.kind == OpKind::kVfioIommuMapDma) {
    const VfioIommuMapDmaArgs map = op.vfioIommuMapDma;
    const uint64_t base = (op.results >> 1 & 1) != 0 ? b_->op(map.vaddrMap).mmap.base : 0;
    Mapped(c, map.iova, map.length, b_->handles().Find(c.pid, base + map.vaddr));
  } else if (op.kind == OpKind::kIoasMapFile) {
    const IoasMapFileArgs map = op.ioasMapFile;
    const auto memory = (op.results >> 2 & 1) != 0 ? memfds_.find(map.file) : memfds_.end();
    if (memory != memfds_.end())
      Mapped(c, recorded.values[0], map.length,
             MapPlace{kDanglingHandle, 0, map.length, memory->second, map.start});
  } else if (op.kind == OpKind::kIoasCopy && edu_ != nullptr) {
    edu_->Copied(op.ioasCopy.srcIova, recorded.values[0], op.ioasCopy.length);
  } else if (op.kind == OpKind::kIoasUnmap && text_ != nullptr) {
    text_->Unmapped(op.ioasUnmap.iova, recorded.values[0]);
  }
}

}  // namespace twinwalk
