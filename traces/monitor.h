// A small automaton that reads micro-steps and judges their order: nothing that hardware may still
// use is unpinned, freed or given to another. Over the domain: in lockstep it reads what the model
// announces, in proofs what each reference Op announces (starting from StartFrom(view)).
#ifndef TWINWALK_TRACES_MONITOR_H_
#define TWINWALK_TRACES_MONITOR_H_

#include "traces/micro_step.h"
#include "traces/view.h"

namespace twinwalk {

// Memory that hardware can reach under a tag, or may still reach from a cache.
template <class D>
struct ExposureRow {
  using W = typename D::W;
  static constexpr const char* kName = "exposure";
  W smmu{0}, vmid{0}, asid{0};  // tag; asid 0 beneath a VMID
  W first{0}, last{0};          // IOVA or IPA, inclusive
  W backing{0}, offset{0};      // of its first byte
  W visible{0};                 // 1: a walk that begins now finds it
  W cached{0};  // bits: 1 stage-2-only entries, 2 stage-1 and combined entries may remain
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("smmu", r.smmu...), f("vmid", r.vmid...), f("asid", r.asid...), f("first", r.first...);
    f("last", r.last...), f("backing", r.backing...), f("offset", r.offset...);
    f("visible", r.visible...), f("cached", r.cached...);
  }
};

// A tag in use. clean: nothing was ever filed under it since all of it was last invalidated.
template <class D>
struct MonitoredTagRow {
  using W = typename D::W;
  static constexpr const char* kName = "tag";
  W key{0};  // TagKey
  W owner{0};
  W clean{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("owner", r.owner...), f("clean", r.clean...);
  }
};

template <class D>
class Monitor {
 public:
  using W = typename D::W;
  using B = typename D::B;
  using Exposure = ExposureRow<D>;
  using Step = MicroStep<W>;

  // REQUIRES: the invariants hold in `view`, and no invalidation is outstanding there.
  void StartFrom(const View<D>& view) {
    exposures_.Clear();
    tags_.Clear();
    view.tags.EachIndex([&](auto present, const TagRow<D>& t) {
      MonitoredTagRow<D> row;
      row.key = t.key, row.owner = t.owner;
      tags_.InsertIf(present, row);
    });
    view.hwpts.EachIndex([&](auto h_present, const HwptRow<D>& h) {
      view.areas.EachIndex([&](auto a_present, const AreaRow<D>& a) {
        Exposure e;
        e.smmu = h.smmu, e.vmid = h.vmid, e.asid = h.asid;
        e.first = a.first, e.last = a.last, e.backing = a.backing, e.offset = a.offset;
        e.visible = W(1), e.cached = W(3);
        exposures_.InsertIf(h_present && a_present && a.space == h.ioas, e);
      });
    });
  }
  void Clear() {
    exposures_.Clear();
    tags_.Clear();
  }

  // Visits the state, table by table: proofs join Monitors by it.
  template <class F, class... M>
  static void EachTable(F&& f, M&... m) {
    f(m.exposures_...), f(m.tags_...);
  }

