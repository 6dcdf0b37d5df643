// The matrix must be able to fail: planted faults are refuted by traces that replay, wrong
// functions differ, and what the filters ask for is what is proved.
#include "proofs/prove.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "proofs/keeps.h"
#include "proofs/realise.h"
#include "proofs/sym.h"
#include "proofs/theorem.h"
#include "reference/decode_smmuv3.h"
#include "reference/reference.h"
#include "traces/text.h"

namespace twinwalk {
namespace {

nlohmann::json RowsOf(ProofOptions options, int expected) {
  options.json = testing::TempDir() + "/twinwalk_prove_test.json";
  std::ostringstream out;
  EXPECT_EQ(RunProofs(options, out), expected) << out.str();
  std::ifstream in(options.json);
  return nlohmann::json::parse(in);
}

class PlantedFault : public testing::TestWithParam<const char*> {};

TEST_P(PlantedFault, IsRefutedByATraceThatReplays) {
  ProofOptions options;
  options.fault = GetParam();
  const nlohmann::json rows = RowsOf(options, 0);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["verdict"], "refuted");
  EXPECT_EQ(rows[0]["fault"], GetParam());
  const std::string text = rows[0]["trace"];
  const auto trace = ParseTrace(text, "counterexample");
  ASSERT_TRUE(trace.ok());
  EXPECT_EQ(trace->expect.rfind("violation ", 0), 0u) << trace->expect;
}
INSTANTIATE_TEST_SUITE_P(Reference, PlantedFault,
                         testing::Values("skipInvalidation", "unmapForgetsSpace",
                                         "uncountedReference", "wrongRightsAnd"));

// The same trace on a reference without the fault shows nothing: it is the fault that is found.
TEST(Realise, NeedsTheFault) {
  ReferenceFaults faults;
  faults.unmapForgetsSpace = true;
  const Rules rules = PresetRules(Preset::kLinux72);
  for (const proofs::OpProof& op : proofs::IoasOpProofs()) {
    if (op.kind != OpKind::kIoasUnmap) continue;
    for (proofs::KeepsRow& keeps :
         proofs::ProveKeeps(op, rules, "linux-7.2", faults, "planted", "no-stale", {})) {
      if (keeps.row.invariant != "no-stale") continue;
      ASSERT_NE(keeps.counterexample, nullptr);
      proofs::TheoremRow with = keeps.row, without = keeps.row;
      proofs::Realise(*keeps.counterexample, rules, faults, &with);
      proofs::Realise(*keeps.counterexample, rules, ReferenceFaults(), &without);
      EXPECT_EQ(with.verdict, "refuted");
      EXPECT_EQ(without.verdict, "refuted, not realised");
    }
  }
}

TEST(Prove, RowsSayWhatTheReportNeeds) {
  ProofOptions options;
  options.op = "ioas_alloc";
  const nlohmann::json rows = RowsOf(options, 0);
  int canaries = 0;
  for (const auto& row : rows) {
    for (const char* field : {"op", "invariant", "preset", "verdict", "bounds", "paths", "queries",
                              "seconds", "canary"})
      EXPECT_TRUE(row.contains(field)) << field;
    canaries += row["canary"].get<bool>() ? 1 : 0;
  }
  EXPECT_EQ(canaries, 1);
  EXPECT_EQ(rows.size(), 14u);  // ten invariants, monitor, well-formed, contract, canary
}

TEST(Prove, BadFiltersAreBadOptions) {
  std::ostringstream out;
  ProofOptions options;
  options.op = "no_such_op";
  EXPECT_EQ(RunProofs(options, out), 2);
  options = {};
  options.fault = "noSuchFault";
  EXPECT_EQ(RunProofs(options, out), 2);
  options = {};
  options.preset = "linux-1.0";
  EXPECT_EQ(RunProofs(options, out), 2);
}

// Places that may be exchanged stand for all: one by one, in ascending order, the same comes out.
TEST(Keeps, PlacesOneByOneGiveTheSame) {
  const Rules rules = PresetRules(Preset::kLinux72);
  for (const bool planted : {false, true}) {
    ReferenceFaults faults;
    faults.unmapForgetsSpace = planted;
    for (proofs::OpProof op : proofs::AllOpProofs()) {
      if (op.kind != OpKind::kIoasUnmap && op.kind != OpKind::kBindIommufd) continue;
      op.bounds.devices = op.bounds.hwpts = 2, op.bounds.areas = op.bounds.retained = 1;
      std::map<std::string, std::string> verdicts[2];
      for (const bool ascending : {false, true}) {
        op.bounds.ascending = ascending;
        for (const proofs::KeepsRow& keeps :
             proofs::ProveKeeps(op, rules, "linux-7.2", faults, "", "", {}))
          verdicts[ascending][keeps.row.invariant] = keeps.row.verdict;
      }
      EXPECT_EQ(verdicts[0], verdicts[1]);
      EXPECT_EQ(verdicts[0]["no-stale"].rfind("refuted", 0) == 0,
                planted && op.kind == OpKind::kIoasUnmap);
    }
  }
}

// The premise of exchanged places (docs/PROOFS.md): what is announced of two rows of a table may
// come in either order. Arbitrary exposures, tags and steps; the judgement and all that is known
// after.
TEST(Keeps, MicroStepsOfTwoRowsCommute) {
  using proofs::B, proofs::Sym, proofs::W;
  struct Kind {
    MicroStepKind kind;
    InvScope scope;
  };
  std::vector<Kind> kinds;
  for (MicroStepKind kind : {MicroStepKind::kMapVisible, MicroStepKind::kMapGone,
                             MicroStepKind::kPageUnpinned, MicroStepKind::kConfigWrite})
    kinds.push_back({kind, InvScope::kConfig});
  for (InvScope scope :
       {InvScope::kStage2Range, InvScope::kStage1Vmid, InvScope::kVaRange, InvScope::kConfig})
    kinds.push_back({MicroStepKind::kInvDone, scope});
  const auto wide = [](const char*, const char* field) -> uint64_t {
    const std::string name = field;
    return name == "visible" || name == "clean" ? 1 : name == "cached" ? 3 : 0xff;
  };
  for (const Kind& a : kinds) {
    for (const Kind& b : kinds) {
      // A loop announces one kind, invalidations in turn, or configurations with theirs.
      const auto config = [](const Kind& k) {
        return k.kind == MicroStepKind::kConfigWrite ||
               (k.kind == MicroStepKind::kInvDone && k.scope == InvScope::kConfig);
      };
      if (a.kind != b.kind && !(config(a) && config(b))) continue;
      proofs::Explorer e;
      e.Explore([&] {
        Monitor<Sym> one;
        Monitor<Sym>::EachTable(
            [&](auto& table) {
              auto& places = const_cast<std::decay_t<decltype(table)>&>(table).places();
              using Row = std::decay_t<decltype(places.front().row)>;
              for (int i = 0; i < 2; ++i)
                places.push_back({e.FreshB("present"), proofs::FreshRow<Row>(&e, "row", wide)});
            },
            one);
        const auto fresh = [&](const Kind& k) {
          MicroStep<W> step{};
          step.kind = k.kind, step.scope = k.scope;
          for (W* w : {&step.tag.smmu, &step.tag.vmid, &step.tag.asid, &step.first, &step.last,
                       &step.backing, &step.offset, &step.length})
            *w = e.Fresh("step", 0xff);
          return step;
        };
        const MicroStep<W> s = fresh(a), t = fresh(b);
        Monitor<Sym> other = one;
        B first = true, second = true;
        const auto judge = [&](Monitor<Sym>& monitor, const MicroStep<W>& step, B* all) {
          monitor.OnStep(step, [&](const B& ok, const char*, const auto&) { *all = *all && ok; });
        };
        judge(one, s, &first), judge(one, t, &first);
        judge(other, t, &second), judge(other, s, &second);
        e.Prove("judgement", "", first == second);
        e.Prove("canary", "", first);
        Monitor<Sym>::EachTable(
            [&](const auto& x, const auto& y) {
              using Row = std::decay_t<decltype(x.places().front().row)>;
              const Row probe = proofs::FreshRow<Row>(&e, "probe", wide);
              const auto is = [&](const Row& row) { return proofs::SameRows(row, probe); };
              e.Prove("state", "", x.Any(is) == y.Any(is));
            },
            one, other);
      });
      EXPECT_EQ(e.FindGroup("judgement").verdict, proofs::Verdict::kHolds);
      EXPECT_EQ(e.FindGroup("state").verdict, proofs::Verdict::kHolds);
      const bool judged =
          a.kind == MicroStepKind::kMapVisible || a.kind == MicroStepKind::kPageUnpinned;
      EXPECT_EQ(e.FindGroup("canary").verdict,
                judged ? proofs::Verdict::kRefuted : proofs::Verdict::kHolds);
    }
  }
}

// Where the induction begins: the World as Reset leaves it is one of the states that proofs start
// from, with one account a user and the limits that ProofWorld has.
TEST(Keeps, HoldsInTheBeginning) {
  const World world = proofs::ProofWorld(PresetRules(Preset::kLinux72));
  const auto machine = MakeReference();
  machine->Reset(world);
  View<Concrete> view;
  machine->GetView(ViewScope::kAll, &view);
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char* what, const auto&) {
      EXPECT_TRUE(ok) << info.id << ": " << what;
    });
  });
  proofs::WellFormed<Concrete>(view, [&](bool ok, const char* what) { EXPECT_TRUE(ok) << what; });
  EXPECT_EQ(view.devices.size(), world.devices.size());
  ASSERT_EQ(view.accounts.size(), 2u);
  EXPECT_EQ(view.accounts.Find(2)->limit, world.processes[1].memlockPages);
  EXPECT_EQ(view.tags.size() + view.retained.size() + view.areas.size(), 0u);
}

