// ioctl framing and dispatch (iommufd 2, 3, 19; TRACE 2): user structs in, templates, results out.
#include <algorithm>
#include <cstring>

#include "reference/holes.h"
#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

Outcome Error(uint64_t err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

bool IsVfio(OpKind kind) {
  return kind == OpKind::kBindIommufd || kind == OpKind::kAttachIommufdPt ||
         kind == OpKind::kDetachIommufdPt;
}

// TRACE 2. 0, or why the struct cannot be copied in.
int FramingError(const Op& op) {
  const auto [known, minimum] = SizesOf(op.kind);
  const uint64_t readable = ReadableBytes(op);
  if (readable < 4) return EFAULT;
  if (op.size < minimum) return EINVAL;
  const bool strict = op.kind != OpKind::kAttachIommufdPt && op.kind != OpKind::kDetachIommufdPt;
  if (strict && op.size > known) {
    const std::string_view surplus = TailOf(op);
    if (std::any_of(surplus.begin(), surplus.end(), [](char c) { return c != 0; })) return E2BIG;
    if (readable < op.size) return EFAULT;
  }
  return readable < std::min(op.size, known) ? EFAULT : 0;
}

bool Writable(const Op& op) {
  uint32_t needed = std::min(op.size, KnownSize(op.kind));
  if (op.kind == OpKind::kBindIommufd) needed = 16;
  if (op.kind == OpKind::kAttachIommufdPt) needed = 12;
  return op.writable >= needed;
}

// A field of `bytes` at `offset`: what lies beyond the user's struct reads as zero.
uint64_t Field(const Op& op, uint64_t value, uint32_t offset, uint32_t bytes) {
  if (op.size >= offset + bytes) return value;
  if (op.size <= offset) return 0;
  return value & ((uint64_t{1} << (8 * (op.size - offset))) - 1);
}

uint64_t Word(std::string_view bytes, size_t at) {
  uint64_t word = 0;
  if (at < bytes.size())
    std::memcpy(&word, bytes.data() + at, std::min<size_t>(8, bytes.size() - at));
  return word;
}

template <class T, size_t n>
std::string Bytes(const std::array<T, n>& words) {
  return std::string(reinterpret_cast<const char*>(words.data()), sizeof words);
}

Outcome ToOutcome(const Result<Real>& r) {
  Outcome out = Error(r.err);
  if (r.err != 0) return out;
  out.id = static_cast<uint32_t>(r.id);
  out.values = r.values;
  return out;
}

}  // namespace

Outcome Shell::DoIoctl(const Op& op) {
  File& file = *processes_.Find(op.process, op.fd);
  const bool unbound = file.kind == FileKind::kCdev && file.context == 0;
  if (unbound && op.kind != OpKind::kBindIommufd) return Error(EINVAL);
  const bool by_group = file.kind == FileKind::kDevice && op.kind == OpKind::kBindIommufd;
  if (file.kind != (IsVfio(op.kind) ? FileKind::kCdev : FileKind::kIommu) && !by_group)
    return Error(ENOTTY);
  if (const int err = FramingError(op)) return Error(static_cast<uint64_t>(err));
  if (by_group) return Error(EINVAL);  // 19.1
  if (op.kind == OpKind::kBindIommufd) return DoBind(op, &file);
  if (op.kind == OpKind::kAttachIommufdPt) return DoAttach(op, file);
  if (op.kind == OpKind::kDetachIommufdPt) return DoDetach(op, file);
  return DoIommufd(op, file.context);
}

// 19.1
Outcome Shell::DoBind(const Op& op, File* file) {
  const BindArgs& in = op.bind;
  // TOKEN: neither a PF nor a VF here. A negative descriptor is refused before it is looked up.
  if ((in.flags & ~1u) != 0 || in.iommufd >= uint32_t{1} << 31) return Error(EINVAL);
  if (GroupIsOpen(groups_.OfDevice(file->device))) return Error(EBUSY);
  if (file->context != 0 || in.flags != 0) return Error(EINVAL);
  const File* iommufd = processes_.Find(op.process, in.iommufd);
  if (iommufd == nullptr) return Error(in.iommufd < kFirstOwnFd ? EBADFD : EBADF);
  if (iommufd->kind != FileKind::kIommu) return Error(EBADFD);
  BindIn<Real> bind;
  bind.device = uint64_t{file->device} + 1;
  bind.context = iommufd->context;
  bind.writable = Writable(op);
  bind.viable = groups_.Viable(groups_.OfDevice(file->device));
  const Outcome out = ToOutcome(Bind(MakeEnv(), s_, s_.view.devices, bind));
  if (out.err == 0) file->context = bind.context;
  return out;
}

