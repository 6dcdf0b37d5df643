// Memory under an IOAS: pinned as soon as one HWPT uses it, and accounted (iommufd 5.3, 7.2). What
// can fail is planned first and applied after, so that a failing Op changes nothing.
#ifndef TWINWALK_REFERENCE_PINS_H_
#define TWINWALK_REFERENCE_PINS_H_

#include <algorithm>
#include <cerrno>
#include <vector>

#include "reference/lookup.h"

namespace twinwalk::reference {

// A whole IOAS_MAP that is to be pinned.
template <class D>
struct PinPlan {
  AreaRow<D> area;
  std::vector<Run<D>> runs;
};

// 4 KiB pages that hold the bytes of an area.
template <class D>
typename D::W PagesOf(const AreaRow<D>& a) {
  using W = typename D::W;
  return ((a.va + (a.last - a.first)) >> W(12)) - (a.va >> W(12)) + W(1);
}

// Adds `area` to the plan, or says the errno: EFAULT for what cannot be pinned, ENOMEM for what
// would bring the account above the limit of the process that mapped it.
template <class D>
int PlanPin(const Env<D>& env, const Areas<D>& areas, const Accounts<D>& accounts,
            const AreaRow<D>& area, std::vector<PinPlan<D>>* plan) {
  using W = typename D::W;
  using B = typename D::B;
  PinPlan<D> one{
      area, env.host.Resolve(area.process, area.va, area.last - area.first + W(1), area.rights)};
  if (one.runs.empty()) return EFAULT;
  W charged = PagesOf<D>(area);
  charged += accounts.Sum([&](const AccountRow<D>& a) { return a.key == area.account; },
                          [](const AccountRow<D>& a) { return a.pinned; });
  for (const PinPlan<D>& earlier : *plan)
    charged += D::Sel(earlier.area.account == area.account, PagesOf<D>(earlier.area), W(0));
  const W limit =
      OfProcess(env, area.process, [](const ProcessConfig& p) { return p.memlockPages; });
  if (area.account != W(0) && charged > limit) return ENOMEM;
  // TRACE 3: what the World's memory can hold.
  W total = PagesOf<D>(area);
  total += areas.Sum([](const AreaRow<D>&) { return B(true); },
                     [](const AreaRow<D>& a) { return a.pinned; });
  for (const PinPlan<D>& earlier : *plan) total += PagesOf<D>(earlier.area);
  if (total > W(std::min<uint64_t>(env.world.frames, 1 << 22))) return ENOMEM;
  plan->push_back(std::move(one));
  return 0;
}

// Every area of an IOAS that has no HWPT yet, in IOVA order; the first that fails decides.
template <class D>
int PlanPinAll(const Env<D>& env, Areas<D>& areas, const Accounts<D>& accounts, typename D::W ioas,
               std::vector<PinPlan<D>>* plan) {
  int err = 0;
  areas.Each([&](const AreaRow<D>& a) { return a.space == ioas; },
             [&](AreaRow<D>& a) {
               if (err == 0) err = PlanPin(env, areas, accounts, a, plan);
             });
  return err;
}

// The rows that the plan makes of its area, one a run.
template <class D>
std::vector<AreaRow<D>> RowsOf(const PinPlan<D>& plan) {
  using W = typename D::W;
  std::vector<AreaRow<D>> rows;
  AreaRow<D> row = plan.area;
  for (const Run<D>& run : plan.runs) {
    row.last = row.first + (run.length - W(1));
    row.backing = run.backing, row.offset = run.offset;
    row.pinned = PagesOf<D>(row);
    rows.push_back(row);
    row.first += run.length, row.va += run.length;
  }
  return rows;
}

template <class D>
void AnnounceRow(const Env<D>& env, MicroStepKind kind, typename D::B when, const AreaRow<D>& row) {
  using W = typename D::W;
  MicroStep<W> step{};
  step.kind = kind;
  step.backing = row.backing, step.offset = row.offset;
  step.length = row.last - row.first + W(1);
  env.host.Announce(when, step);
}
// Pages of the rows that `goes` and that no row that stays has pinned as well are free again.
template <class D, class P>
void AnnounceUnpinned(const Env<D>& env, const Areas<D>& areas, P&& goes) {
  using W = typename D::W;
  using B = typename D::B;
  areas.EachIndex([&](B present, const AreaRow<D>& a) {
    const B held = areas.Any([&](const AreaRow<D>& o) {
      return !goes(o) && o.pinned != W(0) && o.backing == a.backing &&
             o.offset <= a.offset + (a.last - a.first) && a.offset <= o.offset + (o.last - o.first);
    });
    AnnounceRow(env, MicroStepKind::kPageUnpinned, present && goes(a) && a.pinned != W(0) && !held,
                a);
  });
}
template <class D>
void AnnounceMapping(const Env<D>& env, MicroStepKind kind, typename D::B when, const HwptRow<D>& h,
                     const AreaRow<D>& row) {
  MicroStep<typename D::W> step = StepOf<D>(kind, h);
  step.first = row.first, step.last = row.last;
  step.backing = row.backing, step.offset = row.offset, step.rights = row.rights;
  step.length = row.last - row.first + typename D::W(1);
  env.host.Announce(when, step);
}

// Pins and charges the rows of a plan, which stand in (or will be put into) `areas`.
template <class D>
void Charge(const Env<D>& env, Accounts<D>& accounts, const std::vector<AreaRow<D>>& rows) {
  for (const AreaRow<D>& row : rows) {
    AnnounceRow(env, MicroStepKind::kPagePinned, typename D::B(true), row);
    accounts.UpdateWhere([&](const AccountRow<D>& a) { return a.key == row.account; },
                         [&](AccountRow<D>& a) { a.pinned = a.pinned + row.pinned; });
  }
}

// The areas of an IOAS that gets its first HWPT, pinned: each row is split into its runs.
template <class D>
void ApplyPinAll(const Env<D>& env, Areas<D>& areas, Accounts<D>& accounts,
                 const std::vector<PinPlan<D>>& plans) {
  for (const PinPlan<D>& plan : plans) {
    const std::vector<AreaRow<D>> rows = RowsOf<D>(plan);
    areas.UpdateWhere(
        [&](const AreaRow<D>& a) { return a.space == rows[0].space && a.first == rows[0].first; },
        [&](AreaRow<D>& a) {
          a.last = rows[0].last, a.backing = rows[0].backing, a.offset = rows[0].offset;
          a.pinned = rows[0].pinned;
        });
    for (size_t i = 1; i < rows.size(); ++i) areas.Insert(rows[i]);
    Charge(env, accounts, rows);
  }
}

// The last HWPT left `ioas`: each IOAS_MAP is one row again, without memory.
template <class D>
void UnpinAll(const Env<D>& env, Areas<D>& areas, Accounts<D>& accounts, typename D::W ioas) {
  using W = typename D::W;
  const auto here = [&](const AreaRow<D>& a) { return a.space == ioas; };
  AnnounceUnpinned<D>(env, areas, here);
  accounts.UpdateWhere(
      [](const AccountRow<D>&) { return typename D::B(true); },
      [&](AccountRow<D>& account) {
        account.pinned -=
            areas.Sum([&](const AreaRow<D>& a) { return here(a) && a.account == account.key; },
                      [](const AreaRow<D>& a) { return a.pinned; });
      });
  areas.EraseOverlapping(ioas, W(0), ~W(0),
                         [](const AreaRow<D>& a) { return a.first != a.mapFirst; });
  areas.UpdateWhere(here, [](AreaRow<D>& a) {
    a.last = a.mapLast, a.backing = W(0), a.offset = W(0), a.pinned = W(0);
  });
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_PINS_H_
