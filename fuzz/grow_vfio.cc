// Growth rules of VFIO containers, groups and devices.
#include <algorithm>

#include "fuzz/grow.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kBufferPointer = 0x7f0000000000;  // any number but null: blob holds the bytes

}  // namespace

// A container whose backend is set if there is one; now and then an iommufd.
int Grower::Container() {
  const auto& things = scene_->things();
  if (random_->OneIn(12)) {
    const int iommufd = Choose(Role::kIommuFd);
    if (iommufd != kNone) return iommufd;
  }
  int chosen = kNone;
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kContainerFd && things[i].alive && things[i].value != 0 &&
        random_->OneIn(++seen))
      chosen = static_cast<int>(i);
  return chosen;
}

int Grower::DeviceFile() {
  const int native = Choose(Role::kVfioDeviceFd);
  return native == kNone || random_->OneIn(4) ? Choose(Role::kCdevFd) : native;
}

bool Grower::SetContainer(Op* op, Step* missing) {
  const auto& things = scene_->things();
  int group = kNone;  // rather one that is in no container
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kGroupFd && things[i].alive &&
        (things[i].of == kNone || random_->OneIn(8)) && random_->OneIn(++seen))
      group = static_cast<int>(i);
  if (group == kNone) return Need(Step::kOpenGroup, missing);
  int container = Choose(random_->OneIn(8) ? Role::kIommuFd : Role::kContainerFd);
  if (container == kNone) container = Choose(Role::kContainerFd);
  if (container == kNone) return Need(Step::kOpenContainer, missing);
  Ioctl(op, OpKind::kVfioGroupSetContainer, group);
  Link(op, 1, &op->vfioGroupSetContainer.container, container);
  return true;
}

bool Grower::DeviceFd(Op* op, Step* missing) {
  const int group = Choose(Role::kGroupFd);
  if (group == kNone) return Need(Step::kOpenGroup, missing);
  if (scene_->things()[group].of == kNone && !Odd()) return Need(Step::kSetContainer, missing);
  Ioctl(op, OpKind::kVfioGroupGetDeviceFd, group);
  const auto& devices = scene_->world().devices;
  std::vector<const DeviceConfig*> members;
  for (const DeviceConfig& device : devices)
    if (device.group == scene_->things()[group].device || Odd()) members.push_back(&device);
  op->blob = members.empty() ? "no such" : random_->Pick(members)->vfio.name;
  if (!Odd()) op->blob.push_back('\0');
  op->vfioGroupGetDeviceFd.arg = kBufferPointer;
  op->size = op->readable = static_cast<uint16_t>(op->blob.size());
  return true;
}

bool Grower::Type1Map(Op* op, Step* missing) {
  const int container = Container();
  if (container == kNone) return Need(Step::kSetIommu, missing);
  const auto& things = scene_->things();
  int map = kNone;
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kMap && things[i].alive &&
        things[i].process == things[container].process && random_->OneIn(++seen))
      map = static_cast<int>(i);
  if (map == kNone || random_->OneIn(8)) return Need(Step::kMmap, missing);
  Ioctl(op, OpKind::kVfioIommuMapDma, container);
  VfioIommuMapDmaArgs& a = op->vfioIommuMapDma;
  Link(op, 1, &a.vaddrMap, map);
  static constexpr uint32_t kFlags[] = {3, 3, 3, 3, 1, 2};
  a.flags = random_->Pick(kFlags);
  const uint64_t pages = std::max<uint64_t>(1, things[map].size / kPageBytes);
  a.vaddr = kPageBytes * random_->Below(pages);
  a.length = kPageBytes * (1 + random_->Below(std::min<uint64_t>(pages, 5)));
  static constexpr uint64_t kBases[] = {0,          0x1000,     0x200000,     0x40000000,
                                        0xfedff000, 0xfef00000, 0x7fffffe000, 0x8000000000};
  std::vector<uint64_t> near{random_->Pick(kBases)};
  for (const SceneArea& area : scene_->areas()) {
    if (area.ioas != things[container].context) continue;
    near.push_back(area.iova + area.length);
    near.push_back(area.iova - a.length);
    if (!area.alive) near.push_back(area.iova), near.push_back(area.iova);
  }
  a.iova = random_->Pick(near);
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(16));
  if (Odd()) a.vaddr += random_->Below(4096);
  if (Odd()) a.iova = EdgeNumber(*random_);
  if (Odd()) a.length = EdgeNumber(*random_);
  return true;
}

