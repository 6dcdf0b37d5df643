// Mappings of a VFIO type1 container (type1 9, 10): records over the same rows as an IOAS's areas,
// with its own checks, always pinned, always charged to the process (TRACE 8, Pins of type1).
#ifndef TWINWALK_REFERENCE_TYPE1_H_
#define TWINWALK_REFERENCE_TYPE1_H_

#include "reference/container.h"

namespace twinwalk::reference {

inline constexpr uint64_t kGranule = 4096;  // lowest bit of pgsize_bitmap: no IOMMU here has less

// The account of a process (index plus 1).
template <class W>
W AccountOfProcess(W process) {
  return W(uint64_t{1} << 32) + process;
}

// Whether `pages` more would bring the process above its limit (9, Accounting).
template <class D>
typename D::B OverLimit(const Env<D>& env, const Accounts<D>& accounts, typename D::W process,
                        typename D::W pages) {
  using W = typename D::W;
  const W key = AccountOfProcess(process);
  const W charged = accounts.Sum([&](const AccountRow<D>& a) { return a.key == key; },
                                 [](const AccountRow<D>& a) { return a.pinned; });
  const W limit = OfProcess(env, process, [](const ProcessConfig& p) { return p.memlockPages; });
  const W free = OfProcess(env, process, [](const ProcessConfig& p) { return p.ipcLock; });
  return free == W(0) && pages != W(0) && charged + pages > limit;
}

// ---- 9 MAP_DMA ----------------------------------------------------------------------------------

enum MapFlags : uint64_t { kMapRead = 1, kMapWrite = 2, kMapVaddr = 4 };

template <class D>
struct MapDmaIn {
  using W = typename D::W;
  W container{0}, process{0};  // process: index plus 1
  W flags{0}, vaddr{0}, iova{0}, length{0};
};

// 9, step 6: the record gets a user address again, of the caller's memory.
template <class D>
Result<D> RenewVaddr(const Env<D>& env, Areas<D>& areas, Accounts<D>& accounts,
                     const MapDmaIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const W space = SpaceOf(in.container), last = in.iova + in.length - W(1);
  if (!areas.AnyOverlapping(space, in.iova, last, [](const AreaRow<D>&) { return B(true); }))
    return Fail<D>(ENOENT);
  const auto exact = [&](const AreaRow<D>& a) {
    return a.mapFirst == in.iova && a.mapLast == last && a.vaddrInvalid != W(0);
  };
  if (!areas.AnyContaining(space, in.iova, exact)) return Fail<D>(EINVAL);
  const auto mine = [&](const AreaRow<D>& a) { return a.space == space && exact(a); };
  const auto pages = [](const AreaRow<D>& a) { return a.pinned; };
  const W account = AccountOfProcess(in.process);
  const W moving =
      areas.Sum([&](const AreaRow<D>& a) { return mine(a) && a.account != account; }, pages);
  if (OverLimit(env, accounts, in.process, moving)) return Fail<D>(ENOMEM);
  if (moving != W(0)) OpenAccount(env, accounts, account);
  accounts.UpdateWhere(
      [](const AccountRow<D>&) { return B(true); },
      [&](AccountRow<D>& a) {
        const W left =
            areas.Sum([&](const AreaRow<D>& o) { return mine(o) && o.account == a.key; }, pages);
        a.pinned = a.pinned + D::Sel(a.key == account, moving, W(0) - left);
      });
  areas.UpdateWhere(mine, [&](AreaRow<D>& a) {
    a.process = in.process;
    a.account = D::Sel(a.pinned != W(0), account, W(0));  // registers: nobody's
    a.va = in.vaddr + (a.first - a.mapFirst);
    a.vaddrInvalid = W(0);
  });
  return Result<D>();
}

// The rows of a new record, one a run, and how many pages they pin.
template <class D>
std::vector<AreaRow<D>> RecordRows(const AreaRow<D>& record, const std::vector<Run<D>>& runs,
                                   typename D::W* pages) {
  using W = typename D::W;
  std::vector<AreaRow<D>> rows;
  AreaRow<D> row = record;
  for (const Run<D>& run : runs) {
    row.last = row.first + (run.length - W(1));
    row.backing = run.backing, row.offset = run.offset;
    row.pinned = D::Sel(run.registers != W(0), W(0), run.length >> W(12));
    row.account = D::Sel(run.registers != W(0), W(0), record.account);
    *pages = *pages + row.pinned;
    rows.push_back(row);
    row.first += run.length, row.va += run.length;
  }
  return rows;
}

template <class D>
Result<D> MapDma(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                 Containers<D>& containers, Ordinals<D>& ordinals, Allocator<D>& allocator,
                 const MapDmaIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  if ((in.flags & ~W(7)) != W(0)) return Fail<D>(EINVAL);
  const B access = (in.flags & W(kMapRead | kMapWrite)) != W(0);
  const B renews = (in.flags & W(uint64_t{kMapVaddr})) != W(0);
  if ((access && renews) || (!access && !renews)) return Fail<D>(EINVAL);
  if (in.length == W(0) || ((in.length | in.iova | in.vaddr) & W(kGranule - 1)) != W(0))
    return Fail<D>(EINVAL);
  const W space = SpaceOf(in.container), last = in.iova + in.length - W(1);
  if (last < in.iova || in.vaddr + in.length - W(1) < in.vaddr) return Fail<D>(EOVERFLOW);
  if (renews) return RenewVaddr(env, areas, accounts, in);
  if (areas.AnyOverlapping(space, in.iova, last, [](const AreaRow<D>&) { return B(true); }))
    return Fail<D>(EEXIST);
  const W entries = containers.Sum([&](const ContainerRow<D>& c) { return c.key == in.container; },
                                   [](const ContainerRow<D>& c) { return c.entries; });
  if (entries >= W(uint64_t{env.world.dmaEntryLimit})) return Fail<D>(ENOSPC);
  if (Reserved(env, v, space, in.iova, last)) return Fail<D>(EINVAL);

  AreaRow<D> record;
  record.space = space;
  record.first = record.mapFirst = in.iova;
  record.last = record.mapLast = last;
  record.process = in.process, record.va = in.vaddr;
  record.rights = in.flags & W(uint64_t{kRead} | uint64_t{kWrite});
  record.account = AccountOfProcess(in.process);
  record.pages = ordinals.pages + W(1);
  const std::vector<Run<D>> runs =
      env.host.Resolve(in.process, in.vaddr, in.length, record.rights | W(kOrRegisters));
  if (runs.empty()) return Fail<D>(EFAULT);
  W pages{0};
  const std::vector<AreaRow<D>> rows = RecordRows<D>(record, runs, &pages);
  if (OverLimit(env, accounts, in.process, pages)) return Fail<D>(ENOMEM);
  if (pages > env.host.Room(pages)) return Fail<D>(ENOMEM);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);

