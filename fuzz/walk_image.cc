#include "fuzz/walk_image.h"

#include <cstdio>

namespace twinwalk::fuzz {
namespace {

constexpr uint64_t kStreamTable = 0x10000, kSecondLevel = 0x18000, kContexts = 0x20000;
constexpr uint64_t kPool =
    0x100000;  // table pages of 64 KiB distance, so that they serve any granule
constexpr uint32_t kPoolPages = 16;
constexpr uint64_t kPoolStep = 0x10000;
constexpr uint32_t kStreams = 4;
constexpr size_t kMaxWords = 512, kMaxQueries = 16;

std::string Format(const char* format, uint64_t a, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  char line[200];
  std::snprintf(line, sizeof line, format, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b), static_cast<unsigned long long>(c),
                static_cast<unsigned long long>(d));
  return line;
}

}  // namespace

uint8_t ImageBytes::Byte() {
  if (left == 0) return 0;
  --left;
  return *at++;
}

uint64_t ImageBytes::Word() {
  uint64_t word = 0;
  for (int i = 0; i < 64; i += 8) word |= uint64_t{Byte()} << i;
  return word;
}

uint32_t TableSlot(uint8_t byte) {
  static constexpr uint32_t kBases[] = {0, 4, 252, 508, 1020, 2044, 4092, 8188};
  return byte < 192 ? byte & 3 : kBases[byte >> 3 & 7] + (byte & 7);
}

// Mostly one of the first four pages.
uint64_t WalkImage::Page(uint64_t bits) {
  return kPool + ((bits & 0x80) != 0 ? bits >> 3 & (kPoolPages - 1) : bits & 3) * kPoolStep;
}

uint64_t WalkImage::Fold(uint64_t word) {
  const uint64_t how = word >> 55 & 15;  // software bits: no walker reads them
  if (how == 15) return word;
  const uint64_t page = Page(word >> 16);
  if (how >= 12) return (word & ~uint64_t{0x0000ffffffff0000}) | page;
  word = (word & ~uint64_t{0x0000fffffffff000}) | page;
  word |= 3 | uint64_t{1} << 10;                            // valid, table or page, accessed
  return how >= 6 ? word : word & ~(uint64_t{0x1f} << 59);  // no limits, or those given
}

WalkImage::WalkImage(const uint8_t* data, size_t size) {
  Bytes in{data, size};
  MakeRegs(&in);
  for (uint32_t sid = 0; sid < kStreams; ++sid) MakeStream(&in, sid);
  const uint8_t queries = in.Byte() % kMaxQueries;
  for (uint8_t i = 0; i <= queries; ++i) MakeQuery(&in);
  for (size_t i = 0; in.left > 0 && i < kMaxWords; ++i) {
    const uint64_t page = Page(in.Byte());
    const uint32_t slot = TableSlot(in.Byte());
    Put(page + 8 * slot, Fold(in.Word()));
  }
}

void WalkImage::MakeRegs(Bytes* in) {
  regs_.idr = {0x0d44101b & ~(1u << 26), 0x02730010, 0, 0x1414, 0, 0x74};
  const uint8_t a = in->Byte(), b = in->Byte();
  if ((a & 1) != 0) regs_.idr[0] |= 1u << 26;                      // TERM_MODEL
  if ((a & 2) != 0) regs_.idr[0] &= ~(3u << 24);                   // STALL_MODEL 0
  if ((a & 4) != 0) regs_.idr[1] |= 8u << 6;                       // SSIDSIZE 8
  if ((a & 8) != 0) regs_.idr[3] |= 1u << 9;                       // STT
  if ((a & 16) != 0) regs_.idr[0] |= 2u << 6;                      // HTTU
  regs_.idr[5] = (regs_.idr[5] & ~7u) | (b % 7 == 6 ? 4 : b % 7);  // OAS, no 52 bits
  if ((b & 64) != 0) regs_.idr[0] &= ~(1u << (b >> 7));            // no S1P or no S2P
  regs_.enabled = a % 32 != 31;
  regs_.gbpaAbort = (a & 32) != 0;
  regs_.recInvSid = (a & 64) != 0;
  regs_.strtabBase = kStreamTable;
  regs_.strtabBaseCfg = 2;
  if ((a & 128) != 0) {  // two levels: one array of streams behind the first entry
    regs_.strtabBaseCfg = 8 | 6 << 6 | 1 << 16;
    const uint8_t span = in->Byte();
    Put(kStreamTable, kSecondLevel | (span % 8 == 7 ? span % 32 : 3));
  }
  const uint8_t aborts = in->Byte();
  outside_aborts_ = (aborts & 1) != 0;
  abort_page_ = aborts % 8 == 7 ? kPool + (aborts >> 4) * kPoolStep : 0;
}

