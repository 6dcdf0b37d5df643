// Dirty tracking: the checks (iommufd 12). No HWPT can be made with DIRTY_TRACKING (TRACE 3), so
// none has anything to read.
#ifndef TWINWALK_REFERENCE_DIRTY_H_
#define TWINWALK_REFERENCE_DIRTY_H_

#include "reference/args.h"
#include "reference/lookup.h"

namespace twinwalk::reference {

template <class D>
Result<D> HwptSetDirty(const State<D>& s, typename D::W context, typename D::W hwpt_id,
                       typename D::W flags) {
  using W = typename D::W;
  const W key = NameOf(context, hwpt_id);
  if ((flags & ~W(1)) != W(0)) return Fail<D>(EOPNOTSUPP);
  if (!s.view.hwpts.Any([&](const HwptRow<D>& h) { return h.key == key; })) return Fail<D>(ENOENT);
  return Fail<D>(EOPNOTSUPP);
}

template <class D>
struct GetDirtyIn {
  using W = typename D::W;
  W context{0}, hwptId{0}, flags{0}, reserved{0}, iova{0}, length{0}, pageSize{0};
};

// Length 0 is refused from 7.3 on only: before, its last byte lies in front of the first. A page
// size is taken for a power of two.
template <class D>
Result<D> HwptGetDirty(const State<D>& s, const GetDirtyIn<D>& in) {
  using W = typename D::W;
  if ((in.flags & ~W(1)) != W(0) || in.reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  const HwptRow<D>* hwpt = s.view.hwpts.Find(NameOf(in.context, in.hwptId));
  if (hwpt == nullptr) return Fail<D>(ENOENT);
  const W before = in.length - W(1), last = in.iova + before;
  if (last < before) return Fail<D>(EOVERFLOW);
  const W both = in.iova | (last + W(1));
  if ((both & (Alignment(s, hwpt->ioas) - W(1))) != W(0)) return Fail<D>(EINVAL);
  if (in.pageSize == W(0)) return Fail<D>(EINVAL);
  if ((both & (in.pageSize - W(1))) != W(0)) return Fail<D>(EINVAL);
  return Fail<D>(EOPNOTSUPP);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_DIRTY_H_
