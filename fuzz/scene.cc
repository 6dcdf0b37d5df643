#include "fuzz/scene.h"

#include <algorithm>

#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

constexpr size_t kMaxWords = 8192, kMaxIovas = 16;
constexpr uint64_t kMaxAddress = uint64_t{1} << 48;  // no mapping reaches it

bool IsFile(Role role) {
  return role <= Role::kMemFd;
}

bool Matches(Role role, HandleRole handle) {
  switch (handle) {
    case HandleRole::kFd:
      return IsFile(role);
    case HandleRole::kId:
      return !IsFile(role) && role != Role::kMap;
    case HandleRole::kMap:
      return role == Role::kMap;
  }
  return false;
}

uint64_t MemoryKey(uint8_t process, uint64_t va) {
  return uint64_t{process} << 56 | va;
}

}  // namespace

int Scene::Find(uint32_t op, HandleRole role) const {
  for (size_t i = things_.size(); i-- > 0;)
    if (things_[i].op == op && Matches(things_[i].role, role)) return static_cast<int>(i);
  return kNone;
}

int Scene::MapAt(uint8_t process, uint64_t va) const {
  for (size_t i = things_.size(); i-- > 0;) {
    const Thing& t = things_[i];
    if (t.role == Role::kMap && t.process == process && va - t.value < t.size)
      return static_cast<int>(i);
  }
  return kNone;
}

const SceneArea* Scene::AreaAt(int ioas, uint64_t iova) const {
  for (const SceneArea& a : areas_)
    if (a.alive && a.ioas == ioas && iova - a.iova < a.length) return &a;
  return nullptr;
}

int Scene::IoasOf(int thing) const {
  for (int steps = 0; thing != kNone && steps < 4; ++steps) {
    if (things_[thing].role == Role::kIoas || things_[thing].role == Role::kContainerFd)
      return thing;
    thing = things_[thing].of;
  }
  return kNone;
}

std::vector<uint64_t> Scene::Pages(int ioas) const {
  std::vector<uint64_t> pages;
  for (const SceneArea& a : areas_)
    for (uint64_t at = 0;
         a.alive && a.ioas == ioas && at < std::min<uint64_t>(a.length, 8 * kPageBytes);
         at += kPageBytes)
      pages.push_back(a.iova + at);
  return pages;
}

uint64_t Scene::Word(uint8_t process, uint64_t va) const {
  const auto it = memory_.find(MemoryKey(process, va));
  return it == memory_.end() ? 0 : it->second;
}

std::optional<SampledWalk> Scene::Sample(Random& random, int nested) const {
  const int ioas = IoasOf(nested);
  const uint64_t context = things_[nested].value & 0x000fffffffffffc0;
  const SceneArea* area = ioas == kNone ? nullptr : AreaAt(ioas, context);
  if (area == nullptr) return std::nullopt;
  SampledWalk walk;
  const uint64_t cd = area->va + (context - area->iova);
  const uint64_t word0 = Word(area->process, cd), word1 = Word(area->process, cd + 8);
  if ((word0 >> 31 & 1) == 0) return std::nullopt;
  walk.asid = static_cast<uint16_t>(word0 >> 48);
  walk.words = {{area->process, cd, word0}, {area->process, cd + 8, word1}};
  const uint64_t bits = 64 - (word0 & 63);
  int level = bits > 39 ? 0 : bits > 30 ? 1 : 2;
  uint64_t table = word1 & kOutputMask;
  for (; level <= 3; ++level) {
    area = AreaAt(ioas, table);
    if (area == nullptr) return walk;
    const uint64_t start = area->va + (table - area->iova);
    if (start >= kMaxAddress) return walk;
    const auto first = memory_.lower_bound(MemoryKey(area->process, start));
    const auto end = memory_.lower_bound(MemoryKey(area->process, start + kPageBytes));
    std::vector<std::pair<uint64_t, uint64_t>> valid;
    for (auto it = first; it != end; ++it)
      if ((it->second & kValid) != 0) valid.push_back(*it);
    if (valid.empty()) return walk;
    const auto [key, word] = random.Pick(valid);
    const uint64_t address = key & ~(uint64_t{0xff} << 56);
    walk.va |= (address - start) / 8 << (12 + 9 * (3 - level));
    walk.words.push_back({area->process, address, word});
    if (level == 3 || (word & kTableOrPage) == 0) {
      walk.complete = true;
      return walk;
    }
    table = word & kOutputMask;
  }
  return walk;
}

