// The SMMUv3's structures, decoded bit by bit: pure functions over the domain (hw 2.1, 3, 4.1).
// What each field means stands in the sheet; levels, granules (log2 of bytes) and IDRs are native.
#ifndef TWINWALK_REFERENCE_DECODE_SMMUV3_H_
#define TWINWALK_REFERENCE_DECODE_SMMUV3_H_

#include <array>

#include "reference/bits.h"
#include "reference/env.h"
#include "traces/walk.h"

namespace twinwalk::reference {

using Idr = std::array<uint32_t, 6>;

// hw 4: address bits that one entry of a table at `level` decides from here up.
constexpr int ShiftOf(int level, int granule) {
  return granule + (3 - level) * (granule - 3);
}
constexpr bool BlockAllowed(int level, int granule) {
  return granule == 12 ? level == 1 || level == 2 : level == 2;  // L1 of 64K: 52-bit only, not here
}

// OAS and IPS/S2PS codes (hw 1); 7 is reserved and acts as the largest.
template <class D>
typename D::W SizeOfCode(typename D::W code) {
  using W = typename D::W;
  constexpr uint64_t kBits[6] = {32, 36, 40, 42, 44, 48};
  W bits = W(52);
  for (uint64_t i = 0; i < 6; ++i) bits = D::Sel(code == W(i), W(kBits[i]), bits);
  return bits;
}

// ---- hw 4.1: one descriptor ---------------------------------------------------------------------

template <class D>
typename D::W OutputOf(typename D::W word, int lowest, int granule) {
  using W = typename D::W;
  W out = word & W(Mask(47, lowest));
  if (granule == 16) out = out | Bits(word, 15, 12) << W(48);
  return out;
}

// Kind and output; what is not a leaf's or a table's stays zero.
template <class D>
Descriptor<D> DecodeCommon(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  const W low = word & W(3);
  const B table = B(level < 3) && low == W(3);
  const B leaf = (B(level == 3) && low == W(3)) || (B(BlockAllowed(level, granule)) && low == W(1));
  Descriptor<D> out;
  out.kind = D::Sel(table, W(uint64_t{kTableDescriptor}),
                    D::Sel(leaf, W(uint64_t{kLeafDescriptor}), W(uint64_t{kInvalidDescriptor})));
  out.output = D::Sel(table, OutputOf<D>(word, granule, granule),
                      D::Sel(leaf, OutputOf<D>(word, ShiftOf(level, granule), granule), W(0)));
  out.accessFlag = D::Sel(leaf, Bits(word, 10, 10), W(0));
  return out;
}

template <class D>
Descriptor<D> DecodeStage1(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  Descriptor<D> out = DecodeCommon<D>(word, level, granule);
  const B leaf = out.kind == W(uint64_t{kLeafDescriptor});
  const B table = out.kind == W(uint64_t{kTableDescriptor});
  const B user = Bits(word, 6, 6) != W(0), read_only = Bits(word, 7, 7) != W(0);
  const B user_write = user && !read_only;
  const auto grant = [](B when, uint64_t bits) { return D::Sel(when, W(bits), W(0)); };
  const W permissions = W(uint64_t{kPrivRead}) | grant(!read_only, kPrivWrite) |
                        grant(user, kUserRead) | grant(user_write, kUserWrite) |
                        grant(Bits(word, 53, 53) == W(0), kPrivExec) |
                        grant(Bits(word, 54, 54) == W(0), kUserExec);
  const W limits = grant(Bits(word, 61, 61) != W(0), kNoUser) |
                   grant(Bits(word, 62, 62) != W(0), kNoWrite) |
                   grant(Bits(word, 60, 60) != W(0), kNoUserExec) |
                   grant(Bits(word, 59, 59) != W(0), kNoPrivExec);
  out.permissions = D::Sel(leaf, permissions, W(0));
  out.limits = D::Sel(table, limits, W(0));
  out.notGlobal = D::Sel(leaf, Bits(word, 11, 11), W(0));
  return out;
}

template <class D>
Descriptor<D> DecodeStage2(typename D::W word, int level, int granule) {
  using W = typename D::W;
  using B = typename D::B;
  Descriptor<D> out = DecodeCommon<D>(word, level, granule);
  const B leaf = out.kind == W(uint64_t{kLeafDescriptor});
  const auto grant = [](B when, uint64_t bits) { return D::Sel(when, W(bits), W(0)); };
  const W permissions = grant(Bits(word, 6, 6) != W(0), kUserRead) |
                        grant(Bits(word, 7, 7) != W(0), kUserWrite) |
                        grant(Bits(word, 54, 54) == W(0), kUserExec);
  out.permissions = D::Sel(leaf, permissions, W(0));
  return out;
}

// ---- hw 3: a context descriptor -----------------------------------------------------------------

// One half of a CD. REQUIRES nothing; `legal` says whether the fields hold.
template <class D>
struct CdHalf {
  using W = typename D::W;
  W legal{0}, off{0}, size{0}, granule{0}, ttb{0}, had{0};
};

template <class D>
CdHalf<D> DecodeHalf(typename D::W txsz, typename D::W granule, typename D::W off,
                     typename D::W ttb_word, typename D::W output_bits, const Idr& idr) {
  using W = typename D::W;
  using B = typename D::B;
  CdHalf<D> out;
  out.off = off;
  out.size = W(64) - txsz;
  out.granule = granule;
  out.ttb = ttb_word & W(Mask(51, 4));
  out.had = Bits(ttb_word, 1, 1);
  const bool vax = (idr[5] >> 10 & 3) == 1;
  const B big = granule == W(16);
  const W lowest = D::Sel(big, W(vax ? 12 : 16), W(16));
  const W bits = D::Sel(big, output_bits, Min<D>(output_bits, W(48)));
  const B legal = granule != W(0) && txsz >= lowest && txsz <= W(39) && !Exceeds(out.ttb, bits);
  out.legal = Flag<D>(off != W(0) || legal);
  return out;
}

template <class D>
ContextDescriptor<D> DecodeCd(typename D::W w0, typename D::W w1, typename D::W w2,
                              const Idr& idr) {
  using W = typename D::W;
  using B = typename D::B;
  // TG0 and TG1 are encoded differently. 0: reserved.
  const W tg0 = Bits(w0, 7, 6), tg1 = Bits(w0, 23, 22);
  const auto granule = [](W tg, uint64_t k4, uint64_t k16, uint64_t k64) {
    return D::Sel(tg == W(k4), W(12),
                  D::Sel(tg == W(k16), W(14), D::Sel(tg == W(k64), W(16), W(0))));
  };
  ContextDescriptor<D> cd;
  cd.asid = Bits(w0, 63, 48);
  cd.wide = W(uint64_t{OutputBits(idr) == 52});
  cd.outputBits = Min<D>(SizeOfCode<D>(Bits(w0, 34, 32)), W(OutputBits(idr)));
  const CdHalf<D> h0 = DecodeHalf<D>(Bits(w0, 5, 0), granule(tg0, 0, 2, 1), Bits(w0, 14, 14), w1,
                                     cd.outputBits, idr);
  const CdHalf<D> h1 = DecodeHalf<D>(Bits(w0, 21, 16), granule(tg1, 2, 1, 3), Bits(w0, 30, 30), w2,
                                     cd.outputBits, idr);
  cd.ttb0 = h0.ttb, cd.size0 = h0.size, cd.granule0 = h0.granule, cd.off0 = h0.off;
  cd.ttb1 = h1.ttb, cd.size1 = h1.size, cd.granule1 = h1.granule, cd.off1 = h1.off;
  cd.hads0 = h0.had, cd.hads1 = h1.had;
  cd.tbi0 = Bits(w0, 38, 38), cd.tbi1 = Bits(w0, 39, 39);
  cd.affd = Bits(w0, 35, 35), cd.wxn = Bits(w0, 36, 36);
  cd.record = Bits(w0, 45, 45), cd.abort = Bits(w0, 46, 46);

  const uint32_t httu = idr[0] >> 6 & 3, stall_model = idr[0] >> 24 & 3;
  const bool term_model = (idr[0] >> 26 & 1) != 0;
  const auto set = [&](int bit) { return Bits(w0, bit, bit) != W(0); };
  const B stall = set(44);
  const B legal = set(31) && set(41) && h0.legal != W(0) && h1.legal != W(0) &&
                  !set(15) &&                     // ENDI: little-endian tables only
                  (B(!term_model) || set(46)) &&  // A
                  (B(stall_model != 1) || !stall) && (B(stall_model != 2) || stall) &&
                  (B(httu >= 1) || !set(43)) && (B(httu >= 2) || !set(42));  // HA, HD
  cd.legal = Flag<D>(legal);
  return cd;
}

// ---- hw 2.1: a stream table entry ---------------------------------------------------------------

// Words 0 to 3.
template <class D>
StreamEntry<D> DecodeSte(const std::array<typename D::W, 4>& w, const Idr& idr) {
  using W = typename D::W;
  using B = typename D::B;
  StreamEntry<D> ste;
  const W config = Bits(w[0], 3, 1);
  const B s1 = Bits(config, 0, 0) != W(0), s2 = Bits(config, 1, 1) != W(0);
  const bool has_s1 = (idr[0] >> 1 & 1) != 0, has_s2 = (idr[0] & 1) != 0;
  const uint32_t stall_model = idr[0] >> 24 & 3, ssid_size = idr[1] >> 6 & 31;
  const bool stt = (idr[3] >> 9 & 1) != 0, ats = (idr[0] >> 10 & 1) != 0;
  ste.stage1 = Flag<D>(s1), ste.stage2 = Flag<D>(s2);
  ste.contextPtr = w[0] & W(Mask(51, 6));
  ste.s1fmt = Bits(w[0], 5, 4), ste.s1cdmax = Bits(w[0], 63, 59), ste.s1dss = Bits(w[1], 1, 0);
  ste.vmid = Bits(w[2], 15, 0);
  ste.s2ttb = w[3] & W(Mask(51, 4));
  ste.s2affd = Bits(w[2], 53, 53), ste.s2record = Bits(w[2], 58, 58);

  const B substreams = ste.s1cdmax != W(0);
  const W eats = Bits(w[1], 29, 28);
  const B bad1 =
      s1 && (B(!has_s1) || (substreams && (ste.s1fmt == W(3) || ste.s1dss == W(3))) ||
             ste.s1cdmax > W(ssid_size) || (B(stall_model != 0) && Bits(w[1], 27, 27) != W(0)));

  const W tg = Bits(w[2], 47, 46), sl0 = Bits(w[2], 39, 38), t0sz = Bits(w[2], 37, 32);
  ste.s2granule = D::Sel(tg == W(0), W(12), D::Sel(tg == W(2), W(14), W(16)));
  const B big = ste.s2granule == W(16);
  const W code_bits = Min<D>(SizeOfCode<D>(Bits(w[2], 50, 48)), W(OutputBits(idr)));
  ste.s2outputBits = D::Sel(big, code_bits, Min<D>(code_bits, W(48)));
  ste.wide = W(uint64_t{OutputBits(idr) == 52});
  ste.s2size = W(64) - t0sz;
  ste.s2level = D::Sel(tg == W(0), W(2), W(3)) - sl0;
  // 4.3: index bits of the first look-up, at most 16 concatenated tables.
  const W stride = ste.s2granule - W(3);
  const W shift = ste.s2granule + (W(3) - ste.s2level) * stride;
  const B empty = ste.s2size <= shift;
  const B wide = !empty && ste.s2size - shift > stride + W(4);
  const W lowest = W(64) - ste.s2outputBits;
  const B size_bad =
      (B(!stt) && t0sz > W(39)) || t0sz > W(48) || t0sz < lowest || (!big && t0sz < W(16));
  const B bad2 =
      s2 && (B(!has_s2) || tg == W(3) || size_bad || sl0 == W(3) || empty || wide ||
             Exceeds(ste.s2ttb, ste.s2outputBits) || Bits(w[2], 51, 51) == W(0) ||
             Bits(w[2], 52, 52) != W(0) || (B(stall_model == 1) && Bits(w[2], 57, 57) != W(0)));
  const B bad_ats = B(ats) && (eats == W(3) || (eats == W(2) && !(s1 && s2)));
  const B valid = Bits(w[0], 0, 0) != W(0);
  const B aborts = Bits(config, 2, 2) == W(0);
  ste.verdict = D::Sel(!valid, W(1), D::Sel(aborts, W(2), Flag<D>(bad1 || bad2 || bad_ats)));
  return ste;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_DECODE_SMMUV3_H_
