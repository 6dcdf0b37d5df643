// Mappings of a type1 container: MAP_DMA, UNMAP_DMA, DIRTY_PAGES (type1 sheet 9 to 11).
#include <bit>
#include <utility>

#include "model/front.h"
#include "model/user_struct.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kTop = ~uint64_t{0};
constexpr uint64_t kDmaPage = kPageSize;  // the smallest page of every domain
enum MapFlags : uint32_t { kMapRead = 1, kMapWrite = 2, kMapVaddr = 4 };
enum UnmapFlags : uint32_t { kGetDirty = 1, kUnmapEverything = 2, kUnmapVaddr = 4 };
enum DirtyFlags : uint32_t { kStart = 1, kStop = 2, kGetBitmap = 4 };
constexpr uint64_t kMostDirtyBitmap = 1 << 28;
constexpr uint64_t kMostTold = 1 << 20;  // bytes of a buffer that an Outcome has at most

using Areas = Space::Areas;

// The user's dirty bitmap: one bit a page from `base` on, in words.
class DirtyBitmap {
 public:
  DirtyBitmap(const Op& op, uint64_t base, uint64_t size, uint64_t writable)
      : base_(base), writable_(writable), bytes_(BufferOf(op)) {
    bytes_.resize(std::min({size, writable, kMostTold}), '\0');
  }
  // Every page of a mapping is dirty: no IOMMU here tells which are. Whole words are written, but
  // what stands before the first bit stays. False: not all of them can be.
  bool Mark(const Area& area) {
    const uint64_t first = (area.first - base_) / kDmaPage;
    const uint64_t last = (area.last - base_) / kDmaPage;
    const uint64_t end = (last / 64 + 1) * 8;
    if (end > writable_) return false;
    for (uint64_t bit = first / 64 * 64; bit < end * 8 && bit / 8 < bytes_.size(); ++bit) {
      if (bit < first) continue;
      const char mask = static_cast<char>(1u << bit % 8);
      if (bit <= last)
        bytes_[bit / 8] = static_cast<char>(bytes_[bit / 8] | mask);
      else
        bytes_[bit / 8] = static_cast<char>(bytes_[bit / 8] & ~mask);
    }
    return true;
  }
  std::string Take() { return std::move(bytes_); }

 private:
  uint64_t base_, writable_;
  std::string bytes_;
};

bool IsUserRange(uint64_t address, uint64_t size) {
  return address + size >= address && (address + size) >> 63 == 0;
}

// A bitmap that has a bit for each of `length` bytes: 0 or an errno.
int CheckBitmap(uint64_t data, uint64_t size, uint64_t pgsize, uint64_t length) {
  if (!IsUserRange(data, size) || pgsize == 0) return EINVAL;
  const uint64_t pages = length >> std::countr_zero(pgsize);
  if (pages == 0 || size == 0 || size > kMostDirtyBitmap) return EINVAL;
  return size < (pages + 63) / 64 * 8 || pages > kTop - 63 ? EINVAL : 0;
}

// Whether a record reaches over either end of first..last.
bool Bisects(Space* space, uint64_t first, uint64_t last) {
  const auto left = space->FirstMeeting(first, first);
  if (left != space->areas().end() && left->first != first) return true;
  const auto right = space->FirstMeeting(last, last);
  return right != space->areas().end() && right->second.last != last;
}

// MAP_DMA with VADDR: the mapping has a new user address, and maybe a new owner.
Outcome GiveVaddr(Stack* stack, Container* container, const Op& op, Areas::iterator at) {
  const VfioIommuMapDmaArgs& a = op.vfioIommuMapDma;
  if (at == container->space->space.areas().end()) return Fail(ENOENT);
  Area& area = at->second;
  if (!area.vaddrInvalid || area.first != a.iova || area.last - area.first != a.length - 1)
    return Fail(EINVAL);
  if (area.process != op.process) {
    const bool unlimited = stack->world().processes[op.process].ipcLock;
    const uint64_t limit = unlimited ? kTop : stack->MemlockPages(op.process);
    const uint64_t pages = Stack::PinnedPages(area);
    if (const int error = stack->Charge(Stack::ProcessKey(op.process), pages, limit))
      return Fail(error);
    stack->Uncharge(area.account, pages);
    area.account = Stack::ProcessKey(op.process);
    area.process = op.process;
  }
  area.va = a.vaddr;
  for (Run& run : area.runs) run.va = a.vaddr + (run.first - area.first);
  area.vaddrInvalid = false;
  --container->invalid;
  return Outcome();
}

