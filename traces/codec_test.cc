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
  bool is_vfio_device;
  size_t size;
  std::vector<SheetField> fields;
};
// iommufd sheet 3.1 and 19, typed in once more: not derived from the codec.
const std::vector<SheetStruct> kSheet = {
    {OpKind::kBindIommufd,
     0x3b76,
     true,
     24,
     {{"flags", 4, 4}, {"iommufd", 8, 4}, {"outDevid", 12, 4}, {"tokenPtr", 16, 8}}},
    {OpKind::kAttachIommufdPt,
     0x3b77,
     true,
     16,
     {{"flags", 4, 4}, {"ptId", 8, 4}, {"pasid", 12, 4}}},
    {OpKind::kDetachIommufdPt, 0x3b78, true, 12, {{"flags", 4, 4}, {"pasid", 8, 4}}},
    {OpKind::kDestroy, 0x3b80, false, 8, {{"id", 4, 4}}},
    {OpKind::kIoasAlloc, 0x3b81, false, 12, {{"flags", 4, 4}, {"outIoasId", 8, 4}}},
    {OpKind::kIoasIovaRanges,
     0x3b84,
     false,
     32,
     {{"ioasId", 4, 4},
      {"numIovas", 8, 4},
      {"reserved", 12, 4},
      {"allowedIovas", 16, 8},
      {"outIovaAlignment", 24, 8}}},
    {OpKind::kIoasMap,
     0x3b85,
     false,
     40,
     {{"flags", 4, 4},
      {"ioasId", 8, 4},
      {"reserved", 12, 4},
      {"userVa", 16, 8},
      {"length", 24, 8},
      {"iova", 32, 8}}},
    {OpKind::kIoasUnmap, 0x3b86, false, 24, {{"ioasId", 4, 4}, {"iova", 8, 8}, {"length", 16, 8}}},
    {OpKind::kHwptAlloc,
     0x3b89,
     false,
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
      {"reserved2", 44, 4}}},
    {OpKind::kGetHwInfo,
     0x3b8a,
     false,
     40,
     {{"flags", 4, 4},
      {"devId", 8, 4},
      {"dataLen", 12, 4},
      {"dataPtr", 16, 8},
      {"dataType", 24, 4},
      {"maxPasidAndReserved", 28, 4},
      {"outCapabilities", 32, 8}}},
    {OpKind::kHwptInvalidate,
     0x3b8d,
     false,
     32,
     {{"hwptId", 4, 4},
      {"dataPtr", 8, 8},
      {"dataType", 16, 4},
      {"entryLen", 20, 4},
      {"entryNum", 24, 4},
      {"reserved", 28, 4}}},
    {OpKind::kViommuAlloc,
     0x3b90,
     false,
     40,
     {{"flags", 4, 4},
      {"type", 8, 4},
      {"devId", 12, 4},
      {"hwptId", 16, 4},
      {"outViommuId", 20, 4},
      {"dataLen", 24, 4},
      {"reserved", 28, 4},
      {"dataPtr", 32, 8}}},
    {OpKind::kVdeviceAlloc,
     0x3b91,
     false,
     24,
     {{"viommuId", 4, 4}, {"devId", 8, 4}, {"outVdeviceId", 12, 4}, {"virtId", 16, 8}}},
    {OpKind::kVeventqAlloc,
     0x3b93,
     false,
     32,
     {{"flags", 4, 4},
      {"viommuId", 8, 4},
      {"type", 12, 4},
      {"depth", 16, 4},
      {"outVeventqId", 20, 4},
      {"outVeventqFd", 24, 4},
      {"reserved", 28, 4}}},
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
    raw.command = s.command, raw.is_vfio_device = s.is_vfio_device;
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
  raw.command = 0x3b76, raw.is_vfio_device = true, raw.fd = 4, raw.writable = 24;
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
  raw.is_vfio_device = s.is_vfio_device != (random() % 50 == 0);
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
    const bool is_pointer = std::string(field.name).find("Ptr") != std::string::npos ||
                            std::string(field.name) == "allowedIovas";
    if (!is_pointer && random() % 50 != 0) continue;
    RawBuffer buffer;
    buffer.name = s.kind == OpKind::kBindIommufd      ? "token_uuid"
                  : s.kind == OpKind::kIoasIovaRanges ? "allowed_iovas"
                                                      : "data";
    std::memcpy(&buffer.address, raw.in.data() + field.offset, 8);
    if (random() % 50 == 0) ++buffer.address;
    buffer.bytes = RandomBytes(random, 100) + '!';
    const bool writes = s.kind == OpKind::kIoasIovaRanges || s.kind == OpKind::kGetHwInfo;
    if (writes || random() % 50 == 0) buffer.writable = static_cast<uint32_t>(RandomWord(random));
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
  for (const auto& [kind, count] : typed) EXPECT_GT(count, 5000) << OpName(kind);
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
  raw.is_vfio_device = true;
  EXPECT_FALSE(typed(raw));
  raw.is_vfio_device = false, raw.command = 0x2003b80;
  EXPECT_FALSE(typed(raw));
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
