#include "proofs/host.h"

namespace twinwalk::proofs {
namespace {

// `after` where c holds, `before` elsewhere. Tables only grow by places at their end.
template <class Table>
void JoinTables(const B& c, const Table& before, Table* after) {
  auto& to = after->places();
  const auto& from = before.places();
  for (size_t i = 0; i < to.size(); ++i) {
    if (i >= from.size()) {
      to[i].present = c && to[i].present;
      continue;
    }
    to[i].row = SelectRow(c, to[i].row, from[i].row);
    to[i].present = Select(c, to[i].present, from[i].present);
  }
}

}  // namespace

void ProofHost::Announce(B when, const MicroStep<W>& step) {
  if (when.is_constant() && !when.constant()) return;
  ++steps_;
  const Monitor<Sym> before = monitor_;
  monitor_.OnStep(step, [&](const B& ok, const char* what, const auto&) {
    explorer_->Prove(kMonitor, what, !when || ok);
  });
  if (when.is_constant()) return;
  Monitor<Sym>::EachTable(
      [&](const auto& old_table, auto& new_table) {
        JoinTables(when, old_table, const_cast<std::decay_t<decltype(new_table)>*>(&new_table));
      },
      before, monitor_);
}

std::vector<reference::Run<Sym>> ProofHost::Resolve(W, W va, W length, W) {
  if (explorer_->Fork(2) == 1) return {};
  reference::Run<Sym> run;
  run.length = length;
  run.backing = explorer_->Fresh("resolved.backing", 0xf);
  run.offset = explorer_->Fresh("resolved.offset");
  explorer_->Assume(run.backing != W(0));
  explorer_->Assume((run.offset & W(0xfff)) == (va & W(0xfff)));
  return {run};
}

std::vector<reference::Run<Sym>> ProofHost::ResolveFile(W file, W offset, W length) {
  if (explorer_->Fork(2) == 1) return {};
  reference::Run<Sym> run;
  run.length = length, run.backing = file, run.offset = offset;
  return {run};
}

W ProofHost::ReadGuest(W backing, W offset) {
  const W value = explorer_->Fresh("guest");
  if (reads_.empty() && first_mask_ != 0)
    explorer_->Assume((value & W(first_mask_)) == W(first_value_));
  reads_.push_back({backing, offset, value});
  return value;
}

}  // namespace twinwalk::proofs
