// What can be said of an IOAS only by listing: its holes (iommufd 5.2, 6.2). Concrete.
#ifndef TWINWALK_REFERENCE_HOLES_H_
#define TWINWALK_REFERENCE_HOLES_H_

#include <utility>
#include <vector>

#include "reference/env.h"

namespace twinwalk::reference {

// {first, last}, inclusive, ascending.
using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

// What is not reserved in `ioas`. Areas play no part.
Ranges IovaHoles(const Env<Concrete>& env, const View<Concrete>& v, uint64_t ioas);

// 5.2: where automatic placement puts `length` bytes of user address `va`; 0: nowhere.
uint64_t PlaceIova(const Env<Concrete>& env, const State<Concrete>& s, uint64_t ioas, uint64_t va,
                   uint64_t length, uint64_t alignment);

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_HOLES_H_
