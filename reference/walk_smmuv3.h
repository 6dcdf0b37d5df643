// The SMMUv3's walk in the manual's numbered steps (hw, "Required order of checks"), single-valued.
// Stage 1 is one template for both levels: what it stands on is a parameter `Under`:
//   Fetched<D> Fetch(W address, AccessClass cls, int words)   1 or 3 words, through stage 2 if any
//   const RetainedRow<D>* RetainedCd(W ssid)                  null: none is used
//   const RetainedRow<D>* RetainedLeaf(W asid, W va)
//   const RetainedRow<D>* RetainedTable(W asid, W va, int level, uint64_t bytes)
//   void MadeCd(W ssid, words, legal), MadeTable(...), MadeLeaf(...)
// At stack level (access.h) that is the Areas and what may be retained; at hardware level
// (walk_smmuv3.cc) physical memory with a bit-exact stage 2, and nothing is retained.
#ifndef TWINWALK_REFERENCE_WALK_SMMUV3_H_
#define TWINWALK_REFERENCE_WALK_SMMUV3_H_

#include "reference/decode_smmuv3.h"

namespace twinwalk::reference {

enum Event : uint64_t {  // hw 5
  kBadStreamId = 0x02,
  kSteFetch = 0x03,
  kBadSte = 0x04,
  kStreamDisabled = 0x06,
  kBadSubstreamId = 0x08,
  kCdFetchAbort = 0x09,
  kBadCd = 0x0a,
  kWalkAbort = 0x0b,
  kTranslation = 0x10,
  kAddrSize = 0x11,
  kAccess = 0x12,
  kPermission = 0x13,
};

// How a walk ended early. event 0: it did not.
template <class D>
struct Fault {
  using W = typename D::W;
  W event{0};
  W stage2{0};  // S2
  W cls{2};     // CLASS: 0 CD, 1 TT, 2 IN
  W word3{0};   // IPA or FetchAddr
};
template <class D>
Fault<D> FaultOf(uint64_t event) {
  Fault<D> f;
  f.event = typename D::W(event);
  return f;
}

// Words read through stage 2. A fault is complete.
template <class D>
struct Fetched {
  using W = typename D::W;
  Fault<D> fault;
  std::array<W, 3> words{W(0), W(0), W(0)};
};

// hw 5: a record, for the device's stream. `address` is the input; C_* and fetch events carry none.
template <class D>
std::array<typename D::W, 4> RecordOf(const Fault<D>& f, typename D::W sid, bool has_ssid,
                                      typename D::W ssid, typename D::W address, bool write,
                                      bool privileged, bool instruction) {
  using W = typename D::W;
  using B = typename D::B;
  const auto is = [&](uint64_t event) { return f.event == W(event); };
  const B addressed = is(kWalkAbort) || f.event >= W(uint64_t{kTranslation});
  const W ssid_field = (ssid & W(0xfffff)) << W(12);
  W word0 = f.event | sid << W(32);
  if (has_ssid) {
    word0 = word0 | D::Sel(is(kStreamDisabled), W(0), ssid_field);
    word0 = word0 | D::Sel(is(kStreamDisabled) || is(kBadSubstreamId), W(0), W(1 << 11));
  }
  const W attributes =
      W(uint64_t{privileged} << 33 | uint64_t{instruction} << 34 | uint64_t{!write} << 35);
  const W word1 = attributes | f.stage2 << W(39) | f.cls << W(40);
  return {word0, D::Sel(addressed, word1, W(0)), D::Sel(addressed, address, W(0)), f.word3};
}

// ---- Steps 6 to 8: the context descriptor -------------------------------------------------------

template <class D>
struct CdAnswer {
  Fault<D> fault;
  bool bypass = false;  // S1DSS: stage 1 is skipped
  ContextDescriptor<D> cd;
};

template <class D, class Under>
CdAnswer<D> FindCd(Under& under, const StreamEntry<D>& ste, const Idr& idr, bool has_ssid,
                   typename D::W ssid) {
  using W = typename D::W;
  CdAnswer<D> out;
  // 6.
  W index = W(0);
  if (ste.s1cdmax == W(0)) {
    if (has_ssid) return out.fault = FaultOf<D>(kBadSubstreamId), out;
  } else if (!has_ssid) {
    if (ste.s1dss == W(0)) return out.fault = FaultOf<D>(kStreamDisabled), out;
    if (ste.s1dss == W(1)) return out.bypass = true, out;
  } else {
    if (ssid == W(0) && ste.s1dss == W(2)) return out.fault = FaultOf<D>(kStreamDisabled), out;
    if (Exceeds(ssid, ste.s1cdmax)) return out.fault = FaultOf<D>(kBadSubstreamId), out;
    index = ssid;
  }
  std::array<W, 3> words;
  if (const RetainedRow<D>* row = under.RetainedCd(index)) {
    words = {row->v0, row->v1, row->v2};
  } else {
    W address = ste.contextPtr + index * W(64);
    // 7.
    if (ste.s1cdmax != W(0) && ste.s1fmt != W(0)) {
      const W leaf_bits = D::Sel(ste.s1fmt == W(1), W(6), W(10));
      const Fetched<D> l1 = under.Fetch(ste.contextPtr + (index >> leaf_bits) * W(8), kCdFetch, 1);
      if (l1.fault.event != W(0)) return out.fault = l1.fault, out;
      if ((l1.words[0] & W(1)) == W(0)) return out.fault = FaultOf<D>(kBadSubstreamId), out;
      address = (l1.words[0] & W(Mask(51, 12))) + (index & ((W(1) << leaf_bits) - W(1))) * W(64);
    }
    // 8.
    const Fetched<D> fetched = under.Fetch(address, kCdFetch, 3);
    if (fetched.fault.event != W(0)) return out.fault = fetched.fault, out;
    words = fetched.words;
    under.MadeCd(index, words);
  }
  out.cd = DecodeCd<D>(words[0], words[1], words[2], idr);
  if (out.cd.legal == W(0)) out.fault = FaultOf<D>(kBadCd);
  return out;
}

// ---- Step 9: which table ------------------------------------------------------------------------

template <class D>
struct Half {
  using W = typename D::W;
  Fault<D> fault;
  W va{0};  // the address as translated: without its top byte where that is ignored
  W ttb{0}, size{0}, granule{0}, had{0}, bits{0};  // bits: of output addresses
};

template <class D>
Half<D> PickHalf(const ContextDescriptor<D>& cd, typename D::W va) {
  using W = typename D::W;
  using B = typename D::B;
  const B high = Bits(va, 55, 55) != W(0);
  const W top = W(Mask(63, 56));
  const W tbi = D::Sel(high, cd.tbi1, cd.tbi0);
  Half<D> out;
  out.va = D::Sel(tbi != W(0), D::Sel(high, va | top, va & ~top), va);
  out.ttb = D::Sel(high, cd.ttb1, cd.ttb0), out.size = D::Sel(high, cd.size1, cd.size0);
  out.granule = D::Sel(high, cd.granule1, cd.granule0);
  out.had = D::Sel(high, cd.hads1, cd.hads0);
  out.bits = D::Sel(out.granule == W(16), cd.outputBits, Min<D>(cd.outputBits, W(48)));
  const W off = D::Sel(high, cd.off1, cd.off0);
  const W above = D::Sel(high, ~out.va, out.va);  // must be zero from `size` up
  if (off != W(0) || Exceeds(above, out.size & W(63))) out.fault = FaultOf<D>(kTranslation);
  return out;
}

// ---- Step 10: the tables ------------------------------------------------------------------------

template <class D>
struct Stage1Answer {
  using W = typename D::W;
  Fault<D> fault;
  W output{0};          // of the address asked for
  W permissions{0};     // Permission bits
  W first{0}, last{0};  // VA of the leaf
  W global{0};
};

// Permission bits that remain below table limits and WXN (hw 4.1, 4.6).
template <class D>
typename D::W Effective(typename D::W permissions, typename D::W limits, typename D::W wxn) {
  using W = typename D::W;
  const auto drop = [&](uint64_t limit, uint64_t bits) {
    return D::Sel((limits & W(limit)) != W(0), W(bits), W(0));
  };
  W left = permissions &
           ~(drop(kNoUser, kUserRead | kUserWrite) | drop(kNoWrite, kPrivWrite | kUserWrite) |
             drop(kNoUserExec, kUserExec) | drop(kNoPrivExec, kPrivExec));
  const auto writable = [&](uint64_t write, uint64_t exec) {
    return D::Sel(wxn != W(0) && (left & W(write)) != W(0), W(exec), W(0));
  };
  // hw 4.6: privileged code never runs where unprivileged code can write.
  const W never = D::Sel((left & W(uint64_t{kUserWrite})) != W(0), W(uint64_t{kPrivExec}), W(0));
  return left & ~(never | writable(kPrivWrite, kPrivExec) | writable(kUserWrite, kUserExec));
}

template <class D, class Under>
Stage1Answer<D> WalkTables(Under& under, const ContextDescriptor<D>& cd, const Half<D>& half,
                           int granule, int start, typename D::W need) {
  using W = typename D::W;
  const int stride = granule - 3;
  const W va = half.va;
  Stage1Answer<D> out;
  // 4.2: the first table has as many entries as the size leaves, and is aligned to it (64 bytes at
  // least).
  const int start_shift = ShiftOf(start, granule);
  const W start_bytes = W(8) << (half.size - W(uint64_t(start_shift)));
  const W align = D::Sel(start_bytes < W(64), W(64), start_bytes);
  W table = half.ttb & ~(align - W(1));
  W limits = W(0);
  int level = start;
  for (int deeper = 3; deeper > start; --deeper) {
    if (level != start) continue;
    const uint64_t bytes = uint64_t{1} << ShiftOf(deeper - 1, granule);
    if (const RetainedRow<D>* row = under.RetainedTable(cd.asid, va, deeper, bytes)) {
      table = row->v0, limits = row->v1;
      level = deeper;
    }
  }
  const bool at_start = level == start;
  for (; level <= 3; ++level) {
    const int shift = ShiftOf(level, granule);
    const W index_mask = at_start && level == start
                             ? (W(1) << (half.size - W(uint64_t(shift)))) - W(1)
                             : W((uint64_t{1} << stride) - 1);
    const W address = table + ((va >> W(uint64_t(shift))) & index_mask) * W(8);
    const Fetched<D> fetched = under.Fetch(address, kTableFetch, 1);
    if (fetched.fault.event != W(0)) return out.fault = fetched.fault, out;
    Descriptor<D> d = DecodeStage1<D>(fetched.words[0], level, granule);
    d.output = d.output & D::Sel(cd.wide != W(0), ~W(0), W(Mask(47, 0)));
    if (d.kind == W(uint64_t{kInvalidDescriptor})) return out.fault = FaultOf<D>(kTranslation), out;
    if (Exceeds(d.output, half.bits)) return out.fault = FaultOf<D>(kAddrSize), out;
    const W span = W((uint64_t{1} << shift) - 1);
    out.first = va & ~span, out.last = va | span;
    if (d.kind == W(uint64_t{kTableDescriptor})) {
      limits = limits | D::Sel(half.had != W(0), W(0), d.limits);
      table = d.output;
      under.MadeTable(cd.asid, out.first, out.last, level + 1, table, limits);
      continue;
    }
    if (d.accessFlag == W(0) && cd.affd == W(0)) return out.fault = FaultOf<D>(kAccess), out;
    out.permissions = Effective<D>(d.permissions, limits, cd.wxn);
    out.global = W(1) - d.notGlobal;
    out.output = d.output | (va & span);
    under.MadeLeaf(cd.asid, out, d.output);
    if ((out.permissions & need) != need) out.fault = FaultOf<D>(kPermission);
    return out;
  }
  return out.fault = FaultOf<D>(kTranslation), out;  // not reached: level 3 holds no tables
}

// Unprivileged Rights of Permission bits, and back.
template <class D>
typename D::W UserRights(typename D::W permissions) {
  using W = typename D::W;
  return D::Sel((permissions & W(uint64_t{kUserRead})) != W(0), W(uint64_t{kRead}), W(0)) |
         D::Sel((permissions & W(uint64_t{kUserWrite})) != W(0), W(uint64_t{kWrite}), W(0));
}
template <class D>
typename D::W UserPermissions(typename D::W rights) {
  using W = typename D::W;
  return D::Sel((rights & W(uint64_t{kRead})) != W(0), W(uint64_t{kUserRead}), W(0)) |
         D::Sel((rights & W(uint64_t{kWrite})) != W(0), W(uint64_t{kUserWrite}), W(0));
}

// `need`: Permission bits of the access. REQUIRES: PickHalf gave no fault, cd is legal.
template <class D, class Under>
Stage1Answer<D> WalkStage1(Under& under, const ContextDescriptor<D>& cd, const Half<D>& half,
                           typename D::W need) {
  using W = typename D::W;
  Stage1Answer<D> out;
  if (const RetainedRow<D>* row = under.RetainedLeaf(cd.asid, half.va)) {
    out.first = row->first, out.last = row->last, out.global = row->global;
    out.output = row->v0 + (half.va - row->first);
    out.permissions = UserPermissions<D>(row->v1);
    if ((out.permissions & need) != need) out.fault = FaultOf<D>(kPermission);
    return out;
  }
  for (int granule = 12; granule <= 16; granule += 2) {
    if (half.granule != W(uint64_t(granule))) continue;
    const int stride = granule - 3;
    for (int start = 0; start <= 3; ++start) {  // start = 4 - floor((size - 4) / stride)
      const uint64_t lowest = uint64_t(4 + stride * (4 - start));
      if (half.size >= W(lowest) && half.size < W(lowest + uint64_t(stride)))
        return WalkTables<D>(under, cd, half, granule, start, need);
    }
  }
  return out.fault = FaultOf<D>(kTranslation), out;  // not reached with a legal CD
}

// ---- Hardware level -----------------------------------------------------------------------------

// The whole translation of one address, from the stream table, bit-exact.
WalkAnswer WalkSmmuv3(const SmmuRegs& regs, WalkMemory& memory, const WalkQuery& query);

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_WALK_SMMUV3_H_
