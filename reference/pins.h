// Memory under an IOAS: pinned as soon as one HWPT uses it, and accounted (iommufd 5.3, 7.2). What
// can fail is planned first and applied after, so that a failing Op changes nothing.
//
// IOAS_COPY shares pages: what one area of them has pinned is not pinned again. Then each area pins
// the pages that no earlier one has, so that the account is charged once for each page.
#ifndef TWINWALK_REFERENCE_PINS_H_
#define TWINWALK_REFERENCE_PINS_H_

#include <cerrno>
#include <utility>
#include <vector>

#include "reference/lookup.h"

namespace twinwalk::reference {

// A whole IOAS_MAP that is to be pinned.
template <class D>
struct PinPlan {
  using W = typename D::W;
  AreaRow<D> area;
  bool shared = false;  // other areas may have the same pages
  W rights{0};          // of the pages: for a copy not those of the area
  // PlanPin:
  std::vector<Run<D>> runs;
  W fresh{0};  // pages that no other area has pinned
};

// 4 KiB pages that hold the bytes of an area.
template <class D>
typename D::W PagesOf(const AreaRow<D>& a) {
  using W = typename D::W;
  return ((a.va + (a.last - a.first)) >> W(12)) - (a.va >> W(12)) + W(1);
}
// Last byte of its memory, as `va` is the first.
template <class D>
typename D::W LastVa(const AreaRow<D>& a) {
  return a.va + (a.last - a.first);
}

// ---- Pages that several areas share -------------------------------------------------------------

template <class D>
typename D::B Shared(const Copies<D>& copies, typename D::W pages) {
  return copies.Any([&](const CopyRow<D>& c) { return c.pages == pages; });
}
// When the area was made, among those of the same pages: 0 for the first.
template <class D>
typename D::W BornOf(const Copies<D>& copies, const AreaRow<D>& a) {
  using W = typename D::W;
  using B = typename D::B;
  W born{0};
  copies.EachIndex([&](B present, const CopyRow<D>& c) {
    born = D::Sel(present && c.space == a.space && c.first == a.mapFirst, c.born, born);
  });
  return born;
}
// kWrite when who made its pages mapped them WRITEABLE.
template <class D>
typename D::W PageRights(const Copies<D>& copies, const AreaRow<D>& a) {
  using W = typename D::W;
  using B = typename D::B;
  W rights = a.rights & W(uint64_t{kWrite});
  copies.EachIndex([&](B present, const CopyRow<D>& c) {
    const B mine = present && c.space == a.space && c.first == a.mapFirst;
    rights = D::Sel(mine, D::Sel(c.writable != W(0), W(uint64_t{kWrite}), W(0)), rights);
  });
  return rights;
}

// Each area of `pages` pins what no earlier one does; the account follows.
template <class D>
void Recount(const Copies<D>& copies, Areas<D>& areas, Accounts<D>& accounts, typename D::W pages) {
  using W = typename D::W;
  std::vector<AreaRow<D>> rows;
  std::vector<W> born;
  areas.Each([&](const AreaRow<D>& a) { return a.pages == pages && a.backing != W(0); },
             [&](AreaRow<D>& a) {
               rows.push_back(a);
               born.push_back(BornOf<D>(copies, a));
             });
  for (size_t i = 0; i < rows.size(); ++i) {
    const AreaRow<D>& row = rows[i];
    std::vector<std::pair<W, W>> left{{row.va, LastVa<D>(row)}};  // not pinned by earlier ones
    for (size_t j = 0; j < rows.size(); ++j) {
      const W first = rows[j].va, last = LastVa<D>(rows[j]);
      if (!(born[j] < born[i])) continue;
      std::vector<std::pair<W, W>> rest;
      for (const auto& [from, to] : left) {
        if (last < from || to < first) {
          rest.emplace_back(from, to);
          continue;
        }
        if (from < first) rest.emplace_back(from, first - W(1));
        if (last < to) rest.emplace_back(last + W(1), to);
      }
      left = std::move(rest);
    }
    W pinned{0};
    for (const auto& [from, to] : left) pinned += (to - from + W(1)) >> W(12);
    accounts.UpdateWhere([&](const AccountRow<D>& a) { return a.key == row.account; },
                         [&](AccountRow<D>& a) { a.pinned = a.pinned + (pinned - row.pinned); });
    areas.UpdateWhere(
        [&](const AreaRow<D>& a) { return a.space == row.space && a.first == row.first; },
        [&](AreaRow<D>& a) { a.pinned = pinned; });
  }
}

// ---- Planning -----------------------------------------------------------------------------------

// The memory of va..last of the plan's area, as nobody has pinned it yet; or the errno.
template <class D>
int LookUp(const Env<D>& env, typename D::W va, typename D::W length, PinPlan<D>* plan) {
  using W = typename D::W;
  const AreaRow<D>& area = plan->area;
  const bool file = area.file != W(0) ? true : false;
  const std::vector<Run<D>> runs = file ? env.host.ResolveFile(area.file, va, length)
                                        : env.host.Resolve(area.process, va, length, plan->rights);
  if (runs.empty()) return file ? EINVAL : EFAULT;
  plan->runs.insert(plan->runs.end(), runs.begin(), runs.end());
  return 0;
}

// RowsOf below.
template <class D>
std::vector<AreaRow<D>> RowsOf(const PinPlan<D>& plan);

// The same where other areas have the pages: what one of them has pinned is taken from it.
template <class D>
int LookUpShared(const Env<D>& env, Areas<D>& areas, const std::vector<PinPlan<D>>& earlier,
                 PinPlan<D>* plan) {
  using W = typename D::W;
  const W pages = plan->area.pages, last = LastVa<D>(plan->area);
  std::vector<AreaRow<D>> held;
  areas.Each([&](const AreaRow<D>& a) { return a.pages == pages && a.backing != W(0); },
             [&](AreaRow<D>& a) { held.push_back(a); });
  for (const PinPlan<D>& other : earlier) {
    if (!(other.area.pages == pages)) continue;
    for (const AreaRow<D>& row : RowsOf<D>(other)) held.push_back(row);
  }
  for (W va = plan->area.va;;) {
    const AreaRow<D>* from = nullptr;  // the one that reaches furthest
    W end = last;
    for (const AreaRow<D>& a : held) {
      const W a_last = LastVa<D>(a);
      if (a.va <= va && va <= a_last) {
        if (from == nullptr) {
          from = &a;
        } else if (a_last > LastVa<D>(*from)) {
          from = &a;
        }
      }
      end = D::Sel(va < a.va && a.va <= end, a.va - W(1), end);
    }
    if (from != nullptr) {
      const W reach = LastVa<D>(*from);
      end = D::Sel(reach < last, reach, last);
      Run<D> run;
      run.length = end - va + W(1);
      run.backing = from->backing, run.offset = from->offset + (va - from->va);
      plan->runs.push_back(run);
    } else {
      if (const int err = LookUp(env, va, end - va + W(1), plan)) return err;
      plan->fresh += (end - va + W(1)) >> W(12);
    }
    if (end == last) return 0;
    va = end + W(1);
  }
}

// Adds `one` to the plan, or says the errno: EFAULT or EINVAL for what cannot be pinned, ENOMEM for
// what would bring the account above the limit of the process that mapped it.
template <class D>
int PlanPin(const Env<D>& env, Areas<D>& areas, const Accounts<D>& accounts, PinPlan<D> one,
            std::vector<PinPlan<D>>* plan) {
  using W = typename D::W;
  const AreaRow<D>& area = one.area;
  if (one.shared) {
    if (const int err = LookUpShared(env, areas, *plan, &one)) return err;
  } else {
    if (const int err = LookUp(env, area.va, area.last - area.first + W(1), &one)) return err;
    one.fresh = PagesOf<D>(area);
  }
  W charged = one.fresh;
  charged += accounts.Sum([&](const AccountRow<D>& a) { return a.key == area.account; },
                          [](const AccountRow<D>& a) { return a.pinned; });
  for (const PinPlan<D>& earlier : *plan)
    charged += D::Sel(earlier.area.account == area.account, earlier.fresh, W(0));
  const W limit =
      OfProcess(env, area.process, [](const ProcessConfig& p) { return p.memlockPages; });
  if (area.account != W(0) && one.fresh != W(0) && charged > limit) return ENOMEM;
  W pages = one.fresh;
  for (const PinPlan<D>& earlier : *plan) pages += earlier.fresh;
  if (pages > env.host.Room(pages)) return ENOMEM;
  // 8.2: a table takes no page that may be neither read nor written.
  if (area.rights == W(0)) return EINVAL;
  plan->push_back(std::move(one));
  return 0;
}

// Every area of an IOAS that has no HWPT yet, in IOVA order; the first that fails decides.
template <class D>
int PlanPinAll(const Env<D>& env, const State<D>& s, Areas<D>& areas, typename D::W ioas,
               std::vector<PinPlan<D>>* plan) {
  int err = 0;
  areas.Each([&](const AreaRow<D>& a) { return a.space == ioas; },
             [&](AreaRow<D>& a) {
               if (err != 0) return;
               PinPlan<D> one;
               one.area = a;
               one.shared = Shared<D>(s.copies, a.pages) ? true : false;
               one.rights = PageRights<D>(s.copies, a);
               err = PlanPin(env, areas, s.view.accounts, std::move(one), plan);
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
    row.pinned = plan.shared ? W(0) : PagesOf<D>(row);  // shared: Recount says it
    rows.push_back(row);
    row.first += run.length, row.va += run.length;
  }
  return rows;
}

// ---- Micro-steps --------------------------------------------------------------------------------

template <class D>
void AnnounceRow(const Env<D>& env, MicroStepKind kind, typename D::B when, const AreaRow<D>& row) {
  using W = typename D::W;
  MicroStep<W> step{};
  step.kind = kind;
  step.backing = row.backing, step.offset = row.offset;
  step.length = row.last - row.first + W(1);
  env.host.Announce(when, step);
}
// Pages of the rows of `gone` for which `goes` holds are free again, where no row of `areas` for
// which `stays` holds has them as well.
template <class D, class P, class Q>
void AnnounceUnpinned(const Env<D>& env, const Areas<D>& gone, P&& goes, const Areas<D>& areas,
                      Q&& stays) {
  using W = typename D::W;
  using B = typename D::B;
  if (!env.host.Listens()) return;
  gone.EachIndex([&](B present, const AreaRow<D>& a) {
    const B held = areas.Any([&](const AreaRow<D>& o) {
      return stays(o) && o.backing == a.backing && o.offset <= a.offset + (a.last - a.first) &&
             a.offset <= o.offset + (o.last - o.first);
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

// ---- Applying -----------------------------------------------------------------------------------

// An account per process comes to be when it is first charged.
template <class D>
void OpenAccount(const Env<D>& env, Accounts<D>& accounts, typename D::W key) {
  using W = typename D::W;
  using B = typename D::B;
  const B process = key > W(uint64_t{1} << 32);
  const B known = accounts.Any([&](const AccountRow<D>& a) { return a.key == key; });
  AccountRow<D> row;
  row.key = key;
  row.limit = OfProcess(env, key - W(uint64_t{1} << 32),
                        [](const ProcessConfig& p) {  // type1 charges CAP_IPC_LOCK, too
                          return p.ipcLock ? ~uint64_t{0} : p.memlockPages;
                        });
  if (process && !known) accounts.Insert(row);
}

// Pins and charges the rows of a plan, which stand in (or will be put into) `areas`.
template <class D>
void Charge(const Env<D>& env, Accounts<D>& accounts, const std::vector<AreaRow<D>>& rows) {
  for (const AreaRow<D>& row : rows) {
    AnnounceRow(env, MicroStepKind::kPagePinned, typename D::B(true), row);
    OpenAccount(env, accounts, row.account);
    accounts.UpdateWhere([&](const AccountRow<D>& a) { return a.key == row.account; },
                         [&](AccountRow<D>& a) { a.pinned = a.pinned + row.pinned; });
  }
}
// The opposite, for the rows for which p holds.
template <class D, class P>
void Discharge(Accounts<D>& accounts, const Areas<D>& areas, P&& p) {
  accounts.UpdateWhere([](const AccountRow<D>&) { return typename D::B(true); },
                       [&](AccountRow<D>& account) {
                         account.pinned -= areas.Sum(
                             [&](const AreaRow<D>& a) { return p(a) && a.account == account.key; },
                             [](const AreaRow<D>& a) { return a.pinned; });
                       });
}
// The pages, once each, of the areas for which p holds and that copies share.
template <class D, class P>
std::vector<typename D::W> SharedPages(const Copies<D>& copies, const Areas<D>& areas, P&& p) {
  std::vector<typename D::W> pages;
  copies.EachIndex([&](typename D::B present, const CopyRow<D>& c) {
    const auto used = areas.Any([&](const AreaRow<D>& a) { return p(a) && a.pages == c.pages; });
    if (!(present && used)) return;
    for (const auto& known : pages)
      if (known == c.pages) return;
    pages.push_back(c.pages);
  });
  return pages;
}
template <class D>
void RecountAll(const Copies<D>& copies, Areas<D>& areas, Accounts<D>& accounts,
                const std::vector<typename D::W>& pages) {
  for (const auto& one : pages) Recount<D>(copies, areas, accounts, one);
}

// The areas of an IOAS that gets its first HWPT, pinned: each row is split into its runs.
template <class D>
void ApplyPinAll(const Env<D>& env, const Copies<D>& copies, Areas<D>& areas, Accounts<D>& accounts,
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
    if (plan.shared) Recount<D>(copies, areas, accounts, plan.area.pages);
  }
}

// The last HWPT left `ioas`: each IOAS_MAP is one row again, without memory.
template <class D>
void UnpinAll(const Env<D>& env, const Copies<D>& copies, Areas<D>& areas, Accounts<D>& accounts,
              typename D::W ioas) {
  using W = typename D::W;
  const auto here = [&](const AreaRow<D>& a) { return a.space == ioas; };
  const std::vector<W> pages = SharedPages<D>(copies, areas, here);
  AnnounceUnpinned<D>(env, areas, here, areas, [&](const AreaRow<D>& a) { return !here(a); });
  Discharge<D>(accounts, areas, here);
  areas.EraseOverlapping(ioas, W(0), ~W(0),
                         [](const AreaRow<D>& a) { return a.first != a.mapFirst; });
  areas.UpdateWhere(here, [](AreaRow<D>& a) {
    a.last = a.mapLast, a.backing = W(0), a.offset = W(0), a.pinned = W(0);
  });
  RecountAll<D>(copies, areas, accounts, pages);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_PINS_H_
