// Page tables of HWPTs: making, filling, emptying and freeing them, their tags, and the
// invalidations that each change of a table needs (SMMUv3 sheet 7 to 9).
#include <algorithm>
#include <bit>
#include <cerrno>

#include "model/frame_batch.h"
#include "model/stack.h"
#include "traces/check.h"

namespace twinwalk::model {
namespace {

constexpr uint64_t kStage1Bits = 48;
constexpr uint64_t kMostSingle = 256;  // pages that are invalidated one by one without ranges

void SetBit(std::vector<uint64_t>* bits, uint32_t n) {
  if (bits->size() <= n / 64) bits->resize(n / 64 + 1);
  (*bits)[n / 64] |= uint64_t{1} << n % 64;
}

}  // namespace

// ---- Tags
// ----------------------------------------------------------------------------------------

// From 1; 0 when there is none.
uint16_t Stack::LowestFreeTag(uint32_t smmu, bool vmid) {
  const std::vector<uint64_t>& bits = vmid ? vmids_[smmu] : asids_[smmu];
  const uint32_t limit = IsVtd(smmu) ? vtd(smmu).config().didLimit
                         : vmid      ? world_.smmus[smmu].vmidLimit
                                     : world_.smmus[smmu].asidLimit;
  if (faults_.m03SameVmidTwice && vmid) return limit > 1 ? 1 : 0;
  for (uint32_t word = 0; word * 64 < limit; ++word) {
    const uint64_t used = (word < bits.size() ? bits[word] : 0) | (word == 0 ? 1 : 0);
    if (used == ~uint64_t{0}) continue;
    const uint32_t tag = word * 64 + static_cast<uint32_t>(std::countr_one(used));
    return tag < limit ? static_cast<uint16_t>(tag) : 0;
  }
  return 0;
}

void Stack::ReleaseTag(Hwpt* hwpt) {
  const bool second = hwpt->second_stage();
  std::vector<uint64_t>& bits = second ? vmids_[hwpt->smmu] : asids_[hwpt->smmu];
  const uint32_t tag = second ? hwpt->vmid : hwpt->asid;
  bits[tag / 64] &= ~(uint64_t{1} << tag % 64);
  MicroStep<uint64_t> step;
  step.kind = MicroStepKind::kTagFreed;
  step.tag = TagOf(hwpt);
  step.owner = hwpt->key();
  Announce(step);
}

// ---- Making and destroying
// -----------------------------------------------------------------------

int Stack::PinAll(Ioas* ioas) {
  for (auto it = ioas->space.areas().begin(); it != ioas->space.areas().end(); ++it) {
    const int error = PinToMap(&it->second);
    if (error == 0) continue;
    for (auto done = ioas->space.areas().begin(); done != it; ++done) Unpin(&done->second);
    return error;
  }
  return 0;
}

Hwpt* Stack::Prepare(Context* context, Ioas* ioas, uint32_t smmu, uint32_t flags, bool automatic,
                     int* error) {
  const bool nest = (flags & 1) != 0, vt_d = IsVtd(smmu), second = nest || vt_d;
  const VtdTables tables = vt_d ? vtd(smmu).tables() : VtdTables{};
  *error = EOPNOTSUPP;
  if (tables.levels == 0) return nullptr;
  const uint16_t tag = LowestFreeTag(smmu, second);
  *error = second ? ENOSPC : EBUSY;
  if (tag == 0) return nullptr;
  const uint64_t bits = vt_d   ? static_cast<uint64_t>(tables.inputBits)
                        : nest ? static_cast<uint64_t>(smmus_[smmu].OutputBits())
                               : kStage1Bits;
  *error = EADDRINUSE;
  if (!ioas->space.AllAligned(kPageSize)) return nullptr;
  if (ioas->space.MeetsArea(uint64_t{1} << bits, ~uint64_t{0})) return nullptr;
  if (ioas->space.MeetsAllowed(uint64_t{1} << bits, ~uint64_t{0})) return nullptr;
  if (ioas->hwpts.empty()) {
    *error = PinAll(ioas);
    if (*error != 0) return nullptr;
  }
  Hwpt* hwpt = context->Add(std::make_unique<Hwpt>());
  hwpt->ioas = ioas;
  hwpt->smmu = smmu;
  hwpt->nestParent = nest;
  hwpt->automatic = automatic;
  hwpt->allowPasid = (flags & 8) != 0;
  (second ? hwpt->vmid : hwpt->asid) = tag;
  SetBit(second ? &vmids_[smmu] : &asids_[smmu], tag);
  if (vt_d)
    hwpt->table.emplace(&memory_, tables);
  else
    hwpt->table.emplace(&memory_, nest ? TableStage::kStage2 : TableStage::kStage1,
                        static_cast<int>(bits));
  ioas->hwpts.push_back(hwpt);
  ioas->space.set_alignment(kPageSize);
  ioas->space.Reserve(uint64_t{1} << bits, ~uint64_t{0}, hwpt);
  if (!second) WriteCd(hwpt);
  MicroStep<uint64_t> step;
  step.kind = MicroStepKind::kTagAllocated;
  step.tag = TagOf(hwpt);
  step.owner = hwpt->key();
  Announce(step);
  *error = 0;
  return hwpt;
}

// A context descriptor of the host: TTB0 only, 48 bits, faults are recorded and abort.
void Stack::WriteCd(Hwpt* hwpt) {
  hwpt->cdFrame = memory_.Allocate(0, 0);
  const uint64_t oas = smmus_[hwpt->smmu].config().idr[5] & 7;
  const uint64_t at = hwpt->cdFrame * kPageSize;
  const uint64_t word0 = (64 - kStage1Bits) | 1 << 8 | 1 << 10 | 3 << 12 |  // WB, inner shared
                         uint64_t{1} << 30 | uint64_t{1} << 31 |            // EPD1, V
                         oas << 32 | uint64_t{1} << 41 |                    // IPS, AA64
                         uint64_t{3} << 45 | uint64_t{1} << 47 |            // R, A, ASET
                         uint64_t{hwpt->asid} << 48;
  memory_.Write64(at, word0);
  memory_.Write64(at + 8, hwpt->table->root());
  memory_.Write64(at + 24, 0xff);  // attribute 0: write-back
}

void Stack::Show(Hwpt* hwpt) {
  for (const auto& [first, area] : hwpt->ioas->space.areas()) ShowArea(hwpt, area);
}

void Stack::DestroyHwpt(Hwpt* hwpt) {
  Ioas* ioas = hwpt->ioas;
  std::erase(ioas->hwpts, hwpt);
  for (const auto& [first, area] : ioas->space.areas())
    for (const Run& run : area.runs) AnnounceRun(MicroStepKind::kMapGone, hwpt, run, area.rights);
  if (!faults_.vmidReleasedEarly) InvalidateTag(hwpt);
  if (ioas->hwpts.empty()) {
    for (auto& [first, area] : ioas->space.areas()) Unpin(&area);
    ioas->space.set_alignment(ioas->space.least_alignment());
  }
  ioas->space.Unreserve(hwpt);
  if (hwpt->fault != nullptr) --hwpt->fault->hwpts;
  MicroStep<uint64_t> step;
  step.kind = MicroStepKind::kTableFrameFreed;
  step.tag = TagOf(hwpt);
  step.last = (uint64_t{1} << hwpt->table->input_bits()) - 1;
  Announce(step);
  hwpt->table->FreeAll();
  if (!hwpt->second_stage()) memory_.Free(hwpt->cdFrame);
  ReleaseTag(hwpt);
  FindContext(hwpt->context)->Remove(hwpt->id, false);
}

// ---- Areas
// ---------------------------------------------------------------------------------------

void Stack::ShowArea(Hwpt* hwpt, const Area& area) {
  const uint8_t rights = area.rights;
  for (const Run& run : area.runs) {
    const uint64_t page = run.offset / kPageSize;
    const uint64_t pages = (run.last - run.first) / kPageSize + 1;
    hwpt->table->set_large_leaves(hwpt->ioas->space.large_pages());
    FrameBatch batch(run.first, faults_.m12CarryCounts);
    const auto put = [&](uint64_t at, uint64_t frame, uint64_t count) {
      hwpt->table->Map(at, count, rights, [&](uint64_t i) { return frame + i; });
    };
    for (uint64_t i = 0; i < pages; ++i)
      batch.Add(run.backing->Touch(&memory_, page + i, false), put);
    batch.Finish(put);
    AnnounceRun(MicroStepKind::kMapVisible, hwpt, run, rights);
  }
  // In caching mode the unit may remember that nothing was there (VT-d sheet 9).
  if (!area.runs.empty() && IsVtd(hwpt->smmu) && vtd(hwpt->smmu).caching_mode())
    vtd(hwpt->smmu).InvalidateRange(hwpt->vmid, area.first, area.last, true);
}

void Stack::HideArea(Hwpt* hwpt, const Area& area, std::vector<FreedTable>* freed) {
  for (const Run& run : area.runs) {
    hwpt->table->Unmap(run.first, run.last, faults_.m14FrameZeroIsUnmapped, freed);
    AnnounceRun(MicroStepKind::kMapGone, hwpt, run, area.rights);
  }
}

void Stack::FreeTables(Hwpt* hwpt, const std::vector<FreedTable>& freed) {
  for (const FreedTable& table : freed) {
    MicroStep<uint64_t> step;
    step.kind = MicroStepKind::kTableFrameFreed;
    step.tag = TagOf(hwpt);
    step.first = table.first;
    step.last = table.last;
    // A table is freed for the part of its range that was removed last; its neighbours' areas went
    // before.
    Announce(step);
    memory_.Free(table.frame);
  }
}

void Stack::RemoveArea(Ioas* ioas, Space::Areas::iterator at) {
  Area& area = at->second;
  std::vector<std::vector<FreedTable>> freed(ioas->hwpts.size());
  for (size_t i = 0; i < freed.size(); ++i) HideArea(ioas->hwpts[i], area, &freed[i]);
  if (faults_.unpinBeforeInvDone) Unpin(&area);
  if (!faults_.m36PagesFreedBeforeFlush)
    for (size_t i = 0; i < freed.size(); ++i)
      InvalidateRange(ioas->hwpts[i], area.first, area.last, !freed[i].empty());
  Unpin(&area);
  for (size_t i = 0; i < freed.size(); ++i) FreeTables(ioas->hwpts[i], freed[i]);
  ForgetArea(ioas, at);
}

// ---- Invalidations
// -------------------------------------------------------------------------------

// For a planted fault: another live VMID, or the next number.
uint64_t Stack::WrongVmid(const Hwpt* hwpt) const {
  const std::vector<uint64_t>& bits = vmids_[hwpt->smmu];
  for (uint32_t n = 1; n < bits.size() * 64; ++n)
    if (n != hwpt->vmid && (bits[n / 64] >> n % 64 & 1) != 0) return n;
  return hwpt->vmid + 1u;
}

void Stack::InvalidateRange(Hwpt* hwpt, uint64_t first, uint64_t last, bool tables) {
  const uint64_t vmid =
      faults_.invalidateWrongVmid && hwpt->second_stage() ? WrongVmid(hwpt) : hwpt->vmid;
  const uint64_t end = faults_.m28LastPageNotFlushed ? last - (kPageSize - 1) : last + 1;
  if (IsVtd(hwpt->smmu)) {
    if (end != first)
      vtd(hwpt->smmu).InvalidateRange(static_cast<uint16_t>(vmid), first, end - 1, tables);
    return;
  }
  Smmu& smmu = smmus_[hwpt->smmu];
  uint64_t pages = (end - first) / kPageSize;
  const bool ranged = (smmu.config().idr[3] >> 10 & 1) != 0;  // RIL
  if (!ranged && pages > kMostSingle) return InvalidateTag(hwpt);

  MicroStep<uint64_t> step;
  step.scope = hwpt->nestParent ? InvScope::kStage2Range : InvScope::kVaRange;
  step.tag = {hwpt->smmu, vmid, hwpt->asid};
  step.first = first;
  step.last = end - 1;
  smmu.Expect(step);
  const Opcode opcode = hwpt->nestParent ? kTlbiS2Ipa : kTlbiNhVa;
  for (uint64_t at = first; pages > 0;) {
    // The lowest 31 pages' worth of bits at a time (sheet 7.1); one page goes without range fields.
    const uint64_t scale = ranged ? std::min<uint64_t>(std::countr_zero(pages), 31) : 0;
    const uint64_t num = ranged ? pages >> scale & 31 : 1;
    smmu.Submit(TlbiRange(opcode, vmid, hwpt->asid, at, num == 1 && scale == 0 ? 0 : num, scale));
    at += (num << scale) * kPageSize;
    pages -= num << scale;
  }
  if (hwpt->nestParent) {
    smmu.Sync();
    if (!faults_.m18UnmapKeepsCombined) {
      step.scope = InvScope::kStage1Vmid;
      step.first = step.last = 0;
      smmu.Expect(step);
      smmu.Submit(TlbiCommand(kTlbiNhAll, vmid, 0));
    }
  }
  smmu.Sync();
}

void Stack::InvalidateTag(Hwpt* hwpt) {
  const uint64_t vmid =
      faults_.invalidateWrongVmid && hwpt->second_stage() ? WrongVmid(hwpt) : hwpt->vmid;
  if (IsVtd(hwpt->smmu)) return vtd(hwpt->smmu).InvalidateDomain(static_cast<uint16_t>(vmid));
  Smmu& smmu = smmus_[hwpt->smmu];
  MicroStep<uint64_t> step;
  step.scope = hwpt->nestParent ? InvScope::kVmid : InvScope::kAsid;
  step.tag = {hwpt->smmu, vmid, hwpt->asid};
  smmu.Expect(step);
  smmu.Submit(TlbiCommand(hwpt->nestParent ? kTlbiS12Vmall : kTlbiNhAsid, vmid, hwpt->asid));
  smmu.Sync();
}

}  // namespace twinwalk::model