  ordinals.pages = record.pages;
  containers.UpdateWhere([&](const ContainerRow<D>& c) { return c.key == in.container; },
                         [](ContainerRow<D>& c) { c.entries = c.entries + W(1); });
  for (const AreaRow<D>& row : rows) {
    if (row.pinned != W(0)) Charge(env, accounts, std::vector<AreaRow<D>>{row});
    areas.Insert(row);
    v.hwpts.EachIndex([&](B present, const HwptRow<D>& h) {
      AnnounceMapping(env, MicroStepKind::kMapVisible, present && h.ioas == space, h, row);
    });
  }
  return Result<D>();
}

// ---- 10 UNMAP_DMA -------------------------------------------------------------------------------

enum UnmapFlags : uint64_t { kGetDirtyBitmap = 1, kUnmapAll = 2, kUnmapVaddr = 4 };

template <class D>
struct UnmapDmaIn {
  using W = typename D::W;
  W container{0}, flags{0}, iova{0}, length{0};
  // With GET_DIRTY_BITMAP: its fields, and how many 64-bit words of it can be read and written.
  W bitmapPgsize{0}, bitmapSize{0}, wordsReadable{0}, wordsWritable{0};
  bool bitmapInRange = true;  // its address is a user's
};

// 10, 11: what is wrong with a bitmap for `length` bytes, before its page size is compared.
template <class D>
typename D::B BadBitmap(typename D::W length, typename D::W pgsize, typename D::W size) {
  using W = typename D::W;
  const W pages = D::Sel(pgsize == W(kGranule), length >> W(12), W(1));  // else EINVAL anyway
  const W bytes = ((pages + W(63)) >> W(6)) << W(3);
  return pages == W(0) || size == W(0) || size > W(uint64_t{1} << 28) || size < bytes;
}

// Whether the bits of a record cannot be copied to a bitmap that begins at `iova`.
template <class D>
typename D::B BitmapFaults(const UnmapDmaIn<D>& in, const AreaRow<D>& a) {
  using W = typename D::W;
  const W begin = (a.mapFirst - in.iova) >> W(12), end = (a.mapLast - in.iova) >> W(12);
  return (end >> W(6)) >= in.wordsWritable ||
         ((begin & W(63)) != W(0) && (begin >> W(6)) >= in.wordsReadable);
}

// Records of the space from `first` on that end at `last` at most: removed, pins and all.
template <class D>
typename D::W RemoveRecords(const Env<D>& env, const View<D>& v, Spaces<D>& spaces,
                            Containers<D>& containers, typename D::W container, typename D::W first,
                            typename D::W last) {
  using W = typename D::W;
  const W space = SpaceOf(container);
  W records{0};
  spaces.areas.EachOverlapping(space, first, last, [&](AreaRow<D>& a) {
    const auto goes = a.first == a.mapFirst && a.mapFirst >= first && a.mapLast <= last;
    records = records + D::Sel(goes, W(1), W(0));
  });
  const W bytes = RemoveAreas(env, v, spaces.areas, spaces.accounts, spaces.copies, spaces.retained,
                              space, first, last);
  containers.UpdateWhere([&](const ContainerRow<D>& c) { return c.key == container; },
                         [&](ContainerRow<D>& c) { c.entries = c.entries - records; });
  return bytes;
}

