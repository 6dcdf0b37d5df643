// Type1 commands on the fd of an iommufd: structs in, templates, bytes out (iommufd 8.2; TRACE 8).
#include "reference/compat.h"

#include <algorithm>

#include "reference/holes.h"
#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

constexpr uint64_t kInfoBytes = 24;      // argsz flags pgsizes@8 cap_offset@16 pad
constexpr uint64_t kDmaAvailBytes = 16;  // 12, padded
constexpr uint64_t kRangesHeader = 16;

Outcome Error(uint64_t err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

int FramingError(const Op& op) {
  const uint32_t minimum = SizesOf(op.kind).minimum;
  if (ReadableBytes(op) < minimum) return EFAULT;
  return op.size < minimum ? EINVAL : 0;
}

// Pages that every HWPT of `ioas` can map at once; one page is what the kernel itself splits to.
uint64_t PageSizes(const Env<Real>& env, const State<Real>& s, uint64_t ioas) {
  constexpr uint64_t kSmall = 4096, kTwoMiB = uint64_t{1} << 21, kGiB = uint64_t{1} << 30;
  uint64_t sizes = ~uint64_t{0};
  s.view.hwpts.EachIndex([&](bool, const HwptRow<Real>& h) {
    if (h.ioas != ioas) return;
    // CAP.SLLPS (hw-vtd 1); an SMMUv3 with a 4 KiB granule has blocks of both sizes (hw 4).
    const uint64_t cap = OfVtd(env, h.smmu, [](const VtdConfig& c) { return c.cap; });
    const bool vtd = IsVtd(env, h.smmu);
    sizes &=
        kSmall | (!vtd || VtdHas(cap, 34) ? kTwoMiB : 0) | (!vtd || VtdHas(cap, 35) ? kGiB : 0);
  });
  return std::max((sizes & ~(kSmall - 1)) | kSmall, Alignment(s, ioas));
}

// The user's struct as it lies in memory, and how far the call has written it.
class UserStruct {
 public:
  explicit UserStruct(uint64_t bytes) : bytes_(bytes, '\0') {}
  template <class T>
  void Put(uint64_t at, T value, bool written = true) {
    for (uint64_t i = 0; i < sizeof value; ++i)
      if (at + i < bytes_.size()) bytes_[at + i] = reinterpret_cast<const char*>(&value)[i];
    if (written) end_ = std::max(end_, at + sizeof value);
  }
  void Fill(uint64_t at, std::string_view bytes) {
    for (uint64_t i = 0; i < bytes.size() && at + i < bytes_.size(); ++i) bytes_[at + i] = bytes[i];
  }
  uint64_t end() const { return end_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  uint64_t end_ = 0;
};

Outcome GetInfo(const Env<Real>& env, const State<Real>& s, const Op& op, uint64_t context) {
  const VfioIommuGetInfoArgs& in = op.vfioIommuGetInfo;
  const uint64_t ioas = CompatIoas<Real>(s.contexts, context);
  if (ioas == 0) return Error(ENODEV);
  const Ranges holes = IovaHoles(env, s.view, ioas);
  const uint64_t ranges_at = kInfoBytes + kDmaAvailBytes;
  const uint64_t total = ranges_at + kRangesHeader + 16 * holes.size();

  UserStruct user(std::min<uint64_t>(op.size, op.readable));
  user.Put(0, op.size, false), user.Put(4, in.flags, false), user.Put(8, in.iovaPgsizes, false);
  user.Put(16, in.capOffset, false), user.Put(20, in.pad, false);
  user.Fill(kInfoBytes, TailOf(op));
  if (op.size >= kInfoBytes + 12) {  // DMA avail: header {id, version, next}, avail
    user.Put(kInfoBytes, uint16_t{3}), user.Put(kInfoBytes + 2, uint16_t{1});
    user.Put(kInfoBytes + 4, op.size >= ranges_at ? static_cast<uint32_t>(ranges_at) : 0u);
    user.Put(kInfoBytes + 8, ~uint32_t{0});
  }
  if (op.size >= total) {  // IOVA range: header, nr, reserved, then pairs
    user.Put(ranges_at, uint16_t{1}), user.Put(ranges_at + 2, uint16_t{1});
    user.Put(ranges_at + 4, uint32_t{0});
    user.Put(ranges_at + 8, static_cast<uint32_t>(holes.size()));
    user.Put(ranges_at + 12, uint32_t{0});
    for (size_t i = 0; i < holes.size(); ++i) {
      user.Put(ranges_at + kRangesHeader + 16 * i, holes[i].first);
      user.Put(ranges_at + kRangesHeader + 16 * i + 8, holes[i].second);
    }
  }
  user.Put(0, static_cast<uint32_t>(total)), user.Put(4, uint32_t{3});
  user.Put(8, PageSizes(env, s, ioas));
  // A shorter struct receives as much of cap_offset and pad as it has room for.
  user.Put(16, op.size >= total ? static_cast<uint32_t>(kInfoBytes) : 0u, false);
  user.Put(20, uint32_t{0}, false);
  const uint64_t written = std::max(user.end(), std::min<uint64_t>(op.size, kInfoBytes));
  if (WritableBytes(op) < written) return Error(EFAULT);
  Outcome out;
  out.out = user.bytes();
  return out;
}

}  // namespace

Outcome Shell::DoCompat(const Op& op, uint64_t context) {
  const Env<Real> env = MakeEnv();
  View<Real>& v = s_.view;
  const uint64_t process = uint64_t{op.process} + 1;
  if (op.kind == OpKind::kVfioGetApiVersion) return Outcome();
  if (op.kind == OpKind::kVfioCheckExtension) {
    const Result<Real> r =
        CompatCheckExtension(env, v, s_.contexts, context, op.vfioCheckExtension.arg);
    Outcome out = Error(r.err);
    out.ret = static_cast<int64_t>(r.ret);
    return out;
  }
  if (op.kind == OpKind::kVfioSetIommu) {
    return Error(CompatSetIommu(env, s_, s_.smallPages, context, process, op.vfioSetIommu.arg).err);
  }
  const bool known = op.kind == OpKind::kVfioIommuGetInfo || op.kind == OpKind::kVfioIommuMapDma ||
                     op.kind == OpKind::kVfioIommuUnmapDma;
  if (!known) return Error(ENOTTY);
  if (const int err = FramingError(op)) return Error(static_cast<uint64_t>(err));
  if (op.kind == OpKind::kVfioIommuGetInfo) return GetInfo(env, s_, op, context);
  if (op.kind == OpKind::kVfioIommuMapDma) {
    const VfioIommuMapDmaArgs& in = op.vfioIommuMapDma;
    return Error(CompatMapDma(env, s_, v.areas, v.accounts, s_.ordinals, s_.allocator,
                              {context, process, in.flags, in.vaddr, in.iova, in.length})
                     .err);
  }
  const VfioIommuUnmapDmaArgs& in = op.vfioIommuUnmapDma;
  bool wrote = false;
  const Result<Real> r = CompatUnmapDma(env, s_, v.areas, v.accounts, s_.copies, v.retained,
                                        {context, in.flags, in.iova, in.length}, &wrote);
  if (wrote && WritableBytes(op) < SizesOf(op.kind).minimum) return Error(EFAULT);
  Outcome out = Error(r.err);
  out.values[0] = r.values[0];
  return out;
}

}  // namespace twinwalk::reference
