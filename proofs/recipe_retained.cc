// The part of Recipe that makes hardware remember: one DMA of a helper for each retained entry.
#include "proofs/recipe.h"

namespace twinwalk::proofs {
namespace {

constexpr uint64_t kPage = 4096;
// Guest tables of a helper: IPA, far from the areas of a counterexample, and user address.
constexpr uint64_t kTablesIpa = 0x70'0000'0000, kTablesVa = 0x6000'0000'0000;

}  // namespace

void Recipe::StoreWords(uint64_t context, uint64_t address, const std::vector<uint64_t>& words) {
  Op op;
  op.kind = OpKind::kMemWrite;
  op.process = static_cast<uint8_t>(ProcessOf(context));
  op.memWrite.map = kDanglingHandle, op.memWrite.address = address;
  for (uint64_t word : words) op.blob.append(reinterpret_cast<const char*>(&word), 8);
  Add(op);
}

// What a nested walk leaves: tables of its own in guest memory map the page, one DMA walks them.
// Words as in vector I1 of the SMMUv3 sheet: 48-bit stage 1, 4 KiB granule, four levels.
void Recipe::FillNested(const HwptRow<Concrete>& hwpt, const RetainedRow<Concrete>& r) {
  const uint64_t context = ContextOfKey(hwpt.key);
  if (r.first >= uint64_t{1} << 47) {
    Fail("a retained entry beyond 47 bits");
    return;
  }
  const uint64_t slot = trace_.ops.size() * 0x10000;  // apart from earlier ones
  const uint64_t ipa = kTablesIpa + slot, va = kTablesVa + slot;
  Op memory;
  memory.kind = OpKind::kMmap;
  memory.process = static_cast<uint8_t>(ProcessOf(context));
  memory.mmap.base = va, memory.mmap.length = 5 * kPage;
  memory.mmap.prot = kProtRead | kProtWrite;
  Add(memory);
  Op map = Call(OpKind::kIoasMap, context);
  map.ioasMap.flags = 7, map.ioasMap.ioasId = Made(hwpt.ioas);
  map.ioasMap.userVa = va, map.ioasMap.length = 5 * kPage, map.ioasMap.iova = ipa;
  map.results |= 2;
  Add(map);
  const auto index = [&](int level) { return r.first >> (39 - 9 * level) & 511; };
  StoreWords(context, va, {0xe204c0000010 | r.asid << 48, ipa + kPage, 0});
  for (uint64_t level = 0; level < 3; ++level)
    StoreWords(context, va + (level + 1) * kPage + index(static_cast<int>(level)) * 8,
               {(ipa + (level + 2) * kPage) | 3});
  const bool writable = r.kind == kWalkStage1 || (r.v1 & kWrite) != 0;
  const uint64_t target = r.kind == kWalkStage1 ? ipa : r.v0;
  StoreWords(context, va + 4 * kPage + index(3) * 8,
             {target | 0x443 | (r.global != 0 ? 0 : 0x800) | (writable ? 0 : 0x80)});

  uint64_t viommu = 0;
  Rows(view_->viommus, [&](const auto& m) {
    if (m.hwpt == hwpt.key) viommu = m.key;
  });
  const uint64_t helper = Helper(context, hwpt.smmu);
  if (viommu == 0) {
    viommu = ~hwpt.key;  // a helper's
    Op op = Call(OpKind::kViommuAlloc, context);
    op.viommuAlloc.type = 1;
    op.viommuAlloc.devId = Made(~helper), op.viommuAlloc.hwptId = Made(hwpt.key);
    op.results |= 6;
    if (!made_.contains(viommu)) made_[viommu] = static_cast<uint32_t>(Add(op));
  }
  Op vdevice = Call(OpKind::kVdeviceAlloc, context);
  vdevice.vdeviceAlloc.viommuId = Made(viommu), vdevice.vdeviceAlloc.devId = Made(~helper);
  vdevice.vdeviceAlloc.virtId = 0xffff'0000 + slot;
  vdevice.results |= 6;
  Add(vdevice);
  Op nested = Call(OpKind::kHwptAlloc, context);
  nested.hwptAlloc.devId = Made(~helper), nested.hwptAlloc.ptId = Made(viommu);
  nested.hwptAlloc.dataType = 2, nested.hwptAlloc.dataLen = 16, nested.hwptAlloc.dataPtr = 0x1000;
  nested.results |= 6;
  for (uint64_t word : {ipa | 0xb, uint64_t{0}})
    nested.blob.append(reinterpret_cast<const char*>(&word), 8);
  made_[~nested.hwptAlloc.dataPtr - slot] = static_cast<uint32_t>(Add(nested));
  Attach(helper, ~nested.hwptAlloc.dataPtr - slot);
  Op dma;
  dma.kind = OpKind::kDma;
  dma.dma.device = static_cast<uint32_t>(helper - 1);
  dma.dma.flags = (r.rights & kRead) != 0 ? 0 : kDmaWrite;
  dma.dma.iova = r.first, dma.dma.length = 1;
  if (dma.dma.flags != 0) dma.blob = std::string(1, '\0');
  Add(dma);
  Add(CdevCall(OpKind::kDetachIommufdPt, helper));
}

// A DMA of a helper, attached for the occasion, leaves the entry behind.
void Recipe::FillRetained() {
  Rows(view_->retained, [&](const RetainedRow<Concrete>& r) {
    const bool stage2 = r.kind == kLeafStage2, host = r.kind == kLeafStage1 && r.vmid == 0;
    if (r.kind == kConfig) {
      Rows(view_->devices, [&](const DeviceRow<Concrete>& d) {
        if (d.smmu != r.smmu || d.sid != r.sid) return;
        Op dma;
        dma.kind = OpKind::kDma;
        dma.dma.device = static_cast<uint32_t>(d.key - 1);
        dma.dma.iova = 0xffff'ffff'f000, dma.dma.length = 1;
        Add(dma);
      });
      return;
    }
    if (r.kind == kCd || r.kind == kWalkStage2) {
      Fail("a retained entry of kind " + std::to_string(r.kind));
      return;
    }
    const HwptRow<Concrete>* hwpt = nullptr;
    Rows(view_->hwpts, [&](const HwptRow<Concrete>& h) {
      if (h.smmu == r.smmu && h.vmid == r.vmid && (!host || h.asid == r.asid)) hwpt = &h;
    });
    if (hwpt == nullptr) {
      Fail("a retained entry of a tag that nobody has");
      return;
    }
    if (!stage2 && !host) {
      FillNested(*hwpt, r);
      return;
    }
    const uint64_t helper = Helper(ContextOfKey(hwpt->key), hwpt->smmu);
    Attach(helper, hwpt->key);
    Op dma;
    dma.kind = OpKind::kDma;
    dma.dma.device = static_cast<uint32_t>(helper - 1);
    dma.dma.flags = (r.rights & kRead) != 0 ? 0 : kDmaWrite;
    dma.dma.iova = r.first, dma.dma.length = 1;
    if (dma.dma.flags != 0) dma.blob = std::string(1, '\0');
    Add(dma);
    Add(CdevCall(OpKind::kDetachIommufdPt, helper));
  });
}

}  // namespace twinwalk::proofs
