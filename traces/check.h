// CHECK: we are wrong. Aborts with the place and the values. (A Machine that is wrong is a
// Divergence, bad input is a value: never this.)
#ifndef TWINWALK_TRACES_CHECK_H_
#define TWINWALK_TRACES_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define CHECK(condition, ...)                                                           \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      std::fprintf(stderr, "%s:%d: CHECK failed: %s ", __FILE__, __LINE__, #condition); \
      __VA_OPT__(std::fprintf(stderr, __VA_ARGS__);)                                    \
      std::fputc('\n', stderr);                                                         \
      std::abort();                                                                     \
    }                                                                                   \
  } while (false)

#endif  // TWINWALK_TRACES_CHECK_H_
