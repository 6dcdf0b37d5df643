// The concrete domain: what reference, View, invariants and monitor run on outside of proofs.
// proofs/sym.h is the other domain, with the same members over Z3. Code that is a template over a
// domain D may use of it exactly what stands here, and keeps the rules of docs/PROOFS.md: an `if`
// on a B is a case split, `D::Sel` is a value, && and || do not short-circuit, operands are pure.
#ifndef TWINWALK_TRACES_WORD_H_
#define TWINWALK_TRACES_WORD_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace twinwalk {

// A path through a tree of choices, replayed step by step. Alternative 0 beyond the script.
class Choices {
 public:
  // Starts a new run of the same computation.
  void Restart() { taken_.clear(); }
  // One of `n` alternatives (n >= 1).
  int Pick(int n) {
    const size_t k = taken_.size();
    const int choice = k < script_.size() && script_[k] < n ? script_[k] : 0;
    taken_.emplace_back(choice, n);
    return choice;
  }
  // Moves to the next path in order; false when the run just made was the last one.
  bool Next() {
    while (!taken_.empty() && taken_.back().first + 1 >= taken_.back().second) taken_.pop_back();
    script_.clear();
    for (auto [choice, n] : taken_) script_.push_back(choice);
    if (script_.empty()) return false;
    ++script_.back();
    return true;
  }
  void Clear() { script_.clear(), taken_.clear(); }

 private:
  std::vector<int> script_;
  std::vector<std::pair<int, int>> taken_;  // choice, number of alternatives
};

// Orders and compares rows by their fields, as their visitor lists them.
// A Row has: static constexpr const char* kName; template <class F, class... R>
// static void Each(F&& f, R&... rows), which calls f("field", rows.field...) for each field.
// Concrete rows are nothing but words, so that comparing these is comparing the fields.
struct RowLess {
  template <class Row>
  bool operator()(const Row& a, const Row& b) const {
    static_assert(std::is_trivially_copyable_v<Row> && sizeof(Row) % sizeof(uint64_t) == 0);
    const auto* x = reinterpret_cast<const uint64_t*>(&a);
    const auto* y = reinterpret_cast<const uint64_t*>(&b);
    return std::lexicographical_compare(x, x + sizeof(Row) / 8, y, y + sizeof(Row) / 8);
  }
};
template <class Row>
bool SameRow(const Row& a, const Row& b) {
  return std::memcmp(&a, &b, sizeof(Row)) == 0;
}

// Rows with a unique `key`. Pointers stay valid until their own row is erased.
template <class Row>
class ConcreteTable {
 public:
  Row* Find(uint64_t key) {
    auto it = rows_.find(key);
    return it == rows_.end() ? nullptr : &it->second;
  }
  const Row* Find(uint64_t key) const { return const_cast<ConcreteTable*>(this)->Find(key); }
  // REQUIRES: no row has that key.
  Row* Insert(const Row& row) { return &rows_.emplace(row.key, row).first->second; }
  // Insert when c holds, without a case split.
  void InsertIf(bool c, const Row& row) {
    if (c) Insert(row);
  }
  void Erase(uint64_t key) { rows_.erase(key); }
  template <class P>
  bool Any(P&& p) const {
    for (const auto& [key, row] : rows_)
      if (p(row)) return true;
    return false;
  }
  template <class P>
  uint64_t Count(P&& p) const {
    uint64_t n = 0;
    for (const auto& [key, row] : rows_) n += p(row) ? 1 : 0;
    return n;
  }
  template <class P, class F>
  uint64_t Sum(P&& p, F&& f) const {
    uint64_t n = 0;
    for (const auto& [key, row] : rows_)
      if (p(row)) n += f(row);
    return n;
  }
  // The first row, in key order, for which p holds (in a proof: any such row); null when none.
  template <class P>
  Row* Pick(P&& p) {
    for (auto& [key, row] : rows_)
      if (p(row)) return &row;
    return nullptr;
  }
  template <class P>
  const Row* Pick(P&& p) const {
    return const_cast<ConcreteTable*>(this)->Pick(p);
  }
  template <class P>
  void EraseWhere(P&& p) {
    std::erase_if(rows_, [&](const auto& entry) { return p(entry.second); });
  }
  // f(row) writes fields of row only, and never its key; no case split inside (use Sel).
  template <class P, class F>
  void UpdateWhere(P&& p, F&& f) {
    for (auto& [key, row] : rows_)
      if (p(row)) f(row);
  }
  // f(row) for each row where p holds, in key order. A case split per row: may do anything but
  // insert into or erase from this table. For micro-steps.
  template <class P, class F>
  void Each(P&& p, F&& f) {
    for (auto& [key, row] : rows_)
      if (p(row)) f(row);
  }
  // f(present, row) for each place: for predicates, which say one formula per index.
  template <class F>
  void EachIndex(F&& f) const {
    for (const auto& [key, row] : rows_) f(true, row);
  }
  size_t size() const { return rows_.size(); }
  void Clear() { rows_.clear(); }

