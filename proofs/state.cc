#include "proofs/state.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace twinwalk::proofs {
namespace {

bool Is(const char* a, const char* b) {
  return std::strcmp(a, b) == 0;
}

template <class Table>
struct RowOfTable;
template <template <class> class Table, class Row>
struct RowOfTable<Table<Row>> {
  using Type = Row;
};
template <class Table>
using RowOf = typename RowOfTable<Table>::Type;

constexpr uint64_t kOrdinals = 0xffff;

template <class Table>
void PreferEmpty(Explorer* e, const Table& table) {
  const auto& places = table.places();
  for (size_t i = 0; i < places.size(); ++i) e->Prefer(!places[i].present);
}

}  // namespace

std::string Bounds::Text() const {
  char text[300];
  std::snprintf(text, sizeof text,
                "device %d, ioas %d, hwpt %d, nested %d, viommu %d, vdevice %d, veventq %d, "
                "area %d, retained %d; addresses in the state %d bits, of the Op 64",
                devices, ioases, hwpts, nesteds, viommus, vdevices, veventqs, areas, retained,
                64 - __builtin_clzll(addresses));
  return note.empty() ? text : std::string(text) + "; " + note;
}

uint64_t FieldMask(const char* row, const char* field, uint64_t addresses) {
  constexpr uint64_t kObject = 0x3'000000ff;  // contexts 1..3, ids 0..255
  const bool names_device = Is(row, "device") || Is(row, "account");
  if (Is(field, "key")) return names_device ? 0xf : Is(row, "tag") ? 0x1'0ff'f'ffff : kObject;
  for (const char* object :
       {"object", "attached", "eventViommu", "ioas", "viommu", "hwpt", "space", "owner"})
    if (Is(field, object)) return kObject;
  if (Is(row, "vdevice") && Is(field, "device")) return 0xf;
  for (const char* flag :
       {"smmu", "nestParent", "automatic", "allowPasid", "lost", "open", "global"})
    if (Is(field, flag)) return 1;
  if (Is(field, "context")) return 3;
  if (Is(field, "users") || Is(field, "group") || Is(field, "account") || Is(field, "process"))
    return Is(field, "account") || Is(field, "process") ? 3 : 0xf;
  if (Is(field, "sid")) return 0xff;
  if (Is(field, "vmid") || Is(field, "asid")) return 0xff;
  if (Is(field, "kind") || Is(field, "rights")) return Is(field, "kind") ? 7 : 3;
  if (Is(row, "retained") && (Is(field, "first") || Is(field, "last")))
    return addresses & ~uint64_t{0xfff};  // whole pages; `last` has its low bits set besides
  for (const char* address :
       {"first", "last", "mapFirst", "mapLast", "va", "offset", "v0", "v1", "v2"})
    if (Is(field, address)) return addresses;
  if (Is(field, "backing")) return 0xf;
  if (Is(field, "pages")) return kOrdinals;
  // Bounds: no area by descriptor, none whose address was taken.
  if (Is(field, "file") || Is(field, "vaddrInvalid")) return 0;
  if (Is(row, "area") && Is(field, "pinned")) return (addresses >> 12) * 2 + 1;
  if (Is(field, "level")) return 3;
  if (Is(field, "count") || Is(field, "depth")) return 0xfffff;
  if (Is(field, "sequence")) return 0x7fffffff;
  if (Is(field, "eventVirtId")) return 0xffffffff;
  if (Is(field, "ssid")) return 0;
  if (Is(field, "type")) return 3;
  return ~uint64_t{0};
}

World ProofWorld(const Rules& rules) {
  World world;
  world.name = "proof";
  world.rules = rules;
  world.smmus.resize(2);
  world.devices.resize(3);
  for (uint32_t i = 0; i < 3; ++i) world.devices[i].streamId = world.devices[i].group = i;
  world.processes.resize(3);
  for (ProcessConfig& process : world.processes) process.memlockPages = 0x800;
  world.processes[1].uid = 1;
  world.processes[2].uid = 1, world.processes[2].ipcLock = true;
  return world;
}

