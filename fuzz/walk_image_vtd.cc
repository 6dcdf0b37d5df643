#include "fuzz/walk_image_vtd.h"

#include <iomanip>
#include <sstream>

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kRoot = 0x10000, kContexts = 0x20000, kDirectories = 0x30000, kPasids = 0x40000;
constexpr uint64_t kPool = 0x100000, kPage = 0x1000;
constexpr uint32_t kPoolPages = 16, kFunctions = 4, kPasidsEach = 4;
constexpr size_t kMaxWords = 512, kMaxQueries = 16;
// Two functions of one bus, one in the upper half of its root entry, one of another bus.
constexpr uint16_t kSids[kFunctions] = {0x0000, 0x0009, 0x0082, 0x0110};

// Mostly one of the first four pages.
uint64_t PoolPage(uint64_t bits) {
  return kPool + ((bits & 0x80) != 0 ? bits >> 3 & (kPoolPages - 1) : bits & 3) * kPage;
}

// A second-stage entry. Bits 61:52 mean nothing to a walker: they say how it is made.
uint64_t Fold(uint64_t word) {
  const uint64_t how = word >> 55 & 15;
  const uint64_t flags = word & 0x77c;  // ignored, whatever the level
  const uint64_t rights = (word & 3) != 0 ? word & 3 : 3;
  if (how == 15) return word;
  if (how == 14) return (word & ~uint64_t{0x000ffffffffff000}) | PoolPage(word >> 16);
  if (how == 13) return flags | rights | 0xfee00000 | (word & 0xff000);     // interrupt range
  if (how >= 11) return (word & 0xffffc0000000) | flags | rights | 1 << 7;  // 1 GiB, 2 MiB
  return flags | (how >= 3 ? 3 : rights) | PoolPage(word >> 16) | (word & uint64_t{7} << 52);
}

// A number by its name, in hexadecimal.
void Tell(std::ostream& out, const char* name, uint64_t value) {
  out << name << " 0x" << std::hex << value << " ";
}

}  // namespace

VtdImage::VtdImage(const uint8_t* data, size_t size) {
  ImageBytes in{data, size};
  MakeRegs(&in);
  for (uint32_t n = 0; n < kFunctions; ++n) MakeFunction(&in, n);
  const uint8_t queries = in.Byte() % kMaxQueries;
  for (uint8_t i = 0; i <= queries; ++i) MakeQuery(&in);
  for (size_t i = 0; in.left > 0 && i < kMaxWords; ++i) {
    const uint64_t page = PoolPage(in.Byte());
    const uint32_t slot = TableSlot(in.Byte()) & 511;
    Put(page + 8 * slot, Fold(in.Word()));
  }
}

void VtdImage::MakeRegs(ImageBytes* in) {
  const uint8_t a = in->Byte(), b = in->Byte(), aborts = in->Byte();
  const auto bit = [](bool set, int n) { return uint64_t{set} << n; };
  scalable_ = (a & 1) != 0;
  static constexpr uint64_t kMgaw[] = {48, 48, 57, 57, 39, 42, 52, 64};
  regs_.cap = uint64_t{2} << 8 | (kMgaw[b & 7] - 1) << 16 | uint64_t{18} << 48;  // 3 levels
  regs_.cap |= bit((a & 2) == 0, 34) | bit((a & 4) == 0, 35);                    // 2M, 1G
  regs_.cap |= bit((b & 8) == 0, 10) | bit((b & 16) != 0, 11) | bit((b & 16) != 0, 60);
  // QI; DT, PT, SC; NEST, SSTS, FSTS.
  regs_.ecap = 2 | bit((a & 8) == 0, 2) | bit((a & 16) == 0, 6) | bit((a & 32) != 0, 7);
  regs_.ecap |= bit((b & 64) != 0, 26) | bit(a % 64 != 63, 46) | bit((b & 128) != 0, 47);
  regs_.haw = (a & 64) != 0 ? 52 : (b & 32) != 0 ? 39 : 46;
  regs_.rtaddr = kRoot | (scalable_ ? 0x400 : 0) | (aborts == 0x5a ? 0x800 : 0);
  regs_.enabled = aborts % 32 != 31;
  outside_aborts_ = (aborts & 1) != 0;
  static constexpr uint64_t kPlaces[] = {kRoot, kContexts, kDirectories, kPasids};
  const uint64_t place = aborts >> 4;
  if (aborts % 8 == 7) abort_page_ = place < 4 ? kPlaces[place] : kPool + (place & 7) * kPage;
}

