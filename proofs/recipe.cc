#include "proofs/recipe.h"

#include <algorithm>
#include <set>

namespace twinwalk::proofs {
namespace {

constexpr uint64_t kPage = 4096;
uint64_t RoundUp(uint64_t n) {
  return (n + kPage - 1) / kPage * kPage;
}

// Puts handles in the place of the ids of a View.
struct Replace {
  const std::map<uint64_t, uint32_t>& contexts;
  const std::map<uint64_t, uint32_t>& made;
  uint64_t context;
  uint8_t results;
  template <class T>
  void Field(const char*, T&) {}
  void HandleField(const char*, Handle& handle, HandleRole role, int index) {
    if (index == 0 || role == HandleRole::kMap) return;
    const auto& makers = role == HandleRole::kFd ? contexts : made;
    const auto it = makers.find(role == HandleRole::kFd ? context : ObjectKey(context, handle));
    if (it == makers.end()) return;
    handle = it->second;
    results = static_cast<uint8_t>(results | 1 << index);
  }
};

}  // namespace

bool Recipe::Fail(const std::string& why) {
  if (why_.empty()) why_ = why;
  return false;
}

size_t Recipe::Add(const Op& op) {
  trace_.ops.push_back(op);
  return trace_.ops.size() - 1;
}

uint32_t Recipe::ProcessOf(uint64_t context) const {
  uint32_t process = 0;
  Rows(view_->areas, [&](const AreaRow<Concrete>& a) {
    if (ContextOfKey(a.space) == context && a.process != 0)
      process = static_cast<uint32_t>(a.process - 1);
  });
  return process;
}

Op Recipe::Call(OpKind kind, uint64_t context) const {
  Op op;
  op.kind = kind;
  op.process = static_cast<uint8_t>(ProcessOf(context));
  op.size = StructSize(kind);
  op.readable = op.writable = 65535;
  const auto fd = context_fd_.find(context);
  if (fd != context_fd_.end()) op.fd = fd->second, op.results = 1;
  return op;
}
Op Recipe::CdevCall(OpKind kind, uint64_t device) const {
  const DeviceRow<Concrete>* row = view_->devices.Find(device);
  uint64_t context = row != nullptr ? row->context : 0;
  for (const auto& [place, helper] : helpers_)
    if (helper == device) context = place.first;
  Op op = Call(kind, context);
  const auto fd = cdev_.find(device);
  op.fd = fd == cdev_.end() ? kDanglingHandle : fd->second;
  op.results = fd == cdev_.end() ? 0 : 1;
  return op;
}

uint32_t Recipe::Made(uint64_t key) {
  const auto it = made_.find(key);
  if (it != made_.end()) return it->second;
  Fail("object " + std::to_string(key) + " has no maker");
  return kDanglingHandle;
}

void Recipe::MakeWorld() {
  World& world = trace_.world;
  uint64_t devices = 0, smmus = 1, processes = 1;
  Rows(view_->devices, [&](const auto& d) {
    devices = std::max(devices, d.key), smmus = std::max(smmus, d.smmu + 1);
  });
  Rows(view_->hwpts, [&](const auto& h) { smmus = std::max(smmus, h.smmu + 1); });
  Rows(view_->areas, [&](const auto& a) { processes = std::max(processes, a.process); });
  world.smmus.resize(std::min<uint64_t>(smmus, kMaxSmmus));
  world.processes.resize(std::min<uint64_t>(processes, kMaxProcesses));
  world.devices.resize(std::min<uint64_t>(devices, kMaxDevices / 2));
  for (size_t i = 0; i < world.devices.size(); ++i) {
    DeviceConfig& device = world.devices[i];
    device.streamId = 0x1000 + static_cast<uint32_t>(i), device.group = 0x100 + device.streamId;
    if (const auto* row = view_->devices.Find(i + 1)) {
      device.smmu = static_cast<uint32_t>(row->smmu);
      device.streamId = static_cast<uint32_t>(row->sid);
      device.group = static_cast<uint32_t>(row->group);
    }
  }
  Rows(view_->areas, [&](const AreaRow<Concrete>& a) {
    if (a.process == 0 || a.process > world.processes.size()) return;
    ProcessConfig& process = world.processes[a.process - 1];
    process.ipcLock = a.account == 0;
    if (a.account != 0) process.uid = static_cast<uint32_t>(a.account - 1);
    if (const auto* account = view_->accounts.Find(a.account))
      process.memlockPages = account->limit;
  });
  uint64_t contexts = 0;
  auto need = [&](uint64_t key) { contexts = std::max(contexts, ContextOfKey(key)); };
  Rows(view_->devices, [&](const auto& d) { contexts = std::max(contexts, d.context); });
  Rows(view_->ioases, [&](const auto& o) { need(o.key); });
  Rows(view_->hwpts, [&](const auto& o) { need(o.key); });
  Rows(view_->viommus, [&](const auto& o) { need(o.key); });
  for (uint64_t context = 1; context <= contexts; ++context) {
    Op open = Call(OpKind::kOpen, context);
    open.size = 0, open.readable = open.writable = 0, open.results = 0;
    open.open.node = static_cast<uint32_t>(Node::kIommu);
    context_fd_[context] = static_cast<uint32_t>(Add(open));
  }
}

void Recipe::Bind(uint64_t device, uint64_t context) {
  Op open = Call(OpKind::kOpen, context);
  open.size = 0, open.readable = open.writable = 0, open.results = 0, open.fd = kDanglingHandle;
  open.open.node = static_cast<uint32_t>(Node::kVfioCdev);
  open.open.device = static_cast<uint32_t>(device - 1);
  cdev_[device] = static_cast<uint32_t>(Add(open));
  if (context == 0) return;
  Op bind = Call(OpKind::kBindIommufd, context);
  bind.fd = cdev_[device];
  bind.bind.iommufd = context_fd_[context];
  bind.results = 3;
  const auto at = static_cast<uint32_t>(Add(bind));
  if (const auto* row = view_->devices.Find(device))
    made_[row->object] = at;
  else
    made_[~device] = at;  // a helper's DEVICE
}

// A device of this World that is in no row of the View: what allocates and fills.
size_t Recipe::Helper(uint64_t context, uint64_t smmu) {
  const auto it = helpers_.find({context, smmu});
  if (it != helpers_.end()) return it->second;
  DeviceConfig device;
  device.smmu = static_cast<uint32_t>(smmu);
  device.streamId = 0x2000 + static_cast<uint32_t>(trace_.world.devices.size());
  device.group = 0x2000 + device.streamId;
  trace_.world.devices.push_back(device);
  const uint64_t key = trace_.world.devices.size();
  helpers_[{context, smmu}] = key;
  Bind(key, context);
  return key;
}

void Recipe::Attach(uint64_t device, uint64_t target) {
  Op op = CdevCall(OpKind::kAttachIommufdPt, device);
  op.attach.ptId = Made(target);
  op.results |= 2;
  Add(op);
}

void Recipe::MakeIoases() {
  Rows(view_->ioases, [&](const IoasRow<Concrete>& o) {
    made_[o.key] = static_cast<uint32_t>(Add(Call(OpKind::kIoasAlloc, ContextOfKey(o.key))));
  });
}

void Recipe::MakeHwpts() {
  Rows(view_->hwpts, [&](const HwptRow<Concrete>& h) {
    const uint64_t context = ContextOfKey(h.key);
    if (h.automatic != 0) {
      // Made by the first attach to its IOAS; the id of the HWPT is that Op's result.
      bool first = true;
      Rows(view_->devices, [&](const DeviceRow<Concrete>& d) {
        if (d.attached != h.key) return;
        Attach(d.key, h.ioas);
        if (first) made_[h.key] = static_cast<uint32_t>(trace_.ops.size() - 1);
        first = false;
      });
      if (first) Fail("an automatic HWPT without a device");
      return;
    }
    const uint64_t helper = Helper(context, h.smmu);
    Op op = Call(OpKind::kHwptAlloc, context);
    op.hwptAlloc.flags = h.nestParent != 0 ? 1 : h.allowPasid != 0 ? 8 : 0;
    op.hwptAlloc.devId = Made(~helper);
    op.hwptAlloc.ptId = Made(h.ioas);
    op.results |= 6;
    made_[h.key] = static_cast<uint32_t>(Add(op));
  });
}

// The memory behind an area, mapped where its process has it.
void Recipe::MakeMemory(const AreaRow<Concrete>& a) {
  const uint64_t first = a.va / kPage * kPage;
  const uint64_t length = RoundUp(a.va + (a.last - a.first) + 1 - first);
  const uint64_t offset = a.offset / kPage * kPage;
  if (length > uint64_t{1} << 40 || offset > uint64_t{1} << 40) {
    Fail("an area larger than memory");
    return;
  }
  const auto process = static_cast<uint8_t>(ProcessOf(ContextOfKey(a.space)));
  if (mmaps_.contains({process, first})) return;
  const uint64_t backing = a.backing;
  if (!memfd_.contains(backing)) {
    uint64_t end = 0;
    Rows(view_->areas, [&](const AreaRow<Concrete>& other) {
      if (other.backing == backing)
        end = std::max(end, other.offset % (uint64_t{1} << 41) + (other.last - other.first) + 1);
    });
    Op memfd;
    memfd.kind = OpKind::kMemfd;
    memfd.process = process;
    memfd.memfd.length = RoundUp(end + kPage);
    memfd_[backing] = static_cast<uint32_t>(Add(memfd));
  }
  Op map;
  map.kind = OpKind::kMmap;
  map.process = process;
  map.fd = memfd_[backing];
  map.results = 1;
  map.mmap.base = first, map.mmap.length = length, map.mmap.offset = offset;
  map.mmap.prot = kProtRead | kProtWrite, map.mmap.shared = 1;
  mmaps_[{process, first}] = static_cast<uint32_t>(Add(map));
}

void Recipe::MakeAreas() {
  std::set<Place> done;
  Rows(view_->areas, [&](const AreaRow<Concrete>& a) {
    if (a.pinned != 0) MakeMemory(a);
  });
  Rows(view_->areas, [&](const AreaRow<Concrete>& a) {
    if (!done.insert({a.space, a.mapFirst}).second) return;
    if (a.first != a.mapFirst) Fail("a map whose first run is missing");
    Op op = Call(OpKind::kIoasMap, ContextOfKey(a.space));
    op.ioasMap.flags = 1 | ((a.rights & kWrite) != 0 ? 2 : 0) | ((a.rights & kRead) != 0 ? 4 : 0);
    op.ioasMap.ioasId = Made(a.space);
    op.results |= 2;
    op.ioasMap.userVa = a.va;
    op.ioasMap.length = a.mapLast - a.mapFirst + 1;
    op.ioasMap.iova = a.mapFirst;
    Add(op);
  });
}

bool Recipe::MadeLate(const VdeviceRow<Concrete>& vd) const {
  const auto* d = view_->devices.Find(vd.device);
  return d != nullptr && d->eventViommu == vd.viommu && d->eventVirtId != (vd.virtId & 0xffffffff);
}

void Recipe::MakeVdevice(const VdeviceRow<Concrete>& vd) {
  Op op = Call(OpKind::kVdeviceAlloc, ContextOfKey(vd.key));
  const auto* device = view_->devices.Find(vd.device);
  op.vdeviceAlloc.viommuId = Made(vd.viommu);
  op.vdeviceAlloc.devId = Made(device == nullptr ? 0 : device->object);
  op.results |= 6;
  op.vdeviceAlloc.virtId = vd.virtId;
  made_[vd.key] = static_cast<uint32_t>(Add(op));
}

void Recipe::MakeViommus() {
  Rows(view_->viommus, [&](const ViommuRow<Concrete>& m) {
    const uint64_t context = ContextOfKey(m.key);
    const uint64_t helper = Helper(context, m.smmu);
    Op op = Call(OpKind::kViommuAlloc, context);
    op.viommuAlloc.type = 1;
    op.viommuAlloc.devId = Made(~helper), op.viommuAlloc.hwptId = Made(m.hwpt);
    op.results |= 6;
    made_[m.key] = static_cast<uint32_t>(Add(op));
  });
  Rows(view_->vdevices, [&](const VdeviceRow<Concrete>& vd) {
    if (!MadeLate(vd)) MakeVdevice(vd);
  });
  Rows(view_->veventqs, [&](const VeventqRow<Concrete>& q) {
    Op op = Call(OpKind::kVeventqAlloc, ContextOfKey(q.key));
    op.veventqAlloc.viommuId = Made(q.viommu);
    op.results |= 2;
    op.veventqAlloc.type = 1, op.veventqAlloc.depth = static_cast<uint32_t>(q.depth);
    made_[q.key] = static_cast<uint32_t>(Add(op));
  });
}

void Recipe::MakeNesteds() {
  Rows(view_->nesteds, [&](const NestedRow<Concrete>& n) {
    const uint64_t context = ContextOfKey(n.key);
    const auto* viommu = view_->viommus.Find(n.viommu);
    const uint64_t helper = Helper(context, viommu == nullptr ? 0 : viommu->smmu);
    Op op = Call(OpKind::kHwptAlloc, context);
    op.hwptAlloc.devId = Made(~helper), op.hwptAlloc.ptId = Made(n.viommu);
    op.results |= 6;
    op.hwptAlloc.dataType = 2, op.hwptAlloc.dataLen = 16;
    op.hwptAlloc.dataPtr = 0x1000;
    for (uint64_t word : {n.ste0, n.ste1}) op.blob.append(reinterpret_cast<const char*>(&word), 8);
    made_[n.key] = static_cast<uint32_t>(Add(op));
  });
}

void Recipe::AttachDevices() {
  Rows(view_->devices, [&](const DeviceRow<Concrete>& d) {
    if (d.attached == 0) return;
    const auto* hwpt = view_->hwpts.Find(d.attached);
    if (hwpt != nullptr && hwpt->automatic != 0) return;  // attached when it was made
    // A guest's stage 1 asks for a vDEVICE, but only at this moment: one that is gone by now.
    const auto* nested = view_->nesteds.Find(d.attached);
    const bool named = nested == nullptr || view_->vdevices.Any([&](const auto& vd) {
      return vd.device == d.key && vd.viommu == nested->viommu && !MadeLate(vd);
    });
    uint32_t vdevice = 0;
    if (!named) {
      Op op = Call(OpKind::kVdeviceAlloc, d.context);
      op.vdeviceAlloc.viommuId = Made(nested->viommu), op.vdeviceAlloc.devId = Made(d.object);
      op.vdeviceAlloc.virtId = d.eventViommu != 0 ? d.eventVirtId : 0xfffe'0000 + d.key;
      op.results |= 6;
      vdevice = static_cast<uint32_t>(Add(op));
    }
    Attach(d.key, d.attached);
    if (named) return;
    Op op = Call(OpKind::kDestroy, d.context);
    op.destroy.id = vdevice;
    op.results |= 2;
    Add(op);
  });
}

bool Recipe::Build(const View<Concrete>& view, const Rules& rules,
                   const std::vector<GuestWord>& guest) {
  view_ = &view;
  trace_.world.rules = rules;
  MakeWorld();
  Rows(view.devices, [&](const DeviceRow<Concrete>& d) { Bind(d.key, d.context); });
  MakeIoases();
  Rows(view.areas, [&](const AreaRow<Concrete>& a) {
    if (a.pinned != 0) MakeMemory(a);
  });
  MakeHwpts();
  MakeAreas();
  MakeViommus();
  MakeNesteds();
  AttachDevices();
  Rows(view.vdevices, [&](const VdeviceRow<Concrete>& vd) {
    if (MadeLate(vd)) MakeVdevice(vd);
  });
  FillRetained();
  for (const GuestWord& word : guest) {
    const AreaRow<Concrete>* area = view.areas.Containing(word.space, word.address);
    if (area == nullptr) continue;
    StoreWords(ContextOfKey(word.space), area->va + (word.address - area->first), {word.value});
  }
  return why_.empty();
}

void Recipe::Append(Op op, uint64_t context, uint64_t device) {
  const bool on_cdev = op.kind == OpKind::kAttachIommufdPt || op.kind == OpKind::kDetachIommufdPt ||
                       op.kind == OpKind::kBindIommufd ||
                       (op.kind == OpKind::kClose && device != 0);
  const Op head = on_cdev ? CdevCall(op.kind, device) : Call(op.kind, context);
  Replace replace{context_fd_, made_, context, 0};
  VisitArgs(static_cast<OpData&>(op), replace);
  if (UsesFd(op.kind)) op.fd = head.fd;
  op.process = head.process;
  op.results = static_cast<uint8_t>(replace.results | (UsesFd(op.kind) ? head.results & 1 : 0));
  if (StructSize(op.kind) != 0) {
    op.size = head.size;
    op.readable = op.writable = 65535;
  }
  Add(op);
}

}  // namespace twinwalk::proofs