// A decoder that reads one bit wrongly is not equal.
TEST(Equals, OneWrongBitIsRefuted) {
  using proofs::Sym;
  const auto rows =
      proofs::ProveEquals("wrong", "every word", proofs::Shape::kEquals, [](proofs::Explorer* e) {
        const proofs::W word = e->Fresh("word");
        const auto right = reference::DecodeStage2<Sym>(word, 3, 12);
        const auto wrong =
            reference::DecodeStage2<Sym>(word ^ (proofs::W(uint64_t{1}) << proofs::W(54)), 3, 12);
        e->Prove("output", "", right.output == wrong.output);
        e->Prove("permissions", "", right.permissions == wrong.permissions);
      });
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].verdict, "holds");
  EXPECT_EQ(rows[1].verdict, "refuted, not realised");
  EXPECT_FALSE(proofs::AsItMust(rows[1]));
}

// A group that no path reaches the end for is not proved.
TEST(Equals, VacuousIsUnknown) {
  const auto rows =
      proofs::ProveEquals("vacuous", "", proofs::Shape::kEquals, [](proofs::Explorer* e) {
        e->FindGroup("anything");
        e->Assume(e->Fresh("x") < proofs::W(0));
        e->Prove("anything", "", false);
      });
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].verdict, "unknown");
}

}  // namespace
}  // namespace twinwalk