int Scene::Add(Role role, const Op& op, int context) {
  Thing thing;
  thing.role = role, thing.op = ops_, thing.process = op.process, thing.context = context;
  things_.push_back(thing);
  return static_cast<int>(things_.size()) - 1;
}

int Scene::HandleThing(const Op& op, int index, Handle handle, HandleRole role) const {
  return (op.results >> index & 1) != 0 ? Find(handle, role) : kNone;
}

void Scene::Open(const Op& op) {
  int made = kNone;
  switch (static_cast<Node>(op.open.node)) {
    case Node::kIommu:
      made = Add(Role::kIommuFd, op, kNone);
      break;
    case Node::kVfioCdev:
      made = Add(Role::kCdevFd, op, kNone);
      things_[made].device = op.open.device;
      return;
    case Node::kVfioContainer:
      made = Add(world_->iommufdContainer ? Role::kIommuFd : Role::kContainerFd, op, kNone);
      break;
    case Node::kVfioGroup:
    case Node::kVfioNoiommuGroup:
      made = Add(Role::kGroupFd, op, kNone);
      things_[made].device = op.open.device;
      return;
  }
  if (made != kNone) things_[made].context = made;
}

void Scene::Dup(const Op& op) {
  const int from = HandleThing(op, 0, op.fd, HandleRole::kFd);
  if (from == kNone) return;
  Thing copy = things_[from];
  copy.op = ops_, copy.alive = true;
  things_.push_back(copy);
}

void Scene::Kill(int thing) {
  if (thing != kNone) things_[thing].alive = false;
}

void Scene::Close(int file) {
  if (file == kNone) return;
  Kill(file);
  if (things_[file].role != Role::kCdevFd) return;
  for (Thing& t : things_)
    if ((t.role == Role::kDevice && t.of == file) ||
        (t.role == Role::kVdevice && t.device == things_[file].device))
      t.alive = false;
}

void Scene::MakeObject(const Op& op, int fd) {
  const int context = fd == kNone ? kNone : things_[fd].context;
  const auto id = [&](int index, Handle handle) {
    return HandleThing(op, index, handle, HandleRole::kId);
  };
  if (op.kind == OpKind::kIoasAlloc) {
    Add(Role::kIoas, op, context);
  } else if (op.kind == OpKind::kHwptAlloc) {
    const int of = id(2, op.hwptAlloc.ptId);
    const bool nested = of != kNone && things_[of].role == Role::kViommu;
    const int made = Add(nested ? Role::kNested : Role::kHwpt, op, context);
    things_[made].of = of;
    things_[made].parent = (op.hwptAlloc.flags & 1) != 0;
    if (nested) things_[made].value = WordAt(op.blob, TrailingBytes(op));
  } else if (op.kind == OpKind::kViommuAlloc) {
    const int of = id(2, op.viommuAlloc.hwptId);
    things_[Add(Role::kViommu, op, context)].of = of;
  } else if (op.kind == OpKind::kVdeviceAlloc) {
    const int of = id(1, op.vdeviceAlloc.viommuId), device = id(2, op.vdeviceAlloc.devId);
    const int made = Add(Role::kVdevice, op, context);
    things_[made].of = of;
    things_[made].device = device == kNone ? 0 : things_[device].device;
    things_[made].value = op.vdeviceAlloc.virtId;
  } else if (op.kind == OpKind::kVeventqAlloc) {
    const int of = id(1, op.veventqAlloc.viommuId);
    const int made = Add(Role::kVeventq, op, context);
    things_[made].of = of;
    things_[Add(Role::kVeventqFd, op, context)].of = made;
  } else if (op.kind == OpKind::kBindIommufd && fd != kNone) {
    const int iommufd = HandleThing(op, 1, op.bind.iommufd, HandleRole::kFd);
    const int root = iommufd == kNone ? kNone : things_[iommufd].context;
    things_[fd].context = root;
    const int made = Add(Role::kDevice, op, root);
    things_[made].of = fd;
    things_[made].device = things_[fd].device;
  }
}

void Scene::Unmap(int space, uint64_t iova, uint64_t length, bool all) {
  for (SceneArea& a : areas_)
    if (a.ioas == space && (all || (a.iova - iova < length && a.iova + a.length - iova <= length)))
      a.alive = false;
}

void Scene::AddArea(const Op& op, int space, Handle handle, uint64_t va, uint64_t iova,
                    uint64_t length) {
  if (AreaAt(space, iova) != nullptr) return;
  SceneArea area;
  const int map = HandleThing(op, op.kind == OpKind::kIoasMap ? 2 : 1, handle, HandleRole::kMap);
  area.ioas = space;
  area.va = va + (map == kNone ? 0 : things_[map].value);
  area.iova = iova, area.length = length;
  area.process = op.process;
  areas_.push_back(area);
}

