// Words that a guest or its VMM writes: SMMUv3 descriptors, context descriptors, vSTEs, commands.
// Builds interesting input only; what the words mean is decided by the Machines. Section numbers
// are those of the hardware sheet.
#ifndef TWINWALK_FUZZ_GUEST_H_
#define TWINWALK_FUZZ_GUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/random.h"

namespace twinwalk::fuzz {

inline constexpr uint64_t kPageBytes = 4096;

// Little-endian.
void AppendWord(std::string* blob, uint64_t word);
uint64_t WordAt(const std::string& blob, size_t at);          // missing bytes are zero
void SetWordAt(std::string* blob, size_t at, uint64_t word);  // REQUIRES: at + 8 <= size

// Section 4.1.
inline constexpr uint64_t kValid = 1, kTableOrPage = 2;
inline constexpr uint64_t kLeafUser = 1 << 6, kLeafReadOnly = 1 << 7, kLeafUsed = 1 << 10;
inline constexpr uint64_t kLeafNotGlobal = 1 << 11;
inline constexpr uint64_t kOutputMask = 0x0000fffffffff000;
uint64_t TableWord(uint64_t next);
uint64_t PageWord(uint64_t output, bool not_global);

// A context descriptor that translates (section 3): A = 1, R as said, TTB1 off.
struct ContextPlan {
  uint64_t ttb = 0;
  uint16_t asid = 0;
  uint32_t input_bits = 48;
  bool record = true;
};
std::string ContextBytes(const ContextPlan& plan);  // 64 bytes

// Section 9. config 0 abort, 4 bypass, 5 stage 1.
std::string VsteBytes(uint64_t config, uint64_t context);  // 16 bytes

// One command of 16 bytes (section 7).
enum class Opcode : uint8_t {
  kCfgiCd = 0x05,
  kCfgiCdAll = 0x06,
  kNhAll = 0x10,
  kNhAsid = 0x11,
  kNhVa = 0x12,
  kNhVaa = 0x13,
  kNsnhAll = 0x30,
  kAtcInv = 0x40
};
std::string CommandBytes(Opcode opcode, uint64_t sid, uint64_t asid, uint64_t va, bool leaf);

// A number near the edges where mistakes live: 0, 1, page-1, page, 2^63, 2^64-page, 2^64-1, ...
uint64_t EdgeNumber(Random& random);
// One word of a table whose pages are among `pages` (IPAs; may be empty).
uint64_t RandomDescriptor(Random& random, const std::vector<uint64_t>& pages);
// Changes one word the way a page-table bug would: valid, type, AF, AP, nG, XN, address bits.
uint64_t TweakWord(Random& random, uint64_t word, const std::vector<uint64_t>& pages);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_GUEST_H_
