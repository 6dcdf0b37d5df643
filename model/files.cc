#include "model/files.h"

#include <algorithm>

#include "traces/check.h"

namespace twinwalk::model {

uint64_t Backing::Touch(HostMemory* memory, uint64_t page, bool huge) {
  const uint64_t key = page / kChunkPages;
  if (key != lastKey_) {
    std::unique_ptr<Chunk>& chunk = chunks_[key];
    if (chunk == nullptr) {
      chunk = std::make_unique<Chunk>();
      chunk->fill(kNone);
      order_.push_back(key);
      if (huge) {
        const uint64_t first =
            memory->AllocateRun(kChunkPages, kChunkPages, ordinal_, key * kChunkPages);
        for (uint64_t i = 0; i < kChunkPages; ++i) (*chunk)[i] = first + i;
      }
    }
    lastKey_ = key;
    last_ = chunk.get();
  }
  uint64_t& frame = (*last_)[page % kChunkPages];
  if (frame == kNone) frame = memory->Allocate(ordinal_, page);
  return frame;
}

void Backing::FreeFrames(HostMemory* memory) {
  for (uint64_t key : order_)
    for (uint64_t frame : *chunks_[key])
      if (frame != kNone) memory->Free(frame);
  chunks_.clear();
  order_.clear();
  lastKey_ = kNone;
}

void Backing::CopyTo(HostMemory* memory, Backing* to) const {
  std::array<char, kPageSize> bytes;
  for (uint64_t key : order_) {
    const Chunk& chunk = *chunks_.at(key);
    for (uint64_t i = 0; i < kChunkPages; ++i) {
      if (chunk[i] == kNone || memory->At(chunk[i]).bytes == nullptr) continue;
      memory->Read(chunk[i] * kPageSize, bytes.data(), kPageSize);
      const uint64_t frame = to->Touch(memory, key * kChunkPages + i, false);
      memory->Write(frame * kPageSize, bytes.data(), kPageSize);
    }
  }
}

Backing* Backings::Make(uint64_t length) {
  const uint64_t ordinal = ++made_;
  auto backing = std::make_unique<Backing>(ordinal, length);
  Backing* out = backing.get();
  live_[ordinal] = std::move(backing);
  return out;
}

void Backings::Release(Backing* backing) {
  CHECK(backing->users > 0);
  if (--backing->users > 0) return;
  backing->FreeFrames(memory_);
  live_.erase(backing->ordinal());
}

uint32_t Process::Install(OpenFile* file, bool by_ioctl) {
  while (lowest_ < files_.size() && files_[lowest_].file != nullptr) ++lowest_;
  if (lowest_ == files_.size()) files_.emplace_back();
  files_[lowest_] = {file, by_ioctl};
  return kFirstFd + lowest_++;
}

void Process::Remove(uint32_t fd) {
  files_[fd - kFirstFd] = {};
  lowest_ = std::min(lowest_, fd - kFirstFd);
}

std::vector<uint32_t> Process::Fds(bool only_by_ioctl) const {
  std::vector<uint32_t> fds;
  for (uint32_t i = 0; i < files_.size(); ++i)
    if (files_[i].file != nullptr && (!only_by_ioctl || files_[i].byIoctl))
      fds.push_back(kFirstFd + i);
  return fds;
}

void Process::CopyFds(const Process& parent) {
  files_ = parent.files_;
  lowest_ = parent.lowest_;
  for (Slot& slot : files_)
    if (slot.file != nullptr) ++slot.file->refs;
}

Process::Vmas::const_iterator Process::Find(uint64_t address) const {
  auto it = vmas_.upper_bound(address);
  if (it == vmas_.begin()) return vmas_.end();
  --it;
  return it->second.last >= address ? it : vmas_.end();
}

bool Process::Overlaps(uint64_t first, uint64_t last) const {
  auto it = vmas_.upper_bound(last);
  return it != vmas_.begin() && std::prev(it)->second.last >= first;
}

void Process::Unmap(uint64_t first, uint64_t last, Backings* backings) {
  auto it = vmas_.upper_bound(first);
  if (it != vmas_.begin() && std::prev(it)->second.last >= first) --it;
  while (it != vmas_.end() && it->first <= last) {
    const uint64_t base = it->first;
    const Vma old = it->second;
    it = vmas_.erase(it);
    if (base < first) {
      Vma left = old;
      left.last = first - 1;
      ++old.backing->users;
      vmas_[base] = left;
    }
    if (old.last > last) {
      Vma right = old;
      right.offset += last + 1 - base;
      ++old.backing->users;
      vmas_[last + 1] = right;
    }
    backings->Release(old.backing);
    it = vmas_.upper_bound(old.last < last ? old.last : last);
  }
}

}  // namespace twinwalk::model
