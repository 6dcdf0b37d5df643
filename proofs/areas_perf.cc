// How dear are interval areas in a proof? Three Ops over areas {first, last} and retained entries
// {first, last}, from an arbitrary state in which the invariants hold, at several word shapes and
// bounds (docs/PROOFS.md, "Measured: interval areas"). Nothing here is the reference.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "proofs/sym.h"

namespace twinwalk::proofs {
namespace {

struct Hwpt {
  static constexpr const char* kName = "hwpt";
  W key{0}, ioas{0}, vmid{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("ioas", r.ioas...), f("vmid", r.vmid...);
  }
};
struct Area {
  static constexpr const char* kName = "area";
  W space{0}, first{0}, last{0}, backing{0}, offset{0}, rights{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("space", r.space...), f("first", r.first...), f("last", r.last...);
    f("backing", r.backing...), f("offset", r.offset...), f("rights", r.rights...);
  }
};
struct Entry {
  static constexpr const char* kName = "retained";
  W vmid{0}, first{0}, last{0}, backing{0}, offset{0}, rights{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("vmid", r.vmid...), f("first", r.first...), f("last", r.last...);
    f("backing", r.backing...), f("offset", r.offset...), f("rights", r.rights...);
  }
};
struct State {
  SymTable<Hwpt> hwpts;
  SymIntervals<Area> areas;
  SymBag<Entry> retained;
};

enum class Form { kSkolem, kInclusion };
enum class Fault { kNone, kSkip, kOffByOne };
struct Shape {
  const char* name;
  uint64_t address;  // free bits of addresses
  uint64_t last;     // bits that are always set in `last` words
};
struct Config {
  int hwpts, areas, retained;
  Shape shape;
  Form form;
  Fault fault;
};

using Report = std::function<void(const char*, const B&)>;

// no-stale, once per retained entry and address (kSkolem) or once per entry (kInclusion); disjoint
// areas, once per pair; one hwpt per vmid.
void Invariants(const State& s, Form form, const W& a, const Report& f) {
  s.retained.EachIndex([&](const B& present, const Entry& r) {
    s.hwpts.EachIndex([&](const B& there, const Hwpt& h) {
      const B mine = present && there && h.vmid == r.vmid;
      const W first = form == Form::kSkolem ? a : r.first;
      const W last = form == Form::kSkolem ? a : r.last;
      f("no-stale",
        !mine || !(r.first <= first && last <= r.last) || s.areas.Any([&](const Area& m) {
          return m.space == h.ioas && m.first <= first && last <= m.last &&
                 m.backing == r.backing && m.offset - m.first == r.offset - r.first &&
                 (r.rights & ~m.rights) == W(0);
        }));
    });
    f("no-stale", !present || r.first <= r.last);
  });
  const auto& areas = s.areas.places();
  for (size_t i = 0; i < areas.size(); ++i) {
    f("disjoint", !areas[i].present || areas[i].row.first <= areas[i].row.last);
    for (size_t j = 0; j < i; ++j)
      f("disjoint",
        !(areas[i].present && areas[j].present) || areas[i].row.space != areas[j].row.space ||
            areas[i].row.first > areas[j].row.last || areas[j].row.first > areas[i].row.last);
  }
  const auto& hwpts = s.hwpts.places();
  for (size_t i = 0; i < hwpts.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      f("tag-owner",
        !(hwpts[i].present && hwpts[j].present) || hwpts[i].row.vmid != hwpts[j].row.vmid);
}

void Map(Explorer* e, State& s, const Config& c) {
  Area a;
  a.space = e->Fresh("op.space", 0xff), a.first = e->Fresh("op.iova", c.shape.address);
  const W length = e->Fresh("op.length", c.shape.address);
  a.last = a.first + length - 1;
  a.backing = e->Fresh("op.backing", 0xff), a.offset = e->Fresh("op.offset", c.shape.address);
  a.rights = e->Fresh("op.rights", 3);
  if (length == W(0)) return;
  if (a.last < a.first) return;
  const W last = c.fault == Fault::kOffByOne ? a.last - 1 : a.last;
  if (c.fault != Fault::kSkip &&
      s.areas.AnyOverlapping(a.space, a.first, last, [](const Area&) { return B(true); }))
    return;
  s.areas.places().push_back({B(true), a});
}
void Unmap(Explorer* e, State& s, const Config& c) {
  const W space = e->Fresh("op.space", 0xff), first = e->Fresh("op.iova", c.shape.address);
  const W length = e->Fresh("op.length", c.shape.address);
  const W last = first + length - 1;
  if (length == W(0)) return;
  if (last < first) return;
  auto all = [](const Area&) { return B(true); };
  if (s.areas.AnyOverlapping(space, first, last,
                             [&](const Area& m) { return m.first < first || m.last > last; }))
    return;
  s.areas.EraseOverlapping(space, first, last, all);
  bool done = false;
  s.hwpts.Each([&](const Hwpt& h) { return h.ioas == space; },
               [&](const Hwpt& h) {
                 if (c.fault == Fault::kSkip && done) return;
                 done = true;
                 const W end = c.fault == Fault::kOffByOne ? last - 1 : last;
                 s.retained.EraseWhere([&](const Entry& r) {
                   return r.vmid == h.vmid && r.first <= end && first <= r.last;
                 });
               });
}
// A walk fills one entry: any part of the area that holds the address.
void Dma(Explorer* e, State& s, const Config& c) {
  const W vmid = e->Fresh("op.vmid", 0xff), address = e->Fresh("op.iova", c.shape.address);
  Hwpt* h = s.hwpts.Pick([&](const Hwpt& row) { return row.vmid == vmid; });
  if (h == nullptr) return;
  const Area* m = s.areas.Containing(h->ioas, address);
  if (m == nullptr) return;
  Entry r;
  r.vmid = vmid, r.backing = m->backing, r.rights = c.fault == Fault::kSkip ? W(3) : m->rights;
  r.first = e->Fresh("op.first", c.shape.address);
  r.last = e->Fresh("op.last", c.shape.address) | W(c.shape.last);
  e->Assume(m->first <= r.first && r.first <= address && address <= r.last);
  e->Assume(r.last <= (c.fault == Fault::kOffByOne ? m->last + 1 : m->last));
  r.offset = m->offset + (r.first - m->first);
  s.retained.Insert(r);
}

const Shape kShapes[] = {{"64 bits, any byte", ~0ull, 0},
                         {"64 bits, whole pages", ~0xfffull, 0xfff},
                         {"48 bits, whole pages", 0xfffffffff000ull, 0xfff},
                         {"16 bits, any byte", 0xffff, 0}};
enum Op { kMap, kUnmap, kDma };

void Explore(Explorer* e, Op op, const Config& c) {
  State s;
  const Widths widths = [&](const char*, const char* field) -> uint64_t {
    if (std::strcmp(field, "first") == 0 || std::strcmp(field, "last") == 0 ||
        std::strcmp(field, "offset") == 0)
      return c.shape.address;
    return std::strcmp(field, "rights") == 0 ? 3 : 0xff;
  };
  FillTable(e, &s.hwpts, c.hwpts, widths);
  FillIntervals(e, &s.areas, c.areas, widths);
  FillBag(e, &s.retained, c.retained, widths);
  for (auto& at : s.areas.places()) at.row.last |= W(c.shape.last);
  for (auto& at : s.retained.places()) at.row.last |= W(c.shape.last);
  const W a = e->Fresh("any.address", c.shape.address | c.shape.last);
  Invariants(s, c.form, a, [&](const char*, const B& holds) { e->Assume(holds); });
  switch (op) {
    case kMap:
      Map(e, s, c);
      break;
    case kUnmap:
      Unmap(e, s, c);
      break;
    case kDma:
      Dma(e, s, c);
      break;
  }
  Invariants(s, c.form, a, [&](const char* name, const B& holds) { e->Prove(name, "", holds); });
}

// Arguments: Op, rows of each kind, shape, form, fault.
void BM_IntervalAreas(benchmark::State& state) {
  const auto op = static_cast<Op>(state.range(0));
  const int n = static_cast<int>(state.range(1));
  const Config c{n,
                 n,
                 n,
                 kShapes[state.range(2)],
                 static_cast<Form>(state.range(3)),
                 static_cast<Fault>(state.range(4))};
  for (auto _ : state) {
    Explorer e;
    e.Explore([&] { Explore(&e, op, c); });
    bool refuted = false, unknown = false;
    for (const Group& group : e.groups()) {
      refuted = refuted || group.verdict == Verdict::kRefuted;
      unknown = unknown || group.verdict == Verdict::kUnknown;
    }
    if (unknown || refuted != (c.fault != Fault::kNone)) state.SkipWithError("wrong verdict");
    state.counters["paths"] = static_cast<double>(e.paths());
    state.counters["queries"] = static_cast<double>(e.queries());
    state.counters["solver_s"] = e.seconds();
    state.counters["slowest_s"] = e.slowest();
  }
  const char* ops[] = {"map", "unmap", "dma"};
  state.SetLabel(std::string(ops[op]) + ", " + c.shape.name +
                 (c.form == Form::kSkolem ? ", no-stale per address" : ", no-stale per entry") +
                 (c.fault == Fault::kNone ? "" : ", planted fault"));
}
BENCHMARK(BM_IntervalAreas)
    ->ArgsProduct({{kMap, kUnmap, kDma}, {2, 3}, {0, 1, 2, 3}, {0, 1}, {0}})
    ->ArgsProduct({{kMap, kUnmap, kDma}, {2}, {0}, {1}, {1, 2}})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace twinwalk::proofs
