// Small words for decoders: fields of a word, flags, the smaller of two. Over a domain, without a
// case split.
#ifndef TWINWALK_MODEL_BITS_H_
#define TWINWALK_MODEL_BITS_H_

#include <cstdint>

namespace twinwalk::model {

// Bits high..low of w, moved down. REQUIRES: fewer than 64 bits.
template <class W>
W Bits(W w, int high, int low) {
  return (w >> W(low)) & W((uint64_t{1} << (high - low + 1)) - 1);
}
template <class D>
typename D::B Bit(typename D::W w, int n) {
  using W = typename D::W;
  return Bits<W>(w, n, n) != W(0);
}
template <class D>
typename D::W Flag(typename D::B b) {
  using W = typename D::W;
  return D::Sel(b, W(1), W(0));
}

template <class D>
typename D::W Least(typename D::W a, typename D::W b) {
  return D::Sel(a < b, a, b);
}

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_BITS_H_