 private:
  std::map<uint64_t, Row> rows_;
};

// Rows {space, first, last} (inclusive); in one space no two overlap.
template <class Row>
class ConcreteIntervals {
 public:
  using Key = std::pair<uint64_t, uint64_t>;
  Row* Containing(uint64_t space, uint64_t address) {
    auto it = rows_.upper_bound(Key(space, address));
    if (it == rows_.begin()) return nullptr;
    --it;
    return it->first.first == space && it->second.last >= address ? &it->second : nullptr;
  }
  const Row* Containing(uint64_t space, uint64_t address) const {
    return const_cast<ConcreteIntervals*>(this)->Containing(space, address);
  }
  // Whether p holds for the row that contains `address` (false when there is none).
  template <class P>
  bool AnyContaining(uint64_t space, uint64_t address, P&& p) const {
    const Row* row = Containing(space, address);
    return row != nullptr && p(*row);
  }
  // Whether any row of `space` meets first..last and satisfies p.
  template <class P>
  bool AnyOverlapping(uint64_t space, uint64_t first, uint64_t last, P&& p) const {
    for (auto it = From(space, first);
         it != rows_.end() && it->first.first == space && it->second.first <= last; ++it)
      if (p(it->second)) return true;
    return false;
  }
  // f(row) for each row of `space` that meets first..last, ascending; a case split per row.
  template <class F>
  void EachOverlapping(uint64_t space, uint64_t first, uint64_t last, F&& f) {
    for (auto it = From(space, first);
         it != rows_.end() && it->first.first == space && it->second.first <= last; ++it)
      f(const_cast<Row&>(it->second));
  }
  // REQUIRES: overlaps no row of its space.
  Row* Insert(const Row& row) {
    return &rows_.emplace(Key(row.space, row.first), row).first->second;
  }
  // Erases the rows of `space` that meet first..last and satisfy p.
  template <class P>
  void EraseOverlapping(uint64_t space, uint64_t first, uint64_t last, P&& p) {
    for (auto it = From(space, first);
         it != rows_.end() && it->first.first == space && it->second.first <= last;)
      it = p(it->second) ? rows_.erase(it) : std::next(it);
  }
  // The same rows, moved into a container of their own.
  template <class P>
  ConcreteIntervals TakeOverlapping(uint64_t space, uint64_t first, uint64_t last, P&& p) {
    ConcreteIntervals taken;
    for (auto it = From(space, first);
         it != rows_.end() && it->first.first == space && it->second.first <= last;) {
      auto next = std::next(it);
      if (p(it->second)) taken.rows_.insert(rows_.extract(it));
      it = next;
    }
    return taken;
  }
  template <class P>
  bool Any(P&& p) const {
    for (const auto& [key, row] : rows_)
      if (p(row)) return true;
    return false;
  }
  template <class P, class F>
  uint64_t Sum(P&& p, F&& f) const {
    uint64_t n = 0;
    for (const auto& [key, row] : rows_)
      if (p(row)) n += f(row);
    return n;
  }
  template <class P, class F>
  void UpdateWhere(P&& p, F&& f) {
    for (auto& [key, row] : rows_)
      if (p(row)) f(row);
  }
  template <class P, class F>
  void Each(P&& p, F&& f) {
    for (auto& [key, row] : rows_)
      if (p(row)) f(row);
  }
  template <class F>
  void EachIndex(F&& f) const {
    for (const auto& [key, row] : rows_) f(true, row);
  }
  size_t size() const { return rows_.size(); }
  void Clear() { rows_.clear(); }

 private:
  using Map = std::map<Key, Row>;
  typename Map::const_iterator From(uint64_t space, uint64_t first) const {
    auto it = rows_.upper_bound(Key(space, first));
    if (it != rows_.begin()) {
      auto before = std::prev(it);
      if (before->first.first == space && before->second.last >= first) return before;
    }
    return it;
  }
  Map rows_;
};

