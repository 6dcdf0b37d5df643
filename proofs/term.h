// Words and booleans that may be symbolic: a native constant, or a Z3 term with the Explorer that
// it belongs to. Constants fold at once, so code that touches no symbolic value runs as it would
// concretely. No Z3 header is needed to use them.
#ifndef TWINWALK_PROOFS_TERM_H_
#define TWINWALK_PROOFS_TERM_H_

#include <cstdint>

struct _Z3_ast;
struct _Z3_context;
struct _Z3_solver;
struct _Z3_model;

namespace twinwalk::proofs {

class Explorer;
using Term = _Z3_ast*;

class B {
 public:
  B(bool value = false) : value_(value) {}  // NOLINT: as implicit as bool
  B(Explorer* explorer, Term term) : term_(term), explorer_(explorer) {}
  // A case split: asks the Explorer which sides are feasible.
  explicit operator bool() const;
  bool is_constant() const { return term_ == nullptr; }
  bool constant() const { return value_; }  // REQUIRES: is_constant()
  Term term() const { return term_; }
  Explorer* explorer() const { return explorer_; }

 private:
  bool value_ = false;
  Term term_ = nullptr;
  Explorer* explorer_ = nullptr;
};

class W {
 public:
  W(uint64_t value = 0) : value_(value) {}  // NOLINT: as implicit as uint64_t
  W(Explorer* explorer, Term term) : term_(term), explorer_(explorer) {}
  explicit W(const B&) = delete;  // use Sel
  bool is_constant() const { return term_ == nullptr; }
  uint64_t constant() const { return value_; }  // REQUIRES: is_constant()
  Term term() const { return term_; }
  Explorer* explorer() const { return explorer_; }
  W& operator+=(const W& b);
  W& operator-=(const W& b);
  W& operator*=(const W& b);
  W& operator&=(const W& b);
  W& operator|=(const W& b);
  W& operator^=(const W& b);
  W& operator<<=(const W& b);
  W& operator>>=(const W& b);
  W& operator++();
  W operator++(int);
  W& operator--();

 private:
  uint64_t value_ = 0;
  Term term_ = nullptr;
  Explorer* explorer_ = nullptr;
};

W operator+(const W& a, const W& b);
W operator-(const W& a, const W& b);
W operator*(const W& a, const W& b);
W operator/(const W& a, const W& b);  // REQUIRES: b is not 0
W operator%(const W& a, const W& b);  // REQUIRES: b is not 0
W operator&(const W& a, const W& b);
W operator|(const W& a, const W& b);
W operator^(const W& a, const W& b);
W operator~(const W& a);
W operator-(const W& a);
W operator<<(const W& a, const W& b);  // REQUIRES: b < 64
W operator>>(const W& a, const W& b);  // REQUIRES: b < 64
B operator==(const W& a, const W& b);
B operator!=(const W& a, const W& b);
B operator<(const W& a, const W& b);
B operator<=(const W& a, const W& b);
B operator>(const W& a, const W& b);
B operator>=(const W& a, const W& b);

// No short circuit: operands are total and pure.
B operator!(const B& a);
B operator&&(const B& a, const B& b);
B operator||(const B& a, const B& b);
B operator==(const B& a, const B& b);
B operator!=(const B& a, const B& b);
inline B operator&&(bool a, const B& b) {
  return B(a) && b;
}
inline B operator&&(const B& a, bool b) {
  return a && B(b);
}
inline B operator||(bool a, const B& b) {
  return B(a) || b;
}
inline B operator||(const B& a, bool b) {
  return a || B(b);
}

W Select(const B& c, const W& a, const W& b);
B Select(const B& c, const B& a, const B& b);

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_TERM_H_
