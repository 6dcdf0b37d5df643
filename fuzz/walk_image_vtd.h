// Bytes of a fuzzer as the input of both VT-d walkers: registers, root and context tables, PASID
// directories and entries, a small pool of second-stage pages, and queries. As walk_image.h, most
// words are folded so that random bytes reach every level; some stay as they are.
#ifndef TWINWALK_FUZZ_WALK_IMAGE_VTD_H_
#define TWINWALK_FUZZ_WALK_IMAGE_VTD_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "fuzz/walk_image.h"
#include "traces/walk_vtd.h"

namespace twinwalk::fuzz {

class VtdImage : public WalkMemory {
 public:
  // Any bytes make an image.
  VtdImage(const uint8_t* data, size_t size);
  bool Read64(uint64_t address, uint64_t* value) override;

  const VtdRegs& regs() const { return regs_; }
  const std::vector<VtdQuery>& queries() const { return queries_; }
  void ForgetReads() { read_.clear(); }
  // Registers and the words read since then, one a line.
  std::string Text() const;

 private:
  void MakeRegs(ImageBytes* in);
  void MakeFunction(ImageBytes* in, uint32_t n);
  void MakeLegacy(ImageBytes* in, uint32_t sid, uint64_t context);
  void MakeScalable(ImageBytes* in, uint32_t n, uint64_t context);
  void MakePasid(ImageBytes* in, uint64_t address);
  void MakeQuery(ImageBytes* in);
  // One bit of a word other than it should be, rarely.
  static uint64_t Spoil(ImageBytes* in, uint64_t word);
  void Put(uint64_t address, uint64_t word) { words_[address] = word; }

  VtdRegs regs_;
  bool scalable_ = false;
  std::map<uint64_t, uint64_t> words_;
  std::set<uint64_t> read_;
  std::vector<VtdQuery> queries_;
  uint64_t abort_page_ = 0;      // reads of this page abort
  bool outside_aborts_ = false;  // so do reads beyond the pool
};

using VtdWalker = VtdAnswer (*)(const VtdRegs&, WalkMemory&, const VtdQuery&);
// "" when both give the same answer to every query; otherwise what differs, and the image.
std::string CompareVtdWalks(const uint8_t* data, size_t size, VtdWalker model, VtdWalker reference);
std::string AnswerText(const VtdAnswer& answer);

}  // namespace twinwalk::fuzz

#endif  // TWINWALK_FUZZ_WALK_IMAGE_VTD_H_
