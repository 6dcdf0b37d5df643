// How large the kernel's own struct of each ioctl is, and how much of it a caller must give at
// least (iommufd sheet 3, type1 sheet 6 to 11).
#ifndef TWINWALK_MODEL_STRUCT_SIZES_H_
#define TWINWALK_MODEL_STRUCT_SIZES_H_

#include <cstdint>

#include "traces/op.h"

namespace twinwalk::model {

struct StructSizes {
  uint32_t known = 0;  // 0: not an ioctl with a struct
  uint32_t least = 0;
};
StructSizes SizesOf(OpKind kind);

// Bytes of the user's struct behind the kernel's: they open Op::blob, before any buffer.
uint32_t BytesBehind(const OpData& op);

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_STRUCT_SIZES_H_
