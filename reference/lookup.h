// Who stands behind whom: pure look-ups over the tables. An id of another context, another type, a
// tombstone or nothing at all is simply not found (iommufd 4.1).
#ifndef TWINWALK_REFERENCE_LOOKUP_H_
#define TWINWALK_REFERENCE_LOOKUP_H_

#include "reference/env.h"

namespace twinwalk::reference {

// Whether `hwpt` (paging or nested) translates in the end by the Areas of `ioas`.
template <class D>
typename D::B LeadsTo(const View<D>& v, typename D::W hwpt, typename D::W ioas) {
  const auto paging = [&](typename D::W key) {
    return v.hwpts.Any([&](const HwptRow<D>& h) { return h.key == key && h.ioas == ioas; });
  };
  return paging(hwpt) || v.nesteds.Any([&](const NestedRow<D>& n) {
    return n.key == hwpt && v.viommus.Any([&](const ViommuRow<D>& m) {
      return m.key == n.viommu && paging(m.hwpt);
    });
  });
}

// Last input address of a paging HWPT (TRACE 3, HWPT_ALLOC; iommufd Observed 12).
template <class D>
typename D::W ApertureLast(const Env<D>& env, typename D::W smmu, typename D::W nest_parent) {
  using W = typename D::W;
  const W stage2 =
      OfSmmu(env, smmu, [](const SmmuConfig& c) { return (uint64_t{1} << OutputBits(c.idr)) - 1; });
  return D::Sel(nest_parent != W(0), stage2, W((uint64_t{1} << 48) - 1));
}

// Whether first..last touches an address that `ioas` may not map (iommufd 5, 10.4): beyond the
// aperture of one of its HWPTs, or in the software MSI window of a device attached to it.
template <class D>
typename D::B Reserved(const Env<D>& env, const View<D>& v, typename D::W ioas, typename D::W first,
                       typename D::W last) {
  using W = typename D::W;
  using B = typename D::B;
  const B beyond = v.hwpts.Any([&](const HwptRow<D>& h) {
    return h.ioas == ioas && last > ApertureLast(env, h.smmu, h.nestParent);
  });
  const World& world = env.world;
  const B in_window = B(world.swMsiFirst <= world.swMsiLast) && first <= W(world.swMsiLast) &&
                      last >= W(world.swMsiFirst);
  const B window = v.devices.Any(
      [&](const DeviceRow<D>& d) { return d.attached != W(0) && LeadsTo(v, d.attached, ioas); });
  return beyond || (in_window && window);
}

template <class D>
typename D::B HasHwpt(const View<D>& v, typename D::W ioas) {
  return v.hwpts.Any([&](const HwptRow<D>& h) { return h.ioas == ioas; });
}

// iova_alignment (iommufd 5): the page size as soon as there is an HWPT.
template <class D>
typename D::W Alignment(const View<D>& v, typename D::W ioas) {
  using W = typename D::W;
  return D::Sel(HasHwpt(v, ioas), W(4096), W(1));
}

// The bound device that has this DEVICE id; null when there is none.
template <class D>
const DeviceRow<D>* FindDevice(const View<D>& v, typename D::W context, typename D::W id) {
  using W = typename D::W;
  const W key = NameOf(context, id);
  return v.devices.Pick(
      [&](const DeviceRow<D>& d) { return d.object == key && d.context != W(0); });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_LOOKUP_H_
