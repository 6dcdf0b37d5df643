// Which Op returned a number that a recording shows: file descriptors of a process, object ids of
// an iommufd context, addresses of a process. The last that returned it counts, also after it was
// closed or destroyed (stale numbers are attacks too); a mapping counts until it is unmapped.
#ifndef TWINWALK_TRACES_IMPORT_HANDLES_H_
#define TWINWALK_TRACES_IMPORT_HANDLES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "traces/op.h"

namespace twinwalk {

// Points into one mapping.
struct MapPlace {
  Handle op = 0;         // the kMmap
  uint64_t offset = 0;   // into it
  uint64_t rest = 0;     // bytes from here to its end
  uint64_t backing = 0;  // Piece::backing, 0: not memory
  uint64_t backing_offset = 0;
};

class ImportHandles {
 public:
  void SetFd(uint64_t pid, uint64_t fd, Handle op) { fds_[{pid, fd}] = {op, true}; }
  void CloseFd(uint64_t pid, uint64_t fd);
  std::optional<Handle> Fd(uint64_t pid, uint64_t fd) const;
  std::vector<uint64_t> OpenFds(uint64_t pid) const;  // ascending

  void SetId(uint64_t context, uint32_t id, Handle op) { ids_[{context, id}] = op; }
  std::optional<Handle> Id(uint64_t context, uint32_t id) const;

  void Map(uint64_t pid, uint64_t base, uint64_t length, Handle op, uint64_t backing,
           uint64_t backing_offset, bool is_private = false);
  void Unmap(uint64_t pid, uint64_t base, uint64_t length);
  bool Overlaps(uint64_t pid, uint64_t base, uint64_t length) const;
  std::optional<MapPlace> Find(uint64_t pid, uint64_t address) const;
  // The child has the parent's fds and mappings. What is private becomes memory of its own, one for
  // each that the parent had, in order of its first address.
  void Fork(uint64_t parent, uint64_t child, const std::function<uint64_t()>& new_backing);
  void ForgetProcess(uint64_t pid);

 private:
  struct OpenFile {
    Handle op;
    bool open;
  };
  struct Mapping {
    uint64_t length;
    Handle op;
    uint64_t op_offset;  // of its first byte, into the mapping that the Op made
    uint64_t backing;
    uint64_t backing_offset;
    bool is_private;  // anonymous memory that fork copies
  };
  using Key = std::pair<uint64_t, uint64_t>;
  std::map<Key, OpenFile> fds_;  // by (pid, fd)
  std::map<Key, Handle> ids_;    // by (context, id)
  std::map<Key, Mapping> maps_;  // by (pid, base); no two overlap
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_HANDLES_H_
