// What is read out of the lines that the test client `educli` prints about its device (QEMU's edu),
// and of the kernel's fault lines about it. Everything here is one client's text and its habits,
// not the kernel's word: nothing else may depend on it.
//
//   edu in bounds: dma iova 0x1000000 len 4095 dir 0 done after 5 polls irqstatus 0x0
//   edu in bounds: data equal
//   DMAR: [DMA Write NO_PASID] Request device [0000:00:10.0] fault addr 0x3000000 [fault reason
//   0x05]
//     first byte 0xaa
//
// dir 0: the device reads memory into its buffer; dir 1: it writes memory from there. The lines
// tell that a DMA was started, not how it ended (edu has no error status). What is known of its
// end:
// - "data equal": a read and the write after it, of the same length, both reached their memory, and
//   what the write left is what the read had found.
// - A fault line of the kernel's log: the piece around that address faulted, for that reason. A
// line
//   that is missing tells nothing: the kernel limits their rate, the emulator compresses them.
// - "first byte 0xaa": the memory is as the client had filled it; the write before left nothing.
// A piece of which neither is told is kPieceUnknown.
//
// Memory: what the client keeps there was not printed. Before a device read, the trace fills the
// memory read with a pattern of ours, so that Machines that read elsewhere cannot agree by
// accident.
#ifndef TWINWALK_TRACES_IMPORT_EDUCLI_H_
#define TWINWALK_TRACES_IMPORT_EDUCLI_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "traces/capture_lines.h"
#include "traces/import_builder.h"

namespace twinwalk {

class EducliText {
 public:
  static bool IsClient(const CaptureRecord& header);
  EducliText(ImportBuilder* builder, const CaptureRecord& header);

  // One printed line. Returns what is wrong with it, "" if nothing.
  std::string Line(const std::string& text);
  // One line of the kernel's log.
  void KernelLog(const std::string& text);
  // A mapping that succeeded: [iova, iova + length) is the memory at `place`. The last one counts,
  // in whatever address space: the client's lines do not name one.
  void Mapped(uint64_t pid, uint64_t iova, uint64_t length, const MapPlace& place);
  void Copied(uint64_t from, uint64_t to, uint64_t length);

 private:
  struct Area {
    uint64_t length;
    uint64_t pid;
    MapPlace place;
  };
  // Where [iova, iova + length) is; nullopt when it is not in one mapping.
  std::optional<Area> Place(uint64_t iova, uint64_t length) const;
  std::string Dma(uint64_t iova, uint64_t length, bool write);
  void Fill(uint64_t iova, const std::string& bytes);
  // All of a DMA reached memory; false when nobody knows where that is.
  bool Reached(Op* op);

  ImportBuilder* b_;
  std::string address_;                 // of the device
  std::map<uint64_t, Area> areas_;      // by iova
  std::array<char, 4096> buffer_{};     // of the device
  std::optional<Handle> dma_, before_;  // the last two DMAs printed
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_EDUCLI_H_
