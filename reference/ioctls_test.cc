// errno rows of every ioctl, in the sheet's order of checks: each expectation typed in from
// iommufd.md and docs/TRACE.md.
#include <gtest/gtest.h>

#include <functional>

#include "reference/test_driver.h"

namespace twinwalk {
namespace {

// A guest on device 0; devices 2 (not attached) and 4 (the other SMMU) bound as well.
struct Stage {
  Stage() : g(&d) {
    other = d.OpenCdev(4);
    other_dev = d.Bind(other, g.iommu).id;
    loose = d.OpenCdev(2);
    loose_dev = d.Bind(loose, g.iommu).id;
    paging = d.Hwpt(g.iommu, g.dev, g.ioas, 0).id;
  }
  Driver d;
  Guest g;
  uint32_t other, other_dev, loose, loose_dev, paging;
};

struct Row {
  const char* name;
  int err;
  std::function<Op(Stage&)> op;
};
template <class F>
Op With(Op op, F&& change) {
  change(op);
  return op;
}

class Errno : public testing::TestWithParam<Row> {};
TEST_P(Errno, AsTheSheetSays) {
  Stage stage;
  const Op op = GetParam().op(stage);
  EXPECT_EQ(stage.d.Do(op).err, GetParam().err);
}

#define OP [](Stage & s) -> Op
#define CHANGED(...) [&](Op& o) { __VA_ARGS__; }

Op Alloc(Stage& s) {
  return s.d.Make(OpKind::kIoasAlloc, s.g.iommu);
}
Op Unmap(Stage& s, uint64_t iova, uint64_t length) {
  Op op = s.d.Make(OpKind::kIoasUnmap, s.g.iommu);
  op.ioasUnmap.ioasId = s.g.ioas, op.ioasUnmap.iova = iova, op.ioasUnmap.length = length;
  return op;
}
Op Map(Stage& s, uint64_t iova, uint64_t va, uint64_t length, uint32_t flags = 7) {
  return s.d.MapOp(s.g.iommu, s.g.ioas, iova, va, length, flags);
}
Op Tlbi(Stage& s) {
  return s.d.InvalidateOp(s.g.iommu, s.g.viommu, {0x10, 0});
}
Op HwInfo(Stage& s) {
  Op op = s.d.Make(OpKind::kGetHwInfo, s.g.iommu);
  op.getHwInfo.devId = s.g.dev, op.getHwInfo.dataLen = op.getHwInfo.bufWritable = 40;
  return op;
}
Op Ranges(Stage& s) {
  Op op = s.d.Make(OpKind::kIoasIovaRanges, s.g.iommu);
  op.ioasIovaRanges.ioasId = s.g.ioas, op.ioasIovaRanges.numIovas = 8;
  op.ioasIovaRanges.bufWritable = 128;
  return op;
}
Op Vdevice(Stage& s, uint32_t viommu, uint32_t dev, uint64_t virt) {
  Op op = s.d.Make(OpKind::kVdeviceAlloc, s.g.iommu);
  op.vdeviceAlloc.viommuId = viommu, op.vdeviceAlloc.devId = dev, op.vdeviceAlloc.virtId = virt;
  return op;
}
Op Destroy(Stage& s, uint32_t id) {
  Op op = s.d.Make(OpKind::kDestroy, s.g.iommu);
  op.destroy.id = id;
  return op;
}

const Row kFraming[] = {  // TRACE 2
    {"BadFd", EBADF, OP{return With(Alloc(s), CHANGED(o.fd = 99));
}  // namespace
}  // namespace twinwalk
, {"WrongFile", ENOTTY, OP{return With(Alloc(s), CHANGED(o.fd = s.g.cdev));
}
}
, {"VfioOnIommu", ENOTTY, OP{return s.d.AttachOp(s.g.iommu, s.g.ioas);
}
}
, {"Unreadable", EFAULT, OP{return With(Alloc(s), CHANGED(o.readable = 3));
}
}
, {"TooSmall", EINVAL, OP{return With(Alloc(s), CHANGED(o.size = 11));
}
}
, {"Surplus", 0, OP{return With(Alloc(s), CHANGED(o.size = 16; o.blob.assign(4, '\0')));
}
}
, {"SurplusNotZero", E2BIG,
   OP{return With(Alloc(s), CHANGED(o.size = 16; o.blob = std::string("\0\0\1", 3)));
}
}
, {"SurplusUnreadable", EFAULT, OP{return With(Alloc(s), CHANGED(o.size = 16; o.readable = 14));
}
}
, {"StructUnreadable", EFAULT, OP{return With(Alloc(s), CHANGED(o.readable = 11));
}
}
, {"ResultUnwritable", EFAULT, OP{return With(Alloc(s), CHANGED(o.writable = 11));
}
}
, {"AttachIgnoresSurplus", 0,
   OP{return With(s.d.AttachOp(s.g.cdev, s.g.nested), CHANGED(o.size = 18; o.blob = "\1\1"));
}
}
,
}
;
const Row kIoasRows[] = {  // 6.1, 6.2, 6.5, 6.8, 5.1, 5.2
    {"AllocFlags", EOPNOTSUPP, OP{return With(Alloc(s), CHANGED(o.ioasAlloc.flags = 1));
}
}
, {"RangesReserved", EOPNOTSUPP, OP{return With(Ranges(s), CHANGED(o.ioasIovaRanges.reserved = 1));
}
}
, {"RangesUnknown", ENOENT, OP{return With(Ranges(s), CHANGED(o.ioasIovaRanges.ioasId = 77));
}
}
, {"RangesShort", EMSGSIZE, OP{return With(Ranges(s), CHANGED(o.ioasIovaRanges.numIovas = 1));
}
}
, {"RangesUnwritable", EFAULT, OP{return With(Ranges(s), CHANGED(o.ioasIovaRanges.bufWritable = 8));
}
}
, {"MapFlags", EOPNOTSUPP, OP{return Map(s, 0x900000, Guest::kVa, 4096, 15);
}
}
, {"MapReserved", EOPNOTSUPP, OP{return With(Map(s, 0, 0, 0, 0), CHANGED(o.ioasMap.reserved = 1));
}
}
, {"MapIovaMax", EOVERFLOW, OP{return Map(s, ~uint64_t{0}, Guest::kVa, 4096, 0);
}
}
, {"MapLengthMax", EOVERFLOW, OP{return Map(s, 0, Guest::kVa, ~uint64_t{0});
}
}
, {"MapNoRights", EINVAL,
   OP{return With(Map(s, 0x900000, 0, 4096, 1), CHANGED(o.ioasMap.ioasId = 77));
}
}
, {"MapUnknown", ENOENT,
   OP{return With(Map(s, 0, ~uint64_t{0}, 4096), CHANGED(o.ioasMap.ioasId = 77));
}
}
, {"MapVaWraps", EOVERFLOW, OP{return Map(s, 0x900000, ~uint64_t{0} - 4095, 4096);
}
}
, {"MapEmpty", EINVAL, OP{return Map(s, 0x900000, Guest::kVa, 0);
}
}
, {"MapTooLong", EINVAL, OP{return Map(s, 0x900000, 0, ~uint64_t{0} - 4095);
}
}
, {"MapUnaligned", EINVAL, OP{return Map(s, 0x900000, Guest::kVa, 4097);
}
}
, {"MapIovaUnaligned", EINVAL, OP{return Map(s, 0x900001, Guest::kVa, 4096);
}
}
, {"MapIovaWraps", EOVERFLOW, OP{return Map(s, ~uint64_t{0} - 4095, Guest::kVa, 8192);
}
}
, {"MapReservedIova", EINVAL, OP{return Map(s, uint64_t{1} << 44, Guest::kVa, 4096);
}
}
, {"MapMsiWindow", EINVAL, OP{return Map(s, 0x8000000, Guest::kVa, 4096);
}
}
, {"MapThere", EEXIST, OP{return Map(s, Guest::kIpa, Guest::kVa, 4096);
}
}
, {"MapVaUnaligned", EINVAL, OP{return Map(s, 0x900000, Guest::kVa + 4, 4096);
}
}
, {"MapNothingThere", EFAULT, OP{return Map(s, 0x900000, 0x1000, 4096);
}
}
, {"MapBeyondLimit", ENOMEM, OP{return Map(s, 0x900000, Guest::kVa, 4096);
}
}
, {"MapAutoHalf", EOVERFLOW, OP{return Map(s, 0, Guest::kVa, uint64_t{1} << 63, 6);
}
}
, {"MapAutoUnaligned", EINVAL, OP{return Map(s, 0, Guest::kVa + 8, 4096, 6);
}
}
, {"MapAutoNoRoom", ENOSPC, OP{return Map(s, 0, Guest::kVa, uint64_t{1} << 44, 6);
}
}
, {"UnmapUnknown", ENOENT, OP{return With(Unmap(s, 0, 4096), CHANGED(o.ioasUnmap.ioasId = 77));
}
}
, {"UnmapMax", EOVERFLOW, OP{return Unmap(s, 1, ~uint64_t{0});
}
}
, {"UnmapEmpty", EINVAL, OP{return Unmap(s, 0x900000, 0);
}
}
, {"UnmapWraps", EOVERFLOW, OP{return Unmap(s, ~uint64_t{0} - 1, 4096);
}
}
, {"UnmapNothing", ENOENT, OP{return Unmap(s, 0x900000, 4096);
}
}
, {"UnmapCut", ENOENT, OP{return Unmap(s, Guest::kIpa + 4096, 4096);
}
}
, {"UnmapAll", 0, OP{return Unmap(s, 0, ~uint64_t{0});
}
}
,
}
;
const Row kHwptRows[] = {  // 9; TRACE 3
    {"Reserved", EOPNOTSUPP,
     OP{return With(s.d.HwptOp(s.g.iommu, 77, s.g.ioas, 0), CHANGED(o.hwptAlloc.reserved = 1));
}
}
, {"DataWithoutLen", EINVAL,
   OP{return With(s.d.HwptOp(s.g.iommu, 77, s.g.ioas, 0), CHANGED(o.hwptAlloc.dataType = 2));
}
}
, {"DataBeyondSize", 0,
   OP{// a short struct: data reads as zero
      return With(s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 0),
                  CHANGED(o.size = 24; o.hwptAlloc.dataType = 2));
}
}
, {"NoDevice", ENOENT, OP{return s.d.HwptOp(s.g.iommu, s.g.ioas, 77, 0);
}
}
, {"NoPt", EINVAL, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, 77, 0);
}
}
, {"NestedPt", EINVAL, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.nested, 0);
}
}
, {"PagingPt", EOPNOTSUPP, OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.parent, 0);
}
}
, {"Flags", EOPNOTSUPP, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 16);
}
}
, {"Dirty", EOPNOTSUPP, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 2);
}
}
, {"ParentPasid", EOPNOTSUPP, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 9);
}
}
, {"ParentFault", EOPNOTSUPP, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 5);
}
}
, {"Fault", ENOENT, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 4);
}
}
, {"Pasid", 0, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.ioas, 8);
}
}
, {"NestedOtherSmmu", EINVAL, OP{return s.d.NestedOp(s.g.iommu, s.other_dev, s.g.viommu, 0);
}
}
, {"NestedNoData", EOPNOTSUPP, OP{return s.d.HwptOp(s.g.iommu, s.g.dev, s.g.viommu, 0);
}
}
, {"NestedType", EINVAL,
   OP{return With(s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0),
                  CHANGED(o.hwptAlloc.dataType = 1));
}
}
, {"NestedLen", EINVAL,
   OP{return With(s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0),
                  CHANGED(o.hwptAlloc.dataLen = 32));
}
}
, {"NestedUnreadable", EFAULT,
   OP{return With(s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0), CHANGED(o.blob.resize(15)));
}
}
, {"VsteInvalid", 0,
   OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, ~uint64_t{1}, ~uint64_t{0});
}
}
, {"VsteConfig6", EIO, OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0xd);
}
}
, {"VsteEats2", EIO, OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0xb, 2u << 28);
}
}
, {"VsteEats1", 0, OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0xb, 1u << 28);
}
}
, {"VsteBit52", EIO,
   OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0xb | uint64_t{1} << 52);
}
}
, {"VsteMev", EIO, OP{return s.d.NestedOp(s.g.iommu, s.g.dev, s.g.viommu, 0xb, 1u << 19);
}
}
,
}
;
const Row kViommuRows[] = {  // 11, 15, 16
    {"HwInfoFlags", EOPNOTSUPP, OP{return With(HwInfo(s), CHANGED(o.getHwInfo.flags = 2));
}
}
, {"HwInfoReserved", EOPNOTSUPP,
   OP{return With(HwInfo(s), CHANGED(o.getHwInfo.maxPasidAndReserved = 256));
}
}
, {"HwInfoDevice", ENOENT, OP{return With(HwInfo(s), CHANGED(o.getHwInfo.devId = s.g.ioas));
}
}
, {"HwInfoType", EOPNOTSUPP,
   OP{return With(HwInfo(s), CHANGED(o.getHwInfo.flags = 1; o.getHwInfo.dataType = 1));
}
}
, {"HwInfoShortBuffer", EFAULT, OP{return With(HwInfo(s), CHANGED(o.getHwInfo.bufWritable = 39));
}
}
, {"Flags", EOPNOTSUPP,
   OP{return With(s.d.ViommuOp(s.g.iommu, 77, s.g.parent), CHANGED(o.viommuAlloc.flags = 1));
}
}
, {"Type0", EOPNOTSUPP,
   OP{return With(s.d.ViommuOp(s.g.iommu, 77, s.g.parent), CHANGED(o.viommuAlloc.type = 0));
}
}
, {"Device", ENOENT,
   OP{return With(s.d.ViommuOp(s.g.iommu, 77, s.g.parent), CHANGED(o.viommuAlloc.type = 2));
}
}
, {"Type2", EOPNOTSUPP,
   OP{return With(s.d.ViommuOp(s.g.iommu, s.g.dev, 77), CHANGED(o.viommuAlloc.type = 2));
}
}
, {"Hwpt", ENOENT, OP{return s.d.ViommuOp(s.g.iommu, s.g.dev, s.g.nested);
}
}
, {"NotAParent", EINVAL, OP{return s.d.ViommuOp(s.g.iommu, s.g.dev, s.paging);
}
}
, {"OtherSmmu", EINVAL, OP{return s.d.ViommuOp(s.g.iommu, s.other_dev, s.g.parent);
}
}
, {"VdeviceViommu", ENOENT, OP{return Vdevice(s, s.g.parent, s.loose_dev, 1);
}
}
, {"VdeviceDevice", ENOENT, OP{return Vdevice(s, s.g.viommu, 77, 1);
}
}
, {"VdeviceSmmu", EINVAL, OP{return Vdevice(s, s.g.viommu, s.other_dev, 1);
}
}
, {"VdeviceTwice", EEXIST, OP{return Vdevice(s, s.g.viommu, s.g.dev, 1);
}
}
, {"VdeviceSameId", EEXIST, OP{return Vdevice(s, s.g.viommu, s.loose_dev, 0x77);
}
}
, {"VeventqFlags", EOPNOTSUPP,
   OP{return With(s.d.VeventqOp(s.g.iommu, 77, 1, 0), CHANGED(o.veventqAlloc.flags = 1));
}
}
, {"VeventqType", EOPNOTSUPP, OP{return s.d.VeventqOp(s.g.iommu, 77, 0, 0);
}
}
, {"VeventqDepth", EINVAL, OP{return s.d.VeventqOp(s.g.iommu, 77, 1, 0);
}
}
, {"VeventqDeep", EINVAL, OP{return s.d.VeventqOp(s.g.iommu, 77, 1, 0x80001);
}
}
, {"VeventqViommu", ENOENT, OP{return s.d.VeventqOp(s.g.iommu, 77, 1, 0x80000);
}
}
, {"VeventqOtherType", 0, OP{return s.d.VeventqOp(s.g.iommu, s.g.viommu, 99, 1);
}
}
, {"VeventqTwice", EEXIST, OP{s.d.Veventq(s.g.iommu, s.g.viommu, 1);
return s.d.VeventqOp(s.g.iommu, s.g.viommu, 1, 1);
}
}
, {"DestroyDevice", EBUSY, OP{return Destroy(s, s.g.dev);
}
}
, {"DestroyIoas", EBUSY, OP{return Destroy(s, s.g.ioas);
}
}
, {"DestroyParent", EBUSY, OP{return Destroy(s, s.g.parent);
}
}
, {"DestroyViommu", EBUSY, OP{return Destroy(s, s.g.viommu);
}
}
, {"DestroyNested", EBUSY, OP{return Destroy(s, s.g.nested);
}
}
, {"DestroyVdevice", 0, OP{return Destroy(s, s.g.vdevice);
}
}
, {"DestroyNothing", ENOENT, OP{return Destroy(s, 0);
}
}
,
}
;
const Row kInvalidateRows[] = {  // 13, Observed 2 to 5
    {"Good", 0, OP{return Tlbi(s);
}
}
, {"Reserved", EOPNOTSUPP, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.reserved = 1));
}
}
, {"Null", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.dataPtr = 0));
}
}
, {"EntryLen0", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryLen = 0));
}
}
, {"EntryLenBig", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryLen = 4097));
}
}
, {"EntryNumBig", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryNum = 524289));
}
}
, {"EntryNumHuge", ENOMEM, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryNum = 524288));
}
}
, {"Unknown", ENOENT, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.hwptId = 77));
}
}
, {"Nested", EOPNOTSUPP, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.hwptId = s.g.nested));
}
}
, {"Paging", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.hwptId = s.g.parent));
}
}
, {"Empty", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryNum = 0));
}
}
, {"Type", EINVAL, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.dataType = 0));
}
}
, {"Unreadable", EFAULT, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryNum = 2));
}
}
, {"ShortEntry", 0, OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryLen = 8));
}
}
, {"LongEntry", 0,
   OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryLen = 24; o.blob.resize(24)));
}
}
, {"LongEntryTail", E2BIG,
   OP{return With(Tlbi(s), CHANGED(o.hwptInvalidate.entryLen = 24; o.blob.resize(24, '\1')));
}
}
, {"Opcode", EIO, OP{return s.d.InvalidateOp(s.g.iommu, s.g.viommu, {0x28, 0});
}
}
, {"Stream", EIO, OP{return s.d.InvalidateOp(s.g.iommu, s.g.viommu, {uint64_t{0x78} << 32 | 5, 0});
}
}
, {"AtcInv", 0, OP{return s.d.InvalidateOp(s.g.iommu, s.g.viommu, {uint64_t{0x77} << 32 | 0x40, 0});
}
}
, {"Unwritable", EFAULT, OP{return With(Tlbi(s), CHANGED(o.writable = 8));
}
}
,
}
;
const Row kVfioRows[] = {  // 10, 19
    {"AttachFlags", EINVAL, OP{return With(s.d.AttachOp(s.g.cdev, 77), CHANGED(o.attach.flags = 2));
}
}
, {"AttachUnknown", ENOENT, OP{return s.d.AttachOp(s.g.cdev, 77);
}
}
, {"AttachDevice", EINVAL, OP{return s.d.AttachOp(s.g.cdev, s.g.dev);
}
}
, {"AttachPasid", EINVAL,
   OP{return With(s.d.AttachOp(s.g.cdev, s.g.ioas),
                  CHANGED(o.attach.flags = 1; o.attach.pasid = 3));
}
}
, {"AttachPasidHuge", ENOSPC,
   OP{return With(s.d.AttachOp(s.g.cdev, s.g.ioas),
                  CHANGED(o.attach.flags = 1; o.attach.pasid = 1u << 31));
}
}
, {"AttachOtherSmmu", EINVAL, OP{return s.d.AttachOp(s.other, s.g.parent);
}
}
, {"AttachNoVdevice", ENOENT, OP{return s.d.AttachOp(s.loose, s.g.nested);
}
}
, {"AttachBypassNoVdevice", 0,
   OP{return s.d.AttachOp(s.loose, s.d.Nested(s.g.iommu, s.loose_dev, s.g.viommu, 9).id);
}
}
, {"AttachMsiTaken", EADDRINUSE, OP{s.d.Unmap(s.g.iommu, s.g.ioas, 0, ~uint64_t{0});
const uint32_t ioas = s.d.Ioas(s.g.iommu).id;
s.d.Map(s.g.iommu, ioas, 0x8000000, Guest::kVa, 4096);
return s.d.AttachOp(s.loose, ioas);
}
}
, {"AttachMisaligned", EADDRINUSE, OP{const uint32_t ioas = s.d.Ioas(s.g.iommu).id;
s.d.Map(s.g.iommu, ioas, 0x100, Guest::kVa, 256);
return s.d.AttachOp(s.loose, ioas);
}
}
, {"AttachCannotPin", EFAULT, OP{const uint32_t ioas = s.d.Ioas(s.g.iommu).id;
s.d.Map(s.g.iommu, ioas, 0x1000, 0x1000, 4096);
return s.d.AttachOp(s.loose, ioas);
}
}
, {"AttachAgain", 0, OP{return s.d.AttachOp(s.g.cdev, s.g.nested);
}
}
, {"BindFlags", EINVAL,
   OP{return With(s.d.Make(OpKind::kBindIommufd, s.d.OpenCdev(1)), CHANGED(o.bind.flags = 1));
}
}
, {"BindNoFile", EBADF,
   OP{return With(s.d.Make(OpKind::kBindIommufd, s.d.OpenCdev(1)), CHANGED(o.bind.iommufd = 99));
}
}
, {"BindWrongFile", EBADFD,
   OP{return With(s.d.Make(OpKind::kBindIommufd, s.d.OpenCdev(1)),
                  CHANGED(o.bind.iommufd = s.g.cdev));
}
}
, {"BindTwice", EINVAL,
   OP{return With(s.d.Make(OpKind::kBindIommufd, s.g.cdev), CHANGED(o.bind.iommufd = s.g.iommu));
}
}
, {"BindOtherFile", EINVAL,
   OP{return With(s.d.Make(OpKind::kBindIommufd, s.d.OpenCdev(0)),
                  CHANGED(o.bind.iommufd = s.g.iommu));
}
}
, {"UnboundIoctl", EINVAL, OP{return s.d.AttachOp(s.d.OpenCdev(1), s.g.ioas);
}
}
, {"DetachPasid", 0,
   OP{return With(s.d.Make(OpKind::kDetachIommufdPt, s.g.cdev), CHANGED(o.detach.flags = 1));
}
}
, {"DetachFlags", EINVAL,
   OP{return With(s.d.Make(OpKind::kDetachIommufdPt, s.g.cdev), CHANGED(o.detach.flags = 2));
}
}
,
}
;

