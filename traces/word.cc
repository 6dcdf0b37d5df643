#include "traces/word.h"

#include <cstdio>
#include <cstdlib>

namespace twinwalk {

void Concrete::Broken(const char* what) {
  std::fprintf(stderr, "CHECK failed: required in the concrete domain: %s\n", what);
  std::abort();
}

}  // namespace twinwalk
