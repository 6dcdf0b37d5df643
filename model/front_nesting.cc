// HWPT_ALLOC and the vIOMMU family (iommufd sheet 9, 13, 15, 16, Observed; docs/TRACE.md 3).
#include <algorithm>
#include <cstring>

#include "model/front.h"

namespace twinwalk::model {
namespace {

enum HwptFlags : uint32_t { kNestParent = 1, kDirtyTracking = 2, kFaultIdValid = 4, kPasid = 8 };
constexpr uint32_t kSteDataType = 2, kSteDataLen = 16;
constexpr uint32_t kMostEntries = 1 << 19, kMostCommands = 1 << 18;
constexpr uint32_t kMostDepth = 1 << 19;

// What a guest may put into its STE (SMMUv3 sheet 9): with V = 0 anything, which means abort.
bool AllowedSte(uint64_t ste0, uint64_t ste1) {
  if ((ste0 & 1) == 0) return true;
  const uint64_t config = ste0 >> 1 & 7;
  if (config != 0 && config != 4 && config != 5) return false;
  if ((ste0 & 0x07f0000000000000) != 0 || (ste1 & ~uint64_t{0x380000ff}) != 0) return false;
  return (ste1 >> 28 & 3) <= 1;
}

// The optional fields of HWPT_ALLOC as the kernel sees them.
struct HwptFields {
  uint32_t dataType, dataLen, faultId;
  uint64_t dataPtr;
  HwptFields(const Frame& frame, const HwptAllocArgs& a)
      : dataType(static_cast<uint32_t>(frame.Field(24, 4, a.dataType))),
        dataLen(static_cast<uint32_t>(frame.Field(28, 4, a.dataLen))),
        faultId(static_cast<uint32_t>(frame.Field(40, 4, a.faultId))),
        dataPtr(frame.Field(32, 8, a.dataPtr)) {}
};

Outcome MadeId(uint32_t id) {
  Outcome out;
  out.id = id;
  return out;
}

// Sheet 9.7: where the faults of an HWPT go.
FaultQueue* FaultOf(Context* context, uint32_t flags, const HwptFields& fields) {
  return (flags & kFaultIdValid) != 0 ? context->FindAs<FaultQueue>(fields.faultId) : nullptr;
}
template <class T>
void SetFault(T* hwpt, FaultQueue* fault) {
  hwpt->fault = fault;
  if (fault != nullptr) ++fault->hwpts;
}

// Sheet 9.3.
Outcome AllocPaging(Stack* stack, Context* context, const Frame& frame, uint32_t smmu, Ioas* ioas,
                    uint32_t flags, const HwptFields& fields) {
  constexpr uint32_t kAll = kNestParent | kDirtyTracking | kFaultIdValid | kPasid;
  const bool nest = (flags & kNestParent) != 0;
  if ((flags & ~kAll) != 0 || (flags & kDirtyTracking) != 0) return Fail(EOPNOTSUPP);
  if (nest && ((flags & (kPasid | kFaultIdValid)) != 0 || stack->IsVtd(smmu)))
    return Fail(EOPNOTSUPP);
  if (fields.dataLen != 0) return Fail(EOPNOTSUPP);
  FaultQueue* fault = FaultOf(context, flags, fields);
  int error = 0;
  Hwpt* hwpt = stack->MakeHwpt(context, ioas, smmu, flags, false, &error, [&] {
    if ((flags & kFaultIdValid) != 0 && fault == nullptr) return ENOENT;
    if (!frame.CanRespond()) return EFAULT;
    return stack->AllocationFails() ? ENOMEM : 0;
  });
  if (hwpt == nullptr) return Fail(error);
  SetFault(hwpt, fault);
  return MadeId(hwpt->id);
}

// Sheet 9.5.
Outcome AllocNested(Stack* stack, Context* context, const Frame& frame, uint32_t smmu,
                    Viommu* viommu, uint32_t flags, const HwptFields& fields) {
  if (viommu->smmu != smmu) return Fail(EINVAL);
  if ((flags & ~kFaultIdValid) != 0 || fields.dataLen == 0) return Fail(EOPNOTSUPP);
  if (fields.dataType != kSteDataType || fields.dataLen != kSteDataLen) return Fail(EINVAL);
  const std::string_view buffer = frame.Buffer();
  if (fields.dataPtr == 0 || buffer.size() < kSteDataLen) return Fail(EFAULT);
  uint64_t ste[2];
  std::memcpy(ste, buffer.data(), sizeof ste);
  if (!AllowedSte(ste[0], ste[1])) return Fail(EIO);
  FaultQueue* fault = FaultOf(context, flags, fields);
  if ((flags & kFaultIdValid) != 0 && fault == nullptr) return Fail(ENOENT);
  if (!frame.CanRespond()) return Fail(EFAULT);
  if (stack->AllocationFails()) return Fail(ENOMEM);
  Nested* nested = context->Add(std::make_unique<Nested>());
  nested->viommu = viommu;
  nested->ste0 = ste[0];
  nested->ste1 = ste[1];
  ++viommu->nesteds;
  SetFault(nested, fault);
  return MadeId(nested->id);
}

// Sheet 13: the whole array is read before anything of it runs. 0, EFAULT or E2BIG.
int ReadCommands(std::string_view buffer, uint32_t entry_len, uint32_t entry_num,
                 std::vector<Command>* commands) {
  commands->reserve(entry_num);
  for (uint64_t i = 0; i < entry_num; ++i) {
    const uint64_t begin = i * entry_len;
    const uint64_t there =
        begin < buffer.size() ? std::min<uint64_t>(entry_len, buffer.size() - begin) : 0;
    const std::string_view entry = there == 0 ? std::string_view() : buffer.substr(begin, there);
    for (size_t tail = 16; tail < entry.size(); ++tail)
      if (entry[tail] != 0) return E2BIG;
    if (there < entry_len) return EFAULT;
    uint64_t words[2] = {0, 0};
    std::memcpy(words, entry.data(), std::min<size_t>(entry.size(), sizeof words));
    commands->push_back({words[0], words[1]});
  }
  return 0;
}

}  // namespace

Outcome HwptAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const HwptAllocArgs& a = op.hwptAlloc;
  const HwptFields fields(frame, a);
  if (a.reserved != 0) return Fail(EOPNOTSUPP);
  if ((fields.dataType == 0) != (fields.dataLen == 0)) return Fail(EINVAL);
  const DeviceObject* device = context->FindAs<DeviceObject>(a.devId);
  if (device == nullptr) return Fail(ENOENT);
  const uint32_t smmu = stack->device(device->device).config.smmu;
  Object* target = context->Find(a.ptId);
  if (target == nullptr) return Fail(EINVAL);
  switch (target->type) {
    case ObjectType::kIoas:
      return AllocPaging(stack, context, frame, smmu, static_cast<Ioas*>(target), a.flags, fields);
    case ObjectType::kHwpt:
      // SMMUv3 nests through vIOMMUs only; VT-d also here, on a nest parent, of which it has none.
      if (!stack->IsVtd(smmu) || (a.flags & ~(kFaultIdValid | kPasid)) != 0)
        return Fail(EOPNOTSUPP);
      return Fail(fields.dataLen == 0 ? EOPNOTSUPP : EINVAL);
    case ObjectType::kViommu:
      return AllocNested(stack, context, frame, smmu, static_cast<Viommu*>(target), a.flags,
                         fields);
    case ObjectType::kDevice:
    case ObjectType::kNested:
    case ObjectType::kVdevice:
    case ObjectType::kVeventq:
    case ObjectType::kFault:
      break;
  }
  return Fail(EINVAL);
}