// A set of rows: no key, equal rows kept once.
template <class Row>
class ConcreteBag {
 public:
  void Insert(const Row& row) {
    const auto at = std::lower_bound(rows_.begin(), rows_.end(), row, RowLess());
    if (at == rows_.end() || RowLess()(row, *at)) rows_.insert(at, row);
  }
  // Insert when c holds, without a case split.
  void InsertIf(bool c, const Row& row) {
    if (c) Insert(row);
  }
  template <class P>
  bool Any(P&& p) const {
    for (const Row& row : rows_)
      if (p(row)) return true;
    return false;
  }
  template <class P>
  void EraseWhere(P&& p) {
    std::erase_if(rows_, p);
  }
  // f(row) writes fields of row only; no case split inside (use Sel).
  template <class P, class F>
  void UpdateWhere(P&& p, F&& f) {
    for (Row& row : rows_)
      if (p(row)) f(row);
    std::sort(rows_.begin(), rows_.end(), RowLess());
    rows_.erase(std::unique(rows_.begin(), rows_.end(), SameRow<Row>), rows_.end());
  }
  // f(row) for each row of this kind. REQUIRES: `kind` is the first member of Row.
  template <class F>
  void EachOfKind(uint64_t kind, F&& f) const {
    auto row = std::lower_bound(rows_.begin(), rows_.end(), kind,
                                [](const Row& r, uint64_t k) { return r.kind < k; });
    for (; row != rows_.end() && row->kind == kind; ++row) f(*row);
  }
  template <class F>
  void EachIndex(F&& f) const {
    for (const Row& row : rows_) f(true, row);
  }
  size_t size() const { return rows_.size(); }
  void Clear() { rows_.clear(); }

 private:
  std::vector<Row> rows_;  // ascending: a scan is what is done most
};

// The domain itself. An instance is passed by reference: no globals, also not in proofs.
class Concrete {
 public:
  using W = uint64_t;
  using B = bool;
  template <class Row>
  using Table = ConcreteTable<Row>;
  template <class Row>
  using Intervals = ConcreteIntervals<Row>;
  template <class Row>
  using Bag = ConcreteBag<Row>;

  // c ? a : b, without a case split.
  static W Sel(B c, W a, W b) { return c ? a : b; }
  static B SelB(B c, B a, B b) { return c ? a : b; }
  // f(); in a proof the paths of f are explored apart and their results joined into one. f returns
  // a word, or a struct with `Each` like a Row; it writes nothing.
  template <class F>
  static auto Merged(F&& f) {
    return f();
  }
  // f(), of which whoever goes on needs to know the contract only. In a proof it is shown on each
  // path of f, and then stands for f. f returns a struct with `Each`; it writes nothing.
  template <class F, class C>
  static auto ByContract(F&& f, C&&, const char*) {
    return f();
  }
  // A contract of a sub-computation, required where it is made; and, after Merged, the same fact
  // used about the joined result. Concretely both abort when they do not hold.
  void Require(B holds, const char* what) {
    if (!holds) Broken(what);
  }
  void Axiom(B holds, const char* what) {
    if (!holds) Broken(what);
  }
  // Null ("use present memory"), or one of the rows for which p holds: the permitted-outcome rule.
  // Only rows of this kind are looked at.
  template <class Row, class P>
  const Row* Choose(const ConcreteBag<Row>& bag, W kind, P&& p) {
    int candidates = 1;
    bag.EachOfKind(kind, [&](const Row& row) { candidates += p(row) ? 1 : 0; });
    int chosen = choices_.Pick(candidates);
    if (chosen == 0) return nullptr;
    const Row* found = nullptr;
    bag.EachOfKind(kind, [&](const Row& row) {
      if (p(row) && --chosen == 0) found = &row;
    });
    return found;
  }
  // The same as a value: `otherwise`, or f(row) of one of the rows for which p holds. In a proof no
  // case split: a fresh word says which place it is, and the structs are joined field by field.
  template <class Row, class P, class T, class F>
  T ChooseValue(const ConcreteBag<Row>& bag, W kind, P&& p, const T& otherwise, F&& f) {
    const Row* row = Choose(bag, kind, p);
    return row == nullptr ? otherwise : f(*row);
  }
  // The lowest word w in first..last for which used(w) is false (in a proof: any such word; its
  // being the lowest matters to no invariant); 0 when there is none. REQUIRES: first >= 1.
  template <class P>
  W LowestFree(W first, W last, P&& used) {
    for (W w = first; w <= last; ++w)
      if (!used(w)) return w;
    return 0;
  }
  // A word with a property, found by any means: concretely find(), whose result must have it; in a
  // proof any word that has it.
  template <class F, class P>
  W Solve(F&& find, P&& property, const char* what) {
    const W w = find();
    Require(property(w), what);
    return w;
  }
  Choices& choices() { return choices_; }

 private:
  [[noreturn]] static void Broken(const char* what);
  Choices choices_;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_WORD_H_
