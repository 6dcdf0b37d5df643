// Growth rules of files and ioctls. (Memory, tables, commands and DMA: grow_guest.cc.)
#include <algorithm>

#include "fuzz/grow.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kBufferPointer = 0x7f0000000000;  // any number but null: blob holds the bytes

}  // namespace

bool Grower::Open(Op* op, Node node) {
  op->kind = OpKind::kOpen;
  op->open.node = static_cast<uint32_t>(node);
  const auto devices = scene_->world().devices.size();
  if (node == Node::kVfioCdev) {
    op->open.device = static_cast<uint32_t>(random_->Below(devices));
    for (size_t i = 0; i < devices; ++i) {  // rather one that is not open
      const auto device = static_cast<uint32_t>((op->open.device + i) % devices);
      if (CdevOf(device) != kNone) continue;
      op->open.device = device;
      break;
    }
    if (Odd()) op->open.device = static_cast<uint32_t>(random_->Below(devices + 2));
  }
  op->process = AnyProcess();
  return true;
}

bool Grower::CloseOrDup(Op* op, OpKind kind, Step* missing) {
  static constexpr Role kFiles[] = {Role::kCdevFd,      Role::kIommuFd, Role::kVeventqFd,
                                    Role::kContainerFd, Role::kGroupFd, Role::kVfioDeviceFd,
                                    Role::kMemFd,       Role::kFaultFd, Role::kEventFd};
  int file = Choose(random_->Pick(kFiles));
  for (Role role : kFiles) file = file == kNone ? Choose(role) : file;
  if (file == kNone) return Need(Step::kOpenIommu, missing);
  op->kind = kind;
  op->process = scene_->things()[file].process;
  Link(op, 0, &op->fd, file);
  return true;
}

bool Grower::Bind(Op* op, Step* missing) {
  const int iommufd = Choose(Role::kIommuFd);
  if (iommufd == kNone) return Need(Step::kOpenIommu, missing);
  const auto& things = scene_->things();
  int cdev = kNone;  // a fresh one of the same process
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kCdevFd && things[i].alive && things[i].context == kNone &&
        things[i].process == things[iommufd].process)
      cdev = static_cast<int>(i);
  if (cdev == kNone && Odd()) cdev = Choose(Role::kCdevFd);
  if (cdev == kNone) return Need(Step::kOpenCdev, missing);
  Ioctl(op, OpKind::kBindIommufd, cdev);
  Link(op, 1, &op->bind.iommufd, iommufd);
  if (Odd()) op->bind.flags = static_cast<uint32_t>(random_->Below(4));
  return true;
}

bool Grower::AttachPaging(Op* op, Step* missing) {
  const int device = Choose(Role::kDevice);
  if (device == kNone) return Need(Step::kBind, missing);
  const int context = scene_->things()[device].context;
  int target = Choose(random_->OneIn(3) ? Role::kHwpt : Role::kIoas, context);
  if (target == kNone) target = Choose(Role::kIoas, context);
  if (target == kNone) return Need(Step::kIoasAlloc, missing);
  Ioctl(op, OpKind::kAttachIommufdPt, scene_->things()[device].of);
  Link(op, 1, &op->attach.ptId, target);
  if (Odd()) op->attach.flags = static_cast<uint32_t>(random_->Below(4));
  if (Odd()) op->attach.pasid = static_cast<uint32_t>(EdgeNumber(*random_));
  return true;
}

bool Grower::AttachNested(Op* op, Step* missing) {
  const auto& things = scene_->things();
  const int nested = Choose(Role::kNested);
  if (nested == kNone) return Need(Step::kHwptNested, missing);
  int device = kNone;
  for (const Thing& t : things)
    if (t.role == Role::kVdevice && t.alive && t.of == things[nested].of)
      if (device == kNone || random_->OneIn(2)) device = CdevOf(t.device);
  if (device == kNone) return Need(Step::kVdevice, missing);
  Ioctl(op, OpKind::kAttachIommufdPt, device);
  Link(op, 1, &op->attach.ptId, nested);
  return true;
}

bool Grower::Detach(Op* op, Step* missing) {
  const auto& things = scene_->things();
  int cdev = kNone;
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kCdevFd && things[i].alive && things[i].attached != kNone &&
        random_->OneIn(++seen))
      cdev = static_cast<int>(i);
  if (cdev == kNone)
    return Need(random_->OneIn(2) ? Step::kAttachPaging : Step::kAttachNested, missing);
  Ioctl(op, OpKind::kDetachIommufdPt, cdev);
  if (Odd()) op->detach.flags = static_cast<uint32_t>(random_->Below(4));
  return true;
}

