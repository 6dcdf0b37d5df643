// Small deterministic random numbers (splitmix64): the same seed gives the same run everywhere.
#ifndef TWINWALK_FUZZ_RANDOM_H_
#define TWINWALK_FUZZ_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace twinwalk::fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  // 0 .. n-1; 0 when n is 0.
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // REQUIRES: not empty.
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  template <class T, size_t N>
  const T& Pick(const T (&from)[N]) {
    return from[Below(N)];
  }

 private:
  uint64_t state_;
};

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_RANDOM_H_
