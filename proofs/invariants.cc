// Rows about the invariants themselves: each has a state in which it holds and that is not empty,
// and none holds of every state (the canaries, which must be refuted).
#include "proofs/invariants.h"

#include "proofs/state.h"

namespace twinwalk::proofs {
namespace {

B AnyPresent(const View<Sym>& v) {
  B all = true;
  View<Sym>::EachTable(
      [&](const char* name, const auto& table) {
        const std::string kind = name;
        // What the last Op did is not part of a state.
        if (kind == "accesses" || kind == "events" || kind == "commands") return;
        B some = false;
        for (const auto& at : table.places()) some = some || at.present;
        all = all && some;
      },
      v);
  return all;
}

}  // namespace

std::vector<TheoremRow> ProveInvariantRows(const Rules& rules) {
  const World world = ProofWorld(rules);
  const Bounds bounds;
  std::vector<TheoremRow> rows;
  const auto add = [&](const std::string& op, const std::string& invariant, const Explorer& e,
                       const std::string& verdict, bool canary) {
    TheoremRow row;
    row.op = op, row.invariant = invariant, row.preset = "all", row.bounds = bounds.Text();
    row.verdict = verdict, row.canary = canary;
    row.paths = e.paths(), row.queries = e.queries(), row.seconds = e.seconds();
    rows.push_back(row);
  };
  Explorer somewhere;
  somewhere.Explore([&] {
    const reference::State<Sym> s = FreshState(&somewhere, world, bounds);
    EachInvariant(s, [&](const char*, const char*, const B& h) { somewhere.Assume(h); });
    somewhere.Cover("all", AnyPresent(s.view));
  });
  const bool covered = !somewhere.covers().empty() && somewhere.covers()[0].second;
  add("holds somewhere", "all, every table in use", somewhere, covered ? "holds" : "unknown",
      false);

  Explorer everywhere;
  everywhere.Explore([&] {
    reference::State<Sym> s = FreshState(&everywhere, world, bounds);
    const auto fill = [&](auto& bag, auto row, const std::string& name) {
      using Row = decltype(row);
      bag.Insert(FreshRow<Row>(&everywhere, name, [](const char* kind, const char* field) {
        return FieldMask(kind, field, 0xffffff);
      }));
    };
    fill(s.view.accesses, AccessRow<Sym>(), "access");
    fill(s.view.events, EventRow<Sym>(), "event");
    fill(s.view.commands, CommandRow<Sym>(), "command");
    for (auto& at : s.view.hwpts.places()) at.row.users = everywhere.Fresh("users", 0xf);
    for (auto& at : s.view.tags.places()) at.row.owner = everywhere.Fresh("owner", 0xff);
    for (auto& at : s.view.accounts.places()) at.row.pinned = everywhere.Fresh("pinned");
    EachInvariant(s, [&](const char* invariant, const char* what, const B& holds) {
      everywhere.Prove(invariant, what, holds);
    });
  });
  for (const Group& group : everywhere.groups())
    add("canary: every state", group.name, everywhere,
        group.verdict == Verdict::kRefuted ? "refuted" : "holds", true);
  return rows;
}

}  // namespace twinwalk::proofs
