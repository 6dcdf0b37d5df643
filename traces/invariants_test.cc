// A small good state that satisfies every invariant; then each clause broken alone, which must be
// reported by that invariant with that clause.
#include "traces/invariants.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <utility>

namespace twinwalk {
namespace {

using V = View<Concrete>;
using Broken = std::set<std::pair<std::string, std::string>>;  // invariant id, clause

constexpr uint64_t kCtx = uint64_t{1} << 32, kOther = uint64_t{2} << 32;

Broken Check(const V& view) {
  Broken broken;
  ForEachInvariant<Concrete>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](bool ok, const char* what, const auto&) {
      if (!ok) broken.insert({info.id, what});
    });
  });
  return broken;
}

// Context 1: device 1 nested under vIOMMU 4 (parent 3, VMID 1, IOAS 2) with vDEVICE 6 and queue 7.
// Context 2: device 2 on the stage-1 HWPT 3 (ASID 1, IOAS 2).
V GoodView() {
  V v;
  DeviceRow<Concrete> d;
  d.key = 1, d.sid = 0x80, d.group = 1, d.context = 1, d.object = kCtx + 1, d.attached = kCtx + 5;
  d.eventViommu = kCtx + 4, d.eventVirtId = 0x10;
  v.devices.Insert(d);
  d = {};
  d.key = 2, d.sid = 0x88, d.group = 2, d.context = 2, d.object = kOther + 1;
  d.attached = kOther + 3;
  v.devices.Insert(d);
  d = {};
  d.key = 3, d.sid = 0x90, d.group = 3;
  v.devices.Insert(d);
  for (uint64_t ctx : {kCtx, kOther}) {
    IoasRow<Concrete> ioas;
    ioas.key = ctx + 2, ioas.users = 1;
    v.ioases.Insert(ioas);
    HwptRow<Concrete> h;
    h.key = ctx + 3, h.users = 1, h.ioas = ctx + 2;
    h.nestParent = ctx == kCtx, h.vmid = ctx == kCtx, h.asid = ctx == kOther;
    v.hwpts.Insert(h);
    TagRow<Concrete> tag;
    tag.key = TagKey(h.smmu, h.vmid, h.asid), tag.owner = h.key;
    v.tags.Insert(tag);
    AreaRow<Concrete> a;
    a.space = ctx + 2, a.first = a.mapFirst = 0x10000, a.last = a.mapLast = 0x12fff;
    a.process = 1, a.va = 0x7000, a.backing = ctx >> 32, a.rights = kRead, a.account = 1;
    a.pinned = 3;
    v.areas.Insert(a);
  }
  NestedRow<Concrete> n;
  n.key = kCtx + 5, n.users = 1, n.viommu = kCtx + 4, n.ste0 = 0xb;
  v.nesteds.Insert(n);
  ViommuRow<Concrete> m;
  m.key = kCtx + 4, m.users = 3, m.hwpt = kCtx + 3;
  v.viommus.Insert(m);
  VdeviceRow<Concrete> vd;
  vd.key = kCtx + 6, vd.viommu = kCtx + 4, vd.device = 1, vd.virtId = 0x10;
  v.vdevices.Insert(vd);
  VeventqRow<Concrete> q;
  q.key = kCtx + 7, q.viommu = kCtx + 4, q.type = 1, q.depth = 2, q.count = 1, q.sequence = 1;
  v.veventqs.Insert(q);
  AccountRow<Concrete> account;
  account.key = 1, account.pinned = 6, account.limit = 6;
  v.accounts.Insert(account);
  RetainedRow<Concrete> r;
  r.kind = kLeafCombined, r.vmid = 1, r.asid = 9, r.first = 0x400000, r.last = 0x400fff;
  r.v0 = 0x11000, r.backing = 1, r.offset = 0x1000, r.rights = kRead;
  v.retained.Insert(r);
  r = {};
  r.kind = kCd, r.sid = 0x80, r.owner = kCtx + 5;
  v.retained.Insert(r);
  AccessRow<Concrete> a;
  a.device = 1, a.input = 0x11008, a.length = 8, a.backing = 1, a.offset = 0x1008;
  a.need = a.rights = kRead;
  v.accesses.Insert(a);
  a = {};
  a.device = 2, a.input = 0x10000, a.length = 1, a.backing = 2, a.need = a.rights = kRead;
  v.accesses.Insert(a);
  EventRow<Concrete> e;
  e.device = 1, e.queue = kCtx + 7, e.streamId = 0x10;
  v.events.Insert(e);
  CommandRow<Concrete> c;
  c.viommu = kCtx + 4, c.vmid = 1;
  v.commands.Insert(c);
  c.vmid = 0, c.sid = 0x80, c.virtId = 0x10;
  v.commands.Insert(c);
  return v;
}

