// ioctls of a native VFIO container (type1 4, 8 to 11): framing, what only informs, and the calls
// of the templates in container.h and type1.h.
#include <algorithm>
#include <cstring>

#include "reference/holes.h"
#include "reference/shell.h"
#include "reference/structs.h"

namespace twinwalk::reference {
namespace {

constexpr uint64_t kTopOfUser = uint64_t{1} << 48;
constexpr size_t kMaxOut = 1 << 20;  // bytes of an Outcome

Outcome Error(uint64_t err) {
  Outcome out;
  out.err = static_cast<uint16_t>(err);
  return out;
}

void Append(std::string* to, uint64_t value, size_t bytes) {
  to->append(reinterpret_cast<const char*>(&value), bytes);
}

// type1 8: the capability chain that stands at offset 24.
std::string Capabilities(uint64_t avail, const Ranges& holes) {
  constexpr uint64_t kFirst = 24, kMigration = 32, kAvail = 16;
  std::string caps;
  Append(&caps, 2, 2), Append(&caps, 1, 2), Append(&caps, kFirst + kMigration, 4);
  Append(&caps, 0, 8), Append(&caps, kGranule, 8), Append(&caps, uint64_t{1} << 28, 8);
  const uint64_t ranges = kFirst + kMigration + kAvail;
  Append(&caps, 3, 2), Append(&caps, 1, 2), Append(&caps, holes.empty() ? 0 : ranges, 4);
  Append(&caps, avail, 4), Append(&caps, 0, 4);
  if (holes.empty()) return caps;
  Append(&caps, 1, 2), Append(&caps, 1, 2), Append(&caps, 0, 4);
  Append(&caps, holes.size(), 4), Append(&caps, 0, 4);
  for (const auto& [first, last] : holes) Append(&caps, first, 8), Append(&caps, last, 8);
  return caps;
}

// Page sizes of the tables: 4 KiB, and what the IOMMU's large pages add.
uint64_t PageSizes(const World& world, uint64_t iommu) {
  constexpr uint64_t k4K = 1 << 12, k2M = 1 << 21, k1G = 1 << 30;
  if (iommu < world.smmus.size()) return k4K | k2M | k1G;
  const uint64_t cap = world.vtds[iommu - world.smmus.size()].cap;  // SLLPS: bits 34, 35
  return k4K | ((cap >> 34 & 1) != 0 ? k2M : 0) | ((cap >> 35 & 1) != 0 ? k1G : 0);
}

// Whether domains of this IOMMU make all DMA coherent: VT-d's snoop control.
bool EnforcesCoherency(const World& world, uint64_t iommu) {
  return iommu >= world.smmus.size() && (world.vtds[iommu - world.smmus.size()].ecap >> 7 & 1) != 0;
}

// Where a bitmap stands, and what of it can be copied.
struct UserBitmap {
  uint64_t pgsize, size, data;
  uint32_t writable;
  std::string_view before;

