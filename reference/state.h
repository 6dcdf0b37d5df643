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
};
template <class D>
Spaces<D> SpacesOf(State<D>& s) {
  View<D>& v = s.view;
  return {v.ioases, v.hwpts, v.areas, v.tags, v.retained, v.accounts};
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
         v.vdevices.Any(is) || v.veventqs.Any(is) || s.tombstones.Any(is) ||
         v.devices.Any([&](const DeviceRow<D>& row) { return row.object == key; });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_STATE_H_
