// Bits of words over the domain, as the decoders of every architecture read them.
#ifndef TWINWALK_REFERENCE_BITS_H_
#define TWINWALK_REFERENCE_BITS_H_

#include <cstdint>

namespace twinwalk::reference {

// Bits last..first of a word.
template <class W>
W Bits(W word, int last, int first) {
  return (word >> W(uint64_t(first))) & W((uint64_t{2} << (last - first)) - 1);
}
constexpr uint64_t Mask(int last, int first) {
  return ((uint64_t{2} << (last - first)) - 1) << first;
}
template <class D>
typename D::W Flag(typename D::B b) {
  return D::Sel(b, typename D::W(1), typename D::W(0));
}
// Whether any bit at or above `bits` is set. REQUIRES: bits < 64.
template <class W>
auto Exceeds(W address, W bits) {
  return (address >> bits) != W(0);
}
template <class D>
typename D::W Min(typename D::W a, typename D::W b) {
  return D::Sel(a < b, a, b);
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_BITS_H_