  bool InRange() const { return data <= kTopOfUser && size <= kTopOfUser - data; }
  uint64_t WordsReadable() const { return before.size() / 8; }
  uint64_t WordsWritable() const { return writable / 8; }
};

// 11: the bits of each record that begins in first..last, every page of it, as they land in the
// user's bitmap: whole words, the first ORed with what stood there when a record begins inside it.
// False: one could not be copied (EFAULT).
bool DirtyBits(const View<Real>& v, const UnmapDmaIn<Real>& in, uint64_t last,
               const UserBitmap& user, std::string* out) {
  out->assign(user.before);
  out->resize(std::min<uint64_t>({user.size, user.writable, kMaxOut}), '\0');
  bool copied = true;
  const auto put = [&](const AreaRow<Real>& a) {
    const uint64_t begin = (a.mapFirst - in.iova) >> 12, end = (a.mapLast - in.iova) >> 12;
    for (uint64_t word = begin / 64; word <= end / 64 && word * 8 + 8 <= out->size(); ++word) {
      uint64_t bits = ~uint64_t{0}, there = 0;
      if (word == begin / 64) {
        bits <<= begin % 64;
        if (begin % 64 != 0) std::memcpy(&there, out->data() + word * 8, 8);
      }
      if (word == end / 64) bits &= ~uint64_t{0} >> (63 - end % 64);
      bits |= there;
      std::memcpy(out->data() + word * 8, &bits, 8);
    }
  };
  v.areas.EachIndex([&](bool, const AreaRow<Real>& a) {
    if (a.space != SpaceOf(in.container) || a.first != a.mapFirst) return;
    if (a.mapFirst < in.iova || a.mapFirst > last || !copied) return;
    if (BitmapFaults<Real>(in, a)) {
      copied = false;
    } else {
      put(a);
    }
  });
  return copied;
}

}  // namespace

Outcome Shell::DoContainer(const Op& op, uint64_t container) {
  const uint64_t backend = BackendOf<Real>(s_.containers, container);
  if (op.kind == OpKind::kVfioGetApiVersion) return Outcome();
  if (op.kind == OpKind::kVfioCheckExtension)
    return CheckExtension(container, op.vfioCheckExtension.arg);
  if (op.kind == OpKind::kVfioSetIommu) return DoSetIommu(op, container);
  if (backend == kNoBackend) return Error(EINVAL);
  if (backend == kNoIommuBackend) return Error(ENOTTY);
  if (op.kind == OpKind::kVfioIommuDirtyPages && backend == kType1) return Error(EACCES);
  if (const int err = VfioFramingError(op)) return Error(static_cast<uint64_t>(err));
  if (op.kind == OpKind::kVfioIommuGetInfo) return DoIommuInfo(op, container);
  if (op.kind == OpKind::kVfioIommuMapDma) return DoMapDma(op, container);
  if (op.kind == OpKind::kVfioIommuUnmapDma) return DoUnmapDma(op, container);
  return DoDirtyPages(op, container);
}

// 4. Without a backend every one that may serve the container's groups is asked.
Outcome Shell::CheckExtension(uint64_t container, uint64_t extension) {
  const uint64_t backend = BackendOf<Real>(s_.containers, container);
  const std::vector<GroupIn<Real>> groups = GroupsOf(container);
  const bool empty = groups.empty();
  Outcome out;
  if (empty || groups[0].noiommu) out.ret = world_.noiommu && extension == 8 ? 1 : 0;
  if (!empty && groups[0].noiommu) return out;
  const bool bound = backend != kNoBackend;
  if (extension == 1 || extension == 3 || extension == 9) out.ret = 1;
  if (extension == 10 && bound) out.ret = 1;
  if (extension == 4 && bound) {
    const bool any_does_not = s_.view.hwpts.Any([&](const HwptRow<Real>& h) {
      return h.ioas == SpaceOf(container) && !EnforcesCoherency(world_, h.smmu);
    });
    out.ret = any_does_not ? 0 : 1;
  }
  return out;
}

Outcome Shell::DoSetIommu(const Op& op, uint64_t container) {
  SetIommuIn<Real> in;
  in.container = container;
  in.type = op.vfioSetIommu.arg;
  in.groups = GroupsOf(container);
  in.rawIo = world_.processes[op.process].rawIo;
  View<Real>& v = s_.view;
  return Error(
      SetIommu(MakeEnv(), s_, v.devices, v.nesteds, SpacesOf(s_), s_.containers, s_.allocator, in)
          .err);
}

// 8
Outcome Shell::DoIommuInfo(const Op& op, uint64_t container) {
  constexpr uint32_t kStruct = 24;
  const ContainerRow<Real>& row = *s_.containers.Find(container);
  const uint64_t space = SpaceOf(container);
  uint64_t sizes = ~uint64_t{0};
  s_.view.hwpts.EachIndex([&](bool, const HwptRow<Real>& h) {
    if (h.ioas == space) sizes &= PageSizes(world_, h.smmu);
  });
  const uint64_t avail = world_.dmaEntryLimit - row.entries;
  const std::string caps = Capabilities(avail, IovaHoles(MakeEnv(), s_.view, space));
  const uint32_t total = kStruct + static_cast<uint32_t>(caps.size());
  const bool fits = op.size >= total;
  std::string info;
  Append(&info, fits ? op.size : total, 4);
  Append(&info, 3, 4);  // PGSIZES, CAPS
  Append(&info, sizes, 8);
  Append(&info, fits ? kStruct : 0, 8);  // and the padding
  UserStruct user(op);
  user.Write(0, std::string_view(info).substr(0, op.size));
  if (fits) user.Write(kStruct, caps);
  if (!user.Writable()) return Error(EFAULT);
  Outcome out;
  out.out = user.bytes();
  return out;
}

uint64_t Shell::Room(uint64_t pages) {
  const uint64_t limit = std::min<uint64_t>(world_.frames, 1 << 22);
  if (pages > limit || pinned_bound_ > limit - pages) {
    pinned_bound_ = s_.view.areas.Sum([](const AreaRow<Real>&) { return true; },
                                      [](const AreaRow<Real>& a) { return a.pinned; });
  }
  return limit - std::min(limit, pinned_bound_);
}

// 9
Outcome Shell::DoMapDma(const Op& op, uint64_t container) {
  const VfioIommuMapDmaArgs& args = op.vfioIommuMapDma;
  MapDmaIn<Real> in;
  in.container = container, in.process = uint64_t{op.process} + 1;
  in.flags = args.flags;
  in.vaddr = args.vaddr, in.iova = args.iova, in.length = args.length;
  View<Real>& v = s_.view;
  return Error(
      MapDma(MakeEnv(), s_, v.areas, v.accounts, s_.containers, s_.ordinals, s_.allocator, in).err);
}

// 10
Outcome Shell::DoUnmapDma(const Op& op, uint64_t container) {
  const VfioIommuUnmapDmaArgs& args = op.vfioIommuUnmapDma;
  const UserBitmap user{args.bitmapPgsize, args.bitmapSize, args.bitmapData, args.bufWritable,
                        BufferOf(op)};
  UnmapDmaIn<Real> in;
  in.container = container;
  in.flags = args.flags, in.iova = args.iova, in.length = args.length;
  const bool bits = args.flags == kGetDirtyBitmap;
  if (bits && op.size < 48) return Error(EINVAL);
  if (bits && ReadableBytes(op) < 48) return Error(EFAULT);
  in.bitmapPgsize = user.pgsize, in.bitmapSize = user.size;
  in.wordsReadable = user.WordsReadable(), in.wordsWritable = user.WordsWritable();
  in.bitmapInRange = user.InRange();
  std::string bitmap;
  if (bits) DirtyBits(s_.view, in, in.iova + in.length - 1, user, &bitmap);  // before they go
  const Result<Real> r = UnmapDma(MakeEnv(), s_, SpacesOf(s_), s_.containers, in);
  if (r.err != 0) return Error(r.err);
  if (WritableBytes(op) < 24) return Error(EFAULT);
  Outcome out;
  out.values = r.values;
  if (bits) out.out = std::move(bitmap);
  return out;
}

// 11
Outcome Shell::DoDirtyPages(const Op& op, uint64_t container) {
  const VfioIommuDirtyPagesArgs& args = op.vfioIommuDirtyPages;
  if (args.flags != kDirtyStart && args.flags != kDirtyStop && args.flags != kDirtyGet)
    return Error(EINVAL);
  if (args.flags != kDirtyGet) {
    TrackDirty<Real>(s_.containers, container, args.flags == kDirtyStart ? 1 : 0);
    return Outcome();
  }
  if (op.size < 48) return Error(EINVAL);
  if (ReadableBytes(op) < 48) return Error(EFAULT);
  const UserBitmap user{args.bitmapPgsize, args.bitmapSize, args.bitmapData, args.bufWritable,
                        BufferOf(op)};
  const uint64_t last = args.iova + args.length - 1, space = SpaceOf(container);
  if (args.iova + args.length < args.iova || !user.InRange()) return Error(EINVAL);
  if (BadBitmap<Real>(args.length, user.pgsize, user.size) || user.pgsize != kGranule)
    return Error(EINVAL);
  if (((args.iova | args.length) & (kGranule - 1)) != 0 || args.length == 0) return Error(EINVAL);
  if (s_.containers.Find(container)->tracking == 0) return Error(EINVAL);
  const Areas<Real>& areas = s_.view.areas;
  const bool bisected = areas.AnyContaining(space, args.iova, [&](const AreaRow<Real>& a) {
    return a.mapFirst != args.iova;
  }) || areas.AnyContaining(space, last, [&](const AreaRow<Real>& a) { return a.mapLast != last; });
  if (bisected) return Error(EINVAL);
  UnmapDmaIn<Real> in;
  in.container = container, in.iova = args.iova;
  in.wordsReadable = user.WordsReadable(), in.wordsWritable = user.WordsWritable();
  Outcome out;
  if (!DirtyBits(s_.view, in, last, user, &out.out)) return Error(EFAULT);
  return out;
}

}  // namespace twinwalk::reference
