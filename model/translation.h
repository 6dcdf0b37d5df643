// How a device's request ended at an IOMMU of the model, and what it left behind.
#ifndef TWINWALK_MODEL_TRANSLATION_H_
#define TWINWALK_MODEL_TRANSLATION_H_

#include <array>
#include <vector>

#include "model/stages_smmuv3.h"
#include "traces/view.h"

namespace twinwalk::model {

// Guest structures that a translation fetched through stage 2.
struct Fetch {
  FetchKind kind;
  uint64_t ipa = 0, pa = 0;
  uint8_t rights = 0;
};

struct Translation {
  uint8_t event = 0;  // 0, kAbortedSilently, or the event number; VT-d: the fault reason
  std::array<uint64_t, 4> record{};
  bool stage2Fault = false;
  uint64_t pa = 0;
  uint64_t input = 0;        // what the host-owned stage was asked: IOVA, or IPA
  uint8_t rights = 0;        // unprivileged
  uint8_t accessRights = 0;  // for the privilege of this request
};

// An entry that was added to a cache; address: physical, of the first byte of a leaf.
struct Filled {
  RetainedRow<Concrete> row;
  uint64_t address = 0;
};

// What a translation leaves behind. Null pointers and flags: nothing (Peek).
struct TranslationLog {
  std::vector<Fetch> fetches;
  std::vector<Filled> filled;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_TRANSLATION_H_
