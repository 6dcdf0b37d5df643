// VT-d invalidation descriptors (sheet 8): building them, reading them, and which retained entries
// a completed one removes. Pure; templates over a domain where proofs compare them with the
// reference.
//
// A retained row of VT-d: vmid is the domain id, also of kConfig (whose context or PASID entry
// names it); kCd is a PASID entry by (sid, ssid); second-stage rows have no PASID.
#ifndef TWINWALK_MODEL_COMMANDS_VTD_H_
#define TWINWALK_MODEL_COMMANDS_VTD_H_

#include <array>

#include "model/decode_vtd.h"
#include "traces/view.h"

namespace twinwalk::model {

enum VtdDescriptorType : uint64_t {
  kContextInv = 1,
  kIotlbInv = 2,
  kDeviceTlbInv = 3,
  kInterruptInv = 4,
  kWait = 5,
  kPasidIotlbInv = 6,
  kPasidCacheInv = 7,
  kPasidDeviceTlbInv = 8,
  kPageResponse = 9,
};
// G of types 1 and 2; of type 6; of type 7.
enum VtdGranularity : uint64_t { kInvGlobal = 1, kInvDomain = 2, kInvDevice = 3, kInvPage = 3 };
enum VtdPasidGranularity : uint64_t { kWholePasid = 2, kPasidPage = 3 };
enum VtdPasidCacheGranularity : uint64_t { kDomainPasids = 0, kOnePasid = 1, kAllPasids = 3 };

// One descriptor: words 0 and 1, and in a 256-bit queue words 2 and 3.
using VtdDescriptor = std::array<uint64_t, 4>;

// ---- Building
// ------------------------------------------------------------------------------------

inline VtdDescriptor ContextCacheDescriptor(VtdGranularity g, uint64_t did, uint64_t sid) {
  return {kContextInv | g << 4 | did << 16 | sid << 32, 0, 0, 0};
}
// Reads and writes in flight are drained. order: AM, log2 of the pages, at an aligned address.
inline VtdDescriptor IotlbDescriptor(VtdGranularity g, uint64_t did, uint64_t address,
                                     uint64_t order, bool leaf_only) {
  return {kIotlbInv | g << 4 | 3 << 6 | did << 16, address | order | uint64_t{leaf_only} << 6, 0,
          0};
}
inline VtdDescriptor PasidCacheDescriptor(VtdPasidCacheGranularity g, uint64_t did,
                                          uint64_t pasid) {
  return {kPasidCacheInv | g << 4 | did << 16 | pasid << 32, 0, 0, 0};
}
inline VtdDescriptor PasidIotlbDescriptor(VtdPasidGranularity g, uint64_t did, uint64_t pasid,
                                          uint64_t address, uint64_t order, bool leaf_only) {
  return {kPasidIotlbInv | g << 4 | did << 16 | pasid << 32,
          address | order | uint64_t{leaf_only} << 6, 0, 0};
}
// 2^order pages, in the address as ones below a zero (sheet 8).
inline uint64_t SizedAddress(uint64_t address, uint64_t order, uint64_t size_bit) {
  if (order == 0) return address;
  return address | ((uint64_t{1} << (order - 1)) - 1) << 12 | size_bit;
}
inline VtdDescriptor DeviceTlbDescriptor(uint64_t sid, uint64_t address, uint64_t order) {
  return {kDeviceTlbInv | sid << 32, SizedAddress(address, order, 1), 0, 0};
}
inline VtdDescriptor PasidDeviceTlbDescriptor(uint64_t sid, uint64_t pasid, uint64_t address,
                                              uint64_t order) {
  return {kPasidDeviceTlbInv | sid << 16 | pasid << 32, SizedAddress(address, order, 1 << 11), 0,
          0};
}
// Writes `data` to `address` after all before it; nothing behind it starts earlier.
inline VtdDescriptor WaitDescriptor(uint64_t address, uint64_t data) {
  return {kWait | 1 << 5 | 1 << 6 | data << 32, address, 0, 0};
}

// ---- Reading
// -------------------------------------------------------------------------------------

// The bits of word 0 and word 1 that a type defines; *narrow: it fits a 128-bit queue.
template <class D>
void KnownBits(typename D::W type, typename D::W* known0, typename D::W* known1,
               typename D::B* narrow) {
  using W = typename D::W;
  const auto pick = [&](VtdDescriptorType t, uint64_t a, uint64_t b) {
    *known0 = D::Sel(type == W(t), W(a), *known0);
    *known1 = D::Sel(type == W(t), W(b), *known1);
  };
  constexpr uint64_t kType = 0xe0f, kPages = kVtdPointerBits;
  constexpr uint64_t kTag = uint64_t{0xffff} << 16, kPasid = uint64_t{0xfffff} << 32;
  *known0 = *known1 = W(0);
  pick(kContextInv, kType | 0x30 | kTag | uint64_t{0x3ffff} << 32, 0);
  pick(kIotlbInv, kType | 0xf0 | kTag, kPages | 0x7f);
  pick(kDeviceTlbInv, kType | 0xf000 | 0x1f0000 | uint64_t{0xffff} << 32 | uint64_t{0xfff} << 52,
       kPages | 1);
  pick(kInterruptInv, kType | 0x10 | uint64_t{0x1f} << 27 | uint64_t{0xffff} << 32, 0);
  pick(kWait, kType | 0xf0 | uint64_t{0xffffffff} << 32, ~uint64_t{3});
  pick(kPasidIotlbInv, kType | 0x30 | kTag | kPasid, kPages | 0x7f);
  pick(kPasidCacheInv, kType | 0x30 | kTag | kPasid, 0);
  pick(kPasidDeviceTlbInv, kType | 0x1f0 | 0xf000 | kTag | kPasid | uint64_t{0xfff} << 52,
       kPages | 0x801);
  pick(kPageResponse, kType | 0x10 | 0xf000 | kTag | kPasid, 0xff8);
  *narrow = type != W(kPasidIotlbInv) && type != W(kPasidCacheInv);
}

// Whether the type knows its granularity.
template <class D>
typename D::B KnownGranularity(typename D::W type, typename D::W g) {
  using W = typename D::W;
  using B = typename D::B;
  const B pasids = type == W(kPasidCacheInv), wait = type == W(kWait);
  const B counted = type == W(kContextInv) || type == W(kIotlbInv);
  return !(counted && g == W(0)) && !(type == W(kPasidIotlbInv) && g < W(kWholePasid)) &&
         !(pasids && g == W(2)) && !(wait && (g == W(0)));  // a wait has IF, SW or FN
}

// mamv: CAP.MAMV. wide: the queue holds 256-bit descriptors; else words 2 and 3 are not there.
template <class D>
VtdInvalidation<D> DecodeVtdInvalidation(const std::array<typename D::W, 4>& word,
                                         typename D::W mamv, bool wide) {
  using W = typename D::W;
  using B = typename D::B;
  const W w0 = word[0], w1 = word[1];
  const W type = Bits<W>(w0, 3, 0) | Bits<W>(w0, 11, 9) << W(4);
  // In a P-dev-TLB descriptor MIP reaches bit 8 only, so that 11:9 are always the type.
  W known0{0}, known1{0};
  B narrow{false};
  KnownBits<D>(type, &known0, &known1, &narrow);
  const auto is = [&](VtdDescriptorType t) { return type == W(t); };
  const W g = Bits<W>(w0, 5, 4);
  const W waits = g | Bits<W>(w0, 6, 6);  // FN too
  B legal = known0 != W(0) && (w0 & ~known0) == W(0) && (w1 & ~known1) == W(0) &&
            KnownGranularity<D>(type, D::Sel(is(kWait), waits, g));
  if (wide) {
    legal = legal && word[2] == W(0) && word[3] == W(0);
  } else {
    legal = legal && narrow;
  }
  const B pages = (is(kIotlbInv) && g == W(kInvPage)) || (is(kPasidIotlbInv) && g == W(kPasidPage));
  const W order = Bits<W>(w1, 5, 0);
  legal = legal && !(pages && order > mamv);

  VtdInvalidation<D> out;
  out.legal = Flag<D>(legal);
  const auto when = [&](B b, W value) { return D::Sel(legal && b, value, W(0)); };
  out.type = when(B(true), type);
  const B tagged = is(kContextInv) || is(kIotlbInv) || is(kPasidIotlbInv) || is(kPasidCacheInv);
  const B pasid = is(kPasidIotlbInv) || is(kPasidCacheInv) || is(kPasidDeviceTlbInv);
  out.granularity = when(tagged, g);
  out.did = when(tagged, Bits<W>(w0, 31, 16));
  out.sid = D::Sel(legal && is(kPasidDeviceTlbInv), Bits<W>(w0, 31, 16),
                   when(is(kContextInv) || is(kDeviceTlbInv), Bits<W>(w0, 47, 32)));
  out.functionMask = when(is(kContextInv), Bits<W>(w0, 49, 48));
  out.pasid = when(pasid, Bits<W>(w0, 51, 32));
  out.leafOnly = when(is(kIotlbInv) || is(kPasidIotlbInv), Bits<W>(w1, 6, 6));

  // The range: 2^order pages; for device TLBs the ones in the address say how many.
  const W shift = Least<D>(order, W(51)) + W(12);
  const W ones = (w1 >> W(12)) ^ ((w1 >> W(12)) + W(1));
  const B sized = D::SelB(is(kDeviceTlbInv), Bit<D>(w1, 0), Bit<D>(w1, 11));
  const W device = D::Sel(sized, (ones << W(12)) | W(0xfff), W(0xfff));
  const W inside =
      D::Sel(pages, D::Sel(order > W(51), W(~uint64_t{0}), (W(1) << shift) - W(1)), device);
  const W base = w1 & W(kVtdPointerBits);
  const B ranged = pages || is(kDeviceTlbInv) || is(kPasidDeviceTlbInv);
  out.first = when(ranged, base & ~inside);
  out.last = when(ranged, base | inside);
  return out;
}

// ---- Effect
// --------------------------------------------------------------------------------------

// FM hides the low bits of the function: none, bit 2, bits 2:1, bits 2:0.
template <class D>
typename D::B SameFunction(typename D::W a, typename D::W b, typename D::W mask) {
  using W = typename D::W;
  const W hidden =
      D::Sel(mask == W(1), W(4), D::Sel(mask == W(2), W(6), D::Sel(mask == W(3), W(7), W(0))));
  return ((a ^ b) & ~hidden) == W(0);
}

// Whether the completed invalidation removes `entry` (sheet 8). Entries of device TLBs are not
// rows.
template <class D>
typename D::B Covers(const VtdInvalidation<D>& inv, const RetainedRow<D>& entry) {
  using W = typename D::W;
  using B = typename D::B;
  const auto kind = [&](RetainedKind k) { return entry.kind == W(k); };
  const B sameDid = entry.vmid == inv.did, samePasid = entry.asid == inv.pasid;
  const B meets = entry.first <= inv.last && entry.last >= inv.first;
  const B leafOnly = inv.leafOnly != W(0);
  const B second = kind(kLeafStage2) || (kind(kWalkStage2) && !leafOnly);
  const B firstLeaf = kind(kLeafStage1) || kind(kLeafCombined);
  const B first = firstLeaf || kind(kWalkStage1);
  const B any = first || kind(kLeafStage2) || kind(kWalkStage2);
  const W g = inv.granularity;

  // A page of a domain takes all that went through a first stage: nothing else can be matched.
  const B iotlb = inv.type == W(kIotlbInv) && any &&
                  (g == W(kInvGlobal) || (g == W(kInvDomain) && sameDid) ||
                   (g == W(kInvPage) && sameDid && ((second && meets) || first)));
  const B pasidIotlb =
      inv.type == W(kPasidIotlbInv) && sameDid && samePasid &&
      ((g == W(kWholePasid) && first) ||
       (g == W(kPasidPage) && meets && (firstLeaf || (kind(kWalkStage1) && !leafOnly))));
  const B context = inv.type == W(kContextInv) && (kind(kConfig) || kind(kCd)) &&
                    (g == W(kInvGlobal) || (g == W(kInvDomain) && sameDid) ||
                     (g == W(kInvDevice) && SameFunction<D>(entry.sid, inv.sid, inv.functionMask)));
  const B pasidCache = inv.type == W(kPasidCacheInv) && kind(kCd) &&
                       (g == W(kAllPasids) || (g == W(kDomainPasids) && sameDid) ||
                        (g == W(kOnePasid) && sameDid && entry.ssid == inv.pasid));
  return inv.legal != W(0) && (iotlb || pasidIotlb || context || pasidCache);
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_COMMANDS_VTD_H_
