#include "traces/import_handles.h"

#include <algorithm>

namespace twinwalk {
namespace {

// Last byte of [base, base + length); ranges that wrap end at the top.
uint64_t Last(uint64_t base, uint64_t length) {
  return length - 1 > ~base ? ~uint64_t{0} : base + length - 1;
}

}  // namespace

void ImportHandles::CloseFd(uint64_t pid, uint64_t fd) {
  if (auto it = fds_.find({pid, fd}); it != fds_.end()) it->second.open = false;
}

std::optional<Handle> ImportHandles::Fd(uint64_t pid, uint64_t fd) const {
  auto it = fds_.find({pid, fd});
  if (it == fds_.end()) return std::nullopt;
  return it->second.op;
}

std::vector<uint64_t> ImportHandles::OpenFds(uint64_t pid) const {
  std::vector<uint64_t> open;
  for (auto it = fds_.lower_bound({pid, 0}); it != fds_.end() && it->first.first == pid; ++it)
    if (it->second.open) open.push_back(it->first.second);
  return open;
}

std::optional<Handle> ImportHandles::Id(uint64_t context, uint32_t id) const {
  auto it = ids_.find({context, id});
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

void ImportHandles::Map(uint64_t pid, uint64_t base, uint64_t length, Handle op, uint64_t backing,
                        uint64_t backing_offset, bool is_private) {
  if (length == 0) return;
  Unmap(pid, base, length);
  maps_[{pid, base}] = {length, op, 0, backing, backing_offset, is_private};
}

void ImportHandles::Unmap(uint64_t pid, uint64_t base, uint64_t length) {
  if (length == 0) return;
  const uint64_t last = Last(base, length);
  auto it = maps_.upper_bound({pid, base});
  if (it != maps_.begin()) --it;
  while (it != maps_.end() && it->first <= Key{pid, last}) {
    const uint64_t start = it->first.second;
    const Mapping old = it->second;
    if (it->first.first != pid || Last(start, old.length) < base) {
      ++it;
      continue;
    }
    it = maps_.erase(it);
    if (start < base) {
      maps_[{pid, start}] = old;
      maps_[{pid, start}].length = base - start;
    }
    if (Last(start, old.length) > last) {
      const uint64_t cut = last + 1 - start;
      it = maps_
               .insert_or_assign({pid, last + 1},
                                 Mapping{old.length - cut, old.op, old.op_offset + cut, old.backing,
                                         old.backing_offset + cut, old.is_private})
               .first;
      return;
    }
  }
}

bool ImportHandles::Overlaps(uint64_t pid, uint64_t base, uint64_t length) const {
  if (length == 0) return false;
  auto it = maps_.upper_bound({pid, Last(base, length)});
  if (it == maps_.begin()) return false;
  --it;
  return it->first.first == pid && Last(it->first.second, it->second.length) >= base;
}

std::optional<MapPlace> ImportHandles::Find(uint64_t pid, uint64_t address) const {
  auto it = maps_.upper_bound({pid, address});
  if (it == maps_.begin()) return std::nullopt;
  --it;
  const Mapping& m = it->second;
  const uint64_t into = address - it->first.second;
  if (it->first.first != pid || into >= m.length) return std::nullopt;
  return MapPlace{m.op, m.op_offset + into, m.length - into, m.backing, m.backing_offset + into};
}

void ImportHandles::Fork(uint64_t parent, uint64_t child,
                         const std::function<uint64_t()>& new_backing) {
  std::map<Key, OpenFile> files;
  for (auto it = fds_.lower_bound({parent, 0}); it != fds_.end() && it->first.first == parent; ++it)
    files[{child, it->first.second}] = it->second;
  fds_.merge(files);
  std::map<Key, Mapping> mappings;
  std::map<uint64_t, uint64_t> copies;
  for (auto it = maps_.lower_bound({parent, 0}); it != maps_.end() && it->first.first == parent;
       ++it) {
    Mapping copy = it->second;
    if (copy.is_private && copy.backing != 0) {
      uint64_t& backing = copies[copy.backing];
      if (backing == 0) backing = new_backing();
      copy.backing = backing;
    }
    mappings[{child, it->first.second}] = copy;
  }
  maps_.merge(mappings);
}

void ImportHandles::ForgetProcess(uint64_t pid) {
  fds_.erase(fds_.lower_bound({pid, 0}), fds_.lower_bound({pid + 1, 0}));
  maps_.erase(maps_.lower_bound({pid, 0}), maps_.lower_bound({pid + 1, 0}));
}

}  // namespace twinwalk
