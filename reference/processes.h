// Processes as the reference sees them: descriptors, files, mappings and the bytes behind them
// (TRACE 1). Plain and concrete; nothing here knows an IOMMU.
#ifndef TWINWALK_REFERENCE_PROCESSES_H_
#define TWINWALK_REFERENCE_PROCESSES_H_

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "reference/env.h"
#include "traces/memory.h"
#include "traces/op.h"

namespace twinwalk::reference {

enum class FileKind { kIommu, kCdev, kVeventq, kMemfd };

// An open file description: shared by every descriptor that dup made of it.
struct File {
  FileKind kind = FileKind::kIommu;
  uint32_t fds = 0;
  uint64_t context = 0;              // kIommu: its ordinal. kCdev: the one it is bound to, 0: none
  uint32_t device = 0;               // kCdev: index into World::devices
  uint64_t veventq = 0;              // kVeventq: object key
  uint64_t backing = 0, length = 0;  // kMemfd
};

class Processes {
 public:
  struct Vma {
    uint64_t length = 0;
    uint32_t prot = 0;
    uint64_t backing = 0, offset = 0;
  };

  void Reset(size_t processes);

  // The file of a descriptor; null: EBADF.
  File* Find(size_t process, uint32_t fd);
  // A new file, or one more descriptor of `file`: the lowest free number from 3.
  uint32_t Open(size_t process, const File& file);
  uint32_t Dup(size_t process, uint32_t fd);
  // Takes the descriptor away; true when it was the file's last, which `closed` then describes.
  bool Close(size_t process, uint32_t fd, File* closed);
  // Whether p holds for any open file.
  template <class P>
  bool AnyFile(P&& p) const {
    for (const auto& [id, file] : files_)
      if (p(file)) return true;
    return false;
  }

  // TRACE 1, after what depends on other files. 0 or an errno.
  int MapMemory(size_t process, const MmapArgs& args, const File* memfd);
  int Unmap(size_t process, uint64_t address, uint64_t length);
  uint64_t NewBacking() { return ++last_backing_; }
  // All of the bytes or, with EFAULT, none.
  int Write(size_t process, uint64_t address, const std::string& bytes);

  // Host<Concrete>::Resolve.
  std::vector<Run<Concrete>> Resolve(size_t process, uint64_t va, uint64_t length,
                                     uint32_t prot) const;
  uint64_t Read64(uint64_t backing, uint64_t offset) const;
  void ReadBytes(uint64_t backing, uint64_t offset, char* to, size_t size) const;
  void WriteBytes(uint64_t backing, uint64_t offset, const char* from, size_t size);
  // Drops the bytes that nobody can reach again.
  void ForgetUnused(const View<Concrete>& view);

 private:
  struct Process {
    std::map<uint32_t, uint64_t> fds;  // descriptor -> file
    std::map<uint64_t, Vma> vmas;      // by first address
  };
  static uint32_t LowestFd(const Process& process);

  std::vector<Process> processes_;
  std::map<uint64_t, File> files_;
  std::map<uint64_t, SparseMemory> memory_;  // by backing; made when first written
  uint64_t last_file_ = 0, last_backing_ = 0;
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_PROCESSES_H_
