// Who stands behind whom: pure look-ups over the tables. An id of another context, another type, a
// tombstone or nothing at all is simply not found (iommufd 4.1).
#ifndef TWINWALK_REFERENCE_LOOKUP_H_
#define TWINWALK_REFERENCE_LOOKUP_H_

#include <utility>

#include "reference/decode_vtd.h"
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
  // VT-d: what the widest table and MGAW allow (hw-vtd 3).
  const W vtd =
      OfVtd(env, smmu, [](const VtdConfig& c) { return (uint64_t{1} << VtdInputBits(c.cap)) - 1; });
  return D::Sel(IsVtd(env, smmu), vtd,
                D::Sel(nest_parent != W(0), stage2, W((uint64_t{1} << 48) - 1)));
}

// What a device behind this IOMMU keeps for its MSIs (iommufd 10.4): the software MSI window, or
// VT-d's interrupt range. first > last: nothing.
template <class D>
std::pair<typename D::W, typename D::W> MsiWindow(const Env<D>& env, typename D::W smmu) {
  using W = typename D::W;
  const typename D::B vtd = IsVtd(env, smmu);
  return {D::Sel(vtd, W(kVtdInterruptFirst), W(env.world.swMsiFirst)),
          D::Sel(vtd, W(kVtdInterruptLast), W(env.world.swMsiLast))};
}

// Whether first..last touches an address that `ioas` may not map (iommufd 5, 10.4): beyond the
// aperture of one of its HWPTs, or in the MSI window of a device attached to it.
template <class D>
typename D::B Reserved(const Env<D>& env, const View<D>& v, typename D::W ioas, typename D::W first,
                       typename D::W last) {
  using W = typename D::W;
  using B = typename D::B;
  const B beyond = v.hwpts.Any([&](const HwptRow<D>& h) {
    return h.ioas == ioas && last > ApertureLast(env, h.smmu, h.nestParent);
  });
  const B window = v.devices.Any([&](const DeviceRow<D>& d) {
    const auto [low, high] = MsiWindow(env, d.smmu);
    return low <= high && first <= high && last >= low && d.attached != W(0) &&
           LeadsTo(v, d.attached, ioas);
  });
  return beyond || window;
}

template <class D>
typename D::B HasHwpt(const View<D>& v, typename D::W ioas) {
  return v.hwpts.Any([&](const HwptRow<D>& h) { return h.ioas == ioas; });
}

// iova_alignment (iommufd 5, 7.1): the page size as soon as there is an HWPT, or without large
// pages.
template <class D>
typename D::W Alignment(const State<D>& s, typename D::W ioas) {
  using W = typename D::W;
  const auto small = s.smallPages.Any([&](const SmallPagesRow<D>& o) { return o.key == ioas; });
  return D::Sel(HasHwpt(s.view, ioas) || small, W(4096), W(1));
}

// Whether a whole IOAS_MAP, as one row, is not made of whole pages.
template <class D>
typename D::B Misaligned(const AreaRow<D>& a) {
  using W = typename D::W;
  return ((a.first | (a.mapLast - a.mapFirst + W(1)) | a.va) & W(0xfff)) != W(0);
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