bool Grower::IoasAlloc(Op* op, Step* missing) {
  const int file = Choose(Role::kIommuFd);
  if (file == kNone) return Need(Step::kOpenIommu, missing);
  Ioctl(op, OpKind::kIoasAlloc, file);
  if (Odd()) op->ioasAlloc.flags = 1;
  return true;
}

bool Grower::Ranges(Op* op, Step* missing) {
  const int ioas = Choose(Role::kIoas);
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  Ioctl(op, OpKind::kIoasIovaRanges, FileOf(scene_->things()[ioas].context));
  Link(op, 1, &op->ioasIovaRanges.ioasId, ioas);
  op->ioasIovaRanges.numIovas = static_cast<uint32_t>(random_->Below(5));
  op->ioasIovaRanges.bufWritable =
      random_->OneIn(4) ? static_cast<uint32_t>(random_->Below(65)) : 64;
  op->ioasIovaRanges.allowedIovas = kBufferPointer;
  return true;
}

bool Grower::HwInfo(Op* op, Step* missing) {
  const int device = Choose(Role::kDevice);
  if (device == kNone) return Need(Step::kBind, missing);
  Ioctl(op, OpKind::kGetHwInfo, FileOf(scene_->things()[device].context));
  Link(op, 1, &op->getHwInfo.devId, device);
  op->getHwInfo.dataLen = static_cast<uint32_t>(random_->Below(65));
  op->getHwInfo.bufWritable =
      random_->OneIn(4) ? static_cast<uint32_t>(random_->Below(65)) : op->getHwInfo.dataLen;
  op->getHwInfo.dataPtr = random_->OneIn(8) ? 0 : kBufferPointer;
  if (Odd()) op->getHwInfo.flags = static_cast<uint32_t>(random_->Below(4));
  if (Odd()) op->getHwInfo.dataType = static_cast<uint32_t>(random_->Below(4));
  return true;
}

bool Grower::HwptPaging(Op* op, bool parent, Step* missing) {
  const int device = Choose(Role::kDevice);
  if (device == kNone) return Need(Step::kBind, missing);
  const int ioas = Choose(Role::kIoas, scene_->things()[device].context);
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  Ioctl(op, OpKind::kHwptAlloc, FileOf(scene_->things()[device].context));
  op->hwptAlloc.flags = parent ? 1 : random_->OneIn(4) ? 8 : 0;
  if (Odd()) op->hwptAlloc.flags = static_cast<uint32_t>(random_->Below(32));
  if (Odd()) op->hwptAlloc.dataType = static_cast<uint32_t>(random_->Below(3));
  Link(op, 1, &op->hwptAlloc.devId, device);
  Link(op, 2, &op->hwptAlloc.ptId, ioas);
  if (random_->OneIn(4)) op->size = 24;
  return true;
}

bool Grower::HwptNested(Op* op, Step* missing) {
  const int viommu = Choose(Role::kViommu);
  if (viommu == kNone) return Need(Step::kViommu, missing);
  const auto& things = scene_->things();
  const int device = Choose(Role::kDevice, things[viommu].context);
  if (device == kNone) return Need(Step::kBind, missing);
  const std::vector<uint64_t> pages = scene_->Pages(scene_->IoasOf(viommu));
  if (pages.empty()) return Need(Step::kMapGuest, missing);
  Ioctl(op, OpKind::kHwptAlloc, FileOf(things[viommu].context));
  Link(op, 1, &op->hwptAlloc.devId, device);
  Link(op, 2, &op->hwptAlloc.ptId, viommu);
  op->hwptAlloc.dataType = 2, op->hwptAlloc.dataLen = 16, op->hwptAlloc.dataPtr = kBufferPointer;
  static constexpr uint64_t kConfigs[] = {5, 5, 5, 5, 5, 4, 0};
  // WriteTables puts the CD there; often the first page, so that tables and vSTE find each other.
  const uint64_t page = random_->OneIn(2) ? pages[0] : random_->Pick(pages);
  op->blob = VsteBytes(random_->Pick(kConfigs), page + 128);
  if (Odd()) op->blob[random_->Below(16)] ^= static_cast<char>(1 << random_->Below(8));
  if (Odd()) op->hwptAlloc.dataLen = static_cast<uint32_t>(random_->Below(33));
  if (Odd()) op->blob.resize(random_->Below(17));
  if (Odd()) op->hwptAlloc.flags = static_cast<uint32_t>(random_->Below(16));
  return true;
}

bool Grower::Viommu(Op* op, Step* missing) {
  const int parent = ChooseParent(true);
  if (parent == kNone) return Need(Step::kHwptParent, missing);
  const int context = scene_->things()[parent].context;
  const int device = Choose(Role::kDevice, context);
  if (device == kNone) return Need(Step::kBind, missing);
  Ioctl(op, OpKind::kViommuAlloc, FileOf(context));
  op->viommuAlloc.type = Odd() ? static_cast<uint32_t>(random_->Below(4)) : 1;
  Link(op, 1, &op->viommuAlloc.devId, device);
  Link(op, 2, &op->viommuAlloc.hwptId, parent);
  if (random_->OneIn(4)) op->size = 24;
  if (Odd()) op->viommuAlloc.flags = 1;
  return true;
}

