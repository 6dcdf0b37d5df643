// Hardware level: registers, stream table and a bit-exact stage 2 (hw 1, 2, 4.3, "Required order").
#include "reference/walk_smmuv3.h"

#include <algorithm>

#include "traces/check.h"

namespace twinwalk::reference {
namespace {

using D = Concrete;

// What stage 2 says of one address.
struct Stage2Answer {
  Fault<D> fault;
  uint64_t pa = 0;
  uint64_t permissions = 0;  // kUserRead, kUserWrite, kUserExec
  uint64_t size = 0;
};

// Step 11. `cls` of the faults it raises; `need` as Permission bits.
Stage2Answer WalkStage2(const StreamEntry<D>& ste, WalkMemory& memory, uint64_t ipa, uint64_t need,
                        uint64_t cls) {
  Stage2Answer out;
  const auto fail = [&](uint64_t event, uint64_t word3) {
    out.fault = FaultOf<D>(event);
    out.fault.stage2 = 1, out.fault.cls = cls, out.fault.word3 = word3;
    return out;
  };
  const uint64_t page = ipa & Mask(51, 12);
  if (Exceeds(ipa, ste.s2size)) return fail(kTranslation, page);
  const int granule = static_cast<int>(ste.s2granule);
  int level = static_cast<int>(ste.s2level);
  // 4.3: concatenated tables are one big table with one big index, aligned to its size.
  const uint64_t entries = uint64_t{1} << (ste.s2size - ShiftOf(level, granule));
  uint64_t table = ste.s2ttb & ~(std::max<uint64_t>(entries * 8, 64) - 1);
  uint64_t mask = entries - 1;
  for (; level <= 3; ++level, mask = (uint64_t{1} << (granule - 3)) - 1) {
    const int shift = ShiftOf(level, granule);
    const uint64_t address = table + ((ipa >> shift) & mask) * 8;
    uint64_t word = 0;
    if (!memory.Read64(address, &word)) {
      fail(kWalkAbort, address);
      out.fault.cls = 1;
      return out;
    }
    Descriptor<D> d = DecodeStage2<D>(word, level, granule);
    if (ste.wide == 0) d.output &= Mask(47, 0);
    if (d.kind == kInvalidDescriptor) return fail(kTranslation, page);
    if (Exceeds(d.output, ste.s2outputBits)) return fail(kAddrSize, page);
    if (d.kind == kTableDescriptor) {
      table = d.output;
      continue;
    }
    if (d.accessFlag == 0 && ste.s2affd == 0) return fail(kAccess, page);
    if ((d.permissions & need) != need) return fail(kPermission, page);
    const uint64_t span = (uint64_t{1} << shift) - 1;
    out.pa = d.output | (ipa & span);
    out.permissions = d.permissions;
    out.size = span + 1;
    return out;
  }
  return fail(kTranslation, page);
}

// What stage 1 stands on: physical memory, or the IPAs of a nested configuration.
class Physical {
 public:
  Physical(const StreamEntry<D>& ste, WalkMemory& memory) : ste_(ste), memory_(memory) {}
  Fetched<D> Fetch(uint64_t address, AccessClass cls, int words) {
    Fetched<D> out;
    const uint64_t fault_class = cls == kCdFetch ? 0 : 1;
    if (ste_.stage2 != 0) {
      const Stage2Answer s2 = WalkStage2(ste_, memory_, address, kUserRead, fault_class);
      if (s2.fault.event != 0) return out.fault = s2.fault, out;
      address = s2.pa;
    }
    for (int i = 0; i < words; ++i) {
      if (memory_.Read64(address + 8 * static_cast<uint64_t>(i),
                         &out.words[static_cast<size_t>(i)]))
        continue;
      out.fault = FaultOf<D>(cls == kCdFetch ? kCdFetchAbort : kWalkAbort);
      out.fault.cls = fault_class;
      out.fault.word3 = address;
      return out;
    }
    return out;
  }
  const RetainedRow<D>* RetainedCd(uint64_t) { return nullptr; }
  const RetainedRow<D>* RetainedLeaf(uint64_t, uint64_t) { return nullptr; }
  const RetainedRow<D>* RetainedTable(uint64_t, uint64_t, int, uint64_t) { return nullptr; }
  void MadeCd(uint64_t, const std::array<uint64_t, 3>&) {}
  void MadeTable(uint64_t, uint64_t, uint64_t, int, uint64_t, uint64_t) {}
  void MadeLeaf(uint64_t, const Stage1Answer<D>&, uint64_t) {}

