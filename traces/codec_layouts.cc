#include "traces/codec_layouts.h"

#include <cstddef>
#include <iterator>

namespace twinwalk {
namespace {

#define AT(user, member) \
  { user, sizeof(OpData::member), offsetof(OpData, member) }

constexpr FieldAt kBind[] = {AT(4, bind.flags), AT(8, bind.iommufd), AT(12, bind.outDevid),
                             AT(16, bind.tokenPtr)};
constexpr FieldAt kAttach[] = {AT(4, attach.flags), AT(8, attach.ptId), AT(12, attach.pasid)};
constexpr FieldAt kDetach[] = {AT(4, detach.flags), AT(8, detach.pasid)};
constexpr FieldAt kIoasAlloc[] = {AT(4, ioasAlloc.flags), AT(8, ioasAlloc.outIoasId)};
constexpr FieldAt kIoasMap[] = {AT(4, ioasMap.flags),     AT(8, ioasMap.ioasId),
                                AT(12, ioasMap.reserved), AT(16, ioasMap.userVa),
                                AT(24, ioasMap.length),   AT(32, ioasMap.iova)};
constexpr FieldAt kIoasUnmap[] = {AT(4, ioasUnmap.ioasId), AT(8, ioasUnmap.iova),
                                  AT(16, ioasUnmap.length)};
constexpr FieldAt kIovaRanges[] = {
    AT(4, ioasIovaRanges.ioasId), AT(8, ioasIovaRanges.numIovas), AT(12, ioasIovaRanges.reserved),
    AT(16, ioasIovaRanges.allowedIovas), AT(24, ioasIovaRanges.outIovaAlignment)};
constexpr FieldAt kGetHwInfo[] = {
    AT(4, getHwInfo.flags),           AT(8, getHwInfo.devId),
    AT(12, getHwInfo.dataLen),        AT(16, getHwInfo.dataPtr),
    AT(24, getHwInfo.dataType),       AT(28, getHwInfo.maxPasidAndReserved),
    AT(32, getHwInfo.outCapabilities)};
constexpr FieldAt kHwptAlloc[] = {AT(4, hwptAlloc.flags),     AT(8, hwptAlloc.devId),
                                  AT(12, hwptAlloc.ptId),     AT(16, hwptAlloc.outHwptId),
                                  AT(20, hwptAlloc.reserved), AT(24, hwptAlloc.dataType),
                                  AT(28, hwptAlloc.dataLen),  AT(32, hwptAlloc.dataPtr),
                                  AT(40, hwptAlloc.faultId),  AT(44, hwptAlloc.reserved2)};
constexpr FieldAt kViommuAlloc[] = {AT(4, viommuAlloc.flags),        AT(8, viommuAlloc.type),
                                    AT(12, viommuAlloc.devId),       AT(16, viommuAlloc.hwptId),
                                    AT(20, viommuAlloc.outViommuId), AT(24, viommuAlloc.dataLen),
                                    AT(28, viommuAlloc.reserved),    AT(32, viommuAlloc.dataPtr)};
constexpr FieldAt kVdeviceAlloc[] = {AT(4, vdeviceAlloc.viommuId), AT(8, vdeviceAlloc.devId),
                                     AT(12, vdeviceAlloc.outVdeviceId),
                                     AT(16, vdeviceAlloc.virtId)};
constexpr FieldAt kVeventqAlloc[] = {
    AT(4, veventqAlloc.flags),         AT(8, veventqAlloc.viommuId),
    AT(12, veventqAlloc.type),         AT(16, veventqAlloc.depth),
    AT(20, veventqAlloc.outVeventqId), AT(24, veventqAlloc.outVeventqFd),
    AT(28, veventqAlloc.reserved)};
constexpr FieldAt kInvalidate[] = {
    AT(4, hwptInvalidate.hwptId),    AT(8, hwptInvalidate.dataPtr),
    AT(16, hwptInvalidate.dataType), AT(20, hwptInvalidate.entryLen),
    AT(24, hwptInvalidate.entryNum), AT(28, hwptInvalidate.reserved)};
constexpr FieldAt kDestroy[] = {AT(4, destroy.id)};

// vfio-type1 sheet 5, 6, 8..11; iommufd sheet 3.1 for the rest.
constexpr FieldAt kVfioIommuGetInfo[] = {
    AT(4, vfioIommuGetInfo.flags), AT(16, vfioIommuGetInfo.capOffset), AT(20, vfioIommuGetInfo.pad),
    AT(8, vfioIommuGetInfo.iovaPgsizes)};
constexpr FieldAt kVfioIommuMapDma[] = {AT(4, vfioIommuMapDma.flags), AT(8, vfioIommuMapDma.vaddr),
                                        AT(16, vfioIommuMapDma.iova),
                                        AT(24, vfioIommuMapDma.length)};
constexpr FieldAt kVfioIommuUnmapDma[] = {
    AT(4, vfioIommuUnmapDma.flags),       AT(8, vfioIommuUnmapDma.iova),
    AT(16, vfioIommuUnmapDma.length),     AT(24, vfioIommuUnmapDma.bitmapPgsize),
    AT(32, vfioIommuUnmapDma.bitmapSize), AT(40, vfioIommuUnmapDma.bitmapData)};
constexpr FieldAt kVfioIommuDirtyPages[] = {
    AT(4, vfioIommuDirtyPages.flags),       AT(8, vfioIommuDirtyPages.iova),
    AT(16, vfioIommuDirtyPages.length),     AT(24, vfioIommuDirtyPages.bitmapPgsize),
    AT(32, vfioIommuDirtyPages.bitmapSize), AT(40, vfioIommuDirtyPages.bitmapData)};
constexpr FieldAt kVfioGroupGetStatus[] = {AT(4, vfioGroupGetStatus.flags)};
constexpr FieldAt kVfioGroupSetContainer[] = {AT(0, vfioGroupSetContainer.container)};
constexpr FieldAt kVfioDeviceGetInfo[] = {
    AT(4, vfioDeviceGetInfo.flags), AT(8, vfioDeviceGetInfo.numRegions),
    AT(12, vfioDeviceGetInfo.numIrqs), AT(16, vfioDeviceGetInfo.capOffset),
    AT(20, vfioDeviceGetInfo.pad)};
constexpr FieldAt kVfioDeviceGetRegionInfo[] = {
    AT(4, vfioDeviceGetRegionInfo.flags), AT(8, vfioDeviceGetRegionInfo.index),
    AT(12, vfioDeviceGetRegionInfo.capOffset), AT(16, vfioDeviceGetRegionInfo.regionSize),
    AT(24, vfioDeviceGetRegionInfo.regionOffset)};
constexpr FieldAt kVfioDeviceGetIrqInfo[] = {AT(4, vfioDeviceGetIrqInfo.flags),
                                             AT(8, vfioDeviceGetIrqInfo.index),
                                             AT(12, vfioDeviceGetIrqInfo.count)};
constexpr FieldAt kVfioDeviceSetIrqs[] = {
    AT(4, vfioDeviceSetIrqs.flags), AT(8, vfioDeviceSetIrqs.index), AT(12, vfioDeviceSetIrqs.start),
    AT(16, vfioDeviceSetIrqs.count)};
constexpr FieldAt kVfioPciHotResetInfo[] = {AT(4, vfioPciHotResetInfo.flags),
                                            AT(8, vfioPciHotResetInfo.count)};
constexpr FieldAt kVfioPciHotReset[] = {AT(4, vfioPciHotReset.flags), AT(8, vfioPciHotReset.count)};
constexpr FieldAt kVfioDeviceIoeventfd[] = {
    AT(4, vfioDeviceIoeventfd.flags), AT(24, vfioDeviceIoeventfd.eventfd),
    AT(8, vfioDeviceIoeventfd.offset), AT(16, vfioDeviceIoeventfd.data),
    AT(28, vfioDeviceIoeventfd.reserved)};
constexpr FieldAt kVfioDeviceFeature[] = {AT(4, vfioDeviceFeature.flags)};
constexpr FieldAt kIoasAllowIovas[] = {AT(4, ioasAllowIovas.ioasId), AT(8, ioasAllowIovas.numIovas),
                                       AT(12, ioasAllowIovas.reserved),
                                       AT(16, ioasAllowIovas.allowedIovas)};
constexpr FieldAt kIoasCopy[] = {AT(4, ioasCopy.flags),      AT(8, ioasCopy.dstIoasId),
                                 AT(12, ioasCopy.srcIoasId), AT(16, ioasCopy.length),
                                 AT(24, ioasCopy.dstIova),   AT(32, ioasCopy.srcIova)};
constexpr FieldAt kIoasMapFile[] = {AT(4, ioasMapFile.flags),   AT(8, ioasMapFile.ioasId),
                                    AT(12, ioasMapFile.file),   AT(16, ioasMapFile.start),
                                    AT(24, ioasMapFile.length), AT(32, ioasMapFile.iova)};
constexpr FieldAt kIommuOption[] = {AT(4, iommuOption.optionId), AT(12, iommuOption.objectId),
                                    AT(8, iommuOption.op), AT(10, iommuOption.reserved),
                                    AT(16, iommuOption.val64)};
constexpr FieldAt kVfioIoas[] = {AT(4, vfioIoas.ioasId), AT(8, vfioIoas.op),
                                 AT(10, vfioIoas.reserved)};
constexpr FieldAt kHwptSetDirty[] = {AT(4, hwptSetDirty.flags), AT(8, hwptSetDirty.hwptId),
                                     AT(12, hwptSetDirty.reserved)};
constexpr FieldAt kHwptGetDirty[] = {AT(4, hwptGetDirty.hwptId),    AT(8, hwptGetDirty.flags),
                                     AT(12, hwptGetDirty.reserved), AT(16, hwptGetDirty.iova),
                                     AT(24, hwptGetDirty.length),   AT(32, hwptGetDirty.pageSize),
                                     AT(40, hwptGetDirty.data)};
constexpr FieldAt kFaultQueueAlloc[] = {AT(4, faultQueueAlloc.flags),
                                        AT(8, faultQueueAlloc.outFaultId),
                                        AT(12, faultQueueAlloc.outFaultFd)};
constexpr FieldAt kIoasChangeProcess[] = {AT(4, ioasChangeProcess.reserved)};

// The argument is the number itself.
constexpr FieldAt kApiVersion[] = {AT(0, vfioGetApiVersion.arg)};
constexpr FieldAt kCheckExtension[] = {AT(0, vfioCheckExtension.arg)};
constexpr FieldAt kSetIommu[] = {AT(0, vfioSetIommu.arg)};
constexpr FieldAt kUnsetContainer[] = {AT(0, vfioGroupUnsetContainer.arg)};
constexpr FieldAt kGetDeviceFd[] = {AT(0, vfioGroupGetDeviceFd.arg)};
constexpr FieldAt kReset[] = {AT(0, vfioDeviceReset.arg)};

#define FIELDS(table) table, std::size(table)
constexpr Frontend kContainer = Frontend::kContainer;
constexpr Frontend kGroup = Frontend::kGroup;
constexpr Frontend kDevice = Frontend::kDevice;
constexpr Shape kStruct = Shape::kStruct;
constexpr Layout kLayouts[] = {
    {OpKind::kBindIommufd, 0x3b76, kDevice, kStruct, FIELDS(kBind), "token_uuid",
     offsetof(OpData, bind.tokenPtr)},
    {OpKind::kAttachIommufdPt, 0x3b77, kDevice, kStruct, FIELDS(kAttach)},
    {OpKind::kDetachIommufdPt, 0x3b78, kDevice, kStruct, FIELDS(kDetach)},
    {OpKind::kDestroy, 0x3b80, kContainer, kStruct, FIELDS(kDestroy)},
    {OpKind::kIoasAlloc, 0x3b81, kContainer, kStruct, FIELDS(kIoasAlloc)},
    {OpKind::kIoasAllowIovas, 0x3b82, kContainer, kStruct, FIELDS(kIoasAllowIovas), "allowed_iovas",
     offsetof(OpData, ioasAllowIovas.allowedIovas)},
    {OpKind::kIoasCopy, 0x3b83, kContainer, kStruct, FIELDS(kIoasCopy)},
    {OpKind::kIoasIovaRanges, 0x3b84, kContainer, kStruct, FIELDS(kIovaRanges), "allowed_iovas",
     offsetof(OpData, ioasIovaRanges.allowedIovas), offsetof(OpData, ioasIovaRanges.bufWritable)},
    {OpKind::kIoasMap, 0x3b85, kContainer, kStruct, FIELDS(kIoasMap)},
    {OpKind::kIoasUnmap, 0x3b86, kContainer, kStruct, FIELDS(kIoasUnmap)},
    {OpKind::kIommuOption, 0x3b87, kContainer, kStruct, FIELDS(kIommuOption)},
    {OpKind::kVfioIoas, 0x3b88, kContainer, kStruct, FIELDS(kVfioIoas)},
    {OpKind::kHwptAlloc, 0x3b89, kContainer, kStruct, FIELDS(kHwptAlloc), "data",
     offsetof(OpData, hwptAlloc.dataPtr)},
    {OpKind::kGetHwInfo, 0x3b8a, kContainer, kStruct, FIELDS(kGetHwInfo), "data",
     offsetof(OpData, getHwInfo.dataPtr), offsetof(OpData, getHwInfo.bufWritable)},
    {OpKind::kHwptSetDirty, 0x3b8b, kContainer, kStruct, FIELDS(kHwptSetDirty)},
    {OpKind::kHwptGetDirty, 0x3b8c, kContainer, kStruct, FIELDS(kHwptGetDirty), "bitmap",
     offsetof(OpData, hwptGetDirty.data), offsetof(OpData, hwptGetDirty.bufWritable)},
    {OpKind::kHwptInvalidate, 0x3b8d, kContainer, kStruct, FIELDS(kInvalidate), "data",
     offsetof(OpData, hwptInvalidate.dataPtr)},
    {OpKind::kFaultQueueAlloc, 0x3b8e, kContainer, kStruct, FIELDS(kFaultQueueAlloc)},
    {OpKind::kIoasMapFile, 0x3b8f, kContainer, kStruct, FIELDS(kIoasMapFile)},
    {OpKind::kViommuAlloc, 0x3b90, kContainer, kStruct, FIELDS(kViommuAlloc), "data",
     offsetof(OpData, viommuAlloc.dataPtr)},
    {OpKind::kVdeviceAlloc, 0x3b91, kContainer, kStruct, FIELDS(kVdeviceAlloc)},
    {OpKind::kIoasChangeProcess, 0x3b92, kContainer, kStruct, FIELDS(kIoasChangeProcess)},
    {OpKind::kVeventqAlloc, 0x3b93, kContainer, kStruct, FIELDS(kVeventqAlloc)},

    {OpKind::kVfioGetApiVersion, 0x3b64, kContainer, Shape::kNumber, FIELDS(kApiVersion)},
    {OpKind::kVfioCheckExtension, 0x3b65, kContainer, Shape::kNumber, FIELDS(kCheckExtension)},
    {OpKind::kVfioSetIommu, 0x3b66, kContainer, Shape::kNumber, FIELDS(kSetIommu)},
    {OpKind::kVfioIommuGetInfo, 0x3b70, kContainer, kStruct, FIELDS(kVfioIommuGetInfo)},
    {OpKind::kVfioIommuMapDma, 0x3b71, kContainer, kStruct, FIELDS(kVfioIommuMapDma)},
    {OpKind::kVfioIommuUnmapDma, 0x3b72, kContainer, kStruct, FIELDS(kVfioIommuUnmapDma),
     "bitmap.data", offsetof(OpData, vfioIommuUnmapDma.bitmapData),
     offsetof(OpData, vfioIommuUnmapDma.bufWritable)},
    {OpKind::kVfioIommuDirtyPages, 0x3b75, kContainer, kStruct, FIELDS(kVfioIommuDirtyPages),
     "bitmap.data", offsetof(OpData, vfioIommuDirtyPages.bitmapData),
     offsetof(OpData, vfioIommuDirtyPages.bufWritable)},

    {OpKind::kVfioGroupGetStatus, 0x3b67, kGroup, kStruct, FIELDS(kVfioGroupGetStatus)},
    {OpKind::kVfioGroupSetContainer, 0x3b68, kGroup, Shape::kWord, FIELDS(kVfioGroupSetContainer)},
    {OpKind::kVfioGroupUnsetContainer, 0x3b69, kGroup, Shape::kNumber, FIELDS(kUnsetContainer)},
    {OpKind::kVfioGroupGetDeviceFd, 0x3b6a, kGroup, Shape::kText, FIELDS(kGetDeviceFd)},

    {OpKind::kVfioDeviceGetInfo, 0x3b6b, kDevice, kStruct, FIELDS(kVfioDeviceGetInfo)},
    {OpKind::kVfioDeviceGetRegionInfo, 0x3b6c, kDevice, kStruct, FIELDS(kVfioDeviceGetRegionInfo)},
    {OpKind::kVfioDeviceGetIrqInfo, 0x3b6d, kDevice, kStruct, FIELDS(kVfioDeviceGetIrqInfo)},
    {OpKind::kVfioDeviceSetIrqs, 0x3b6e, kDevice, kStruct, FIELDS(kVfioDeviceSetIrqs)},
    {OpKind::kVfioDeviceReset, 0x3b6f, kDevice, Shape::kNumber, FIELDS(kReset)},
    {OpKind::kVfioPciHotResetInfo, 0x3b70, kDevice, kStruct, FIELDS(kVfioPciHotResetInfo)},
    {OpKind::kVfioPciHotReset, 0x3b71, kDevice, kStruct, FIELDS(kVfioPciHotReset)},
    {OpKind::kVfioDeviceIoeventfd, 0x3b74, kDevice, kStruct, FIELDS(kVfioDeviceIoeventfd)},
    {OpKind::kVfioDeviceFeature, 0x3b75, kDevice, kStruct, FIELDS(kVfioDeviceFeature)},
};
#undef FIELDS
#undef AT

}  // namespace

const Layout* LayoutOf(uint32_t command, Frontend file) {
  for (const Layout& layout : kLayouts)
    if (layout.command == command && layout.file == file) return &layout;
  return nullptr;
}

const Layout* LayoutOf(OpKind kind) {
  for (const Layout& layout : kLayouts)
    if (layout.kind == kind) return &layout;
  return nullptr;
}

}  // namespace twinwalk
