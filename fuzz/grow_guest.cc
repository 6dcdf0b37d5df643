// Growth rules of memory, mappings, guest tables, commands and device accesses.
#include <algorithm>

#include "fuzz/grow.h"
#include "fuzz/guest.h"

namespace twinwalk::fuzz {
namespace {

constexpr uint16_t kAsids[] = {0, 1, 1, 1, 2, 0x11};
constexpr size_t kTableWords = 16;  // of a table page that get written; its CD follows at byte 128

}  // namespace

bool Grower::Mmap(Op* op) {
  const auto& things = scene_->things();
  const int memfd = random_->OneIn(4) ? Choose(Role::kMemFd) : kNone;
  op->kind = OpKind::kMmap;
  const auto maps = static_cast<uint64_t>(std::count_if(
      things.begin(), things.end(), [](const Thing& t) { return t.role == Role::kMap; }));
  op->mmap.base = 0x10000000 + maps * 0x1000000;
  static constexpr uint64_t kPages[] = {4, 8, 8, 16, 16, 64, 512, 1024};
  op->mmap.length = kPageBytes * random_->Pick(kPages);
  op->mmap.prot = random_->OneIn(12) ? static_cast<uint32_t>(random_->Below(8)) : 3;
  if (memfd != kNone) {
    Link(op, 0, &op->fd, memfd);
    op->process = things[memfd].process;
    op->mmap.shared = 1;
    op->mmap.length = kPageBytes << random_->Below(3);
    op->mmap.offset = kPageBytes * random_->Below(2);
  } else {
    op->process = AnyProcess();
  }
  if (Odd()) op->mmap.base = EdgeNumber(*random_);
  if (Odd()) op->mmap.length = EdgeNumber(*random_);
  if (Odd()) Link(op, 0, &op->fd, Choose(Role::kIommuFd));
  return true;
}

bool Grower::Munmap(Op* op, Step* missing) {
  const int map = Choose(Role::kMap);
  if (map == kNone) return Need(Step::kMmap, missing);
  const Thing& t = scene_->things()[map];
  op->kind = OpKind::kMunmap;
  op->process = t.process;
  Link(op, 1, &op->munmap.map, map);
  op->munmap.length = t.size;
  if (random_->OneIn(2)) {
    op->munmap.address = kPageBytes * random_->Below(t.size / kPageBytes);
    op->munmap.length = kPageBytes * (1 + random_->Below(3));
  }
  if (Odd()) op->munmap.address = EdgeNumber(*random_);
  return true;
}

// first: guest memory at the start of a VM's address space; otherwise one more area beside others.
bool Grower::Map(Op* op, bool first, Step* missing) {
  const int ioas = Choose(Role::kIoas);
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  const auto& things = scene_->things();
  const int file = FileOf(things[ioas].context);
  int map = kNone;
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i)
    if (things[i].role == Role::kMap && things[i].alive &&
        (file == kNone || things[i].process == things[file].process) && random_->OneIn(++seen))
      map = static_cast<int>(i);
  if (map == kNone || random_->OneIn(8)) return Need(Step::kMmap, missing);
  Ioctl(op, OpKind::kIoasMap, file);
  Link(op, 1, &op->ioasMap.ioasId, ioas);
  Link(op, 2, &op->ioasMap.userMap, map);
  op->ioasMap.flags = random_->OneIn(6) ? 5 : 7;
  if (Odd()) op->ioasMap.flags = static_cast<uint32_t>(random_->Below(16));
  const uint64_t pages = std::max<uint64_t>(1, things[map].size / kPageBytes);
  static constexpr uint64_t kBases[] = {
      0,         0,         0x1000,       0x200000,      0x40000000,    0x40000000,
      0x7ffe000, 0x8100000, 0xffffffe000, 0xfffffffe000, 0x100000000000};
  if (first) {
    op->ioasMap.iova = random_->Pick(kBases);
    op->ioasMap.length = pages * kPageBytes;
    return true;
  }
  op->ioasMap.userVa = kPageBytes * random_->Below(pages);
  op->ioasMap.length = kPageBytes * (1 + random_->Below(std::min<uint64_t>(pages, 5)));
  std::vector<uint64_t> near{random_->Pick(kBases)};
  for (const SceneArea& a : scene_->areas()) {
    if (a.ioas != ioas) continue;
    near.push_back(a.iova + a.length);
    near.push_back(a.iova - op->ioasMap.length);
    if (!a.alive) near.push_back(a.iova), near.push_back(a.iova);  // map where something was
  }
  op->ioasMap.iova = random_->Pick(near);
  if (random_->OneIn(12)) {  // the kernel places it, aligned as its size asks for
    op->ioasMap.flags &= ~1u;
    if (random_->OneIn(2)) op->ioasMap.userVa = 0, op->ioasMap.length = pages * kPageBytes;
  }
  if (random_->OneIn(16)) {  // nothing is left but the top; pages are touched only with an HWPT
    op->results &= 3;
    op->ioasMap.userMap = kDanglingHandle;
    op->ioasMap.userVa = 0, op->ioasMap.flags = 7;
    op->ioasMap.iova = kPageBytes * random_->Below(3);
    op->ioasMap.length =
        -op->ioasMap.iova - kPageBytes * (1 + random_->Below(uint64_t{1} << random_->Below(11)));
  }
  if (Odd()) op->ioasMap.userVa += random_->Below(4096);
  if (Odd()) op->ioasMap.iova = EdgeNumber(*random_);
  if (Odd()) op->ioasMap.length = EdgeNumber(*random_);
  if (Odd()) op->ioasMap.reserved = 1;
  return true;
}

