// The slow state: a View (traces/view.h) plus the little that no invariant reads. Split so that an
// Op takes by reference to non-const only what it may write: whatever reads none of that is framed
// by type in a proof.
#ifndef TWINWALK_REFERENCE_STATE_H_
#define TWINWALK_REFERENCE_STATE_H_

#include "traces/view.h"

namespace twinwalk::reference {

template <class D>
using Devices = typename D::template Table<DeviceRow<D>>;
template <class D>
using Ioases = typename D::template Table<IoasRow<D>>;
template <class D>
using Hwpts = typename D::template Table<HwptRow<D>>;
template <class D>
using Nesteds = typename D::template Table<NestedRow<D>>;
template <class D>
using Viommus = typename D::template Table<ViommuRow<D>>;
template <class D>
using Vdevices = typename D::template Table<VdeviceRow<D>>;
template <class D>
using Veventqs = typename D::template Table<VeventqRow<D>>;
template <class D>
using Areas = typename D::template Intervals<AreaRow<D>>;
template <class D>
using Tags = typename D::template Table<TagRow<D>>;
template <class D>
using Retaineds = typename D::template Bag<RetainedRow<D>>;
template <class D>
using Accounts = typename D::template Table<AccountRow<D>>;
template <class D>
using Accesses = typename D::template Bag<AccessRow<D>>;
template <class D>
using Events = typename D::template Bag<EventRow<D>>;
template <class D>
using Commands = typename D::template Bag<CommandRow<D>>;

// The id of a vDEVICE that ended with its device: never used again (iommufd 15.2).
template <class D>
struct TombstoneRow {
  using W = typename D::W;
  static constexpr const char* kName = "tombstone";
  W key{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...);
  }
};
template <class D>
using Tombstones = typename D::template Table<TombstoneRow<D>>;

// ---- What iommufd keeps beside the View
// ----------------------------------------------------------

// An IOAS with large pages disabled (7.1, 8.2): key of the IOAS.
template <class D>
struct SmallPagesRow {
  using W = typename D::W;
  static constexpr const char* kName = "smallPages";
  W key{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...);
  }
};
template <class D>
using SmallPages = typename D::template Table<SmallPagesRow<D>>;

// An interval of the list that IOAS_ALLOW_IOVAS gave (6.3).
template <class D>
struct AllowedRow {
  using W = typename D::W;
  static constexpr const char* kName = "allowed";
  W space{0}, first{0}, last{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("space", r.space...), f("first", r.first...), f("last", r.last...);
  }
};
template <class D>
using Alloweds = typename D::template Intervals<AllowedRow<D>>;

// What a context has beside its objects; no row: nothing (7.1, 8).
template <class D>
struct ContextRow {
  using W = typename D::W;
  static constexpr const char* kName = "context";
  W key{0};         // its ordinal
  W compat{0};      // the VFIO-compat IOAS; 0: none
  W perProcess{0};  // 1: pins are accounted per process
  W noiommu{0};     // 1: it is the container of a group without IOMMU
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("compat", r.compat...), f("perProcess", r.perProcess...);
    f("noiommu", r.noiommu...);
  }
};
template <class D>
using Contexts = typename D::template Table<ContextRow<D>>;

// A fault queue (14). Nothing ever arrives there: no device here makes page requests.
template <class D>
struct FaultRow {
  using W = typename D::W;
  static constexpr const char* kName = "fault";
  W key{0};
  W open{0};  // 1: its file is open
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("open", r.open...);
  }
};
template <class D>
using FaultQueues = typename D::template Table<FaultRow<D>>;

// An HWPT (paging or nested) that was made with a fault queue, which it holds (9.7).
template <class D>
struct FaultUseRow {
  using W = typename D::W;
  static constexpr const char* kName = "faultUse";
  W key{0};  // the HWPT
  W fault{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("fault", r.fault...);
  }
};
template <class D>
using FaultUses = typename D::template Table<FaultUseRow<D>>;

// An area that IOAS_COPY made: it shares `pages` with its source. An area without such a row is the
// first of its pages, born before every copy.
template <class D>
struct CopyRow {
  using W = typename D::W;
  static constexpr const char* kName = "copy";
  W space{0}, first{0};  // AreaRow::space, mapFirst
  W pages{0};
  W born{0};      // order of creation
  W writable{0};  // 1: the pages were mapped WRITEABLE by who made them
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("space", r.space...), f("first", r.first...), f("pages", r.pages...), f("born", r.born...);
    f("writable", r.writable...);
  }
};
template <class D>
using Copies = typename D::template Bag<CopyRow<D>>;

