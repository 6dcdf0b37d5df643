#include "fuzz/grow.h"

#include <algorithm>
#include <array>

#include "fuzz/guest.h"

namespace twinwalk::fuzz {

OpKind KindOf(Step step) {
  switch (step) {
    case Step::kOpenIommu:
    case Step::kOpenCdev:
    case Step::kOpenContainer:
    case Step::kOpenGroup:
      return OpKind::kOpen;
    case Step::kClose:
      return OpKind::kClose;
    case Step::kDup:
      return OpKind::kDup;
    case Step::kBind:
      return OpKind::kBindIommufd;
    case Step::kAttachPaging:
    case Step::kAttachNested:
      return OpKind::kAttachIommufdPt;
    case Step::kDetach:
      return OpKind::kDetachIommufdPt;
    case Step::kIoasAlloc:
      return OpKind::kIoasAlloc;
    case Step::kMapGuest:
    case Step::kMapMore:
      return OpKind::kIoasMap;
    case Step::kUnmap:
      return OpKind::kIoasUnmap;
    case Step::kRanges:
      return OpKind::kIoasIovaRanges;
    case Step::kHwInfo:
      return OpKind::kGetHwInfo;
    case Step::kHwptPlain:
    case Step::kHwptParent:
    case Step::kHwptNested:
      return OpKind::kHwptAlloc;
    case Step::kViommu:
      return OpKind::kViommuAlloc;
    case Step::kVdevice:
      return OpKind::kVdeviceAlloc;
    case Step::kVeventq:
      return OpKind::kVeventqAlloc;
    case Step::kInvalidate:
      return OpKind::kHwptInvalidate;
    case Step::kDestroy:
      return OpKind::kDestroy;
    case Step::kRead:
      return OpKind::kRead;
    case Step::kPoll:
      return OpKind::kPoll;
    case Step::kMmap:
      return OpKind::kMmap;
    case Step::kMunmap:
      return OpKind::kMunmap;
    case Step::kMemfd:
      return OpKind::kMemfd;
    case Step::kWriteTables:
    case Step::kWriteEntry:
    case Step::kWriteData:
      return OpKind::kMemWrite;
    case Step::kDma:
      return OpKind::kDma;
    case Step::kFailAlloc:
      return OpKind::kFailAlloc;
    case Step::kRaw:
      return OpKind::kRaw;
    case Step::kVersion:
      return OpKind::kVfioGetApiVersion;
    case Step::kExtension:
      return OpKind::kVfioCheckExtension;
    case Step::kSetIommu:
      return OpKind::kVfioSetIommu;
    case Step::kType1Info:
      return OpKind::kVfioIommuGetInfo;
    case Step::kType1Map:
      return OpKind::kVfioIommuMapDma;
    case Step::kType1Unmap:
      return OpKind::kVfioIommuUnmapDma;
    case Step::kType1Dirty:
      return OpKind::kVfioIommuDirtyPages;
    case Step::kGroupStatus:
      return OpKind::kVfioGroupGetStatus;
    case Step::kSetContainer:
      return OpKind::kVfioGroupSetContainer;
    case Step::kUnsetContainer:
      return OpKind::kVfioGroupUnsetContainer;
    case Step::kDeviceFd:
      return OpKind::kVfioGroupGetDeviceFd;
    case Step::kDeviceInfo:
      return OpKind::kVfioDeviceGetInfo;
    case Step::kRegionInfo:
      return OpKind::kVfioDeviceGetRegionInfo;
    case Step::kIrqInfo:
      return OpKind::kVfioDeviceGetIrqInfo;
    case Step::kSetIrqs:
      return OpKind::kVfioDeviceSetIrqs;
    case Step::kDeviceReset:
      return OpKind::kVfioDeviceReset;
    case Step::kHotResetInfo:
      return OpKind::kVfioPciHotResetInfo;
    case Step::kHotReset:
      return OpKind::kVfioPciHotReset;
    case Step::kIoeventfd:
      return OpKind::kVfioDeviceIoeventfd;
    case Step::kFeature:
      return OpKind::kVfioDeviceFeature;
    case Step::kWrite:
      return OpKind::kWrite;
    case Step::kEventfd:
      return OpKind::kEventfd;
    case Step::kFork:
      return OpKind::kFork;
    case Step::kExec:
      return OpKind::kExec;
    case Step::kExit:
      return OpKind::kExit;
    case Step::kPassFd:
      return OpKind::kPassFd;
    case Step::kSetrlimit:
      return OpKind::kSetrlimit;
    case Step::kAllowIovas:
      return OpKind::kIoasAllowIovas;
    case Step::kCopy:
      return OpKind::kIoasCopy;
    case Step::kMapFile:
      return OpKind::kIoasMapFile;
    case Step::kOption:
      return OpKind::kIommuOption;
    case Step::kVfioIoas:
      return OpKind::kVfioIoas;
    case Step::kSetDirty:
      return OpKind::kHwptSetDirty;
    case Step::kGetDirty:
      return OpKind::kHwptGetDirty;
    case Step::kFaultQueue:
      return OpKind::kFaultQueueAlloc;
    case Step::kChangeProcess:
      return OpKind::kIoasChangeProcess;
  }
  return OpKind::kRaw;
}

std::vector<Step> StepsOf(OpKind kind) {
  std::vector<Step> steps;
  for (int s = 0; s < kSteps; ++s)
    if (KindOf(static_cast<Step>(s)) == kind) steps.push_back(static_cast<Step>(s));
  return steps;
}

void Builder::Want(Step step, size_t limit) {
  constexpr size_t kMaxDepth = 24;  // of needs that are open at once; more: they go in a circle
  constexpr int kMaxTries = 2;      // of one Step; more: what it makes does not come into being
  std::array<int, kSteps> tries{};
  std::vector<Step> open{step};
  while (!open.empty() && open.size() < kMaxDepth && ops_.size() < limit) {
    Op op;
    Step missing = step;
    if (!grower_.Make(open.back(), &op, &missing)) {
      open.push_back(missing);
      continue;
    }
    if (++tries[static_cast<size_t>(open.back())] > kMaxTries) return;
    Add(std::move(op));
    open.pop_back();
  }
}

// ---- Choosing
// ------------------------------------------------------------------------------------

int Grower::Choose(Role role, int context) {
  int chosen = kNone, dead = kNone;
  uint64_t seen = 0;
  const auto& things = scene_->things();
  for (size_t i = 0; i < things.size(); ++i) {
    const Thing& t = things[i];
    if (t.role != role || (context != kNone && t.context != context)) continue;
    if (!t.alive)
      dead = static_cast<int>(i);
    else if (random_->OneIn(++seen))
      chosen = static_cast<int>(i);
  }
  return dead != kNone && options_.broken_one_in != 0 && random_->OneIn(options_.broken_one_in)
             ? dead
             : chosen;
}

int Grower::ChooseParent(bool parent) {
  int chosen = kNone;
  uint64_t seen = 0;
  const auto& things = scene_->things();
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kHwpt && things[i].alive && things[i].parent == parent &&
        random_->OneIn(++seen))
      chosen = static_cast<int>(i);
  return chosen;
}