bool Grower::Unmap(Op* op, Step* missing) {
  std::vector<const SceneArea*> live;
  for (const SceneArea& a : scene_->areas())
    if (a.alive && a.ioas != kNone && scene_->things()[a.ioas].role == Role::kIoas)
      live.push_back(&a);
  if (live.empty()) return Need(Step::kMapGuest, missing);
  const SceneArea& area = *random_->Pick(live);
  Ioctl(op, OpKind::kIoasUnmap, FileOf(scene_->things()[area.ioas].context));
  Link(op, 1, &op->ioasUnmap.ioasId, area.ioas);
  op->ioasUnmap.iova = area.iova, op->ioasUnmap.length = area.length;
  switch (random_->Below(12)) {
    case 0:
      op->ioasUnmap.iova = 0, op->ioasUnmap.length = ~uint64_t{0};
      break;
    case 1:
      op->ioasUnmap.length += kPageBytes * random_->Below(16);
      break;
    case 2:
      op->ioasUnmap.iova -= kPageBytes, op->ioasUnmap.length += kPageBytes;
      break;
    case 3:
      op->ioasUnmap.length -= kPageBytes;
      break;
    default:
      break;
  }
  if (Odd()) op->ioasUnmap.iova = EdgeNumber(*random_);
  if (Odd()) op->ioasUnmap.length = EdgeNumber(*random_);
  return true;
}

void Grower::WriteAt(Op* op, uint8_t process, uint64_t va, std::string blob) {
  op->kind = OpKind::kMemWrite;
  op->process = process;
  const int map = scene_->MapAt(process, va);
  Link(op, 1, &op->memWrite.map, map);
  const bool linked = (op->results & 2) != 0 && map != kNone;
  op->memWrite.address = linked ? va - scene_->things()[map].value : va;
  if (blob.size() > options_.max_blob) blob.resize(options_.max_blob);
  op->blob = std::move(blob);
}

// One page that serves as table of every level, and its CD behind the entries: many walks in few
// bytes, loops included.
bool Grower::WriteTables(Op* op, Step* missing) {
  const auto& things = scene_->things();
  const int nested = Choose(Role::kNested);
  int ioas = nested != kNone && random_->OneIn(2) ? scene_->IoasOf(nested) : kNone;
  if (ioas == kNone) {
    const int parent = ChooseParent(true);
    ioas = parent == kNone ? Choose(Role::kIoas) : things[parent].of;
  }
  if (ioas == kNone) return Need(Step::kIoasAlloc, missing);
  const std::vector<uint64_t> pages = scene_->Pages(ioas);
  if (pages.empty()) return Need(Step::kMapGuest, missing);
  uint64_t page = random_->OneIn(2) ? pages[0] : random_->Pick(pages);
  if (nested != kNone && random_->OneIn(2) && scene_->IoasOf(nested) == ioas)
    page = things[nested].value & kOutputMask;  // where that vSTE looks for its CD
  const SceneArea* area = scene_->AreaAt(ioas, page);
  if (area == nullptr) area = scene_->AreaAt(ioas, page = pages[0]);
  std::string blob;
  for (size_t i = 0; i < kTableWords; ++i) {
    const uint64_t kind = random_->Below(8);
    AppendWord(&blob, kind == 0   ? 0
                      : kind <= 2 ? TableWord(page)
                      : kind <= 5 ? PageWord(random_->Pick(pages), !random_->OneIn(4))
                                  : RandomDescriptor(*random_, pages));
  }
  SetWordAt(&blob, 0, TableWord(page));  // so that most walks get somewhere
  ContextPlan plan;
  plan.ttb = random_->OneIn(6) ? random_->Pick(pages) : page;
  plan.asid = random_->Pick(kAsids);
  static constexpr uint32_t kBits[] = {48, 48, 39, 39, 25, 36, 42};
  plan.input_bits = random_->Pick(kBits);
  plan.record = !random_->OneIn(8);
  std::string context = ContextBytes(plan);
  if (random_->OneIn(8)) {
    const size_t at = 8 * random_->Below(3);
    SetWordAt(&context, at, WordAt(context, at) ^ uint64_t{1} << random_->Below(64));
  }
  WriteAt(op, area->process, area->va + (page - area->iova), blob + context);
  return true;
}