TEST(Invariants, HoldSomewhere) {
  EXPECT_EQ(Check(GoodView()), Broken{});
}

struct Case {
  const char* name;
  std::function<void(V&)> damage;
  const char* invariant;
  const char* clause;
};

template <class Bag, class F>
void Change(Bag& bag, F&& f) {
  bag.UpdateWhere([](const auto&) { return true; }, f);
}

const Case kCases[] = {
    {"access past the area",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 2) a.input = 0x13000;
       });
     },
     "confinement", "an access lies in a live area of the attached space"},
    {"access across the end",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 2) a.input = 0x12fff, a.offset = 0x2fff, a.length = 2;
       });
     },
     "confinement", "an access lies in a live area of the attached space"},
    {"write through a read-only area",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 2) a.need = kWrite;
       });
     },
     "confinement", "an access lies in a live area of the attached space"},
    {"translation gives more than the area",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 2) a.rights = kRead | kWrite;
       });
     },
     "confinement", "an access lies in a live area of the attached space"},
    {"access of a blocked device",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 2) a.device = 3;
       });
     },
     "confinement", "an access lies in a live area of the attached space"},
    {"nested access to another page",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 1) a.offset = 0x2008;
       });
     },
     "nested-confinement", "an access or fetch lies inside the VM's stage 2"},
    {"nested access to another VM's memory",
     [](V& v) {
       Change(v.accesses, [](auto& a) {
         if (a.device == 1) a.backing = 2;
       });
     },
     "nested-confinement", "an access or fetch lies inside the VM's stage 2"},
    {"retained page of an unmapped area",
     [](V& v) {
       v.areas.EraseOverlapping(kCtx + 2, 0, ~uint64_t{0}, [](auto&) { return true; });
       v.accesses.Clear();
       v.accounts.Find(1)->pinned = 3;
     },
     "no-stale", "a retained translation agrees with a live area"},
    {"retained rights beyond the area",
     [](V& v) { Change(v.retained, [](auto& r) { r.rights = kRead | kWrite; }); }, "no-stale",
     "a retained translation agrees with a live area"},
    {"retained CD of another configuration",
     [](V& v) {
       Change(v.retained, [](auto& r) {
         if (r.kind == kCd) r.owner = kCtx + 9;
       });
     },
     "no-stale", "a retained configuration is the one in force"},
    {"retained entry of a free tag",
     [](V& v) {
       RetainedRow<Concrete> r;
       r.kind = kWalkStage1, r.vmid = 2;
       v.retained.Insert(r);
     },
     "tag-owner", "a retained entry's tag is in use"},
    {"tag without owner",
     [](V& v) {
       v.tags.Insert({TagKey<uint64_t>(0, 7, 0), kCtx + 3});
     },
     "tag-owner", "a tag in use has a live owner"},
    {"two owners of one tag",
     [](V& v) {
       HwptRow<Concrete> h = *v.hwpts.Find(kCtx + 3);
       h.key = kOther + 4, h.users = 0, h.ioas = kOther + 2;
       v.hwpts.Insert(h);
       v.ioases.Find(kOther + 2)->users = 2;
     },
     "tag-owner", "an HWPT owns its tag alone"},
    {"a guest names another VMID",
     [](V& v) {
       Change(v.commands, [](auto& c) {
         if (c.vmid != 0) c.vmid = 2;
       });
     },
     "invalidation-scope", "a guest's invalidation names its own VMID"},
    {"a guest names another device",
     [](V& v) {
       Change(v.commands, [](auto& c) {
         if (c.vmid == 0) c.sid = 0x88;
       });
     },
     "invalidation-scope", "a guest's command names its own device"},
    {"a virtual id twice",
     [](V& v) {
       v.devices.Find(3)->context = 1;
       v.devices.Find(3)->object = kCtx + 9;
       v.vdevices.Insert({kCtx + 8, kCtx + 4, 3, 0x10});
       v.viommus.Find(kCtx + 4)->users = 4;
     },
     "vdevice-routing", "a virtual id, and a device, has one vDEVICE"},
    {"a vDEVICE of another context's device",
     [](V& v) {
       v.vdevices.Find(kCtx + 6)->device = 2;
       v.events.Clear(), v.commands.Clear();
     },
     "vdevice-routing", "a vDEVICE's device belongs to its vIOMMU's context"},
    {"an event with the wrong stream id",
     [](V& v) { Change(v.events, [](auto& e) { e.streamId = 0x11; }); }, "vdevice-routing",
     "an event carries its device's virtual id"},
    {"an event in another VM's queue",
     [](V& v) {
       Change(v.events, [](auto& e) { e.device = 2; });
       v.vdevices.Find(kCtx + 6)->device = 2;
       v.commands.Clear();
     },
     "fault-routing", "an event reaches its device's owner"},
    {"an overfull queue", [](V& v) { v.veventqs.Find(kCtx + 7)->count = 3; }, "fault-routing",
     "a queue holds no more than its depth"},
    {"two queues of a type",
     [](V& v) {
       VeventqRow<Concrete> q = *v.veventqs.Find(kCtx + 7);
       q.key = kCtx + 8;
       v.veventqs.Insert(q);
       v.viommus.Find(kCtx + 4)->users = 4;
     },
     "fault-routing", "a vIOMMU has one queue of a type"},
    {"a page not charged", [](V& v) { v.accounts.Find(1)->pinned = 5; }, "pin-account",
     "an account is charged for the pages it has pinned"},
    {"a charge beyond the limit", [](V& v) { v.accounts.Find(1)->limit = 5; }, "pin-account",
     "an account stays within its limit"},
    {"a used area not pinned",
     [](V& v) {
       v.areas.Containing(kOther + 2, 0x10000)->pinned = 0;
       v.accounts.Find(1)->pinned = 3;
       v.accesses.EraseWhere([](auto& a) { return a.device == 2; });
     },
     "pin-account", "an area that an HWPT uses is pinned"},
    {"a used area that pins more than it is",
     [](V& v) {
       v.areas.Containing(kOther + 2, 0x10000)->pinned = 4;
       v.areas.Containing(kOther + 2, 0x10000)->pages = 9;
       v.areas.Containing(kCtx + 2, 0x10000)->pages = 9;
       v.accounts.Find(1)->pinned = v.accounts.Find(1)->limit = 7;
     },
     "pin-account", "an area that an HWPT uses is resident"},
    {"an unused area pinned",
     [](V& v) {
       v.ioases.Insert({kOther + 9, 0});
       AreaRow<Concrete> a;
       a.space = kOther + 9, a.last = 0xfff, a.va = 0x7000, a.pinned = 1, a.account = 1;
       v.areas.Insert(a);
       v.accounts.Find(1)->pinned = v.accounts.Find(1)->limit = 7;
     },
     "pin-account", "an area that no HWPT uses is not pinned"},
    {"an uncounted attachment", [](V& v) { v.nesteds.Find(kCtx + 5)->users = 0; }, "lifetime",
     "a nested HWPT counts its devices"},
    {"an uncounted HWPT", [](V& v) { v.ioases.Find(kCtx + 2)->users = 0; }, "lifetime",
     "an IOAS counts its HWPTs"},
    {"an uncounted vIOMMU", [](V& v) { v.hwpts.Find(kCtx + 3)->users = 0; }, "lifetime",
     "an HWPT counts its vIOMMUs and devices"},
    {"an uncounted queue", [](V& v) { v.viommus.Find(kCtx + 4)->users = 2; }, "lifetime",
     "a vIOMMU counts what depends on it"},
    {"an IOAS freed early", [](V& v) { v.ioases.Erase(kOther + 2); }, "lifetime",
     "an HWPT's IOAS is live"},
    {"a nest parent freed early",
     [](V& v) {
       v.hwpts.Erase(kCtx + 3), v.tags.Erase(TagKey<uint64_t>(0, 1, 0));
       v.ioases.Find(kCtx + 2)->users = 0;
     },
     "lifetime", "a vIOMMU's nest parent is live"},
    {"one name for two objects",
     [](V& v) {
       v.ioases.Insert({kCtx + 7, 0});
     },
     "lifetime", "a name means one object"},
    {"attached to what is gone", [](V& v) { v.devices.Find(2)->attached = kOther + 9; }, "lifetime",
     "what a device is attached to is live"},
    {"a group torn between owners", [](V& v) { v.devices.Find(2)->group = 1; }, "group-owner",
     "a group has one owner and one attachment"},
    {"attached to another's HWPT", [](V& v) { v.devices.Find(2)->context = 1; }, "group-owner",
     "a device is attached only to what its owner owns"},
};

TEST(Invariants, EachClauseCanFail) {
  for (const Case& c : kCases) {
    V view = GoodView();
    c.damage(view);
    EXPECT_EQ(Check(view).count({c.invariant, c.clause}), 1u) << c.name;
  }
}

TEST(Invariants, EveryInvariantHasACase) {
  std::set<std::string> covered;
  for (const Case& c : kCases) covered.insert(c.invariant);
  ForEachInvariant<Concrete>(
      [&](const InvariantInfo& info, auto&&) { EXPECT_EQ(covered.count(info.id), 1u) << info.id; });
}

}  // namespace
}  // namespace twinwalk
