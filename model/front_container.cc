// Opening VFIO nodes, and what a container answers whatever its backend (type1 sheet 1, 4, 8).
#include "model/container.h"
#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

bool AnyDevice(Stack* stack, const Group& group, bool with_iommu) {
  for (uint32_t device : group.devices)
    if (HasIommu(stack->world(), device) == with_iommu) return true;
  return false;
}

Outcome OpenGroup(Stack* stack, const Op& op, bool noiommu) {
  Group* group = stack->all_groups().Find(op.open.device);
  if (group == nullptr || !AnyDevice(stack, *group, !noiommu)) return Fail(ENOENT);
  if (noiommu) {
    if (!stack->world().noiommu) return Fail(ENOENT);
    if (!stack->world().processes[op.process].rawIo) return Fail(EPERM);
  }
  if (group->file != nullptr) return Fail(EBUSY);
  for (uint32_t device : group->devices)
    if (stack->device(device).file != nullptr) return Fail(EBUSY);
  group->file = stack->NewFile(FileKind::kGroup);
  group->file->group = static_cast<uint32_t>(group - stack->groups().data());
  group->file->noiommu = noiommu;
  Outcome out;
  out.fd = stack->process(op.process).Install(group->file);
  return out;
}

// Every backend that there could be is asked before one is chosen.
bool Supports(Stack* stack, const Container& container, uint64_t extension) {
  const bool chosen = container.backend != Backend::kNone;
  const bool no_iommu = chosen ? container.backend == Backend::kNoiommu
                               : container.groups.empty() || container.noiommu;
  if (extension == kNoiommuIommu) return stack->world().noiommu && no_iommu;
  if (chosen ? container.backend == Backend::kNoiommu
             : !container.groups.empty() && container.noiommu)
    return false;
  switch (extension) {
    case kType1:
    case kType1v2:
    case kUnmapAll:
      return true;
    case kDmaCoherent:
      return chosen && Coherent(stack, *container.space);
    case kUpdateVaddr:
      return chosen;
    default:
      return false;
  }
}

Outcome Result(int64_t ret) {
  Outcome out;
  out.ret = ret;
  return out;
}

}  // namespace

Outcome OpenVfioNode(Stack* stack, const Op& op) {
  switch (static_cast<Node>(op.open.node)) {
    case Node::kVfioContainer: {
      OpenFile* file = nullptr;
      if (stack->world().iommufdContainer) {
        file = stack->OpenContext();
        file->context->perProcess = true;
      } else {
        file = stack->OpenContainer();
      }
      Outcome out;
      out.fd = stack->process(op.process).Install(file);
      return out;
    }
    case Node::kVfioGroup:
      return OpenGroup(stack, op, false);
    case Node::kVfioNoiommuGroup:
      return OpenGroup(stack, op, true);
    case Node::kIommu:
    case Node::kVfioCdev:
      break;
  }
  return Fail(ENOENT);
}

Outcome ContainerCommand(Stack* stack, Context* context, const Op& op) {
  const Container& container = *context->container;
  if (op.kind == OpKind::kVfioGetApiVersion) return Result(0);
  if (op.kind == OpKind::kVfioCheckExtension)
    return Result(Supports(stack, container, op.vfioCheckExtension.arg));
  if (op.kind == OpKind::kVfioSetIommu)
    return Fail(SetBackend(stack, context, op.vfioSetIommu.arg, op.process));
  if (container.backend == Backend::kNone) return Fail(EINVAL);
  if (container.backend == Backend::kNoiommu) return Fail(ENOTTY);
  if (op.kind == OpKind::kVfioIommuGetInfo) return Type1GetInfo(stack, context, op);
  if (op.kind == OpKind::kVfioIommuMapDma) return Type1Map(stack, context, op);
  if (op.kind == OpKind::kVfioIommuUnmapDma) return Type1Unmap(stack, context, op);
  if (op.kind == OpKind::kVfioIommuDirtyPages) return Type1DirtyPages(stack, context, op);
  return Fail(ENOTTY);
}

Outcome Type1GetInfo(Stack* stack, Context* context, const Op& op) {
  constexpr uint32_t kPgsizes = 1, kCaps = 2, kBase = 24;
  constexpr uint64_t kMostDirtyBitmap = 1 << 28;
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const Container& container = *context->container;
  Capabilities caps(kBase);
  const auto words = [](std::initializer_list<uint64_t> list) {
    std::string bytes;
    for (uint64_t word : list) bytes.append(reinterpret_cast<const char*>(&word), 8);
    return bytes;
  };
  const uint64_t granule = kPageSize;
  caps.Add(2, 1, words({0, granule, kMostDirtyBitmap}));
  const uint64_t entries = container.space->space.areas().size();
  const uint64_t available = entries < container.entryLimit ? container.entryLimit - entries : 0;
  caps.Add(3, 1, words({available}));
  std::string ranges;
  uint64_t count = 0;
  for (const auto& [first, last] : container.space->space.Ranges()) {
    ranges += words({first, last});
    ++count;
  }
  if (count > 0) caps.Add(1, 1, words({count}) + ranges);

  const uint64_t total = kBase + caps.bytes().size();
  const bool fits = op.size >= total;
  if (!CanWrite(op, fits ? total : std::min<uint32_t>(op.size, kBase))) return Fail(EFAULT);
  UserStruct user(op);
  user.Put32(0, fits ? op.size : static_cast<uint32_t>(total));
  user.Put32(4, kPgsizes | kCaps);
  user.Put64(8, PageSizes(stack, *container.space));
  user.Put32(16, fits ? kBase : 0);
  user.Put32(20, 0);
  if (fits) user.Put(kBase, caps.bytes());
  Outcome out;
  out.out = user.Take();
  return out;
}

}  // namespace twinwalk::model
