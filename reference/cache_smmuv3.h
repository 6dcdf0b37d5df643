// What an SMMUv3 may still use although it changed, and which command ends it: the table of hw 7, 8
// and "What may be stale", row by row. Covers() is minimal: it says what a completed command *must*
// have removed. Over the domain.
//
// What an access adds (access.h): every entry that it used or made. Of each kind:
//   kConfig        STE of a stream that translates                                    (hw 8)
//   kCd            a CD as fetched; with V = 0 only under rule invalidCdCacheable     (hw 8)
//   kWalkStage1    a valid stage-1 table descriptor, under (VMID, ASID)
//   kLeafStage1    a valid stage-1 leaf that raises neither F_ADDR_SIZE nor F_ACCESS; of a
//   host-owned
//                  stage 1 (VMID 0), a page of an Area
//   kLeafStage2    a page of an Area beneath a VMID
//   kLeafCombined  a page through both; v1, v2: first and last VA of its stage-1 leaf, with the
//                  rights of that leaf in the low bits of v1
// kWalkStage2 is never made: the host's own tables have no bits here. Translation, size and
// access-flag faults are never retained; permission faults may be formed from a retained leaf.
#ifndef TWINWALK_REFERENCE_CACHE_SMMUV3_H_
#define TWINWALK_REFERENCE_CACHE_SMMUV3_H_

#include "reference/state.h"
#include "traces/walk.h"

