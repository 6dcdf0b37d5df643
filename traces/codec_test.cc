#include "traces/codec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "traces/test_trace.h"

namespace twinwalk {
namespace {

uint64_t NoHandles(Handle, HandleRole) {
  ADD_FAILURE() << "a literal was resolved";
  return 0;
}

struct SheetField {
  const char* name;
  size_t offset, width;
};
struct SheetStruct {
  OpKind kind;
  uint32_t command;
  Frontend file;
  size_t size;
  std::vector<SheetField> fields;
  // The field that points to a buffer; its name in recordings; whether the kernel writes there.
  const char* pointer = "";
  const char* buffer = "";
  bool writes = false;
};
// iommufd sheet 3.1 and 19, typed in once more: not derived from the codec.
constexpr Frontend kCon = Frontend::kContainer, kGrp = Frontend::kGroup, kDev = Frontend::kDevice;
const std::vector<SheetStruct> kSheet = {
    {OpKind::kBindIommufd,
     0x3b76,
     kDev,
     24,
     {{"flags", 4, 4}, {"iommufd", 8, 4}, {"outDevid", 12, 4}, {"tokenPtr", 16, 8}},
     "tokenPtr",
     "token_uuid",
     false},
    {OpKind::kAttachIommufdPt,
     0x3b77,
     kDev,
     16,
     {{"flags", 4, 4}, {"ptId", 8, 4}, {"pasid", 12, 4}}},
    {OpKind::kDetachIommufdPt, 0x3b78, kDev, 12, {{"flags", 4, 4}, {"pasid", 8, 4}}},
    {OpKind::kDestroy, 0x3b80, kCon, 8, {{"id", 4, 4}}},
    {OpKind::kIoasAlloc, 0x3b81, kCon, 12, {{"flags", 4, 4}, {"outIoasId", 8, 4}}},
    {OpKind::kIoasIovaRanges,
     0x3b84,
     kCon,
     32,
     {{"ioasId", 4, 4},
      {"numIovas", 8, 4},
      {"reserved", 12, 4},
      {"allowedIovas", 16, 8},
      {"outIovaAlignment", 24, 8}},
     "allowedIovas",
     "allowed_iovas",
     true},
    {OpKind::kIoasMap,
     0x3b85,
     kCon,
     40,
     {{"flags", 4, 4},
      {"ioasId", 8, 4},
      {"reserved", 12, 4},
      {"userVa", 16, 8},
      {"length", 24, 8},
      {"iova", 32, 8}}},
    {OpKind::kIoasUnmap, 0x3b86, kCon, 24, {{"ioasId", 4, 4}, {"iova", 8, 8}, {"length", 16, 8}}},
    {OpKind::kHwptAlloc,
     0x3b89,
     kCon,
     48,
     {{"flags", 4, 4},
      {"devId", 8, 4},
      {"ptId", 12, 4},
      {"outHwptId", 16, 4},
      {"reserved", 20, 4},
      {"dataType", 24, 4},
      {"dataLen", 28, 4},
      {"dataPtr", 32, 8},
      {"faultId", 40, 4},
      {"reserved2", 44, 4}},
     "dataPtr",
     "data",
     false},
    {OpKind::kGetHwInfo,
     0x3b8a,
     kCon,
     40,
     {{"flags", 4, 4},
      {"devId", 8, 4},
      {"dataLen", 12, 4},
      {"dataPtr", 16, 8},
      {"dataType", 24, 4},
      {"maxPasidAndReserved", 28, 4},
      {"outCapabilities", 32, 8}},
     "dataPtr",
     "data",
     true},
    {OpKind::kHwptInvalidate,
     0x3b8d,
     kCon,
     32,
     {{"hwptId", 4, 4},
      {"dataPtr", 8, 8},
      {"dataType", 16, 4},
      {"entryLen", 20, 4},
      {"entryNum", 24, 4},
      {"reserved", 28, 4}},
     "dataPtr",
     "data",
     false},
    {OpKind::kViommuAlloc,
     0x3b90,
     kCon,
     40,
     {{"flags", 4, 4},
      {"type", 8, 4},
      {"devId", 12, 4},
      {"hwptId", 16, 4},
      {"outViommuId", 20, 4},
      {"dataLen", 24, 4},
      {"reserved", 28, 4},
      {"dataPtr", 32, 8}},
     "dataPtr",
     "data",
     false},
    {OpKind::kVdeviceAlloc,
     0x3b91,
     kCon,
     24,
     {{"viommuId", 4, 4}, {"devId", 8, 4}, {"outVdeviceId", 12, 4}, {"virtId", 16, 8}}},
    {OpKind::kVeventqAlloc,
     0x3b93,
     kCon,
     32,
     {{"flags", 4, 4},
      {"viommuId", 8, 4},
      {"type", 12, 4},
      {"depth", 16, 4},
      {"outVeventqId", 20, 4},
      {"outVeventqFd", 24, 4},
      {"reserved", 28, 4}}},
    // vfio-type1 sheet 2, 5, 6, 8..11; iommufd sheet 3.1
    {OpKind::kIoasAllowIovas,
     0x3b82,
     kCon,
     24,
     {{"ioasId", 4, 4}, {"numIovas", 8, 4}, {"reserved", 12, 4}, {"allowedIovas", 16, 8}},
     "allowedIovas",
     "allowed_iovas",
     false},
    {OpKind::kIoasCopy,
     0x3b83,
     kCon,
     40,
     {{"flags", 4, 4},
      {"dstIoasId", 8, 4},
      {"srcIoasId", 12, 4},
      {"length", 16, 8},
      {"dstIova", 24, 8},
      {"srcIova", 32, 8}}},
    {OpKind::kIommuOption,
     0x3b87,
     kCon,
     24,
     {{"optionId", 4, 4},
      {"op", 8, 2},
      {"reserved", 10, 2},
      {"objectId", 12, 4},
      {"val64", 16, 8}}},
    {OpKind::kVfioIoas, 0x3b88, kCon, 12, {{"ioasId", 4, 4}, {"op", 8, 2}, {"reserved", 10, 2}}},
    {OpKind::kHwptSetDirty,
     0x3b8b,
     kCon,
     16,
     {{"flags", 4, 4}, {"hwptId", 8, 4}, {"reserved", 12, 4}}},
    {OpKind::kHwptGetDirty,
     0x3b8c,
     kCon,
     48,
     {{"hwptId", 4, 4},
      {"flags", 8, 4},
      {"reserved", 12, 4},
      {"iova", 16, 8},
      {"length", 24, 8},
      {"pageSize", 32, 8},
      {"data", 40, 8}},
     "data",
     "bitmap",
     true},
    {OpKind::kFaultQueueAlloc,
     0x3b8e,
     kCon,
     16,
     {{"flags", 4, 4}, {"outFaultId", 8, 4}, {"outFaultFd", 12, 4}}},
    {OpKind::kIoasMapFile,
     0x3b8f,
     kCon,
     40,
     {{"flags", 4, 4},
      {"ioasId", 8, 4},
      {"file", 12, 4},
      {"start", 16, 8},
      {"length", 24, 8},
      {"iova", 32, 8}}},
    {OpKind::kIoasChangeProcess, 0x3b92, kCon, 8, {{"reserved", 4, 4}}},
    {OpKind::kVfioIommuGetInfo,
     0x3b70,
     kCon,
     24,
     {{"flags", 4, 4}, {"iovaPgsizes", 8, 8}, {"capOffset", 16, 4}, {"pad", 20, 4}}},
    {OpKind::kVfioIommuMapDma,
     0x3b71,
     kCon,
     32,
     {{"flags", 4, 4}, {"vaddr", 8, 8}, {"iova", 16, 8}, {"length", 24, 8}}},
    {OpKind::kVfioIommuUnmapDma,
     0x3b72,
     kCon,
     48,
     {{"flags", 4, 4},
      {"iova", 8, 8},
      {"length", 16, 8},
      {"bitmapPgsize", 24, 8},
      {"bitmapSize", 32, 8},
      {"bitmapData", 40, 8}},
     "bitmapData",
     "bitmap.data",
     true},
    {OpKind::kVfioIommuDirtyPages,
     0x3b75,
     kCon,
     48,
     {{"flags", 4, 4},
      {"iova", 8, 8},
      {"length", 16, 8},
      {"bitmapPgsize", 24, 8},
      {"bitmapSize", 32, 8},
      {"bitmapData", 40, 8}},
     "bitmapData",
     "bitmap.data",
     true},
    {OpKind::kVfioGroupGetStatus, 0x3b67, kGrp, 8, {{"flags", 4, 4}}},
    {OpKind::kVfioDeviceGetInfo,
     0x3b6b,
     kDev,
     24,
     {{"flags", 4, 4},
      {"numRegions", 8, 4},
      {"numIrqs", 12, 4},
      {"capOffset", 16, 4},
      {"pad", 20, 4}}},
    {OpKind::kVfioDeviceGetRegionInfo,
     0x3b6c,
     kDev,
     32,
     {{"flags", 4, 4},
      {"index", 8, 4},
      {"capOffset", 12, 4},
      {"regionSize", 16, 8},
      {"regionOffset", 24, 8}}},
    {OpKind::kVfioDeviceGetIrqInfo,
     0x3b6d,
     kDev,
     16,
     {{"flags", 4, 4}, {"index", 8, 4}, {"count", 12, 4}}},
    {OpKind::kVfioDeviceSetIrqs,
     0x3b6e,
     kDev,
     20,
     {{"flags", 4, 4}, {"index", 8, 4}, {"start", 12, 4}, {"count", 16, 4}}},
    {OpKind::kVfioPciHotResetInfo, 0x3b70, kDev, 12, {{"flags", 4, 4}, {"count", 8, 4}}},
    {OpKind::kVfioPciHotReset, 0x3b71, kDev, 12, {{"flags", 4, 4}, {"count", 8, 4}}},
    {OpKind::kVfioDeviceIoeventfd,
     0x3b74,
     kDev,
     32,
     {{"flags", 4, 4}, {"offset", 8, 8}, {"data", 16, 8}, {"eventfd", 24, 4}, {"reserved", 28, 4}}},
    {OpKind::kVfioDeviceFeature, 0x3b75, kDev, 8, {{"flags", 4, 4}}},
};

struct ValueCollector {
  std::map<std::string, uint64_t> values;
  template <class T>
  void Field(const char* name, const T& field) {
    values[name] = field;
  }
  void HandleField(const char* name, const Handle& field, HandleRole, int) { values[name] = field; }
};

TEST(Codec, FieldsStandWhereTheSheetSays) {
  std::mt19937_64 random(1);
  for (const SheetStruct& s : kSheet) {
    SCOPED_TRACE(OpName(s.kind));
    EXPECT_EQ(StructSize(s.kind), s.size);
    RawIoctl raw;
    raw.command = s.command, raw.file = s.file;
    for (size_t i = 0; i < s.size; ++i) raw.in += static_cast<char>(random());
    const uint32_t size = static_cast<uint32_t>(s.size);
    std::memcpy(raw.in.data(), &size, 4);
    Op op;
    ASSERT_TRUE(Decode(raw, &op));
    EXPECT_EQ(op.kind, s.kind);
    EXPECT_EQ(op.size, size);
    EXPECT_EQ(op.readable, size);
    ValueCollector collector;
    VisitArgs(static_cast<const OpData&>(op), collector);
    size_t covered = 4;
    for (const SheetField& field : s.fields) {
      uint64_t expected = 0;
      std::memcpy(&expected, raw.in.data() + field.offset, field.width);
      ASSERT_TRUE(collector.values.count(field.name)) << field.name;
      EXPECT_EQ(collector.values[field.name], expected) << field.name;
      covered += field.width;
    }
    EXPECT_EQ(covered, s.size);  // the sheet's fields leave no hole
  }
}

std::string FromHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

// custom-7.2.13-virt-smmuv3-nested/vsmmu-basic, record 13.
TEST(Codec, RecordedBind) {
  RawIoctl raw;
  raw.command = 0x3b76, raw.file = Frontend::kDevice, raw.fd = 4, raw.writable = 24;
  raw.in = FromHex("180000000000000003000000000000000000000000000000");
  Op op;
  ASSERT_TRUE(Decode(raw, &op));
  EXPECT_EQ(op.kind, OpKind::kBindIommufd);
  EXPECT_EQ(op.fd, 4u);
  EXPECT_EQ(op.size, 24u);
  EXPECT_EQ(op.bind.iommufd, 3u);
  EXPECT_EQ(op.writable, 24);
  EXPECT_EQ(Encode(op, NoHandles), raw);
}

RawIoctl RandomIoctl(std::mt19937_64& random) {
  const SheetStruct& s = kSheet[random() % kSheet.size()];
  RawIoctl raw;
  raw.process = static_cast<uint8_t>(random());
  raw.fd = static_cast<uint32_t>(RandomWord(random));
  raw.command = s.command;
  raw.file = random() % 50 == 0 ? static_cast<Frontend>(random() % 3) : s.file;
  if (random() % 50 == 0) raw.command = static_cast<uint32_t>(RandomWord(random));
  raw.writable = static_cast<uint16_t>(RandomWord(random));
  const size_t sizes[] = {s.size, s.size, s.size + random() % 40, random() % (s.size + 1), 4, 0};
  const size_t size = sizes[random() % 6];
  for (size_t i = 0; i < size; ++i) raw.in += static_cast<char>(random() % 3 == 0 ? 0 : random());
  // Mostly a size word that fits; else any.
  if (raw.in.size() >= 4 && random() % 5 != 0) {
    const uint32_t word = static_cast<uint32_t>(std::max(size, s.size));
    std::memcpy(raw.in.data(), &word, 4);
  }
  for (const SheetField& field : s.fields) {
    if (field.width != 8 || random() % 3 == 0 || raw.in.size() < field.offset + 8) continue;
    if (std::string(field.name) != s.pointer && random() % 50 != 0) continue;
    RawBuffer buffer;
    buffer.name = s.buffer;
    std::memcpy(&buffer.address, raw.in.data() + field.offset, 8);
    if (random() % 50 == 0) ++buffer.address;
    buffer.bytes = RandomBytes(random, 100) + '!';
    if (s.writes || random() % 50 == 0) buffer.writable = static_cast<uint32_t>(RandomWord(random));
    for (uint64_t n = random() % 50 == 0 ? 2 : 1; n > 0; --n) raw.buffers.push_back(buffer);
  }
  return raw;
}

TEST(Codec, DecodeThenEncodeIsIdentical) {
  std::mt19937_64 random(2);
  std::map<OpKind, int> typed;
  int raws = 0;
  for (int i = 0; i < 200000; ++i) {
    const RawIoctl raw = RandomIoctl(random);
    Op op;
    if (Decode(raw, &op)) {
      ++typed[op.kind];
      ASSERT_EQ(Encode(op, NoHandles), raw) << OpName(op.kind);
    } else {
      ++raws;
      EXPECT_EQ(op.kind, OpKind::kRaw);
      EXPECT_EQ(op.raw.command, raw.command);
      EXPECT_EQ(op.blob, raw.in);
      EXPECT_EQ(Encode(op, NoHandles).in, raw.in);
    }
  }
  EXPECT_EQ(typed.size(), kSheet.size());
  for (const auto& [kind, count] : typed) EXPECT_GT(count, 1000) << OpName(kind);
  EXPECT_GT(raws, 5000);
}

TEST(Codec, WhatHasNoPlaceStaysRaw) {
  Op op;
  const auto typed = [&op](RawIoctl raw) { return Decode(raw, &op); };
  RawIoctl raw;
  raw.command = 0x3b80, raw.in = FromHex("0800000005000000");
  EXPECT_TRUE(typed(raw));
  RawIoctl longer = raw;
  longer.in += '\0';  // behind the size word
  EXPECT_FALSE(typed(longer));
  EXPECT_EQ(op.blob, longer.in);
  longer.in[0] = 9;
  EXPECT_TRUE(typed(longer));
  EXPECT_EQ(op.blob, std::string(1, '\0'));
  RawIoctl pointed = raw;
  pointed.buffers.push_back({"data", 0, "x", 0});
  EXPECT_FALSE(typed(pointed));  // DESTROY points to nothing
  raw.file = Frontend::kDevice;
  EXPECT_FALSE(typed(raw));
  raw.file = Frontend::kContainer, raw.command = 0x2003b80;
  EXPECT_FALSE(typed(raw));
}

// The same number is another call on another file (vfio-type1 sheet 2).
TEST(Codec, NumbersMeanWhatTheFileSays) {
  const std::map<std::pair<uint32_t, Frontend>, OpKind> meant = {
      {{0x3b70, kCon}, OpKind::kVfioIommuGetInfo},
      {{0x3b70, kDev}, OpKind::kVfioPciHotResetInfo},
      {{0x3b71, kCon}, OpKind::kVfioIommuMapDma},
      {{0x3b71, kDev}, OpKind::kVfioPciHotReset},
      {{0x3b72, kCon}, OpKind::kVfioIommuUnmapDma},
      {{0x3b74, kDev}, OpKind::kVfioDeviceIoeventfd},
      {{0x3b75, kCon}, OpKind::kVfioIommuDirtyPages},
      {{0x3b75, kDev}, OpKind::kVfioDeviceFeature}};
  for (uint32_t command = 0x3b70; command <= 0x3b75; ++command) {
    for (Frontend file : {kCon, kGrp, kDev}) {
      RawIoctl raw;
      raw.command = command, raw.file = file, raw.in = std::string(48, '\0');
      raw.in[0] = 48;
      Op op;
      const auto expected = meant.find({command, file});
      EXPECT_EQ(Decode(raw, &op), expected != meant.end());
      EXPECT_EQ(op.kind, expected != meant.end() ? expected->second : OpKind::kRaw);
    }
  }
}

// vtd/edu-type1v2, records 9, 48, 54 and 496.
TEST(Codec, ArgumentsThatAreNoStruct) {
  Op op;
  RawIoctl extension;
  extension.command = 0x3b65, extension.fd = 3, extension.arg = 1;
  ASSERT_TRUE(Decode(extension, &op));
  EXPECT_EQ(op.kind, OpKind::kVfioCheckExtension);
  EXPECT_EQ(op.vfioCheckExtension.arg, 1u);
  EXPECT_EQ(Encode(op, NoHandles), extension);
  extension.in = "more";
  EXPECT_FALSE(Decode(extension, &op));

  RawIoctl name;
  name.command = 0x3b6a, name.file = kGrp, name.fd = 4, name.arg = 0x7ffdb5571fa0;
  name.in = FromHex("303030303a30303a31302e3000"), name.writable = 13;
  ASSERT_TRUE(Decode(name, &op));
  EXPECT_EQ(op.kind, OpKind::kVfioGroupGetDeviceFd);
  EXPECT_EQ(op.blob, std::string("0000:00:10.0") + '\0');
  EXPECT_EQ(Encode(op, NoHandles), name);

  RawIoctl container;
  container.command = 0x3b68, container.file = kGrp, container.fd = 4;
  container.in = FromHex("01000000"), container.writable = 4;
  ASSERT_TRUE(Decode(container, &op));
  EXPECT_EQ(op.kind, OpKind::kVfioGroupSetContainer);
  EXPECT_EQ(op.size, 4u);
  EXPECT_EQ(op.vfioGroupSetContainer.container, 1u);
  EXPECT_EQ(Encode(op, NoHandles), container);
  container.in.resize(2), container.writable = 2;  // not all of it can be read
  ASSERT_TRUE(Decode(container, &op));
  EXPECT_EQ(op.readable, 2);
  EXPECT_EQ(Encode(op, NoHandles), container);
}

// vtd/edu-type1v2, records 370 and 456: the bitmap's fields are there when argsz reaches them.
TEST(Codec, StructsAreCutAtTheirSizeWord) {
  Op op;
  RawIoctl unmap;
  unmap.command = 0x3b72, unmap.writable = 24;
  unmap.in = FromHex("180000000000000000000002000000000010000000000000");
  ASSERT_TRUE(Decode(unmap, &op));
  EXPECT_EQ(op.size, 24u);
  EXPECT_EQ(op.vfioIommuUnmapDma.length, 0x1000u);
  EXPECT_EQ(op.vfioIommuUnmapDma.bitmapSize, 0u);
  EXPECT_EQ(Encode(op, NoHandles), unmap);

  RawIoctl dirty;
  dirty.command = 0x3b75, dirty.writable = 48;
  dirty.in = FromHex(
      "30000000040000000000000100000000000001000000000000100000000000000800000000000000"
      "a00e57b5fd7f0000");
  dirty.buffers.push_back({"bitmap.data", 0x7ffdb5570ea0, std::string(8, '\0'), 8});
  ASSERT_TRUE(Decode(dirty, &op));
  EXPECT_EQ(op.vfioIommuDirtyPages.bitmapPgsize, 0x1000u);
  EXPECT_EQ(op.vfioIommuDirtyPages.bufWritable, 8u);
  EXPECT_EQ(Encode(op, NoHandles), dirty);
}

// vtd/libvfn-vfio-eventfd, record 51: -1 and an eventfd behind the struct.
TEST(Codec, PayloadWordsBecomeNumbers) {
  RawIoctl raw;
  raw.command = 0x3b6e, raw.file = kDev, raw.fd = 5, raw.writable = 28;
  raw.in = FromHex("1c00000024000000020000000000000002000000ffffffff06000000");
  Op op;
  ASSERT_TRUE(Decode(raw, &op));
  EXPECT_EQ(op.blob, FromHex("ffffffff06000000"));
  EXPECT_EQ(Encode(op, NoHandles), raw);
  op.blob[4] = 9;  // the result of Op 9
  op.vfioDeviceSetIrqs.fdResults = 2;
  EXPECT_EQ(Encode(op,
                   [](Handle from, HandleRole role) -> uint64_t {
                     EXPECT_EQ(from, 9u);
                     EXPECT_EQ(role, HandleRole::kFd);
                     return 6;
                   }),
            raw);
}

TEST(Codec, HandlesBecomeNumbers) {
  Op op;
  op.kind = OpKind::kIoasMap;
  op.size = 40, op.readable = 40;
  op.results = 7;
  op.fd = 1, op.ioasMap.ioasId = 2, op.ioasMap.userMap = 3, op.ioasMap.userVa = 0x10;
  const RawIoctl raw = Encode(op, [](Handle ordinal, HandleRole role) -> uint64_t {
    switch (role) {
      case HandleRole::kFd:
        return 100 + ordinal;
      case HandleRole::kId:
        return 200 + ordinal;
      case HandleRole::kMap:
        return 0xffff00000000 + ordinal;
    }
    return 0;
  });
  EXPECT_EQ(raw.fd, 101u);
  EXPECT_EQ(raw.in[8], static_cast<char>(202));
  uint64_t user_va = 0;
  std::memcpy(&user_va, raw.in.data() + 16, 8);
  EXPECT_EQ(user_va, 0xffff00000013u);
}

TEST(Codec, AnyOpCanBeEncoded) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 50000; ++i) {
    const Op op = RandomOp(random, 5);
    const RawIoctl raw = Encode(op, [](Handle, HandleRole) { return uint64_t{1}; });
    if (StructSize(op.kind) != 0) EXPECT_LE(raw.in.size(), op.readable);
  }
}

}  // namespace
}  // namespace twinwalk
