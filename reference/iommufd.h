// All ioctl templates of the reference: one function each, (state, arguments) to result, in the
// order of checks of the iommufd sheet. A function takes `const State&` to read and, by reference
// to non-const, only the parts that it may write.
#ifndef TWINWALK_REFERENCE_IOMMUFD_H_
#define TWINWALK_REFERENCE_IOMMUFD_H_

#include "reference/destroy.h"
#include "reference/invalidate.h"
#include "reference/vfio.h"

#endif  // TWINWALK_REFERENCE_IOMMUFD_H_