uint64_t VtdImage::Spoil(ImageBytes* in, uint64_t word) {
  return in->Byte() % 32 == 21 ? word ^ uint64_t { 1 } << (in->Byte() & 63) : word;
}

void VtdImage::MakeFunction(ImageBytes* in, uint32_t n) {
  const uint32_t sid = kSids[n], bus = sid >> 8, half = scalable_ ? sid >> 7 & 1 : 0;
  const uint64_t table = kContexts + kPage * (2 * bus + half);
  Put(kRoot + 16 * bus + 8 * half, Spoil(in, table | 1));
  if (scalable_)
    MakeScalable(in, n, table + 32 * (sid & 0x7f));
  else
    MakeLegacy(in, sid, table + 16 * (sid & 0xff));
}

void VtdImage::MakeLegacy(ImageBytes* in, uint32_t sid, uint64_t context) {
  const uint8_t kind = in->Byte(), where = in->Byte();
  static constexpr uint64_t kTypes[] = {0, 0, 0, 1, 1, 1, 2, 3}, kWidths[] = {2, 2, 1, 3};
  const uint64_t word0 = uint64_t{kind % 32 != 31} | uint64_t{(kind & 32) != 0} << 1 |
                         kTypes[kind & 7] << 2 | PoolPage(where);
  const uint64_t word1 = kWidths[kind >> 3 & 3] | uint64_t{sid + 1} << 8;
  Put(context, Spoil(in, word0)), Put(context + 8, Spoil(in, word1));
}

void VtdImage::MakeScalable(ImageBytes* in, uint32_t n, uint64_t context) {
  const uint8_t kind = in->Byte(), more = in->Byte();
  const uint64_t directory = kDirectories + kPage * n;
  const uint64_t word0 = uint64_t{kind % 32 != 31} | uint64_t{(kind & 32) != 0} << 1 |
                         uint64_t{(kind & 3) != 3} << 2 | uint64_t{(kind & 12) != 12} << 3 |
                         uint64_t(kind >> 6) << 9 | directory;
  // RID_PASID, once in a while beyond the directory; RID_PRIV.
  const uint64_t rid = more % 16 == 15 ? more << 9 : more & 3;
  Put(context, Spoil(in, word0)), Put(context + 8, Spoil(in, rid | uint64_t(more >> 7) << 20));
  Put(context + 16, in->Byte() == 0x55 ? in->Byte() : 0);
  const uint64_t table = kPasids + kPage * n;
  const uint8_t silent = in->Byte();  // FPD; only some PASIDs have a table
  Put(directory,
      Spoil(in, table | uint64_t{silent % 32 != 31} | uint64_t{(silent & 32) != 0} << 1));
  for (uint32_t pasid = 0; pasid < kPasidsEach; ++pasid) MakePasid(in, table + 64 * pasid);
}

void VtdImage::MakePasid(ImageBytes* in, uint64_t address) {
  const uint8_t kind = in->Byte(), where = in->Byte(), more = in->Byte();
  static constexpr uint64_t kTypes[] = {2, 2, 2, 2, 4, 1, 3, 0}, kWidths[] = {2, 2, 1, 3};
  const uint64_t word0 = uint64_t{kind % 32 != 31} | uint64_t{(more & 1) != 0} << 1 |
                         kWidths[kind >> 3 & 3] << 2 | kTypes[kind & 7] << 6 |
                         uint64_t{(kind & 64) != 0} << 9 | PoolPage(where);
  Put(address, Spoil(in, word0)), Put(address + 8, Spoil(in, uint64_t{where} + 1));
  // SRE, ERE, FSPM; rarely a reserved bit.
  Put(address + 16, Spoil(in, more >> 1 & 15));
}

