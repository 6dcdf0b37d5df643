// Hardware level: one memory image, registers and queries to both walkers of an architecture; their
// answers must be equal, fault records, tags and sizes included. The first byte chooses: even
// SMMUv3, odd VT-d; the others make the image. A difference aborts.
#include <cstdio>
#include <cstdlib>

#include "fuzz/walk_image.h"
#include "fuzz/walk_image_vtd.h"
#include "model/walk_smmuv3.h"
#include "model/walk_vtd.h"
#include "reference/walk_smmuv3.h"
#include "reference/walk_vtd.h"

namespace twinwalk::fuzz {
namespace {

std::string Compare(const uint8_t* data, size_t size) {
  if (size == 0) return "";
  const bool vtd = (data[0] & 1) != 0;
  ++data, --size;
  if (vtd) return CompareVtdWalks(data, size, model::WalkVtd, reference::WalkVtd);
  return CompareWalks(data, size, model::WalkSmmuv3, reference::WalkSmmuv3);
}

}  // namespace
}  // namespace twinwalk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string difference = twinwalk::fuzz::Compare(data, size);
  if (difference.empty()) return 0;
  std::fputs(difference.c_str(), stderr);
  std::abort();
}
