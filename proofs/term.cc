#include "proofs/term.h"

#include <z3.h>

#include <utility>

#include "proofs/explorer.h"
#include "traces/check.h"

namespace twinwalk::proofs {
namespace {

Explorer* Of(const W& a, const W& b) {
  CHECK(a.explorer() == nullptr || b.explorer() == nullptr || a.explorer() == b.explorer());
  return a.explorer() != nullptr ? a.explorer() : b.explorer();
}
Explorer* Of(const B& a, const B& b) {
  return a.explorer() != nullptr ? a.explorer() : b.explorer();
}
Term TermOf(Explorer* e, const W& w) {
  return w.is_constant() ? e->Number(w.constant()) : w.term();
}
bool Both(const W& a, const W& b) {
  return a.is_constant() && b.is_constant();
}
bool Is(const W& a, uint64_t value) {
  return a.is_constant() && a.constant() == value;
}
bool SameTerm(const W& a, const W& b) {
  return !a.is_constant() && a.term() == b.term();
}

using MakeBinary = Term (*)(Z3_context, Term, Term);
W Make(MakeBinary make, const W& a, const W& b) {
  Explorer* e = Of(a, b);
  return W(e, make(e->context(), TermOf(e, a), TermOf(e, b)));
}
B MakeB(MakeBinary make, const W& a, const W& b) {
  Explorer* e = Of(a, b);
  return B(e, make(e->context(), TermOf(e, a), TermOf(e, b)));
}
// The other summand when `sum` is `part` + something; no explorer when it is not.
W Rest(const W& sum, const W& part) {
  if (sum.is_constant() || part.is_constant()) return 0;
  Explorer* e = sum.explorer();
  Z3_app app = Z3_to_app(e->context(), sum.term());
  if (Z3_get_decl_kind(e->context(), Z3_get_app_decl(e->context(), app)) != Z3_OP_BADD) return 0;
  if (Z3_get_app_num_args(e->context(), app) != 2) return 0;
  for (unsigned i = 0; i < 2; ++i) {
    if (Z3_get_app_arg(e->context(), app, i) != part.term()) continue;
    const W rest(e, Z3_get_app_arg(e->context(), app, 1 - i));
    uint64_t number = 0;  // back to a constant, so that it folds
    if (Z3_get_ast_kind(e->context(), rest.term()) == Z3_NUMERAL_AST &&
        Z3_get_numeral_uint64(e->context(), rest.term(), &number))
      return W(number);
    return rest;
  }
  return 0;
}
// The first of two summands; none when `sum` is no sum.
W FirstSummand(const W& sum) {
  if (sum.is_constant()) return 0;
  Explorer* e = sum.explorer();
  Z3_app app = Z3_to_app(e->context(), sum.term());
  if (Z3_get_decl_kind(e->context(), Z3_get_app_decl(e->context(), app)) != Z3_OP_BADD) return 0;
  return W(e, Z3_get_app_arg(e->context(), app, 0));
}
bool IsZero(const W& w) {
  return w.is_constant() && w.constant() == 0;
}
bool PowerOfTwo(const W& a) {
  return a.is_constant() && a.constant() != 0 && (a.constant() & (a.constant() - 1)) == 0;
}

}  // namespace

B::operator bool() const {
  return term_ == nullptr ? value_ : explorer_->Decide(*this);
}

W operator+(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() + b.constant();
  if (Is(a, 0)) return b;
  if (Is(b, 0)) return a;
  return Make(Z3_mk_bvadd, a, b);
}
W operator-(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() - b.constant();
  if (Is(b, 0)) return a;
  if (SameTerm(a, b)) return 0;
  return Make(Z3_mk_bvsub, a, b);
}
W operator*(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() * b.constant();
  if (Is(a, 0) || Is(b, 0)) return 0;
  if (Is(a, 1)) return b;
  if (Is(b, 1)) return a;
  return Make(Z3_mk_bvmul, a, b);
}
W operator/(const W& a, const W& b) {
  CHECK(!Is(b, 0));
  if (Both(a, b)) return a.constant() / b.constant();
  if (PowerOfTwo(b)) return a >> W(static_cast<uint64_t>(__builtin_ctzll(b.constant())));
  return Make(Z3_mk_bvudiv, a, b);
}
W operator%(const W& a, const W& b) {
  CHECK(!Is(b, 0));
  if (Both(a, b)) return a.constant() % b.constant();
  if (PowerOfTwo(b)) return a & W(b.constant() - 1);
  return Make(Z3_mk_bvurem, a, b);
}
W operator&(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() & b.constant();
  if (Is(a, 0) || Is(b, 0)) return 0;
  if (Is(a, ~uint64_t{0}) || SameTerm(a, b)) return b;
  if (Is(b, ~uint64_t{0})) return a;
  return Make(Z3_mk_bvand, a, b);
}
W operator|(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() | b.constant();
  if (Is(a, 0) || SameTerm(a, b)) return b;
  if (Is(b, 0)) return a;
  return Make(Z3_mk_bvor, a, b);
}
W operator^(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() ^ b.constant();
  if (Is(a, 0)) return b;
  if (Is(b, 0)) return a;
  if (SameTerm(a, b)) return 0;
  return Make(Z3_mk_bvxor, a, b);
}
W operator~(const W& a) {
  if (a.is_constant()) return ~a.constant();
  return W(a.explorer(), Z3_mk_bvnot(a.explorer()->context(), a.term()));
}
W operator-(const W& a) {
  return W(0) - a;
}
W operator<<(const W& a, const W& b) {
  CHECK(!b.is_constant() || b.constant() < 64);
  if (Both(a, b)) return a.constant() << b.constant();
  if (Is(b, 0) || Is(a, 0)) return a;
  return Make(Z3_mk_bvshl, a, b);
}
W operator>>(const W& a, const W& b) {
  CHECK(!b.is_constant() || b.constant() < 64);
  if (Both(a, b)) return a.constant() >> b.constant();
  if (Is(b, 0) || Is(a, 0)) return a;
  return Make(Z3_mk_bvlshr, a, b);
}
W& W::operator+=(const W& b) {
  return *this = *this + b;
}
W& W::operator-=(const W& b) {
  return *this = *this - b;
}
W& W::operator*=(const W& b) {
  return *this = *this * b;
}
W& W::operator&=(const W& b) {
  return *this = *this & b;
}
W& W::operator|=(const W& b) {
  return *this = *this | b;
}
W& W::operator^=(const W& b) {
  return *this = *this ^ b;
}
W& W::operator<<=(const W& b) {
  return *this = *this << b;
}
W& W::operator>>=(const W& b) {
  return *this = *this >> b;
}
W& W::operator++() {
  return *this = *this + 1;
}
W& W::operator--() {
  return *this = *this - 1;
}
W W::operator++(int) {
  const W before = *this;
  *this = *this + 1;
  return before;
}

B operator==(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() == b.constant();
  if (SameTerm(a, b)) return true;
  // x + y == x + z and x + y == x, as sums that only one summand was added to.
  for (const auto& [sum, other] : {std::pair(a, b), std::pair(b, a)}) {
    const W rest = Rest(sum, other);
    if (!IsZero(rest)) return rest == W(0);
  }
  const W first = FirstSummand(a);
  if (!IsZero(first)) {
    const W rest_a = Rest(a, first), rest_b = Rest(b, first);
    if (!IsZero(rest_a) && !IsZero(rest_b)) return rest_a == rest_b;
  }
  return MakeB(Z3_mk_eq, a, b);
}
B operator!=(const W& a, const W& b) {
  return !(a == b);
}
B operator<(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() < b.constant();
  if (SameTerm(a, b) || Is(b, 0) || Is(a, ~uint64_t{0})) return false;
  return MakeB(Z3_mk_bvult, a, b);
}
B operator<=(const W& a, const W& b) {
  return !(b < a);
}
B operator>(const W& a, const W& b) {
  return b < a;
}
B operator>=(const W& a, const W& b) {
  return !(a < b);
}

B operator!(const B& a) {
  if (a.is_constant()) return !a.constant();
  Z3_context z3 = a.explorer()->context();
  if (Z3_get_ast_kind(z3, a.term()) == Z3_APP_AST) {
    Z3_app app = Z3_to_app(z3, a.term());
    if (Z3_get_decl_kind(z3, Z3_get_app_decl(z3, app)) == Z3_OP_NOT)
      return B(a.explorer(), Z3_get_app_arg(z3, app, 0));
  }
  return B(a.explorer(), Z3_mk_not(z3, a.term()));
}
B operator&&(const B& a, const B& b) {
  if (a.is_constant()) return a.constant() ? b : a;
  if (b.is_constant()) return b.constant() ? a : b;
  if (a.term() == b.term()) return a;
  Z3_ast both[] = {a.term(), b.term()};
  return B(a.explorer(), Z3_mk_and(a.explorer()->context(), 2, both));
}
B operator||(const B& a, const B& b) {
  if (a.is_constant()) return a.constant() ? a : b;
  if (b.is_constant()) return b.constant() ? b : a;
  if (a.term() == b.term()) return a;
  Z3_ast both[] = {a.term(), b.term()};
  return B(a.explorer(), Z3_mk_or(a.explorer()->context(), 2, both));
}
B operator==(const B& a, const B& b) {
  if (a.is_constant()) return a.constant() ? b : !b;
  if (b.is_constant()) return b.constant() ? a : !a;
  if (a.term() == b.term()) return true;
  return B(a.explorer(), Z3_mk_eq(a.explorer()->context(), a.term(), b.term()));
}
B operator!=(const B& a, const B& b) {
  return !(a == b);
}

W Select(const B& c, const W& a, const W& b) {
  if (c.is_constant()) return c.constant() ? a : b;
  if (Both(a, b) ? a.constant() == b.constant() : SameTerm(a, b)) return a;
  // What a counter becomes when something is added to it: the same counter, plus that or nothing.
  if (const W more = Rest(a, b); !IsZero(more)) return b + Select(c, more, 0);
  if (const W more = Rest(b, a); !IsZero(more)) return a + Select(c, 0, more);
  Explorer* e = c.explorer();
  return W(e, Z3_mk_ite(e->context(), c.term(), TermOf(e, a), TermOf(e, b)));
}
B Select(const B& c, const B& a, const B& b) {
  if (c.is_constant()) return c.constant() ? a : b;
  if (a.is_constant()) return a.constant() ? c || b : !c && b;
  if (b.is_constant()) return b.constant() ? !c || a : c && a;
  if (a.term() == b.term()) return a;
  Explorer* e = Of(a, b);
  return B(e, Z3_mk_ite(e->context(), c.term(), a.term(), b.term()));
}

}  // namespace twinwalk::proofs
