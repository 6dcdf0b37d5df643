// VT-d's walk in the sheet's numbered order of checks (hw-vtd, "Required order of checks"),
// single-valued. Covered: legacy mode; scalable mode with second-stage (PGTT 2) and pass-through
// (PGTT 4) entries. Not covered, and answered as a type that the unit does not support (0x5b):
// first-stage and nested entries (PGTT 1, 3) once step 4 is passed. Not covered either: what
// interrupt remapping says of a request in its range, abort-DMA mode (TTM 3 is refused as invalid),
// A/D bits (SSADE is decoded, nothing is written), page requests, translated requests.
#ifndef TWINWALK_REFERENCE_WALK_VTD_H_
#define TWINWALK_REFERENCE_WALK_VTD_H_

#include "reference/decode_vtd.h"

namespace twinwalk::reference {

enum VtdReason : uint64_t {  // hw-vtd 6
  kVtdRootNotPresent = 0x01,
  kVtdContextNotPresent = 0x02,
  kVtdContextInvalid = 0x03,
  kVtdBeyondWidth = 0x04,
  kVtdNoWrite = 0x05,
  kVtdNoRead = 0x06,
  kVtdEntryAccess = 0x07,
  kVtdRootAccess = 0x08,
  kVtdContextAccess = 0x09,
  kVtdRootReserved = 0x0a,
  kVtdContextReserved = 0x0b,
  kVtdEntryReserved = 0x0c,
  kVtdTypeBlocked = 0x0d,
  kVtdOutputInterrupt = 0x0e,
  kVtdModeInvalid = 0x30,
  kVtdLegacyPasid = 0x31,
  kVtdSmRootAccess = 0x38,
  kVtdSmRootNotPresent = 0x39,
  kVtdSmRootReserved = 0x3a,
  kVtdSmContextAccess = 0x40,
  kVtdSmContextNotPresent = 0x41,
  kVtdSmContextReserved = 0x42,
  kVtdNoDeviceTlb = 0x44,
  kVtdNoPasids = 0x45,
  kVtdBeyondDirectory = 0x46,
  kVtdRidPasid = 0x48,
  kVtdDirectoryAccess = 0x50,
  kVtdDirectoryNotPresent = 0x51,
  kVtdDirectoryReserved = 0x52,
  kVtdPasidAccess = 0x58,
  kVtdPasidNotPresent = 0x59,
  kVtdPasidReserved = 0x5a,
  kVtdPasidInvalid = 0x5b,
  kVtdNoSupervisor = 0x5d,
  kVtdSmEntryAccess = 0x78,
  kVtdSmEntryNotPresent = 0x79,
  kVtdSmEntryReserved = 0x7a,
  kVtdSmTableUnreadable = 0x7b,
  kVtdSmBeyondWidth = 0x83,
  kVtdSmNoWrite = 0x85,
  kVtdSmNoRead = 0x86,
  kVtdSmOutputInterrupt = 0x87,
};

// hw-vtd 6: faults that no FPD bit silences.
constexpr bool VtdUnqualified(uint64_t reason) {
  return reason == kVtdRootNotPresent || reason == kVtdRootAccess || reason == kVtdContextAccess ||
         reason == kVtdRootReserved || (reason >= 0x30 && reason <= kVtdSmContextAccess) ||
         reason == kVtdDirectoryAccess || reason == kVtdPasidAccess;
}

// The reasons that legacy and scalable mode give for the same thing in a second-stage walk.
struct VtdReasons {
  uint64_t width, topTable, access, reserved, noWrite, noRead, interrupt;
  uint64_t notPresent;  // 0: noWrite or noRead, by access
};
inline constexpr VtdReasons kVtdLegacy{
    kVtdBeyondWidth, kVtdContextInvalid, kVtdEntryAccess,     kVtdEntryReserved,
    kVtdNoWrite,     kVtdNoRead,         kVtdOutputInterrupt, 0};
inline constexpr VtdReasons kVtdScalable{
    kVtdSmBeyondWidth, kVtdSmTableUnreadable, kVtdSmEntryAccess,     kVtdSmEntryReserved,
    kVtdSmNoWrite,     kVtdSmNoRead,          kVtdSmOutputInterrupt, kVtdSmEntryNotPresent};
constexpr uint64_t VtdNoRight(const VtdReasons& reasons, bool write) {
  return write ? reasons.noWrite : reasons.noRead;
}
constexpr uint64_t VtdNotPresent(const VtdReasons& reasons, bool write) {
  return reasons.notPresent != 0 ? reasons.notPresent : VtdNoRight(reasons, write);
}

// hw-vtd 6: a fault record {lo, hi}, with F set. AT stays 0, for translation requests too.
template <class D>
std::array<typename D::W, 2> VtdRecordOf(typename D::W reason, typename D::W sid, bool has_pasid,
                                         typename D::W pasid, typename D::W address, bool write,
                                         bool privileged, bool instruction) {
  using W = typename D::W;
  W hi = (sid & W(0xffff)) | reason << W(32);
  hi = hi | W(uint64_t{1} << 63 | uint64_t{!write} << 62);
  if (has_pasid) {
    hi = hi | (pasid & W(0xfffff)) << W(40);
    hi = hi | W(uint64_t{1} << 31 | uint64_t{instruction} << 30 | uint64_t{privileged} << 29);
  }
  return {address & W(Mask(63, 12)), hi};
}

// ---- Steps 2 and 5: second stage ----------------------------------------------------------------

template <class D>
struct VtdStage {
  using W = typename D::W;
  W reason{0};   // 0: translated
  W missing{0};  // 1: for want of a right or of presence; such an ATS request is just denied
  W output{0};
  W rights{0};
  W first{0}, last{0};  // input of the leaf
};

// Tables of `levels` levels from `table`. Memory: bool Read(W address, W* word); false: abort.
// `write`: which right is needed; `probe`: none is (ATS).
template <class D, class Memory>
VtdStage<D> VtdWalkLevels(Memory& memory, typename D::W table, int levels, typename D::W address,
                          bool write, bool probe, const VtdReasons& reasons, const VtdRegs& unit) {
  using W = typename D::W;
  VtdStage<D> out;
  const auto fail = [&](uint64_t reason, bool missing) {
    out = VtdStage<D>();
    out.reason = W(reason), out.missing = W(missing ? 1 : 0);
    return out;
  };
  const W need = probe ? W(0) : W(uint64_t{write ? kWrite : kRead});
  W rights = W(uint64_t{kRead | kWrite});
  for (int level = levels; level >= 1; --level) {
    const int shift = VtdShift(level);
    const W index = (address >> W(uint64_t(shift))) & W(511);
    W word = W(0);
    if (!memory.Read(table + index * W(8), &word))
      return fail(level == levels ? reasons.topTable : reasons.access, false);
    const VtdEntry<D> entry = DecodeVtdEntry<D>(word, level, unit);
    if (entry.present == W(0)) return fail(VtdNotPresent(reasons, write), true);
    if (entry.reserved != W(0)) return fail(reasons.reserved, false);
    rights = rights & entry.rights;
    if ((rights & need) != need) return fail(VtdNoRight(reasons, write), true);
    if (entry.leaf == W(0)) {
      table = entry.output;
      continue;
    }
    const W span = W((uint64_t{1} << shift) - 1);
    if (rights == W(0)) return fail(VtdNoRight(reasons, write), true);
    if (VtdTouchesInterrupts(entry.output, entry.output | span))
      return fail(reasons.interrupt, false);
    out.output = entry.output | (address & span);
    out.rights = rights;
    out.first = address & ~span, out.last = address | span;
    return out;
  }
  return fail(reasons.access, false);  // not reached: level 1 holds no tables
}

// `bits`: 39, 48 or 57.
template <class D, class Memory>
VtdStage<D> VtdSecondStage(Memory& memory, typename D::W table, typename D::W bits,
                           typename D::W address, bool write, bool probe, const VtdReasons& reasons,
                           const VtdRegs& unit) {
  using W = typename D::W;
  VtdStage<D> out;
  // 3: the address must fit MGAW and the tables.
  if (Exceeds(address, Min<D>(bits, W(VtdMgaw(unit.cap))))) {
    out.reason = W(reasons.width);
    return out;
  }
  for (int levels = 3; levels <= 5; ++levels) {
    if (bits == W(uint64_t(12 + 9 * levels)))
      return VtdWalkLevels<D>(memory, table, levels, address, write, probe, reasons, unit);
  }
  out.reason = W(reasons.access);  // not reached with a valid AW
  return out;
}

// ---- Hardware level -----------------------------------------------------------------------------

// The whole translation of one request, from the root table, bit-exact. Of an ATS request `write`
// and No-Write play no part: the answer has all rights of the translation, or none.
VtdAnswer WalkVtd(const VtdRegs& regs, WalkMemory& memory, const VtdQuery& query);

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_WALK_VTD_H_
