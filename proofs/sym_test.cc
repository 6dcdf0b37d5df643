#include "proofs/sym.h"

#include <gtest/gtest.h>

#include <random>

#include "traces/check.h"
#include "traces/word.h"

namespace twinwalk::proofs {
namespace {

constexpr int kOperators = 17;

// One operator, over words and booleans of either domain.
template <class Word, class Bool, class Pick>
Word Apply(int op, Word a, Word b, Pick&& sel) {
  auto number = [&](Bool c) { return sel(c, Word(1), Word(0)); };
  switch (op) {
    case 0:
      return a + b;
    case 1:
      return a - b;
    case 2:
      return a * b;
    case 3:
      return a & b;
    case 4:
      return a | b;
    case 5:
      return a ^ b;
    case 6:
      return ~a;
    case 7:
      return a << (b & Word(63));
    case 8:
      return a >> (b & Word(63));
    case 9:
      return number(a == b);
    case 10:
      return number(a != b);
    case 11:
      return number(a < b);
    case 12:
      return number(a <= b);
    case 13:
      return number(a > b);
    case 14:
      return number(a >= b);
    case 15:
      return a / (b | Word(1));
    case 16:
      return number((a < b && !(a == Word(0))) || (b == Word(5)) == (a == Word(5)));
  }
  return Word(0);
}

uint64_t Edge(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return 0;
    case 1:
      return ~uint64_t{0};
    case 2:
      return random() % 8;
    case 3:
      return uint64_t{1} << (random() % 64);
    case 4:
      return ~uint64_t{0} - random() % 4;
    default:
      return random();
  }
}
uint64_t Native(bool c, uint64_t a, uint64_t b) {
  return c ? a : b;
}
W Symbolic(const B& c, const W& a, const W& b) {
  return Sym::Sel(c, a, b);
}

// Constants fold to what uint64_t gives; unknowns, evaluated under a model, too; mixtures as well.
TEST(Words, AgreeWithNativeWords) {
  std::mt19937_64 random(1);
  Explorer e;
  for (int round = 0; round < 300; ++round) {
    const uint64_t a = Edge(random), b = Edge(random);
    const int first = static_cast<int>(random() % kOperators);
    const int second = static_cast<int>(random() % kOperators);
    const uint64_t expected =
        Apply<uint64_t, bool>(second, Apply<uint64_t, bool>(first, a, b, Native), b, Native);
    const W folded = Apply<W, B>(second, Apply<W, B>(first, W(a), W(b), Symbolic), W(b), Symbolic);
    ASSERT_TRUE(folded.is_constant());
    ASSERT_EQ(folded.constant(), expected) << first << " " << second << " " << a << " " << b;
    e.Explore([&] {
      const W x = e.Fresh("x"), y = random() % 2 != 0 ? W(b) : e.Fresh("y");
      e.Assume(x == a && y == b);
      const W open = Apply<W, B>(second, Apply<W, B>(first, x, y, Symbolic), y, Symbolic);
      e.Prove("equal", std::to_string(first) + " " + std::to_string(second), open == expected);
      e.Prove("canary" + std::to_string(round), "", open == expected + 1);
      EXPECT_EQ(e.FindGroup("canary" + std::to_string(round)).verdict, Verdict::kRefuted);
    });
  }
  EXPECT_EQ(e.FindGroup("equal").verdict, Verdict::kHolds) << e.FindGroup("equal").what;
}

TEST(Words, MaskLimitsAFreshWord) {
  Explorer e;
  e.Explore([&] {
    const W x = e.Fresh("x", 0xff000000f0);
    e.Prove("inside", "", (x & ~W(0xff000000f0)) == W(0));
    e.Prove("all of it", "", x != W(0xff000000f0));
  });
  EXPECT_EQ(e.FindGroup("inside").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("all of it").verdict, Verdict::kRefuted);
}

// ---- Tables of both domains
// ----------------------------------------------------------------------

template <class D>
struct Item {
  using W = typename D::W;
  static constexpr const char* kName = "item";
  W key{0}, value{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("value", r.value...);
  }
};
template <class D>
struct Range {
  using W = typename D::W;
  static constexpr const char* kName = "range";
  W space{0}, first{0}, last{0}, value{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("space", r.space...), f("first", r.first...), f("last", r.last...), f("value", r.value...);
  }
};

uint64_t Plain(uint64_t w) {
  return w;
}
uint64_t Plain(const W& w) {
  CHECK(w.is_constant());
  return w.constant();
}
bool PlainB(bool b) {
  return b;
}
bool PlainB(const B& b) {
  CHECK(b.is_constant());
  return b.constant();
}

// One table operation with constants; what it answers, as numbers.
template <class D>
std::vector<uint64_t> TableStep(typename D::template Table<Item<D>>& table, int op, uint64_t a,
                                uint64_t b) {
  using Word = typename D::W;
  using Row = Item<D>;
  auto below = [&](const Row& row) { return row.value < Word(b); };
  switch (op) {
    case 0:
    case 1: {
      if (auto* row = table.Find(Word(a))) return {1, Plain(row->value)};
      Row row;
      row.key = a, row.value = b;
      return {0, Plain(table.Insert(row)->key)};
    }
    case 2:
      table.Erase(Word(a));
      return {};
    case 10: {
      Row row;
      row.key = a, row.value = b;
      table.InsertIf(!table.Any([&](const Row& r) { return r.key == row.key; }), row);
      return {};
    }
    case 3:
      return {PlainB(table.Any(below))};
    case 4:
      return {Plain(table.Count(below))};
    case 5:
      return {Plain(table.Sum(below, [](const Row& row) { return row.value; }))};
    case 6:
      table.EraseWhere([&](const Row& row) { return row.value == Word(b); });
      return {};
    case 7:
      table.UpdateWhere(below, [](Row& row) {
        row.value = D::Sel(row.key > Word(4), row.value + Word(2), row.value + Word(1));
      });
      return {};
    case 8:
      table.Each(below, [](Row& row) { row.value = row.value + Word(1); });
      return {};
    case 9: {
      auto* row = table.Pick([&](const Row& r) { return r.key == Word(a); });
      if (row == nullptr) return {0};
      row->value = b;
      return {1, Plain(row->key)};
    }
  }
  return {};
}

template <class D>
std::vector<uint64_t> IntervalStep(typename D::template Intervals<Range<D>>& table, int op,
                                   uint64_t space, uint64_t a, uint64_t b) {
  using Word = typename D::W;
  using Row = Range<D>;
  const uint64_t first = std::min(a, b), last = std::max(a, b);
  auto odd = [&](const Row& row) { return (row.value & Word(1)) == Word(1); };
  auto all = [&](const Row&) { return typename D::B(true); };
  switch (op) {
    case 0:
    case 1: {
      if (PlainB(table.AnyOverlapping(Word(space), Word(first), Word(last), all))) return {1};
      Row row;
      row.space = space, row.first = first, row.last = last, row.value = a;
      table.Insert(row);
      return {0};
    }
    case 2: {
      auto* row = table.Containing(Word(space), Word(a));
      return row == nullptr ? std::vector<uint64_t>{} : std::vector<uint64_t>{Plain(row->first)};
    }
    case 3:
      return {PlainB(table.AnyContaining(Word(space), Word(a), odd))};
    case 4:
      return {PlainB(table.AnyOverlapping(Word(space), Word(first), Word(last), odd))};
    case 5: {
      uint64_t sum = 0;
      table.EachOverlapping(Word(space), Word(first), Word(last), [&](Row& row) {
        sum += Plain(row.first);
        row.value = row.value + Word(1);
      });
      return {sum};
    }
    case 6:
      table.EraseOverlapping(Word(space), Word(first), Word(last), odd);
      return {};
    case 7:
      return {PlainB(table.Any(odd)),
              Plain(table.Sum(odd, [](const Row& row) { return row.last; }))};
    case 8:
      table.UpdateWhere(odd, [](Row& row) { row.value = row.value * Word(3); });
      return {};
    case 9:
      table.Each(odd, [](Row& row) { row.value = row.value + Word(2); });
      return {};
  }
  return {};
}

// Contents as a sorted list of numbers.
template <class Table>
std::vector<std::vector<uint64_t>> Contents(const Table& table) {
  std::vector<std::vector<uint64_t>> rows;
  table.EachIndex([&](const auto& present, const auto& row) {
    if (!PlainB(present)) return;
    std::vector<uint64_t> numbers;
    std::decay_t<decltype(row)>::Each(
        [&](const char*, const auto& w) { numbers.push_back(Plain(w)); }, row);
    rows.push_back(numbers);
  });
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(Tables, TableAgreesWithTheConcreteOne) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    ConcreteTable<Item<Concrete>> native;
    SymTable<Item<Sym>> symbolic;
    for (int step = 0; step < 40; ++step) {
      const int op = static_cast<int>(random() % 11);
      const uint64_t a = random() % 8, b = random() % 8;
      ASSERT_EQ(TableStep<Concrete>(native, op, a, b), TableStep<Sym>(symbolic, op, a, b)) << op;
      ASSERT_EQ(Contents(native), Contents(symbolic)) << op;
    }
  }
}

