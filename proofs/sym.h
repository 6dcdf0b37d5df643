// The symbolic domain: the same members as Concrete in traces/word.h, over arbitrary words. The
// reference runs on it unchanged; what it does for every word is what the Explorer finds.
//
// A table is a list of places {present, row}. Looking a row up is a case split over the places;
// Any, Count, EraseWhere, UpdateWhere are formulas and split nothing; an insert appends a place.
// What the containers require (unique keys, disjoint intervals) is proved at each insert.
#ifndef TWINWALK_PROOFS_SYM_H_
#define TWINWALK_PROOFS_SYM_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proofs/explorer.h"
#include "proofs/term.h"

namespace twinwalk::proofs {

// Name of the group that collects what D::Require and the containers require.
inline constexpr const char* kContractGroup = "contract";

// c ? a : b, field by field.
template <class Row>
Row SelectRow(const B& c, const Row& a, const Row& b) {
  Row out = b;
  Row::Each([&](const char*, auto& o, const auto& x, const auto& y) { o = Select(c, x, y); }, out,
            a, b);
  return out;
}
template <class Row>
B SameRows(const Row& a, const Row& b) {
  B same = true;
  Row::Each([&](const char*, const auto& x, const auto& y) { same = same && x == y; }, a, b);
  return same;
}

// Proves `holds` where it is symbolic; a constant that does not hold is our own bug.
void RequireContract(const B& holds, const char* what);

// Which places of an arbitrary table the path can tell apart. The set of arbitrary states is closed
// under any exchange of two untold places, and so is what a path knows of them: of a row that is
// looked up it is said, without loss of generality, that it stands in the first of them
// (docs/PROOFS.md, "Places"). Copies of a table share it.
struct Told {
  Explorer* explorer;
  std::vector<bool> told;
};

template <class Row>
class SymPlaces {
 public:
  struct Place {
    B present;
    Row row;
  };
  template <class P>
  B Any(P&& p) const {
    B any = false;
    for (const Place& at : places_) any = any || (at.present && p(at.row));
    return any;
  }
  template <class P>
  W Count(P&& p) const {
    W n = 0;
    for (const Place& at : places_) n += Select(at.present && p(at.row), W(1), W(0));
    return n;
  }
  template <class P, class F>
  W Sum(P&& p, F&& f) const {
    W n = 0;
    for (const Place& at : places_) n += Select(at.present && p(at.row), W(f(at.row)), W(0));
    return n;
  }
  // Any row for which p holds; null when none.
  template <class P>
  Row* Pick(P&& p) {
    return Lookup(p, false);
  }
  template <class P>
  const Row* Pick(P&& p) const {
    return const_cast<SymPlaces*>(this)->Pick(p);
  }
  template <class P>
  void EraseWhere(P&& p) {
    for (Place& at : places_) at.present = at.present && !B(p(at.row));
  }
  template <class P, class F>
  void UpdateWhere(P&& p, F&& f) {
    for (Place& at : places_) {
      const B hit = at.present && p(at.row);
      if (hit.is_constant() && !hit.constant()) continue;
      Row changed = at.row;
      f(changed);
      at.row = SelectRow(hit, changed, at.row);
    }
  }
  template <class P, class F>
  void Each(P&& p, F&& f) {
    const size_t n = places_.size();
    const bool exchange = told_ != nullptr && !told_->explorer->nested();
    // The order of visits may matter, and those told before would always come first.
    if (exchange) CheckAllUntold();
    for (size_t i = 0; i < n; ++i) {
      if (places_[i].present && p(places_[i].row)) {
        if (!IsTold(i)) Tell(i);
        f(places_[i].row);
      } else if (exchange && !IsTold(i)) {
        return AssumeNone(i + 1, p);  // those that match stand first
      }
    }
  }
  template <class F>
  void EachIndex(F&& f) const {
    for (const Place& at : places_) f(at.present, at.row);
  }
  size_t size() const { return places_.size(); }
  void Clear() { places_.clear(); }
  // For building a state: no requirement is checked.
  std::deque<Place>& places() { return places_; }
  const std::deque<Place>& places() const { return places_; }
  // The places that stand now may be exchanged (with those of every table that shares `told`).
  void MayExchange(Explorer* explorer) {
    told_ = std::make_shared<Told>(Told{explorer, std::vector<bool>(places_.size())});
  }
  // Its places are made of the other's, one of one: they are exchanged together.
  template <class Other>
  void ExchangeWith(const SymPlaces<Other>& other) {
    told_ = other.told();
  }
  const std::shared_ptr<Told>& told() const { return told_; }
  bool IsTold(size_t i) const {
    return told_ == nullptr || i >= told_->told.size() || told_->told[i];
  }
  void Tell(size_t i) const { told_->told[i] = true; }

