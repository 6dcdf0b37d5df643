// Bytes of a fuzzer as the input of both SMMUv3 walkers: registers, stream entries, context
// descriptors, a small pool of table pages and queries. Output addresses of table words are folded
// into the pool (unless the word says otherwise), so that random bytes reach every level.
#ifndef TWINWALK_FUZZ_WALK_IMAGE_H_
#define TWINWALK_FUZZ_WALK_IMAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "traces/walk.h"

namespace twinwalk::fuzz {

// The bytes that are left; zeroes when there are none.
struct ImageBytes {
  const uint8_t* at;
  size_t left;
  uint8_t Byte();
  uint64_t Word();
};
// An index into a table, mostly one of the first four; otherwise near an end or the middle.
uint32_t TableSlot(uint8_t byte);

class WalkImage : public WalkMemory {
 public:
  // Any bytes make an image.
  WalkImage(const uint8_t* data, size_t size);
  bool Read64(uint64_t address, uint64_t* value) override;

  const SmmuRegs& regs() const { return regs_; }
  const std::vector<WalkQuery>& queries() const { return queries_; }
  void ForgetReads() { read_.clear(); }
  // Registers and the words read since then, one a line, in the form of the sheet's vectors.
  std::string Text() const;

 private:
  using Bytes = ImageBytes;
  void MakeRegs(Bytes* in);
  void MakeStream(Bytes* in, uint32_t sid);
  void MakeContext(Bytes* in, const std::vector<uint64_t>& offsets, uint64_t address);
  void MakeQuery(Bytes* in);
  static uint64_t Fold(uint64_t word);
  static uint64_t Page(uint64_t bits);
  void Put(uint64_t address, uint64_t word) { words_[address] = word; }

  SmmuRegs regs_;
  std::map<uint64_t, uint64_t> words_;
  std::set<uint64_t> read_;
  std::vector<WalkQuery> queries_;
  uint64_t abort_page_ = 0;      // reads of this page abort
  bool outside_aborts_ = false;  // so do reads outside of the pool
};

using Walker = WalkAnswer (*)(const SmmuRegs&, WalkMemory&, const WalkQuery&);
// "" when both give the same answer to every query; otherwise what differs, and the image.
std::string CompareWalks(const uint8_t* data, size_t size, Walker model, Walker reference);
std::string AnswerText(const WalkAnswer& answer);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_WALK_IMAGE_H_