// How many there were in this World: names are ordinals from 1.
template <class D>
struct Ordinals {
  typename D::W pages{0};   // AreaRow::pages
  typename D::W copies{0};  // CopyRow::born
};

// A VFIO container (type1 7). Its groups are those whose devices it owns.
template <class D>
struct ContainerRow {
  using W = typename D::W;
  static constexpr const char* kName = "container";
  W key{0};       // its ordinal
  W backend{0};   // what SET_IOMMU set: 1 type1, 3 type1v2, 8 no-IOMMU; 0: nothing
  W tracking{0};  // 1: dirty pages are tracked
  W entries{0};   // MAP_DMA records
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("backend", r.backend...), f("tracking", r.tracking...);
    f("entries", r.entries...);
  }
};
template <class D>
using Containers = typename D::template Table<ContainerRow<D>>;

// Which allocation from now on fails (1: the next; 0: none).
template <class D>
struct Allocator {
  typename D::W failIn{0};
};

// The host's own fault log: how many records it took.
template <class D>
struct HostLog {
  typename D::W next{0};
};

template <class D>
struct State {
  View<D> view;
  Tombstones<D> tombstones;
  Allocator<D> allocator;
  HostLog<D> log;
  SmallPages<D> smallPages;
  Alloweds<D> allowed;
  Contexts<D> contexts;
  FaultQueues<D> faults;
  FaultUses<D> faultUses;
  Copies<D> copies;
  Ordinals<D> ordinals;
  Containers<D> containers;
};

// What making or freeing a paging HWPT writes.
template <class D>
struct Spaces {
  Ioases<D>& ioases;
  Hwpts<D>& hwpts;
  Areas<D>& areas;
  Tags<D>& tags;
  Retaineds<D>& retained;
  Accounts<D>& accounts;
  Copies<D>& copies;
  SmallPages<D>& smallPages;
  Alloweds<D>& allowed;
  Contexts<D>& contexts;
  FaultUses<D>& faultUses;
};
template <class D>
Spaces<D> SpacesOf(State<D>& s) {
  View<D>& v = s.view;
  return {v.ioases, v.hwpts,      v.areas,   v.tags,     v.retained, v.accounts,
          s.copies, s.smallPages, s.allowed, s.contexts, s.faultUses};
}

// Forgets what the last Op did.
template <class D>
void BeginOp(State<D>& s) {
  s.view.accesses.Clear();
  s.view.events.Clear();
  s.view.commands.Clear();
}

// ObjectKey over the domain.
template <class W>
W NameOf(W context, W id) {
  return context << W(32) | id;
}
template <class W>
W IdOf(W key) {
  return key & W(0xffffffff);
}

// Whether `id` names something, or did and must not again (iommufd 4.1, 15.2).
template <class D>
typename D::B UsedId(const State<D>& s, typename D::W context, typename D::W id) {
  const typename D::W key = NameOf(context, id);
  const View<D>& v = s.view;
  const auto is = [&](const auto& row) { return row.key == key; };
  return v.ioases.Any(is) || v.hwpts.Any(is) || v.nesteds.Any(is) || v.viommus.Any(is) ||
         v.vdevices.Any(is) || v.veventqs.Any(is) || s.tombstones.Any(is) || s.faults.Any(is) ||
         v.devices.Any([&](const DeviceRow<D>& row) { return row.object == key; });
}

// Whether a context has any object, a tombstone among them (7.1).
template <class D>
typename D::B HasObject(const State<D>& s, typename D::W context) {
  using W = typename D::W;
  const View<D>& v = s.view;
  const auto here = [&](const auto& row) { return (row.key >> W(32)) == context; };
  return v.ioases.Any(here) || v.hwpts.Any(here) || v.nesteds.Any(here) || v.viommus.Any(here) ||
         v.vdevices.Any(here) || v.veventqs.Any(here) || s.tombstones.Any(here) ||
         s.faults.Any(here) || v.devices.Any([&](const DeviceRow<D>& row) {
           return row.object != W(0) && row.context == context;
         });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_STATE_H_
