#include "traces/import_recorded.h"

#include <algorithm>

namespace twinwalk {
namespace {

constexpr uint16_t kEmsgsize = 90, kEnospc = 28;

// Offsets of results in the structs: iommufd sheet 3.1 and 19; vfio-type1 sheet 5..11.
void SetId(const std::string& after, size_t offset, Outcome* o) {
  o->id = static_cast<uint32_t>(LoadWord(after, offset, 4));
  o->known |= Outcome::kId;
}
void SetFd(uint64_t fd, Outcome* o) {
  o->fd = static_cast<uint32_t>(fd);
  o->known |= Outcome::kFd;
}
void SetValue(const std::string& after, size_t offset, size_t size, Outcome* o) {
  o->values[0] = LoadWord(after, offset, size);
  o->known |= Outcome::kValues;
}
void SetOut(const std::string& bytes, uint64_t length, Outcome* o) {
  if (length > bytes.size()) return;  // the recorder did not look that far
  o->out = bytes.substr(0, length);
  o->known |= Outcome::kOut;
}
// The user's struct after the call: docs/TRACE.md 8.
void SetStruct(const Op& op, const std::string& after, Outcome* o) {
  SetOut(after, std::min<uint64_t>(op.size, op.readable), o);
}

}  // namespace

uint64_t LoadWord(const std::string& bytes, size_t offset, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size && offset + i < bytes.size(); ++i)
    word |= uint64_t{static_cast<uint8_t>(bytes[offset + i])} << (8 * i);
  return word;
}

Outcome RecordedOutcome(const Op& op, const RecordedIoctl& call) {
  Outcome o;
  o.known = Outcome::kErr;
  o.err = call.err;
  const std::string& after = call.after;
  const bool done = call.err == 0;
  switch (op.kind) {
    case OpKind::kBindIommufd:
      if (done) SetId(after, 12, &o);
      break;
    case OpKind::kAttachIommufdPt:
      if (done) SetId(after, 8, &o);
      break;
    case OpKind::kIoasAlloc:
      if (done) SetId(after, 8, &o);
      break;
    case OpKind::kHwptAlloc:
      if (done) SetId(after, 16, &o);
      break;
    case OpKind::kViommuAlloc:
      if (done) SetId(after, 20, &o);
      break;
    case OpKind::kVdeviceAlloc:
      if (done) SetId(after, 12, &o);
      break;
    case OpKind::kVeventqAlloc:
      if (done) SetId(after, 20, &o), SetFd(LoadWord(after, 24, 4), &o);
      break;
    case OpKind::kIoasMap:
    case OpKind::kIoasMapFile:
      if (done) SetValue(after, 32, 8, &o);
      break;
    case OpKind::kIoasUnmap:
    case OpKind::kIommuOption:
      if (done) SetValue(after, 16, 8, &o);
      break;
    case OpKind::kIoasIovaRanges:
      // A list that is too short is filled as far as it goes.
      if (done || call.err == kEmsgsize) {
        o.values[0] = LoadWord(after, 8, 4);
        o.values[1] = LoadWord(after, 24, 8);
        o.known |= Outcome::kValues;
        SetOut(call.buffer_after, 16 * std::min<uint64_t>(op.ioasIovaRanges.numIovas, o.values[0]),
               &o);
      }
      break;
    case OpKind::kGetHwInfo:
      if (done) {
        o.values = {LoadWord(after, 12, 4), LoadWord(after, 24, 4), LoadWord(after, 32, 8)};
        if (after.size() >= 40) o.known |= Outcome::kValues;  // else the last was not received
        SetOut(call.buffer_after, op.getHwInfo.dataLen, &o);
      }
      break;
    case OpKind::kHwptInvalidate:
      // entry_num is written back on success and failure alike (sheet 13), but not by the framing.
      if (after.size() >= 32) SetValue(after, 24, 4, &o);
      break;
    case OpKind::kIoasCopy:
      if (done) SetValue(after, 24, 8, &o);
      break;
    case OpKind::kFaultQueueAlloc:
      if (done) SetId(after, 8, &o), SetFd(LoadWord(after, 12, 4), &o);
      break;
    case OpKind::kVfioIoas:
      if (done && op.vfioIoas.op == 0) SetId(after, 4, &o);  // GET
      break;
    case OpKind::kHwptGetDirty:
      if (done) SetOut(call.buffer_after, call.buffer_after.size(), &o);
      break;
    case OpKind::kVfioGetApiVersion:
    case OpKind::kVfioCheckExtension:
      if (done) o.ret = call.ret, o.known |= Outcome::kRet;
      break;
    case OpKind::kVfioGroupGetDeviceFd:
      if (done) SetFd(static_cast<uint64_t>(call.ret), &o);
      break;
    case OpKind::kVfioIommuUnmapDma: {
      const bool bitmap = (op.vfioIommuUnmapDma.flags & 1) != 0;
      // An iommufd writes the size back on failure too; that it did shows when it changed.
      if (after.size() >= 24 && (done || call.changed)) SetValue(after, 16, 8, &o);
      if (done && bitmap)
        SetOut(
            call.buffer_after,
            std::min<uint64_t>(op.vfioIommuUnmapDma.bitmapSize, op.vfioIommuUnmapDma.bufWritable),
            &o);
      break;
    }
    case OpKind::kVfioIommuDirtyPages:
      if (done && (op.vfioIommuDirtyPages.flags & 4) != 0)
        SetOut(call.buffer_after,
               std::min<uint64_t>(op.vfioIommuDirtyPages.bitmapSize,
                                  op.vfioIommuDirtyPages.bufWritable),
               &o);
      break;
    case OpKind::kVfioPciHotResetInfo:
      if (done || call.err == kEnospc) SetStruct(op, after, &o);
      break;
    case OpKind::kVfioIommuGetInfo:
    case OpKind::kVfioGroupGetStatus:
    case OpKind::kVfioDeviceGetInfo:
    case OpKind::kVfioDeviceGetRegionInfo:
    case OpKind::kVfioDeviceGetIrqInfo:
    case OpKind::kVfioDeviceFeature:
      if (done) SetStruct(op, after, &o);
      break;
    case OpKind::kDetachIommufdPt:
    case OpKind::kDestroy:
    case OpKind::kVfioSetIommu:
    case OpKind::kVfioIommuMapDma:
    case OpKind::kVfioGroupSetContainer:
    case OpKind::kVfioGroupUnsetContainer:
    case OpKind::kVfioDeviceSetIrqs:
    case OpKind::kVfioDeviceReset:
    case OpKind::kVfioPciHotReset:
    case OpKind::kVfioDeviceIoeventfd:
    case OpKind::kIoasAllowIovas:
    case OpKind::kHwptSetDirty:
    case OpKind::kIoasChangeProcess:
    case OpKind::kRaw:
    case OpKind::kOpen:
    case OpKind::kClose:
    case OpKind::kDup:
    case OpKind::kRead:
    case OpKind::kPoll:
    case OpKind::kMmap:
    case OpKind::kMunmap:
    case OpKind::kMemfd:
    case OpKind::kMemWrite:
    case OpKind::kDma:
    case OpKind::kFailAlloc:
    case OpKind::kWrite:
    case OpKind::kEventfd:
    case OpKind::kFork:
    case OpKind::kExec:
    case OpKind::kExit:
    case OpKind::kPassFd:
    case OpKind::kSetrlimit:
      break;
  }
  return o;
}

}  // namespace twinwalk
