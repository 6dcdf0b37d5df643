#include "proofs/walks.h"

#include "model/commands_smmuv3.h"
#include "model/decode_smmuv3.h"
#include "model/tables_smmuv3.h"
#include "proofs/walk_rows.h"
#include "proofs/walks_vtd.h"
#include "reference/cache_smmuv3.h"
#include "reference/decode_smmuv3.h"
#include "traces/world.h"

namespace twinwalk::proofs {
namespace {

using Idr = std::array<uint32_t, 6>;

// The registers of a default World, and of one with 52-bit addresses.
std::vector<std::pair<std::string, Idr>> Registers() {
  Idr wide = SmmuConfig().idr;
  wide[5] = 6 | 1 << 10 | 0x70;  // OAS 52 bits, VAX
  return {{"default IDR", SmmuConfig().idr}, {"52-bit IDR", wide}};
}
std::array<W, 6> Words(const Idr& idr) {
  std::array<W, 6> words;
  for (size_t i = 0; i < 6; ++i) words[i] = uint64_t{idr[i]};
  return words;
}

void CompareDescriptors(Explorer* e, const Descriptor<Sym>& ours, const Descriptor<Sym>& theirs) {
  const auto f = [&](const char* field, const W& a, const W& b) { Same(e, field, true, a, b); };
  f("kind", ours.kind, theirs.kind), f("output", ours.output, theirs.output);
  f("permissions", ours.permissions, theirs.permissions), f("limits", ours.limits, theirs.limits);
  f("accessFlag", ours.accessFlag, theirs.accessFlag);
  f("notGlobal", ours.notGlobal, theirs.notGlobal);
  Canary(e, ours.kind, theirs.kind);
}

void AddDescriptors(std::vector<TheoremRow>* rows) {
  for (int stage : {1, 2})
    for (int granule : {12, 14, 16})
      for (int level = 0; level <= 3; ++level) {
        const std::string name = "DecodeStage" + std::to_string(stage) + " level " +
                                 std::to_string(level) + " granule " +
                                 std::to_string(1 << (granule - 10)) + "K";
        for (TheoremRow& row : ProveEquals(name, "every word", Shape::kEquals, [&](Explorer* e) {
               const W word = e->Fresh("word");
               if (stage == 1) {
                 CompareDescriptors(e, model::DecodeStage1<Sym>(word, level, granule),
                                    reference::DecodeStage1<Sym>(word, level, granule));
               } else {
                 CompareDescriptors(e, model::DecodeStage2<Sym>(word, level, granule),
                                    reference::DecodeStage2<Sym>(word, level, granule));
               }
             }))
          rows->push_back(std::move(row));
      }
}

void CompareCds(Explorer* e, const Idr& idr) {
  const W w0 = e->Fresh("w0"), w1 = e->Fresh("w1"), w2 = e->Fresh("w2");
  const ContextDescriptor<Sym> a =
      model::DecodeCd<Sym>({w0, w1, w2, W(0), W(0), W(0), W(0), W(0)}, Words(idr), W(0));
  const ContextDescriptor<Sym> b = reference::DecodeCd<Sym>(w0, w1, w2, idr);
  Same(e, "legal", true, a.legal, b.legal);
  Canary(e, a.legal, b.legal);
  const B legal = b.legal != W(0);
  const B low = legal && b.off0 == W(0), high = legal && b.off1 == W(0);
  Same(e, "asid", legal, a.asid, b.asid), Same(e, "outputBits", legal, a.outputBits, b.outputBits);
  Same(e, "off0", legal, a.off0, b.off0), Same(e, "off1", legal, a.off1, b.off1);
  Same(e, "ttb0", low, a.ttb0, b.ttb0), Same(e, "ttb1", high, a.ttb1, b.ttb1);
  Same(e, "size0", low, a.size0, b.size0), Same(e, "size1", high, a.size1, b.size1);
  Same(e, "granule0", low, a.granule0, b.granule0);
  Same(e, "granule1", high, a.granule1, b.granule1);
  Same(e, "tbi", legal, a.tbi0 * 2 + a.tbi1, b.tbi0 * 2 + b.tbi1);
  Same(e, "hads", legal, a.hads0 * 2 + a.hads1, b.hads0 * 2 + b.hads1);
  Same(e, "affd", legal, a.affd, b.affd), Same(e, "wxn", legal, a.wxn, b.wxn);
  Same(e, "record", legal, a.record, b.record), Same(e, "abort", legal, a.abort, b.abort);
}

void CompareStes(Explorer* e, const Idr& idr) {
  const std::array<W, 4> w{e->Fresh("w0"), e->Fresh("w1"), e->Fresh("w2"), e->Fresh("w3")};
  const StreamEntry<Sym> a = model::DecodeSte<Sym>(w, Words(idr));
  const StreamEntry<Sym> b = reference::DecodeSte<Sym>(w, idr);
  Same(e, "verdict", true, a.verdict, b.verdict);
  Canary(e, a.verdict, b.verdict);
  const B used = b.verdict == W(0);
  const B s1 = used && b.stage1 != W(0), s2 = used && b.stage2 != W(0);
  Same(e, "stage1", used, a.stage1, b.stage1), Same(e, "stage2", used, a.stage2, b.stage2);
  Same(e, "contextPtr", s1, a.contextPtr, b.contextPtr), Same(e, "s1fmt", s1, a.s1fmt, b.s1fmt);
  Same(e, "s1cdmax", s1, a.s1cdmax, b.s1cdmax), Same(e, "s1dss", s1, a.s1dss, b.s1dss);
  Same(e, "vmid", s2, a.vmid, b.vmid), Same(e, "s2ttb", s2, a.s2ttb, b.s2ttb);
  Same(e, "s2size", s2, a.s2size, b.s2size), Same(e, "s2level", s2, a.s2level, b.s2level);
  Same(e, "s2granule", s2, a.s2granule, b.s2granule);
  Same(e, "s2outputBits", s2, a.s2outputBits, b.s2outputBits);
  Same(e, "s2affd", s2, a.s2affd, b.s2affd), Same(e, "s2record", s2, a.s2record, b.s2record);
}

void CompareCommands(Explorer* e, bool strict, bool ril) {
  const W w0 = e->Fresh("w0"), w1 = e->Fresh("w1"), vmid = e->Fresh("vmid", 0xffff);
  const HostCommand<Sym> a = model::TranslateCommand<Sym>(w0, w1, vmid, strict);
  const HostCommand<Sym> b = reference::TranslateCommand<Sym>(w0, w1, vmid, strict, ril);
  const B allowed = b.allowed != W(0);
  Same(e, "allowed", true, a.allowed, b.allowed);
  Same(e, "needsStream", allowed, a.needsStream, b.needsStream);
  Same(e, "word0", allowed, a.word0, b.word0), Same(e, "word1", allowed, a.word1, b.word1);
  Canary(e, a.allowed, b.allowed);
}

// What the reference says must go, goes in the model (which may drop more).
void CompareCovers(Explorer* e, bool ril) {
  const W w0 = e->Fresh("w0"), w1 = e->Fresh("w1"), smmu = e->Fresh("smmu", 1);
  RetainedRow<Sym> row =
      FreshRow<RetainedRow<Sym>>(e, "row", [](const char*, const char*) { return ~uint64_t{0}; });
  row.smmu = smmu;
  e->Assume(row.first <= row.last);
  const B must = reference::Covers(reference::DecodeCommand<Sym>(smmu, w0, w1, ril), row);
  const B does = model::Covers<Sym>(w0, w1, row);
  const auto opcode = [&](uint64_t code) { return (w0 & W(0xff)) == W(code); };
  const auto range = [&] {
    return opcode(reference::kTlbiNhVa) || opcode(reference::kTlbiNhVaa) ||
           opcode(reference::kTlbiS2Ipa);
  };
  e->Prove("model removes what must go, ranges", "", !range() || !must || does);
  e->Prove("model removes what must go, others", "", range() || !must || does);
  e->Prove("canary: nothing must go", "", !must);
}

// Stage 2 of the model, read by the reference: after the step the entry says what was to be mapped,
// a link leads to the fresh table, nothing that was in use is touched, and one word at most is
// written.
void RefineWriter(Explorer* e, int level, int leaf_level) {
  OneTable memory(e);
  const W table = e->Fresh("table", 0x0000fffffffff000), input = e->Fresh("input", 0xffffffffffff);
  const W rights = e->Fresh("rights", 3);
  const uint64_t size = uint64_t{1} << reference::ShiftOf(leaf_level, 12);
  const W address = e->Fresh("address", 0x0000ffffffffffff & ~(size - 1));
  const W leaf =
      model::LeafDescriptor<Sym>(leaf_level, address, rights, model::TableStage::kStage2);
  const auto step = model::WriteStep<Sym>(memory, table, level, 0, leaf_level, input, leaf);
  const W where = table + ((input >> W(uint64_t(reference::ShiftOf(level, 12)))) & W(511)) * W(8);
  const Descriptor<Sym> before = reference::DecodeStage2<Sym>(memory.old, level, 12);
  e->Prove("reads its own entry", "", memory.read == where);
  e->Prove("one word at most", "", memory.writes.size() <= 1);
  if (memory.writes.empty()) {
    const B follows = before.kind == W(kTableDescriptor) && step.next == before.output;
    e->Prove("what is in use stays", "", step.failed != W(0) || follows);
    return;
  }
  e->Prove("writes its own entry", "", memory.writes[0].first == where);
  e->Prove("what is in use stays", "", before.kind == W(kInvalidDescriptor));
  e->Prove("canary: never writes", "", false);
  const Descriptor<Sym> now = reference::DecodeStage2<Sym>(memory.writes[0].second, level, 12);
  if (level != leaf_level) {
    e->Prove(
        "links the fresh table", "",
        now.kind == W(kTableDescriptor) && now.output == memory.fresh && step.next == memory.fresh);
    return;
  }
  const W user = Select((rights & W(kRead)) != W(0), W(kUserRead), W(0)) |
                 Select((rights & W(kWrite)) != W(0), W(kUserWrite), W(0));
  e->Prove("leaf says the area", "",
           now.kind == W(kLeafDescriptor) && now.output == address && now.accessFlag == W(1) &&
               (now.permissions & W(kUserRead | kUserWrite)) == user);
}

void RefineClear(Explorer* e, int level) {
  OneTable memory(e);
  const W table = e->Fresh("table", 0x0000fffffffff000), input = e->Fresh("input", 0xffffffffffff);
  const W old = model::ClearStep<Sym>(memory, table, level, 0, input);
  const W where = table + ((input >> W(uint64_t(reference::ShiftOf(level, 12)))) & W(511)) * W(8);
  e->Prove("gives back what stood there", "", old == memory.old && memory.read == where);
  e->Prove("clears its own entry", "",
           B(memory.writes.size() == 1) && memory.writes[0].first == where &&
               reference::DecodeStage2<Sym>(memory.writes[0].second, level, 12).kind ==
                   W(kInvalidDescriptor));
}

}  // namespace

std::vector<TheoremRow> ProveWalks() {
  std::vector<TheoremRow> rows;
  const auto add = [&](const std::string& name, const std::string& bounds, Shape shape,
                       const std::function<void(Explorer*)>& f) {
    for (TheoremRow& row : ProveEquals(name, bounds, shape, f)) rows.push_back(std::move(row));
  };
  AddDescriptors(&rows);
  for (const auto& registers : Registers()) {
    add("DecodeCd, " + registers.first, "words 0 to 2, every word", Shape::kEquals,
        [&](Explorer* e) { CompareCds(e, registers.second); });
    add("DecodeSte, " + registers.first, "words 0 to 3, every word", Shape::kEquals,
        [&](Explorer* e) { CompareStes(e, registers.second); });
  }
  for (bool strict : {false, true})
    add(strict ? "TranslateCommand, reserved bits refused" : "TranslateCommand", "every command",
        Shape::kEquals, [&](Explorer* e) { CompareCommands(e, strict, true); });
  add("Covers", "every command and entry", Shape::kEquals,
      [&](Explorer* e) { CompareCovers(e, true); });
  for (int leaf = 1; leaf <= 3; ++leaf)
    for (int level = leaf == 3 ? 0 : leaf; level <= leaf; ++level)
      add("WriteStep level " + std::to_string(level) + ", leaf at " + std::to_string(leaf),
          "one entry, one page, every word", Shape::kRefines,
          [&](Explorer* e) { RefineWriter(e, level, leaf); });
  for (int level = 1; level <= 3; ++level)
    add("ClearStep level " + std::to_string(level), "one entry, every word", Shape::kRefines,
        [&](Explorer* e) { RefineClear(e, level); });
  AddVtdWalks(&rows);
  return rows;
}

}  // namespace twinwalk::proofs