int CheckMapRange(const VfioIommuMapDmaArgs& a) {
  if (a.length == 0 || ((a.length | a.iova | a.vaddr) & (kDmaPage - 1)) != 0) return EINVAL;
  return a.iova + (a.length - 1) < a.iova || a.vaddr + (a.length - 1) < a.vaddr ? EOVERFLOW : 0;
}

// Takes the user address of every record in first..last: 0, or EINVAL when one has none.
int TakeVaddrs(Container* container, uint64_t first, uint64_t last, uint64_t* bytes) {
  Areas& areas = container->space->space.areas();
  const auto begin = container->space->space.FirstMeeting(first, last);
  for (auto at = begin; at != areas.end() && at->first <= last; ++at) {
    if (!container->v2 && first > at->first) break;
    if (at->second.vaddrInvalid) {  // those before it get theirs back
      for (auto back = begin; back != at; ++back) {
        back->second.vaddrInvalid = false;
        --container->invalid;
      }
      return EINVAL;
    }
    at->second.vaddrInvalid = true;
    ++container->invalid;
    *bytes += at->second.last - at->first + 1;
  }
  return 0;
}

// Removes every record in first..last; EFAULT when its bits of the bitmap cannot be written.
int RemoveRecords(Stack* stack, Container* container, uint32_t process, uint64_t first,
                  uint64_t last, DirtyBitmap* bitmap, uint64_t* bytes) {
  Space& space = container->space->space;
  for (;;) {
    const auto at = space.FirstMeeting(first, last);
    // v1: a request that starts inside a record stops there (sheet 10).
    if (at == space.areas().end() || (!container->v2 && first > at->first)) return 0;
    Area& area = at->second;
    if (bitmap != nullptr && !bitmap->Mark(area)) return EFAULT;
    *bytes += area.last - area.first + 1;
    if (area.vaddrInvalid) --container->invalid;
    if (stack->faults().m01UnchargesCaller) area.account = Stack::ProcessKey(process);
    stack->RemoveArea(container->space, at);
  }
}

}  // namespace

Outcome Type1Map(Stack* stack, Context* context, const Op& op) {
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  Container& container = *context->container;
  const VfioIommuMapDmaArgs& a = op.vfioIommuMapDma;
  if ((a.flags & ~7u) != 0) return Fail(EINVAL);
  const bool vaddr_only = (a.flags & kMapVaddr) != 0;
  if (vaddr_only == ((a.flags & (kMapRead | kMapWrite)) != 0)) return Fail(EINVAL);
  if (const int error = CheckMapRange(a)) return Fail(error);

  Ioas* ioas = container.space;
  const uint64_t last = a.iova + (a.length - 1);
  const auto met = ioas->space.FirstMeeting(a.iova, last);
  if (vaddr_only) return GiveVaddr(stack, &container, op, met);
  if (met != ioas->space.areas().end()) return Fail(EEXIST);
  if (ioas->space.areas().size() >= container.entryLimit) return Fail(ENOSPC);
  if (ioas->space.MeetsReserved(a.iova, last)) return Fail(EINVAL);

  Area area;
  area.first = a.iova;
  area.last = last;
  area.process = op.process;
  area.va = a.vaddr;
  area.rights = ((a.flags & kMapRead) != 0 ? kRead : 0) | ((a.flags & kMapWrite) != 0 ? kWrite : 0);
  area.writable = (a.flags & kMapWrite) != 0;
  area.account = Stack::ProcessKey(op.process);
  area.type1 = true;
  if (const int error = stack->EnterArea(ioas, std::move(area))) return Fail(error);
  const auto at = ioas->space.areas().find(a.iova);
  if (stack->AllocationFails()) {
    stack->DropArea(ioas, at);
    return Fail(ENOMEM);
  }
  at->second.pagesId = stack->NewPages();
  for (Hwpt* domain : ioas->hwpts) stack->ShowArea(domain, at->second);
  return Outcome();
}