void WalkImage::MakeStream(Bytes* in, uint32_t sid) {
  const uint64_t base = ((regs_.strtabBaseCfg >> 16) == 1 ? kSecondLevel : kStreamTable) + 64 * sid;
  const uint8_t kind = in->Byte(), sizes = in->Byte(), more = in->Byte();
  static constexpr uint64_t kConfigs[] = {5, 5, 6, 6, 7, 7, 7, 4};
  uint64_t word0 = 1 | (kind % 64 == 63 ? 0 : kConfigs[kind & 7]) << 1;
  const bool nested = (word0 >> 1 & 7) == 7;
  // An IPA when nested: in the first pages, whose entries are in most tables.
  const uint64_t context = nested ? 0x1000 * (kind >> 4 & 3) + 0x800 : kContexts + 0x1000 * sid;
  word0 |= context;
  uint64_t word1 = 0;
  if ((more & 3) == 3 && (regs_.idr[1] >> 6 & 31) != 0)
    word0 |= uint64_t{2} << 59, word1 |= more >> 2 & 3;  // substreams, S1DSS
  // Granule, size and start level of stage 2 that fit together: input bits, SL0, TG.
  struct Shape {
    uint64_t bits, level, granule;
  };
  static constexpr Shape kShapes[] = {{48, 2, 0}, {39, 1, 0}, {40, 1, 0}, {44, 2, 0},
                                      {32, 1, 0}, {42, 1, 0}, {36, 1, 2}, {47, 2, 2},
                                      {40, 1, 2}, {42, 1, 1}, {48, 2, 1}, {29, 0, 1},
                                      {30, 0, 0}, {34, 0, 0}, {25, 0, 0}, {44, 1, 2}};
  Shape shape = kShapes[sizes & 15];
  if ((sizes & 0xf0) == 0xf0) shape.level = more & 3;
  if ((sizes & 0xf0) == 0xe0) shape.bits = 16 + (more & 63);
  const uint64_t output = (sizes & 0x10) != 0 ? 5 : (more >> 4 & 7);
  uint64_t word2 = (kind >> 3) | ((64 - shape.bits) & 63) << 32 | shape.level << 38 |
                   shape.granule << 46 | output << 48 | uint64_t{1} << 51 |
                   uint64_t{(more & 8) != 0} << 53 | uint64_t{(more & 128) != 0} << 58;
  uint64_t word3 = Page(kind >> 4);
  if (more == 0x55) word0 ^= uint64_t{1} << (in->Byte() & 63);
  if (more == 0x56) word1 ^= uint64_t{1} << (in->Byte() & 63);
  if (more == 0x57) word2 ^= uint64_t{1} << (in->Byte() & 63);
  if (more == 0x58) word3 ^= uint64_t{1} << (in->Byte() & 63);
  Put(base, word0), Put(base + 8, word1), Put(base + 16, word2), Put(base + 24, word3);
  MakeContext(in, nested ? std::vector<uint64_t>{0x800, context & 0xffff} : std::vector<uint64_t>{},
              context);
}

// At `address`, or, when it is reached through stage 2, at these offsets of the pages that it may
// be in.
void WalkImage::MakeContext(Bytes* in, const std::vector<uint64_t>& offsets, uint64_t address) {
  const uint8_t sizes = in->Byte(), flags = in->Byte(), where = in->Byte();
  static constexpr uint64_t kBits[] = {48, 39, 36, 42, 32, 25, 47, 30};
  static constexpr uint64_t kTg1[] = {2, 3, 1, 0};  // 4K, 64K, 16K, reserved
  const uint64_t granule = sizes >> 3 & 3;
  uint64_t word0 = (64 - kBits[sizes & 7]) | granule << 6 | (64 - kBits[flags & 7]) << 16 |
                   kTg1[granule] << 22 | uint64_t{1} << 31 | uint64_t{(sizes >> 5 & 7u)} << 32 |
                   uint64_t{1} << 41 | uint64_t{1} << 46 | uint64_t{where} << 48;
  if ((flags & 8) != 0) word0 |= uint64_t{1} << 30;    // EPD1
  if ((flags & 16) != 0) word0 |= uint64_t{1} << 45;   // R
  if ((flags & 32) != 0) word0 |= uint64_t{1} << 35;   // AFFD
  if ((flags & 64) != 0) word0 |= uint64_t{3} << 38;   // TBI
  if ((flags & 128) != 0) word0 |= uint64_t{1} << 36;  // WXN
  uint64_t word1 = Page(where), word2 = Page(where >> 2);
  if (flags % 32 == 5) word1 |= 1;  // HAD0
  if (flags % 32 == 6) word2 |= 1;
  if (sizes == 0xa5) word0 ^= uint64_t{1} << (in->Byte() & 63);
  const auto put = [&](uint64_t at) { Put(at, word0), Put(at + 8, word1), Put(at + 16, word2); };
  if (offsets.empty()) put(address);
  for (uint64_t offset : offsets)
    for (uint64_t page = 0; page < 4; ++page) put(kPool + page * kPoolStep + offset);
}

