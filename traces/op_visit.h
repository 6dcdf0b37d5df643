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
  }
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_OP_VISIT_H_