void Scene::Store(const Op& op) {
  const int map = HandleThing(op, 1, op.memWrite.map, HandleRole::kMap);
  const uint64_t at = op.memWrite.address + (map == kNone ? 0 : things_[map].value);
  if (at % 8 != 0 || at >= kMaxAddress) return;
  for (size_t i = 0; i < op.blob.size(); i += 8) {
    const uint64_t word = WordAt(op.blob, i), key = MemoryKey(op.process, at + i);
    if (word == 0)
      memory_.erase(key);
    else if (memory_.size() < kMaxWords)
      memory_[key] = word;
  }
}

void Scene::Remember(uint64_t iova) {
  if (std::find(iovas_.begin(), iovas_.end(), iova) != iovas_.end()) return;
  if (iovas_.size() == kMaxIovas) iovas_.erase(iovas_.begin());
  iovas_.push_back(iova);
}

void Scene::NoteVfio(const Op& op, int fd) {
  if (fd == kNone) return;
  const int space = things_[fd].context;
  if (op.kind == OpKind::kVfioSetIommu && space != kNone) {
    things_[space].value = op.vfioSetIommu.arg;
  } else if (op.kind == OpKind::kVfioIommuMapDma) {
    const VfioIommuMapDmaArgs& a = op.vfioIommuMapDma;
    AddArea(op, space, a.vaddrMap, a.vaddr, a.iova, a.length);
  } else if (op.kind == OpKind::kVfioIommuUnmapDma) {
    const VfioIommuUnmapDmaArgs& a = op.vfioIommuUnmapDma;
    if ((a.flags & 4) == 0) Unmap(space, a.iova, a.length, (a.flags & 2) != 0);
  } else if (op.kind == OpKind::kVfioGroupSetContainer) {
    const int container = HandleThing(op, 1, op.vfioGroupSetContainer.container, HandleRole::kFd);
    things_[fd].of = container == kNone ? kNone : things_[container].context;
  } else if (op.kind == OpKind::kVfioGroupUnsetContainer) {
    things_[fd].of = kNone;
  } else if (op.kind == OpKind::kVfioGroupGetDeviceFd) {
    const int made = Add(Role::kVfioDeviceFd, op, kNone);
    things_[made].of = fd;
    for (size_t i = 0; i < world_->devices.size(); ++i) {
      const std::string& name = world_->devices[i].vfio.name;
      if (op.blob.compare(0, name.size(), name) == 0)
        things_[made].device = static_cast<uint32_t>(i);
    }
  }
}

void Scene::NoteProcess(const Op& op, int fd) {
  if (op.kind == OpKind::kEventfd) Add(Role::kEventFd, op, kNone);
  if (op.kind == OpKind::kPassFd && fd != kNone) {
    Thing copy = things_[fd];
    copy.op = ops_, copy.process = static_cast<uint8_t>(op.passFd.to), copy.alive = true;
    things_.push_back(copy);
  }
  if (op.kind != OpKind::kExit && op.kind != OpKind::kExec) return;
  for (Thing& t : things_)
    if (t.process == op.process &&
        (t.role == Role::kMap || (op.kind == OpKind::kExit && IsFile(t.role))))
      t.alive = false;
}

