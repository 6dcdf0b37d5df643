// What is read out of the lines that the test client `vsmmucli` prints: writes to guest memory,
// what a device was made to do, where its bytes landed and what it read. Everything here is one
// client's text and its habits, not the kernel's word: nothing else may depend on it.
//
// The client's habits, as seen in its captures:
// - Data pages Dn at GPA 0x04100000 + n * 0x1000 hold the words 0xd0PPPPPP_0000IIII (page, index);
//   D60 holds 0xe5 bytes (the marker); the read-only page at GPA 0x06000000 calls itself D102.
// - The 4 MiB from GPA 0x04200000 on (BLK, and BLK2 at 0x04400000) hold words 0xb0000000_00000000
// plus
//   their distance from BLK. Only the first words of pages were ever printed; that the others
//   follow the rule is assumed, so what a device read there is compared by place, not by content.
// - The device (edu) reads into and writes from the start of a buffer of 4096 bytes. After a device
//   read the client has the buffer stored to D11, looks there, and loads the marker again.
// - What a device write changed is put back before the next line.
#ifndef TWINWALK_TRACES_IMPORT_VSMMUCLI_H_
#define TWINWALK_TRACES_IMPORT_VSMMUCLI_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "traces/import_builder.h"

namespace twinwalk {

inline constexpr size_t kMaxGuestPages = 1 << 16;  // whose contents are followed

// Pages of guest memory whose contents some printed line depends on. Give it every line before the
// import begins, so that fills are written for those pages only.
class VsmmucliPages {
 public:
  void Line(const std::string& text);
  const std::set<uint64_t>& pages() const { return pages_; }  // GPAs, page aligned

 private:
  void Touch(uint64_t gpa, uint64_t length);
  std::set<uint64_t> pages_;
  uint64_t read_length_ = 0;
};

class VsmmucliText {
 public:
  VsmmucliText(ImportBuilder* builder, std::set<uint64_t> pages)
      : b_(builder), pages_(std::move(pages)) {}

  // One printed line. Returns what is wrong with it, "" if nothing.
  std::string Line(const std::string& text);
  // An IOAS_MAP that succeeded: [iova, iova + length) of the guest's memory is at `place`.
  void Mapped(uint64_t pid, uint64_t iova, uint64_t length, const MapPlace& place);
  void Unmapped(uint64_t iova, uint64_t length);

  // The 64-bit word that the client fills in at `gpa` (a multiple of 8) before anything else.
  static uint64_t FillWord(uint64_t gpa);

 private:
  struct Area {
    uint64_t length;
    uint64_t pid;
    MapPlace place;
  };
  // Where guest memory is, nullopt when [gpa, gpa + length) is not in one area.
  std::optional<MapPlace> Place(uint64_t gpa, uint64_t length, uint64_t* pid) const;
  std::string Bytes(uint64_t gpa, uint64_t length);  // what the guest has there
  // Emits a write of `bytes` at gpa; false when there is no such memory.
  bool Write(uint64_t gpa, const std::string& bytes);

  std::string Poke(uint64_t gpa, uint64_t value);
  std::string Dma(const std::string& who, uint64_t iova, uint64_t length, bool write,
                  const std::string& what);
  std::string Landed(uint64_t first, uint64_t last, uint64_t word);
  std::string Read(const std::string& text);

  ImportBuilder* b_;
  std::set<uint64_t> pages_;
  std::map<uint64_t, Area> areas_;           // by GPA
  std::map<uint64_t, std::string> memory_;   // pages of the guest, as far as they matter
  std::array<char, 4096> buffer_{};          // of the device
  std::map<std::string, uint32_t> devices_;  // "edu0" -> index into World::devices
  std::optional<Handle> dma_;                // the last DMA printed
  std::optional<Handle> read_dma_;           // the device read whose result is being looked at
  std::optional<Handle> store_dma_;          // ... and the device write that stored it
  uint64_t last_mapped_ = 0;                 // GPA of the area mapped last
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_VSMMUCLI_H_