 private:
  const StreamEntry<D>& ste_;
  WalkMemory& memory_;
};

// Steps 2 and 3: finds and reads the STE. False: `fault` says why; kBadStreamId may be unrecorded.
bool ReadSte(const SmmuRegs& regs, WalkMemory& memory, uint32_t sid, std::array<uint64_t, 4>* ste,
             Fault<D>* fault) {
  const uint32_t log2size = regs.strtabBaseCfg & 0x3f, sid_size = regs.idr[1] & 0x3f;
  const bool two_level = (regs.strtabBaseCfg >> 16 & 3) == 1;
  const uint64_t field = regs.strtabBase & Mask(51, 6);
  const auto abort = [&](uint64_t address) {
    *fault = FaultOf<D>(kSteFetch);
    fault->word3 = address;
    return false;
  };
  *fault = FaultOf<D>(kBadStreamId);
  if (Exceeds(uint64_t{sid}, uint64_t{std::min(log2size, sid_size)})) return false;
  uint64_t address = 0;
  if (!two_level) {
    const uint64_t low = log2size + 6 >= 64 ? ~uint64_t{0} : (uint64_t{1} << (log2size + 6)) - 1;
    address = (field & ~low) + uint64_t{64} * sid;
  } else {
    uint32_t split = regs.strtabBaseCfg >> 6 & 31;
    if (split != 8 && split != 10) split = 6;
    const int bits = std::max(5, static_cast<int>(log2size) - static_cast<int>(split) - 1 + 3);
    const uint64_t base = field & ~((uint64_t{1} << bits) - 1);
    const uint64_t l1_address = base + uint64_t{8} * (sid >> split);
    uint64_t l1 = 0;
    if (!memory.Read64(l1_address, &l1)) return abort(l1_address);
    const uint64_t span = l1 & 31, index = sid & ((1u << split) - 1);
    if (span == 0 || span > 11 || index >= uint64_t{1} << (span - 1)) return false;
    const uint64_t array = uint64_t{64} << (span - 1);
    address = (l1 & Mask(51, 6) & ~(array - 1)) + 64 * index;
  }
  for (size_t i = 0; i < 4; ++i)
    if (!memory.Read64(address + 8 * i, &(*ste)[i])) return abort(address);
  *fault = Fault<D>();
  return true;
}

uint64_t NeedOf(bool write, bool privileged, bool instruction) {
  if (instruction && !write) return privileged ? kPrivExec : kUserExec;
  return write ? (privileged ? kPrivWrite : kUserWrite) : (privileged ? kPrivRead : kUserRead);
}
uint64_t Stage2Need(bool write, bool instruction) {
  return write ? kUserWrite : instruction ? kUserExec : kUserRead;
}

}  // namespace

WalkAnswer WalkSmmuv3(const SmmuRegs& regs, WalkMemory& memory, const WalkQuery& q) {
  WalkAnswer out;
  bool privileged = q.privileged, instruction = q.instruction && !q.write;
  const auto silent = [&] { return out = WalkAnswer(), out.event = kAbortedSilently, out; };
  const auto bypass = [&] {
    out = WalkAnswer();
    out.bypass = true, out.pa = q.address, out.rights = kRead | kWrite;
    return out;
  };
  const auto fail = [&](const Fault<D>& fault, bool recorded) {
    if (!recorded) return silent();
    out = WalkAnswer();
    out.event = static_cast<uint8_t>(fault.event);
    out.record =
        RecordOf<D>(fault, q.sid, q.hasSsid, q.ssid, q.address, q.write, privileged, instruction);
    return out;
  };

  // 1.
  if (!regs.enabled) return regs.gbpaAbort ? silent() : bypass();
  // 2, 3.
  std::array<uint64_t, 4> words{};
  Fault<D> fault;
  if (!ReadSte(regs, memory, q.sid, &words, &fault))
    return fail(fault, fault.event != kBadStreamId || regs.recInvSid);
  const StreamEntry<D> ste = DecodeSte<D>(words, regs.idr);
  if (ste.verdict == 2) return silent();
  if (ste.verdict == 1) return fail(FaultOf<D>(kBadSte), true);
  // 4: no ATS here.
  // 5.
  if (q.hasSsid && ste.stage1 == 0) return fail(FaultOf<D>(kBadSubstreamId), true);
  if (ste.stage1 == 0 && ste.stage2 == 0) return bypass();
  const uint64_t privcfg = Bits(words[1], 49, 48), instcfg = Bits(words[1], 51, 50);
  if (privcfg >= 2) privileged = privcfg == 3;  // hw 2.1: overrides of what comes in
  if (instcfg >= 2) instruction = instcfg == 3 && !q.write;

  out.vmid = static_cast<uint16_t>(ste.vmid);
  uint64_t address = q.address, size = 0;
  uint64_t rights = kRead | kWrite;
  bool stage1 = ste.stage1 != 0;
  Physical under(ste, memory);
  if (stage1) {
    // 6 to 8.
    const CdAnswer<D> found = FindCd<D>(under, ste, regs.idr, q.hasSsid, q.ssid);
    // A stage-2 fault on a CD or table obeys S2R, a stage-1 fault CD.R; C_* and aborts are
    // recorded.
    const auto recorded = [&](const Fault<D>& f) {
      if (f.event < kTranslation) return true;
      return f.stage2 != 0 ? ste.s2record != 0 : found.cd.record != 0;
    };
    if (found.fault.event != 0) return fail(found.fault, recorded(found.fault));
    stage1 = !found.bypass;
    if (stage1) {
      // 9, 10.
      const Half<D> half = PickHalf<D>(found.cd, q.address);
      if (half.fault.event != 0) return fail(half.fault, recorded(half.fault));
      const Stage1Answer<D> s1 =
          WalkStage1<D>(under, found.cd, half, NeedOf(q.write, privileged, instruction));
      if (s1.fault.event != 0) return fail(s1.fault, recorded(s1.fault));
      address = s1.output;
      size = s1.last - s1.first + 1;
      const uint64_t may = s1.permissions;
      rights = (may & (privileged ? kPrivRead : kUserRead) ? kRead : 0) |
               (may & (privileged ? kPrivWrite : kUserWrite) ? kWrite : 0);
      out.global = s1.global != 0;
      out.asid = out.global ? 0 : static_cast<uint16_t>(found.cd.asid);
    } else if (ste.stage2 == 0) {
      return bypass();
    }
  }
  // 11.
  if (ste.stage2 != 0) {
    if (!stage1 && Exceeds(address, OutputBits(regs.idr))) return fail(FaultOf<D>(kAddrSize), true);
    const Stage2Answer s2 = WalkStage2(ste, memory, address, Stage2Need(q.write, instruction), 2);
    if (s2.fault.event != 0)
      return fail(s2.fault, s2.fault.event < kTranslation || ste.s2record != 0);
    address = s2.pa;
    size = stage1 ? std::min(size, s2.size) : s2.size;
    rights &= (s2.permissions & kUserRead ? kRead : 0) | (s2.permissions & kUserWrite ? kWrite : 0);
  }
  // 12.
  out.pa = address;
  out.size = size;
  out.rights = static_cast<uint8_t>(rights);
  return out;
}

}  // namespace twinwalk::reference