constexpr auto kName = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Framing, Errno, testing::ValuesIn(kFraming), kName);
INSTANTIATE_TEST_SUITE_P(Ioas, Errno, testing::ValuesIn(kIoasRows), kName);
INSTANTIATE_TEST_SUITE_P(Hwpt, Errno, testing::ValuesIn(kHwptRows), kName);
INSTANTIATE_TEST_SUITE_P(Viommu, Errno, testing::ValuesIn(kViommuRows), kName);
INSTANTIATE_TEST_SUITE_P(Invalidate, Errno, testing::ValuesIn(kInvalidateRows), kName);
INSTANTIATE_TEST_SUITE_P(Vfio, Errno, testing::ValuesIn(kVfioRows), kName);

// ---- Results ------------------------------------------------------------------------------------

TEST(Results, IovaRangesAreTheHolesOfWhatIsReserved) {
  Stage s;
  const Outcome out = s.d.Do(Ranges(s));
  EXPECT_EQ(out.values[0], 2u);
  EXPECT_EQ(out.values[1], 4096u);
  EXPECT_EQ(out.out, Driver::Words({0, 0x7ffffff, 0x8100000, (uint64_t{1} << 44) - 1}));
}

TEST(Results, HwInfoCopiesTheRegisters) {
  Stage s;
  Op op = HwInfo(s);
  op.getHwInfo.dataLen = op.getHwInfo.bufWritable = 48;
  const Outcome out = s.d.Do(op);
  EXPECT_EQ(out.values, (std::array<uint64_t, 3>{40, 2, 8}));
  EXPECT_EQ(out.out, Driver::Words({0, 0x027300100d44101b, 0x0000141400000000, 0x0000007400000000,
                                    0x0000000100000000, 0}));
}