Outcome Type1Unmap(Stack* stack, Context* context, const Op& op) {
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  Container& container = *context->container;
  const VfioIommuUnmapDmaArgs& a = op.vfioIommuUnmapDma;
  const bool dirty = (a.flags & kGetDirty) != 0, all = (a.flags & kUnmapEverything) != 0;
  const bool vaddr = (a.flags & kUnmapVaddr) != 0;
  if ((a.flags & ~7u) != 0 || (dirty && (all || vaddr))) return Fail(EINVAL);
  if (dirty) {
    if (op.size < 48) return Fail(EINVAL);
    if (!CanRead(op, 48)) return Fail(EFAULT);
    if (const int error = CheckBitmap(a.bitmapData, a.bitmapSize, a.bitmapPgsize, a.length))
      return Fail(error);
  }
  if ((a.iova & (kDmaPage - 1)) != 0) return Fail(EINVAL);
  if (all) {
    if (a.iova != 0 || a.length != 0) return Fail(EINVAL);
  } else {
    if (a.length == 0 || (a.length & (kDmaPage - 1)) != 0) return Fail(EINVAL);
    if (a.iova + (a.length - 1) < a.iova) return Fail(EOVERFLOW);
  }
  const uint64_t last = all ? kTop : a.iova + (a.length - 1);
  if (dirty && (!container.tracking || a.bitmapPgsize != kDmaPage)) return Fail(EINVAL);
  if (container.v2 && !all && Bisects(&container.space->space, a.iova, last)) return Fail(EINVAL);

  DirtyBitmap bitmap(op, a.iova, dirty ? a.bitmapSize : 0, a.bufWritable);
  uint64_t bytes = 0;
  const int error = vaddr ? TakeVaddrs(&container, a.iova, last, &bytes)
                          : RemoveRecords(stack, &container, op.process, a.iova, last,
                                          dirty ? &bitmap : nullptr, &bytes);
  if (error != 0) return Fail(error);
  if (!CanWrite(op, 24)) return Fail(EFAULT);  // what was done stays done
  Outcome out;
  out.values[0] = bytes;
  if (dirty) out.out = bitmap.Take();
  return out;
}

Outcome Type1DirtyPages(Stack*, Context* context, const Op& op) {
  Container& container = *context->container;
  if (!container.v2) return Fail(EACCES);
  if (const int error = CheckVfioStruct(op)) return Fail(error);
  const VfioIommuDirtyPagesArgs& a = op.vfioIommuDirtyPages;
  if ((a.flags & ~7u) != 0 || !std::has_single_bit(a.flags)) return Fail(EINVAL);
  if (a.flags != kGetBitmap) {
    container.tracking = a.flags == kStart;
    return Outcome();
  }
  if (op.size < 48) return Fail(EINVAL);
  if (!CanRead(op, 48)) return Fail(EFAULT);
  if (a.iova + a.length < a.iova) return Fail(EINVAL);
  if (const int error = CheckBitmap(a.bitmapData, a.bitmapSize, a.bitmapPgsize, a.length))
    return Fail(error);
  if (a.bitmapPgsize != kDmaPage || ((a.iova | a.length) & (kDmaPage - 1)) != 0)
    return Fail(EINVAL);
  Space& space = container.space->space;
  const uint64_t last = a.iova + (a.length - 1);
  if (!container.tracking || Bisects(&space, a.iova, last)) return Fail(EINVAL);

  DirtyBitmap bitmap(op, a.iova, a.bitmapSize, a.bufWritable);
  for (auto at = space.FirstMeeting(a.iova, last); at != space.areas().end() && at->first <= last;
       ++at)
    if (!bitmap.Mark(at->second)) return Fail(EFAULT);
  Outcome out;
  out.out = bitmap.Take();
  return out;
}

}  // namespace twinwalk::model
