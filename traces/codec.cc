#include "traces/codec.h"

#include <algorithm>
#include <cstring>

#include "traces/codec_layouts.h"
#include "traces/resolve.h"
#include "traces/trace.h"

namespace twinwalk {
namespace {

char* Place(OpData* op, uint8_t offset) {
  return reinterpret_cast<char*>(op) + offset;
}
const char* Place(const OpData& op, uint8_t offset) {
  return reinterpret_cast<const char*>(&op) + offset;
}
template <class T>
T Load(const OpData& op, uint8_t offset) {
  T value = 0;
  std::memcpy(&value, Place(op, offset), sizeof value);
  return value;
}

constexpr uint8_t kNone = 0;  // no field has this offset in OpData

// The struct's bytes that are there, to their fields. A field that is cut keeps its first bytes.
void TakeFields(const Layout& layout, const std::string& in, OpData* op) {
  if (layout.shape == Shape::kWord) {
    op->size = StructSize(layout.kind);
  } else {
    std::memcpy(&op->size, in.data(), std::min<size_t>(in.size(), sizeof op->size));
  }
  for (size_t i = 0; i < layout.field_count; ++i) {
    const FieldAt& at = layout.fields[i];
    if (in.size() <= at.user) continue;
    std::memcpy(Place(op, at.op), in.data() + at.user,
                std::min<size_t>(at.width, in.size() - at.user));
  }
}

// REQUIRES: the fields are taken. False when the buffers do not fit into an Op.
bool TakeBuffers(const Layout& layout, const RawIoctl& raw, Op* op) {
  for (const RawBuffer& buffer : raw.buffers) {
    if (buffer.bytes.empty() && buffer.writable == 0) continue;
    const bool second = &buffer != &raw.buffers[0];
    if (second || layout.pointer == kNone || Load<uint64_t>(*op, layout.pointer) != buffer.address)
      return false;
    if (layout.writable == kNone && buffer.writable != 0) return false;
    if (layout.writable != kNone)
      std::memcpy(Place(op, layout.writable), &buffer.writable, sizeof buffer.writable);
    op->blob += buffer.bytes;
  }
  return op->blob.size() <= kMaxBlobBytes;
}

// Bytes of the struct that a recorder sees.
uint32_t Seen(const Layout& layout, uint32_t size) {
  return layout.shape == Shape::kWord ? StructSize(layout.kind) : std::max(size, kMinSeen);
}

// An argument that is no struct: the only field takes it. False when there is more.
bool TakeArgument(const Layout& layout, const RawIoctl& raw, Op* op) {
  if (!raw.buffers.empty() || raw.writable > raw.in.size()) return false;
  if (layout.shape == Shape::kNumber && !raw.in.empty()) return false;
  std::memcpy(Place(op, layout.fields[0].op), &raw.arg, sizeof raw.arg);
  op->blob = raw.in;
  op->readable = static_cast<uint16_t>(raw.in.size());
  op->writable = raw.writable;
  return op->blob.size() <= kMaxBlobBytes;
}

bool DecodeTyped(const RawIoctl& raw, Op* op) {
  const Layout* layout = LayoutOf(raw.command, raw.file);
  if (layout == nullptr || raw.in.size() > 0xffff) return false;
  op->kind = layout->kind;
  if (layout->shape == Shape::kNumber || layout->shape == Shape::kText)
    return TakeArgument(*layout, raw, op);
  TakeFields(*layout, raw.in, op);
  op->readable = static_cast<uint16_t>(raw.in.size());
  op->writable = raw.writable;
  if (raw.in.size() > Seen(*layout, op->size)) return false;
  const uint32_t known = StructSize(op->kind);
  if (raw.in.size() > known) op->blob = raw.in.substr(known);
  return TakeBuffers(*layout, raw, op);
}

// Replaces results by numbers.
struct NumberFiller {
  OpData* op;
  const HandleNumber& number;
  uint64_t map_base = 0;
  template <class T>
  void Field(const char*, T&) {}
  void HandleField(const char*, Handle& field, HandleRole role, int index) {
    if (!(op->results >> index & 1)) return;
    const uint64_t value = number(field, role);
    field = static_cast<Handle>(value);
    if (role == HandleRole::kMap) map_base = value;
  }
};

}  // namespace

bool Decode(const RawIoctl& raw, Op* op) {
  *op = Op();
  op->process = raw.process;
  op->fd = raw.fd;
  if (DecodeTyped(raw, op)) return true;
  *op = Op();
  op->process = raw.process;
  op->fd = raw.fd;
  op->kind = OpKind::kRaw;
  op->raw.command = raw.command;
  op->raw.arg = raw.arg;
  op->writable = raw.writable;
  op->blob = raw.in.substr(0, kMaxBlobBytes);
  return false;
}

RawIoctl Encode(const Op& op, const HandleNumber& number) {
  OpData data = op;
  NumberFiller filler{&data, number};
  VisitArgs(data, filler);
  if (data.kind == OpKind::kIoasMap) data.ioasMap.userVa += filler.map_base;
  if (data.kind == OpKind::kVfioIommuMapDma) data.vfioIommuMapDma.vaddr += filler.map_base;
  std::string blob = op.blob;
  FillFdWords(op, &blob,
              [&](Handle from) { return static_cast<uint32_t>(number(from, HandleRole::kFd)); });
  RawIoctl raw;
  raw.process = data.process;
  raw.fd = data.fd;
  raw.writable = data.writable;
  const Layout* layout = LayoutOf(data.kind);
  if (layout == nullptr) {
    raw.command = data.kind == OpKind::kRaw ? data.raw.command : 0;
    raw.arg = data.kind == OpKind::kRaw ? data.raw.arg : 0;
    raw.in = blob;
    return raw;
  }
  raw.command = layout->command;
  raw.file = layout->file;
  if (layout->shape == Shape::kNumber || layout->shape == Shape::kText) {
    raw.arg = Load<uint64_t>(data, layout->fields[0].op);
    if (layout->shape == Shape::kText) raw.in = blob;
    return raw;
  }
  raw.in.assign(StructSize(data.kind), '\0');
  if (layout->shape == Shape::kStruct) std::memcpy(raw.in.data(), &data.size, sizeof data.size);
  for (size_t i = 0; i < layout->field_count; ++i) {
    const FieldAt& at = layout->fields[i];
    std::memcpy(raw.in.data() + at.user, Place(data, at.op), at.width);
  }
  const size_t trailing = std::min<size_t>(TrailingBytes(data), blob.size());
  raw.in.append(blob, 0, trailing);
  const uint32_t seen = std::min<uint32_t>(Seen(*layout, data.size), data.readable);
  if (raw.in.size() > seen) raw.in.resize(seen);
  RawBuffer buffer{layout->buffer, 0, blob.substr(trailing), 0};
  if (layout->pointer != kNone) buffer.address = Load<uint64_t>(data, layout->pointer);
  if (layout->writable != kNone) buffer.writable = Load<uint32_t>(data, layout->writable);
  if (!buffer.bytes.empty() || buffer.writable != 0) raw.buffers.push_back(std::move(buffer));
  return raw;
}

}  // namespace twinwalk
