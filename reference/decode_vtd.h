// VT-d's structures, decoded bit by bit: pure functions over the domain (hw-vtd 2, 3, 8). What each
// field means stands in the sheet; levels are native, and so is the unit: of VtdRegs only cap, ecap
// and haw are read here.
#ifndef TWINWALK_REFERENCE_DECODE_VTD_H_
#define TWINWALK_REFERENCE_DECODE_VTD_H_

#include <algorithm>
#include <array>

#include "reference/bits.h"
#include "traces/outcome.h"
#include "traces/walk_vtd.h"

namespace twinwalk::reference {

// ---- hw-vtd 1: what a unit supports -------------------------------------------------------------

constexpr bool VtdHas(uint64_t reg, int bit) {
  return (reg >> bit & 1) != 0;
}
constexpr uint64_t VtdMgaw(uint64_t cap) {
  return (cap >> 16 & 0x3f) + 1;
}
// The AW code of the widest second-stage table; 0: none.
constexpr uint64_t VtdWidest(uint64_t cap) {
  return VtdHas(cap, 11) ? 3 : VtdHas(cap, 10) ? 2 : VtdHas(cap, 9) ? 1 : 0;
}
// Input bits of the widest second stage that a unit can walk.
constexpr uint64_t VtdInputBits(uint64_t cap) {
  return std::min(VtdMgaw(cap), 30 + 9 * VtdWidest(cap));
}
// hw-vtd 6: addresses of interrupt requests. They are never translated, and no translation leads
// there.
inline constexpr uint64_t kVtdInterruptFirst = 0xfee00000, kVtdInterruptLast = 0xfeefffff;
template <class W>
auto VtdTouchesInterrupts(W first, W last) {
  return first <= W(kVtdInterruptLast) && last >= W(kVtdInterruptFirst);
}

// AW 1, 2, 3 are tables of 3, 4, 5 levels.
template <class D>
typename D::B VtdWidthSupported(typename D::W aw, const VtdRegs& unit) {
  using W = typename D::W;
  return aw >= W(1) && aw <= W(3) && Bits(W(unit.cap >> 8 & 0x1f) >> aw, 0, 0) != W(0);
}
template <class W>
W VtdWidthOf(W aw) {
  return W(30) + W(9) * aw;
}

// ---- hw-vtd 2: root, context, PASID directory and entry -----------------------------------------

// A legacy root entry, both words.
template <class D>
VtdPointer<D> DecodeVtdRoot(typename D::W word0, typename D::W word1) {
  using W = typename D::W;
  VtdPointer<D> out;
  out.present = Bits(word0, 0, 0);
  out.reserved = Flag<D>(Bits(word0, 11, 1) != W(0) || word1 != W(0));
  out.table = word0 & W(Mask(63, 12));
  return out;
}

// Half of a scalable root entry.
template <class D>
VtdPointer<D> DecodeVtdRootHalf(typename D::W word) {
  return DecodeVtdRoot<D>(word, typename D::W(0));
}

// A PASID directory entry; bit 1 is FPD.
template <class D>
VtdPointer<D> DecodeVtdDirectory(typename D::W word) {
  using W = typename D::W;
  VtdPointer<D> out;
  out.present = Bits(word, 0, 0);
  out.reserved = Flag<D>(Bits(word, 11, 2) != W(0));
  out.table = word & W(Mask(63, 12));
  return out;
}

// A legacy context entry.
template <class D>
VtdContext<D> DecodeVtdContext(typename D::W word0, typename D::W word1, const VtdRegs& unit) {
  using W = typename D::W;
  using B = typename D::B;
  VtdContext<D> out;
  const W aw = Bits(word1, 2, 0);
  out.present = Bits(word0, 0, 0);
  out.faultDisable = Bits(word0, 1, 1);
  out.reserved = Flag<D>(Bits(word0, 11, 4) != W(0) || (word1 & W(Mask(63, 24) | 0x80)) != W(0));
  out.type = Bits(word0, 3, 2);
  out.bits = VtdWidthOf(aw);
  out.table = word0 & W(Mask(63, 12));
  out.did = Bits(word1, 23, 8);
  const bool device_tlb = VtdHas(unit.ecap, 2), pass = VtdHas(unit.ecap, 6);
  const B type_bad =
      out.type == W(3) || (out.type == W(1) && B(!device_tlb)) || (out.type == W(2) && B(!pass));
  // TT = 10 has no table, but must name the widest.
  const B width_bad =
      !VtdWidthSupported<D>(aw, unit) || (out.type == W(2) && aw != W(VtdWidest(unit.cap)));
  out.invalid = Flag<D>(type_bad || width_bad);
  return out;
}

// A scalable context entry, decoded.
template <class D>
struct VtdScalableContext {
  using W = typename D::W;
  W present{0}, faultDisable{0}, reserved{0};
  W deviceTlb{0};      // DTE
  W pasidEnable{0};    // PASIDE
  W directoryBits{0};  // the directory has 2^this entries
  W table{0};          // PASIDDIRPTR
  W ridPasid{0}, ridPrivileged{0};
};
template <class D>
VtdScalableContext<D> DecodeVtdScalableContext(const std::array<typename D::W, 4>& w) {
  using W = typename D::W;
  VtdScalableContext<D> out;
  out.present = Bits(w[0], 0, 0), out.faultDisable = Bits(w[0], 1, 1);
  out.reserved =
      Flag<D>(Bits(w[0], 8, 5) != W(0) || Bits(w[1], 63, 21) != W(0) || (w[2] | w[3]) != W(0));
  out.deviceTlb = Bits(w[0], 2, 2), out.pasidEnable = Bits(w[0], 3, 3);
  out.directoryBits = Bits(w[0], 11, 9) + W(7);
  out.table = w[0] & W(Mask(63, 12));
  out.ridPasid = Bits(w[1], 19, 0), out.ridPrivileged = Bits(w[1], 20, 20);
  return out;
}

enum VtdPgtt : uint64_t { kFirstStage = 1, kSecondStage = 2, kNestedStages = 3, kPassThrough = 4 };

// A PASID table entry, words 0 to 2: what follows is ignored.
template <class D>
VtdPasidEntry<D> DecodeVtdPasidEntry(const std::array<typename D::W, 3>& w, const VtdRegs& unit) {
  using W = typename D::W;
  using B = typename D::B;
  VtdPasidEntry<D> out;
  const W aw = Bits(w[0], 4, 2), fspm = Bits(w[2], 3, 2);
  out.present = Bits(w[0], 0, 0), out.faultDisable = Bits(w[0], 1, 1);
  out.type = Bits(w[0], 8, 6);
  out.bits = VtdWidthOf(aw);
  out.table = w[0] & W(Mask(63, 12));
  out.did = Bits(w[1], 15, 0);
  out.dirty = Bits(w[0], 9, 9);
  const auto is = [&](uint64_t type, int ecap_bit) {
    return out.type == W(type) && B(VtdHas(unit.ecap, ecap_bit));
  };
  const B known =
      is(kFirstStage, 47) || is(kSecondStage, 46) || is(kNestedStages, 26) || is(kPassThrough, 6);
  const B first = out.type == W(uint64_t{kFirstStage}) || out.type == W(uint64_t{kNestedStages});
  const B second = out.type == W(uint64_t{kSecondStage}) || out.type == W(uint64_t{kNestedStages});
  out.reserved = Flag<D>(Bits(w[0], 11, 10) != W(0) || Bits(w[1], 22, 16) != W(0) ||
                         (first && Bits(w[2], 11, 8) != W(0)));
  const B five = B(VtdHas(unit.cap, 60));
  const B mode_ok = fspm == W(0) || (fspm == W(1) && five);
  out.invalid =
      Flag<D>(!known || (second && !VtdWidthSupported<D>(aw, unit)) || (first && !mode_ok));
  return out;
}

// ---- hw-vtd 3: one second-stage entry -----------------------------------------------------------

// Address bits that one entry at `level` decides from here up.
constexpr int VtdShift(int level) {
  return 12 + 9 * (level - 1);
}

template <class D>
VtdEntry<D> DecodeVtdEntry(typename D::W word, int level, const VtdRegs& unit) {
  using W = typename D::W;
  using B = typename D::B;
  const bool may_be_large = level == 2 || level == 3;
  const bool large_supported = level == 2 ? VtdHas(unit.cap, 34) : VtdHas(unit.cap, 35);
  const int top = static_cast<int>(unit.haw) - 1;  // highest address bit
  const int shift = level <= 3 ? VtdShift(level) : 12;
  const auto any = [&](int last, int first) {
    return last < first ? B(false) : (word & W(Mask(last, first))) != W(0);
  };
  const B large = B(may_be_large) && any(7, 7);
  const B leaf = B(level == 1) || large;
  const B bad_table = any(11, 11) || (B(level >= 4) && any(7, 7));
  const B bad_leaf = (B(!VtdHas(unit.ecap, 7)) && any(11, 11)) ||
                     (large && (B(!large_supported) || any(shift - 1, 12)));
  const B present = any(1, 0);
  const B bad = any(51, top + 1) || (leaf && bad_leaf) || (!leaf && bad_table);
  // Whoever is not present is not looked at further; what is reserved leads nowhere.
  const B good = present && !bad;
  VtdEntry<D> out;
  out.present = Flag<D>(present);
  out.reserved = Flag<D>(present && bad);
  out.leaf = Flag<D>(good && leaf);
  const W address = D::Sel(leaf, word & W(Mask(top, shift)), word & W(Mask(top, 12)));
  out.output = D::Sel(good, address, W(0));
  out.rights = D::Sel(good && any(0, 0), W(uint64_t{kRead}), W(0)) |
               D::Sel(good && any(1, 1), W(uint64_t{kWrite}), W(0));
  return out;
}

// ---- hw-vtd 8: an invalidation descriptor -------------------------------------------------------

enum VtdDescriptorType : uint64_t {
  kVtdContext = 1,
  kVtdIotlb = 2,
  kVtdDeviceTlb = 3,
  kVtdInterrupts = 4,
  kVtdWait = 5,
  kVtdPasidIotlb = 6,
  kVtdPasidCache = 7,
  kVtdPasidDeviceTlb = 8,
  kVtdPageResponse = 9,
};
// Granularities by type.
enum VtdGranularity : uint64_t {
  kVtdGlobal = 1,  // context, IOTLB
  kVtdDomain = 2,
  kVtdDevice = 3,          // context
  kVtdPage = 3,            // IOTLB, P-IOTLB
  kVtdAllOfPasid = 2,      // P-IOTLB
  kVtdPasidsOfDomain = 0,  // PASID cache
  kVtdOnePasid = 1,        // PASID cache
  kVtdAllPasids = 3,       // PASID cache
};

// Size of a device TLB range: 4 KiB, or with `sized` 8 KiB << (ones of the address from bit 12 up).
template <class D>
typename D::W VtdDeviceRange(typename D::W address, typename D::W sized) {
  using W = typename D::W;
  // The lowest zero bit from 12 up is the highest that the range leaves open.
  const W zeros = ~address & W(Mask(63, 12));
  const W lowest = zeros & (W(0) - zeros);
  return D::Sel(sized != W(0), (lowest << W(1)) - W(1), W(0xfff));  // bytes less one
}

// Words 0 to 3; `wide`: the queue has 256-bit descriptors, else words 2 and 3 play no part.
template <class D>
VtdInvalidation<D> DecodeVtdInvalidation(const std::array<typename D::W, 4>& w, bool wide,
                                         const VtdRegs& unit) {
  using W = typename D::W;
  using B = typename D::B;
  VtdInvalidation<D> out;
  out.type = Bits(w[0], 11, 9) << W(4) | Bits(w[0], 3, 0);
  const auto type = [&](uint64_t t) { return out.type == W(t); };
  const B pasid_kind = type(kVtdPasidIotlb) || type(kVtdPasidCache);
  const B iotlb = type(kVtdIotlb) || type(kVtdPasidIotlb);
  const B device = type(kVtdDeviceTlb) || type(kVtdPasidDeviceTlb);
  const B two_bits = type(kVtdContext) || iotlb || type(kVtdPasidCache);
  out.granularity = D::Sel(two_bits, Bits(w[0], 5, 4), W(0));
  const auto g = [&](uint64_t value) { return out.granularity == W(value); };
  out.did = D::Sel(two_bits, Bits(w[0], 31, 16), W(0));
  out.sid =
      D::Sel(type(kVtdContext) || type(kVtdDeviceTlb), Bits(w[0], 47, 32),
             D::Sel(type(kVtdPasidDeviceTlb) || type(kVtdPageResponse), Bits(w[0], 31, 16), W(0)));
  out.functionMask = D::Sel(type(kVtdContext), Bits(w[0], 49, 48), W(0));
  out.pasid = D::Sel(pasid_kind || type(kVtdPasidDeviceTlb) || type(kVtdPageResponse),
                     Bits(w[0], 51, 32), W(0));

  // Which bytes: AM of an IOTLB page descriptor, the address's own coding for a device TLB.
  const W am = Bits(w[1], 5, 0);
  const B paged = iotlb && g(kVtdPage);
  const W page = w[1] & W(Mask(63, 12));
  const W size = (W(0x1000) << am) - W(1);  // AM 52 and more: everything, and above MAMV
  const W sized = D::Sel(type(kVtdDeviceTlb), Bits(w[1], 0, 0), Bits(w[1], 11, 11));
  const W span = D::Sel(paged, size, D::Sel(device, VtdDeviceRange<D>(page, sized), W(0)));
  const B ranged = paged || device;
  out.first = D::Sel(ranged, page & ~span, W(0));
  out.last = D::Sel(ranged, page | span, W(0));
  out.leafOnly = D::Sel(paged, Bits(w[1], 6, 6), W(0));

  // The fields of the sheet by type; whatever else is set is reserved.
  const auto fields = [&](uint64_t t, uint64_t mask0, uint64_t mask1) {
    return type(t) && ((w[0] & ~W(mask0)) | (w[1] & ~W(mask1))) == W(0);
  };
  const uint64_t low = 0xe0f;  // the type itself
  const B flags = Bits(w[0], 6, 4) != W(0);
  const W mamv = W(unit.cap >> 48 & 0x3f);
  const B am_ok = !paged || am <= mamv;
  const B known = (fields(kVtdContext, 0x0003ffffffff0030 | low, 0) && !g(0)) ||
                  (fields(kVtdIotlb, 0x00000000ffff00f0 | low, Mask(63, 12) | 0x7f) && !g(0)) ||
                  fields(kVtdDeviceTlb, 0xfff0ffff001ff000 | low, Mask(63, 12) | 1) ||
                  fields(kVtdInterrupts, 0x0000fffff8000010 | low, 0) ||
                  (fields(kVtdWait, 0xffffffff000000f0 | low, Mask(63, 2)) && flags) ||
                  (fields(kVtdPasidIotlb, 0x000fffffffff0030 | low, Mask(63, 12) | 0x7f) &&
                   (g(kVtdAllOfPasid) || g(kVtdPage))) ||
                  (fields(kVtdPasidCache, 0x000fffffffff0030 | low, 0) && !g(2)) ||
                  fields(kVtdPasidDeviceTlb, 0xffffffffffff0000 | 0xf1f0 | low, Mask(63, 11) | 1) ||
                  fields(kVtdPageResponse, 0x000fffffffff0000 | 0xf010 | low, Mask(11, 3));
  const B width_ok = B(wide) || !pasid_kind;
  const B upper_ok = B(!wide) || (w[2] | w[3]) == W(0);
  out.legal = Flag<D>(known && am_ok && width_ok && upper_ok);
  return out;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_DECODE_VTD_H_