bool Grower::Type1Unmap(Op* op, Step* missing) {
  const int container = Container();
  if (container == kNone) return Need(Step::kSetIommu, missing);
  std::vector<const SceneArea*> live;
  for (const SceneArea& a : scene_->areas())
    if (a.alive && a.ioas == scene_->things()[container].context) live.push_back(&a);
  if (live.empty()) return Need(Step::kType1Map, missing);
  const SceneArea& area = *random_->Pick(live);
  Ioctl(op, OpKind::kVfioIommuUnmapDma, container);
  VfioIommuUnmapDmaArgs& a = op->vfioIommuUnmapDma;
  op->size = op->readable = 24;
  a.iova = area.iova, a.length = area.length;
  switch (random_->Below(12)) {
    case 0:
      a.iova = a.length = 0, a.flags = 2;
      break;
    case 1:
      a.length += kPageBytes * random_->Below(16);
      break;
    case 2:
      a.iova -= kPageBytes, a.length += kPageBytes;
      break;
    case 3:
      a.length -= kPageBytes;
      break;
    case 4:
      a.flags = 4;
      break;
    case 5:
      op->size = op->readable = 48, a.flags = 1;
      a.bitmapPgsize = kPageBytes, a.bitmapSize = 8 * (1 + random_->Below(3));
      a.bitmapData = kBufferPointer, a.bufWritable = static_cast<uint32_t>(a.bitmapSize);
      op->blob.assign(a.bitmapSize, '\0');
      break;
    default:
      break;
  }
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(16));
  if (Odd()) a.iova = EdgeNumber(*random_);
  if (Odd()) a.length = EdgeNumber(*random_);
  return true;
}

bool Grower::Type1Dirty(Op* op, Step* missing) {
  const int container = Container();
  if (container == kNone) return Need(Step::kSetIommu, missing);
  Ioctl(op, OpKind::kVfioIommuDirtyPages, container);
  VfioIommuDirtyPagesArgs& a = op->vfioIommuDirtyPages;
  static constexpr uint32_t kFlags[] = {1, 1, 2, 4, 4, 4};
  a.flags = random_->Pick(kFlags);
  op->size = op->readable = a.flags == 4 ? 48 : 8;
  for (const SceneArea& area : scene_->areas())
    if (a.flags == 4 && area.alive && area.ioas == scene_->things()[container].context)
      a.iova = area.iova, a.length = area.length;
  a.bitmapPgsize = kPageBytes, a.bitmapSize = a.flags == 4 ? 8 : 0;
  a.bitmapData = kBufferPointer, a.bufWritable = static_cast<uint32_t>(a.bitmapSize);
  op->blob.assign(a.bitmapSize, random_->OneIn(4) ? '\x80' : '\0');
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(16));
  if (Odd()) a.iova = EdgeNumber(*random_);
  if (Odd()) a.bitmapPgsize = EdgeNumber(*random_);
  if (Odd()) a.bitmapSize = EdgeNumber(*random_);
  return true;
}

