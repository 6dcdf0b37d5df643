#include "proofs/realise.h"

#include "proofs/recipe.h"
#include "reference/reference.h"
#include "traces/monitor.h"
#include "traces/resolve.h"
#include "traces/text.h"

namespace twinwalk::proofs {
namespace {

// Judges the order of the micro-steps of the Ops that it sees.
class Judge : public MicroStepObserver {
 public:
  void OnMicroStep(const MicroStep<uint64_t>& step) override {
    monitor_.OnStep(step, [&](bool ok, const char*, const auto&) { violated_ = violated_ || !ok; });
  }
  bool violated() const { return violated_; }

 private:
  Monitor<Concrete> monitor_;
  bool violated_ = false;
};

// Whether the invariant does not hold, or the order was wrong, after the last Op of the trace.
bool Shows(const Trace& trace, const ReferenceFaults& faults, const std::string& invariant) {
  std::unique_ptr<PermittingMachine> machine = MakeReference(faults);
  machine->Reset(trace.world);
  Judge judge;
  machine->SetObserver(&judge);
  Resolver resolver;
  for (const Op& op : trace.ops) {
    const Op resolved = resolver.Resolve(op);
    resolver.Record(op, machine->Step(resolved));
  }
  if (invariant == kMonitor) return judge.violated();
  View<Concrete> view;
  machine->GetView(ViewScope::kAll, &view);
  bool violated = false;
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    if (invariant != info.id) return;
    check(view, [&](bool ok, const char*, const auto&) { violated = violated || !ok; });
  });
  return violated;
}

}  // namespace

void Realise(const Counterexample& counterexample, const Rules& rules,
             const ReferenceFaults& faults, TheoremRow* row) {
  Recipe recipe;
  std::vector<GuestWord> guest;
  for (const auto& read : counterexample.guest)  // backing, offset, value
    counterexample.before.areas.EachIndex([&](bool, const AreaRow<Concrete>& a) {
      if (a.backing == read[0] && read[1] >= a.offset && read[1] - a.offset <= a.last - a.first)
        guest.push_back({a.space, a.first + (read[1] - a.offset), read[2]});
    });
  if (!recipe.Build(counterexample.before, rules, guest)) {
    row->counterexample += "  no recipe: " + recipe.why() + "\n";
    return;
  }
  recipe.Append(counterexample.wanted.op, counterexample.wanted.context,
                counterexample.wanted.device);
  Trace trace = recipe.trace();
  trace.expect = "violation " + row->invariant;
  if (const std::string bad = ValidateWorld(trace.world); !bad.empty()) {
    row->counterexample += "  no World: " + bad + "\n";
    return;
  }
  if (!Shows(trace, faults, row->invariant)) {
    row->counterexample += "  the trace that was built does not show it\n" + TraceText(trace);
    return;
  }
  row->verdict = "refuted";
  row->trace = TraceText(trace);
}

}  // namespace twinwalk::proofs
