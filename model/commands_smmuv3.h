// SMMUv3 commands (sheet 7): building them, what a guest's command becomes (sheet 9), and which
// retained entries a command removes (sheet 7 and 8). Pure; templates over a domain where proofs
// compare them with the reference.
#ifndef TWINWALK_MODEL_COMMANDS_SMMUV3_H_
#define TWINWALK_MODEL_COMMANDS_SMMUV3_H_

#include "model/decode_smmuv3.h"
#include "traces/view.h"

namespace twinwalk::model {

enum Opcode : uint64_t {
  kCfgiSte = 0x03,
  kCfgiSteRange = 0x04,
  kCfgiCd = 0x05,
  kCfgiCdAll = 0x06,
  kTlbiNhAll = 0x10,
  kTlbiNhAsid = 0x11,
  kTlbiNhVa = 0x12,
  kTlbiNhVaa = 0x13,
  kTlbiS12Vmall = 0x28,
  kTlbiS2Ipa = 0x2a,
  kTlbiNsnhAll = 0x30,
  kAtcInv = 0x40,
  kSync = 0x46,
};

struct Command {
  uint64_t word0 = 0, word1 = 0;
};
inline Command TlbiCommand(Opcode opcode, uint64_t vmid, uint64_t asid) {
  return {opcode | vmid << 32 | asid << 48, 0};
}
// pages: (NUM + 1) << scale of 4 KiB; 0: one address, without range fields.
inline Command TlbiRange(Opcode opcode, uint64_t vmid, uint64_t asid, uint64_t address,
                         uint64_t num_plus_1, uint64_t scale) {
  Command command{opcode | vmid << 32 | asid << 48, address & ~uint64_t{0xfff}};
  if (num_plus_1 != 0) {
    command.word0 |= (num_plus_1 - 1) << 12 | scale << 20;
    command.word1 |= uint64_t{1} << 10;  // TG: 4 KiB
  }
  return command;
}
inline Command CfgiSte(uint64_t sid) {
  return {kCfgiSte | sid << 32, 1};
}

// Whether `opcode` is one that a vIOMMU accepts (iommufd sheet, Observed 3).
template <class D>
typename D::B GuestOpcode(typename D::W opcode) {
  using W = typename D::W;
  return opcode == W(kCfgiCd) || opcode == W(kCfgiCdAll) || opcode == W(kTlbiNhAll) ||
         opcode == W(kTlbiNhAsid) || opcode == W(kTlbiNhVa) || opcode == W(kTlbiNhVaa) ||
         opcode == W(kTlbiNsnhAll) || opcode == W(kAtcInv);
}

// Whether only bits stand in the command that hardware defines, and its range fields make sense.
template <class D>
typename D::B WellFormed(typename D::W w0, typename D::W w1) {
  using W = typename D::W;
  using B = typename D::B;
  const W opcode = Bits<W>(w0, 7, 0);
  const auto is = [&](Opcode o) { return opcode == W(o); };
  const W vmid = W(0xffff) << W(32), asid = W(0xffff) << W(48), sid = W(0xffffffff) << W(32);
  const W range = W(0x1f) << W(12) | W(0x1f) << W(20);
  const W ssid = W(0xfffff) << W(12);
  const B va = is(kTlbiNhVa) || is(kTlbiNhVaa);
  const W known0 =
      D::Sel(
          is(kTlbiNhVa), vmid | asid | range,
          D::Sel(
              is(kTlbiNhVaa), vmid | asid | range,  // its ASID is ignored, not reserved
              D::Sel(is(kTlbiNhAll), vmid,
                     D::Sel(is(kTlbiNhAsid), vmid | asid,
                            D::Sel(is(kCfgiCd), sid | ssid,
                                   D::Sel(is(kCfgiCdAll), sid,
                                          D::Sel(is(kAtcInv), sid | ssid | W(0xa00), W(0)))))))) |
      W(0xff);
  const W known1 =
      D::Sel(va, W(~uint64_t{0xfff}) | W(0xf01),
             D::Sel(is(kCfgiCd), W(1), D::Sel(is(kAtcInv), W(~uint64_t{0xfff}) | W(0x3f), W(0))));
  const W granule = Bits<W>(w1, 11, 10), level = Bits<W>(w1, 9, 8);
  const B ranged = (w0 & range) != W(0) || level != W(0);
  return (w0 & ~known0) == W(0) && (w1 & ~known1) == W(0) && !(va && granule == W(0) && ranged);
}

// vmid: of the vIOMMU's nest parent. strict: rule reservedCommandBitsRefused.
template <class D>
HostCommand<D> TranslateCommand(typename D::W w0, typename D::W w1, typename D::W vmid,
                                bool strict) {
  using W = typename D::W;
  using B = typename D::B;
  const W opcode = Bits<W>(w0, 7, 0);
  B allowed = GuestOpcode<D>(opcode);
  if (strict) allowed = allowed && WellFormed<D>(w0, w1);
  const B everything = opcode == W(kTlbiNsnhAll);
  const B stream = opcode == W(kCfgiCd) || opcode == W(kCfgiCdAll) || opcode == W(kAtcInv);
  const W tagged = (w0 & ~(W(0xffff) << W(32))) | vmid << W(32);
  HostCommand<D> out;
  out.allowed = Flag<D>(allowed);
  out.needsStream = Flag<D>(allowed && stream);
  out.word0 = D::Sel(!allowed, W(0),
                     D::Sel(everything, W(kTlbiNhAll) | vmid << W(32), D::Sel(stream, w0, tagged)));
  out.word1 = D::Sel(!allowed || everything, W(0), w1);
  return out;
}

// The addresses that TLBI_NH_VA, NH_VAA or S2_IPA names (sheet 7.1), inclusive.
template <class D>
void CommandRange(typename D::W w0, typename D::W w1, typename D::W* first, typename D::W* last) {
  using W = typename D::W;
  using B = typename D::B;
  const W granule = Bits<W>(w1, 11, 10);
  const W num = Bits<W>(w0, 16, 12), scale = Bits<W>(w0, 24, 20);
  const W page = D::Sel(granule == W(3), W(16), D::Sel(granule == W(2), W(14), W(12)));
  const W units = D::Sel(granule == W(0), W(1), (num + W(1)) << scale);
  const W from = w1 & ~W(0xfff);
  *first = (from >> page) << page;
  const W length = units << page;  // at most 2^5 * 2^31 * 2^16
  const W to = *first + (length - W(1));
  const B wraps = to < *first;
  *last = D::Sel(wraps, W(~uint64_t{0}), to);
}

// Whether a completed command removes `entry`. TTL is a hint and not looked at; commands outside of
// the sheet's table remove nothing.
template <class D>
typename D::B Covers(typename D::W w0, typename D::W w1, const RetainedRow<D>& entry) {
  using W = typename D::W;
  using B = typename D::B;
  const W opcode = Bits<W>(w0, 7, 0);
  const W vmid = Bits<W>(w0, 47, 32), asid = Bits<W>(w0, 63, 48);
  const W sid = Bits<W>(w0, 63, 32), ssid = Bits<W>(w0, 31, 12);
  const B leafOnly = Bit<D>(w1, 0);
  W first{0}, last{0};
  CommandRange<D>(w0, w1, &first, &last);
  const auto is = [&](Opcode o) { return opcode == W(o); };

  const B walk1 = entry.kind == W(kWalkStage1), walk2 = entry.kind == W(kWalkStage2);
  const B leaf1 = entry.kind == W(kLeafStage1) || entry.kind == W(kLeafCombined);
  const B leaf2 = entry.kind == W(kLeafStage2);
  const B sameVmid = entry.vmid == vmid, sameAsid = entry.asid == asid;
  const B global = entry.global != W(0);
  const B meets = entry.first <= last && entry.last >= first;
  const B stage1 = walk1 || leaf1;
  // A part of a stage-1 leaf goes with any address of that leaf.
  const B combined = entry.kind == W(kLeafCombined);
  const W leafFirst = D::Sel(combined, entry.v1 & ~W(0xfff), entry.first);
  const W leafLast = D::Sel(combined, entry.v2, entry.last);
  const B meetsLeaf = leafFirst <= last && leafLast >= first;
  const B inRange = (leaf1 && meetsLeaf) || (walk1 && !leafOnly && meets);
  const B tlbi = (is(kTlbiNhAll) && sameVmid && stage1) ||
                 (is(kTlbiNhAsid) && sameVmid && stage1 && sameAsid && !global) ||
                 (is(kTlbiNhVa) && sameVmid && inRange && (sameAsid || global)) ||
                 (is(kTlbiNhVaa) && sameVmid && inRange) ||
                 (is(kTlbiS12Vmall) && sameVmid && (stage1 || walk2 || leaf2)) ||
                 (is(kTlbiS2Ipa) && sameVmid && meets && (leaf2 || (walk2 && !leafOnly))) ||
                 (is(kTlbiNsnhAll) && (stage1 || walk2 || leaf2));

  const B config = entry.kind == W(kConfig), cd = entry.kind == W(kCd);
  const B sameSid = entry.sid == sid;
  const W span = Bits<W>(w1, 4, 0) + W(1);  // 2^span entries, aligned
  const B inSpan = (entry.sid >> span) == (sid >> span);
  const B cfgi = (is(kCfgiSte) && sameSid && (config || cd)) ||
                 (is(kCfgiSteRange) && inSpan && (config || cd)) ||
                 (is(kCfgiCd) && sameSid && cd && entry.ssid == ssid) ||
                 (is(kCfgiCdAll) && sameSid && cd);
  return tlbi || cfgi;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_COMMANDS_SMMUV3_H_
