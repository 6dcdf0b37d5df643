// Growth rules of processes, and of the iommufd core beyond IOAS, HWPT and the vIOMMU family.
#include <algorithm>

#include "fuzz/grow.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kBufferPointer = 0x7f0000000000;  // any number but null: blob holds the bytes

void Append64(std::string* to, uint64_t word) {
  to->append(reinterpret_cast<const char*>(&word), sizeof word);
}

}  // namespace

bool Grower::MakeProcess(Step step, Op* op, Step* missing) {
  const auto processes = scene_->world().processes.size();
  op->process = AnyProcess();
  switch (step) {
    case Step::kWrite: {
      int file = Choose(random_->OneIn(2) ? Role::kEventFd : Role::kVfioDeviceFd);
      if (file == kNone && random_->OneIn(2)) file = Choose(Role::kFaultFd);
      if (file == kNone) file = Choose(Role::kEventFd);
      if (file == kNone) return Need(Step::kEventfd, missing);
      op->kind = OpKind::kWrite;
      op->process = scene_->things()[file].process;
      Link(op, 0, &op->fd, file);
      op->blob.assign(random_->OneIn(4) ? random_->Below(20) : 8, '\0');
      if (!op->blob.empty()) op->blob[0] = '\1';
      if (random_->OneIn(2)) {
        op->write.positional = 1;
        op->write.offset = random_->Below(10) << 40 | random_->Below(300);
      }
      return true;
    }
    case Step::kEventfd:
      op->kind = OpKind::kEventfd;
      op->eventfd.initval = static_cast<uint32_t>(random_->Below(3));
      return true;
    case Step::kFork:
      op->kind = OpKind::kFork;
      op->fork.child = static_cast<uint32_t>(random_->Below(processes + 1));
      return true;
    case Step::kExec:
      op->kind = OpKind::kExec;
      return true;
    case Step::kExit:
      op->kind = OpKind::kExit;
      return true;
    case Step::kPassFd: {
      static constexpr Role kFiles[] = {Role::kContainerFd, Role::kGroupFd, Role::kVfioDeviceFd,
                                        Role::kIommuFd,     Role::kCdevFd,  Role::kVeventqFd,
                                        Role::kMemFd,       Role::kEventFd};
      int file = Choose(random_->Pick(kFiles));
      for (Role role : kFiles) file = file == kNone ? Choose(role) : file;
      if (file == kNone) return Need(Step::kOpenContainer, missing);
      op->kind = OpKind::kPassFd;
      op->process = scene_->things()[file].process;
      Link(op, 0, &op->fd, file);
      op->passFd.to = static_cast<uint32_t>(random_->Below(processes + (Odd() ? 2 : 0)));
      return true;
    }
    default:
      op->kind = OpKind::kSetrlimit;
      op->setrlimit.memlockPages = random_->OneIn(2) ? random_->Below(64) : 1 << 20;
      return true;
  }
}

bool Grower::AllowIovas(Op* op, Step* missing) {
  const int ioas = Choose(Role::kIoas);
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  Ioctl(op, OpKind::kIoasAllowIovas, FileOf(scene_->things()[ioas].context));
  Link(op, 1, &op->ioasAllowIovas.ioasId, ioas);
  const uint64_t count = random_->Below(4);
  op->ioasAllowIovas.numIovas = static_cast<uint32_t>(Odd() ? EdgeNumber(*random_) : count);
  op->ioasAllowIovas.allowedIovas = kBufferPointer;
  uint64_t at = kPageBytes * random_->Below(4);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t last = at + kPageBytes * (1 + random_->Below(uint64_t{1} << random_->Below(24)));
    Append64(&op->blob, at);
    Append64(&op->blob, Odd() ? EdgeNumber(*random_) : last - 1);
    at = Odd() ? at : last + kPageBytes * random_->Below(1024);
  }
  return true;
}

bool Grower::Copy(Op* op, Step* missing) {
  std::vector<const SceneArea*> live;
  for (const SceneArea& a : scene_->areas())
    if (a.alive && a.ioas != kNone && scene_->things()[a.ioas].role == Role::kIoas)
      live.push_back(&a);
  if (live.empty()) return Need(Step::kMapGuest, missing);
  const SceneArea& area = *random_->Pick(live);
  const int context = scene_->things()[area.ioas].context;
  const int to = Choose(Role::kIoas, context);
  Ioctl(op, OpKind::kIoasCopy, FileOf(context));
  IoasCopyArgs& a = op->ioasCopy;
  Link(op, 1, &a.dstIoasId, to);
  Link(op, 2, &a.srcIoasId, area.ioas);
  static constexpr uint32_t kFlags[] = {7, 7, 7, 5, 6};
  a.flags = random_->Pick(kFlags);
  const uint64_t pages = std::max<uint64_t>(1, area.length / kPageBytes),
                 skip = random_->Below(pages);
  const bool part = random_->OneIn(2);
  a.srcIova = area.iova + (part ? skip * kPageBytes : 0);
  a.length = part ? kPageBytes * (1 + random_->Below(pages - skip)) : area.length;
  std::vector<uint64_t> near{kPageBytes * random_->Below(uint64_t{1} << random_->Below(24))};
  for (const SceneArea& other : scene_->areas())
    if (other.ioas == to) near.push_back(other.iova + other.length), near.push_back(other.iova);
  a.dstIova = random_->Pick(near);
  if (random_->OneIn(8)) a.flags &= ~1u;
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(16));
  if (Odd()) a.srcIova = EdgeNumber(*random_);
  if (Odd()) a.dstIova = EdgeNumber(*random_);
  if (Odd()) a.length = EdgeNumber(*random_);
  return true;
}

