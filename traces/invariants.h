// The isolation invariants: predicates on a View, written once over the domain. Lockstep and
// fuzzing evaluate them on the model's View, proofs on the reference's, reports print their words.
//
// Each predicate calls report(ok, what, row) once per index, where `ok` is a formula of the domain,
// `what` names the clause and `row` is the place in the View that breaks it. They hold no
// architecture constant. To add one: a predicate here, a row in ForEachInvariant, a bad_ trace.
#ifndef TWINWALK_TRACES_INVARIANTS_H_
#define TWINWALK_TRACES_INVARIANTS_H_

#include "traces/view.h"

namespace twinwalk {

// ---- Vocabulary
// ----------------------------------------------------------------------------------

template <class W>
W ContextOf(W object_key) {
  return object_key >> W(32);
}

// What an area gives beneath this HWPT. First-stage tables (vmid 0) cannot withhold read from what
// may be written (docs/TRACE.md 4).
template <class D>
typename D::W Granted(const HwptRow<D>& h, typename D::W rights) {
  using W = typename D::W;
  const auto writable = (rights & W(uint64_t{kWrite})) != W(0);
  return D::Sel(h.vmid == W(0) && writable, rights | W(uint64_t{kRead}), rights);
}

// Whether first..last lies in one live, resident area of the IOAS of `h` that begins at (backing,
// offset) for `first` and grants `rights`.
template <class D>
typename D::B Covered(const View<D>& v, const HwptRow<D>& h, typename D::W first,
                      typename D::W last, typename D::W backing, typename D::W offset,
                      typename D::W rights) {
  using W = typename D::W;
  return v.areas.AnyContaining(h.ioas, first, [&](const AreaRow<D>& area) {
    return last <= area.last && first <= last && area.backing != W(0) && area.backing == backing &&
           area.offset + (first - area.first) == offset &&
           (rights & ~Granted<D>(h, area.rights)) == W(0);
  });
}

// ---- The predicates
// ------------------------------------------------------------------------------

// A device reaches memory only through a live area of the space that it is attached to, with that
// area's rights; blocked, it reaches nothing.
template <class D, class Report>
void Confinement(const View<D>& v, Report&& report) {
  v.accesses.EachIndex([&](auto present, const AccessRow<D>& a) {
    const auto ok = v.devices.Any([&](const DeviceRow<D>& d) {
      return d.key == a.device && (v.nesteds.Any([&](const NestedRow<D>& n) {
               return n.key == d.attached;
             }) || v.hwpts.Any([&](const HwptRow<D>& h) {
               return h.key == d.attached && Covered(v, h, a.input, a.input + a.length - 1,
                                                     a.backing, a.offset, a.need | a.rights);
             }));
    });
    report(!present || ok, "an access lies in a live area of the attached space", a);
  });
}

// Whatever the guest writes into tables that it owns, what its device reaches lies inside stage 2
// of its VM; and so do the fetches of those tables.
template <class D, class Report>
void NestedConfinement(const View<D>& v, Report&& report) {
  v.accesses.EachIndex([&](auto present, const AccessRow<D>& a) {
    const auto nested = v.devices.Any([&](const DeviceRow<D>& d) {
      return d.key == a.device &&
             v.nesteds.Any([&](const NestedRow<D>& n) { return n.key == d.attached; });
    });
    const auto ok = v.devices.Any([&](const DeviceRow<D>& d) {
      return d.key == a.device && v.nesteds.Any([&](const NestedRow<D>& n) {
        return n.key == d.attached && v.viommus.Any([&](const ViommuRow<D>& m) {
          return m.key == n.viommu && v.hwpts.Any([&](const HwptRow<D>& h) {
            return h.key == m.hwpt && Covered(v, h, a.input, a.input + a.length - 1, a.backing,
                                              a.offset, a.need | a.rights);
          });
        });
      });
    });
    report(!present || !nested || ok, "an access or fetch lies inside the VM's stage 2", a);
  });
}

// Once an unmap, detach, destroy or unpin is visible, no retained entry made from it is used: every
// retained entry that leads to memory agrees with a live area under its tag, and every retained
// configuration with a live attachment.
template <class D, class Report>
void NoStale(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.retained.EachIndex([&](auto present, const RetainedRow<D>& r) {
    const auto stage2 = r.kind == W(kLeafStage2);
    const auto combined = r.kind == W(kLeafCombined);
    const auto host = r.kind == W(kLeafStage1) && r.vmid == W(0);
    const W length = r.last - r.first;
    const auto live = v.hwpts.Any([&](const HwptRow<D>& h) {
      const auto tagged = h.smmu == r.smmu && h.vmid == r.vmid;
      return (stage2 && tagged && h.vmid != W(0) &&
              Covered(v, h, r.first, r.last, r.backing, r.offset, r.rights)) ||
             (combined && tagged && h.nestParent != W(0) &&
              Covered(v, h, r.v0, r.v0 + length, r.backing, r.offset, r.rights)) ||
             (host && tagged && h.asid == r.asid &&
              Covered(v, h, r.first, r.last, r.backing, r.offset, r.rights));
    });
    report(!present || !(stage2 || combined || host) || live,
           "a retained translation agrees with a live area", r);
    const auto configuration = r.kind == W(kConfig) || r.kind == W(kCd);
    const auto attached = v.devices.Any([&](const DeviceRow<D>& d) {
      return d.smmu == r.smmu && d.sid == r.sid && d.attached == r.owner && d.attached != W(0);
    });
    report(!present || !configuration || attached, "a retained configuration is the one in force",
           r);
  });
}

// A live tag belongs to one HWPT; a freed tag has no retained entry, so its next owner meets none.
template <class D, class Report>
void TagOwner(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.tags.EachIndex([&](auto present, const TagRow<D>& t) {
    const auto ok = v.hwpts.Any([&](const HwptRow<D>& h) {
      return h.key == t.owner && TagKey(h.smmu, h.vmid, h.asid) == t.key;
    });
    report(!present || ok, "a tag in use has a live owner", t);
  });
  v.hwpts.EachIndex([&](auto present, const HwptRow<D>& h) {
    const auto ok = v.tags.Any([&](const TagRow<D>& t) {
      return t.owner == h.key && TagKey(h.smmu, h.vmid, h.asid) == t.key;
    });
    report(!present || ok, "an HWPT owns its tag alone", h);
  });
  v.retained.EachIndex([&](auto present, const RetainedRow<D>& r) {
    const auto tagged = r.kind != W(kConfig) && r.kind != W(kCd);
    const auto ok = v.tags.Any([&](const TagRow<D>& t) {
      return (r.vmid != W(0) && t.key == TagKey(r.smmu, r.vmid, W(0))) ||
             (r.vmid == W(0) && t.key == TagKey(r.smmu, W(0), r.asid));
    });
    report(!present || !tagged || ok, "a retained entry's tag is in use", r);
  });
}

// A guest's command acts only on its own VM's tag and on devices that its vDEVICEs name.
template <class D, class Report>
void InvalidationScope(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.commands.EachIndex([&](auto present, const CommandRow<D>& c) {
    const auto tag = v.viommus.Any([&](const ViommuRow<D>& m) {
      return m.key == c.viommu && v.hwpts.Any([&](const HwptRow<D>& h) {
        return h.key == m.hwpt && h.smmu == c.smmu && h.vmid == c.vmid;
      });
    });
    const auto stream = v.vdevices.Any([&](const VdeviceRow<D>& vd) {
      return vd.viommu == c.viommu && vd.virtId == c.virtId &&
             v.devices.Any([&](const DeviceRow<D>& d) {
               return d.key == vd.device && d.sid == c.sid && d.smmu == c.smmu &&
                      d.context == ContextOf(c.viommu);
             });
    });
    report(!present || c.vmid == W(0) || tag, "a guest's invalidation names its own VMID", c);
    report(!present || c.vmid != W(0) || stream, "a guest's command names its own device", c);
  });
}

// A virtual id names one device per vIOMMU, of the same context; and an event says it.
template <class D, class Report>
void VdeviceRouting(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.vdevices.EachIndex([&](auto present, const VdeviceRow<D>& a) {
    const auto shared = v.vdevices.Any([&](const VdeviceRow<D>& b) {
      return b.key != a.key &&
             (b.device == a.device || (b.viommu == a.viommu && b.virtId == a.virtId));
    });
    report(!present || !shared, "a virtual id, and a device, has one vDEVICE", a);
    const auto bound = v.devices.Any([&](const DeviceRow<D>& d) {
      return d.key == a.device && d.context == ContextOf(a.key) && d.context != W(0) &&
             v.viommus.Any([&](const ViommuRow<D>& m) {
               return m.key == a.viommu && ContextOf(m.key) == ContextOf(a.key) && m.smmu == d.smmu;
             });
    });
    report(!present || bound, "a vDEVICE's device belongs to its vIOMMU's context", a);
  });
  v.events.EachIndex([&](auto present, const EventRow<D>& e) {
    const auto named = v.veventqs.Any([&](const VeventqRow<D>& q) {
      return q.key == e.queue && v.vdevices.Any([&](const VdeviceRow<D>& vd) {
        return vd.viommu == q.viommu && vd.device == e.device &&
               (vd.virtId & W(0xffffffff)) == e.streamId;
      });
    });
    report(!present || e.queue == W(0) || named, "an event carries its device's virtual id", e);
  });
}

// A fault reaches only the queue of its device's owner; no ring overshoots.
template <class D, class Report>
void FaultRouting(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.events.EachIndex([&](auto present, const EventRow<D>& e) {
    const auto own = v.veventqs.Any([&](const VeventqRow<D>& q) {
      return q.key == e.queue && v.devices.Any([&](const DeviceRow<D>& d) {
        return d.key == e.device && d.context == ContextOf(q.key) &&
               v.nesteds.Any([&](const NestedRow<D>& n) {
                 return n.key == d.attached && n.viommu == q.viommu;
               });
      });
    });
    report(!present || e.queue == W(0) || own, "an event reaches its device's owner", e);
  });
  v.veventqs.EachIndex([&](auto present, const VeventqRow<D>& q) {
    report(!present || q.count <= q.depth, "a queue holds no more than its depth", q);
    const auto shared = v.veventqs.Any([&](const VeventqRow<D>& o) {
      return o.key != q.key && o.viommu == q.viommu && o.type == q.type;
    });
    report(!present || !shared, "a vIOMMU has one queue of a type", q);
  });
}

// Locked pages are charged while pinned, to the account of who mapped them, never beyond the limit.
template <class D, class Report>
void PinAccount(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.accounts.EachIndex([&](auto present, const AccountRow<D>& a) {
    report(!present || a.pinned <= a.limit, "an account stays within its limit", a);
    if (!v.complete) return;
    const W charged = v.areas.Sum([&](const AreaRow<D>& area) { return area.account == a.key; },
                                  [](const AreaRow<D>& area) { return area.pinned; });
    report(!present || a.pinned == charged, "an account is charged for the pages it has pinned", a);
  });
  v.areas.EachIndex([&](auto present, const AreaRow<D>& area) {
    const auto used = v.hwpts.Any([&](const HwptRow<D>& h) { return h.ioas == area.space; });
    const W pages = ((area.va + (area.last - area.first)) >> W(12)) - (area.va >> W(12)) + W(1);
    report(!present || !used || (area.pinned <= pages && area.backing != W(0)),
           "an area that an HWPT uses is resident", area);
    report(!present || used || area.pinned == W(0), "an area that no HWPT uses is not pinned",
           area);
    if (!v.complete) return;
    // Less is pinned for it only where a copy of the same pages has them pinned, or where they are
    // a device's own memory: not pinned, charged to nobody.
    const auto shared = v.areas.Any([&](const AreaRow<D>& o) {
      return o.pages == area.pages && o.pages != W(0) &&
             (o.space != area.space || o.first != area.first);
    });
    const auto device = area.pinned == W(0) && area.account == W(0);
    report(!present || !used || area.pinned == pages || device || shared,
           "an area that an HWPT uses is pinned", area);
  });
}

// Nothing is freed while referred to; counts say how often it is; no name means two objects.
template <class D, class Report>
void Lifetime(const View<D>& v, Report&& report) {
  using W = typename D::W;
  auto is_ioas = [&](W key) {
    return v.ioases.Any([&](const IoasRow<D>& o) { return o.key == key; });
  };
  auto is_viommu = [&](W key) {
    return v.viommus.Any([&](const ViommuRow<D>& o) { return o.key == key; });
  };
  auto is_hwpt = [&](W key) {
    return v.hwpts.Any([&](const HwptRow<D>& o) { return o.key == key; });
  };
  auto is_nested = [&](W key) {
    return v.nesteds.Any([&](const NestedRow<D>& o) { return o.key == key; });
  };
  auto is_vdevice = [&](W key) {
    return v.vdevices.Any([&](const VdeviceRow<D>& o) { return o.key == key; });
  };
  auto is_veventq = [&](W key) {
    return v.veventqs.Any([&](const VeventqRow<D>& o) { return o.key == key; });
  };
  auto attached = [&](W key) {
    return v.devices.Count([&](const DeviceRow<D>& d) { return d.attached == key; });
  };
  v.ioases.EachIndex([&](auto present, const IoasRow<D>& o) {
    const W users = v.hwpts.Count([&](const HwptRow<D>& h) { return h.ioas == o.key; });
    report(!present || o.users == users, "an IOAS counts its HWPTs", o);
    report(!present || !(is_hwpt(o.key) || is_nested(o.key) || is_viommu(o.key) ||
                         is_vdevice(o.key) || is_veventq(o.key)),
           "a name means one object", o);
  });
  v.hwpts.EachIndex([&](auto present, const HwptRow<D>& o) {
    const W users =
        attached(o.key) + v.viommus.Count([&](const ViommuRow<D>& m) { return m.hwpt == o.key; });
    report(!present || o.users == users, "an HWPT counts its vIOMMUs and devices", o);
    report(!present || is_ioas(o.ioas), "an HWPT's IOAS is live", o);
    report(!present ||
               !(is_nested(o.key) || is_viommu(o.key) || is_vdevice(o.key) || is_veventq(o.key)),
           "a name means one object", o);
  });
  v.nesteds.EachIndex([&](auto present, const NestedRow<D>& o) {
    report(!present || o.users == attached(o.key), "a nested HWPT counts its devices", o);
    report(!present || is_viommu(o.viommu), "a nested HWPT's vIOMMU is live", o);
    report(!present || !(is_viommu(o.key) || is_vdevice(o.key) || is_veventq(o.key)),
           "a name means one object", o);
  });
  v.viommus.EachIndex([&](auto present, const ViommuRow<D>& o) {
    const W users = v.nesteds.Count([&](const NestedRow<D>& n) { return n.viommu == o.key; }) +
                    v.vdevices.Count([&](const VdeviceRow<D>& n) { return n.viommu == o.key; }) +
                    v.veventqs.Count([&](const VeventqRow<D>& n) { return n.viommu == o.key; });
    report(!present || o.users == users, "a vIOMMU counts what depends on it", o);
    const auto parent = v.hwpts.Any([&](const HwptRow<D>& h) {
      return h.key == o.hwpt && h.nestParent != W(0) && h.smmu == o.smmu;
    });
    report(!present || parent, "a vIOMMU's nest parent is live", o);
    report(!present || !(is_vdevice(o.key) || is_veventq(o.key)), "a name means one object", o);
  });
  v.vdevices.EachIndex([&](auto present, const VdeviceRow<D>& o) {
    report(!present || is_viommu(o.viommu), "a vDEVICE's vIOMMU is live", o);
    report(!present || !is_veventq(o.key), "a name means one object", o);
  });
  v.veventqs.EachIndex([&](auto present, const VeventqRow<D>& o) {
    report(!present || is_viommu(o.viommu), "a vEVENTQ's vIOMMU is live", o);
  });
  v.areas.EachIndex([&](auto present, const AreaRow<D>& o) {
    report(!present || is_ioas(o.space), "an area's IOAS is live", o);
  });
  v.devices.EachIndex([&](auto present, const DeviceRow<D>& d) {
    report(!present || d.attached == W(0) || is_hwpt(d.attached) || is_nested(d.attached),
           "what a device is attached to is live", d);
  });
}

// All devices of a group have one owner, and one attachment; only an owner attaches.
template <class D, class Report>
void GroupOwner(const View<D>& v, Report&& report) {
  using W = typename D::W;
  v.devices.EachIndex([&](auto present, const DeviceRow<D>& a) {
    const auto torn = v.devices.Any([&](const DeviceRow<D>& b) {
      return b.group == a.group && b.key != a.key &&
             ((a.context != W(0) && b.context != W(0) && a.context != b.context) ||
              (a.attached != W(0) && b.attached != W(0) && a.attached != b.attached));
    });
    report(!present || !torn, "a group has one owner and one attachment", a);
    report(
        !present || a.attached == W(0) || (a.context != W(0) && ContextOf(a.attached) == a.context),
        "a device is attached only to what its owner owns", a);
  });
}

// ---- The table
// -----------------------------------------------------------------------------------

struct InvariantInfo {
  const char* id;
  const char* words;
};

// Calls f(info, check) for each invariant; check(view, report) evaluates it.
template <class D, class F>
void ForEachInvariant(F&& f) {
  f(InvariantInfo{"confinement",
                  "a device reaches a page only through a live area of the space it "
                  "is attached to, with that area's rights"},
    [](const View<D>& v, auto&& report) { Confinement<D>(v, report); });
  f(InvariantInfo{"nested-confinement",
                  "whatever the guest writes into tables it owns, the result, "
                  "and the table fetches, lie inside stage 2 of its VM"},
    [](const View<D>& v, auto&& report) { NestedConfinement<D>(v, report); });
  f(InvariantInfo{"no-stale",
                  "once an unmap, detach, destroy or unpin is visible, no retained "
                  "entry made from it is used"},
    [](const View<D>& v, auto&& report) { NoStale<D>(v, report); });
  f(InvariantInfo{"tag-owner",
                  "a live VMID or ASID belongs to one owner; a freed one is reused only "
                  "after its invalidation"},
    [](const View<D>& v, auto&& report) { TagOwner<D>(v, report); });
  f(InvariantInfo{"invalidation-scope",
                  "a guest's invalidation or command acts only on its own VM's "
                  "tags and devices"},
    [](const View<D>& v, auto&& report) { InvalidationScope<D>(v, report); });
  f(InvariantInfo{"vdevice-routing",
                  "a virtual id names one device per vIOMMU; it never resolves to "
                  "another VM's device"},
    [](const View<D>& v, auto&& report) { VdeviceRouting<D>(v, report); });
  f(InvariantInfo{"fault-routing",
                  "a fault or event reaches only the queue of its device's owner; "
                  "none is lost uncounted; a ring never overshoots"},
    [](const View<D>& v, auto&& report) { FaultRouting<D>(v, report); });
  f(InvariantInfo{"pin-account",
                  "locked pages follow the uAPI's rule, never pass the limit, return "
                  "to zero"},
    [](const View<D>& v, auto&& report) { PinAccount<D>(v, report); });
  f(InvariantInfo{"lifetime",
                  "nothing is freed while referred to, nothing reachable after; ids never "
                  "confused"},
    [](const View<D>& v, auto&& report) { Lifetime<D>(v, report); });
  f(InvariantInfo{"group-owner", "all devices of a group have one owner or are blocked"},
    [](const View<D>& v, auto&& report) { GroupOwner<D>(v, report); });
}

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_INVARIANTS_H_
