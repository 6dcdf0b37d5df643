#include "proofs/keeps.h"

#include <map>

#include "traces/known_defects.h"
#include "traces/text.h"

namespace twinwalk::proofs {
namespace {

constexpr const char* kKnown = " (known defect)";
constexpr const char* kCanary = "canary: never succeeds";

// Sums of addresses, which few other invariants depend on.
bool CostsMuch(const std::string& invariant) {
  return invariant == "no-stale" || invariant == "pin-account" || invariant == kWellFormed;
}

}  // namespace

std::vector<KeepsRow> ProveKeeps(const OpProof& op, const Rules& rules, const char* preset,
                                 const ReferenceFaults& faults, const std::string& fault,
                                 const std::string& only_invariant, const Limits& limits) {
  Explorer e(limits);
  const World world = ProofWorld(rules);
  std::map<std::string, std::unique_ptr<Counterexample>> found;
  const auto wanted = [&](const std::string& name) {
    return only_invariant.empty() || only_invariant == name;
  };
  // Rows exist, and in this order, also when no path has an obligation.
  ForEachInvariant<Sym>([&](const InvariantInfo& info, auto&&) { e.FindGroup(info.id); });
  for (const char* more : {kMonitor, kWellFormed, kContractGroup, kCanary}) e.FindGroup(more);
  e.Explore([&] {
    OpRun run{&e, Sym(&e, op.split), world, faults, FreshState(&e, world, op.bounds), {}, {}};
    const View<Sym> before = run.s.view;
    EachInvariant(run.s, [&](const char* invariant, const char*, const B& holds) {
      e.Assume(holds, CostsMuch(invariant) ? Solver::Weight::kHeavy : Solver::Weight::kLight);
    });
    PreferSmall(&e, before);
    run.host.Start(&e, before);
    reference::BeginOp(run.s);
    const B succeeded = op.run(&run);
    EachInvariant(run.s, [&](const char* invariant, const char* what, const B& holds) {
      if (!wanted(invariant)) return;
      // A clause that the preset is known to break does not hide the others.
      const bool known = FindKnownDefect(rules, invariant, what) != nullptr;
      e.Prove(known ? invariant + std::string(kKnown) : invariant, what, holds);
    });
    e.Prove(kCanary, "the Op fails", !succeeded);
    for (const Group& group : e.groups()) {
      if (group.verdict != Verdict::kRefuted || found.contains(group.name)) continue;
      auto cex = std::make_unique<Counterexample>();
      cex->before = ValueOfView(*group.counterexample, before);
      if (run.wanted) cex->wanted = run.wanted(*group.counterexample);
      for (const GuestRead& read : run.host.reads())
        cex->guest.push_back({group.counterexample->Value(read.backing),
                              group.counterexample->Value(read.offset),
                              group.counterexample->Value(read.value)});
      found[group.name] = std::move(cex);
    }
  });
  std::vector<KeepsRow> rows;
  for (const Group& group : e.groups()) {
    const size_t known = group.name.find(kKnown);
    const std::string name = group.name.substr(0, known);
    if (group.name != kCanary && !wanted(name)) continue;
    // Where nothing reaches the clause there is no defect to show.
    if (known != std::string::npos && group.obligations == group.unchanged) continue;
    KeepsRow keeps;
    TheoremRow& row = keeps.row;
    row.op = op.name, row.invariant = name, row.preset = preset, row.fault = fault;
    row.verdict = VerdictText(group, e);
    row.bounds = op.bounds.Text();
    row.paths = e.paths(), row.queries = group.queries, row.seconds = group.seconds;
    row.canary = group.name == kCanary;
    if (known != std::string::npos && group.verdict == Verdict::kRefuted)
      row.known = FindKnownDefect(rules, name.c_str(), group.what.c_str())->reason;
    if (row.canary && group.verdict == Verdict::kRefuted) row.verdict = "refuted";
    if (group.verdict != Verdict::kHolds && !row.canary) row.clause = group.what;
    if (group.verdict == Verdict::kRefuted && !row.canary && found.contains(group.name)) {
      keeps.counterexample = std::move(found[group.name]);
      row.counterexample = ViewText(keeps.counterexample->before) + "  " +
                           OpText(0, keeps.counterexample->wanted.op) + "\n";
    }
    rows.push_back(std::move(keeps));
  }
  return rows;
}

}  // namespace twinwalk::proofs
