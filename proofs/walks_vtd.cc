#include "proofs/walks_vtd.h"

#include "model/commands_vtd.h"
#include "model/decode_vtd.h"
#include "reference/cache_vtd.h"
#include "reference/decode_vtd.h"
#include "traces/world.h"

namespace twinwalk::proofs {

std::vector<VtdUnit> VtdUnits() {
  const VtdConfig config;
  std::vector<VtdUnit> units;
  for (uint32_t haw : {46u, 52u}) {
    VtdRegs usual, plain;
    usual.haw = plain.haw = haw;
    usual.cap = config.cap, usual.ecap = config.ecap;
    plain.cap = config.cap & ~(uint64_t{3} << 34);          // no large pages
    plain.ecap = config.ecap & ~uint64_t{1 << 7 | 1 << 6};  // no SC, no PT
    const std::string bits = "HAW " + std::to_string(haw);
    units.push_back({bits, usual});
    units.push_back({"no SC, no large pages, " + bits, plain});
  }
  return units;
}

void CompareVtdEntries(Explorer* e, const VtdEntry<Sym>& ours, const VtdEntry<Sym>& theirs) {
  const B good = theirs.present != W(0) && theirs.reserved == W(0);
  Same(e, "present", true, ours.present, theirs.present);
  Same(e, "reserved", true, ours.reserved, theirs.reserved);
  Same(e, "leaf", good, ours.leaf, theirs.leaf);
  Same(e, "output", good, ours.output, theirs.output);
  Same(e, "rights", good, ours.rights, theirs.rights);
  Canary(e, ours.present, theirs.present);
}

namespace {

VtdInvalidation<Sym> OfReference(const std::array<W, 4>& w, bool wide, const VtdRegs& unit) {
  return reference::DecodeVtdInvalidation<Sym>(w, wide, unit);
}
VtdInvalidation<Sym> OfModel(const std::array<W, 4>& w, bool wide, const VtdRegs& unit) {
  return model::DecodeVtdInvalidation<Sym>(w, W(unit.cap >> 48 & 0x3f), wide);
}
std::array<W, 4> Descriptor4(Explorer* e) {
  return {e->Fresh("w0"), e->Fresh("w1"), e->Fresh("w2"), e->Fresh("w3")};
}

uint64_t AddressBits(const VtdRegs& unit, int level) {
  return reference::Mask(static_cast<int>(unit.haw) - 1, reference::VtdShift(level));
}
W EntryAt(const W& table, int level, const W& input) {
  return table + ((input >> W(uint64_t(reference::VtdShift(level)))) & W(511)) * W(8);
}

}  // namespace

// The reference's entry of the PASID cache is a configuration with v0 = 1; the model has a kind of
// its own for it.
void CompareVtdCovers(Explorer* e, bool wide, const VtdRegs& unit, const VtdCovers& covers) {
  const std::array<W, 4> w = Descriptor4(e);
  const W smmu = e->Fresh("smmu", 1);
  RetainedRow<Sym> row =
      FreshRow<RetainedRow<Sym>>(e, "row", [](const char*, const char*) { return ~uint64_t{0}; });
  row.smmu = smmu;
  e->Assume(row.first <= row.last);
  RetainedRow<Sym> ours = row;
  ours.kind =
      Select(row.kind == W(uint64_t{kConfig}) && row.v0 != W(0), W(uint64_t{kCd}), row.kind);
  const reference::VtdCommand<Sym> command{smmu, OfReference(w, wide, unit)};
  const B must = reference::Covers<Sym>(command, row);
  const B does = covers(OfModel(w, wide, unit), ours);
  const B paged =
      (command.what.type == W(2) || command.what.type == W(6)) && command.what.granularity == W(3);
  e->Prove("model removes what must go, ranges", "", !paged || !must || does);
  e->Prove("model removes what must go, others", "", paged || !must || does);
  e->Prove("canary: nothing must go", "", !must);
}

void RefineVtdWriter(Explorer* e, int level, int leaf_level, const VtdRegs& unit,
                     const VtdWriter& writer) {
  OneTable memory(e, AddressBits(unit, 1));
  const W table = e->Fresh("table", AddressBits(unit, 1)), input = e->Fresh("input");
  const W rights = e->Fresh("rights", 3),
          address = e->Fresh("address", AddressBits(unit, leaf_level));
  const W leaf = model::LeafEntry<Sym>(leaf_level, address, rights);
  const auto step = writer(memory, table, level, leaf_level, input, leaf);
  const W where = EntryAt(table, level, input);
  const VtdEntry<Sym> before = reference::DecodeVtdEntry<Sym>(memory.old, level, unit);
  e->Prove("reads its own entry", "", memory.read == where);
  e->Prove("one word at most", "", memory.writes.size() <= 1);
  if (memory.writes.empty()) {
    // A host's table has no reserved bits: of one that has, nothing is claimed but that it stays.
    const B follows =
        before.present != W(0) && step.made == W(0) &&
        (before.reserved != W(0) || (before.leaf == W(0) && step.next == before.output));
    e->Prove("what is in use stays", "", step.failed != W(0) || follows);
    return;
  }
  e->Prove("writes its own entry", "", memory.writes[0].first == where);
  e->Prove("what is in use stays", "", before.present == W(0) && step.failed == W(0));
  e->Prove("canary: never writes", "", false);
  const VtdEntry<Sym> now = reference::DecodeVtdEntry<Sym>(memory.writes[0].second, level, unit);
  if (level != leaf_level) {
    e->Prove("links the fresh table", "",
             now.present != W(0) && now.reserved == W(0) && now.leaf == W(0) &&
                 now.output == memory.fresh && step.next == memory.fresh &&
                 now.rights == W(uint64_t{kRead | kWrite}));
    return;
  }
  const B says = now.reserved == W(0) && now.leaf != W(0) && now.output == address &&
                 now.rights == (rights & W(uint64_t{kRead | kWrite}));
  e->Prove("leaf says the area", "",
           Select(rights == W(0), now.present == W(0), now.present != W(0) && says));
}

namespace {

using Prover = std::function<void(Explorer*)>;

// By what a unit supports of the structures above: the default, without pass-through, everything.
std::vector<VtdUnit> Supports() {
  std::vector<VtdUnit> units{{"default", VtdUnits()[0].regs}, {"no PT", VtdUnits()[1].regs}};
  VtdUnit all{"scalable, 5 levels", VtdUnits()[0].regs};
  all.regs.cap |= 1 << 11 | uint64_t{1} << 60 | uint64_t{63} << 48;  // both stages; MAMV 63
  for (int bit : {2, 26, 40, 43, 46, 47}) all.regs.ecap |= uint64_t{1} << bit;
  units.push_back(all);
  return units;
}

void ComparePointers(Explorer* e, const VtdPointer<Sym>& a, const VtdPointer<Sym>& b) {
  Same(e, "present", true, a.present, b.present);
  Same(e, "reserved", true, a.reserved, b.reserved);
  Same(e, "table", true, a.table, b.table);
  Canary(e, a.reserved, b.reserved);
}

void CompareContexts(Explorer* e, const VtdRegs& unit) {
  const W lo = e->Fresh("lo"), hi = e->Fresh("hi");
  const auto a = model::DecodeLegacyContext<Sym>(lo, hi, W(unit.cap), W(unit.ecap));
  const auto b = reference::DecodeVtdContext<Sym>(lo, hi, unit);
  const auto f = [&](const char* field, const W& x, const W& y) { Same(e, field, true, x, y); };
  f("present", a.present, b.present), f("faultDisable", a.faultDisable, b.faultDisable);
  f("reserved", a.reserved, b.reserved), f("invalid", a.invalid, b.invalid);
  f("type", a.type, b.type), f("bits", a.bits, b.bits);
  f("table", a.table, b.table), f("did", a.did, b.did);
  Canary(e, a.invalid, b.invalid);
}

void CompareScalableContexts(Explorer* e) {
  const std::array<W, 4> w{e->Fresh("w0"), e->Fresh("w1"), e->Fresh("w2"), e->Fresh("w3")};
  const auto a = model::DecodeScalableContext<Sym>(w);
  const auto b = reference::DecodeVtdScalableContext<Sym>(w);
  const auto f = [&](const char* field, const W& x, const W& y) { Same(e, field, true, x, y); };
  f("present", a.present, b.present), f("faultDisable", a.faultDisable, b.faultDisable);
  f("reserved", a.reserved, b.reserved), f("deviceTlb", a.deviceTlb, b.deviceTlb);
  f("pasidEnable", a.pasidEnable, b.pasidEnable), f("directory", a.directory, b.table);
  f("directoryBits", a.log2Entries, b.directoryBits), f("ridPasid", a.ridPasid, b.ridPasid);
  f("ridPrivileged", a.ridPrivileged, b.ridPrivileged);
  Canary(e, a.reserved, b.reserved);
}

// Entries with a first stage: the model has the bits of word 2 and what the unit supports in its
// walker, not in the decoder. What both walkers answer is the fuzzer's to compare.
void ComparePasids(Explorer* e, const VtdRegs& unit) {
  const W w0 = e->Fresh("w0"), w1 = e->Fresh("w1"), w2 = e->Fresh("w2");
  const auto a = model::DecodePasidEntry<Sym>(w0, w1, W(unit.cap), W(unit.ecap));
  const auto b = reference::DecodeVtdPasidEntry<Sym>({w0, w1, w2}, unit);
  const auto f = [&](const char* field, const W& x, const W& y) { Same(e, field, true, x, y); };
  const B first = b.type == W(uint64_t{reference::kFirstStage}) ||
                  b.type == W(uint64_t{reference::kNestedStages});
  f("present", a.present, b.present), f("faultDisable", a.faultDisable, b.faultDisable);
  Same(e, "reserved", !first || (w2 & W(0xf00)) == W(0), a.reserved, b.reserved);
  Same(e, "invalid", !first, a.invalid, b.invalid);
  f("type", a.type, b.type), f("bits", a.bits, b.bits), f("table", a.table, b.table);
  f("did", a.did, b.did), f("dirty", a.dirty, b.dirty);
  Canary(e, a.invalid, b.invalid);
}

// A page group response answers a device: no cache reads its fields, and whether a 256-bit one may
// carry private data (words 2 and 3) is not said by the sheet; each side has its own answer.
void CompareInvalidations(Explorer* e, bool wide, const VtdRegs& unit) {
  const std::array<W, 4> w = Descriptor4(e);
  const auto a = OfModel(w, wide, unit), b = OfReference(w, wide, unit);
  const B response = b.type == W(uint64_t{reference::kVtdPageResponse});
  Same(e, "legal", B(true), a.legal, b.legal);
  Canary(e, a.legal, b.legal);
  const B legal = a.legal != W(0) && b.legal != W(0), flushes = legal && !response;
  Same(e, "type", legal, a.type, b.type);
  Same(e, "granularity", legal, a.granularity, b.granularity);
  Same(e, "did", flushes, a.did, b.did), Same(e, "sid", flushes, a.sid, b.sid);
  Same(e, "functionMask", flushes, a.functionMask, b.functionMask);
  Same(e, "pasid", flushes, a.pasid, b.pasid);
  Same(e, "first", flushes, a.first, b.first), Same(e, "last", flushes, a.last, b.last);
  const B paged = (b.type == W(2) || b.type == W(6)) && b.granularity == W(3);
  Same(e, "leafOnly", legal && paged, a.leafOnly, b.leafOnly);
}

void RefineVtdClear(Explorer* e, int level, const VtdRegs& unit) {
  OneTable memory(e, AddressBits(unit, 1));
  const W table = e->Fresh("table", AddressBits(unit, 1)), input = e->Fresh("input");
  const W old = model::ClearVtdStep<Sym>(memory, table, level, input);
  const W where = EntryAt(table, level, input);
  e->Prove("gives back what stood there", "", old == memory.old && memory.read == where);
  e->Prove(
      "clears its own entry", "",
      B(memory.writes.size() == 1) && memory.writes[0].first == where &&
          reference::DecodeVtdEntry<Sym>(memory.writes[0].second, level, unit).present == W(0));
}

}  // namespace

void AddVtdWalks(std::vector<TheoremRow>* rows) {
  const auto add = [&](const std::string& name, const std::string& bounds, Shape shape,
                       const Prover& f) {
    for (TheoremRow& row : ProveEquals(name, bounds, shape, f)) rows->push_back(std::move(row));
  };
  const auto equals = [&](const std::string& name, const Prover& f) {
    add(name, "every word", Shape::kEquals, f);
  };
  equals("VT-d root entry", [](Explorer* e) {
    const W lo = e->Fresh("lo"), hi = e->Fresh("hi");
    ComparePointers(e, model::DecodeLegacyRoot<Sym>(lo, hi), reference::DecodeVtdRoot<Sym>(lo, hi));
  });
  equals("VT-d root entry, half", [](Explorer* e) {
    const W word = e->Fresh("word");
    ComparePointers(e, model::DecodeScalableRoot<Sym>(word),
                    reference::DecodeVtdRootHalf<Sym>(word));
  });
  equals("VT-d PASID directory", [](Explorer* e) {
    const W word = e->Fresh("word");
    ComparePointers(e, model::DecodePasidDirectory<Sym>(word),
                    reference::DecodeVtdDirectory<Sym>(word));
  });
  equals("VT-d scalable context", CompareScalableContexts);
  for (const VtdUnit& unit : VtdUnits()) {
    const VtdRegs& regs = unit.regs;
    for (int level = 1; level <= 5; ++level)
      equals("VT-d entry level " + std::to_string(level) + ", " + unit.name, [&](Explorer* e) {
        const W word = e->Fresh("word");
        CompareVtdEntries(e,
                          model::DecodeVtdEntry<Sym>(word, level, W(regs.cap), W(regs.ecap),
                                                     W(uint64_t{regs.haw})),
                          reference::DecodeVtdEntry<Sym>(word, level, regs));
      });
    const auto refines = [&](const char* step, int level, const std::string& more,
                             const Prover& f) {
      add(step + std::string(" level ") + std::to_string(level) + more + ", " + unit.name,
          "one entry, one page, every word", Shape::kRefines, f);
    };
    for (int leaf = 1; leaf <= 3; ++leaf) {
      const bool offered = leaf == 1 || reference::VtdHas(regs.cap, leaf == 2 ? 34 : 35);
      for (int level = leaf; offered && level <= 5; ++level)
        refines("WriteVtdStep", level, ", leaf at " + std::to_string(leaf), [&](Explorer* e) {
          RefineVtdWriter(e, level, leaf, regs, model::WriteVtdStep<Sym, OneTable>);
        });
    }
    for (int level = 1; level <= 5; ++level)
      refines("ClearVtdStep", level, "", [&](Explorer* e) { RefineVtdClear(e, level, regs); });
  }
  for (const VtdUnit& unit : Supports()) {
    const VtdRegs& regs = unit.regs;
    equals("VT-d context, " + unit.name, [&](Explorer* e) { CompareContexts(e, regs); });
    equals("VT-d PASID entry, " + unit.name, [&](Explorer* e) { ComparePasids(e, regs); });
    for (bool wide : {false, true}) {
      if (unit.name == "no PT") continue;  // a descriptor depends on MAMV only
      const std::string queue = wide ? "256-bit queue, " : "128-bit queue, ";
      equals("VT-d descriptor, " + queue + unit.name,
             [&](Explorer* e) { CompareInvalidations(e, wide, regs); });
      add("VT-d Covers, " + queue + unit.name, "every descriptor and entry", Shape::kEquals,
          [&](Explorer* e) { CompareVtdCovers(e, wide, regs, model::Covers<Sym>); });
    }
  }
}

}  // namespace twinwalk::proofs
