// iommufd ioctls on I/O address spaces and objects (iommufd sheet 4, 6, 9, 11; docs/TRACE.md 3).
#include <algorithm>
#include <cstring>

#include "model/front.h"
#include "model/maps.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
constexpr uint64_t kMostOut = 1 << 16;  // bytes of a user's buffer that are written at once

void Put32(std::string* bytes, size_t at, uint32_t value) {
  std::memcpy(&(*bytes)[at], &value, 4);
}

void Put64(std::string* bytes, size_t at, uint64_t value) {
  std::memcpy(&(*bytes)[at], &value, 8);
}

// Sheet 20.2: flags, __reserved, idr[6], iidr, aidr.
std::string SmmuInfo(const SmmuConfig& smmu) {
  std::string info(40, '\0');
  for (int i = 0; i < 6; ++i) Put32(&info, 8 + i * 4, smmu.idr[i]);
  Put32(&info, 32, smmu.iidr);
  Put32(&info, 36, smmu.aidr);
  return info;
}
// Sheet 20.1: flags (the erratum), __reserved, cap, ecap.
std::string VtdInfo(const VtdConfig& vtd) {
  std::string info(24, '\0');
  Put32(&info, 0, 1);
  Put64(&info, 8, vtd.cap);
  Put64(&info, 16, vtd.ecap);
  return info;
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
  if (const int error = CheckMapArgs(a.flags, a.reserved, {a.iova, a.length})) return Fail(error);
  Ioas* ioas = context->FindAs<Ioas>(a.ioasId);
  if (ioas == nullptr) return Fail(ENOENT);
  if (a.userVa + a.length < a.userVa && !stack->faults().m07UserRangeWraps) return Fail(EOVERFLOW);
  if (a.length == 0 || a.length > kTop - kPageSize) return Fail(EINVAL);
  Outcome out;
  out.values[0] = a.iova;
  Area area = NewArea(stack, *context, op.process, a.userVa, nullptr, RightsOfFlags(a.flags));
  const int error = MapArea(stack, ioas, std::move(area), a.length, (a.flags & kFixedIova) != 0,
                            frame.CanRespond(), &out.values[0]);
  if (error != 0) return Fail(error);
  return frame.CanRespond() ? out : Fail(EFAULT);  // the mapping stays
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

  uint64_t bytes = 0;
  if (const int error = UnmapRange(stack, ioas, a.iova, last, &bytes)) return Fail(error);
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
  const uint32_t iommu = stack->device(device->device).config.smmu;
  const bool vtd = stack->IsVtd(iommu);
  const uint32_t type = vtd ? 1 : 2;
  if ((a.flags & 1) != 0 && a.dataType != 0 && a.dataType != type) return Fail(EOPNOTSUPP);
  if (a.bufWritable < a.dataLen) return Fail(EFAULT);
  if (!frame.CanRespond()) return Fail(EFAULT);
  std::string info =
      vtd ? VtdInfo(stack->vtd(iommu).config()) : SmmuInfo(stack->smmu(iommu).config());
  Outcome out;
  out.values = {info.size(), type, 8};
  info.resize(std::min<uint64_t>(a.dataLen, kMostOut), '\0');
  out.out = std::move(info);
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