// Payload of VFIO_DEVICE_SET_IRQS.
void Grower::SetIrqs(Op* op) {
  VfioDeviceSetIrqsArgs& a = op->vfioDeviceSetIrqs;
  static constexpr uint32_t kData[] = {1, 2, 4, 4, 4}, kActions[] = {8, 16, 32, 32, 32};
  a.flags = random_->Pick(kData) | random_->Pick(kActions);
  a.index = static_cast<uint32_t>(random_->Below(6));
  a.count = static_cast<uint32_t>(random_->Below(3));
  if (Odd()) a.flags = static_cast<uint32_t>(random_->Below(128));
  if (Odd()) a.start = static_cast<uint32_t>(EdgeNumber(*random_));
  if (Odd()) a.count = static_cast<uint32_t>(EdgeNumber(*random_));
  const uint32_t words = std::min<uint32_t>(a.count, 4);
  if ((a.flags & 2) != 0) op->blob.assign(words, '\1');
  if ((a.flags & 4) != 0) {
    for (uint32_t i = 0; i < words; ++i) {
      const int eventfd = Choose(Role::kEventFd);
      const uint32_t word = eventfd == kNone || Odd() ? ~0u : scene_->things()[eventfd].op;
      if (word != ~0u) a.fdResults |= uint64_t{1} << i;
      op->blob.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
  }
  op->size += static_cast<uint32_t>(op->blob.size());
}

bool Grower::DeviceCall(Step step, Op* op, Step* missing) {
  const int file = DeviceFile();
  if (file == kNone) return Need(Step::kDeviceFd, missing);
  static constexpr std::pair<Step, OpKind> kCalls[] = {
      {Step::kDeviceInfo, OpKind::kVfioDeviceGetInfo},
      {Step::kRegionInfo, OpKind::kVfioDeviceGetRegionInfo},
      {Step::kIrqInfo, OpKind::kVfioDeviceGetIrqInfo},
      {Step::kSetIrqs, OpKind::kVfioDeviceSetIrqs},
      {Step::kDeviceReset, OpKind::kVfioDeviceReset},
      {Step::kHotResetInfo, OpKind::kVfioPciHotResetInfo},
      {Step::kHotReset, OpKind::kVfioPciHotReset},
      {Step::kIoeventfd, OpKind::kVfioDeviceIoeventfd},
      {Step::kFeature, OpKind::kVfioDeviceFeature}};
  const auto call = std::find_if(std::begin(kCalls), std::end(kCalls),
                                 [&](const auto& c) { return c.first == step; });
  Ioctl(op, call->second, file);
  const auto more = [&](size_t bytes) {  // room behind the struct
    op->blob.assign(bytes, '\0');
    op->size += static_cast<uint32_t>(bytes);
  };
  switch (step) {
    case Step::kRegionInfo:
      op->vfioDeviceGetRegionInfo.index = static_cast<uint32_t>(random_->Below(11));
      if (random_->OneIn(2)) more(random_->Below(64));
      break;
    case Step::kIrqInfo:
      op->vfioDeviceGetIrqInfo.index = static_cast<uint32_t>(random_->Below(7));
      break;
    case Step::kSetIrqs:
      SetIrqs(op);
      break;
    case Step::kHotResetInfo:
      more(8 * random_->Below(4));
      break;
    case Step::kHotReset: {
      const int group = Choose(Role::kGroupFd);
      const uint32_t word = group == kNone ? ~0u : scene_->things()[group].op;
      op->vfioPciHotReset.count = static_cast<uint32_t>(random_->Below(2));
      op->vfioPciHotReset.fdResults = word == ~0u ? 0 : 1;
      op->blob.assign(reinterpret_cast<const char*>(&word), sizeof word);
      op->size += 4;
      break;
    }
    case Step::kIoeventfd:
      op->vfioDeviceIoeventfd.flags = static_cast<uint32_t>(random_->Below(16));
      Link(op, 1, &op->vfioDeviceIoeventfd.eventfd, Choose(Role::kEventFd));
      break;
    case Step::kFeature:
      op->vfioDeviceFeature.flags = static_cast<uint32_t>(random_->Below(14)) |
                                    static_cast<uint32_t>(random_->Below(8)) << 16;
      if (random_->OneIn(2)) more(random_->Below(40));
      break;
    default:
      break;
  }
  return true;
}

bool Grower::MakeVfio(Step step, Op* op, Step* missing) {
  const auto on = [&](OpKind kind, int file, Step need) {
    if (file == kNone) return Need(need, missing);
    Ioctl(op, kind, file);
    return true;
  };
  const auto container = [&] {
    const int file = Choose(random_->OneIn(8) ? Role::kIommuFd : Role::kContainerFd);
    return file == kNone ? Choose(Role::kContainerFd) : file;
  };
  switch (step) {
    case Step::kOpenContainer:
      return Open(op, Node::kVfioContainer);
    case Step::kOpenGroup: {
      Open(op, random_->OneIn(24) ? Node::kVfioNoiommuGroup : Node::kVfioGroup);
      const auto& devices = scene_->world().devices;
      op->open.device = Odd() || devices.empty() ? static_cast<uint32_t>(random_->Below(6))
                                                 : random_->Pick(devices).group;
      return true;
    }
    case Step::kVersion:
      return on(OpKind::kVfioGetApiVersion, container(), Step::kOpenContainer);
    case Step::kExtension:
      if (!on(OpKind::kVfioCheckExtension, container(), Step::kOpenContainer)) return false;
      op->vfioCheckExtension.arg = random_->Below(14);
      return true;
    case Step::kSetIommu: {
      const auto& things = scene_->things();
      int file = kNone;  // one with a group, without a backend
      for (size_t i = 0; i < things.size(); ++i)
        if (things[i].role == Role::kGroupFd && things[i].alive && things[i].of != kNone &&
            things[things[i].of].value == 0)
          file = things[i].of;
      if (file == kNone && !Odd()) return Need(Step::kSetContainer, missing);
      if (!on(OpKind::kVfioSetIommu, file == kNone ? container() : file, Step::kSetContainer))
        return false;
      static constexpr uint64_t kTypes[] = {1, 3, 3, 3};
      op->vfioSetIommu.arg = Odd() ? random_->Below(12) : random_->Pick(kTypes);
      return true;
    }
    case Step::kType1Info:
      if (!on(OpKind::kVfioIommuGetInfo, Container(), Step::kSetIommu)) return false;
      op->blob.assign(random_->Below(128), '\0');
      op->size += static_cast<uint32_t>(op->blob.size());
      return true;
    case Step::kType1Map:
      return Type1Map(op, missing);
    case Step::kType1Unmap:
      return Type1Unmap(op, missing);
    case Step::kType1Dirty:
      return Type1Dirty(op, missing);
    case Step::kGroupStatus:
      return on(OpKind::kVfioGroupGetStatus, Choose(Role::kGroupFd), Step::kOpenGroup);
    case Step::kSetContainer:
      return SetContainer(op, missing);
    case Step::kUnsetContainer:
      return on(OpKind::kVfioGroupUnsetContainer, Choose(Role::kGroupFd), Step::kSetContainer);
    case Step::kDeviceFd:
      return DeviceFd(op, missing);
    default:
      return DeviceCall(step, op, missing);
  }
}

}  // namespace twinwalk::fuzz