void VtdImage::MakeQuery(ImageBytes* in) {
  VtdQuery query;
  const uint8_t what = in->Byte(), how = in->Byte(), width = in->Byte();
  query.sid = (what & 3) == 3 && how % 16 == 15 ? how : kSids[what & 3];
  query.write = (what & 4) != 0;
  query.privileged = (what & 8) != 0;
  query.instruction = (what & 16) != 0;
  query.translationRequest = (what & 0xe0) == 0xe0;
  query.hasPasid = scalable_ ? (how & 3) == 3 : how % 32 == 3;
  // Beyond the tables, the directory, or 20 bits, once in a while.
  if (query.hasPasid) query.pasid = how >= 0xf0 ? in->Byte() << (how & 12) : how >> 2 & 3;
  uint64_t address = in->Byte();
  for (int shift = 12; shift < 57; shift += 9)
    address |= uint64_t{TableSlot(in->Byte()) & 511} << shift;
  const int bits = width % 8 == 7 ? 57 : width % 8 >= 4 ? 48 : 39;
  address &= (uint64_t{1} << bits) - 1;
  if (width >= 0xf8) address ^= in->Word();
  if (width >= 0xf0 && width < 0xf4) address = 0xfedffff8 + uint64_t{in->Byte()} * 0x1020;
  query.address = address;
  queries_.push_back(query);
}

bool VtdImage::Read64(uint64_t address, uint64_t* value) {
  *value = 0;
  if (abort_page_ != 0 && address / kPage == abort_page_ / kPage) return false;
  if (outside_aborts_ && address >= kPool + kPoolPages * kPage) return false;
  read_.insert(address);
  const auto it = words_.find(address);
  if (it != words_.end()) *value = it->second;
  return true;
}

std::string VtdImage::Text() const {
  std::ostringstream out;
  Tell(out, "cap", regs_.cap), Tell(out, "ecap", regs_.ecap), Tell(out, "haw", regs_.haw);
  Tell(out, "rtaddr", regs_.rtaddr), Tell(out, "enabled", regs_.enabled ? 1 : 0);
  Tell(out, "abort page", abort_page_), Tell(out, "outside aborts", outside_aborts_ ? 1 : 0);
  out << "\n";
  for (const auto& [address, word] : words_)
    if (word != 0 && read_.count(address) != 0)
      out << "[0x" << std::hex << address << "]=0x" << word << "\n";
  return out.str();
}

std::string AnswerText(const VtdAnswer& a) {
  std::ostringstream out;
  Tell(out, "reason", a.reason), Tell(out, "recorded", a.recorded ? 1 : 0);
  Tell(out, "interrupt", a.interrupt ? 1 : 0), Tell(out, "pass-through", a.passThrough ? 1 : 0);
  Tell(out, "pa", a.pa), Tell(out, "rights", a.rights), Tell(out, "size", a.size);
  Tell(out, "did", a.did), Tell(out, "pgtt", a.pgtt);
  Tell(out, "record", a.record[0]), Tell(out, ",", a.record[1]);
  return out.str();
}

std::string CompareVtdWalks(const uint8_t* data, size_t size, VtdWalker model,
                            VtdWalker reference) {
  VtdImage image(data, size);
  for (const VtdQuery& query : image.queries()) {
    image.ForgetReads();
    const VtdAnswer is = model(image.regs(), image, query);
    const VtdAnswer should_be = reference(image.regs(), image, query);
    if (is == should_be) continue;
    std::ostringstream out;
    Tell(out, "query sid", query.sid), Tell(out, "address", query.address);
    if (query.hasPasid) Tell(out, "pasid", query.pasid);
    out << (query.write ? "write" : "read") << (query.privileged ? " privileged" : "")
        << (query.instruction ? " instruction" : "")
        << (query.translationRequest ? " translation request" : "");
    return out.str() + "\nshould be " + AnswerText(should_be) + "\nis        " + AnswerText(is) +
           "\n" + image.Text();
  }
  return "";
}

}  // namespace twinwalk::fuzz
