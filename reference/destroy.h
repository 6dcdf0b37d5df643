// DESTROY, and the end of a context (iommufd 1, 4.2).
#ifndef TWINWALK_REFERENCE_DESTROY_H_
#define TWINWALK_REFERENCE_DESTROY_H_

#include "reference/hwpt.h"
#include "reference/viommu.h"

namespace twinwalk::reference {

// Every table that holds objects which a user can destroy.
template <class D>
struct Objects {
  Spaces<D> spaces;
  Nesteds<D>& nesteds;
  Viommus<D>& viommus;
  Vdevices<D>& vdevices;
  Veventqs<D>& veventqs;
  FaultQueues<D>& faults;
};
template <class D>
Objects<D> ObjectsOf(State<D>& s) {
  View<D>& v = s.view;
  return {SpacesOf(s), v.nesteds, v.viommus, v.vdevices, v.veventqs, s.faults};
}

template <class D>
void DestroyIoas(const Env<D>& env, const View<D>& v, Spaces<D>& from, typename D::W key) {
  using W = typename D::W;
  const auto mine = [&](const auto& row) { return row.key == key; };
  RemoveAreas(env, v, from.areas, from.accounts, from.copies, from.retained, key, W(0), ~W(0));
  from.ioases.EraseWhere(mine);
  from.smallPages.EraseWhere(mine);
  from.allowed.EraseOverlapping(key, W(0), ~W(0),
                                [](const AllowedRow<D>&) { return typename D::B(true); });
  from.contexts.UpdateWhere([&](const ContextRow<D>& c) { return c.compat == key; },
                            [](ContextRow<D>& c) { c.compat = W(0); });
}

template <class D>
void DestroyNested(Nesteds<D>& nesteds, Viommus<D>& viommus, FaultUses<D>& fault_uses,
                   const NestedRow<D>& gone) {
  using W = typename D::W;
  const NestedRow<D> n = gone;
  fault_uses.EraseWhere([&](const FaultUseRow<D>& u) { return u.key == n.key; });
  nesteds.EraseWhere([&](const NestedRow<D>& row) { return row.key == n.key; });
  CountViommuUser<D>(viommus, n.viommu, W(0) - W(1));
}

template <class D>
void DestroyViommu(Viommus<D>& viommus, Hwpts<D>& hwpts, const ViommuRow<D>& gone) {
  using W = typename D::W;
  const ViommuRow<D> m = gone;
  viommus.EraseWhere([&](const ViommuRow<D>& row) { return row.key == m.key; });
  hwpts.UpdateWhere([&](const HwptRow<D>& h) { return h.key == m.hwpt; },
                    [](HwptRow<D>& h) { h.users = h.users - W(1); });
}

template <class D>
void DestroyVdevice(Vdevices<D>& vdevices, Viommus<D>& viommus, const VdeviceRow<D>& gone) {
  using W = typename D::W;
  const VdeviceRow<D> vd = gone;
  vdevices.EraseWhere([&](const VdeviceRow<D>& row) { return row.key == vd.key; });
  CountViommuUser<D>(viommus, vd.viommu, W(0) - W(1));
}

template <class D>
void DestroyVeventq(Veventqs<D>& veventqs, Viommus<D>& viommus, const VeventqRow<D>& gone) {
  using W = typename D::W;
  const VeventqRow<D> q = gone;
  veventqs.EraseWhere([&](const VeventqRow<D>& row) { return row.key == q.key; });
  CountViommuUser<D>(viommus, q.viommu, W(0) - W(1));
}

// 4.2
template <class D>
Result<D> Destroy(const Env<D>& env, const State<D>& s, Objects<D> from, const DestroyIn<D>& in) {
  using W = typename D::W;
  const W key = NameOf(in.context, in.id);
  Spaces<D>& spaces = from.spaces;
  if (const IoasRow<D>* row = spaces.ioases.Find(key)) {
    if (row->users != W(0)) return Fail<D>(EBUSY);
    DestroyIoas(env, s.view, spaces, key);
    return Result<D>();
  }
  if (const HwptRow<D>* row = spaces.hwpts.Find(key)) {
    if (row->users != W(0)) return Fail<D>(EBUSY);
    FreeHwpt(env, spaces, *row);
    return Result<D>();
  }
  if (const NestedRow<D>* row = from.nesteds.Find(key)) {
    if (row->users != W(0)) return Fail<D>(EBUSY);
    DestroyNested(from.nesteds, from.viommus, spaces.faultUses, *row);
    return Result<D>();
  }
  if (const ViommuRow<D>* row = from.viommus.Find(key)) {
    if (row->users != W(0)) return Fail<D>(EBUSY);
    DestroyViommu(from.viommus, spaces.hwpts, *row);
    return Result<D>();
  }
  if (const VdeviceRow<D>* row = from.vdevices.Find(key)) {
    DestroyVdevice(from.vdevices, from.viommus, *row);
    return Result<D>();
  }
  if (const VeventqRow<D>* row = from.veventqs.Find(key)) {
    if (row->open != W(0)) return Fail<D>(EBUSY);
    DestroyVeventq(from.veventqs, from.viommus, *row);
    return Result<D>();
  }
  if (const FaultRow<D>* row = from.faults.Find(key)) {  // 14.6
    const auto held = [&](const FaultUseRow<D>& u) { return u.fault == key; };
    if (row->open != W(0) || spaces.faultUses.Any(held)) return Fail<D>(EBUSY);
    from.faults.EraseWhere([&](const FaultRow<D>& q) { return q.key == key; });
    return Result<D>();
  }
  // A DEVICE: its driver holds it until the cdev is closed.
  return Fail<D>(FindDevice(s.view, in.context, in.id) != nullptr ? EBUSY : ENOENT);
}

// Takes one object of a context away, those first that nothing depends on; whether there was one.
template <class D>
bool CloseOne(const Env<D>& env, const State<D>& s, Objects<D>& from, typename D::W context) {
  using W = typename D::W;
  const auto mine = [&](const auto& row) { return (row.key >> W(32)) == context; };
  if (const VeventqRow<D>* row = from.veventqs.Pick(mine)) {
    DestroyVeventq(from.veventqs, from.viommus, *row);
  } else if (const VdeviceRow<D>* row = from.vdevices.Pick(mine)) {
    DestroyVdevice(from.vdevices, from.viommus, *row);
  } else if (const NestedRow<D>* row = from.nesteds.Pick(mine)) {
    DestroyNested(from.nesteds, from.viommus, from.spaces.faultUses, *row);
  } else if (const ViommuRow<D>* row = from.viommus.Pick(mine)) {
    DestroyViommu(from.viommus, from.spaces.hwpts, *row);
  } else if (const HwptRow<D>* row = from.spaces.hwpts.Pick(mine)) {
    FreeHwpt(env, from.spaces, *row);
  } else if (const IoasRow<D>* row = from.spaces.ioases.Pick(mine)) {
    const W key = row->key;
    DestroyIoas(env, s.view, from.spaces, key);
  } else {
    return false;
  }
  return true;
}

// 1: the last reference to a context is gone. Its devices were unbound and its event files closed
// before; what is left goes depth-first.
template <class D>
void CloseContext(const Env<D>& env, const State<D>& s, Objects<D> from, Tombstones<D>& tombstones,
                  typename D::W context) {
  using W = typename D::W;
  const auto mine = [&](const auto& row) { return (row.key >> W(32)) == context; };
  while (CloseOne(env, s, from, context)) {
  }
  from.faults.EraseWhere(mine);
  from.spaces.contexts.EraseWhere([&](const ContextRow<D>& c) { return c.key == context; });
  tombstones.EraseWhere(mine);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_DESTROY_H_