bool Grower::MapFile(Op* op, Step* missing) {
  const int ioas = Choose(Role::kIoas);
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  int file = Choose(Role::kMemFd);
  if (file == kNone) return Need(Step::kMemfd, missing);
  if (Odd()) file = Choose(Role::kIommuFd);
  Ioctl(op, OpKind::kIoasMapFile, FileOf(scene_->things()[ioas].context));
  IoasMapFileArgs& a = op->ioasMapFile;
  Link(op, 1, &a.ioasId, ioas);
  Link(op, 2, &a.file, file);
  a.flags = random_->OneIn(6) ? 5 : 7;
  a.start = kPageBytes * random_->Below(4);
  a.length = kPageBytes * (1 + random_->Below(4));
  a.iova = kPageBytes * random_->Below(uint64_t{1} << random_->Below(24));
  if (random_->OneIn(8)) a.flags &= ~1u;
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(16));
  if (Odd()) a.start = EdgeNumber(*random_);
  if (Odd()) a.length = EdgeNumber(*random_);
  if (Odd()) a.iova = EdgeNumber(*random_);
  return true;
}

bool Grower::MakeCore(Step step, Op* op, Step* missing) {
  const auto on = [&](OpKind kind, Role role, Step need, int* object) {
    *object = Choose(role);
    if (*object == kNone) return Need(need, missing);
    Ioctl(op, kind, FileOf(scene_->things()[*object].context));
    return true;
  };
  int object = kNone;
  switch (step) {
    case Step::kAllowIovas:
      return AllowIovas(op, missing);
    case Step::kCopy:
      return Copy(op, missing);
    case Step::kMapFile:
      return MapFile(op, missing);
    case Step::kOption:
      if (!on(OpKind::kIommuOption, Role::kIoas, Step::kIoasAlloc, &object)) return false;
      op->iommuOption.optionId = static_cast<uint32_t>(random_->Below(Odd() ? 4 : 2));
      op->iommuOption.op = static_cast<uint16_t>(random_->Below(Odd() ? 4 : 2));
      op->iommuOption.val64 = random_->Below(Odd() ? 4 : 2);
      op->iommuOption.objectId = 0;
      if (op->iommuOption.optionId == 1 || Odd()) Link(op, 1, &op->iommuOption.objectId, object);
      return true;
    case Step::kVfioIoas:
      if (!on(OpKind::kVfioIoas, Role::kIoas, Step::kIoasAlloc, &object)) return false;
      Link(op, 1, &op->vfioIoas.ioasId, object);
      op->vfioIoas.op = static_cast<uint16_t>(random_->Below(4));
      return true;
    case Step::kSetDirty:
      if (!on(OpKind::kHwptSetDirty, random_->OneIn(8) ? Role::kNested : Role::kHwpt,
              Step::kHwptPlain, &object))
        return false;
      Link(op, 1, &op->hwptSetDirty.hwptId, object);
      op->hwptSetDirty.flags = static_cast<uint32_t>(random_->Below(Odd() ? 4 : 2));
      return true;
    case Step::kGetDirty:
      if (!on(OpKind::kHwptGetDirty, random_->OneIn(8) ? Role::kNested : Role::kHwpt,
              Step::kHwptPlain, &object))
        return false;
      Link(op, 1, &op->hwptGetDirty.hwptId, object);
      op->hwptGetDirty.flags = static_cast<uint32_t>(random_->Below(Odd() ? 4 : 2));
      op->hwptGetDirty.length = kPageBytes * random_->Below(4);
      op->hwptGetDirty.pageSize = Odd() ? EdgeNumber(*random_) : kPageBytes;
      op->hwptGetDirty.data = kBufferPointer, op->hwptGetDirty.bufWritable = 8;
      op->blob.assign(8, '\0');
      return true;
    case Step::kFaultQueue: {
      const int file = Choose(Role::kIommuFd);
      if (file == kNone) return Need(Step::kOpenIommu, missing);
      Ioctl(op, OpKind::kFaultQueueAlloc, file);
      if (Odd()) op->faultQueueAlloc.flags = 1;
      return true;
    }
    default: {
      const int file = Choose(Role::kIommuFd);
      if (file == kNone) return Need(Step::kOpenIommu, missing);
      Ioctl(op, OpKind::kIoasChangeProcess, file);
      // Another process that has the file is what the call is for.
      if (Odd()) op->ioasChangeProcess.reserved = 1;
      return true;
    }
  }
}

}  // namespace twinwalk::fuzz
