// What an Op gave back. Every field is compared exactly, unless `known` says that a recording does
// not tell it, or traces/freedoms.h declares it free.
#ifndef TWINWALK_TRACES_OUTCOME_H_
#define TWINWALK_TRACES_OUTCOME_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace twinwalk {

// Part of a DMA, inside one 4 KiB page of its IOVA: where it went, or how it ended.
struct Piece {
  uint64_t iova = 0;    // of the first byte
  uint32_t length = 0;  // bytes
  // 0: reached memory; else the event number (hw-smmuv3 sheet 5) or fault reason (hw-vtd sheet 6),
  // 0xff: aborted without a record (abort STE, blocked device, R = 0, interrupt range)
  uint8_t fault = 0;
  uint8_t rights = 0;    // kRead | kWrite of the translation used
  uint64_t backing = 0;  // which memory (ordinal of its creation, from 1)
  uint64_t offset = 0;   // bytes into it
  bool operator==(const Piece&) const = default;
};
enum Rights : uint8_t { kRead = 1, kWrite = 2 };
inline constexpr uint8_t kAbortedSilently = 0xff;

// A fault record as hardware wrote it (hw-smmuv3 sheet 5; hw-vtd sheet 6: {lo, hi, 0, 0}), and
// where software delivered it.
struct FaultRecord {
  uint64_t queue = 0;  // ObjectKey of the vEVENTQ; 0: the host's log; kDropped: reported to nobody
  uint32_t position = 0;            // vEVENTQ: sequence number; host log: ordinal in this World
  std::array<uint64_t, 4> words{};  // stream id as delivered (virtual in a vEVENTQ)
  bool operator==(const FaultRecord&) const = default;
};
inline constexpr uint64_t kDropped = ~uint64_t{0};

// Names an iommufd object in the whole World: ordinal of the context's open() from 1, and id.
inline constexpr uint64_t ObjectKey(uint64_t context, uint64_t id) {
  return context << 32 | id;
}

struct Outcome {
  // Bits of `known` in a recorded Outcome. A Machine's own Outcome knows everything.
  enum Known : uint16_t {
    kErr = 1,      // err
    kRet = 2,      // ret
    kId = 4,       // id
    kFd = 8,       // fd
    kValues = 16,  // values
    kOut = 32,     // out (bytes of the user's buffer that were written)
    kPieces = 64,  // pieces: reached memory or not, and where
    kData = 128,   // data (what a device read)
    kEvents = 256  // events delivered to vEVENTQs
  };
  uint16_t known = 0x1ff;
  uint16_t err = 0;  // errno, positive; 0 success
  uint32_t id = 0;   // object id created or, for attach, the HWPT used
  uint32_t fd = 0;   // file descriptor made
  int64_t ret = 0;   // return value of a successful call (bytes read, revents, mmap base)
  // ioas_map: iova. ioas_unmap: length. ioas_iova_ranges: num_iovas, out_iova_alignment.
  // get_hw_info: data_len, data_type, capabilities. hwpt_invalidate: entry_num.
  std::array<uint64_t, 3> values{};
  std::string out;                  // bytes written to the user's buffer
  std::string data;                 // bytes a device read (zeroes where it faulted)
  std::vector<Piece> pieces;        // of a DMA, ascending, one per 4 KiB page of IOVA
  std::vector<FaultRecord> events;  // records that this Op caused, in order
  bool operator==(const Outcome&) const = default;
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_OUTCOME_H_