 protected:
  // `unique`: p holds for one row at most. Else each of those for which it holds may be the first.
  template <class P>
  Row* Lookup(P&& p, bool unique) {
    if (told_ == nullptr || told_->explorer->nested()) return LookupInOrder(p, unique);
    bool passed = false;
    for (size_t i = 0; i < places_.size(); ++i) {
      Place& at = places_[i];
      if (!IsTold(i) || (at.present.is_constant() && !at.present.constant())) continue;
      if (!(at.present && p(at.row))) continue;
      if (unique || told_->explorer->Fork(2) == 0) return &at.row;
      passed = true;
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      if (IsTold(i)) continue;
      if (places_[i].present && p(places_[i].row)) {
        Tell(i);
        return &places_[i].row;
      }
      AssumeNone(i + 1, p);
      break;
    }
    if (passed) told_->explorer->Assume(false);
    return nullptr;
  }

 private:
  // What is joined afterwards is a function of the rows, not of places: only if it is no choice.
  template <class P>
  Row* LookupInOrder(P&& p, bool unique) {
    RequireUniqueIn(told_ != nullptr, unique);
    for (Place& at : places_) {
      if (at.present.is_constant() && !at.present.constant()) continue;
      if (at.present && p(at.row)) return &at.row;
    }
    return nullptr;
  }
  template <class P>
  void AssumeNone(size_t from, P&& p) const {
    for (size_t i = from; i < places_.size(); ++i)
      if (!IsTold(i)) told_->explorer->Assume(!(places_[i].present && B(p(places_[i].row))));
  }
  void CheckAllUntold() const {
    for (const bool told : told_->told) RequireContract(B(!told), "Each comes before any look-up");
  }
  static void RequireUniqueIn(bool exchange, bool unique) {
    RequireContract(B(!exchange || unique), "inside Merged only what is unique is looked up");
  }

 protected:
  Row* Append(const Row& row, const B& present = true) {
    places_.push_back({present, row});
    return &places_.back().row;
  }
  std::deque<Place> places_;  // pointers to rows stay valid

 private:
  std::shared_ptr<Told> told_;  // null: places stand in an order
};

template <class Row>
class SymTable : public SymPlaces<Row> {
 public:
  Row* Find(const W& key) {
    return this->Lookup([&](const Row& row) { return row.key == key; }, true);
  }
  const Row* Find(const W& key) const { return const_cast<SymTable*>(this)->Find(key); }
  Row* Insert(const Row& row) {
    RequireContract(!this->Any([&](const Row& other) { return other.key == row.key; }),
                    "an inserted key is new");
    return this->Append(row);
  }
  void InsertIf(const B& c, const Row& row) {
    RequireContract(!c || !this->Any([&](const Row& other) { return other.key == row.key; }),
                    "an inserted key is new");
    this->Append(row, c);
  }
  void Erase(const W& key) {
    this->EraseWhere([&](const Row& row) { return row.key == key; });
  }
};

template <class Row>
class SymIntervals : public SymPlaces<Row> {
 public:
  Row* Containing(const W& space, const W& address) {
    return this->Lookup([&](const Row& row) { return Contains(row, space, address); }, true);
  }
  const Row* Containing(const W& space, const W& address) const {
    return const_cast<SymIntervals*>(this)->Containing(space, address);
  }
  template <class P>
  B AnyContaining(const W& space, const W& address, P&& p) const {
    return this->Any([&](const Row& row) { return Contains(row, space, address) && p(row); });
  }
  template <class P>
  B AnyOverlapping(const W& space, const W& first, const W& last, P&& p) const {
    return this->Any([&](const Row& row) { return Meets(row, space, first, last) && p(row); });
  }
  template <class F>
  void EachOverlapping(const W& space, const W& first, const W& last, F&& f) {
    this->Each([&](const Row& row) { return Meets(row, space, first, last); }, f);
  }
  Row* Insert(const Row& row) {
    RequireContract(
        !this->Any([&](const Row& other) { return Meets(other, row.space, row.first, row.last); }),
        "an inserted interval overlaps none");
    RequireContract(row.first <= row.last, "an inserted interval is not empty");
    return this->Append(row);
  }
  template <class P>
  void EraseOverlapping(const W& space, const W& first, const W& last, P&& p) {
    this->EraseWhere([&](const Row& row) { return Meets(row, space, first, last) && p(row); });
  }
  template <class P>
  SymIntervals TakeOverlapping(const W& space, const W& first, const W& last, P&& p) {
    const auto goes = [&](const Row& row) { return Meets(row, space, first, last) && p(row); };
    SymIntervals taken = *this;
    taken.EraseWhere([&](const Row& row) { return !goes(row); });
    this->EraseWhere(goes);
    return taken;
  }

