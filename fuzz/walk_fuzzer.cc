// Hardware level: one memory image, registers and queries to both SMMUv3 walkers; their answers
// must be equal, event records, tags and sizes included. A difference aborts.
#include <cstdio>
#include <cstdlib>

#include "fuzz/walk_image.h"
#include "model/walk_smmuv3.h"
#include "reference/walk_smmuv3.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string difference = twinwalk::fuzz::CompareWalks(
      data, size, twinwalk::model::WalkSmmuv3, twinwalk::reference::WalkSmmuv3);
  if (difference.empty()) return 0;
  std::fputs(difference.c_str(), stderr);
  std::abort();
}