// 10, VADDR: the records of first..last lose their user address; DMA goes on.
template <class D>
Result<D> ForgetVaddr(Areas<D>& areas, typename D::W space, typename D::W first,
                      typename D::W last) {
  using W = typename D::W;
  const auto mine = [&](const AreaRow<D>& a) {
    return a.space == space && a.mapFirst >= first && a.mapLast <= last;
  };
  if (areas.Any([&](const AreaRow<D>& a) { return mine(a) && a.vaddrInvalid != W(0); }))
    return Fail<D>(EINVAL);
  Result<D> r;
  r.values[0] = areas.Sum(mine, [](const AreaRow<D>& a) { return a.last - a.first + W(1); });
  areas.UpdateWhere(mine, [](AreaRow<D>& a) { a.vaddrInvalid = W(1); });
  return r;
}

template <class D>
Result<D> UnmapDma(const Env<D>& env, const State<D>& s, Spaces<D> spaces,
                   Containers<D>& containers, const UnmapDmaIn<D>& in) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  const auto has = [&](uint64_t flag) { return (in.flags & W(flag)) != W(0); };
  const B bits = has(kGetDirtyBitmap), all = has(kUnmapAll), vaddr = has(kUnmapVaddr);
  if ((in.flags & ~W(7)) != W(0) || (bits && (all || vaddr))) return Fail<D>(EINVAL);
  if (bits && (!B(in.bitmapInRange) || BadBitmap<D>(in.length, in.bitmapPgsize, in.bitmapSize)))
    return Fail<D>(EINVAL);
  if ((in.iova & W(kGranule - 1)) != W(0)) return Fail<D>(EINVAL);
  if (all && (in.iova | in.length) != W(0)) return Fail<D>(EINVAL);
  if (!all && (in.length == W(0) || (in.length & W(kGranule - 1)) != W(0))) return Fail<D>(EINVAL);
  const W first = in.iova;
  W last = D::Sel(all, ~W(0), in.iova + in.length - W(1));
  if (last < first) return Fail<D>(EOVERFLOW);
  const ContainerRow<D>* container = containers.Find(in.container);
  if (container == nullptr) return Fail<D>(EINVAL);
  if (bits && (container->tracking == W(0) || in.bitmapPgsize != W(kGranule)))
    return Fail<D>(EINVAL);
  const W space = SpaceOf(in.container);
  const B before = spaces.areas.AnyContaining(
      space, first, [&](const AreaRow<D>& a) { return a.mapFirst < first; });
  const B beyond = spaces.areas.AnyContaining(
      space, last, [&](const AreaRow<D>& a) { return a.mapLast > last; });
  if (container->backend == W(uint64_t{kType1v2})) {  // a record is never cut
    if (!all && (before || beyond)) return Fail<D>(EINVAL);
  } else {
    if (before) return Result<D>();  // v1 stops there
    if (beyond) {                    // and takes what begins inside whole
      const AreaRow<D>* cut = spaces.areas.Containing(space, last);
      last = cut == nullptr ? last : cut->mapLast;
    }
  }
  if (vaddr) return ForgetVaddr<D>(spaces.areas, space, first, last);
  B faulted = B(false);
  if (bits) {  // what comes before the first record whose bits cannot be copied goes all the same
    faulted = spaces.areas.AnyOverlapping(
        space, first, last, [&](const AreaRow<D>& a) { return BitmapFaults<D>(in, a); });
    W stop = last;
    spaces.areas.EachIndex([&](B present, const AreaRow<D>& a) {
      const B fails = present && a.space == space && a.mapFirst >= first && a.mapFirst <= last &&
                      BitmapFaults<D>(in, a);
      stop = D::Sel(fails && a.mapFirst <= stop, a.mapFirst, stop);
    });
    if (faulted && stop == first) return Fail<D>(EFAULT);
    last = D::Sel(faulted, stop - W(1), last);
  }
  Result<D> r;
  r.values[0] = RemoveRecords(env, v, spaces, containers, in.container, first, last);
  if (faulted) return Fail<D>(EFAULT);
  return r;
}

// ---- 11 DIRTY_PAGES -----------------------------------------------------------------------------

enum DirtyFlags : uint64_t { kDirtyStart = 1, kDirtyStop = 2, kDirtyGet = 4 };

// START and STOP; GET only reads (Shell::DoDirtyPages). Both may be repeated.
template <class D>
void TrackDirty(Containers<D>& containers, typename D::W container, typename D::W on) {
  containers.UpdateWhere([&](const ContainerRow<D>& c) { return c.key == container; },
                         [&](ContainerRow<D>& c) { c.tracking = on; });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_TYPE1_H_