int Grower::FileOf(int context) {
  return Choose(Role::kIommuFd, context);
}

int Grower::CdevOf(uint32_t device) {
  const auto& things = scene_->things();
  for (size_t i = things.size(); i-- > 0;)
    if (things[i].role == Role::kCdevFd && things[i].alive && things[i].device == device)
      return static_cast<int>(i);
  return kNone;
}

uint8_t Grower::AnyProcess() {
  const int file = Choose(Role::kIommuFd);
  if (file != kNone && !random_->OneIn(8)) return scene_->things()[file].process;
  return static_cast<uint8_t>(random_->OneIn(4) ? random_->Below(scene_->world().processes.size())
                                                : 0);
}

void Grower::Link(Op* op, int index, Handle* field, int thing) {
  const auto& things = scene_->things();
  const bool broken = options_.broken_one_in != 0 && random_->OneIn(options_.broken_one_in);
  if (broken && random_->OneIn(2)) {
    *field = static_cast<Handle>(random_->OneIn(2) ? random_->Below(10) : EdgeNumber(*random_));
    return;
  }
  if (broken && !things.empty()) thing = static_cast<int>(random_->Below(things.size()));
  if (thing == kNone) return;
  *field = things[thing].op;
  op->results |= static_cast<uint8_t>(1u << index);
}

void Grower::Ioctl(Op* op, OpKind kind, int file) {
  op->kind = kind;
  op->size = StructSize(kind);
  op->readable = op->writable = 65535;
  if (file != kNone) op->process = scene_->things()[file].process;
  if (UsesFd(kind)) Link(op, 0, &op->fd, file);
}

// Framing that is not what a well-behaved client sends.
void Grower::MakeOdd(Op* op) {
  switch (random_->Below(6)) {
    case 0:
      op->size = static_cast<uint32_t>(random_->Below(op->size + 9));
      break;
    case 1:
      op->readable = static_cast<uint16_t>(random_->Below(op->size + 9));
      break;
    case 2:
      op->writable = static_cast<uint16_t>(random_->Below(op->size + 9));
      break;
    case 3:
      op->blob.insert(0, 8, random_->OneIn(2) ? '\0' : '\1');
      op->size += 8;
      break;
    case 4:
      op->process = static_cast<uint8_t>(random_->Below(scene_->world().processes.size() + 1));
      break;
    case 5:
      op->size = static_cast<uint32_t>(EdgeNumber(*random_));
      break;
  }
  if (op->blob.size() > options_.max_blob) op->blob.resize(options_.max_blob);
}