TEST(Tables, IntervalsAgreeWithTheConcreteOnes) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    ConcreteIntervals<Range<Concrete>> native;
    SymIntervals<Range<Sym>> symbolic;
    for (int step = 0; step < 40; ++step) {
      const int op = static_cast<int>(random() % 10);
      const uint64_t space = random() % 2;
      uint64_t a = random() % 32, b = random() % 32;
      if (random() % 8 == 0) b = ~uint64_t{0};
      ASSERT_EQ(IntervalStep<Concrete>(native, op, space, a, b),
                IntervalStep<Sym>(symbolic, op, space, a, b))
          << op;
      ASSERT_EQ(Contents(native), Contents(symbolic)) << op;
    }
  }
}

TEST(Tables, BagAgreesWithTheConcreteOne) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    ConcreteBag<Item<Concrete>> native;
    SymBag<Item<Sym>> symbolic;
    auto step = [](auto& bag, auto row, int op, uint64_t b) -> uint64_t {
      using Row = decltype(row);
      auto below = [&](const Row& r) { return r.value < decltype(row.value)(b); };
      switch (op) {
        case 0:
          bag.Insert(row);
          return 0;
        case 1:
          return PlainB(bag.Any(below));
        case 2:
          bag.EraseWhere([&](const Row& r) { return r.value == decltype(row.value)(b); });
          return 0;
        case 3:
          bag.UpdateWhere(below, [](Row& r) { r.value = r.value + decltype(r.value)(1); });
          return 0;
      }
      return 0;
    };
    for (int i = 0; i < 30; ++i) {
      const int op = static_cast<int>(random() % 4);
      const uint64_t a = random() % 4, b = random() % 4;
      Item<Concrete> x;
      x.key = a, x.value = b;
      Item<Sym> y;
      y.key = a, y.value = b;
      ASSERT_EQ(step(native, x, op, b), step(symbolic, y, op, b));
      auto rows = Contents(symbolic);  // a bag of places may hold equal rows twice
      rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
      ASSERT_EQ(Contents(native), rows);
    }
  }
}

