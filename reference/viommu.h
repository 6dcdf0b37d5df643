// vIOMMU, vDEVICE, vEVENTQ and GET_HW_INFO (iommufd 11, 15, 16; TRACE 3, 4).
#ifndef TWINWALK_REFERENCE_VIOMMU_H_
#define TWINWALK_REFERENCE_VIOMMU_H_

#include "reference/args.h"
#include "reference/lookup.h"

namespace twinwalk::reference {

template <class D>
void CountViommuUser(Viommus<D>& viommus, typename D::W key, typename D::W add) {
  viommus.UpdateWhere([&](const ViommuRow<D>& m) { return m.key == key; },
                      [&](ViommuRow<D>& m) { m.users = m.users + add; });
}

// 15.1
template <class D>
Result<D> ViommuAlloc(const Env<D>& env, const State<D>& s, Viommus<D>& viommus, Hwpts<D>& hwpts,
                      Allocator<D>& allocator, const ViommuAllocIn<D>& in) {
  using W = typename D::W;
  if (in.flags != W(0) || in.type == W(0)) return Fail<D>(EOPNOTSUPP);
  const DeviceRow<D>* device = FindDevice(s.view, in.context, in.devId);
  if (device == nullptr) return Fail<D>(ENOENT);
  const W nests =
      OfSmmu(env, device->smmu, [](const SmmuConfig& c) { return c.canNest ? 1u : 0u; });
  if (in.type != W(1) || nests == W(0) || IsVtd(env, device->smmu)) return Fail<D>(EOPNOTSUPP);
  const HwptRow<D>* parent = hwpts.Find(NameOf(in.context, in.hwptId));
  if (parent == nullptr) return Fail<D>(ENOENT);
  if (parent->nestParent == W(0)) return Fail<D>(EINVAL);
  if (parent->smmu != device->smmu) return Fail<D>(EINVAL);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  ViommuRow<D> row;
  row.key = NameOf(in.context, id);
  row.hwpt = parent->key;
  row.smmu = parent->smmu;
  viommus.Insert(row);
  hwpts.UpdateWhere([&](const HwptRow<D>& h) { return h.key == row.hwpt; },
                    [](HwptRow<D>& h) { h.users = h.users + W(1); });
  return Made<D>(id);
}

// 15.2
template <class D>
Result<D> VdeviceAlloc(const Env<D>& env, const State<D>& s, Vdevices<D>& vdevices,
                       Viommus<D>& viommus, Allocator<D>& allocator, const VdeviceAllocIn<D>& in) {
  using W = typename D::W;
  const ViommuRow<D>* viommu = viommus.Find(NameOf(in.context, in.viommuId));
  if (viommu == nullptr) return Fail<D>(ENOENT);
  const DeviceRow<D>* device = FindDevice(s.view, in.context, in.devId);
  if (device == nullptr) return Fail<D>(ENOENT);
  if (device->smmu != viommu->smmu) return Fail<D>(EINVAL);
  VdeviceRow<D> row;
  row.viommu = viommu->key;
  row.device = device->key;
  row.virtId = in.virtId;
  if (vdevices.Any([&](const VdeviceRow<D>& o) { return o.device == row.device; }))
    return Fail<D>(EEXIST);
  if (vdevices.Any(
          [&](const VdeviceRow<D>& o) { return o.viommu == row.viommu && o.virtId == row.virtId; }))
    return Fail<D>(EEXIST);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  row.key = NameOf(in.context, id);
  vdevices.Insert(row);
  CountViommuUser<D>(viommus, row.viommu, W(1));
  return Made<D>(id);
}

// 16
template <class D>
Result<D> VeventqAlloc(const Env<D>& env, const State<D>& s, Veventqs<D>& veventqs,
                       Viommus<D>& viommus, Allocator<D>& allocator, const VeventqAllocIn<D>& in) {
  using W = typename D::W;
  if (in.flags != W(0) || in.reserved != W(0) || in.type == W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.depth == W(0) || in.depth > W(1 << 19)) return Fail<D>(EINVAL);
  const ViommuRow<D>* viommu = viommus.Find(NameOf(in.context, in.viommuId));
  if (viommu == nullptr) return Fail<D>(ENOENT);
  VeventqRow<D> row;
  row.viommu = viommu->key;
  row.type = in.type;
  row.depth = in.depth;
  row.open = W(1);
  if (veventqs.Any(
          [&](const VeventqRow<D>& o) { return o.viommu == row.viommu && o.type == row.type; }))
    return Fail<D>(EEXIST);
  const W id = NewId(env, s, in.context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!in.writable) return Fail<D>(EFAULT);
  if (AllocationFails(allocator)) return Fail<D>(ENOMEM);
  row.key = NameOf(in.context, id);
  veventqs.Insert(row);
  CountViommuUser<D>(viommus, row.viommu, W(1));
  return Made<D>(id);
}

// The last file of a vEVENTQ is closed: it may now be destroyed.
template <class D>
void CloseVeventq(Veventqs<D>& veventqs, typename D::W key) {
  using W = typename D::W;
  veventqs.UpdateWhere([&](const VeventqRow<D>& q) { return q.key == key; },
                       [](VeventqRow<D>& q) { q.open = W(0); });
}

// read() took `records` events and, with `marker`, the lost-marker behind them.
template <class D>
void TakeRecords(Veventqs<D>& veventqs, typename D::W key, typename D::W records,
                 typename D::W marker) {
  using W = typename D::W;
  veventqs.UpdateWhere([&](const VeventqRow<D>& q) { return q.key == key; },
                       [&](VeventqRow<D>& q) {
                         q.count = q.count - records;
                         q.lost = D::Sel(marker != W(0), W(0), q.lost);
                       });
}

// 11: only the checks; the registers are copied by the caller. Types: 1 VT-d, 2 SMMUv3.
template <class D>
Result<D> GetHwInfo(const Env<D>& env, const State<D>& s, const GetHwInfoIn<D>& in,
                    typename D::W* smmu) {
  using W = typename D::W;
  if ((in.flags & ~W(1)) != W(0) || in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  const DeviceRow<D>* device = FindDevice(s.view, in.context, in.devId);
  if (device == nullptr) return Fail<D>(ENOENT);
  const W type = D::Sel(IsVtd(env, device->smmu), W(1), W(2));
  if (in.flags != W(0) && in.dataType != W(0) && in.dataType != type) return Fail<D>(EOPNOTSUPP);
  *smmu = device->smmu;
  return Result<D>();
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_VIOMMU_H_
