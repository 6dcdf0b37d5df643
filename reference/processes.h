// Processes as the reference sees them: descriptors, files, mappings and the bytes behind them
// (TRACE 1). Plain and concrete; nothing here knows an IOMMU.
#ifndef TWINWALK_REFERENCE_PROCESSES_H_
#define TWINWALK_REFERENCE_PROCESSES_H_

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reference/env.h"
#include "traces/memory.h"
#include "traces/op.h"

namespace twinwalk::reference {

enum class FileKind {
  kIommu,
  kCdev,
  kVeventq,
  kMemfd,
  kContainer,
  kGroup,
  kDevice,
  kEventfd,
  kFault
};

// Descriptors below are open, too, but of no kind that matters here (standard input, output,
// error).
inline constexpr uint32_t kFirstOwnFd = 3;

// An open file description: shared by every descriptor that dup made of it.
struct File {
  FileKind kind = FileKind::kIommu;
  uint32_t fds = 0;
  // kIommu, kContainer: its ordinal. kCdev: the one it is bound to, 0: none
  uint64_t context = 0;
  uint32_t device = 0;               // kCdev, kDevice: index into World::devices
  uint32_t group = 0;                // kGroup: its number
  bool noiommu = false;              // kGroup: of devices without IOMMU
  uint64_t counter = 0;              // kEventfd
  bool semaphore = false;            // kEventfd: a read takes one
  uint64_t veventq = 0;              // kVeventq: object key
  uint64_t fault = 0;                // kFault: object key
  uint64_t backing = 0, length = 0;  // kMemfd
};

class Processes {
 public:
  struct Vma {
    uint64_t length = 0;
    uint32_t prot = 0;
    uint64_t backing = 0, offset = 0;
    bool shared = false;     // by fork: else the child gets memory of its own
    bool registers = false;  // of a device (PFNMAP)
  };

  void Reset(const std::vector<ProcessConfig>& processes);

  // The file of a descriptor; null: EBADF.
  File* Find(size_t process, uint32_t fd);
  // A new file, or one more descriptor of `file`: the lowest free number from 3.
  uint32_t Open(size_t process, const File& file);
  uint32_t Dup(size_t process, uint32_t fd);
  // Takes the descriptor away; true when it was the file's last, which `closed` then describes.
  bool Close(size_t process, uint32_t fd, File* closed);
  // The descriptors of a process, ascending; `exec`: only those that its exec closes.
  std::vector<uint32_t> Descriptors(size_t process, bool exec) const;
  // A descriptor of the same file in another process.
  uint32_t Pass(size_t from, uint32_t fd, size_t to);

  // TRACE 8, Processes. An unborn or ended process does nothing.
  bool Alive(size_t process) const { return processes_[process].life == Life::kAlive; }
  bool Unborn(size_t process) const { return processes_[process].life == Life::kUnborn; }
  void Fork(size_t parent, size_t child);
  void End(size_t process);
  void UnmapAll(size_t process) { processes_[process].vmas.clear(); }

  // Whether p holds for any open file.
  template <class P>
  bool AnyFile(P&& p) const {
    for (const auto& [id, file] : files_)
      if (p(file)) return true;
    return false;
  }

  // TRACE 1, after what depends on other files. 0 or an errno.
  int MapMemory(size_t process, const MmapArgs& args, const File* memory);
  int Unmap(size_t process, uint64_t address, uint64_t length);
  uint64_t NewBacking() { return ++last_backing_; }
  // A new backing that is a file of memory, and its bytes; FileLength of any other is 0.
  uint64_t NewMemoryFile(uint64_t length) {
    file_lengths_[NewBacking()] = length;
    return last_backing_;
  }
  uint64_t FileLength(uint64_t backing) const {
    auto it = file_lengths_.find(backing);
    return it == file_lengths_.end() ? 0 : it->second;
  }
  uint64_t NextBacking() const { return last_backing_ + 1; }
  // `backing` is registers: never forgotten, and what maps it maps registers.
  void KeepRegisters(uint64_t backing) { registers_.insert(backing); }
  void DropRegisters(uint64_t backing) { registers_.erase(backing); }
  // All of the bytes or, with EFAULT, none.
  int Write(size_t process, uint64_t address, const std::string& bytes);

  // Host<Concrete>::Resolve. registers: those of a device will do as well.
  std::vector<Run<Concrete>> Resolve(size_t process, uint64_t va, uint64_t length, uint32_t prot,
                                     bool registers) const;
  uint64_t Read64(uint64_t backing, uint64_t offset) const;
  void ReadBytes(uint64_t backing, uint64_t offset, char* to, size_t size) const;
  void WriteBytes(uint64_t backing, uint64_t offset, const char* from, size_t size);
  // Drops the bytes that nobody can reach again.
  void ForgetUnused(const View<Concrete>& view);

 private:
  enum class Life { kUnborn, kAlive, kEnded };
  struct Process {
    Life life = Life::kAlive;
    std::map<uint32_t, uint64_t> fds;   // descriptor -> file
    std::set<uint32_t> closed_by_exec;  // of these, those that an ioctl made
    std::map<uint64_t, Vma> vmas;       // by first address
  };
  static uint32_t LowestFd(const Process& process);
  uint32_t Share(uint64_t file, size_t process);

  std::vector<Process> processes_;
  std::map<uint64_t, File> files_;
  std::map<uint64_t, uint64_t> file_lengths_;  // of memfds, by backing
  std::map<uint64_t, SparseMemory> memory_;    // by backing; made when first written
  std::set<uint64_t> registers_;
  uint64_t last_file_ = 0, last_backing_ = 0;
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_PROCESSES_H_
