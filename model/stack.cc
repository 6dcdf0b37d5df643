#include "model/stack.h"

#include <algorithm>
#include <cerrno>

#include "model/compat.h"

#include "traces/check.h"

namespace twinwalk::model {

void Stack::Reset(const World& world) {
  contexts_.clear();
  files_.clear();
  notMemory_ = nullptr;
  processes_.clear();
  backings_.Reset();
  memory_.Reset();
  world_ = world;
  processes_.resize(world.processes.size());
  devices_.assign(world.devices.size(), Device{});
  for (size_t i = 0; i < devices_.size(); ++i) devices_[i].config = world.devices[i];
  groups_ = DeriveGroups(world, faults_);
  for (size_t i = 0; i < processes_.size(); ++i) {
    processes_[i].alive = !world.processes[i].unborn;
    processes_[i].memlockPages = world.processes[i].memlockPages;
  }

  // Frame 0 is the first that a process gets, so that no code may take address 0 for "none".
  const uint64_t zero = memory_.Allocate(0, 0);
  smmus_.resize(world.smmus.size());
  for (uint32_t s = 0; s < smmus_.size(); ++s) {
    std::vector<uint64_t> sids(devices_.size(), Smmu::kNoStream);
    for (size_t i = 0; i < devices_.size(); ++i)
      if (devices_[i].config.smmu == s) sids[i] = devices_[i].config.streamId;
    smmus_[s].Reset(s, world.smmus[s], sids, &faults_, &memory_);
    smmus_[s].SetObserver(observer_);
  }
  vtds_.resize(world.vtds.size());
  for (uint32_t v = 0; v < vtds_.size(); ++v) {
    const uint32_t number = v + static_cast<uint32_t>(smmus_.size());
    std::vector<uint64_t> sids(devices_.size(), Vtd::kNoSource);
    for (size_t i = 0; i < devices_.size(); ++i)
      if (devices_[i].config.smmu == number) sids[i] = devices_[i].config.streamId;
    vtds_[v].Reset(number, world.vtds[v], sids, &faults_, &memory_);
    vtds_[v].SetObserver(observer_);
  }
  memory_.Free(zero);
  vmids_.assign(smmus_.size() + vtds_.size(), {});
  asids_.assign(smmus_.size() + vtds_.size(), {});

  accounts_.clear();
  for (const ProcessConfig& process : world.processes) {
    const uint64_t key = uint64_t{process.uid} + 1;
    auto at = std::find_if(accounts_.begin(), accounts_.end(),
                           [&](const Account& a) { return a.key == key; });
    if (at == accounts_.end()) at = accounts_.insert(at, {key, 0, 0});
    at->limit = std::max(at->limit, process.memlockPages);
  }
  contextsMade_ = pagesMade_ = pinnedPages_ = 0;
  failIn_ = hostLog_ = 0;
  ForgetLast();
}

void Stack::SetObserver(MicroStepObserver* observer) {
  observer_ = observer;
  for (Smmu& smmu : smmus_) smmu.SetObserver(observer);
  for (Vtd& vtd : vtds_) vtd.SetObserver(observer);
}

void Stack::ForgetLast() {
  accesses.clear();
  events.clear();
  commands.clear();
  filled.clear();
  onlyAccesses = false;
}

// ---- Files and contexts
// --------------------------------------------------------------------------

OpenFile* Stack::NewFile(FileKind kind) {
  files_.push_back(std::make_unique<OpenFile>());
  files_.back()->kind = kind;
  return files_.back().get();
}

OpenFile* Stack::NotMemory() {
  if (notMemory_ == nullptr) notMemory_ = NewFile(FileKind::kEventfd);
  return notMemory_;
}

OpenFile* Stack::OpenContext() {
  contexts_.push_back(std::make_unique<Context>(++contextsMade_));
  contexts_.back()->holders = 1;
  OpenFile* file = NewFile(FileKind::kIommufd);
  file->context = contexts_.back().get();
  return file;
}

OpenFile* Stack::OpenContainer() {
  OpenFile* file = OpenContext();
  file->kind = FileKind::kContainer;
  file->context->container = std::make_unique<Container>();
  return file;
}

void Stack::CloseGroup(Group* group) {
  Context* context = group->context;
  if (context != nullptr && context->container != nullptr) {
    LeaveContainer(this, group);
  } else if (context != nullptr) {
    group->context = nullptr;
    ReleaseContext(context);
  }
  group->file = nullptr;
}

void Stack::CloseDevice(uint32_t index) {
  Device& device = devices_[index];
  --group_of(index).openDevices;
  if (--device.vfio.opens > 0) return;
  device.vfio.Shut();
  if (device.object != nullptr) CloseContextDevice(this, index);
}

void Stack::CloseFile(OpenFile* file) {
  if (--file->refs > 0) return;
  OpenFile* held = file->holds;
  switch (file->kind) {
    case FileKind::kContainer:
    case FileKind::kIommufd:
      ReleaseContext(file->context);
      break;
    case FileKind::kCdev:
      if (file->context != nullptr) Unbind(file->device);
      break;
    case FileKind::kVeventq:
      file->queue->open = false;
      ReleaseContext(FindContext(file->queue->context));
      break;
    case FileKind::kMemfd:
      backings_.Release(file->backing);
      break;
    case FileKind::kFault:
      file->fault->open = false;
      ReleaseContext(FindContext(file->fault->context));
      break;
    case FileKind::kGroup:
      CloseGroup(&groups_.all[file->group]);
      break;
    case FileKind::kDevice:
      CloseDevice(file->device);
      break;
    case FileKind::kEventfd:
      break;
  }
  std::erase_if(files_, [&](const auto& f) { return f.get() == file; });
  if (held != nullptr) CloseFile(held);
}

Context* Stack::FindContext(uint64_t ordinal) {
  for (const auto& context : contexts_)
    if (context->ordinal == ordinal) return context.get();
  return nullptr;
}

Viommu* Stack::FindViommu(uint64_t key) {
  Context* context = FindContext(key >> 32);
  return context == nullptr ? nullptr : context->FindAs<Viommu>(static_cast<uint32_t>(key));
}

// The last holder gone: everything goes, whatever nobody refers to first (sheet 1).
void Stack::ReleaseContext(Context* context) {
  if (--context->holders > 0) return;
  for (bool progress = true; progress;) {
    progress = false;
    for (uint32_t id = 1; id < context->slots.size(); ++id) {
      Object* object = context->Find(id);
      if (object == nullptr || object->users() > 0) continue;
      DestroyObject(object);
      progress = true;
    }
  }
  std::erase_if(contexts_, [&](const auto& c) { return c.get() == context; });
}

void Stack::DestroyObject(Object* object) {
  Context* context = FindContext(object->context);
  switch (object->type) {
    case ObjectType::kDevice:  // its driver holds it until it unbinds
      CHECK(false);
      return;
    case ObjectType::kHwpt:
      DestroyHwpt(static_cast<Hwpt*>(object));
      return;
    case ObjectType::kVdevice:
      DestroyVdevice(static_cast<Vdevice*>(object), false);
      return;
    case ObjectType::kIoas: {  // no HWPT uses it, so nothing of it is pinned
      Ioas* ioas = static_cast<Ioas*>(object);
      while (!ioas->space.areas().empty()) DropArea(ioas, ioas->space.areas().begin());
      if (context->compat == ioas) context->compat = nullptr;
      break;
    }
    case ObjectType::kNested: {
      Nested* nested = static_cast<Nested*>(object);
      --nested->viommu->nesteds;
      if (nested->fault != nullptr) --nested->fault->hwpts;
      break;
    }
    case ObjectType::kViommu:
      --static_cast<Viommu*>(object)->parent->viommus;
      break;
    case ObjectType::kVeventq:
      std::erase(static_cast<Veventq*>(object)->viommu->queues, object);
      break;
    case ObjectType::kFault:
      break;
  }
  context->Remove(object->id, false);
}

}  // namespace twinwalk::model
