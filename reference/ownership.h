// Who may own the DMA of a group, asked alike by VFIO containers and by iommufd (type1 5, 14.9;
// iommufd 10.1).
#ifndef TWINWALK_REFERENCE_OWNERSHIP_H_
#define TWINWALK_REFERENCE_OWNERSHIP_H_

#include "reference/env.h"

namespace twinwalk::reference {

// Whether no device behind this IOMMU can forge an interrupt of another, or nobody minds.
template <class D>
typename D::B MsiIsolated(const Env<D>& env, typename D::W iommu) {
  using W = typename D::W;
  using B = typename D::B;
  const W remaps = OfVtd(env, iommu, [](const VtdConfig& c) { return c.interruptRemapping; });
  return B(env.world.allowUnsafeInterrupts) || !IsVtd(env, iommu) || remaps != W(0);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_OWNERSHIP_H_
