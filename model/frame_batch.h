// Frames on their way into a page table, gathered into rows of neighbours so that a row becomes few
// large leaves. A batch holds few rows: when one too many begins, all but the last are put into the
// table, and that one is carried over, because it may still grow.
#ifndef TWINWALK_MODEL_FRAME_BATCH_H_
#define TWINWALK_MODEL_FRAME_BATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "model/host_memory.h"

namespace twinwalk::model {

class FrameBatch {
 public:
  static constexpr size_t kRows = 4;
  // `first`: input address of the first frame. `carry_counts`: a planted fault (M12).
  FrameBatch(uint64_t first, bool carry_counts) : at_(first), carryCounts_(carry_counts) {}

  // put(address, frame, count) for each row that leaves the batch.
  template <class Put>
  void Add(uint64_t frame, Put&& put) {
    if (used_ > 0 && rows_[used_ - 1].frame + rows_[used_ - 1].count == frame) {
      ++rows_[used_ - 1].count;
      return;
    }
    if (used_ == kRows) {
      const Row carried = rows_[kRows - 1];
      used_ = kRows - 1;
      Finish(put);
      if (carryCounts_) at_ += carried.count * kPageSize;
      rows_[used_++] = carried;
    }
    // The carried row fills one place of kRows, and kRows is more than one.
    rows_[used_++] = {frame, 1};
  }
  template <class Put>
  void Finish(Put&& put) {
    for (size_t i = 0; i < used_; ++i) {
      put(at_, rows_[i].frame, rows_[i].count);
      at_ += rows_[i].count * kPageSize;
    }
    used_ = 0;
  }

 private:
  struct Row {
    uint64_t frame, count;
  };
  std::array<Row, kRows> rows_;
  size_t used_ = 0;
  uint64_t at_;
  bool carryCounts_;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_FRAME_BATCH_H_
