// The rest of the iommufd core: user structs in, templates, results out (iommufd 6.3 to 6.9, 7.1,
// 8.1, 12, 14.1).
#include <algorithm>
#include <cstring>

#include "reference/compat.h"
#include "reference/dirty.h"
#include "reference/fault_queue.h"
#include "reference/ioas_copy.h"
#include "reference/ioas_file.h"
#include "reference/options.h"
#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

Outcome Error(uint64_t err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

// Whether the user can write what the call gives back: the whole struct, as far as it has it.
bool Writable(const Op& op) {
  return WritableBytes(op) >= std::min(op.size, KnownSize(op.kind));
}

Outcome ToOutcome(const Result<Real>& r) {
  Outcome out = Error(r.err);
  if (r.err != 0) return out;
  out.id = static_cast<uint32_t>(r.id);
  out.values = r.values;
  return out;
}

}  // namespace

Outcome Shell::DoIommufdRest(const Op& op, uint64_t context) {
  const Env<Real> env = MakeEnv();
  View<Real>& v = s_.view;
  const uint64_t process = uint64_t{op.process} + 1;
  const bool writable = Writable(op);
  const auto written = [&](const Result<Real>& r) {  // done, but the user does not learn it
    return r.err == 0 && !writable ? Error(EFAULT) : ToOutcome(r);
  };
  if (op.kind == OpKind::kIoasAllowIovas) return DoAllowIovas(op, context);
  if (op.kind == OpKind::kIoasCopy) {
    const IoasCopyArgs& in = op.ioasCopy;
    return written(IoasCopy(env, s_, v.areas, v.accounts, s_.copies, s_.ordinals, s_.allocator,
                            {context, in.flags, in.dstIoasId, in.srcIoasId, in.length, in.dstIova,
                             in.srcIova, writable}));
  }
  if (op.kind == OpKind::kIoasMapFile) return DoMapFile(op, context);
  if (op.kind == OpKind::kIommuOption) {
    const IommuOptionArgs& in = op.iommuOption;
    return written(
        Option(env, s_, s_.contexts, s_.smallPages,
               {context, process, in.optionId, in.objectId, in.op, in.reserved, in.val64}));
  }
  if (op.kind == OpKind::kVfioIoas) {
    const VfioIoasArgs& in = op.vfioIoas;
    const Result<Real> r = VfioIoas(s_, s_.contexts, context, uint64_t{in.ioasId}, uint64_t{in.op},
                                    uint64_t{in.reserved});
    return in.op == kCompatGet ? written(r) : ToOutcome(r);
  }
  if (op.kind == OpKind::kHwptSetDirty) {
    const HwptSetDirtyArgs& in = op.hwptSetDirty;
    return ToOutcome(HwptSetDirty(s_, context, uint64_t{in.hwptId}, uint64_t{in.flags}));
  }
  if (op.kind == OpKind::kHwptGetDirty) {
    const HwptGetDirtyArgs& in = op.hwptGetDirty;
    return ToOutcome(HwptGetDirty(
        s_, {context, in.hwptId, in.flags, in.reserved, in.iova, in.length, in.pageSize}));
  }
  if (op.kind == OpKind::kFaultQueueAlloc) return DoFaultQueueAlloc(op, context);
  if (op.kind == OpKind::kIoasChangeProcess) {
    return ToOutcome(IoasChangeProcess(env, v.areas, v.accounts, context, process,
                                       uint64_t{op.ioasChangeProcess.reserved}));
  }
  return Error(ENOTTY);
}

// 6.3
Outcome Shell::DoAllowIovas(const Op& op, uint64_t context) {
  const IoasAllowIovasArgs& in = op.ioasAllowIovas;
  AllowIovasIn<Real> allow;
  allow.context = context, allow.ioasId = in.ioasId, allow.reserved = in.reserved;
  const std::string_view array = BufferOf(op);
  const uint64_t there = std::min<uint64_t>(in.numIovas, array.size() / 16);
  allow.readable = there == in.numIovas;
  for (uint64_t i = 0; i < there; ++i) {
    std::array<uint64_t, 2> range;
    std::memcpy(range.data(), array.data() + 16 * i, 16);
    allow.ranges.push_back(range);
  }
  return ToOutcome(AllowIovas(MakeEnv(), s_, s_.allowed, allow));
}

// 6.6
Outcome Shell::DoMapFile(const Op& op, uint64_t context) {
  const IoasMapFileArgs& in = op.ioasMapFile;
  IoasMapFileIn<Real> map;
  map.context = context, map.process = uint64_t{op.process} + 1;
  map.ioasId = in.ioasId, map.flags = in.flags;
  map.start = in.start, map.length = in.length, map.iova = in.iova;
  if (const File* file = processes_.Find(op.process, in.file))
    map.file = file->kind == FileKind::kMemfd ? file->backing : kNoMemoryFile;
  map.writable = Writable(op);
  View<Real>& v = s_.view;
  const Result<Real> r =
      IoasMapFile(MakeEnv(), s_, v.areas, v.accounts, s_.ordinals, s_.allocator, map);
  return r.err == 0 && !map.writable ? Error(EFAULT) : ToOutcome(r);
}

// 14.1
Outcome Shell::DoFaultQueueAlloc(const Op& op, uint64_t context) {
  Outcome out = ToOutcome(FaultQueueAlloc(MakeEnv(), s_, s_.faults, context,
                                          uint64_t{op.faultQueueAlloc.flags}, Writable(op)));
  if (out.err != 0) return out;
  File file;
  file.kind = FileKind::kFault;
  file.context = context;
  file.fault = NameOf(context, uint64_t{out.id});
  out.fd = processes_.Open(op.process, file);
  return out;
}

}  // namespace twinwalk::reference
