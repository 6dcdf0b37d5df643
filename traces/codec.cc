#include "traces/codec.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "traces/trace.h"

namespace twinwalk {
namespace {

// Where a field of the user's struct stands in the Op.
struct FieldAt {
  uint8_t user;   // offset in the user's struct (iommufd sheet 3.1, 19)
  uint8_t width;  // bytes
  uint8_t op;     // offset in OpData
};
#define AT(user, member) \
  { user, sizeof(OpData::member), offsetof(OpData, member) }

constexpr FieldAt kBind[] = {AT(4, bind.flags), AT(8, bind.iommufd), AT(12, bind.outDevid),
                             AT(16, bind.tokenPtr)};
constexpr FieldAt kAttach[] = {AT(4, attach.flags), AT(8, attach.ptId), AT(12, attach.pasid)};
constexpr FieldAt kDetach[] = {AT(4, detach.flags), AT(8, detach.pasid)};
constexpr FieldAt kIoasAlloc[] = {AT(4, ioasAlloc.flags), AT(8, ioasAlloc.outIoasId)};
constexpr FieldAt kIoasMap[] = {AT(4, ioasMap.flags),     AT(8, ioasMap.ioasId),
                                AT(12, ioasMap.reserved), AT(16, ioasMap.userVa),
                                AT(24, ioasMap.length),   AT(32, ioasMap.iova)};
constexpr FieldAt kIoasUnmap[] = {AT(4, ioasUnmap.ioasId), AT(8, ioasUnmap.iova),
                                  AT(16, ioasUnmap.length)};
constexpr FieldAt kIovaRanges[] = {
    AT(4, ioasIovaRanges.ioasId), AT(8, ioasIovaRanges.numIovas), AT(12, ioasIovaRanges.reserved),
    AT(16, ioasIovaRanges.allowedIovas), AT(24, ioasIovaRanges.outIovaAlignment)};
constexpr FieldAt kGetHwInfo[] = {
    AT(4, getHwInfo.flags),           AT(8, getHwInfo.devId),
    AT(12, getHwInfo.dataLen),        AT(16, getHwInfo.dataPtr),
    AT(24, getHwInfo.dataType),       AT(28, getHwInfo.maxPasidAndReserved),
    AT(32, getHwInfo.outCapabilities)};
constexpr FieldAt kHwptAlloc[] = {AT(4, hwptAlloc.flags),     AT(8, hwptAlloc.devId),
                                  AT(12, hwptAlloc.ptId),     AT(16, hwptAlloc.outHwptId),
                                  AT(20, hwptAlloc.reserved), AT(24, hwptAlloc.dataType),
                                  AT(28, hwptAlloc.dataLen),  AT(32, hwptAlloc.dataPtr),
                                  AT(40, hwptAlloc.faultId),  AT(44, hwptAlloc.reserved2)};
constexpr FieldAt kViommuAlloc[] = {AT(4, viommuAlloc.flags),        AT(8, viommuAlloc.type),
                                    AT(12, viommuAlloc.devId),       AT(16, viommuAlloc.hwptId),
                                    AT(20, viommuAlloc.outViommuId), AT(24, viommuAlloc.dataLen),
                                    AT(28, viommuAlloc.reserved),    AT(32, viommuAlloc.dataPtr)};
constexpr FieldAt kVdeviceAlloc[] = {AT(4, vdeviceAlloc.viommuId), AT(8, vdeviceAlloc.devId),
                                     AT(12, vdeviceAlloc.outVdeviceId),
                                     AT(16, vdeviceAlloc.virtId)};
constexpr FieldAt kVeventqAlloc[] = {
    AT(4, veventqAlloc.flags),         AT(8, veventqAlloc.viommuId),
    AT(12, veventqAlloc.type),         AT(16, veventqAlloc.depth),
    AT(20, veventqAlloc.outVeventqId), AT(24, veventqAlloc.outVeventqFd),
    AT(28, veventqAlloc.reserved)};
constexpr FieldAt kInvalidate[] = {
    AT(4, hwptInvalidate.hwptId),    AT(8, hwptInvalidate.dataPtr),
    AT(16, hwptInvalidate.dataType), AT(20, hwptInvalidate.entryLen),
    AT(24, hwptInvalidate.entryNum), AT(28, hwptInvalidate.reserved)};
constexpr FieldAt kDestroy[] = {AT(4, destroy.id)};

constexpr uint8_t kNone = 0;  // no field has this offset in OpData
struct Layout {
  OpKind kind;
  uint32_t command;
  bool is_vfio_device;
  const FieldAt* fields;
  size_t field_count;
  // The one buffer that the struct points to.
  const char* buffer = "";
  uint8_t pointer = kNone;   // offset in OpData of its address
  uint8_t writable = kNone;  // likewise of bufWritable
};
#define FIELDS(table) table, std::size(table)
constexpr Layout kLayouts[] = {
    {OpKind::kBindIommufd, 0x3b76, true, FIELDS(kBind), "token_uuid",
     offsetof(OpData, bind.tokenPtr)},
    {OpKind::kAttachIommufdPt, 0x3b77, true, FIELDS(kAttach)},
    {OpKind::kDetachIommufdPt, 0x3b78, true, FIELDS(kDetach)},
    {OpKind::kDestroy, 0x3b80, false, FIELDS(kDestroy)},
    {OpKind::kIoasAlloc, 0x3b81, false, FIELDS(kIoasAlloc)},
    {OpKind::kIoasIovaRanges, 0x3b84, false, FIELDS(kIovaRanges), "allowed_iovas",
     offsetof(OpData, ioasIovaRanges.allowedIovas), offsetof(OpData, ioasIovaRanges.bufWritable)},
    {OpKind::kIoasMap, 0x3b85, false, FIELDS(kIoasMap)},
    {OpKind::kIoasUnmap, 0x3b86, false, FIELDS(kIoasUnmap)},
    {OpKind::kHwptAlloc, 0x3b89, false, FIELDS(kHwptAlloc), "data",
     offsetof(OpData, hwptAlloc.dataPtr)},
    {OpKind::kGetHwInfo, 0x3b8a, false, FIELDS(kGetHwInfo), "data",
     offsetof(OpData, getHwInfo.dataPtr), offsetof(OpData, getHwInfo.bufWritable)},
    {OpKind::kHwptInvalidate, 0x3b8d, false, FIELDS(kInvalidate), "data",
     offsetof(OpData, hwptInvalidate.dataPtr)},
    {OpKind::kViommuAlloc, 0x3b90, false, FIELDS(kViommuAlloc), "data",
     offsetof(OpData, viommuAlloc.dataPtr)},
    {OpKind::kVdeviceAlloc, 0x3b91, false, FIELDS(kVdeviceAlloc)},
    {OpKind::kVeventqAlloc, 0x3b93, false, FIELDS(kVeventqAlloc)},
};
#undef FIELDS
#undef AT

const Layout* LayoutOf(uint32_t command, bool is_vfio_device) {
  for (const Layout& layout : kLayouts)
    if (layout.command == command && layout.is_vfio_device == is_vfio_device) return &layout;
  return nullptr;
}
const Layout* LayoutOf(OpKind kind) {
  for (const Layout& layout : kLayouts)
    if (layout.kind == kind) return &layout;
  return nullptr;
}

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

// The struct's bytes that are there, to their fields. A field that is cut keeps its first bytes.
void TakeFields(const Layout& layout, const std::string& in, OpData* op) {
  std::memcpy(&op->size, in.data(), std::min<size_t>(in.size(), sizeof op->size));
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

bool DecodeTyped(const RawIoctl& raw, Op* op) {
  const Layout* layout = LayoutOf(raw.command, raw.is_vfio_device);
  if (layout == nullptr || raw.in.size() > 0xffff) return false;
  op->kind = layout->kind;
  TakeFields(*layout, raw.in, op);
  op->readable = static_cast<uint16_t>(raw.in.size());
  op->writable = raw.writable;
  const uint32_t known = StructSize(op->kind);
  // Bytes behind both the size word and the kernel's struct have no place.
  if (raw.in.size() > std::max(known, op->size)) return false;
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
  RawIoctl raw;
  raw.process = data.process;
  raw.fd = data.fd;
  raw.writable = data.writable;
  const Layout* layout = LayoutOf(data.kind);
  if (layout == nullptr) {
    raw.command = data.kind == OpKind::kRaw ? data.raw.command : 0;
    raw.arg = data.kind == OpKind::kRaw ? data.raw.arg : 0;
    raw.in = op.blob;
    return raw;
  }
  raw.command = layout->command;
  raw.is_vfio_device = layout->is_vfio_device;
  raw.in.assign(StructSize(data.kind), '\0');
  std::memcpy(raw.in.data(), &data.size, sizeof data.size);
  for (size_t i = 0; i < layout->field_count; ++i) {
    const FieldAt& at = layout->fields[i];
    std::memcpy(raw.in.data() + at.user, Place(data, at.op), at.width);
  }
  const size_t trailing = std::min<size_t>(TrailingBytes(data), op.blob.size());
  raw.in.append(op.blob, 0, trailing);
  if (raw.in.size() > data.readable) raw.in.resize(data.readable);
  RawBuffer buffer{layout->buffer, 0, op.blob.substr(trailing), 0};
  if (layout->pointer != kNone) buffer.address = Load<uint64_t>(data, layout->pointer);
  if (layout->writable != kNone) buffer.writable = Load<uint32_t>(data, layout->writable);
  if (!buffer.bytes.empty() || buffer.writable != 0) raw.buffers.push_back(std::move(buffer));
  return raw;
}

}  // namespace twinwalk
