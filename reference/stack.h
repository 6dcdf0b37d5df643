// What stage 1 stands on at stack level: the Areas of the host-owned stage, guest memory behind
// them, and what hardware may have retained of both. It is the `Under` of walk_smmuv3.h, and
// collects what an access reached, used and made.
#ifndef TWINWALK_REFERENCE_STACK_H_
#define TWINWALK_REFERENCE_STACK_H_

#include <vector>

#include "reference/cache_smmuv3.h"
#include "reference/lookup.h"
#include "reference/walk_smmuv3.h"
#include "traces/invariants.h"

namespace twinwalk::reference {

// All accesses are unprivileged data accesses: no stream here has substreams, and a request without
// PASID carries no privilege (hw 4.6).
template <class D>
struct AccessIn {
  using W = typename D::W;
  W device{0};  // DeviceRow key
  W iova{0};
  W length{0};  // at least 1, inside one 4 KiB page
  bool write = false;
  bool hasPasid = false;
  W pasid{0};
  // Attributes that only a request with a PASID carries; they show in VT-d's fault records.
  bool privileged = false, instruction = false;
};

template <class D>
struct AccessOut {
  using W = typename D::W;
  W event{0};  // 0: reached memory; kAbortedSilently; else the event of `fault`
  Fault<D> fault;
  std::array<W, 4> record{W(0), W(0), W(0), W(0)};
  bool vtd = false;  // `event` is a fault reason, `record` names a page only
  W backing{0}, offset{0}, rights{0};
  std::vector<AccessRow<D>> accesses;    // what was reached, table fetches first
  std::vector<RetainedRow<D>> retained;  // entries used or made
};

// What the host-owned stage says of one address.
template <class D>
struct HostAnswer {
  using W = typename D::W;
  W found{0};
  W backing{0}, rights{0};
  W distance{0};  // from an address of the page to its offset in the backing
  W At(W address) const { return address + distance; }
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("found", r.found...), f("backing", r.backing...), f("rights", r.rights...);
    f("distance", r.distance...);
  }
};

// A device with the configuration in use: what stage 1 stands on (walk_smmuv3.h, `Under`).
template <class D>
class Stack {
 public:
  using W = typename D::W;
  using B = typename D::B;
  Stack(const Env<D>& env, const View<D>& v, const DeviceRow<D>& device, W owner,
        const HwptRow<D>& host, AccessOut<D>* out)
      : env_(env), v_(v), device_(device), owner_(owner), host_(host), out_(out) {}

  // The host-owned stage: an Area, or what was retained of one under the tag.
  HostAnswer<D> Translate(W address) {
    return env_.d.ByContract([&] { return Lookup(address); },
                             [&](const HostAnswer<D>& a) { return Confined(address, a); },
                             "a translation leads to the page that a live area gives");
  }
  // The page of a translation by the host-owned stage.
  void MadeHostLeaf(W address, const HostAnswer<D>& a) {
    RetainedRow<D> r = Page(address, address, a);
    r.kind = HostLeaf();
    r.asid = host_.asid;
    r.rights = a.rights;
    out_->retained.push_back(r);
  }
  void Reached(uint64_t cls, W input, W length, W backing, W offset, W need, W rights) {
    AccessRow<D> row;
    row.device = device_.key;
    row.cls = W(cls);
    row.input = input, row.length = length;
    row.backing = backing, row.offset = offset;
    row.need = need, row.rights = rights;
    out_->accesses.push_back(row);
  }