// 19.2
Outcome Shell::DoAttach(const Op& op, const File& file) {
  const AttachArgs& in = op.attach;
  if ((in.flags & ~1u) != 0 || ((in.flags & 1) != 0 && op.size < 16)) return Error(EINVAL);
  AttachIn<Real> attach;
  attach.device = uint64_t{file.device} + 1;
  attach.flags = in.flags, attach.ptId = in.ptId, attach.pasid = in.pasid;
  attach.writable = Writable(op);
  View<Real>& v = s_.view;
  return ToOutcome(Attach(MakeEnv(), s_, v.devices, v.nesteds, SpacesOf(s_), s_.allocator, attach));
}

// 19.3
Outcome Shell::DoDetach(const Op& op, const File& file) {
  const DetachArgs& in = op.detach;
  if ((in.flags & ~1u) != 0 || ((in.flags & 1) != 0 && op.size < 12)) return Error(EINVAL);
  DetachIn<Real> detach;
  detach.device = uint64_t{file.device} + 1;
  detach.flags = in.flags;
  return ToOutcome(Detach(MakeEnv(), s_.view.devices, s_.view.nesteds, SpacesOf(s_), detach));
}

Outcome Shell::DoIommufd(const Op& op, uint64_t context) {
  const Env<Real> env = MakeEnv();
  View<Real>& v = s_.view;
  const bool writable = Writable(op);
  const auto written = [&](Outcome out) {  // MAP, UNMAP: done, but the user does not learn it
    return out.err == 0 && !writable ? Error(EFAULT) : out;
  };
  if (op.kind == OpKind::kIoasAlloc) {
    return ToOutcome(
        IoasAlloc(env, s_, v.ioases, s_.allocator, {context, op.ioasAlloc.flags, writable}));
  }
  if (op.kind == OpKind::kIoasMap) {
    const IoasMapArgs& in = op.ioasMap;
    return written(ToOutcome(IoasMap(env, s_, v.areas, v.accounts, s_.ordinals, s_.allocator,
                                     {context, uint64_t{op.process} + 1, in.ioasId, in.flags,
                                      in.reserved, in.userVa, in.length, in.iova, writable})));
  }
  if (op.kind == OpKind::kIoasUnmap) {
    const IoasUnmapArgs& in = op.ioasUnmap;
    return written(ToOutcome(IoasUnmap(env, s_, v.areas, v.accounts, s_.copies, v.retained,
                                       {context, in.ioasId, in.iova, in.length})));
  }
  if (op.kind == OpKind::kViommuAlloc) {
    const ViommuAllocArgs& in = op.viommuAlloc;
    return ToOutcome(ViommuAlloc(env, s_, v.viommus, v.hwpts, s_.allocator,
                                 {context, in.flags, in.type, in.devId, in.hwptId, writable}));
  }
  if (op.kind == OpKind::kVdeviceAlloc) {
    const VdeviceAllocArgs& in = op.vdeviceAlloc;
    return ToOutcome(VdeviceAlloc(env, s_, v.vdevices, v.viommus, s_.allocator,
                                  {context, in.viommuId, in.devId, in.virtId, writable}));
  }
  if (op.kind == OpKind::kDestroy) {
    const Outcome out =
        ToOutcome(Destroy(env, s_, ObjectsOf(s_), {context, uint64_t{op.destroy.id}}));
    if (out.err == 0) records_.erase(NameOf(context, uint64_t{op.destroy.id}));
    return out;
  }
  if (op.kind == OpKind::kIoasIovaRanges) return DoIovaRanges(op, context);
  if (op.kind == OpKind::kGetHwInfo) return DoHwInfo(op, context);
  if (op.kind == OpKind::kHwptAlloc) return DoHwptAlloc(op, context);
  if (op.kind == OpKind::kVeventqAlloc) return DoVeventqAlloc(op, context);
  if (op.kind == OpKind::kHwptInvalidate) return DoInvalidate(op, context);
  return DoIommufdRest(op, context);
}

// 6.2
Outcome Shell::DoIovaRanges(const Op& op, uint64_t context) {
  const IoasIovaRangesArgs& in = op.ioasIovaRanges;
  Result<Real> r = IoasIovaRanges(s_, context, uint64_t{in.ioasId}, uint64_t{in.reserved});
  if (r.err != 0) return ToOutcome(r);
  const Ranges holes = IovaHoles(MakeEnv(), s_.view, NameOf(context, uint64_t{in.ioasId}));
  r.values[0] = holes.size();
  Outcome out = ToOutcome(r);
  for (size_t i = 0; i < holes.size() && i < in.numIovas; ++i) {
    out.out.append(reinterpret_cast<const char*>(&holes[i].first), 8);
    out.out.append(reinterpret_cast<const char*>(&holes[i].second), 8);
  }
  if (out.out.size() > in.bufWritable || !Writable(op)) return Error(EFAULT);
  if (holes.size() > in.numIovas) {
    out.err = EMSGSIZE;
  }
  return out;
}

