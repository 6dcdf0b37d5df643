// How SMMUv3 structures are read: stream table entries, context descriptors, table descriptors.
// Pure templates over a domain, compared with the reference for all words (proofs/walks.cc).
//
// "sheet" is the SMMUv3 fact sheet; numbers are its sections.
#ifndef TWINWALK_MODEL_DECODE_SMMUV3_H_
#define TWINWALK_MODEL_DECODE_SMMUV3_H_

#include <array>
#include <cstdint>

#include "model/bits.h"
#include "traces/walk.h"

namespace twinwalk::model {

// IPS, S2PS and OAS codes (sheet 1): 0..6 = 32, 36, 40, 42, 44, 48, 52 bits; 7 counts as 6.
template <class D>
typename D::W SizeOfCode(typename D::W code) {
  using W = typename D::W;
  return D::Sel(
      code == W(0), W(32),
      D::Sel(code == W(1), W(36),
             D::Sel(code == W(2), W(40),
                    D::Sel(code == W(3), W(42),
                           D::Sel(code == W(4), W(44), D::Sel(code == W(5), W(48), W(52)))))));
}
// Only the 64 KiB granule reaches beyond 48 bits (sheet 2.1, 3).
template <class D>
typename D::W OutputBitsFor(typename D::W bits, typename D::W granule) {
  using W = typename D::W;
  return D::Sel(granule == W(16), bits, Least<D>(bits, W(48)));
}

// ---- Table descriptors (sheet 4.1)
// ---------------------------------------------------------------

inline constexpr int ShiftOf(int level, int granule) {
  return granule + (3 - level) * (granule - 3);
}
inline constexpr bool BlockAllowed(int level, int granule) {
  return granule == 12 ? level == 1 || level == 2 : level == 2;
}

// What both stages share: kind and output address.
template <class D>
Descriptor<D> DecodeCommon(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  const B valid = Bit<D>(word, 0);
  const B two = Bit<D>(word, 1);
  B table = valid && two;
  B leaf = valid && two;
  if (level == 3) {
    table = B(false);
  } else if (BlockAllowed(level, granule)) {
    leaf = valid && !two;
  } else {
    leaf = B(false);
  }
  const auto address = [&](int low) {
    W base = word & W(((uint64_t{1} << 48) - 1) & ~((uint64_t{1} << low) - 1));
    if (granule == 16) base = base | Bits<W>(word, 15, 12) << W(48);
    return base;
  };
  Descriptor<D> out;
  out.kind = D::Sel(table, W(kTableDescriptor), D::Sel(leaf, W(kLeafDescriptor), W(0)));
  out.output =
      D::Sel(table, address(granule), D::Sel(leaf, address(ShiftOf(level, granule)), W(0)));
  out.accessFlag = Flag<D>(leaf && Bit<D>(word, 10));
  return out;
}

template <class D>
Descriptor<D> DecodeStage1(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  Descriptor<D> out = DecodeCommon<D>(word, level, granule);
  const B user = Bit<D>(word, 6);
  const B readOnly = Bit<D>(word, 7);
  const auto when = [](B b, Permission p) { return D::Sel(b, W(p), W(0)); };
  const W permissions = W(kPrivRead) | when(!readOnly, kPrivWrite) | when(user, kUserRead) |
                        when(user && !readOnly, kUserWrite) | when(!Bit<D>(word, 53), kPrivExec) |
                        when(!Bit<D>(word, 54), kUserExec);
  const auto limit = [](B b, TableLimit l) { return D::Sel(b, W(l), W(0)); };
  const W limits = limit(Bit<D>(word, 61), kNoUser) | limit(Bit<D>(word, 62), kNoWrite) |
                   limit(Bit<D>(word, 60), kNoUserExec) | limit(Bit<D>(word, 59), kNoPrivExec);
  const B leaf = out.kind == W(kLeafDescriptor);
  out.permissions = D::Sel(leaf, permissions, W(0));
  out.limits = D::Sel(out.kind == W(kTableDescriptor), limits, W(0));
  out.notGlobal = Flag<D>(leaf && Bit<D>(word, 11));
  return out;
}

template <class D>
Descriptor<D> DecodeStage2(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  Descriptor<D> out = DecodeCommon<D>(word, level, granule);
  const auto when = [](B b, Permission p) { return D::Sel(b, W(p), W(0)); };
  const W permissions = when(Bit<D>(word, 6), kUserRead) | when(Bit<D>(word, 7), kUserWrite) |
                        when(!Bit<D>(word, 54), kUserExec);
  out.permissions = D::Sel(out.kind == W(kLeafDescriptor), permissions, W(0));
  return out;
}

// A leaf's permissions beneath its tables' limits, WXN, and "privileged never executes what
// unprivileged code can write" (sheet 4.6).
template <class D>
typename D::W EffectivePermissions(typename D::W leaf, typename D::W limits, typename D::W wxn) {
  using W = typename D::W;
  using B = typename D::B;
  const auto off = [](B b, uint64_t bits) { return D::Sel(b, W(~bits), W(~uint64_t{0})); };
  W p = leaf;
  p = p & off((limits & W(kNoUser)) != W(0), kUserRead | kUserWrite);
  p = p & off((limits & W(kNoWrite)) != W(0), kPrivWrite | kUserWrite);
  p = p & off((limits & W(kNoUserExec)) != W(0), kUserExec);
  p = p & off((limits & W(kNoPrivExec)) != W(0), kPrivExec);
  const B strict = wxn != W(0);
  const B userWrites = (p & W(kUserWrite)) != W(0);
  const B privWrites = (p & W(kPrivWrite)) != W(0);
  p = p & off(strict && userWrites, kUserExec);
  return p & off((strict && privWrites) || userWrites, kPrivExec);
}

// ---- Context descriptor (sheet 3)
// ----------------------------------------------------------------

// REQUIRES: idr holds the register words. s1stalld: that bit of the STE.
template <class D>
ContextDescriptor<D> DecodeCd(const std::array<typename D::W, 8>& word,
                              const std::array<typename D::W, 6>& idr, typename D::W s1stalld) {
  using W = typename D::W;
  using B = typename D::B;
  const W w0 = word[0];
  ContextDescriptor<D> cd;
  const W oas = SizeOfCode<D>(Bits<W>(idr[5], 2, 0));
  cd.outputBits = Least<D>(SizeOfCode<D>(Bits<W>(w0, 34, 32)), oas);
  cd.wide = Flag<D>(oas == W(52));
  cd.asid = Bits<W>(w0, 63, 48);

  const W tg0 = Bits<W>(w0, 7, 6), tg1 = Bits<W>(w0, 23, 22);  // the encodings differ
  cd.granule0 = D::Sel(tg0 == W(1), W(16), D::Sel(tg0 == W(2), W(14), W(12)));
  cd.granule1 = D::Sel(tg1 == W(3), W(16), D::Sel(tg1 == W(1), W(14), W(12)));
  cd.size0 = W(64) - Bits<W>(w0, 5, 0), cd.size1 = W(64) - Bits<W>(w0, 21, 16);
  cd.ttb0 = word[1] & W(0x000ffffffffffff0), cd.ttb1 = word[2] & W(0x000ffffffffffff0);
  cd.off0 = Bits<W>(w0, 14, 14), cd.off1 = Bits<W>(w0, 30, 30);
  cd.affd = Bits<W>(w0, 35, 35), cd.wxn = Bits<W>(w0, 36, 36);
  cd.tbi0 = Bits<W>(w0, 38, 38), cd.tbi1 = Bits<W>(w0, 39, 39);
  cd.hads0 = Bits<W>(word[1], 1, 1), cd.hads1 = Bits<W>(word[2], 1, 1);
  cd.record = Bits<W>(w0, 45, 45), cd.abort = Bits<W>(w0, 46, 46);

  const B wide = Bits<W>(idr[5], 11, 10) != W(0);  // VAX
  const auto halfFits = [&](B reserved, W size, W granule, W ttb) {
    const W most = D::Sel(wide && granule == W(16), W(52), W(48));
    const W bits = OutputBitsFor<D>(cd.outputBits, granule);
    return !reserved && size >= W(25) && size <= most && (ttb >> bits) == W(0);
  };
  const B half0 = cd.off0 != W(0) || halfFits(tg0 == W(3), cd.size0, cd.granule0, cd.ttb0);
  const B half1 = cd.off1 != W(0) || halfFits(tg1 == W(0), cd.size1, cd.granule1, cd.ttb1);

  const W stallModel = Bits<W>(idr[0], 25, 24), httu = Bits<W>(idr[0], 7, 6);
  const B stall = Bit<D>(w0, 44);
  const B model = (cd.abort != W(0) || !Bit<D>(idr[0], 26)) && !(stall && stallModel == W(1)) &&
                  !(!stall && stallModel == W(2)) && !(stall && s1stalld != W(0));
  const B update = !(Bit<D>(w0, 43) && httu < W(1)) && !(Bit<D>(w0, 42) && httu < W(2));
  const B form = Bit<D>(w0, 31) && Bit<D>(w0, 41) && !Bit<D>(w0, 15);  // V, AA64, little-endian
  cd.legal = Flag<D>(form && half0 && half1 && model && update);
  return cd;
}

// ---- Stream table entry (sheet 2.1)
// --------------------------------------------------------------

template <class D>
StreamEntry<D> DecodeSte(const std::array<typename D::W, 4>& word,
                         const std::array<typename D::W, 6>& idr) {
  using W = typename D::W;
  using B = typename D::B;
  const W w0 = word[0], w1 = word[1], w2 = word[2];
  StreamEntry<D> ste;
  ste.stage1 = Bits<W>(w0, 1, 1), ste.stage2 = Bits<W>(w0, 2, 2);
  ste.s1fmt = Bits<W>(w0, 5, 4), ste.s1cdmax = Bits<W>(w0, 63, 59);
  ste.contextPtr = w0 & W(0x000fffffffffffc0);
  ste.s1dss = Bits<W>(w1, 1, 0);
  ste.vmid = Bits<W>(w2, 15, 0);
  ste.s2ttb = word[3] & W(0x000ffffffffffff0);
  ste.s2size = W(64) - Bits<W>(w2, 37, 32);
  ste.s2affd = Bits<W>(w2, 53, 53), ste.s2record = Bits<W>(w2, 58, 58);

  const W stallModel = Bits<W>(idr[0], 25, 24);
  const B s1 = ste.stage1 != W(0), s2 = ste.stage2 != W(0);
  const B many = ste.s1cdmax != W(0);
  const B badStage1 = !Bit<D>(idr[0], 1) || ste.s1cdmax > Bits<W>(idr[1], 10, 6) ||
                      (many && (ste.s1fmt == W(3) || ste.s1dss == W(3))) ||
                      (Bit<D>(w1, 27) && stallModel != W(0));

  // Stage 2: granule, sizes, and the first lookup (sheet 4.3).
  const W tg = Bits<W>(w2, 47, 46), sl0 = Bits<W>(w2, 39, 38);
  const W g = D::Sel(tg == W(1), W(16), D::Sel(tg == W(2), W(14), W(12)));
  ste.s2granule = g;
  const W oas = SizeOfCode<D>(Bits<W>(idr[5], 2, 0));
  ste.wide = Flag<D>(oas == W(52));
  ste.s2outputBits = OutputBitsFor<D>(Least<D>(SizeOfCode<D>(Bits<W>(w2, 50, 48)), oas), g);
  const W first = D::Sel(g == W(12), W(2), W(3));
  ste.s2level = D::Sel(sl0 <= first, first - sl0, W(0));
  const W stride = g - W(3);
  const W shift = g + (W(3) - ste.s2level) * stride;
  const B lookup = ste.s2size > shift && ste.s2size <= shift + stride + W(4);
  const W smallest = D::Sel(Bit<D>(idr[3], 9), W(16), W(25));  // STT: small tables
  const B badStage2 = !Bit<D>(idr[0], 0) || tg == W(3) || sl0 == W(3) || !Bit<D>(w2, 51) ||
                      Bit<D>(w2, 52) || ste.s2size < smallest || ste.s2size > ste.s2outputBits ||
                      !lookup || (ste.s2ttb >> ste.s2outputBits) != W(0) ||
                      (Bit<D>(w2, 57) && stallModel == W(1));
  const W eats = Bits<W>(w1, 29, 28);
  const B badAts = Bit<D>(idr[0], 10) && (eats == W(3) || (eats == W(2) && !(s1 && s2)));
  const B illegal = (s1 && badStage1) || (s2 && badStage2) || badAts;
  const B valid = Bit<D>(w0, 0), runs = Bit<D>(w0, 3);
  ste.verdict = D::Sel(!valid, W(1), D::Sel(!runs, W(2), Flag<D>(illegal)));
  return ste;
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_DECODE_SMMUV3_H_
