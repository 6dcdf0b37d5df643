// Where a new area goes: at the IOVA that was asked for, or into the first hole that takes it
// (iommufd 5.1, 5.2).
#ifndef TWINWALK_REFERENCE_PLACEMENT_H_
#define TWINWALK_REFERENCE_PLACEMENT_H_

#include <type_traits>

#include "reference/args.h"
#include "reference/pins.h"

namespace twinwalk::reference {

// The holes of `ioas` that automatic placement may use are searched outside of the domain: see
// PlaceIova (holes.h). Declared here, defined for the concrete domain only.
uint64_t PlaceIova(const Env<Concrete>& env, const State<Concrete>& s, uint64_t ioas, uint64_t va,
                   uint64_t length, uint64_t alignment);

// 5.2: the alignment that placement wants: the length's, or the address's when that is lower, at
// most a huge page of 2 MiB.
template <class D>
typename D::W WantedAlignment(typename D::W va, typename D::W length) {
  using W = typename D::W;
  W wanted = W(1);
  for (uint64_t bit = 1; bit < 22; ++bit)
    wanted = D::Sel(length > (W(1) << W(bit - 1)), W(1) << W(bit), wanted);
  const W low = va & (W(0) - va);
  wanted = D::Sel(va != W(0) && low < wanted, low, wanted);
  return wanted;
}

template <class D>
typename D::B Free(const Env<D>& env, const View<D>& v, typename D::W ioas, typename D::W first,
                   typename D::W last) {
  using B = typename D::B;
  return !Reserved(env, v, ioas, first, last) &&
         !v.areas.AnyOverlapping(ioas, first, last, [](const AreaRow<D>&) { return B(true); });
}

// Whether the user's list, if there is one, lets placement use first..last (6.3).
template <class D>
typename D::B Allowed(const State<D>& s, typename D::W ioas, typename D::W first,
                      typename D::W last) {
  using W = typename D::W;
  using B = typename D::B;
  const B listed =
      s.allowed.AnyOverlapping(ioas, W(0), ~W(0), [](const AllowedRow<D>&) { return B(true); });
  return !listed || s.allowed.AnyContaining(ioas, first,
                                            [&](const AllowedRow<D>& r) { return last <= r.last; });
}

// The iova of a new area (values[0]), or the errno. `flags` bit 0: FIXED_IOVA. `va` is the address
// (or file offset) of its first byte; whether that is aligned is checked by who asks.
template <class D>
Result<D> ChooseIova(const Env<D>& env, const State<D>& s, typename D::W ioas, typename D::W flags,
                     typename D::W iova, typename D::W length, typename D::W va) {
  using W = typename D::W;
  using B = typename D::B;
  const View<D>& v = s.view;
  const W alignment = Alignment(s, ioas);
  const W low = alignment - W(1);
  Result<D> r;
  if ((flags & W(1)) != W(0)) {
    const W last = iova + length - W(1);
    if ((length & low) != W(0)) return Fail<D>(EINVAL);
    if ((iova & low) != W(0)) return Fail<D>(EINVAL);
    if (last < iova) return Fail<D>(EOVERFLOW);
    if (Reserved(env, v, ioas, iova, last)) return Fail<D>(EINVAL);
    if (v.areas.AnyOverlapping(ioas, iova, last, [](const AreaRow<D>&) { return B(true); }))
      return Fail<D>(EEXIST);
    r.values[0] = iova;
    return r;
  }
  if (length >= W(uint64_t{1} << 63)) return Fail<D>(EOVERFLOW);
  const W wanted = WantedAlignment<D>(va, length);
  if (wanted < alignment) return Fail<D>(EINVAL);
  const W found = env.d.Solve(
      [&]() -> W {
        if constexpr (std::is_same_v<D, Concrete>) {
          return PlaceIova(env, s, ioas, va, length, wanted);
        } else {
          return W(0);  // a proof takes any word that has the property
        }
      },
      [&](W w) {
        const W last = w + length - W(1);
        return w == W(0) ||
               (w >= W(4096) && last >= w && Free(env, v, ioas, w, last) &&
                Allowed(s, ioas, w, last) && (w & (wanted - W(1)) & ~W(0xfff)) == W(0) &&
                ((w ^ va) & W(0xfff) & low) == W(0));
      },
      "a placed iova is free and aligned");
  if (found == W(0)) return Fail<D>(ENOSPC);
  if (((found | length) & low) != W(0)) return Fail<D>(EINVAL);
  r.values[0] = found;
  return r;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_PLACEMENT_H_