bool Grower::WriteEntry(Op* op, Step* missing) {
  const int nested = Choose(Role::kNested);
  if (nested == kNone) return Need(Step::kHwptNested, missing);
  const auto walk = scene_->Sample(*random_, nested);
  if (!walk) return Need(Step::kWriteTables, missing);
  const std::vector<uint64_t> pages = scene_->Pages(scene_->IoasOf(nested));
  // Mostly the leaf, which is where the guest's own unmap and remap happen.
  const GuestWord& word = random_->OneIn(2) ? walk->words.back() : random_->Pick(walk->words);
  std::string blob;
  AppendWord(&blob, random_->OneIn(3) ? RandomDescriptor(*random_, pages)
                                      : TweakWord(*random_, word.word, pages));
  WriteAt(op, word.process, word.va, blob);
  return true;
}

bool Grower::WriteData(Op* op, Step* missing) {
  const int map = Choose(Role::kMap);
  if (map == kNone) return Need(Step::kMmap, missing);
  const Thing& t = scene_->things()[map];
  std::string blob;
  const uint64_t words = 1 + random_->Below(4);
  for (uint64_t i = 0; i < words; ++i) AppendWord(&blob, EdgeNumber(*random_));
  const uint64_t page = random_->Below(std::min<uint64_t>(t.size / kPageBytes, 16) + 1);
  WriteAt(op, t.process, t.value + page * kPageBytes - (random_->OneIn(4) ? 8 : 0), blob);
  return true;
}

std::string Grower::Command(int viommu) {
  const auto& things = scene_->things();
  uint64_t sid = 0x205, va = EdgeNumber(*random_);
  uint16_t asid = random_->Pick(kAsids);
  for (const Thing& t : things)
    if (t.role == Role::kVdevice && t.alive && (t.of == viommu || random_->OneIn(8)))
      if (random_->OneIn(2) || sid == 0x205) sid = t.value;
  if (!scene_->iovas().empty() && !random_->OneIn(4)) va = random_->Pick(scene_->iovas());
  for (size_t i = 0; i < things.size(); ++i) {
    if (things[i].role != Role::kNested || things[i].of != viommu || !random_->OneIn(2)) continue;
    if (const auto walk = scene_->Sample(*random_, static_cast<int>(i)); walk && random_->OneIn(2))
      va = walk->va, asid = walk->asid;
  }
  static constexpr Opcode kOpcodes[] = {Opcode::kNhVa,      Opcode::kNhVa,   Opcode::kNhVa,
                                        Opcode::kNhVaa,     Opcode::kNhAsid, Opcode::kNhAll,
                                        Opcode::kNsnhAll,   Opcode::kCfgiCd, Opcode::kCfgiCd,
                                        Opcode::kCfgiCdAll, Opcode::kAtcInv};
  std::string bytes = CommandBytes(random_->Pick(kOpcodes), sid, asid, va, random_->OneIn(2));
  if (Odd()) bytes[random_->Below(16)] ^= static_cast<char>(1 << random_->Below(8));
  if (Odd()) bytes[0] = static_cast<char>(random_->Below(0x50));
  if (Odd()) {  // a range: TG 1, NUM, SCALE, TTL
    SetWordAt(&bytes, 0, WordAt(bytes, 0) | random_->Below(32) << 12 | random_->Below(6) << 20);
    SetWordAt(&bytes, 8, WordAt(bytes, 8) | uint64_t{1} << 10 | random_->Below(4) << 8);
  }
  return bytes;
}