bool Grower::Vdevice(Op* op, Step* missing) {
  const int viommu = Choose(Role::kViommu);
  if (viommu == kNone) return Need(Step::kViommu, missing);
  const auto& things = scene_->things();
  int device = kNone;  // rather one without a vDEVICE
  for (size_t i = 0; i < things.size(); ++i) {
    const auto taken = [&](const Thing& v) {
      return v.role == Role::kVdevice && v.alive && v.device == things[i].device;
    };
    if (things[i].role == Role::kDevice && things[i].alive &&
        things[i].context == things[viommu].context &&
        std::none_of(things.begin(), things.end(), taken))
      device = static_cast<int>(i);
  }
  if (device == kNone && !random_->OneIn(4)) return Need(Step::kBind, missing);
  if (device == kNone) device = Choose(Role::kDevice);
  Ioctl(op, OpKind::kVdeviceAlloc, FileOf(things[viommu].context));
  Link(op, 1, &op->vdeviceAlloc.viommuId, viommu);
  Link(op, 2, &op->vdeviceAlloc.devId, device);
  static constexpr uint64_t kVirtIds[] = {0, 1, 2, 0x205, 0x205, 0x10, 0x100000001, 0xffffffff};
  op->vdeviceAlloc.virtId = Odd() ? EdgeNumber(*random_) : random_->Pick(kVirtIds);
  return true;
}

bool Grower::Veventq(Op* op, Step* missing) {
  const int viommu = Choose(Role::kViommu);
  if (viommu == kNone) return Need(Step::kViommu, missing);
  Ioctl(op, OpKind::kVeventqAlloc, FileOf(scene_->things()[viommu].context));
  Link(op, 1, &op->veventqAlloc.viommuId, viommu);
  op->veventqAlloc.type = random_->OneIn(8) ? static_cast<uint32_t>(random_->Below(4)) : 1;
  op->veventqAlloc.depth = 1 + static_cast<uint32_t>(random_->Below(4));
  if (Odd()) op->veventqAlloc.depth = static_cast<uint32_t>(EdgeNumber(*random_));
  return true;
}

bool Grower::Destroy(Op* op, Step* missing) {
  static constexpr Role kRoles[] = {Role::kNested,  Role::kNested,  Role::kHwpt,    Role::kHwpt,
                                    Role::kViommu,  Role::kVdevice, Role::kVdevice, Role::kIoas,
                                    Role::kVeventq, Role::kDevice};
  int object = Choose(random_->Pick(kRoles));
  for (int i = 0; i < 4 && object == kNone; ++i) object = Choose(random_->Pick(kRoles));
  if (object == kNone) object = Choose(Role::kIoas);
  if (object == kNone) return Need(Step::kIoasAlloc, missing);
  Ioctl(op, OpKind::kDestroy, FileOf(scene_->things()[object].context));
  Link(op, 1, &op->destroy.id, object);
  return true;
}

bool Grower::Queue(Op* op, OpKind kind, Step* missing) {
  int file = Choose(Role::kVeventqFd);
  if (file == kNone && random_->OneIn(2)) return Need(Step::kVeventq, missing);
  static constexpr Role kOthers[] = {Role::kIommuFd,      Role::kCdevFd,      Role::kFaultFd,
                                     Role::kVfioDeviceFd, Role::kContainerFd, Role::kEventFd};
  if (random_->OneIn(6)) file = Choose(random_->Pick(kOthers));
  op->kind = kind;
  if (file != kNone) op->process = scene_->things()[file].process;
  Link(op, 0, &op->fd, file);
  if (kind == OpKind::kPoll) {
    op->poll.events = static_cast<uint32_t>(random_->OneIn(2) ? 0x145 : random_->Next() & 0xffff);
    return true;
  }
  static constexpr uint64_t kCounts[] = {40, 80, 4096, 4096, 39, 41, 8, 7, 48, 0};
  op->read.count = random_->Pick(kCounts);
  op->read.bufWritable = static_cast<uint32_t>(
      random_->OneIn(8) ? random_->Below(op->read.count + 1) : op->read.count);
  if (Odd() || (file != kNone && scene_->things()[file].role == Role::kVfioDeviceFd)) {
    op->read.positional = 1;
    op->read.offset =
        random_->OneIn(2) ? random_->Below(2) : random_->Below(10) << 40 | random_->Below(300);
  }
  return true;
}

}  // namespace twinwalk::fuzz
