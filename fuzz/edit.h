// Edits of a list of Ops that keep handles right: what a handle named before, it names after, or it
// becomes the literal kDanglingHandle when that Op is gone or no longer earlier.
#ifndef TWINWALK_FUZZ_EDIT_H_
#define TWINWALK_FUZZ_EDIT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "traces/trace.h"

namespace twinwalk::fuzz {

// Which Op's result a handle names.
struct HandleUse {
  Handle* handle;
  HandleRole role;
  int index;  // bit in Op::results
};
// The handle fields of an Op, in visiting order.
std::vector<HandleUse> HandlesOf(OpData& op);

// VisitArgs with two functions: field(name, value&) and handle(name, value&, role, index).
template <class Data, class FieldF, class HandleF>
void VisitWith(Data& op, FieldF&& field, HandleF&& handle);

// Calls f(handle, index) for each handle of `op` that names a result; f may change it.
template <class F>
void EachResult(OpData& op, F&& f) {
  const uint8_t results = op.results;
  VisitWith(
      op, [](const char*, auto&) {},
      [&](const char*, Handle& handle, HandleRole, int index) {
        if ((results >> index & 1) != 0) f(handle, index);
      });
}

// Handles of `op` name Ops before `at`. REQUIRES: at <= ops->size().
void InsertOp(std::vector<Op>* ops, size_t at, Op op);
// REQUIRES: first + count <= ops->size().
void RemoveOps(std::vector<Op>* ops, size_t first, size_t count);
void SwapOps(std::vector<Op>* ops, size_t a, size_t b);
// `tail` was made for the positions from 0; its handles move by ops->size().
void AppendOps(std::vector<Op>* ops, const std::vector<Op>& tail);
// Makes every handle at or behind `from` that does not name an earlier Op dangle.
void DangleForward(std::vector<Op>* ops, size_t from = 0);

// The same Op with nothing in it but what VisitArgs shows: no stray bits in unused words.
OpData Canonical(const OpData& op);
// "" or what is wrong: handle bits beyond the fields, handles that name no earlier Op, stray bits.
std::string CheckOp(const OpData& op, size_t ordinal);

// ---- Inner parts
// ---------------------------------------------------------------------------------

template <class FieldF, class HandleF>
struct FunctionVisitor {
  FieldF& field;
  HandleF& handle;
  template <class T>
  void Field(const char* name, T& value) {
    field(name, value);
  }
  template <class H>
  void HandleField(const char* name, H& value, HandleRole role, int index) {
    handle(name, value, role, index);
  }
};

template <class Data, class FieldF, class HandleF>
void VisitWith(Data& op, FieldF&& field, HandleF&& handle) {
  VisitArgs(op, FunctionVisitor<FieldF, HandleF>{field, handle});
}

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_EDIT_H_