// ---- Case splits
// ---------------------------------------------------------------------------------

const Widths kAll = [](const char*, const char*) { return ~uint64_t{0}; };

// Once for all places that may be exchanged; or place by place. What holds is the same.
class Lookup : public testing::TestWithParam<Order> {};
TEST_P(Lookup, FindSplitsOverThePlaces) {
  Explorer e;
  int found = 0, missing = 0;
  e.Explore([&] {
    SymTable<Item<Sym>> table;
    FillTable(&e, &table, 3, kAll, GetParam());
    const W key = e.Fresh("key");
    if (auto* row = table.Find(key)) {
      ++found;
      e.Prove("it is the one", "", row->key == key);
      row->value = 7;
      e.Prove("written in place", "",
              table.Any([&](const auto& r) { return r.key == key && r.value == W(7); }));
    } else {
      ++missing;
      Item<Sym> added;
      added.key = key;
      table.Insert(added);
      e.Prove("present", "", table.Any([&](const auto& r) { return r.key == key; }));
    }
    e.Prove("unique", "", table.Count([&](const auto& r) { return r.key == key; }) == W(1));
  });
  EXPECT_EQ(found, GetParam() == Order::kAny ? 1 : 3);
  EXPECT_EQ(missing, 1);
  for (const Group& group : e.groups()) EXPECT_EQ(group.verdict, Verdict::kHolds) << group.name;
}