reference::State<Sym> FreshState(Explorer* e, const World& world, const Bounds& bounds) {
  reference::State<Sym> s;
  View<Sym>& v = s.view;
  const Widths widths = [&](const char* row, const char* field) {
    return FieldMask(row, field, bounds.addresses);
  };
  const Order order = bounds.ascending ? Order::kAscending : Order::kAny;
  FillTable(e, &v.devices, bounds.devices, widths, order);
  FillTable(e, &v.ioases, bounds.ioases, widths, order);
  FillTable(e, &v.hwpts, bounds.hwpts, widths, order);
  FillTable(e, &v.nesteds, bounds.nesteds, widths, order);
  FillTable(e, &v.viommus, bounds.viommus, widths, order);
  FillTable(e, &v.vdevices, bounds.vdevices, widths, order);
  FillTable(e, &v.veventqs, bounds.veventqs, widths, order);
  FillIntervals(e, &v.areas, bounds.areas, widths, order);
  FillBag(e, &v.retained, bounds.retained, widths, order);
  FillTable(e, &s.tombstones, bounds.tombstones, widths, order);
  s.allocator.failIn = e->Fresh("failIn", 3);
  s.log.next = e->Fresh("log.next", 0xffffffff);
  s.ordinals.pages = e->Fresh("ordinals.pages", kOrdinals);
  // tag-owner says that tags are the tags of live HWPTs, one each: so their table is this.
  for (const auto& at : v.hwpts.places()) {
    TagRow<Sym> tag;
    tag.key = TagKey(at.row.smmu, at.row.vmid, at.row.asid), tag.owner = at.row.key;
    v.tags.places().push_back({at.present, tag});
  }
  v.tags.ExchangeWith(v.hwpts);
  const auto& tags = v.tags.places();
  for (size_t i = 0; i < tags.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      e->Assume(!(tags[i].present && tags[j].present) || tags[i].row.key != tags[j].row.key);
  for (auto& at : v.retained.places()) at.row.last |= W(0xfff);
  for (auto& at : v.areas.places()) at.row.mapFirst = at.row.first, at.row.mapLast = at.row.last;
  // An offset is an address and a distance: then memory is compared by distances alone.
  const auto by_distance = [&](auto& row) {
    row.offset = row.first + e->Fresh("distance");
    e->Assume((row.offset & W(~bounds.addresses)) == W(0), Solver::Weight::kHeavy);
  };
  for (auto& at : v.areas.places()) by_distance(at.row);
  for (auto& at : v.retained.places()) by_distance(at.row);
  // What invariants say is equal to something is that very thing: nothing is lost, and a solver
  // need not find it out. lifetime: how many users there are.
  const auto attached = [&](const W& key) {
    return v.devices.Count([&](const DeviceRow<Sym>& d) { return d.attached == key; });
  };
  for (auto& at : v.ioases.places())
    at.row.users = v.hwpts.Count([&](const HwptRow<Sym>& h) { return h.ioas == at.row.key; });
  for (auto& at : v.hwpts.places())
    at.row.users = attached(at.row.key) +
                   v.viommus.Count([&](const ViommuRow<Sym>& m) { return m.hwpt == at.row.key; });
  for (auto& at : v.nesteds.places()) at.row.users = attached(at.row.key);
  for (auto& at : v.viommus.places()) {
    const auto mine = [&](const auto& row) { return row.viommu == at.row.key; };
    at.row.users = v.nesteds.Count(mine) + v.vdevices.Count(mine) + v.veventqs.Count(mine);
  }
  // One account a user of the World, from its beginning.
  for (const ProcessConfig& process : world.processes) {
    AccountRow<Sym> account;
    account.key = uint64_t{process.uid} + 1;
    bool known = false;
    for (auto& at : v.accounts.places()) {
      if (at.row.key.constant() != account.key.constant()) continue;
      known = true;
      at.row.limit = std::max(at.row.limit.constant(), process.memlockPages);
    }
    if (known) continue;
    // pin-account says what is charged: so it is this.
    account.pinned = v.areas.Sum([&](const AreaRow<Sym>& a) { return a.account == account.key; },
                                 [](const AreaRow<Sym>& a) { return a.pinned; });
    account.limit = process.memlockPages;
    v.accounts.places().push_back({B(true), account});
  }
  return s;
}

void EachInvariant(const reference::State<Sym>& state, const FormulaReport& report) {
  const View<Sym>& view = state.view;
  ForEachInvariant<Sym>([&](const InvariantInfo& info, auto&& check) {
    check(view, [&](const B& holds, const char* what, const auto& row) {
      using Row = std::decay_t<decltype(row)>;
      if constexpr (std::is_same_v<Row, RetainedRow<Sym>>) {
        // By kind: seven easy questions in the place of a hard one.
        for (uint64_t kind = kConfig; kind <= kLeafCombined; ++kind)
          report(info.id, what, row.kind != W(kind) || holds);
      } else {
        report(info.id, what, holds);
      }
    });
  });
  WellFormed<Sym>(view,
                  [&](const B& holds, const char* what) { report(kWellFormed, what, holds); });
  // A bound: no IOAS_COPY, so nothing is in `copies`, and each area has pages of its own.
  for (const auto& at : view.areas.places()) {
    const AreaRow<Sym>& a = at.row;
    const B counted = a.pages != W(0) && a.pages <= state.ordinals.pages;
    const B shared = view.areas.Any([&](const AreaRow<Sym>& o) {
      return o.pages == a.pages && (o.space != a.space || o.first != a.first);
    });
    report(kWellFormed, "an area has pages of its own", !at.present || (counted && !shared));
  }
  for (const auto& at : state.tombstones.places()) {
    const auto is = [&](const auto& row) { return row.key == at.row.key; };
    const B named = view.ioases.Any(is) || view.hwpts.Any(is) || view.nesteds.Any(is) ||
                    view.viommus.Any(is) || view.vdevices.Any(is) || view.veventqs.Any(is) ||
                    view.devices.Any([&](const auto& d) { return d.object == at.row.key; });
    const B name = ContextOf(at.row.key) != W(0) && (at.row.key & W(0xffffffff)) != W(0);
    report(kWellFormed, "an id that ended names nothing", !at.present || (name && !named));
  }
}

void PreferSmall(Explorer* e, const View<Sym>& view) {
  // The kinds that take most Ops to build come first.
  PreferEmpty(e, view.retained), PreferEmpty(e, view.nesteds), PreferEmpty(e, view.veventqs);
  PreferEmpty(e, view.vdevices), PreferEmpty(e, view.viommus), PreferEmpty(e, view.areas);
  PreferEmpty(e, view.hwpts), PreferEmpty(e, view.ioases);
  for (const auto& at : view.retained.places()) e->Prefer(at.row.kind != W(kLeafCombined));
  for (const auto& at : view.retained.places()) {
    const RetainedRow<Sym>& r = at.row;  // readable pages, as a walk leaves them
    e->Prefer((r.rights & W(kRead)) != W(0));
    e->Prefer(r.kind != W(kLeafCombined) || (r.v1 & W(kRead)) != W(0));
    e->Prefer(r.last == (r.first | W(0xfff)));
  }
  for (const auto& at : view.devices.places()) e->Prefer(at.row.attached == W(0));
  PreferEmpty(e, view.devices);
  for (const auto& at : view.areas.places()) {
    e->Prefer(at.row.first <= W(0xfffff000));
    e->Prefer(at.row.last - at.row.first <= W(0xffff));
    e->Prefer((at.row.va & W(0xfff)) == W(0) && at.row.va <= W(0x7fffffff000));
  }
}

View<Concrete> ValueOfView(const Assignment& model, const View<Sym>& view) {
  View<Concrete> out;
  auto copy = [&](const auto& from, auto& to) {
    for (const auto& at : from.places()) {
      if (!model.Value(at.present)) continue;
      to.Insert(ValueOf<RowOf<std::decay_t<decltype(to)>>>(model, at.row));
    }
  };
  copy(view.devices, out.devices), copy(view.ioases, out.ioases), copy(view.hwpts, out.hwpts);
  copy(view.nesteds, out.nesteds), copy(view.viommus, out.viommus);
  copy(view.vdevices, out.vdevices), copy(view.veventqs, out.veventqs);
  copy(view.areas, out.areas), copy(view.tags, out.tags), copy(view.retained, out.retained);
  copy(view.accounts, out.accounts), copy(view.accesses, out.accesses);
  copy(view.events, out.events), copy(view.commands, out.commands);
  return out;
}

std::string ViewText(const View<Concrete>& view) {
  std::string text;
  View<Concrete>::EachTable(
      [&](const char*, const auto& table) {
        table.EachIndex([&](bool, const auto& row) {
          using Row = std::decay_t<decltype(row)>;
          text += std::string("  ") + Row::kName + "{";
          bool any = false;
          Row::Each(
              [&](const char* field, uint64_t value) {
                if (value == 0) return;
                char number[64];
                std::snprintf(number, sizeof number, "%s%s 0x%llx", any ? " " : "", field,
                              static_cast<unsigned long long>(value));
                text += number, any = true;
              },
              row);
          text += "}\n";
        });
      },
      view);
  return text;
}

}  // namespace twinwalk::proofs
