// IOAS_COPY: part of one IOAS seen in another (or the same), with the pages shared (iommufd 6.7).
#ifndef TWINWALK_REFERENCE_IOAS_COPY_H_
#define TWINWALK_REFERENCE_IOAS_COPY_H_

#include "reference/ioas.h"

namespace twinwalk::reference {

// first..last of `ioas` as IOAS_MAPs cut to that range, ascending: each with the memory that it has
// and, in `rights`, what its pages permit. Empty when a byte is not mapped.
template <class D>
std::vector<PinPlan<D>> SourceOf(const Copies<D>& copies, Areas<D>& areas, typename D::W ioas,
                                 typename D::W first, typename D::W last) {
  using W = typename D::W;
  std::vector<PinPlan<D>> parts;
  for (W at = first;;) {
    const AreaRow<D>* from = areas.Containing(ioas, at);
    if (from == nullptr) return {};
    // The IOAS_MAP that this row is of (pinned, it may stand in several rows).
    const W end = D::Sel(from->mapLast < last, from->mapLast, last);
    PinPlan<D> part;
    part.area = *from;
    part.area.va = from->va + (at - from->first);
    part.area.first = at, part.area.last = end;
    part.rights = PageRights<D>(copies, *from);
    part.shared = true;
    parts.push_back(part);
    if (end == last) return parts;
    at = end + W(1);
  }
}

template <class D>
Result<D> IoasCopy(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                   Copies<D>& copies, Ordinals<D>& ordinals, Allocator<D>& allocator,
                   const IoasCopyIn<D>& in) {
  using W = typename D::W;
  const auto is_ioas = [&](W key) {
    return s.view.ioases.Any([&](const IoasRow<D>& row) { return row.key == key; });
  };
  if ((in.flags & ~W(7)) != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.length == ~W(0) || in.srcIova == ~W(0) || in.dstIova == ~W(0)) return Fail<D>(EOVERFLOW);
  if ((in.flags & W(6)) == W(0)) return Fail<D>(EINVAL);
  const W src = NameOf(in.context, in.src), dst = NameOf(in.context, in.dst);
  if (!is_ioas(src)) return Fail<D>(ENOENT);
  if (in.length == W(0)) return Fail<D>(EINVAL);
  const W src_last = in.srcIova + in.length - W(1);
  if (src_last < in.srcIova) return Fail<D>(EOVERFLOW);
  std::vector<PinPlan<D>> parts = SourceOf<D>(copies, areas, src, in.srcIova, src_last);
  if (parts.empty()) return Fail<D>(ENOENT);
  if (!is_ioas(dst)) return Fail<D>(ENOENT);

  const Result<D> r = ChooseIova(env, s, dst, in.flags, in.dstIova, in.length, parts[0].area.va);
  if (r.err != W(0)) return r;
  const W low = Alignment(s, dst) - W(1);
  const W rights = RightsOf<D>(in.flags);
  for (PinPlan<D>& part : parts) {  // 5.1, per area
    AreaRow<D>& row = part.area;
    if ((rights & ~part.rights & W(uint64_t{kWrite})) != W(0)) return Fail<D>(EPERM);
    if ((row.va & W(0xfff) & low) != W(0)) return Fail<D>(EINVAL);
    row.space = dst, row.rights = rights;
    row.first = row.mapFirst = r.values[0] + (row.first - in.srcIova);
    row.last = row.mapLast = r.values[0] + (row.last - in.srcIova);
    row.backing = W(0), row.offset = W(0), row.pinned = W(0);
  }
  if (const int err = AddAreas(env, s, areas, accounts, allocator, parts, in.writable))
    return Fail<D>(err);
  for (const PinPlan<D>& part : parts) {
    CopyRow<D> copy;
    copy.space = dst, copy.first = part.area.first, copy.pages = part.area.pages;
    ordinals.copies += W(1);
    copy.born = ordinals.copies;
    copy.writable = D::Sel((part.rights & W(uint64_t{kWrite})) != W(0), W(1), W(0));
    copies.Insert(copy);
  }
  for (const PinPlan<D>& part : parts) Recount<D>(copies, areas, accounts, part.area.pages);
  return r;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_IOAS_COPY_H_
