#include "reference/processes.h"

#include <algorithm>
#include <set>

namespace twinwalk::reference {
namespace {

constexpr uint64_t kPageMask = 4095;
constexpr uint64_t kTop = uint64_t{1} << 48;

uint64_t RoundUp(uint64_t length) {
  return (length + kPageMask) & ~kPageMask;
}

bool MadeByIoctl(FileKind kind) {
  return kind == FileKind::kDevice || kind == FileKind::kVeventq || kind == FileKind::kFault;
}

}  // namespace

void Processes::Reset(const std::vector<ProcessConfig>& processes) {
  processes_.assign(processes.size(), Process());
  for (size_t i = 0; i < processes.size(); ++i)
    if (processes[i].unborn) processes_[i].life = Life::kUnborn;
  files_.clear();
  memory_.clear();
  file_lengths_.clear();
  registers_.clear();
  last_file_ = last_backing_ = 0;
}

File* Processes::Find(size_t process, uint32_t fd) {
  const auto& fds = processes_[process].fds;
  auto it = fds.find(fd);
  return it == fds.end() ? nullptr : &files_.at(it->second);
}

uint32_t Processes::LowestFd(const Process& process) {
  uint32_t fd = kFirstOwnFd;
  for (const auto& [used, file] : process.fds) {
    if (used != fd) break;
    ++fd;
  }
  return fd;
}

uint32_t Processes::Open(size_t process, const File& file) {
  const uint32_t fd = LowestFd(processes_[process]);
  File& made = files_[++last_file_] = file;
  made.fds = 1;
  processes_[process].fds[fd] = last_file_;
  if (MadeByIoctl(file.kind)) processes_[process].closed_by_exec.insert(fd);
  return fd;
}

uint32_t Processes::Share(uint64_t file, size_t process) {
  const uint32_t made = LowestFd(processes_[process]);
  processes_[process].fds[made] = file;
  ++files_.at(file).fds;
  return made;
}

uint32_t Processes::Dup(size_t process, uint32_t fd) {
  return Share(processes_[process].fds.at(fd), process);
}

uint32_t Processes::Pass(size_t from, uint32_t fd, size_t to) {
  return Share(processes_[from].fds.at(fd), to);
}

std::vector<uint32_t> Processes::Descriptors(size_t process, bool exec) const {
  std::vector<uint32_t> fds;
  for (const auto& [fd, file] : processes_[process].fds)
    if (!exec || processes_[process].closed_by_exec.count(fd) != 0) fds.push_back(fd);
  return fds;
}

bool Processes::Close(size_t process, uint32_t fd, File* closed) {
  auto& fds = processes_[process].fds;
  const uint64_t id = fds.at(fd);
  fds.erase(fd);
  processes_[process].closed_by_exec.erase(fd);
  File& file = files_.at(id);
  *closed = file;
  if (--file.fds > 0) return false;
  files_.erase(id);
  return true;
}

// TRACE 8: private memory is copied, once for each backing, in the order of addresses.
void Processes::Fork(size_t parent, size_t child) {
  Process& to = processes_[child] = processes_[parent];
  for (const auto& [fd, file] : to.fds) ++files_.at(file).fds;
  std::map<uint64_t, uint64_t> copies;
  for (auto& [base, vma] : to.vmas) {
    if (vma.shared) continue;
    uint64_t& copy = copies[vma.backing];
    if (copy == 0) {
      copy = NewBacking();
      auto it = memory_.find(vma.backing);
      if (it != memory_.end()) it->second.CopyTo(&memory_[copy]);
    }
    vma.backing = copy;
  }
}

void Processes::End(size_t process) {
  processes_[process].life = Life::kEnded;
  processes_[process].vmas.clear();
}

int Processes::MapMemory(size_t process, const MmapArgs& args, const File* memory) {
  if (args.length == 0 || (args.base & kPageMask) != 0 || (args.offset & kPageMask) != 0)
    return EINVAL;
  if (args.length > kTop || args.base > kTop) return ENOMEM;
  const uint64_t length = RoundUp(args.length);
  if (args.base + length > kTop) return ENOMEM;
  auto& vmas = processes_[process].vmas;
  auto after = vmas.lower_bound(args.base + length);
  if (after != vmas.begin()) {
    const auto& [base, vma] = *std::prev(after);
    if (base + vma.length > args.base) return EEXIST;
  }
  Vma vma;
  vma.length = length;
  vma.prot = args.prot;
  vma.shared = args.shared == 1;
  if (memory != nullptr) {
    if (!vma.shared || args.offset > memory->length || length > memory->length - args.offset)
      return EINVAL;
    vma.backing = memory->backing, vma.offset = args.offset;
    vma.registers = registers_.count(vma.backing) != 0;
  } else {
    vma.backing = NewBacking();
  }
  vmas[args.base] = vma;
  return 0;
}

int Processes::Unmap(size_t process, uint64_t address, uint64_t length) {
  if ((address & kPageMask) != 0 || length == 0) return EINVAL;
  const uint64_t rest = ~uint64_t{0} - address;  // last possible byte
  const uint64_t last = length - 1 > rest ? ~uint64_t{0} : (address + (length - 1)) | kPageMask;
  auto& vmas = processes_[process].vmas;
  for (auto it = vmas.begin(); it != vmas.end() && it->first <= last;) {
    const uint64_t base = it->first;
    const Vma vma = it->second;
    const uint64_t end = base + vma.length;  // exclusive, at most 2^48
    if (end <= address) {
      ++it;
      continue;
    }
    it = vmas.erase(it);
    if (base < address) {
      Vma head = vma;
      head.length = address - base;
      vmas[base] = head;
    }
    if (last < end - 1) {
      Vma tail = vma;
      tail.length = end - 1 - last;
      tail.offset += last + 1 - base;
      it = std::next(vmas.emplace(last + 1, tail).first);
    }
  }
  return 0;
}

std::vector<Run<Concrete>> Processes::Resolve(size_t process, uint64_t va, uint64_t length,
                                              uint32_t prot, bool registers) const {
  std::vector<Run<Concrete>> runs;
  const auto& vmas = processes_[process].vmas;
  while (length > 0) {
    auto it = vmas.upper_bound(va);
    if (it == vmas.begin()) return {};
    const auto& [base, vma] = *std::prev(it);
    if (va - base >= vma.length || (vma.prot & prot) != prot) return {};
    if (vma.registers && !registers) return {};
    Run<Concrete> run;
    run.registers = vma.registers ? 1 : 0;
    run.length = std::min(length, vma.length - (va - base));
    run.backing = vma.backing, run.offset = vma.offset + (va - base);
    runs.push_back(run);
    va += run.length, length -= run.length;
  }
  return runs;
}

int Processes::Write(size_t process, uint64_t address, const std::string& bytes) {
  if (bytes.empty()) return 0;
  const auto runs = Resolve(process, address, bytes.size(), kProtWrite, true);
  if (runs.empty()) return EFAULT;
  size_t at = 0;
  for (const auto& run : runs) {
    WriteBytes(run.backing, run.offset, bytes.data() + at, run.length);
    at += run.length;
  }
  return 0;
}

uint64_t Processes::Read64(uint64_t backing, uint64_t offset) const {
  auto it = memory_.find(backing);
  return it == memory_.end() ? 0 : it->second.Read64(offset);
}

void Processes::ReadBytes(uint64_t backing, uint64_t offset, char* to, size_t size) const {
  auto it = memory_.find(backing);
  if (it == memory_.end()) {
    std::fill(to, to + size, '\0');
  } else {
    it->second.Read(offset, to, size);
  }
}

void Processes::WriteBytes(uint64_t backing, uint64_t offset, const char* from, size_t size) {
  memory_[backing].Write(offset, from, size);
}

void Processes::ForgetUnused(const View<Concrete>& view) {
  std::set<uint64_t> used = registers_;
  for (const Process& process : processes_)
    for (const auto& [base, vma] : process.vmas) used.insert(vma.backing);
  for (const auto& [id, file] : files_) used.insert(file.backing);
  view.areas.EachIndex([&](bool, const AreaRow<Concrete>& a) {
    used.insert(a.backing);
    used.insert(a.file);
  });
  std::erase_if(memory_, [&](const auto& entry) { return used.count(entry.first) == 0; });
}

}  // namespace twinwalk::reference
