// How VT-d structures are read: root, context and PASID entries, second-stage entries. Pure
// templates over a domain, compared with the reference for all words (proofs/walks_vtd.cc).
//
// "sheet" is the VT-d fact sheet; numbers are its sections.
#ifndef TWINWALK_MODEL_DECODE_VTD_H_
#define TWINWALK_MODEL_DECODE_VTD_H_

#include <array>
#include <cstdint>

#include "model/bits.h"
#include "traces/walk_vtd.h"

namespace twinwalk::model {

inline constexpr uint64_t kVtdAddressBits = 0x000ffffffffff000;  // 51:12
inline constexpr uint64_t kVtdPointerBits = ~uint64_t{0xfff};    // 63:12

// ---- What a unit supports (sheet 1)
// --------------------------------------------------------------

enum VtdPasidType : uint64_t {
  kFirstStage = 1,
  kSecondStage = 2,
  kNestedStages = 3,
  kPassThrough = 4
};
enum VtdTranslationType : uint64_t { kUntranslatedOnly = 0, kWithAts = 1, kBypassed = 2 };

// Largest DMA address, in bits.
template <class D>
typename D::W MgawBits(typename D::W cap) {
  using W = typename D::W;
  return Bits<W>(cap, 21, 16) + W(1);
}
// Input bits of an AW code: 1, 2, 3 are 3, 4, 5 levels.
template <class D>
typename D::W WidthOfCode(typename D::W aw) {
  using W = typename D::W;
  return W(30) + aw * W(9);
}
// Whether SAGAW offers an AW code.
template <class D>
typename D::B WidthSupported(typename D::W cap, typename D::W aw) {
  using W = typename D::W;
  return (aw == W(1) && Bit<D>(cap, 9)) || (aw == W(2) && Bit<D>(cap, 10)) ||
         (aw == W(3) && Bit<D>(cap, 11));
}
// The AW code of the widest tables that SAGAW offers; 0: none.
template <class D>
typename D::W WidestCode(typename D::W cap) {
  using W = typename D::W;
  return D::Sel(Bit<D>(cap, 11), W(3),
                D::Sel(Bit<D>(cap, 10), W(2), D::Sel(Bit<D>(cap, 9), W(1), W(0))));
}

// ---- Root, context, PASID (sheet 2)
// --------------------------------------------------------------

template <class D>
VtdPointer<D> DecodeLegacyRoot(typename D::W lo, typename D::W hi) {
  using W = typename D::W;
  VtdPointer<D> out;
  out.present = Bits<W>(lo, 0, 0);
  out.reserved = Flag<D>((lo & W(0xffe)) != W(0) || hi != W(0));
  out.table = lo & W(kVtdPointerBits);
  return out;
}
// One half: the lower for devfn 0..127, the upper for the rest.
template <class D>
VtdPointer<D> DecodeScalableRoot(typename D::W half) {
  using W = typename D::W;
  return DecodeLegacyRoot<D>(half, W(0));
}
// FPD is bit 1.
template <class D>
VtdPointer<D> DecodePasidDirectory(typename D::W word) {
  using W = typename D::W;
  VtdPointer<D> out;
  out.present = Bits<W>(word, 0, 0);
  out.reserved = Flag<D>((word & W(0xffc)) != W(0));
  out.table = word & W(kVtdPointerBits);
  return out;
}

template <class D>
VtdContext<D> DecodeLegacyContext(typename D::W lo, typename D::W hi, typename D::W cap,
                                  typename D::W ecap) {
  using W = typename D::W;
  using B = typename D::B;
  VtdContext<D> out;
  out.present = Bits<W>(lo, 0, 0);
  out.faultDisable = Bits<W>(lo, 1, 1);
  out.reserved = Flag<D>((lo & W(0xff0)) != W(0) || (hi & W(~uint64_t{0xffff7f})) != W(0));
  const W tt = Bits<W>(lo, 3, 2), aw = Bits<W>(hi, 2, 0);
  const B bypassed = tt == W(kBypassed);
  const B type = tt == W(kUntranslatedOnly) || (tt == W(kWithAts) && Bit<D>(ecap, 2)) ||
                 (bypassed && Bit<D>(ecap, 6));  // DT, PT
  // Pass-through has no table, but must name the widest one [S].
  const B width = WidthSupported<D>(cap, aw) && (!bypassed || aw == WidestCode<D>(cap));
  out.invalid = Flag<D>(!type || !width);
  out.type = tt;
  out.bits = WidthOfCode<D>(aw);
  out.table = lo & W(kVtdPointerBits);
  out.did = Bits<W>(hi, 23, 8);
  return out;
}

// A scalable-mode context entry.
template <class D>
struct VtdScalableContext {
  using W = typename D::W;
  W present{0}, faultDisable{0};
  W reserved{0};
  W deviceTlb{0}, pasidEnable{0};  // DTE, PASIDE
  W directory{0};                  // PASID directory
  W log2Entries{0};                // of the directory
  W ridPasid{0}, ridPrivileged{0};
};
template <class D>
VtdScalableContext<D> DecodeScalableContext(const std::array<typename D::W, 4>& word) {
  using W = typename D::W;
  VtdScalableContext<D> out;
  out.present = Bits<W>(word[0], 0, 0);
  out.faultDisable = Bits<W>(word[0], 1, 1);
  out.reserved =
      Flag<D>((word[0] & W(0x1e0)) != W(0) || (word[1] & W(~uint64_t{0x1fffff})) != W(0) ||
              word[2] != W(0) || word[3] != W(0));
  out.deviceTlb = Bits<W>(word[0], 2, 2);
  out.pasidEnable = Bits<W>(word[0], 3, 3);
  out.directory = word[0] & W(kVtdPointerBits);
  out.log2Entries = Bits<W>(word[0], 11, 9) + W(7);
  out.ridPasid = Bits<W>(word[1], 19, 0);
  out.ridPrivileged = Bits<W>(word[1], 20, 20);
  return out;
}

// First-stage and nested entries are not supported here: invalid.
template <class D>
VtdPasidEntry<D> DecodePasidEntry(typename D::W qw0, typename D::W qw1, typename D::W cap,
                                  typename D::W ecap) {
  using W = typename D::W;
  using B = typename D::B;
  VtdPasidEntry<D> out;
  out.present = Bits<W>(qw0, 0, 0);
  out.faultDisable = Bits<W>(qw0, 1, 1);
  out.reserved = Flag<D>((qw0 & W(0xc00)) != W(0) || (qw1 & W(0x7f0000)) != W(0));
  const W type = Bits<W>(qw0, 8, 6), aw = Bits<W>(qw0, 4, 2);
  const B second = type == W(kSecondStage) && Bit<D>(ecap, 46) && WidthSupported<D>(cap, aw);
  const B through = type == W(kPassThrough) && Bit<D>(ecap, 6);
  out.invalid = Flag<D>(!second && !through);
  out.type = type;
  out.bits = WidthOfCode<D>(aw);
  out.table = qw0 & W(kVtdPointerBits);
  out.did = Bits<W>(qw1, 15, 0);
  out.dirty = Bits<W>(qw0, 9, 9);
  return out;
}

// ---- Second-stage entries (sheet 3)
// --------------------------------------------------------------

inline constexpr int VtdShift(int level) {
  return 12 + (level - 1) * 9;
}

// haw: host address width in bits, at most 52.
template <class D>
VtdEntry<D> DecodeVtdEntry(typename D::W word, int level, typename D::W cap, typename D::W ecap,
                           typename D::W haw) {
  using W = typename D::W;
  using B = typename D::B;
  const bool sized = level == 2 || level == 3;  // may be a leaf
  const B page = sized ? Bit<D>(word, 7) : B(level == 1);
  const W inside = W(sized ? (uint64_t{1} << VtdShift(level)) - 0x1000 : 0);  // below its page size
  const B offered = sized ? Bit<D>(cap, level == 2 ? 34 : 35) : B(true);
  const B snoop = Bit<D>(ecap, 7) && page;  // bit 11 is SNP in a leaf, where SC is offered
  B bad = ((word & W(kVtdAddressBits)) >> haw) != W(0) || (Bit<D>(word, 11) && !snoop) ||
          (page && (!offered || (word & inside) != W(0)));
  if (level >= 4) bad = bad || Bit<D>(word, 7);
  VtdEntry<D> out;
  out.rights = word & W(3);
  const B present = out.rights != W(0);
  out.present = Flag<D>(present);
  out.reserved = Flag<D>(present && bad);
  out.leaf = Flag<D>(page);
  out.output = word & W(kVtdAddressBits) & D::Sel(page, ~inside, W(~uint64_t{0}));
  return out;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_DECODE_VTD_H_
