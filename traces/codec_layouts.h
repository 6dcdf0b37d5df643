// Where the fields of each user struct stand in an Op: tables only, the code that reads them is in
// codec.cc. Offsets are those of the uapi headers (iommufd sheet 3.1, 19; vfio-type1 sheet 5..11).
#ifndef TWINWALK_TRACES_CODEC_LAYOUTS_H_
#define TWINWALK_TRACES_CODEC_LAYOUTS_H_

#include <cstddef>
#include <cstdint>

#include "traces/codec.h"

namespace twinwalk {

// One field, copied byte for byte.
struct FieldAt {
  uint8_t user;   // offset in the user's struct
  uint8_t width;  // bytes
  uint8_t op;     // offset in OpData
};

// What the third argument of the ioctl is.
enum class Shape : uint8_t {
  kStruct,  // a struct whose first word is its size
  kWord,    // a struct of four bytes without a size word
  kNumber,  // the number itself, in the only field
  kText,    // a string; its address in the only field, its bytes in blob
};

struct Layout {
  OpKind kind;
  uint32_t command;
  Frontend file;
  Shape shape;
  const FieldAt* fields;
  size_t field_count;
  // The one buffer that the struct points to. Offset 0 in OpData is no field's: there is none.
  const char* buffer = "";
  uint8_t pointer = 0;   // offset in OpData of its address
  uint8_t writable = 0;  // likewise of bufWritable
};

// Null when there is none.
const Layout* LayoutOf(uint32_t command, Frontend file);
const Layout* LayoutOf(OpKind kind);

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_CODEC_LAYOUTS_H_