bool Grower::Invalidate(Op* op, Step* missing) {
  int viommu = Choose(Role::kViommu);
  if (viommu == kNone) return Need(Step::kViommu, missing);
  Ioctl(op, OpKind::kHwptInvalidate, FileOf(scene_->things()[viommu].context));
  Link(op, 1, &op->hwptInvalidate.hwptId, viommu);
  op->hwptInvalidate.dataType = 1, op->hwptInvalidate.entryLen = 16;
  op->hwptInvalidate.dataPtr = 0x7f0000000000;
  const uint64_t entries = random_->OneIn(24) ? 62 + random_->Below(4) : 1 + random_->Below(3);
  for (uint64_t i = 0; i < entries; ++i) op->blob += Command(viommu);
  op->hwptInvalidate.entryNum = static_cast<uint32_t>(entries);
  if (Odd()) op->hwptInvalidate.entryNum = static_cast<uint32_t>(EdgeNumber(*random_));
  if (Odd()) op->hwptInvalidate.entryLen = static_cast<uint32_t>(random_->Below(33));
  if (Odd()) op->hwptInvalidate.dataType = static_cast<uint32_t>(random_->Below(3));
  return true;
}

uint64_t Grower::AddressFor(int attached) {
  std::vector<uint64_t> choices = scene_->iovas();
  if (attached != kNone && scene_->things()[attached].role == Role::kNested && !random_->OneIn(4)) {
    for (int tries = 0; tries < 4; ++tries) {
      const auto walk = scene_->Sample(*random_, attached);
      if (walk && (walk->complete || tries == 3)) return walk->va + 8 * random_->Below(4);
    }
  }
  const int ioas = attached == kNone ? kNone : scene_->IoasOf(attached);
  for (const SceneArea& a : scene_->areas()) {
    if (ioas != kNone && a.ioas != ioas) continue;
    choices.insert(choices.end(), {a.iova, a.iova + a.length - 8, a.iova + a.length / 2});
    if (random_->OneIn(4)) choices.insert(choices.end(), {a.iova - 4, a.iova + a.length - 4});
  }
  return choices.empty() || Odd() ? EdgeNumber(*random_) : random_->Pick(choices);
}

bool Grower::Dma(Op* op, Step* missing) {
  const auto& things = scene_->things();
  const auto& devices = scene_->world().devices;
  int file = kNone;  // an attached cdev, or a group in a container with a backend
  uint64_t seen = 0;
  for (size_t i = 0; i < things.size(); ++i) {
    const Thing& t = things[i];
    const bool group = t.role == Role::kGroupFd && t.of != kNone && things[t.of].value != 0;
    if ((group || (t.role == Role::kCdevFd && t.attached != kNone)) &&
        (t.alive || random_->OneIn(4)) && random_->OneIn(++seen))
      file = static_cast<int>(i);
  }
  if (file == kNone && !random_->OneIn(8)) {
    static constexpr Step kAttach[] = {Step::kAttachPaging, Step::kAttachNested,
                                       Step::kAttachNested, Step::kSetIommu};
    return Need(random_->Pick(kAttach), missing);
  }
  op->kind = OpKind::kDma;
  op->dma.device = static_cast<uint32_t>(random_->Below(devices.size()));
  int attached = kNone;
  if (file != kNone && things[file].role == Role::kCdevFd) {
    op->dma.device = things[file].device, attached = things[file].attached;
  } else if (file != kNone) {
    attached = things[file].of;
    for (size_t i = 0; i < devices.size(); ++i)
      if (devices[i].group == things[file].device) op->dma.device = static_cast<uint32_t>(i);
  }
  if (random_->OneIn(16)) op->dma.device = static_cast<uint32_t>(random_->Below(4));
  op->dma.iova = AddressFor(attached);
  static constexpr uint32_t kLengths[] = {8, 8, 8, 8, 1, 4, 16, 64, 4096, 5000, 0};
  op->dma.length = random_->Pick(kLengths);
  if (Odd()) op->dma.length = static_cast<uint32_t>(random_->Below(kMaxDma + 2));
  if (random_->OneIn(2)) {
    op->dma.flags = kDmaWrite;
    op->dma.length = std::min<uint32_t>(op->dma.length, static_cast<uint32_t>(options_.max_blob));
    op->blob.assign(op->dma.length, static_cast<char>('a' + random_->Below(26)));
  }
  if (Odd()) op->dma.flags |= static_cast<uint32_t>(random_->Below(16)) & ~uint32_t{kDmaWrite};
  if (Odd()) op->dma.pasid = static_cast<uint32_t>(random_->Below(3));
  return true;
}

}  // namespace twinwalk::fuzz
