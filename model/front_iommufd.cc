// iommufd ioctls on I/O address spaces and objects (iommufd sheet 4, 6, 9, 11; docs/TRACE.md 3).
#include <algorithm>
#include <cstring>

#include "model/front.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
enum MapFlags : uint32_t { kFixedIova = 1, kWriteable = 2, kReadable = 4 };
constexpr uint64_t kMostOut = 1 << 16;  // bytes of a user's buffer that are written at once

void Put32(std::string* bytes, size_t at, uint32_t value) {
  std::memcpy(&(*bytes)[at], &value, 4);
}

}  // namespace

Outcome IoasAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 12);
  if (frame.error() != 0) return Fail(frame.error());
  if (op.ioasAlloc.flags != 0) return Fail(EOPNOTSUPP);
  if (!frame.CanRespond()) return Fail(EFAULT);
  if (stack->AllocationFails()) return Fail(ENOMEM);
  Outcome out;
  out.id = context->Add(std::make_unique<Ioas>())->id;
  return out;
}

Outcome IoasMap(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 40);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasMapArgs& a = op.ioasMap;
  if ((a.flags & ~7u) != 0 || a.reserved != 0) return Fail(EOPNOTSUPP);
  if (a.iova == kTop || a.length == kTop) return Fail(EOVERFLOW);
  if ((a.flags & (kWriteable | kReadable)) == 0) return Fail(EINVAL);
  Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);
  if (a.userVa + a.length < a.userVa && !stack->faults().m07UserRangeWraps) return Fail(EOVERFLOW);
  if (a.length == 0 || a.length > kTop - kPageSize) return Fail(EINVAL);

  uint64_t iova = a.iova;
  const int error = (a.flags & kFixedIova) != 0
                        ? ioas->space.CheckFixed(iova, a.length, a.userVa)
                        : ioas->space.Place(a.length, a.userVa, stack->faults(), &iova);
  if (error != 0) return Fail(error);

  const ProcessConfig& process = stack->world().processes[op.process];
  Area area;
  area.first = iova;
  area.last = iova + (a.length - 1);
  area.process = op.process;
  area.va = a.userVa;
  area.rights =
      ((a.flags & kReadable) != 0 ? kRead : 0) | ((a.flags & kWriteable) != 0 ? kWrite : 0);
  area.account = process.ipcLock ? 0 : uint64_t{process.uid} + 1;
  if (!ioas->hwpts.empty()) {
    const int pin = stack->Pin(&area);
    if (pin != 0) return Fail(pin);
  }
  if (frame.CanRespond() && stack->AllocationFails()) {
    stack->Unpin(&area);
    return Fail(ENOMEM);
  }
  const Area& placed = ioas->space.areas().emplace(iova, std::move(area)).first->second;
  for (Hwpt* hwpt : ioas->hwpts) stack->ShowArea(hwpt, placed);
  if (!frame.CanRespond()) return Fail(EFAULT);  // the mapping stays
  Outcome out;
  out.values[0] = iova;
  return out;
}

Outcome IoasUnmap(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasUnmapArgs& a = op.ioasUnmap;
  const bool all = a.iova == 0 && a.length == kTop;
  const uint64_t last = all ? kTop : a.iova + (a.length - 1);
  if (!all) {
    if (a.iova == kTop || a.length == kTop) return Fail(EOVERFLOW);
    if (a.length == 0) return Fail(EINVAL);
    if (last < a.iova) return Fail(EOVERFLOW);
  }
  Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);

  // Ascending; a failure at the upper edge leaves what went before unmapped (6.8).
  uint64_t bytes = 0;
  for (;;) {
    const auto area = ioas->space.FirstMeeting(a.iova, last);
    if (area == ioas->space.areas().end()) break;
    if (area->first < a.iova || area->second.last > last) return Fail(ENOENT);
    bytes += area->second.last - area->first + 1;
    stack->RemoveArea(ioas, area);
  }
  if (bytes == 0 && !all) return Fail(ENOENT);
  if (!frame.CanRespond()) return Fail(EFAULT);
  Outcome out;
  out.values[0] = bytes;
  return out;
}

Outcome IoasIovaRanges(Stack*, Context* context, const Op& op) {
  const Frame frame(op, 32);
  if (frame.error() != 0) return Fail(frame.error());
  const IoasIovaRangesArgs& a = op.ioasIovaRanges;
  if (a.reserved != 0) return Fail(EOPNOTSUPP);
  const Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);
  const auto ranges = ioas->space.Ranges();
  const size_t shown = std::min<size_t>(a.numIovas, ranges.size());
  if (a.bufWritable < shown * 16) return Fail(EFAULT);
  if (!frame.CanRespond()) return Fail(EFAULT);
  Outcome out;
  for (size_t i = 0; i < shown; ++i) {
    const uint64_t pair[2] = {ranges[i].first, ranges[i].second};
    out.out.append(reinterpret_cast<const char*>(pair), 16);
  }
  out.values = {ranges.size(), ioas->space.alignment(), 0};
  if (ranges.size() > a.numIovas) out.err = EMSGSIZE;
  return out;
}

Outcome GetHwInfo(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 32);
  if (frame.error() != 0) return Fail(frame.error());
  const GetHwInfoArgs& a = op.getHwInfo;
  if ((a.flags & ~1u) != 0 || (a.maxPasidAndReserved >> 8) != 0) return Fail(EOPNOTSUPP);
  const DeviceObject* device = context->FindAs<DeviceObject>(a.devId);
  if (device == nullptr) return Fail(ENOENT);
  if ((a.flags & 1) != 0 && a.dataType != 0 && a.dataType != 2) return Fail(EOPNOTSUPP);
  if (a.bufWritable < a.dataLen) return Fail(EFAULT);
  if (!frame.CanRespond()) return Fail(EFAULT);
  const SmmuConfig& smmu = stack->smmu(stack->device(device->device).config.smmu).config();
  std::string info(40, '\0');  // flags, __reserved, idr[6], iidr, aidr (20.2)
  for (int i = 0; i < 6; ++i) Put32(&info, 8 + i * 4, smmu.idr[i]);
  Put32(&info, 32, smmu.iidr);
  Put32(&info, 36, smmu.aidr);
  Outcome out;
  info.resize(std::min<uint64_t>(a.dataLen, kMostOut), '\0');
  out.out = std::move(info);
  out.values = {40, 2, 8};
  return out;
}

Outcome Destroy(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 8);
  if (frame.error() != 0) return Fail(frame.error());
  Object* object = context->Find(op.destroy.id);
  if (object == nullptr) return Fail(ENOENT);
  if (object->users() > 0) return Fail(EBUSY);
  stack->DestroyObject(object);
  return Outcome();
}

}  // namespace twinwalk::model
