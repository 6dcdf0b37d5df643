#include "proofs/term.h"

#include <z3.h>

#include "proofs/explorer.h"
#include "traces/check.h"

namespace twinwalk::proofs {
namespace {

Explorer* Of(const W& a, const W& b) {
  CHECK(a.explorer() == nullptr || b.explorer() == nullptr || a.explorer() == b.explorer());
  return a.explorer() != nullptr ? a.explorer() : b.explorer();
}
Explorer* Of(const B& a, const B& b) { return a.explorer() != nullptr ? a.explorer() : b.explorer(); }
Term TermOf(Explorer* e, const W& w) { return w.is_constant() ? e->Number(w.constant()) : w.term(); }
bool Both(const W& a, const W& b) { return a.is_constant() && b.is_constant(); }
bool Is(const W& a, uint64_t value) { return a.is_constant() && a.constant() == value; }
bool SameTerm(const W& a, const W& b) { return !a.is_constant() && a.term() == b.term(); }

using MakeBinary = Term (*)(Z3_context, Term, Term);
W Make(MakeBinary make, const W& a, const W& b) {
  Explorer* e = Of(a, b);
  return W(e, make(e->context(), TermOf(e, a), TermOf(e, b)));
}
B MakeB(MakeBinary make, const W& a, const W& b) {
  Explorer* e = Of(a, b);
  return B(e, make(e->context(), TermOf(e, a), TermOf(e, b)));
}
bool PowerOfTwo(const W& a) {
  return a.is_constant() && a.constant() != 0 && (a.constant() & (a.constant() - 1)) == 0;
}

}  // namespace

B::operator bool() const { return term_ == nullptr ? value_ : explorer_->Decide(*this); }

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
W operator-(const W& a) { return W(0) - a; }
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
W& W::operator+=(const W& b) { return *this = *this + b; }
W& W::operator-=(const W& b) { return *this = *this - b; }
W& W::operator*=(const W& b) { return *this = *this * b; }
W& W::operator&=(const W& b) { return *this = *this & b; }
W& W::operator|=(const W& b) { return *this = *this | b; }
W& W::operator^=(const W& b) { return *this = *this ^ b; }
W& W::operator<<=(const W& b) { return *this = *this << b; }
W& W::operator>>=(const W& b) { return *this = *this >> b; }
W& W::operator++() { return *this = *this + 1; }
W& W::operator--() { return *this = *this - 1; }
W W::operator++(int) {
  const W before = *this;
  *this = *this + 1;
  return before;
}

B operator==(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() == b.constant();
  if (SameTerm(a, b)) return true;
  return MakeB(Z3_mk_eq, a, b);
}
B operator!=(const W& a, const W& b) { return !(a == b); }
B operator<(const W& a, const W& b) {
  if (Both(a, b)) return a.constant() < b.constant();
  if (SameTerm(a, b) || Is(b, 0) || Is(a, ~uint64_t{0})) return false;
  return MakeB(Z3_mk_bvult, a, b);
}
B operator<=(const W& a, const W& b) { return !(b < a); }
B operator>(const W& a, const W& b) { return b < a; }
B operator>=(const W& a, const W& b) { return !(a < b); }

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
B operator!=(const B& a, const B& b) { return !(a == b); }

W Select(const B& c, const W& a, const W& b) {
  if (c.is_constant()) return c.constant() ? a : b;
  if (Both(a, b) ? a.constant() == b.constant() : SameTerm(a, b)) return a;
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
