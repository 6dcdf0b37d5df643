#include "fuzz/guest.h"

#include <algorithm>
#include <cstring>

#include "traces/check.h"

namespace twinwalk::fuzz {

void AppendWord(std::string* blob, uint64_t word) {
  char bytes[8];
  std::memcpy(bytes, &word, 8);
  blob->append(bytes, 8);
}

uint64_t WordAt(const std::string& blob, size_t at) {
  uint64_t word = 0;
  if (at < blob.size()) std::memcpy(&word, blob.data() + at, std::min<size_t>(8, blob.size() - at));
  return word;
}

void SetWordAt(std::string* blob, size_t at, uint64_t word) {
  CHECK(at + 8 <= blob->size());
  std::memcpy(blob->data() + at, &word, 8);
}

uint64_t TableWord(uint64_t next) {
  return (next & kOutputMask) | kTableOrPage | kValid;
}

uint64_t PageWord(uint64_t output, bool not_global) {
  return (output & kOutputMask) | kLeafUsed | kLeafUser | kTableOrPage | kValid |
         (not_global ? kLeafNotGlobal : 0);
}

std::string ContextBytes(const ContextPlan& plan) {
  constexpr uint64_t kOutput48 = uint64_t{5} << 32;  // IPS; the smaller of it and OAS counts
  constexpr uint64_t kEpd1 = 1 << 30, kV = uint64_t{1} << 31, kAa64 = uint64_t{1} << 41;
  constexpr uint64_t kR = uint64_t{1} << 45, kA = uint64_t{1} << 46;
  std::string bytes;
  AppendWord(&bytes, (64 - plan.input_bits) | kEpd1 | kV | kOutput48 | kAa64 | kA |
                         (plan.record ? kR : 0) | uint64_t{plan.asid} << 48);
  AppendWord(&bytes, plan.ttb & kOutputMask);
  bytes.resize(64);
  return bytes;
}

std::string VsteBytes(uint64_t config, uint64_t context) {
  std::string bytes;
  AppendWord(&bytes, 1 | config << 1 | (context & 0x000fffffffffffc0));
  AppendWord(&bytes, 0);
  return bytes;
}

std::string CommandBytes(Opcode opcode, uint64_t sid, uint64_t asid, uint64_t va, bool leaf) {
  uint64_t word0 = static_cast<uint64_t>(opcode), word1 = 0;
  switch (opcode) {
    case Opcode::kCfgiCd:
      word0 |= sid << 32, word1 = leaf ? 1 : 0;
      break;
    case Opcode::kCfgiCdAll:
      word0 |= sid << 32;
      break;
    case Opcode::kNhAll:
    case Opcode::kNsnhAll:
      break;
    case Opcode::kNhAsid:
      word0 |= asid << 48;
      break;
    case Opcode::kNhVa:
    case Opcode::kNhVaa:
      word0 |= asid << 48, word1 = (va & ~uint64_t{4095}) | (leaf ? 1 : 0);
      break;
    case Opcode::kAtcInv:
      word0 |= sid << 32, word1 = va & ~uint64_t{4095};
      break;
  }
  std::string bytes;
  AppendWord(&bytes, word0);
  AppendWord(&bytes, word1);
  return bytes;
}

uint64_t EdgeNumber(Random& random) {
  static constexpr uint64_t kEdges[] = {0,
                                        1,
                                        2,
                                        3,
                                        4,
                                        7,
                                        8,
                                        16,
                                        63,
                                        64,
                                        0xfff,
                                        0x1000,
                                        0x1001,
                                        0x2000,
                                        0xffff,
                                        0x10000,
                                        0x1fffff,
                                        0x200000,
                                        0x08000000,
                                        0x080ff000,
                                        0x08100000,
                                        0x3fffffff,
                                        0x40000000,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x100000000,
                                        0x7ffffff000,
                                        0x8000000000,
                                        0xffffffff000,
                                        0x100000000000,
                                        0xfffffffff000,
                                        0x1000000000000,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        0xfffffffffffff000,
                                        0xffffffffffffffff};
  const uint64_t edge = random.Pick(kEdges);
  switch (random.Below(6)) {
    case 0:
      return edge - 1;
    case 1:
      return edge + 1;
    case 2:
      return uint64_t{1} << random.Below(64);
    default:
      return edge;
  }
}

uint64_t RandomDescriptor(Random& random, const std::vector<uint64_t>& pages) {
  const uint64_t page = pages.empty() || random.OneIn(16) ? EdgeNumber(random) : random.Pick(pages);
  switch (random.Below(12)) {
    case 0:
      return 0;
    case 1:
      return ~uint64_t{0};
    case 2:
      return TableWord(page) | uint64_t{1} << (59 + random.Below(5));  // hierarchical limits
    case 3:
    case 4:
      return TableWord(page);
    case 5:
      return (PageWord(page, true) & ~kTableOrPage);  // a block, where blocks are
    case 6:
      return PageWord(page, true) | kLeafReadOnly;
    case 7:
      return TweakWord(random, PageWord(page, false), pages);
    default:
      return PageWord(page, !random.OneIn(4));
  }
}

uint64_t TweakWord(Random& random, uint64_t word, const std::vector<uint64_t>& pages) {
  static constexpr uint64_t kBits[] = {
      kValid,         kTableOrPage,      kLeafUser,         kLeafReadOnly,     kLeafUsed,
      kLeafNotGlobal, uint64_t{1} << 53, uint64_t{1} << 54, uint64_t{1} << 61, uint64_t{1} << 62};
  switch (random.Below(7)) {
    case 0:
      return word ^ uint64_t { 1 } << random.Below(64);
    case 1:
      return 0;
    case 2:
      return pages.empty() ? ~word : (word & ~kOutputMask) | (random.Pick(pages) & kOutputMask);
    case 3:
      return word + (random.OneIn(2) ? kPageBytes : -kPageBytes);
    case 4:
      return EdgeNumber(random);
    default:
      return word ^ random.Pick(kBits);
  }
}

}  // namespace twinwalk::fuzz