Outcome ViommuAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const ViommuAllocArgs& a = op.viommuAlloc;
  if (a.flags != 0 || a.type == 0) return Fail(EOPNOTSUPP);
  const DeviceObject* device = context->FindAs<DeviceObject>(a.devId);
  if (device == nullptr) return Fail(ENOENT);
  const uint32_t smmu = stack->device(device->device).config.smmu;
  if (a.type != 1 || stack->IsVtd(smmu) || !stack->smmu(smmu).config().canNest)
    return Fail(EOPNOTSUPP);
  Hwpt* parent = context->FindAs<Hwpt>(a.hwptId);
  if (parent == nullptr) return Fail(ENOENT);
  if (!parent->nestParent || parent->smmu != smmu) return Fail(EINVAL);
  if (!frame.CanRespond()) return Fail(EFAULT);
  if (stack->AllocationFails()) return Fail(ENOMEM);
  Viommu* viommu = context->Add(std::make_unique<Viommu>());
  viommu->parent = parent;
  viommu->smmu = smmu;
  ++parent->viommus;
  return MadeId(viommu->id);
}

Outcome VdeviceAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 24);
  if (frame.error() != 0) return Fail(frame.error());
  const VdeviceAllocArgs& a = op.vdeviceAlloc;
  Viommu* viommu = context->FindAs<Viommu>(a.viommuId);
  if (viommu == nullptr) return Fail(ENOENT);
  const DeviceObject* object = context->FindAs<DeviceObject>(a.devId);
  if (object == nullptr) return Fail(ENOENT);
  Device& device = stack->device(object->device);
  if (device.config.smmu != viommu->smmu) return Fail(EINVAL);
  if (device.vdevice != nullptr) return Fail(EEXIST);
  for (const Vdevice* other : viommu->vdevices)
    if (other->virtId == a.virtId) return Fail(EEXIST);
  if (!frame.CanRespond()) return Fail(EFAULT);
  if (stack->AllocationFails()) return Fail(ENOMEM);
  Vdevice* vdevice = context->Add(std::make_unique<Vdevice>());
  vdevice->viommu = viommu;
  vdevice->device = object->device;
  vdevice->virtId = a.virtId;
  viommu->vdevices.push_back(vdevice);
  device.vdevice = vdevice;
  return MadeId(vdevice->id);
}