// Two look-ups, of one row or of two; of several that match, also one that was not told before.
TEST_P(Lookup, ReachesEveryCase) {
  Explorer e;
  e.Explore([&] {
    SymTable<Item<Sym>> table;
    FillTable(&e, &table, 3, kAll, GetParam());
    auto* a = table.Find(e.Fresh("a"));
    auto* b = table.Find(e.Fresh("b"));
    if (a == nullptr || b == nullptr) return;
    e.Prove("two are one", "", a->key == b->key);
    e.Prove("two are two", "", a->key != b->key);
    const auto even = [](const Item<Sym>& row) { return (row.value & W(1)) == W(0); };
    auto* c = table.Pick(even);
    if (c == nullptr) return;
    e.Prove("picked as asked", "", (c->value & W(1)) == W(0));
    e.Prove("never a third", "", c->key == a->key || c->key == b->key);
    e.Prove("never past one that matches", "", !even(*a) || c->key == a->key || c->key < a->key);
  });
  EXPECT_EQ(e.FindGroup("picked as asked").verdict, Verdict::kHolds);
  for (const char* canary : {"two are one", "two are two", "never a third"})
    EXPECT_EQ(e.FindGroup(canary).verdict, Verdict::kRefuted) << canary;
  // Ascending, the first in the order of keys is picked, as concretely; else it may be any.
  EXPECT_EQ(e.FindGroup("never past one that matches").verdict,
            GetParam() == Order::kAny ? Verdict::kRefuted : Verdict::kHolds);
}
INSTANTIATE_TEST_SUITE_P(Orders, Lookup, testing::Values(Order::kAny, Order::kAscending));

// Each visits the rows in any order; those for which it is not asked stay as they were.
TEST(Sym, EachVisitsInAnyOrder) {
  Explorer e;
  e.Explore([&] {
    SymTable<Item<Sym>> table;
    FillTable(&e, &table, 3, kAll);
    std::vector<Item<Sym>> seen;
    const auto odd = [](const Item<Sym>& row) { return (row.value & W(1)) == W(1); };
    const W odds = table.Count(odd);
    table.Each(odd, [&](Item<Sym>& row) { seen.push_back(row); });
    e.Prove("all of them", "", odds == W(seen.size()));
    if (seen.size() != 2) return;
    e.Prove("only ascending", "", seen[0].key < seen[1].key);
    e.Prove("only descending", "", seen[1].key < seen[0].key);
  });
  EXPECT_EQ(e.paths(), 4u);  // none, one, two, three
  EXPECT_EQ(e.FindGroup("all of them").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("only ascending").verdict, Verdict::kRefuted);
  EXPECT_EQ(e.FindGroup("only descending").verdict, Verdict::kRefuted);
}

// A contract is shown on each path, stands for them all, and says no more than it says.
TEST(Sym, ByContractIsNeitherStrongerNorUnproved) {
  Explorer e;
  e.Explore([&] {
    Sym d(&e);
    const W x = e.Fresh("x");
    const auto half = [&](const Item<Sym>& r) { return r.value <= W(10); };
    const auto f = [&] {
      Item<Sym> r;
      if (x < W(100)) r.value = W(7);
      return r;
    };
    const Item<Sym> r = d.ByContract(f, half, "");
    e.Prove("what it says", "", r.value <= W(10));
    e.Prove("what f does", "", r.value == W(7) || r.value == W(0));
    e.Prove("what f assumed", "", x < W(100));
  });
  EXPECT_EQ(e.FindGroup(kContractGroup).verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("what it says").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("what f does").verdict, Verdict::kRefuted);
  EXPECT_EQ(e.FindGroup("what f assumed").verdict, Verdict::kRefuted);

  Explorer wrong;
  wrong.Explore([&] {
    Sym d(&wrong);
    const W x = wrong.Fresh("x");
    const auto f = [&] {
      Item<Sym> r;
      if (x == W(77)) r.value = W(11);
      return r;
    };
    d.ByContract(
        f, [](const Item<Sym>& r) { return r.value <= W(10); }, "");
  });
  EXPECT_EQ(wrong.FindGroup(kContractGroup).verdict, Verdict::kRefuted);
}

