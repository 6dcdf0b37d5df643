// The members of a World, once for all that read, write or change them: f(name, member) for each,
// in order. Text, the fuzzer's bytes and its mutations use it.
#ifndef TWINWALK_TRACES_WORLD_VISIT_H_
#define TWINWALK_TRACES_WORLD_VISIT_H_

#include "traces/world.h"

namespace twinwalk {

template <class Config, class F>
void EachSmmuMember(Config& c, F&& f) {
  f("idr", c.idr), f("iidr", c.iidr), f("aidr", c.aidr);
  f("vmidLimit", c.vmidLimit), f("asidLimit", c.asidLimit);
  f("tlbEntries", c.tlbEntries), f("walkCacheEntries", c.walkCacheEntries);
  f("configCacheEntries", c.configCacheEntries), f("eventQueueEntries", c.eventQueueEntries);
  f("canNest", c.canNest);
}
template <class Config, class F>
void EachVtdMember(Config& c, F&& f) {
  f("cap", c.cap), f("ecap", c.ecap), f("scalable", c.scalable);
  f("interruptRemapping", c.interruptRemapping), f("hostAddressBits", c.hostAddressBits);
  f("didLimit", c.didLimit), f("iotlbEntries", c.iotlbEntries);
  f("walkCacheEntries", c.walkCacheEntries), f("contextCacheEntries", c.contextCacheEntries);
  f("faultRecords", c.faultRecords);
}
template <class Config, class F>
void EachDeviceMember(Config& c, F&& f) {
  f("smmu", c.smmu), f("streamId", c.streamId), f("group", c.group);
  f("transactionBytes", c.transactionBytes);
  f("name", c.vfio.name), f("resets", c.vfio.resets), f("pcie", c.vfio.pcie);
  f("slotResets", c.vfio.slotResets), f("slotResetFails", c.vfio.slotResetFails);
  f("regions", c.vfio.regions), f("irqs", c.vfio.irqs);
  f("featureGet", c.vfio.featureGet), f("featureSet", c.vfio.featureSet);
}
template <class Config, class F>
void EachProcessMember(Config& c, F&& f) {
  f("uid", c.uid), f("ipcLock", c.ipcLock), f("memlockPages", c.memlockPages);
  f("rawIo", c.rawIo), f("sysResource", c.sysResource), f("unborn", c.unborn);
}
template <class Config, class F>
void EachFunctionMember(Config& c, F&& f) {
  f("rid", c.rid), f("kind", c.kind), f("parent", c.parent), f("acs", c.acs);
  f("multifunction", c.multifunction), f("aliasDevfn", c.aliasDevfn), f("driver", c.driver);
  f("device", c.device);
}
// Without its lists, its name and its rules.
template <class W, class F>
void EachWorldMember(W& w, F&& f) {
  f("frames", w.frames), f("swMsiFirst", w.swMsiFirst), f("swMsiLast", w.swMsiLast);
  f("allowUnsafeInterrupts", w.allowUnsafeInterrupts), f("noiommu", w.noiommu);
  f("dmaEntryLimit", w.dmaEntryLimit), f("disableHugepages", w.disableHugepages);
  f("iommufdContainer", w.iommufdContainer);
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WORLD_VISIT_H_