void Scene::Note(const Op& op, bool succeeded) {
  if (!succeeded) {
    ++ops_;
    return;
  }
  const int fd = UsesFd(op.kind) ? HandleThing(op, 0, op.fd, HandleRole::kFd) : kNone;
  switch (op.kind) {
    case OpKind::kOpen:
      Open(op);
      break;
    case OpKind::kDup:
      Dup(op);
      break;
    case OpKind::kClose:
      Close(fd);
      break;
    case OpKind::kIoasAlloc:
    case OpKind::kHwptAlloc:
    case OpKind::kViommuAlloc:
    case OpKind::kVdeviceAlloc:
    case OpKind::kVeventqAlloc:
    case OpKind::kBindIommufd:
      MakeObject(op, fd);
      break;
    case OpKind::kAttachIommufdPt:
      if (fd != kNone) things_[fd].attached = HandleThing(op, 1, op.attach.ptId, HandleRole::kId);
      break;
    case OpKind::kDetachIommufdPt:
      if (fd != kNone) things_[fd].attached = kNone;
      break;
    case OpKind::kIoasMap:
      if ((op.ioasMap.flags & 1) != 0)
        AddArea(op, HandleThing(op, 1, op.ioasMap.ioasId, HandleRole::kId), op.ioasMap.userMap,
                op.ioasMap.userVa, op.ioasMap.iova, op.ioasMap.length);
      break;
    case OpKind::kIoasUnmap:
      Unmap(HandleThing(op, 1, op.ioasUnmap.ioasId, HandleRole::kId), op.ioasUnmap.iova,
            op.ioasUnmap.length, op.ioasUnmap.iova == 0 && op.ioasUnmap.length == ~uint64_t{0});
      break;
    case OpKind::kIoasCopy: {
      const int from = HandleThing(op, 2, op.ioasCopy.srcIoasId, HandleRole::kId);
      const int to = HandleThing(op, 1, op.ioasCopy.dstIoasId, HandleRole::kId);
      const SceneArea* source = AreaAt(from, op.ioasCopy.srcIova);
      if (source == nullptr || (op.ioasCopy.flags & 1) == 0) break;
      SceneArea copy = *source;
      copy.ioas = to, copy.iova = op.ioasCopy.dstIova, copy.length = op.ioasCopy.length;
      copy.va += op.ioasCopy.srcIova - source->iova;
      areas_.push_back(copy);
      break;
    }
    case OpKind::kDestroy:
      Kill(HandleThing(op, 1, op.destroy.id, HandleRole::kId));
      break;
    case OpKind::kMmap: {
      const int made = Add(Role::kMap, op, kNone);
      things_[made].value = op.mmap.base, things_[made].size = op.mmap.length;
      break;
    }
    case OpKind::kMemfd:
      Add(Role::kMemFd, op, kNone);
      break;
    case OpKind::kMunmap:
      Kill(HandleThing(op, 1, op.munmap.map, HandleRole::kMap));
      break;
    case OpKind::kMemWrite:
      Store(op);
      break;
    case OpKind::kDma:
      Remember(op.dma.iova);
      break;
    case OpKind::kHwptInvalidate:
      for (size_t i = TrailingBytes(op); i + 16 <= op.blob.size() && i < 64; i += 16)
        Remember(WordAt(op.blob, i + 8) & ~uint64_t{4095});
      break;
    case OpKind::kRaw:
    case OpKind::kIoasIovaRanges:
    case OpKind::kGetHwInfo:
    case OpKind::kRead:
    case OpKind::kPoll:
    case OpKind::kFailAlloc:
    case OpKind::kWrite:
    case OpKind::kSetrlimit:
    case OpKind::kVfioGetApiVersion:
    case OpKind::kVfioCheckExtension:
    case OpKind::kVfioIommuGetInfo:
    case OpKind::kVfioIommuDirtyPages:
    case OpKind::kVfioGroupGetStatus:
    case OpKind::kVfioDeviceGetInfo:
    case OpKind::kVfioDeviceGetRegionInfo:
    case OpKind::kVfioDeviceGetIrqInfo:
    case OpKind::kVfioDeviceSetIrqs:
    case OpKind::kVfioDeviceReset:
    case OpKind::kVfioPciHotResetInfo:
    case OpKind::kVfioPciHotReset:
    case OpKind::kVfioDeviceIoeventfd:
    case OpKind::kVfioDeviceFeature:
    case OpKind::kIoasAllowIovas:
    case OpKind::kIoasMapFile:
    case OpKind::kIommuOption:
    case OpKind::kVfioIoas:
    case OpKind::kHwptSetDirty:
    case OpKind::kHwptGetDirty:
    case OpKind::kIoasChangeProcess:
      break;
    case OpKind::kFaultQueueAlloc: {
      const int context = fd == kNone ? kNone : things_[fd].context;
      const int made = Add(Role::kFault, op, context);
      things_[Add(Role::kFaultFd, op, context)].of = made;
      break;
    }
    case OpKind::kVfioSetIommu:
    case OpKind::kVfioIommuMapDma:
    case OpKind::kVfioIommuUnmapDma:
    case OpKind::kVfioGroupSetContainer:
    case OpKind::kVfioGroupUnsetContainer:
    case OpKind::kVfioGroupGetDeviceFd:
      NoteVfio(op, fd);
      break;
    case OpKind::kEventfd:
    case OpKind::kFork:
    case OpKind::kExec:
    case OpKind::kExit:
    case OpKind::kPassFd:
      NoteProcess(op, fd);
      break;
  }
  ++ops_;
}

}  // namespace twinwalk::fuzz