TEST(Results, PlacementTakesTheFirstFittingHole) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), ioas = d.Ioas(iommu).id;
  EXPECT_EQ(d.Map(iommu, ioas, 0, 0x10000, 0x3000, 6).values[0], 0x4000u);
  EXPECT_EQ(d.Map(iommu, ioas, 0, 0x13000, 0x3000, 6).values[0], 0x1000u);
  EXPECT_EQ(d.Map(iommu, ioas, 0, 0x10234, 0x100, 6).values[0], 0x7234u);
}

TEST(Results, UnmapKeepsWhatItRemovedBeforeACut) {
  Driver d;
  const uint32_t iommu = d.OpenIommu(), ioas = d.Ioas(iommu).id;
  d.Map(iommu, ioas, 0x1000, 0x10000, 0x1000), d.Map(iommu, ioas, 0x2000, 0x10000, 0x2000);
  EXPECT_EQ(d.Unmap(iommu, ioas, 0x1000, 0x2000).err, ENOENT);
  EXPECT_EQ(d.Seen().areas.size(), 1u);
  EXPECT_EQ(d.Unmap(iommu, ioas, 0x1000, 0x3000).values[0], 0x2000u);
}

// Observed 4: a bad command takes the good ones of its batch of 63 with it.
TEST(Results, BadCommandDropsItsBatch) {
  for (const bool drops : {true, false}) {
    World world = Driver::TwoGuests();
    world.rules.badCommandDropsBatch = drops;
    Driver d(world);
    Guest g(&d);
    std::vector<uint64_t> words;
    for (int i = 0; i < 70; ++i) words.insert(words.end(), {i == 66 ? 3u : 0x10u, 0});
    const Outcome out = d.Invalidate(g.iommu, g.viommu, words);
    EXPECT_EQ(out.err, EIO);
    EXPECT_EQ(out.values[0], 66u);
    g.Page(5, 0x110000);
    d.Dma(0, 0x5000);
    g.Page(5, 0x111000);
    EXPECT_EQ(d.Invalidate(g.iommu, g.viommu, {0x10, 0, 3, 0}).values[0], 1u);
    EXPECT_EQ(d.machine->Permitted(d.DmaOp(0, 0x5000, 8), 8).size(), drops ? 2u : 1u);
  }
}

TEST(Results, UnwritableAttachDetaches) {
  Stage s;
  Op op = s.d.AttachOp(s.g.cdev, s.paging);
  op.writable = 11;
  EXPECT_EQ(s.d.Do(op).err, EFAULT);
  EXPECT_EQ(s.d.Seen().devices.Find(1)->attached, 0u);
}

TEST(Results, TagsRunOut) {
  World world = Driver::TwoGuests();
  world.smmus[0].vmidLimit = world.smmus[0].asidLimit = 2;
  Driver d(world);
  Guest g(&d);
  EXPECT_EQ(d.Hwpt(g.iommu, g.dev, g.ioas, 1).err, ENOSPC);
  EXPECT_EQ(d.Hwpt(g.iommu, g.dev, g.ioas, 0).err, 0);
  EXPECT_EQ(d.Hwpt(g.iommu, g.dev, g.ioas, 0).err, EBUSY);
}

}  // namespace
}  // namespace twinwalk