  // ---- Under (nested configurations only) ----
  Fetched<D> Fetch(W address, AccessClass cls, int words) {
    Fetched<D> out;
    const HostAnswer<D> a = Translate(address);
    const bool missing = a.found == W(0) ? true : false;
    if (missing || (a.rights & W(uint64_t{kRead})) == W(0)) {
      out.fault = FaultOf<D>(missing ? kTranslation : kPermission);
      out.fault.stage2 = W(1);
      out.fault.cls = W(cls == kCdFetch ? 0 : 1);
      out.fault.word3 = address & W(Mask(51, 12));
      return out;
    }
    MadeHostLeaf(address, a);
    Reached(cls, address, W(words == 3 ? 64 : 8), a.backing, a.At(address), W(uint64_t{kRead}),
            a.rights);
    for (int i = 0; i < words; ++i)
      out.words[size_t(i)] = env_.host.ReadGuest(a.backing, a.At(address) + W(uint64_t(8 * i)));
    return out;
  }
  const RetainedRow<D>* RetainedCd(W ssid) {
    return Choose(kCd, [&](const RetainedRow<D>& r) {
      return r.smmu == device_.smmu && r.sid == device_.sid && r.ssid == ssid;
    });
  }
  const RetainedRow<D>* RetainedCombined(W asid, W va) {
    return Choose(kLeafCombined, [&](const RetainedRow<D>& r) {
      return Tagged(r, asid) && Within<D>(va, r.first, r.last);
    });
  }
  const RetainedRow<D>* RetainedLeaf(W asid, W va) {
    return Choose(kLeafStage1, [&](const RetainedRow<D>& r) {
      return Tagged(r, asid) && Within<D>(va, r.first, r.last);
    });
  }
  const RetainedRow<D>* RetainedTable(W asid, W va, int level, uint64_t bytes) {
    return Choose(kWalkStage1, [&](const RetainedRow<D>& r) {
      return Tagged(r, asid) && r.level == W(uint64_t(level)) && Within<D>(va, r.first, r.last) &&
             r.last - r.first == W(bytes - 1);
    });
  }
  void MadeCd(W ssid, const std::array<W, 3>& words) {
    RetainedRow<D> r;
    r.kind = W(uint64_t{kCd});
    r.smmu = device_.smmu, r.sid = device_.sid, r.ssid = ssid;
    r.v0 = words[0], r.v1 = words[1], r.v2 = words[2];
    r.owner = owner_;
    if (!env_.world.rules.invalidCdCacheable) {
      if (Bits(words[0], 31, 31) == W(0)) return;
    }
    out_->retained.push_back(r);
  }
  void MadeTable(W asid, W first, W last, int level, W table, W limits) {
    RetainedRow<D> r = Tag(asid, W(0));
    r.kind = W(uint64_t{kWalkStage1});
    r.level = W(uint64_t(level));
    r.first = first, r.last = last;
    r.v0 = table, r.v1 = limits;
    out_->retained.push_back(r);
  }
  void MadeLeaf(W asid, const Stage1Answer<D>& s1, W base) {
    RetainedRow<D> r = Tag(asid, s1.global);
    r.kind = W(uint64_t{kLeafStage1});
    r.first = s1.first, r.last = s1.last;
    r.v0 = base, r.v1 = UserRights<D>(s1.permissions);
    out_->retained.push_back(r);
  }
  void MadeCombined(W asid, W va, const Stage1Answer<D>& s1, const HostAnswer<D>& a, W rights) {
    RetainedRow<D> r = Page(va, s1.output, a);
    r.kind = W(uint64_t{kLeafCombined});
    r.global = s1.global;
    r.asid = D::Sel(s1.global != W(0), W(0), asid);
    r.v0 = s1.output & ~W(0xfff);
    r.v1 = s1.first | UserRights<D>(s1.permissions);
    r.v2 = s1.last;
    r.rights = rights;
    out_->retained.push_back(r);
  }

 private:
  // Tables of a VMID or domain id are second stage.
  W HostLeaf() const {
    return D::Sel(host_.vmid != W(0), W(uint64_t{kLeafStage2}), W(uint64_t{kLeafStage1}));
  }
  HostAnswer<D> Lookup(W address) {
    if (const RetainedRow<D>* r = RetainedHostLeaf(address)) {
      HostAnswer<D> a;
      a.found = W(1);
      a.backing = r->backing, a.distance = r->offset - r->first;
      a.rights = r->rights;
      return a;
    }
    HostAnswer<D> a;
    if (const AreaRow<D>* area = v_.areas.Containing(host_.ioas, address)) {
      a.found = W(1);
      a.backing = area->backing, a.distance = area->offset - area->first;
      a.rights = Granted<D>(host_, area->rights);
    }
    return a;
  }
  const RetainedRow<D>* RetainedHostLeaf(W address) {
    return Choose(HostLeaf(), [&](const RetainedRow<D>& r) {
      return Tagged(r, host_.asid) && Within<D>(address, r.first, r.last);
    });
  }
  // What a proof knows of a translation: the whole page is that of a live area, with no more than
  // its rights; with all of them, and found at all, unless something was retained.
  B Confined(W address, const HostAnswer<D>& a) const {
    const auto any = [](const auto&) { return B(true); };
    const W page = address & ~W(0xfff);
    const B all = v_.areas.AnyContaining(host_.ioas, address, [&](const AreaRow<D>& area) {
      return a.rights == Granted<D>(host_, area.rights);
    });
    const B covered = Covered(v_, host_, page, page | W(0xfff), a.backing, a.At(page), a.rights);
    return D::SelB(a.found == W(0), !v_.areas.AnyContaining(host_.ioas, address, any),
                   covered && (all || v_.retained.Any(any)));
  }
  B Tagged(const RetainedRow<D>& r, W asid) const {
    return r.smmu == host_.smmu && r.vmid == host_.vmid && (r.global != W(0) || r.asid == asid);
  }
  RetainedRow<D> Tag(W asid, W global) const {
    RetainedRow<D> r;
    r.smmu = host_.smmu, r.vmid = host_.vmid;
    r.global = global;
    r.asid = D::Sel(global != W(0), W(0), asid);
    r.owner = host_.key;
    return r;
  }
  // The 4 KiB page at `input`; the host-owned stage answered `a` for the page `host`.
  RetainedRow<D> Page(W input, W host, const HostAnswer<D>& a) const {
    RetainedRow<D> r;
    r.smmu = host_.smmu, r.vmid = host_.vmid;
    r.owner = host_.key;
    r.first = input & ~W(0xfff), r.last = input | W(0xfff);
    r.backing = a.backing, r.offset = a.At(host & ~W(0xfff));
    return r;
  }
  template <class P>
  const RetainedRow<D>* Choose(W kind, P&& p) {
    return env_.d.Choose(v_.retained, kind,
                         [&](const RetainedRow<D>& r) { return p(r) && !env_.host.Redundant(r); });
  }

  const Env<D>& env_;
  const View<D>& v_;
  const DeviceRow<D>& device_;
  const W owner_;           // HWPT that the STE in use names
  const HwptRow<D>& host_;  // the paging HWPT behind it
  AccessOut<D>* out_;
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_STACK_H_
