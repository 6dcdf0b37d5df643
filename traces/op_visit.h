// The one description of each Op's fields (see VisitArgs in op.h). Included by op.h only.
#ifndef TWINWALK_TRACES_OP_VISIT_H_
#define TWINWALK_TRACES_OP_VISIT_H_

#include "traces/op.h"

namespace twinwalk {

// Whether the head's fd is a handle of this kind of Op (handle number 0).
inline bool UsesFd(OpKind kind) {
  switch (kind) {
    case OpKind::kOpen:
    case OpKind::kMunmap:
    case OpKind::kMemfd:
    case OpKind::kMemWrite:
    case OpKind::kDma:
    case OpKind::kFailAlloc:
    case OpKind::kEventfd:
    case OpKind::kFork:
    case OpKind::kExec:
    case OpKind::kExit:
    case OpKind::kSetrlimit:
      return false;
    case OpKind::kRaw:
    case OpKind::kClose:
    case OpKind::kDup:
    case OpKind::kBindIommufd:
    case OpKind::kAttachIommufdPt:
    case OpKind::kDetachIommufdPt:
    case OpKind::kIoasAlloc:
    case OpKind::kIoasMap:
    case OpKind::kIoasUnmap:
    case OpKind::kIoasIovaRanges:
    case OpKind::kGetHwInfo:
    case OpKind::kHwptAlloc:
    case OpKind::kViommuAlloc:
    case OpKind::kVdeviceAlloc:
    case OpKind::kVeventqAlloc:
    case OpKind::kHwptInvalidate:
    case OpKind::kDestroy:
    case OpKind::kRead:
    case OpKind::kPoll:
    case OpKind::kMmap:
    case OpKind::kWrite:
    case OpKind::kPassFd:
    case OpKind::kVfioGetApiVersion:
    case OpKind::kVfioCheckExtension:
    case OpKind::kVfioSetIommu:
    case OpKind::kVfioIommuGetInfo:
    case OpKind::kVfioIommuMapDma:
    case OpKind::kVfioIommuUnmapDma:
    case OpKind::kVfioIommuDirtyPages:
    case OpKind::kVfioGroupGetStatus:
    case OpKind::kVfioGroupSetContainer:
    case OpKind::kVfioGroupUnsetContainer:
    case OpKind::kVfioGroupGetDeviceFd:
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
    case OpKind::kIoasCopy:
    case OpKind::kIoasMapFile:
    case OpKind::kIommuOption:
    case OpKind::kVfioIoas:
    case OpKind::kHwptSetDirty:
    case OpKind::kHwptGetDirty:
    case OpKind::kFaultQueueAlloc:
    case OpKind::kIoasChangeProcess:
      return true;
  }
  return false;
}

template <class Data, class V>
void VisitArgs(Data& op, V&& v) {
  if (UsesFd(op.kind)) v.HandleField("fd", op.fd, HandleRole::kFd, 0);
  switch (op.kind) {
    case OpKind::kRaw:
      v.Field("command", op.raw.command);
      v.Field("arg", op.raw.arg);
      return;
    case OpKind::kOpen:
      v.Field("node", op.open.node);
      v.Field("device", op.open.device);
      return;
    case OpKind::kClose:
    case OpKind::kDup:
      return;
    case OpKind::kBindIommufd:
      v.Field("flags", op.bind.flags);
      v.HandleField("iommufd", op.bind.iommufd, HandleRole::kFd, 1);
      v.Field("outDevid", op.bind.outDevid);
      v.Field("tokenPtr", op.bind.tokenPtr);
      return;
    case OpKind::kAttachIommufdPt:
      v.Field("flags", op.attach.flags);
      v.HandleField("ptId", op.attach.ptId, HandleRole::kId, 1);
      v.Field("pasid", op.attach.pasid);
      return;
    case OpKind::kDetachIommufdPt:
      v.Field("flags", op.detach.flags);
      v.Field("pasid", op.detach.pasid);
      return;
    case OpKind::kIoasAlloc:
      v.Field("flags", op.ioasAlloc.flags);
      v.Field("outIoasId", op.ioasAlloc.outIoasId);
      return;
    case OpKind::kIoasMap:
      v.Field("flags", op.ioasMap.flags);
      v.HandleField("ioasId", op.ioasMap.ioasId, HandleRole::kId, 1);
      v.Field("reserved", op.ioasMap.reserved);
      v.HandleField("userMap", op.ioasMap.userMap, HandleRole::kMap, 2);
      v.Field("userVa", op.ioasMap.userVa);
      v.Field("length", op.ioasMap.length);
      v.Field("iova", op.ioasMap.iova);
      return;
    case OpKind::kIoasUnmap:
      v.HandleField("ioasId", op.ioasUnmap.ioasId, HandleRole::kId, 1);
      v.Field("iova", op.ioasUnmap.iova);
      v.Field("length", op.ioasUnmap.length);
      return;
    case OpKind::kIoasIovaRanges:
      v.HandleField("ioasId", op.ioasIovaRanges.ioasId, HandleRole::kId, 1);
      v.Field("numIovas", op.ioasIovaRanges.numIovas);
      v.Field("reserved", op.ioasIovaRanges.reserved);
      v.Field("bufWritable", op.ioasIovaRanges.bufWritable);
      v.Field("allowedIovas", op.ioasIovaRanges.allowedIovas);
      v.Field("outIovaAlignment", op.ioasIovaRanges.outIovaAlignment);
      return;
    case OpKind::kGetHwInfo:
      v.Field("flags", op.getHwInfo.flags);
      v.HandleField("devId", op.getHwInfo.devId, HandleRole::kId, 1);
      v.Field("dataLen", op.getHwInfo.dataLen);
      v.Field("bufWritable", op.getHwInfo.bufWritable);
      v.Field("dataPtr", op.getHwInfo.dataPtr);
      v.Field("dataType", op.getHwInfo.dataType);
      v.Field("maxPasidAndReserved", op.getHwInfo.maxPasidAndReserved);
      v.Field("outCapabilities", op.getHwInfo.outCapabilities);
      return;
    case OpKind::kHwptAlloc:
      v.Field("flags", op.hwptAlloc.flags);
      v.HandleField("devId", op.hwptAlloc.devId, HandleRole::kId, 1);
      v.HandleField("ptId", op.hwptAlloc.ptId, HandleRole::kId, 2);
      v.Field("outHwptId", op.hwptAlloc.outHwptId);
      v.Field("reserved", op.hwptAlloc.reserved);
      v.Field("dataType", op.hwptAlloc.dataType);
      v.Field("dataLen", op.hwptAlloc.dataLen);
      v.HandleField("faultId", op.hwptAlloc.faultId, HandleRole::kId, 3);
      v.Field("dataPtr", op.hwptAlloc.dataPtr);
      v.Field("reserved2", op.hwptAlloc.reserved2);
      return;
    case OpKind::kViommuAlloc:
      v.Field("flags", op.viommuAlloc.flags);
      v.Field("type", op.viommuAlloc.type);
      v.HandleField("devId", op.viommuAlloc.devId, HandleRole::kId, 1);
      v.HandleField("hwptId", op.viommuAlloc.hwptId, HandleRole::kId, 2);
      v.Field("outViommuId", op.viommuAlloc.outViommuId);
      v.Field("dataLen", op.viommuAlloc.dataLen);
      v.Field("reserved", op.viommuAlloc.reserved);
      v.Field("dataPtr", op.viommuAlloc.dataPtr);
      return;
    case OpKind::kVdeviceAlloc:
      v.HandleField("viommuId", op.vdeviceAlloc.viommuId, HandleRole::kId, 1);
      v.HandleField("devId", op.vdeviceAlloc.devId, HandleRole::kId, 2);
      v.Field("outVdeviceId", op.vdeviceAlloc.outVdeviceId);
      v.Field("virtId", op.vdeviceAlloc.virtId);
      return;
    case OpKind::kVeventqAlloc:
      v.Field("flags", op.veventqAlloc.flags);
      v.HandleField("viommuId", op.veventqAlloc.viommuId, HandleRole::kId, 1);
      v.Field("type", op.veventqAlloc.type);
      v.Field("depth", op.veventqAlloc.depth);
      v.Field("outVeventqId", op.veventqAlloc.outVeventqId);
      v.Field("outVeventqFd", op.veventqAlloc.outVeventqFd);
      v.Field("reserved", op.veventqAlloc.reserved);
      return;
    case OpKind::kHwptInvalidate:
      v.HandleField("hwptId", op.hwptInvalidate.hwptId, HandleRole::kId, 1);
      v.Field("dataType", op.hwptInvalidate.dataType);
      v.Field("entryLen", op.hwptInvalidate.entryLen);
      v.Field("entryNum", op.hwptInvalidate.entryNum);
      v.Field("reserved", op.hwptInvalidate.reserved);
      v.Field("dataPtr", op.hwptInvalidate.dataPtr);
      return;
    case OpKind::kDestroy:
      v.HandleField("id", op.destroy.id, HandleRole::kId, 1);
      return;
    case OpKind::kRead:
      v.Field("count", op.read.count);
      v.Field("offset", op.read.offset);
      v.Field("positional", op.read.positional);
      v.Field("bufWritable", op.read.bufWritable);
      return;
    case OpKind::kPoll:
      v.Field("events", op.poll.events);
      return;
    case OpKind::kMmap:
      v.Field("base", op.mmap.base);
      v.Field("length", op.mmap.length);
      v.Field("offset", op.mmap.offset);
      v.Field("prot", op.mmap.prot);
      v.Field("shared", op.mmap.shared);
      return;
    case OpKind::kMunmap:
      v.HandleField("map", op.munmap.map, HandleRole::kMap, 1);
      v.Field("address", op.munmap.address);
      v.Field("length", op.munmap.length);
      return;
    case OpKind::kMemfd:
      v.Field("length", op.memfd.length);
      return;
    case OpKind::kMemWrite:
      v.HandleField("map", op.memWrite.map, HandleRole::kMap, 1);
      v.Field("address", op.memWrite.address);
      return;
    case OpKind::kDma:
      v.Field("device", op.dma.device);
      v.Field("flags", op.dma.flags);
      v.Field("iova", op.dma.iova);
      v.Field("length", op.dma.length);
      v.Field("pasid", op.dma.pasid);
      v.Field("placeKind", op.dma.placeKind);
      v.Field("placeNth", op.dma.placeNth);
      return;
    case OpKind::kFailAlloc:
      v.Field("nth", op.failAlloc.nth);
      return;
    case OpKind::kWrite:
      v.Field("offset", op.write.offset);
      v.Field("positional", op.write.positional);
      return;
    case OpKind::kEventfd:
      v.Field("initval", op.eventfd.initval);
      v.Field("flags", op.eventfd.flags);
      return;
    case OpKind::kFork:
      v.Field("child", op.fork.child);
      return;
    case OpKind::kExec:
      return;
    case OpKind::kExit:
      v.Field("status", op.exit.status);
      return;
    case OpKind::kPassFd:
      v.Field("to", op.passFd.to);
      return;
    case OpKind::kSetrlimit:
      v.Field("memlockPages", op.setrlimit.memlockPages);
      return;
    case OpKind::kVfioGetApiVersion:
      v.Field("arg", op.vfioGetApiVersion.arg);
      return;
    case OpKind::kVfioCheckExtension:
      v.Field("arg", op.vfioCheckExtension.arg);
      return;
    case OpKind::kVfioSetIommu:
      v.Field("arg", op.vfioSetIommu.arg);
      return;
    case OpKind::kVfioIommuGetInfo:
      v.Field("flags", op.vfioIommuGetInfo.flags);
      v.Field("capOffset", op.vfioIommuGetInfo.capOffset);
      v.Field("pad", op.vfioIommuGetInfo.pad);
      v.Field("iovaPgsizes", op.vfioIommuGetInfo.iovaPgsizes);
      return;
    case OpKind::kVfioIommuMapDma:
      v.Field("flags", op.vfioIommuMapDma.flags);
      v.HandleField("vaddrMap", op.vfioIommuMapDma.vaddrMap, HandleRole::kMap, 1);
      v.Field("vaddr", op.vfioIommuMapDma.vaddr);
      v.Field("iova", op.vfioIommuMapDma.iova);
      v.Field("length", op.vfioIommuMapDma.length);
      return;
    case OpKind::kVfioIommuUnmapDma:
      v.Field("flags", op.vfioIommuUnmapDma.flags);
      v.Field("bufWritable", op.vfioIommuUnmapDma.bufWritable);
      v.Field("iova", op.vfioIommuUnmapDma.iova);
      v.Field("length", op.vfioIommuUnmapDma.length);
      v.Field("bitmapPgsize", op.vfioIommuUnmapDma.bitmapPgsize);
      v.Field("bitmapSize", op.vfioIommuUnmapDma.bitmapSize);
      v.Field("bitmapData", op.vfioIommuUnmapDma.bitmapData);
      return;
    case OpKind::kVfioIommuDirtyPages:
      v.Field("flags", op.vfioIommuDirtyPages.flags);
      v.Field("bufWritable", op.vfioIommuDirtyPages.bufWritable);
      v.Field("iova", op.vfioIommuDirtyPages.iova);
      v.Field("length", op.vfioIommuDirtyPages.length);
      v.Field("bitmapPgsize", op.vfioIommuDirtyPages.bitmapPgsize);
      v.Field("bitmapSize", op.vfioIommuDirtyPages.bitmapSize);
      v.Field("bitmapData", op.vfioIommuDirtyPages.bitmapData);
      return;
    case OpKind::kVfioGroupGetStatus:
      v.Field("flags", op.vfioGroupGetStatus.flags);
      return;
    case OpKind::kVfioGroupSetContainer:
      v.HandleField("container", op.vfioGroupSetContainer.container, HandleRole::kFd, 1);
      return;
    case OpKind::kVfioGroupUnsetContainer:
      v.Field("arg", op.vfioGroupUnsetContainer.arg);
      return;
    case OpKind::kVfioGroupGetDeviceFd:
      v.Field("arg", op.vfioGroupGetDeviceFd.arg);
      return;
    case OpKind::kVfioDeviceGetInfo:
      v.Field("flags", op.vfioDeviceGetInfo.flags);
      v.Field("numRegions", op.vfioDeviceGetInfo.numRegions);
      v.Field("numIrqs", op.vfioDeviceGetInfo.numIrqs);
      v.Field("capOffset", op.vfioDeviceGetInfo.capOffset);
      v.Field("pad", op.vfioDeviceGetInfo.pad);
      return;
    case OpKind::kVfioDeviceGetRegionInfo:
      v.Field("flags", op.vfioDeviceGetRegionInfo.flags);
      v.Field("index", op.vfioDeviceGetRegionInfo.index);
      v.Field("capOffset", op.vfioDeviceGetRegionInfo.capOffset);
      v.Field("regionSize", op.vfioDeviceGetRegionInfo.regionSize);
      v.Field("regionOffset", op.vfioDeviceGetRegionInfo.regionOffset);
      return;
    case OpKind::kVfioDeviceGetIrqInfo:
      v.Field("flags", op.vfioDeviceGetIrqInfo.flags);
      v.Field("index", op.vfioDeviceGetIrqInfo.index);
      v.Field("count", op.vfioDeviceGetIrqInfo.count);
      return;
    case OpKind::kVfioDeviceSetIrqs:
      v.Field("flags", op.vfioDeviceSetIrqs.flags);
      v.Field("index", op.vfioDeviceSetIrqs.index);
      v.Field("start", op.vfioDeviceSetIrqs.start);
      v.Field("count", op.vfioDeviceSetIrqs.count);
      v.Field("fdResults", op.vfioDeviceSetIrqs.fdResults);
      return;
    case OpKind::kVfioDeviceReset:
      v.Field("arg", op.vfioDeviceReset.arg);
      return;
    case OpKind::kVfioPciHotResetInfo:
      v.Field("flags", op.vfioPciHotResetInfo.flags);
      v.Field("count", op.vfioPciHotResetInfo.count);
      return;
    case OpKind::kVfioPciHotReset:
      v.Field("flags", op.vfioPciHotReset.flags);
      v.Field("count", op.vfioPciHotReset.count);
      v.Field("fdResults", op.vfioPciHotReset.fdResults);
      return;
    case OpKind::kVfioDeviceIoeventfd:
      v.Field("flags", op.vfioDeviceIoeventfd.flags);
      v.HandleField("eventfd", op.vfioDeviceIoeventfd.eventfd, HandleRole::kFd, 1);
      v.Field("offset", op.vfioDeviceIoeventfd.offset);
      v.Field("data", op.vfioDeviceIoeventfd.data);
      v.Field("reserved", op.vfioDeviceIoeventfd.reserved);
      return;
    case OpKind::kVfioDeviceFeature:
      v.Field("flags", op.vfioDeviceFeature.flags);
      return;
    case OpKind::kIoasAllowIovas:
      v.HandleField("ioasId", op.ioasAllowIovas.ioasId, HandleRole::kId, 1);
      v.Field("numIovas", op.ioasAllowIovas.numIovas);
      v.Field("reserved", op.ioasAllowIovas.reserved);
      v.Field("allowedIovas", op.ioasAllowIovas.allowedIovas);
      return;
    case OpKind::kIoasCopy:
      v.Field("flags", op.ioasCopy.flags);
      v.HandleField("dstIoasId", op.ioasCopy.dstIoasId, HandleRole::kId, 1);
      v.HandleField("srcIoasId", op.ioasCopy.srcIoasId, HandleRole::kId, 2);
      v.Field("length", op.ioasCopy.length);
      v.Field("dstIova", op.ioasCopy.dstIova);
      v.Field("srcIova", op.ioasCopy.srcIova);
      return;
    case OpKind::kIoasMapFile:
      v.Field("flags", op.ioasMapFile.flags);
      v.HandleField("ioasId", op.ioasMapFile.ioasId, HandleRole::kId, 1);
      v.HandleField("file", op.ioasMapFile.file, HandleRole::kFd, 2);
      v.Field("start", op.ioasMapFile.start);
      v.Field("length", op.ioasMapFile.length);
      v.Field("iova", op.ioasMapFile.iova);
      return;
    case OpKind::kIommuOption:
      v.Field("optionId", op.iommuOption.optionId);
      v.HandleField("objectId", op.iommuOption.objectId, HandleRole::kId, 1);
      v.Field("op", op.iommuOption.op);
      v.Field("reserved", op.iommuOption.reserved);
      v.Field("val64", op.iommuOption.val64);
      return;
    case OpKind::kVfioIoas:
      v.HandleField("ioasId", op.vfioIoas.ioasId, HandleRole::kId, 1);
      v.Field("op", op.vfioIoas.op);
      v.Field("reserved", op.vfioIoas.reserved);
      return;
    case OpKind::kHwptSetDirty:
      v.Field("flags", op.hwptSetDirty.flags);
      v.HandleField("hwptId", op.hwptSetDirty.hwptId, HandleRole::kId, 1);
      v.Field("reserved", op.hwptSetDirty.reserved);
      return;
    case OpKind::kHwptGetDirty:
      v.HandleField("hwptId", op.hwptGetDirty.hwptId, HandleRole::kId, 1);
      v.Field("flags", op.hwptGetDirty.flags);
      v.Field("reserved", op.hwptGetDirty.reserved);
      v.Field("bufWritable", op.hwptGetDirty.bufWritable);
      v.Field("iova", op.hwptGetDirty.iova);
      v.Field("length", op.hwptGetDirty.length);
      v.Field("pageSize", op.hwptGetDirty.pageSize);
      v.Field("data", op.hwptGetDirty.data);
      return;
    case OpKind::kFaultQueueAlloc:
      v.Field("flags", op.faultQueueAlloc.flags);
      v.Field("outFaultId", op.faultQueueAlloc.outFaultId);
      v.Field("outFaultFd", op.faultQueueAlloc.outFaultFd);
      return;
    case OpKind::kIoasChangeProcess:
      v.Field("reserved", op.ioasChangeProcess.reserved);
      return;
  }
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_OP_VISIT_H_