 private:
  static B Contains(const Row& row, const W& space, const W& address) {
    return row.space == space && row.first <= address && address <= row.last;
  }
  static B Meets(const Row& row, const W& space, const W& first, const W& last) {
    return row.space == space && row.first <= last && first <= row.last;
  }
};

// Equal rows may stand in two places: no member of a bag can tell.
template <class Row>
class SymBag : public SymPlaces<Row> {
 public:
  void Insert(const Row& row) { this->Append(row); }
  void InsertIf(const B& c, const Row& row) { this->Append(row, c); }
};

class Sym {
 public:
  using W = proofs::W;
  using B = proofs::B;
  template <class Row>
  using Table = SymTable<Row>;
  template <class Row>
  using Intervals = SymIntervals<Row>;
  template <class Row>
  using Bag = SymBag<Row>;

  // split: Merged and ChooseValue are case splits too, for Ops with few of them.
  explicit Sym(Explorer* explorer, bool split = false) : explorer_(explorer), split_(split) {}
  Explorer* explorer() const { return explorer_; }

  static W Sel(const B& c, const W& a, const W& b) { return Select(c, a, b); }
  static B SelB(const B& c, const B& a, const B& b) { return Select(c, a, b); }

  // Called through the instance (`d.Merged(f)`), which is also legal where it is static.
  template <class F>
  auto Merged(F&& f) {
    using T = decltype(f());
    if (split_) return f();
    auto results = std::make_shared<std::vector<T>>();
    std::shared_ptr<void> joined =
        explorer_->Merge([&] { results->push_back(f()); },
                         [&](const std::vector<B>& conditions) -> std::shared_ptr<void> {
                           T all = results->back();
                           for (size_t i = results->size() - 1; i-- > 0;)
                             all = Join(conditions[i], (*results)[i], all);
                           return std::make_shared<T>(all);
                         });
    return *std::static_pointer_cast<T>(joined);
  }
  // The paths of f are explored apart, the contract is shown on each, and of the result nothing
  // else is known: a fresh one.
  template <class F, class C>
  auto ByContract(F&& f, C&& contract, const char* what) {
    using T = decltype(f());
    explorer_->Aside([&] { Require(contract(f()), what); });
    T any;
    T::Each([&](const char* field, W& word) { word = explorer_->Fresh(field); }, any);
    explorer_->Axiom(contract(any));
    return any;
  }
  void Require(const B& holds, const char* what) { explorer_->Prove(kContractGroup, what, holds); }
  void Axiom(const B& holds, const char*) { explorer_->Axiom(holds); }

  // Not inside Merged: a joined result has no place for a pointer.
  template <class Row, class P>
  const Row* Choose(const SymBag<Row>& bag, const W& kind, P&& p) {
    const auto& places = bag.places();
    std::vector<size_t> choices;  // of places that cannot be told apart the first stands for all
    bool untold = false;
    for (size_t i = 0; i < places.size(); ++i) {
      const bool told = bag.IsTold(i) || explorer_->nested();
      if (told || !untold) choices.push_back(i);
      untold = untold || !told;
    }
    const int choice = explorer_->Fork(1 + static_cast<int>(choices.size()));
    if (choice == 0) return nullptr;
    const size_t chosen = choices[static_cast<size_t>(choice) - 1];
    const auto& at = places[chosen];
    // Else it is present memory once more.
    explorer_->Assume(at.present && at.row.kind == kind && p(at.row));
    if (!bag.IsTold(chosen) && !explorer_->nested()) bag.Tell(chosen);
    return &at.row;
  }

  // The same without a case split: a fresh word says which place it is.
  template <class Row, class P, class T, class F>
  T ChooseValue(const SymBag<Row>& bag, const W& kind, P&& p, const T& otherwise, F&& f) {
    if (split_) {
      const Row* row = Choose(bag, kind, p);
      return row == nullptr ? otherwise : f(*row);
    }
    const W which = explorer_->Fresh("chosen", 0xff);
    T value = otherwise;
    const auto& places = bag.places();
    for (size_t i = 0; i < places.size(); ++i) {
      const B hit = which == W(i + 1) && places[i].present && places[i].row.kind == kind &&
                    B(p(places[i].row));
      if (!hit.is_constant() || hit.constant()) value = Join(hit, f(places[i].row), value);
    }
    return value;
  }