// 11, 20.2
Outcome Shell::DoHwInfo(const Op& op, uint64_t context) {
  constexpr size_t kMaxOut = 1 << 16;  // more zeroes are not kept
  const GetHwInfoArgs& in = op.getHwInfo;
  uint64_t smmu = 0;
  const Result<Real> r =
      GetHwInfo(MakeEnv(), s_,
                {context, in.flags, in.devId, in.dataType, in.maxPasidAndReserved >> 8}, &smmu);
  if (r.err != 0) return ToOutcome(r);
  if (in.bufWritable < in.dataLen || !Writable(op)) return Error(EFAULT);
  Outcome out;
  if (IsVtd(MakeEnv(), smmu)) {
    // flags@0: an erratum that 20.1 reports always; cap@8 ecap@16
    const VtdConfig& unit = world_.vtds[smmu - world_.smmus.size()];
    out.out = Bytes(std::array<uint64_t, 3>{1, unit.cap, unit.ecap});
    out.values = {24, 1, 8};
  } else {
    // flags@0 idr[6]@8 iidr@32 aidr@36
    const SmmuConfig& unit = world_.smmus[smmu];
    const auto& idr = unit.idr;
    out.out = Bytes(std::array<uint32_t, 10>{0, 0, idr[0], idr[1], idr[2], idr[3], idr[4], idr[5],
                                             unit.iidr, unit.aidr});
    out.values = {40, 2, 8};
  }
  out.out.resize(std::min<size_t>(in.dataLen, kMaxOut), '\0');
  return out;
}

// 9
Outcome Shell::DoHwptAlloc(const Op& op, uint64_t context) {
  const HwptAllocArgs& in = op.hwptAlloc;
  HwptAllocIn<Real> alloc;
  alloc.context = context;
  alloc.flags = in.flags, alloc.devId = in.devId, alloc.ptId = in.ptId;
  alloc.reserved = Field(op, in.reserved, 20, 4);
  alloc.dataType = Field(op, in.dataType, 24, 4);
  alloc.dataLen = Field(op, in.dataLen, 28, 4);
  const std::string_view data = BufferOf(op);
  alloc.dataReadable = Field(op, in.dataPtr, 32, 8) != 0 && data.size() >= 16;
  alloc.ste0 = Word(data, 0), alloc.ste1 = Word(data, 8);
  alloc.faultId = Field(op, in.faultId, 40, 4);
  alloc.writable = Writable(op);
  View<Real>& v = s_.view;
  return ToOutcome(
      HwptAlloc(MakeEnv(), s_, SpacesOf(s_), v.nesteds, v.viommus, s_.allocator, alloc));
}

// 16
Outcome Shell::DoVeventqAlloc(const Op& op, uint64_t context) {
  const VeventqAllocArgs& in = op.veventqAlloc;
  Outcome out =
      ToOutcome(VeventqAlloc(MakeEnv(), s_, s_.view.veventqs, s_.view.viommus, s_.allocator,
                             {context, in.flags, in.viommuId, in.type, in.depth,
                              Field(op, in.reserved, 28, 4), Writable(op)}));
  if (out.err != 0) return out;
  File file;
  file.kind = FileKind::kVeventq;
  file.context = context;
  file.veventq = NameOf(context, uint64_t{out.id});
  out.fd = processes_.Open(op.process, file);
  return out;
}

// 13
Outcome Shell::DoInvalidate(const Op& op, uint64_t context) {
  const HwptInvalidateArgs& in = op.hwptInvalidate;
  HwptInvalidateIn<Real> inval;
  inval.context = context;
  inval.hwptId = in.hwptId, inval.dataType = in.dataType, inval.entryLen = in.entryLen;
  inval.entryNum = in.entryNum, inval.reserved = in.reserved;
  inval.nullPtr = in.dataPtr == 0;
  const std::string_view array = BufferOf(op);
  const uint64_t length = in.entryLen;
  if (length != 0 && length <= 4096) {
    for (uint64_t i = 0; i < in.entryNum && inval.copyError == 0; ++i) {
      // As in framing (TRACE 2): a tail byte that is not zero is found before what is unreadable.
      const std::string_view entry =
          array.substr(std::min<uint64_t>(i * length, array.size()), length);
      if (entry.size() < std::min<uint64_t>(16, length)) {
        inval.copyError = EFAULT;
        break;
      }
      if (std::any_of(entry.begin() + static_cast<std::ptrdiff_t>(std::min<uint64_t>(16, length)),
                      entry.end(), [](char c) { return c != 0; }))
        inval.copyError = E2BIG;
      else if (entry.size() < length)
        inval.copyError = EFAULT;
      inval.commands.push_back({Word(entry, 0), Word(entry, 8)});
    }
  }
  const Result<Real> r = HwptInvalidate(MakeEnv(), s_, s_.view.retained, s_.view.commands, inval);
  if (!Writable(op)) return Error(EFAULT);  // entry_num is always written, also with an error
  Outcome out = Error(r.err);
  out.values[0] = r.values[0];
  return out;
}

}  // namespace twinwalk::reference