  // report(ok, what, row) for each index that the step could break; then takes the step.
  template <class Report>
  void OnStep(const Step& s, Report&& report) {
    switch (s.kind) {
      case MicroStepKind::kMapVisible: {
        Exposure e;
        e.smmu = s.tag.smmu, e.vmid = s.tag.vmid, e.asid = s.tag.asid;
        e.first = s.first, e.last = s.last, e.backing = s.backing, e.offset = s.offset;
        e.visible = W(1), e.cached = W(3);
        const B again = exposures_.Any(
            [&](const Exposure& o) { return SameTag(o, s) && Meets(o, s) && o.visible != W(0); });
        report(!again, "a range is mapped once under a tag", e);
        exposures_.Insert(e);
        Touch(s);
        return;
      }
      case MicroStepKind::kMapGone:
        exposures_.UpdateWhere([&](const Exposure& o) { return SameTag(o, s) && Meets(o, s); },
                               [&](Exposure& o) { o.visible = W(0); });
        return;
      case MicroStepKind::kMapSplit: {
        const auto whole = [&](const Exposure& o) {
          return SameTag(o, s) && o.first == s.first && o.last == s.last && o.visible != W(0);
        };
        Exposure left;
        left.smmu = s.tag.smmu, left.vmid = s.tag.vmid, left.asid = s.tag.asid;
        left.first = s.first, left.backing = s.backing, left.offset = s.offset;
        left.visible = W(1), left.cached = W(3);
        Exposure right = left;
        right.first = s.first + s.length, right.offset = s.offset + s.length;
        left.last = right.first - W(1), right.last = s.last;
        report(exposures_.Any(whole), "only what is mapped is split", left);
        exposures_.EraseWhere(whole);
        exposures_.Insert(left);
        exposures_.Insert(right);
        return;
      }
      case MicroStepKind::kConfigWrite:
        Touch(s);
        return;
      case MicroStepKind::kInvIssued:
        return;
      case MicroStepKind::kInvDone:
        OnInvalidated(s);
        return;
      case MicroStepKind::kPagePinned:
        return;
      case MicroStepKind::kPageUnpinned:
        exposures_.EachIndex([&](auto present, const Exposure& o) {
          const B named = o.backing == s.backing && o.offset < s.offset + s.length &&
                          s.offset <= o.offset + (o.last - o.first);
          report(!present || !named, "no page is unpinned that hardware may still reach", o);
        });
        return;
      case MicroStepKind::kTableFrameFreed:
        exposures_.EachIndex([&](auto present, const Exposure& o) {
          report(!present || !(SameTag(o, s) && Meets(o, s)),
                 "no table is freed that hardware may still walk", o);
        });
        return;
      case MicroStepKind::kTagAllocated: {
        MonitoredTagRow<D> row;
        row.key = KeyOf(s), row.owner = s.owner, row.clean = W(1);
        const B taken = tags_.Any([&](const MonitoredTagRow<D>& t) { return t.key == row.key; });
        report(!taken, "a tag in use is not given again", row);
        tags_.EraseWhere([&](const MonitoredTagRow<D>& t) { return t.key == row.key; });
        tags_.Insert(row);
        return;
      }
      case MicroStepKind::kTagFreed:
        exposures_.EachIndex([&](auto present, const Exposure& o) {
          report(!present || !SameTag(o, s), "no tag is freed while memory is reachable under it",
                 o);
        });
        tags_.EachIndex([&](auto present, const MonitoredTagRow<D>& t) {
          report(!present || t.key != KeyOf(s) || t.clean != W(0),
                 "no tag is freed before all of it is invalidated", t);
        });
        tags_.EraseWhere([&](const MonitoredTagRow<D>& t) { return t.key == KeyOf(s); });
        return;
    }
  }

 private:
  static W KeyOf(const Step& s) { return TagKey(s.tag.smmu, s.tag.vmid, s.tag.asid); }
  static B SameTag(const Exposure& o, const Step& s) {
    return o.smmu == s.tag.smmu && o.vmid == s.tag.vmid && o.asid == s.tag.asid;
  }
  static B Meets(const Exposure& o, const Step& s) {
    return o.first <= s.last && s.first <= o.last;
  }
  static B Inside(const Exposure& o, const Step& s) {
    return s.first <= o.first && o.last <= s.last;
  }

  void Touch(const Step& s) {
    tags_.UpdateWhere([&](const MonitoredTagRow<D>& t) { return t.key == KeyOf(s); },
                      [](MonitoredTagRow<D>& t) { t.clean = W(0); });
  }

  // Which entries of a tag each scope ends. Host stage 1 keeps only stage-1 entries, so both bits
  // fall together there.
  void OnInvalidated(const Step& s) {
    switch (s.scope) {
      case InvScope::kStage2Range:
        Drop(s, W(1), true);
        break;
      case InvScope::kStage1Vmid:
        Drop(s, W(2), false);
        break;
      case InvScope::kVmid:
      case InvScope::kAsid:
        Drop(s, W(3), false);
        tags_.UpdateWhere([&](const MonitoredTagRow<D>& t) { return t.key == KeyOf(s); },
                          [](MonitoredTagRow<D>& t) { t.clean = W(1); });
        break;
      case InvScope::kVaRange:
      case InvScope::kVaRangeAllAsid:
        Drop(s, W(3), true);
        break;
      case InvScope::kConfig:
        break;
    }
    exposures_.EraseWhere([](const Exposure& o) { return o.visible == W(0) && o.cached == W(0); });
  }

  void Drop(const Step& s, W bits, bool ranged) {
    exposures_.UpdateWhere(
        [&](const Exposure& o) {
          const B in = ranged ? Inside(o, s) : SameTag(o, s);
          return SameTag(o, s) && in && o.visible == W(0);
        },
        [&](Exposure& o) { o.cached = o.cached & ~bits; });
  }

  typename D::template Bag<Exposure> exposures_;
  typename D::template Table<MonitoredTagRow<D>> tags_;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_MONITOR_H_