Outcome VeventqAlloc(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 28);
  if (frame.error() != 0) return Fail(frame.error());
  const VeventqAllocArgs& a = op.veventqAlloc;
  if (a.flags != 0 || frame.Field(28, 4, a.reserved) != 0 || a.type == 0) return Fail(EOPNOTSUPP);
  if (a.depth == 0 || a.depth > kMostDepth) return Fail(EINVAL);
  Viommu* viommu = context->FindAs<Viommu>(a.viommuId);
  if (viommu == nullptr) return Fail(ENOENT);
  for (const Veventq* other : viommu->queues)
    if (other->kind == a.type) return Fail(EEXIST);
  if (!frame.CanRespond()) return Fail(EFAULT);
  if (stack->AllocationFails()) return Fail(ENOMEM);
  Veventq* queue = context->Add(std::make_unique<Veventq>());
  queue->viommu = viommu;
  queue->kind = a.type;
  queue->depth = a.depth;
  queue->open = true;
  viommu->queues.push_back(queue);
  ++context->holders;
  OpenFile* file = stack->NewFile(FileKind::kVeventq);
  file->queue = queue;
  Outcome out = MadeId(queue->id);
  out.fd = stack->process(op.process).Install(file, true);
  return out;
}

Outcome HwptInvalidate(Stack* stack, Context* context, const Op& op) {
  const Frame frame(op, 32);
  if (frame.error() != 0) return Fail(frame.error());
  const HwptInvalidateArgs& a = op.hwptInvalidate;
  uint32_t handled = 0;
  const auto run = [&]() -> int {
    if (a.reserved != 0) return EOPNOTSUPP;
    if (a.entryNum != 0 &&
        (a.dataPtr == 0 || a.entryLen == 0 || a.entryLen > kPageSize || a.entryNum > kMostEntries))
      return EINVAL;
    Object* object = context->Find(a.hwptId);
    if (object == nullptr) return ENOENT;
    if (object->type == ObjectType::kNested) return EOPNOTSUPP;
    if (object->type != ObjectType::kViommu) return EINVAL;
    if (a.entryNum > kMostCommands) {
      if (stack->world().rules.hugeArrayKeepsEntryNum) handled = a.entryNum;
      return ENOMEM;
    }
    if (a.entryNum == 0 || a.dataType != 1) return EINVAL;
    std::vector<Command> commands;
    const int error = ReadCommands(frame.Buffer(), a.entryLen, a.entryNum, &commands);
    if (error != 0) return error;
    return stack->RunGuestCommands(static_cast<Viommu*>(object), commands, &handled);
  };
  const int error = run();
  if (!frame.CanRespond()) return Fail(EFAULT);  // entry_num is always written
  Outcome out = Fail(error);
  out.values[0] = handled;
  return out;
}

}  // namespace twinwalk::model
