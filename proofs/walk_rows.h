// What the rows about pure functions share: a field that is equal, and a page of a table under a
// writer.
#ifndef TWINWALK_PROOFS_WALK_ROWS_H_
#define TWINWALK_PROOFS_WALK_ROWS_H_

#include <utility>
#include <vector>

#include "proofs/sym.h"

namespace twinwalk::proofs {

// Rows are told apart by what is equal; a canary says that they never are.
inline void Same(Explorer* e, const char* field, const B& when, const W& ours, const W& theirs) {
  e->Prove(field, field, !when || ours == theirs);
}
inline void Canary(Explorer* e, const W& ours, const W& theirs) {
  e->Prove("canary: differs", "", ours != theirs);
}

// One page of a table, written by the model's writer: what was there before is arbitrary.
class OneTable {
 public:
  // frames: the bits that the address of a fresh frame may have.
  explicit OneTable(Explorer* e, uint64_t frames = 0x0000fffffffff000)
      : explorer_(e), frames_(frames) {}
  W Read(const W& address) {
    W value = explorer_->Fresh("entry");
    read = address, old = value;
    return value;
  }
  void Write(const W& address, const W& value) { writes.emplace_back(address, value); }
  W NewTable() {
    if (explorer_->Fork(2) == 1) return 0;
    fresh = explorer_->Fresh("frame", frames_);
    explorer_->Assume(fresh != W(0));
    return fresh;
  }
  W read, old, fresh;
  std::vector<std::pair<W, W>> writes;

 private:
  Explorer* explorer_;
  uint64_t frames_;
};

}  // namespace twinwalk::proofs

#endif  // TWINWALK_PROOFS_WALK_ROWS_H_
