#include "model/objects.h"

#include <algorithm>

namespace twinwalk::model {

uint32_t Context::Claim() {
  if (slots.empty()) slots.resize(1);
  while (lowest_ < slots.size() && (slots[lowest_].object != nullptr || slots[lowest_].tombstone))
    ++lowest_;
  if (lowest_ == slots.size()) slots.emplace_back();
  return lowest_++;
}

void Context::Remove(uint32_t id, bool tombstone) {
  slots[id].object.reset();
  slots[id].tombstone = tombstone;
  if (!tombstone) lowest_ = std::min(lowest_, id);
}

}  // namespace twinwalk::model