bool Grower::Make(Step step, Op* op, Step* missing) {
  *op = Op();
  const auto made = [&]() -> bool {
    switch (step) {
      case Step::kOpenIommu:
        return Open(op, Node::kIommu);
      case Step::kOpenCdev:
        return Open(op, Node::kVfioCdev);
      case Step::kClose:
        return CloseOrDup(op, OpKind::kClose, missing);
      case Step::kDup:
        return CloseOrDup(op, OpKind::kDup, missing);
      case Step::kBind:
        return Bind(op, missing);
      case Step::kAttachPaging:
        return AttachPaging(op, missing);
      case Step::kAttachNested:
        return AttachNested(op, missing);
      case Step::kDetach:
        return Detach(op, missing);
      case Step::kIoasAlloc:
        return IoasAlloc(op, missing);
      case Step::kMapGuest:
        return Map(op, true, missing);
      case Step::kMapMore:
        return Map(op, false, missing);
      case Step::kUnmap:
        return Unmap(op, missing);
      case Step::kRanges:
        return Ranges(op, missing);
      case Step::kHwInfo:
        return HwInfo(op, missing);
      case Step::kHwptPlain:
        return HwptPaging(op, false, missing);
      case Step::kHwptParent:
        return HwptPaging(op, true, missing);
      case Step::kHwptNested:
        return HwptNested(op, missing);
      case Step::kViommu:
        return Viommu(op, missing);
      case Step::kVdevice:
        return Vdevice(op, missing);
      case Step::kVeventq:
        return Veventq(op, missing);
      case Step::kInvalidate:
        return Invalidate(op, missing);
      case Step::kDestroy:
        return Destroy(op, missing);
      case Step::kRead:
        return Queue(op, OpKind::kRead, missing);
      case Step::kPoll:
        return Queue(op, OpKind::kPoll, missing);
      case Step::kMmap:
        return Mmap(op);
      case Step::kMunmap:
        return Munmap(op, missing);
      case Step::kMemfd:
        op->kind = OpKind::kMemfd;
        op->memfd.length = Odd() ? EdgeNumber(*random_) : kPageBytes << random_->Below(5);
        return true;
      case Step::kWriteTables:
        return WriteTables(op, missing);
      case Step::kWriteEntry:
        return WriteEntry(op, missing);
      case Step::kWriteData:
        return WriteData(op, missing);
      case Step::kDma:
        return Dma(op, missing);
      case Step::kFailAlloc:
        op->kind = OpKind::kFailAlloc;
        op->failAlloc.nth = static_cast<uint32_t>(random_->Below(3));
        return true;
      case Step::kRaw:
        Ioctl(op, OpKind::kRaw, Choose(random_->OneIn(2) ? Role::kIommuFd : Role::kCdevFd));
        op->size = 0;
        op->raw.command = 0x3b80 + static_cast<uint32_t>(random_->Below(0x40));
        return true;
      case Step::kOpenContainer:
      case Step::kOpenGroup:
      case Step::kVersion:
      case Step::kExtension:
      case Step::kSetIommu:
      case Step::kType1Info:
      case Step::kType1Map:
      case Step::kType1Unmap:
      case Step::kType1Dirty:
      case Step::kGroupStatus:
      case Step::kSetContainer:
      case Step::kUnsetContainer:
      case Step::kDeviceFd:
      case Step::kDeviceInfo:
      case Step::kRegionInfo:
      case Step::kIrqInfo:
      case Step::kSetIrqs:
      case Step::kDeviceReset:
      case Step::kHotResetInfo:
      case Step::kHotReset:
      case Step::kIoeventfd:
      case Step::kFeature:
        return MakeVfio(step, op, missing);
      case Step::kWrite:
      case Step::kEventfd:
      case Step::kFork:
      case Step::kExec:
      case Step::kExit:
      case Step::kPassFd:
      case Step::kSetrlimit:
        return MakeProcess(step, op, missing);
      case Step::kAllowIovas:
      case Step::kCopy:
      case Step::kMapFile:
      case Step::kOption:
      case Step::kVfioIoas:
      case Step::kSetDirty:
      case Step::kGetDirty:
      case Step::kFaultQueue:
      case Step::kChangeProcess:
        return MakeCore(step, op, missing);
    }
    return false;
  }();
  if (made && StructSize(op->kind) != 0 && Odd()) MakeOdd(op);
  return made;
}

}  // namespace twinwalk::fuzz
