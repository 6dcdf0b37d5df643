// How dear are interval areas in a proof? Three Ops over areas {first, last} and retained entries
// {first, last}, from an arbitrary state in which the invariants hold, at several word shapes and
// bounds. The table in docs/PROOFS.md is this program's output. Nothing here is the reference.
#include <cstdio>
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
  const char* logic;
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
      f("no-stale", !mine || !(r.first <= first && last <= r.last) ||
                        s.areas.Any([&](const Area& m) {
        return m.space == h.ioas && m.first <= first && last <= m.last && m.backing == r.backing &&
               m.offset - m.first == r.offset - r.first && (r.rights & ~m.rights) == W(0);
      }));
    });
    f("no-stale", !present || r.first <= r.last);
  });
  const auto& areas = s.areas.places();
  for (size_t i = 0; i < areas.size(); ++i) {
    f("disjoint", !areas[i].present || areas[i].row.first <= areas[i].row.last);
    for (size_t j = 0; j < i; ++j)
      f("disjoint", !(areas[i].present && areas[j].present) ||
                        areas[i].row.space != areas[j].row.space ||
                        areas[i].row.first > areas[j].row.last ||
                        areas[j].row.first > areas[i].row.last);
  }
  const auto& hwpts = s.hwpts.places();
  for (size_t i = 0; i < hwpts.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      f("tag-owner", !(hwpts[i].present && hwpts[j].present) ||
                         hwpts[i].row.vmid != hwpts[j].row.vmid);
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
  if (s.areas.AnyOverlapping(space, first, last, [&](const Area& m) {
        return m.first < first || m.last > last;
      }))
    return;
  s.areas.EraseOverlapping(space, first, last, all);
  bool done = false;
  s.hwpts.Each([&](const Hwpt& h) { return h.ioas == space; }, [&](const Hwpt& h) {
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

void Run(const char* op, const Config& c, bool print) {
  Limits limits;
  Explorer e(limits, c.logic);
  e.Explore([&] {
    State s;
    const Widths widths = [&](const char*, const char* field) -> uint64_t {
      if (std::strcmp(field, "first") == 0 || std::strcmp(field, "last") == 0 ||
          std::strcmp(field, "offset") == 0)
        return c.shape.address;
      return std::strcmp(field, "rights") == 0 ? 3 : 0xff;
    };
    FillTable(&e, &s.hwpts, c.hwpts, widths);
    FillIntervals(&e, &s.areas, c.areas, widths);
    FillBag(&e, &s.retained, c.retained, widths);
    for (auto& at : s.areas.places()) at.row.last |= W(c.shape.last);
    for (auto& at : s.retained.places()) at.row.last |= W(c.shape.last);
    const W a = e.Fresh("any.address", c.shape.address | c.shape.last);
    Invariants(s, c.form, a, [&](const char*, const B& holds) { e.Assume(holds); });
    if (op[0] == 'm') Map(&e, s, c);
    if (op[0] == 'u') Unmap(&e, s, c);
    if (op[0] == 'd') Dma(&e, s, c);
    Invariants(s, c.form, a, [&](const char* name, const B& holds) {
      e.Prove(name, "", holds);
    });
  });
  if (!print) return;
  std::string verdicts;
  for (const Group& group : e.groups())
    verdicts += (verdicts.empty() ? "" : ", ") + group.name + " " + VerdictName(group.verdict);
  const char* faults[] = {"none", "skip", "off by one"};
  std::printf("| %s | %d/%d/%d | %s | %s | %s | %s | %llu | %llu | %.2f | %.2f | %s |\n", op,
              c.hwpts, c.areas, c.retained, c.shape.name,
              c.form == Form::kSkolem ? "address" : "entry", c.logic,
              faults[static_cast<int>(c.fault)], static_cast<unsigned long long>(e.paths()),
              static_cast<unsigned long long>(e.queries()), e.seconds(), e.slowest(),
              verdicts.c_str());
  std::fflush(stdout);
}

}  // namespace
}  // namespace twinwalk::proofs

int main(int argc, char** argv) {
  using namespace twinwalk::proofs;
  const Shape shapes[] = {{"64 bits, any byte", ~0ull, 0},
                          {"64 bits, whole pages", ~0xfffull, 0xfff},
                          {"48 bits, whole pages", 0xfffffffff000ull, 0xfff},
                          {"16 bits, any byte", 0xffff, 0}};
  const int only_n = argc > 1 ? std::atoi(argv[1]) : 0;
  std::printf("| op | hwpt/area/retained | addresses | no-stale per | logic | fault | paths | queries "
              "| solver s | slowest s | verdicts |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int n = 2; n <= 4; ++n) {
    if (only_n != 0 && only_n != n) continue;
    for (const Shape& shape : shapes)
      for (Form form : {Form::kInclusion, Form::kSkolem})
        for (const char* op : {"map", "unmap", "dma"})
          Run(op, {n, n, n, shape, form, "QF_ABV", Fault::kNone}, true);
  }
  if (only_n != 0) return 0;
  for (const char* op : {"map", "unmap", "dma"})
    for (Fault fault : {Fault::kSkip, Fault::kOffByOne})
      Run(op, {2, 2, 2, shapes[1], Form::kInclusion, "QF_ABV", fault}, true);
  for (const char* op : {"map", "unmap", "dma"})
    Run(op, {3, 3, 3, shapes[1], Form::kInclusion, "QF_BV", Fault::kNone}, true);
}
