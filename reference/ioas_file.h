// IOAS_MAP_FILE: memory by a descriptor and an offset instead of an address; and CHANGE_PROCESS,
// which hands such mappings to another process (iommufd 6.6, 6.9).
#ifndef TWINWALK_REFERENCE_IOAS_FILE_H_
#define TWINWALK_REFERENCE_IOAS_FILE_H_

#include "reference/ioas.h"

namespace twinwalk::reference {

// AreaRow::file of a file that is not memory: remembered all the same, and never pinned (6.6).
inline constexpr uint64_t kNoMemoryFile = ~uint64_t{0};

template <class D>
Result<D> IoasMapFile(const Env<D>& env, const State<D>& s, Areas<D>& areas, Accounts<D>& accounts,
                      Ordinals<D>& ordinals, Allocator<D>& allocator, const IoasMapFileIn<D>& in) {
  using W = typename D::W;
  if ((in.flags & ~W(7)) != W(0)) return Fail<D>(EOPNOTSUPP);
  if (in.iova == ~W(0) || in.length == ~W(0)) return Fail<D>(EOVERFLOW);
  if ((in.flags & W(6)) == W(0)) return Fail<D>(EINVAL);
  AreaRow<D> row;
  row.space = NameOf(in.context, in.ioasId);
  if (!s.view.ioases.Any([&](const IoasRow<D>& o) { return o.key == row.space; }))
    return Fail<D>(ENOENT);
  if (in.length == W(0)) return Fail<D>(EINVAL);
  if (in.start + in.length - W(1) < in.start) return Fail<D>(EOVERFLOW);
  if (in.file == W(0)) return Fail<D>(EBADF);
  if (in.length > W(~uint64_t{0} - 4096)) return Fail<D>(EINVAL);  // as IOAS_MAP, 6.5
  row.process = in.process, row.va = in.start, row.file = in.file;
  row.rights = RightsOf<D>(in.flags);
  row.account = AccountFor(env, s, in.context, in.process);
  return MapPages(env, s, areas, accounts, ordinals, allocator, row, in.flags, in.iova, in.length,
                  in.writable);
}

// 6.9: the caller (index plus 1) takes over every mapping of the context, and is charged for what
// another process had pinned there; what nobody is charged for stays so. It is charged before the
// former owner is discharged, also where both are one user.
template <class D>
Result<D> IoasChangeProcess(const Env<D>& env, Areas<D>& areas, Accounts<D>& accounts,
                            typename D::W context, typename D::W process, typename D::W reserved) {
  using W = typename D::W;
  using B = typename D::B;
  if (reserved != W(0)) return Fail<D>(EOPNOTSUPP);
  const auto here = [&](const AreaRow<D>& a) { return (a.space >> W(32)) == context; };
  if (areas.Any([&](const AreaRow<D>& a) { return here(a) && a.file == W(0); }))
    return Fail<D>(EINVAL);
  const auto moves = [&](const AreaRow<D>& a) {
    return here(a) && a.process != process && a.account != W(0);
  };
  const W per_process = W(uint64_t{1} << 32) + process;
  const W user =
      OfProcess(env, process, [](const ProcessConfig& p) { return uint64_t{p.uid} + 1; });
  const W limit = OfProcess(env, process, [](const ProcessConfig& p) { return p.memlockPages; });
  const auto is_user = [&](const AreaRow<D>& a) { return a.account < W(uint64_t{1} << 32); };
  const auto pinned = [](const AreaRow<D>& a) { return a.pinned; };
  const W of_user = areas.Sum([&](const AreaRow<D>& a) { return moves(a) && is_user(a); }, pinned);
  const W of_process =
      areas.Sum([&](const AreaRow<D>& a) { return moves(a) && !is_user(a); }, pinned);
  const auto over = [&](W account, W more) {
    const W now = accounts.Sum([&](const AccountRow<D>& a) { return a.key == account; },
                               [](const AccountRow<D>& a) { return a.pinned; });
    return more != W(0) && now + more > limit;
  };
  if (over(user, of_user) || over(per_process, of_process)) return Fail<D>(ENOMEM);
  if (of_process != W(0)) OpenAccount(env, accounts, per_process);
  Discharge<D>(accounts, areas, moves);
  accounts.UpdateWhere([](const AccountRow<D>&) { return B(true); },
                       [&](AccountRow<D>& a) {
                         a.pinned += D::Sel(a.key == user, of_user, W(0));
                         a.pinned += D::Sel(a.key == per_process, of_process, W(0));
                       });
  areas.UpdateWhere(here, [&](AreaRow<D>& a) {
    const W owner = D::Sel(is_user(a), user, per_process);
    a.account = D::Sel(a.account != W(0), owner, W(0));
    a.process = process;
  });
  return Result<D>();
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_IOAS_FILE_H_
