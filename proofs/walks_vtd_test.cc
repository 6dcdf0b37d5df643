// The rows of VT-d must be able to fail: decoders that read one thing wrongly are refuted, by the
// very comparison that the rows use.
#include "proofs/walks_vtd.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "model/commands_vtd.h"
#include "reference/decode_vtd.h"

namespace twinwalk {
namespace {

using proofs::Explorer, proofs::Sym, proofs::TheoremRow, proofs::W;
using Decoder = std::function<VtdEntry<Sym>(const W& word, const VtdRegs& unit)>;

// What each field comes to when `wrong` stands for the model, at `level`.
std::map<std::string, std::string> Verdicts(int level, const VtdRegs& unit, const Decoder& wrong) {
  std::map<std::string, std::string> verdicts;
  for (const TheoremRow& row :
       proofs::ProveEquals("wrong", "every word", proofs::Shape::kEquals, [&](Explorer* e) {
         const W word = e->Fresh("word");
         proofs::CompareVtdEntries(e, wrong(word, unit),
                                   reference::DecodeVtdEntry<Sym>(word, level, unit));
       })) {
    verdicts[row.invariant] = row.verdict;
    EXPECT_EQ(proofs::AsItMust(row), row.canary || row.verdict == "holds") << row.invariant;
  }
  return verdicts;
}

const char kRefuted[] = "refuted, not realised";

TEST(VtdEntries, ItselfIsEqual) {
  for (const proofs::VtdUnit& unit : proofs::VtdUnits()) {
    auto verdicts = Verdicts(1, unit.regs, [](const W& word, const VtdRegs& regs) {
      return reference::DecodeVtdEntry<Sym>(word, 1, regs);
    });
    EXPECT_EQ(verdicts.size(), 6u);
    EXPECT_EQ(verdicts.erase("canary: differs"), 1u);
    for (const auto& [field, verdict] : verdicts) EXPECT_EQ(verdict, "holds") << field;
  }
}

TEST(VtdEntries, IgnoringBit11IsRefuted) {
  const auto ignores = [](const W& word, const VtdRegs& regs) {
    return reference::DecodeVtdEntry<Sym>(word & W(~uint64_t{1 << 11}), 1, regs);
  };
  int refuted = 0;
  for (const proofs::VtdUnit& unit : proofs::VtdUnits()) {
    const bool snoops = (unit.regs.ecap >> 7 & 1) != 0;  // the bit means nothing to a walk then
    const auto verdicts = Verdicts(1, unit.regs, ignores);
    EXPECT_EQ(verdicts.at("reserved"), snoops ? "holds" : kRefuted) << unit.name;
    EXPECT_EQ(verdicts.at("present"), "holds");
    refuted += snoops ? 0 : 1;
  }
  EXPECT_EQ(refuted, 2);
}

// A host address width of one bit more, a large page taken for a table: wrong in other fields.
TEST(VtdEntries, OtherMistakesAreRefuted) {
  const VtdRegs unit = proofs::VtdUnits().front().regs;
  auto verdicts = Verdicts(1, unit, [](const W& word, const VtdRegs& regs) {
    VtdRegs wider = regs;
    ++wider.haw;
    return reference::DecodeVtdEntry<Sym>(word, 1, wider);
  });
  EXPECT_EQ(verdicts.at("reserved"), kRefuted);
  verdicts = Verdicts(2, unit, [](const W& word, const VtdRegs& regs) {
    return reference::DecodeVtdEntry<Sym>(word & W(~uint64_t{1 << 7}), 2, regs);
  });
  EXPECT_EQ(verdicts.at("leaf"), kRefuted);
  verdicts = Verdicts(2, unit, [](const W& word, const VtdRegs& regs) {
    return reference::DecodeVtdEntry<Sym>(word ^ W(2), 2, regs);
  });
  EXPECT_EQ(verdicts.at("rights"), kRefuted);
  EXPECT_EQ(verdicts.at("present"), kRefuted);
}

// The groups that are refuted and should not be.
std::set<std::string> Wrong(const std::function<void(Explorer*)>& f) {
  std::set<std::string> names;
  for (const TheoremRow& row : proofs::ProveEquals("wrong", "", proofs::Shape::kRefines, f))
    if (!proofs::AsItMust(row)) names.insert(row.invariant);
  return names;
}

const char kRanges[] = "model removes what must go, ranges";
const char kOthers[] = "model removes what must go, others";

TEST(VtdCovers, WhatStaysIsRefuted) {
  const VtdRegs unit = proofs::VtdUnits().front().regs;
  const auto wrong = [&](const proofs::VtdCovers& covers) {
    return Wrong([&](Explorer* e) { proofs::CompareVtdCovers(e, true, unit, covers); });
  };
  using Rows = std::set<std::string>;
  EXPECT_EQ(wrong(model::Covers<Sym>), Rows{});
  // Tables stay though all levels are to go.
  EXPECT_EQ(wrong([](VtdInvalidation<Sym> what, const RetainedRow<Sym>& row) {
              what.leafOnly = W(1);
              return model::Covers<Sym>(what, row);
            }),
            Rows{kRanges});
  // The last byte of the range stays.
  EXPECT_EQ(wrong([](VtdInvalidation<Sym> what, const RetainedRow<Sym>& row) {
              what.last = what.last - W(1);
              return model::Covers<Sym>(what, row);
            }),
            Rows{kRanges});
  // The function mask is forgotten.
  EXPECT_EQ(wrong([](VtdInvalidation<Sym> what, const RetainedRow<Sym>& row) {
              what.functionMask = W(0);
              return model::Covers<Sym>(what, row);
            }),
            Rows{kOthers});
}

// A page as a careless writer has it.
struct Careless {
  proofs::OneTable& memory;
  uint64_t seen = ~uint64_t{0};  // bits of an entry that it looks at
  uint64_t off = 0;              // bytes beside its entry
  uint64_t lost = 0;             // bits that it forgets to write
  W Read(const W& address) { return memory.Read(address) & W(seen); }
  void Write(const W& address, const W& value) { memory.Write(address + W(off), value & W(~lost)); }
  W NewTable() { return memory.NewTable(); }
};

TEST(VtdWriter, MistakesAreRefuted) {
  const VtdRegs unit = proofs::VtdUnits().front().regs;
  const auto wrong = [&](int level, int leaf_level, uint64_t seen, uint64_t off, uint64_t lost) {
    return Wrong([&](Explorer* e) {
      proofs::RefineVtdWriter(e, level, leaf_level, unit,
                              [&](proofs::OneTable& memory, const W& table, int at, int to,
                                  const W& input, const W& leaf) {
                                Careless careless{memory, seen, off, lost};
                                return model::WriteVtdStep<Sym>(careless, table, at, to, input,
                                                                leaf);
                              });
    });
  };
  using Rows = std::set<std::string>;
  const uint64_t all = ~uint64_t{0};
  EXPECT_EQ(wrong(1, 1, all, 0, 0), Rows{});
  EXPECT_EQ(wrong(3, 1, all, 0, 0), Rows{});
  EXPECT_EQ(wrong(1, 1, all - 2, 0, 0), Rows{"what is in use stays"});  // write only is in use too
  EXPECT_EQ(wrong(3, 1, all - 0x80, 0, 0), Rows{"what is in use stays"});  // a leaf is followed
  EXPECT_EQ(wrong(1, 1, all, 8, 0), Rows{"writes its own entry"});
  EXPECT_EQ(wrong(2, 2, all, 0, 0x80), Rows{"leaf says the area"});
  EXPECT_EQ(wrong(2, 1, all, 0, 2), Rows{"links the fresh table"});
}

}  // namespace
}  // namespace twinwalk
