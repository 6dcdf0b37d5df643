// Worlds to and from their Cap'n Proto structs.
#include "traces/message.h"

namespace twinwalk {
namespace {

void BuildRules(const Rules& rules, schema::World::Builder to) {
  const Preset preset = NearestPreset(rules);
  const Rules of_preset = PresetRules(preset);
  std::vector<uint16_t> exceptions;
  for (uint16_t i = 0; i < AllRules().size(); ++i)
    if (rules.*AllRules()[i].value != of_preset.*AllRules()[i].value) exceptions.push_back(i);
  to.setPreset(static_cast<schema::Preset>(preset));
  auto list = to.initExceptions(static_cast<uint32_t>(exceptions.size()));
  for (uint32_t i = 0; i < exceptions.size(); ++i) {
    list[i].setRule(static_cast<schema::Rule>(exceptions[i]));
    list[i].setValue(rules.*AllRules()[exceptions[i]].value);
  }
}

std::string ReadRules(schema::World::Reader from, Rules* rules) {
  const auto preset = static_cast<Preset>(from.getPreset());
  if (preset != Preset::kLinux72 && preset != Preset::kRepaired) return "unknown preset";
  *rules = PresetRules(preset);
  if (from.getExceptions().size() > AllRules().size()) return "too many rules";
  for (auto setting : from.getExceptions()) {
    const auto i = static_cast<size_t>(setting.getRule());
    if (i >= AllRules().size()) return "unknown rule " + std::to_string(i);
    rules->*AllRules()[i].value = setting.getValue();
  }
  return "";
}

std::string ReadSmmu(schema::World::Smmu::Reader from, SmmuConfig* smmu) {
  const auto idr = from.getIdr();
  if (idr.size() != smmu->idr.size()) return "an smmu needs 6 IDR words";
  for (uint32_t i = 0; i < smmu->idr.size(); ++i) smmu->idr[i] = idr[i];
  smmu->iidr = from.getIidr();
  smmu->aidr = from.getAidr();
  smmu->vmidLimit = from.getVmidLimit();
  smmu->asidLimit = from.getAsidLimit();
  smmu->tlbEntries = from.getTlbEntries();
  smmu->walkCacheEntries = from.getWalkCacheEntries();
  smmu->configCacheEntries = from.getConfigCacheEntries();
  smmu->eventQueueEntries = from.getEventQueueEntries();
  smmu->canNest = from.getCanNest();
  return "";
}

void BuildSmmu(const SmmuConfig& smmu, schema::World::Smmu::Builder to) {
  auto idr = to.initIdr(static_cast<uint32_t>(smmu.idr.size()));
  for (uint32_t i = 0; i < smmu.idr.size(); ++i) idr.set(i, smmu.idr[i]);
  to.setIidr(smmu.iidr);
  to.setAidr(smmu.aidr);
  to.setVmidLimit(smmu.vmidLimit);
  to.setAsidLimit(smmu.asidLimit);
  to.setTlbEntries(smmu.tlbEntries);
  to.setWalkCacheEntries(smmu.walkCacheEntries);
  to.setConfigCacheEntries(smmu.configCacheEntries);
  to.setEventQueueEntries(smmu.eventQueueEntries);
  to.setCanNest(smmu.canNest);
}

VtdConfig ReadVtd(schema::World::Vtd::Reader from) {
  VtdConfig vtd;
  vtd.cap = from.getCap(), vtd.ecap = from.getEcap(), vtd.scalable = from.getScalable();
  vtd.interruptRemapping = from.getInterruptRemapping();
  vtd.hostAddressBits = from.getHostAddressBits(), vtd.didLimit = from.getDidLimit();
  vtd.iotlbEntries = from.getIotlbEntries();
  vtd.walkCacheEntries = from.getWalkCacheEntries();
  vtd.contextCacheEntries = from.getContextCacheEntries();
  vtd.faultRecords = from.getFaultRecords();
  return vtd;
}

void BuildVtd(const VtdConfig& vtd, schema::World::Vtd::Builder to) {
  to.setCap(vtd.cap), to.setEcap(vtd.ecap), to.setScalable(vtd.scalable);
  to.setInterruptRemapping(vtd.interruptRemapping);
  to.setHostAddressBits(vtd.hostAddressBits), to.setDidLimit(vtd.didLimit);
  to.setIotlbEntries(vtd.iotlbEntries);
  to.setWalkCacheEntries(vtd.walkCacheEntries);
  to.setContextCacheEntries(vtd.contextCacheEntries);
  to.setFaultRecords(vtd.faultRecords);
}

std::string ReadRegion(schema::World::Region::Reader from, RegionConfig* region) {
  region->size = from.getSize(), region->flags = from.getFlags();
  region->msixMappable = from.getMsixMappable();
  const auto sparse = from.getSparse();
  if (sparse.size() % 2 != 0 || sparse.size() > 2 * kMaxSparse)
    return "a bad list of sparse pieces";
  for (uint32_t i = 0; i < sparse.size(); i += 2)
    region->sparse.push_back({sparse[i], sparse[i + 1]});
  return "";
}

std::string ReadVfio(schema::World::Vfio::Reader from, VfioConfig* vfio) {
  if (from.getName().size() > kMaxNameBytes) return "the name of a device is too long";
  vfio->name.assign(from.getName().begin(), from.getName().size());
  vfio->resets = from.getResets(), vfio->pcie = from.getPcie();
  vfio->slotResets = from.getSlotResets();
  vfio->slotResetFails = from.getSlotResetFails();
  const auto regions = from.getRegions();  // each call counts against the traversal limit
  const auto irqs = from.getIrqs();
  if (regions.size() > kMaxRegions || irqs.size() > kMaxIrqIndexes)
    return "too many regions or interrupts of a device";
  vfio->regions.assign(regions.size(), {});
  for (uint32_t i = 0; i < regions.size(); ++i)
    if (auto bad = ReadRegion(regions[i], &vfio->regions[i]); !bad.empty()) return bad;
  vfio->irqs.clear();
  for (uint32_t count : irqs) vfio->irqs.push_back(count);
  vfio->featureGet = from.getFeatureGet(), vfio->featureSet = from.getFeatureSet();
  return "";
}

void BuildVfio(const VfioConfig& vfio, schema::World::Vfio::Builder to) {
  to.setName(capnp::Text::Reader(vfio.name.c_str(), vfio.name.size()));
  to.setResets(vfio.resets), to.setPcie(vfio.pcie), to.setSlotResets(vfio.slotResets);
  to.setSlotResetFails(vfio.slotResetFails);
  auto regions = to.initRegions(static_cast<uint32_t>(vfio.regions.size()));
  for (uint32_t i = 0; i < vfio.regions.size(); ++i) {
    const RegionConfig& region = vfio.regions[i];
    regions[i].setSize(region.size), regions[i].setFlags(region.flags);
    regions[i].setMsixMappable(region.msixMappable);
    auto sparse = regions[i].initSparse(static_cast<uint32_t>(2 * region.sparse.size()));
    for (uint32_t k = 0; k < region.sparse.size(); ++k)
      sparse.set(2 * k, region.sparse[k].offset), sparse.set(2 * k + 1, region.sparse[k].size);
  }
  auto irqs = to.initIrqs(static_cast<uint32_t>(vfio.irqs.size()));
  for (uint32_t i = 0; i < vfio.irqs.size(); ++i) irqs.set(i, vfio.irqs[i]);
  to.setFeatureGet(vfio.featureGet), to.setFeatureSet(vfio.featureSet);
}

PciFunction ReadFunction(schema::World::Function::Reader from) {
  return {from.getRid(),           from.getKind(),       from.getParent(), from.getAcs(),
          from.getMultifunction(), from.getAliasDevfn(), from.getDriver(), from.getDevice()};
}

void BuildFunction(const PciFunction& function, schema::World::Function::Builder to) {
  to.setRid(function.rid), to.setKind(function.kind), to.setParent(function.parent);
  to.setAcs(function.acs), to.setMultifunction(function.multifunction);
  to.setAliasDevfn(function.aliasDevfn), to.setDriver(function.driver);
  to.setDevice(function.device);
}

}  // namespace

void BuildWorld(const World& world, schema::World::Builder to) {
  to.setName(capnp::Text::Reader(world.name.c_str(), world.name.size()));
  auto smmus = to.initSmmus(static_cast<uint32_t>(world.smmus.size()));
  for (uint32_t i = 0; i < world.smmus.size(); ++i) BuildSmmu(world.smmus[i], smmus[i]);
  auto devices = to.initDevices(static_cast<uint32_t>(world.devices.size()));
  for (uint32_t i = 0; i < world.devices.size(); ++i) {
    devices[i].setSmmu(world.devices[i].smmu);
    devices[i].setStreamId(world.devices[i].streamId);
    devices[i].setGroup(world.devices[i].group);
    devices[i].setTransactionBytes(world.devices[i].transactionBytes);
    BuildVfio(world.devices[i].vfio, devices[i].initVfio());
  }
  auto processes = to.initProcesses(static_cast<uint32_t>(world.processes.size()));
  for (uint32_t i = 0; i < world.processes.size(); ++i) {
    processes[i].setUid(world.processes[i].uid);
    processes[i].setIpcLock(world.processes[i].ipcLock);
    processes[i].setMemlockPages(world.processes[i].memlockPages);
    processes[i].setRawIo(world.processes[i].rawIo);
    processes[i].setSysResource(world.processes[i].sysResource);
    processes[i].setUnborn(world.processes[i].unborn);
  }
  to.setFrames(world.frames);
  to.setSwMsiFirst(world.swMsiFirst);
  to.setSwMsiLast(world.swMsiLast);
  auto vtds = to.initVtds(static_cast<uint32_t>(world.vtds.size()));
  for (uint32_t i = 0; i < world.vtds.size(); ++i) BuildVtd(world.vtds[i], vtds[i]);
  auto functions = to.initFunctions(static_cast<uint32_t>(world.functions.size()));
  for (uint32_t i = 0; i < world.functions.size(); ++i)
    BuildFunction(world.functions[i], functions[i]);
  to.setAllowUnsafeInterrupts(world.allowUnsafeInterrupts);
  to.setNoiommu(world.noiommu);
  to.setDmaEntryLimit(world.dmaEntryLimit);
  to.setDisableHugepages(world.disableHugepages);
  to.setIommufdContainer(world.iommufdContainer);
  BuildRules(world.rules, to);
}

std::string ReadWorld(schema::World::Reader from, World* world) {
  if (from.getName().size() > kMaxNameBytes) return "the name is too long";
  world->name.assign(from.getName().begin(), from.getName().size());
  const auto smmus = from.getSmmus();
  const auto devices = from.getDevices();
  const auto processes = from.getProcesses();
  if (smmus.size() > kMaxSmmus || devices.size() > kMaxDevices || processes.size() > kMaxProcesses)
    return "too many smmus, devices or processes";
  world->smmus.assign(smmus.size(), {});
  for (uint32_t i = 0; i < smmus.size(); ++i)
    if (auto bad = ReadSmmu(smmus[i], &world->smmus[i]); !bad.empty()) return bad;
  world->devices.assign(devices.size(), {});
  for (uint32_t i = 0; i < devices.size(); ++i) {
    const auto from_device = devices[i];
    DeviceConfig& device = world->devices[i];
    device.smmu = from_device.getSmmu(), device.streamId = from_device.getStreamId();
    device.group = from_device.getGroup();
    device.transactionBytes = from_device.getTransactionBytes();
    if (!from_device.hasVfio()) continue;  // written before there was one: the defaults
    if (auto bad = ReadVfio(from_device.getVfio(), &device.vfio); !bad.empty()) return bad;
  }
  world->processes.clear();
  for (auto p : processes)
    world->processes.push_back({p.getUid(), p.getIpcLock(), p.getMemlockPages(), p.getRawIo(),
                                p.getSysResource(), p.getUnborn()});
  world->frames = from.getFrames();
  world->swMsiFirst = from.getSwMsiFirst();
  world->swMsiLast = from.getSwMsiLast();
  const auto vtds = from.getVtds();
  const auto functions = from.getFunctions();
  if (vtds.size() > kMaxVtds || functions.size() > kMaxFunctions)
    return "too many vtds or functions";
  world->vtds.clear();
  for (auto vtd : vtds) world->vtds.push_back(ReadVtd(vtd));
  world->functions.clear();
  for (auto function : functions) world->functions.push_back(ReadFunction(function));
  world->allowUnsafeInterrupts = from.getAllowUnsafeInterrupts();
  world->noiommu = from.getNoiommu();
  world->dmaEntryLimit = from.getDmaEntryLimit();
  world->disableHugepages = from.getDisableHugepages();
  world->iommufdContainer = from.getIommufdContainer();
  if (auto bad = ReadRules(from, &world->rules); !bad.empty()) return bad;
  return ValidateWorld(*world);
}

}  // namespace twinwalk
