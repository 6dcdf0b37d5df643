#include "fuzz/edit.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "traces/check.h"
#include "traces/resolve.h"

namespace twinwalk::fuzz {
namespace {

// Likewise for the fds in a payload (OpArgs::fdResults): one that dangles becomes a literal.
template <class F>
void RenumberFdWords(Op* op, F&& moved) {
  uint64_t* const mask = MutableFdResults(op);
  if (mask == nullptr || *mask == 0) return;
  uint64_t kept = 0;
  int word = 0;
  FillFdWords(*op, &op->blob, [&](Handle handle) {
    while ((*mask >> word & 1) == 0) ++word;
    const Handle to = moved(handle);
    if (to != kDanglingHandle) kept |= uint64_t{1} << word;
    ++word;
    return to;
  });
  *mask = kept;
}

// Sets every handle that names an Op to where `moved` says that it went (kDanglingHandle: gone).
template <class F>
void Renumber(std::vector<Op>* ops, size_t from, F&& moved) {
  for (size_t i = from; i < ops->size(); ++i) {
    Op& op = (*ops)[i];
    RenumberFdWords(&op, [&](Handle handle) {
      const Handle to = moved(handle);
      return to >= i ? kDanglingHandle : to;
    });
    if (op.results == 0) continue;
    EachResult(op, [&](Handle& handle, int index) {
      handle = moved(handle);
      if (handle >= i) {
        handle = kDanglingHandle;
        op.results &= static_cast<uint8_t>(~(1u << index));
      }
    });
  }
}

}  // namespace

std::vector<HandleUse> HandlesOf(OpData& op) {
  std::vector<HandleUse> uses;
  VisitWith(
      op, [](const char*, auto&) {},
      [&](const char*, Handle& h, HandleRole role, int index) {
        uses.push_back({&h, role, index});
      });
  return uses;
}

void InsertOp(std::vector<Op>* ops, size_t at, Op op) {
  CHECK(at <= ops->size());
  ops->insert(ops->begin() + static_cast<ptrdiff_t>(at), std::move(op));
  Renumber(ops, at + 1, [&](Handle h) { return h >= at ? h + 1 : h; });
  DangleForward(ops, at);
}

void RemoveOps(std::vector<Op>* ops, size_t first, size_t count) {
  CHECK(first + count <= ops->size());
  const auto begin = ops->begin() + static_cast<ptrdiff_t>(first);
  ops->erase(begin, begin + static_cast<ptrdiff_t>(count));
  const auto end = static_cast<Handle>(first + count);
  Renumber(ops, first, [&](Handle h) {
    if (h < first) return h;
    return h < end ? kDanglingHandle : static_cast<Handle>(h - count);
  });
}

void SwapOps(std::vector<Op>* ops, size_t a, size_t b) {
  CHECK(a < ops->size() && b < ops->size());
  std::swap((*ops)[a], (*ops)[b]);
  Renumber(ops, std::min(a, b), [&](Handle h) {
    return h == a ? static_cast<Handle>(b) : h == b ? static_cast<Handle>(a) : h;
  });
}

void AppendOps(std::vector<Op>* ops, const std::vector<Op>& tail) {
  const auto shift = static_cast<Handle>(ops->size());
  for (const Op& op : tail) {
    ops->push_back(op);
    EachResult(ops->back(), [&](Handle& handle, int) { handle += shift; });
    RenumberFdWords(&ops->back(), [&](Handle handle) { return handle + shift; });
  }
  DangleForward(ops, shift);
}

void DangleForward(std::vector<Op>* ops, size_t from) {
  Renumber(ops, from, [](Handle h) { return h; });
}

OpData Canonical(const OpData& op) {
  uint64_t values[16];
  size_t count = 0;
  VisitWith(
      op, [&](const char*, const auto& value) { values[count++] = value; },
      [&](const char*, const Handle& h, HandleRole, int) { values[count++] = h; });
  OpData result;
  static_cast<OpHead&>(result) = op;
  result.fd = kDanglingHandle;
  size_t at = 0;
  uint8_t bits = 0;
  const auto restore = [&](auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(values[at++]);
  };
  VisitWith(
      result, [&](const char*, auto& value) { restore(value); },
      [&](const char*, Handle& h, HandleRole, int index) {
        restore(h);
        bits |= static_cast<uint8_t>(1u << index);
      });
  result.results = op.results & bits;
  return result;
}

std::string CheckOp(const OpData& op, size_t ordinal) {
  if (static_cast<uint16_t>(op.kind) >= kOpKinds) return "no such kind of Op";
  const OpData canonical = Canonical(op);
  if (canonical.results != op.results) return "a result bit without a handle";
  if (std::memcmp(&canonical, &op, sizeof op) != 0) return "stray bits in unused words";
  std::string bad;
  EachResult(const_cast<OpData&>(op), [&](Handle& handle, int) {
    if (handle >= ordinal) bad = "a handle names an Op that is not earlier";
  });
  return bad;
}

}  // namespace twinwalk::fuzz