namespace twinwalk::reference {

enum Opcode : uint64_t {  // hw 7
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
};

// A command, decoded.
template <class D>
struct Command {
  using W = typename D::W;
  W smmu{0}, opcode{0};
  W vmid{0}, asid{0};
  W first{0}, last{0};             // addresses, inclusive
  W leafOnly{0};                   // 1: intermediate entries may survive
  W leafSize{0};                   // only leaves of this many bytes must go (TTL); 0: any
  W nothing{0};                    // 1: a reserved encoding, nothing must go
  W sid{0}, ssid{0}, sidRange{0};  // sidRange: log2 of the streams, aligned
};

template <class D>
typename D::B Within(typename D::W address, typename D::W first, typename D::W last) {
  return first <= address && address <= last;
}

// Bytes of the stage-1 leaf that a leaf row came from: first and last VA.
template <class D>
typename D::W LeafFirst(const RetainedRow<D>& r) {
  using W = typename D::W;
  return D::Sel(r.kind == W(kLeafCombined), r.v1 & ~W(0xfff), r.first);
}
template <class D>
typename D::W LeafLast(const RetainedRow<D>& r) {
  using W = typename D::W;
  return D::Sel(r.kind == W(kLeafCombined), r.v2, r.last);
}

// Whether the completed `c` must have removed `r`.
template <class D>
typename D::B Covers(const Command<D>& c, const RetainedRow<D>& r) {
  using W = typename D::W;
  using B = typename D::B;
  const auto op = [&](uint64_t code) { return c.opcode == W(code); };
  const B config = r.kind == W(kConfig), cd = r.kind == W(kCd);
  const B walk1 = r.kind == W(kWalkStage1);
  const B leaf1 = r.kind == W(kLeafStage1) || r.kind == W(kLeafCombined);
  const B walk2 = r.kind == W(kWalkStage2), leaf2 = r.kind == W(kLeafStage2);
  const B stage1 = walk1 || leaf1, stage2 = walk2 || leaf2;
  const B vmid = r.vmid == c.vmid;
  const B own = r.global == W(0) && r.asid == c.asid;

  // An address range against a leaf (TTL: only leaves of that size) and against a table's range
  // (Leaf = 1: tables may stay). A stage-1 leaf that was split into pages is one leaf.
  const W first = LeafFirst<D>(r), last = LeafLast<D>(r);
  const B level = c.leafSize == W(0) || last - first == c.leafSize - W(1);
  const B hit_leaf = leaf1 && level && first <= c.last && c.first <= last;
  const B meets = r.first <= c.last && c.first <= r.last;
  const B hit_walk = walk1 && c.leafOnly == W(0) && meets;
  const B hit_va = (hit_leaf || hit_walk) && c.nothing == W(0);
  const B hit_ipa = meets && (leaf2 || (walk2 && c.leafOnly == W(0)));

  const B sid = r.sid == c.sid;
  const B sids = (r.sid >> c.sidRange) == (c.sid >> c.sidRange);
  const B tlb =
      // TLBI_NH_ALL: all stage-1 information of the VMID, global and combined entries included.
      (op(kTlbiNhAll) && vmid && stage1) ||
      // TLBI_NH_ASID: what is not global of (VMID, ASID), table pointers included.
      (op(kTlbiNhAsid) && vmid && stage1 && own) ||
      // TLBI_NH_VA: (VMID, ASID or global, VA).
      (op(kTlbiNhVa) && vmid && hit_va && (own || r.global != W(0))) ||
      // TLBI_NH_VAA: all ASIDs.
      (op(kTlbiNhVaa) && vmid && hit_va) ||
      // TLBI_S12_VMALL: stage 1 and stage 2 of the VMID.
      (op(kTlbiS12Vmall) && vmid && (stage1 || stage2)) ||
      // TLBI_S2_IPA: stage-2-only entries; combined ones need not go.
      (op(kTlbiS2Ipa) && vmid && hit_ipa) ||
      // TLBI_NSNH_ALL: every VMID.
      (op(kTlbiNsnhAll) && (stage1 || stage2));
  const B cfg =
      // CFGI_STE, Leaf of either value: the STE and all CDs reached from it.
      (op(kCfgiSte) && sid && (config || cd)) ||
      // CFGI_STE_RANGE, CFGI_ALL.
      (op(kCfgiSteRange) && sids && (config || cd)) ||
      // CFGI_CD: one CD of a stream. CFGI_CD_ALL: all of them.
      (op(kCfgiCd) && sid && cd && r.ssid == c.ssid) || (op(kCfgiCdAll) && sid && cd);
  return r.smmu == c.smmu && (tlb || cfg);  // ATC_INV: no TLB entry (hw, "What may be stale")
}

// ---- Commands that the host makes ---------------------------------------------------------------

template <class D>
Command<D> HostTlbi(uint64_t opcode, const HwptRow<D>& h, typename D::W first, typename D::W last) {
  Command<D> c;
  c.opcode = typename D::W(opcode);
  c.smmu = h.smmu, c.vmid = h.vmid, c.asid = h.asid;
  c.first = first, c.last = last;
  return c;
}
template <class D>
Command<D> HostCfgi(const DeviceRow<D>& device) {
  Command<D> c;
  c.opcode = typename D::W(uint64_t{kCfgiSte});
  c.smmu = device.smmu, c.sid = device.sid;
  return c;
}

// ---- Commands of a guest ------------------------------------------------------------------------

// iommufd 20.2, Observed 3; hw 9. `refuse_reserved`: rule reservedCommandBitsRefused; `ril`:
// IDR3.RIL.
template <class D>
HostCommand<D> TranslateCommand(typename D::W word0, typename D::W word1, typename D::W vmid,
                                bool refuse_reserved, bool ril) {
  using W = typename D::W;
  using B = typename D::B;
  const W opcode = word0 & W(0xff);
  const auto op = [&](uint64_t code) { return opcode == W(code); };
  const B all = op(kTlbiNsnhAll);
  const B tlbi = op(kTlbiNhAll) || op(kTlbiNhAsid) || op(kTlbiNhVa) || op(kTlbiNhVaa);
  const B stream = op(kCfgiCd) || op(kCfgiCdAll) || op(kAtcInv);
  HostCommand<D> out;
  B allowed = all || tlbi || stream;
  if (refuse_reserved) {
    // The fields of hw 7 by opcode; whatever else is set is reserved.
    const uint64_t va0 = 0xffffffff000000ff | (ril ? 0x01f1f000 : 0);
    const uint64_t va1 = 0xfffffffffffff001 | (ril ? 0xf00 : 0);
    const auto fields = [&](uint64_t code, uint64_t mask0, uint64_t mask1) {
      return op(code) && ((word0 & ~W(mask0)) | (word1 & ~W(mask1))) == W(0);
    };
    allowed = fields(kTlbiNsnhAll, 0xff, 0) || fields(kTlbiNhAll, 0x0000ffff000000ff, 0) ||
              fields(kTlbiNhAsid, 0xffffffff000000ff, 0) || fields(kTlbiNhVa, va0, va1) ||
              fields(kTlbiNhVaa, va0, va1) || fields(kCfgiCd, 0xfffffffffffff0ff, 1) ||
              fields(kCfgiCdAll, 0xffffffff000000ff, 0) ||
              fields(kAtcInv, 0xfffffffffffffaff, 0xfffffffffffff03f);
    // hw 7.1: without a TG the other range fields are reserved.
    const B ranged = (word0 & W(0x01f1f000)) != W(0) || (word1 & W(0x300)) != W(0);
    const B address = op(kTlbiNhVa) || op(kTlbiNhVaa);
    allowed = allowed && !(address && (word1 & W(0xc00)) == W(0) && ranged);
  }
  out.allowed = D::Sel(allowed, W(1), W(0));
  out.needsStream = D::Sel(stream, W(1), W(0));
  const W tagged = (word0 & ~W(0x0000ffff00000000)) | (vmid & W(0xffff)) << W(32);
  const W nh_all = W(uint64_t{kTlbiNhAll}) | (vmid & W(0xffff)) << W(32);
  out.word0 = D::Sel(all, nh_all, D::Sel(tlbi, tagged, word0));
  out.word1 = D::Sel(all, W(0), word1);
  return out;
}

// The stream id of CFGI_* and ATC_INV.
template <class W>
W StreamOf(W word0) {
  return word0 >> W(32);
}

// hw 7, 7.1: a command as the SMMU reads it.
template <class D>
Command<D> DecodeCommand(typename D::W smmu, typename D::W word0, typename D::W word1, bool ril) {
  using W = typename D::W;
  using B = typename D::B;
  Command<D> c;
  c.smmu = smmu;
  c.opcode = word0 & W(0xff);
  c.vmid = (word0 >> W(32)) & W(0xffff);
  c.asid = word0 >> W(48);
  c.leafOnly = word1 & W(1);
  c.sid = word0 >> W(32);
  c.ssid = (word0 >> W(12)) & W(0xfffff);
  const W range = word1 & W(0x1f);
  c.sidRange = D::Sel(range == W(31), W(32), range + W(1));
  // One address, as a 4 KiB page: any leaf that contains it.
  const W page = word1 & ~W(0xfff);
  c.first = page;
  c.last = page | W(0xfff);
  if (ril) {  // native: IDR3.RIL. TG 1, 2, 3: a range of (NUM + 1) * 2^SCALE granules.
    const W num = (word0 >> W(12)) & W(0x1f), scale = (word0 >> W(20)) & W(0x1f);
    const W ttl = (word1 >> W(8)) & W(3), tg = (word1 >> W(10)) & W(3);
    const B ranged = tg != W(0);
    const W g = W(10) + tg * W(2);  // log2 of the granule: 12, 14, 16
    const W begin = (page >> g) << g;
    const W end = begin + (((num + W(1)) << scale) << g) - W(1);
    c.first = D::Sel(ranged, begin, c.first);
    c.last = D::Sel(ranged, D::Sel(end < begin, ~W(0), end), c.last);
    const W shift = g + (W(3) - ttl) * (g - W(3));
    c.leafSize = D::Sel(ranged && ttl != W(0), W(1) << shift, W(0));
    c.nothing = D::Sel(ranged && num == W(0) && scale == W(0) && ttl == W(0), W(1), W(0));
  }
  return c;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_CACHE_SMMUV3_H_