TEST(Sym, InsertingAKeyTwiceBreaksTheContract) {
  Explorer e;
  e.Explore([&] {
    SymTable<Item<Sym>> table;
    FillTable(&e, &table, 1, kAll);
    Item<Sym> row;
    row.key = e.Fresh("key");
    table.Insert(row);
  });
  EXPECT_EQ(e.FindGroup(kContractGroup).verdict, Verdict::kRefuted);
}

template <class D>
struct Kept {
  using W = typename D::W;
  static constexpr const char* kName = "kept";
  W kind{0}, value{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("kind", r.kind...), f("value", r.value...);
  }
};

TEST(Sym, ChooseCoversPresentMemoryAndEveryMatchOfItsKind) {
  Explorer e;
  std::vector<std::string> seen;
  e.Explore([&] {
    Sym d(&e);
    SymBag<Kept<Sym>> bag;
    FillBag(&e, &bag, 2, kAll);
    Kept<Sym> never;
    never.kind = 1, never.value = 9;
    bag.Insert(never);
    never.kind = 2, never.value = 3;
    bag.Insert(never);
    const auto* row = d.Choose(bag, W(1), [](const Kept<Sym>& r) { return r.value == W(3); });
    if (row == nullptr) {
      seen.push_back("present");
      return;
    }
    e.Prove("matches", "", row->value == W(3) && row->kind == W(1));
    seen.push_back(row == &bag.places()[0].row ? "place 0" : "place 1");
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"present", "place 0"}));  // place 1: exchanged
  EXPECT_EQ(e.FindGroup("matches").verdict, Verdict::kHolds);
}

TEST(Sym, LowestFreeIsFreeAndMayBeNone) {
  Explorer e;
  int none = 0;
  e.Explore([&] {
    Sym d(&e);
    SymTable<Item<Sym>> table;
    FillTable(&e, &table, 2, kAll);
    const W id = d.LowestFree(
        1, 5, [&](const W& w) { return table.Any([&](const auto& row) { return row.key == w; }); });
    if (id.is_constant()) {
      ++none;
      return;
    }
    e.Prove("free", "", !table.Any([&](const auto& row) { return row.key == id; }));
    e.Prove("range", "", id >= W(1) && id <= W(5));
    e.Prove("any of them", "", id != W(4));
  });
  EXPECT_EQ(none, 1);
  EXPECT_EQ(e.FindGroup("free").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("range").verdict, Verdict::kHolds);
  EXPECT_EQ(e.FindGroup("any of them").verdict, Verdict::kRefuted);
}

TEST(Sym, UpdateWhereIsEachInOneFormula) {
  Explorer e;
  e.Explore([&] {
    SymTable<Item<Sym>> one, other;
    FillTable(&e, &one, 2, kAll, Order::kAscending);
    other = one;
    const W limit = e.Fresh("limit");
    auto below = [&](const Item<Sym>& row) { return row.value < limit; };
    one.UpdateWhere(below, [](Item<Sym>& row) { row.value += 5; });
    other.Each(below, [](Item<Sym>& row) { row.value += 5; });
    for (size_t i = 0; i < 2; ++i)
      e.Prove("same", "",
              !one.places()[i].present || SameRows(one.places()[i].row, other.places()[i].row));
  });
  EXPECT_EQ(e.FindGroup("same").verdict, Verdict::kHolds);
  EXPECT_GT(e.paths(), 3u);
}

}  // namespace
}  // namespace twinwalk::proofs