  // Any free word, or 0: more than the concrete domain does (it gives 0 only when none is free).
  template <class P>
  W LowestFree(const W& first, const W& last, P&& used) {
    if (explorer_->Fork(2) == 1) return 0;
    const W free = explorer_->Fresh("free");
    explorer_->Assume(first <= free && free <= last);
    explorer_->Assume(!B(used(free)));
    return free;
  }
  template <class F, class P>
  W Solve(F&&, P&& property, const char*) {
    const W found = explorer_->Fresh("solved");
    explorer_->Assume(property(found));
    return found;
  }

 private:
  static W Join(const B& c, const W& a, const W& b) { return Select(c, a, b); }
  static B Join(const B& c, const B& a, const B& b) { return Select(c, a, b); }
  template <class T>
  static T Join(const B& c, const T& a, const T& b) {
    return SelectRow(c, a, b);
  }

  Explorer* explorer_;
  bool split_;
};

// ---- Arbitrary states
// ----------------------------------------------------------------------------

// Which bits of a field may be set: (row kind, field) -> mask.
using Widths = std::function<uint64_t(const char* row, const char* field)>;

template <class Row>
Row FreshRow(Explorer* e, const std::string& name, const Widths& widths) {
  Row row;
  Row::Each([&](const char* field,
                W& word) { word = e->Fresh(name + "." + field, widths(Row::kName, field)); },
            row);
  return row;
}

// n places, each of which may be empty. In any order, with any of them exchanged for another; or,
// to compare with, in ascending order of their keys, those present first, and looked up one by one.
// Both lose no state, because no member of a table can tell in which place a row stands.
enum class Order { kAny, kAscending };

template <class Row, class Places>
void FillPlaces(Explorer* e, Places* table, int n, const Widths& widths) {
  for (int i = 0; i < n; ++i) {
    const std::string name = Row::kName + std::to_string(i);
    table->places().push_back({e->FreshB(name), FreshRow<Row>(e, name, widths)});
  }
}
// holds(a, b) of every two present rows, a before b.
template <class Places, class F>
void AssumePairs(Explorer* e, Order order, Places* table, F&& holds) {
  auto& places = table->places();
  for (size_t i = 0; i < places.size(); ++i)
    for (size_t k = 0; k < i; ++k) {
      if (order == Order::kAscending) e->Assume(!places[i].present || places[k].present);
      e->Assume(!(places[k].present && places[i].present) || holds(places[k].row, places[i].row));
    }
  if (order == Order::kAny) table->MayExchange(e);
}
template <class Row>
void FillTable(Explorer* e, SymTable<Row>* table, int n, const Widths& widths,
               Order order = Order::kAny) {
  FillPlaces<Row>(e, table, n, widths);
  AssumePairs(e, order, table, [&](const Row& a, const Row& b) {
    return order == Order::kAny ? a.key != b.key : a.key < b.key;
  });
}
template <class Row>
void FillIntervals(Explorer* e, SymIntervals<Row>* table, int n, const Widths& widths,
                   Order order = Order::kAny) {
  FillPlaces<Row>(e, table, n, widths);
  for (const auto& at : table->places()) e->Assume(!at.present || at.row.first <= at.row.last);
  AssumePairs(e, order, table, [&](const Row& a, const Row& b) {
    if (order == Order::kAny) return a.space != b.space || a.last < b.first || b.last < a.first;
    return a.space < b.space || (a.space == b.space && a.last < b.first);
  });
}
template <class Row>
void FillBag(Explorer* e, SymBag<Row>* bag, int n, const Widths& widths,
             Order order = Order::kAny) {
  FillPlaces<Row>(e, bag, n, widths);
  AssumePairs(e, order, bag, [](const Row&, const Row&) { return B(true); });
}

// The same row with the numbers that an assignment gives. Out is Row over the concrete domain.
template <class Out, class Row>
Out ValueOf(const Assignment& model, const Row& row) {
  std::vector<uint64_t> numbers;
  Row::Each([&](const char*, const W& word) { numbers.push_back(model.Value(word)); }, row);
  Out out;
  size_t at = 0;
  Out::Each([&](const char*, uint64_t& number) { number = numbers[at++]; }, out);
  return out;
}

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_SYM_H_