void WalkImage::MakeQuery(Bytes* in) {
  WalkQuery query;
  const uint8_t what = in->Byte();
  query.sid = what & 7;
  query.write = (what & 8) != 0;
  query.privileged = (what & 16) != 0;
  query.instruction = (what & 32) != 0;
  query.hasSsid = (what & 0xc0) == 0xc0;
  if (query.hasSsid) query.ssid = in->Byte() & 7;
  const uint8_t granule = in->Byte();
  const int bits = (granule & 3) == 1 ? 14 : (granule & 3) == 2 ? 16 : 12;
  uint64_t address = in->Byte();
  for (int shift = bits, level = 0; level < 4 && shift < 60; ++level, shift += bits - 3)
    address |= (TableSlot(in->Byte()) & ((uint64_t{1} << (bits - 3)) - 1)) << shift;
  if ((granule & 0x30) == 0x10) address |= 0xffff000000000000;
  if ((granule & 0x30) == 0x20) address |= 0xffffff8000000000;
  if (granule >= 0xf0)
    address ^= in->Word();
  else
    address &= (granule & 0x40) != 0 ? 0x7fffffffff : ~uint64_t{0};
  query.address = address;
  queries_.push_back(query);
}

bool WalkImage::Read64(uint64_t address, uint64_t* value) {
  *value = 0;
  if (abort_page_ != 0 && address / kPoolStep == abort_page_ / kPoolStep) return false;
  if (outside_aborts_ && address >= kPool + kPoolPages * kPoolStep) return false;
  read_.insert(address);
  const auto it = words_.find(address);
  if (it != words_.end()) *value = it->second;
  return true;
}

std::string WalkImage::Text() const {
  std::string text = "idr";
  for (uint32_t word : regs_.idr) text += Format(" 0x%llx", word);
  text += Format("\nenabled %llu gbpaAbort %llu recInvSid %llu hyp2E2h %llu\n", regs_.enabled,
                 regs_.gbpaAbort, regs_.recInvSid, regs_.hyp2E2h);
  text += Format("strtabBase 0x%llx strtabBaseCfg 0x%llx abort page 0x%llx outside aborts %llu\n",
                 regs_.strtabBase, regs_.strtabBaseCfg, abort_page_, outside_aborts_);
  for (const auto& [address, word] : words_)
    if (word != 0 && read_.count(address) != 0) text += Format("[0x%llx]=0x%llx\n", address, word);
  return text;
}

std::string AnswerText(const WalkAnswer& a) {
  std::string text =
      Format("event 0x%llx bypass %llu pa 0x%llx rights %llu", a.event, a.bypass, a.pa, a.rights);
  text += Format(" size 0x%llx vmid %llu asid %llu global %llu", a.size, a.vmid, a.asid, a.global);
  return text + Format(" record {0x%llx, 0x%llx, 0x%llx, 0x%llx}", a.record[0], a.record[1],
                       a.record[2], a.record[3]);
}

std::string CompareWalks(const uint8_t* data, size_t size, Walker model, Walker reference) {
  WalkImage image(data, size);
  for (const WalkQuery& query : image.queries()) {
    image.ForgetReads();
    const WalkAnswer is = model(image.regs(), image, query);
    const WalkAnswer should_be = reference(image.regs(), image, query);
    if (is == should_be) continue;
    std::string text = Format("query sid %llu ssid %lld address 0x%llx", query.sid,
                              query.hasSsid ? query.ssid : ~uint64_t{0}, query.address);
    text += Format(" write %llu privileged %llu instruction %llu\n", query.write, query.privileged,
                   query.instruction);
    return text + "should be " + AnswerText(should_be) + "\nis        " + AnswerText(is) + "\n" +
           image.Text();
  }
  return "";
}

}  // namespace twinwalk::fuzz
