#include "traces/resolve.h"

#include <gtest/gtest.h>

namespace twinwalk {
namespace {

Outcome Made(uint32_t id, uint32_t fd, int64_t ret = 0) {
  Outcome o;
  o.id = id, o.fd = fd, o.ret = ret;
  return o;
}

Op MapOp() {
  Op op;
  op.kind = OpKind::kIoasMap;
  op.fd = 0, op.ioasMap.ioasId = 1, op.ioasMap.userMap = 2, op.ioasMap.userVa = 0x1000;
  op.results = 0b111;
  op.blob = "tail";
  return op;
}

TEST(Resolver, TakesEachRoleFromItsOp) {
  Resolver r;
  Op any;
  any.kind = OpKind::kOpen;
  r.Record(any, Made(0, 7));
  any.kind = OpKind::kIoasAlloc;
  r.Record(any, Made(42, 0));
  any.kind = OpKind::kMmap;
  r.Record(any, Made(0, 0, 0x7f0000));
  const Op& op = r.Resolve(MapOp());
  EXPECT_EQ(op.fd, 7u);
  EXPECT_EQ(op.ioasMap.ioasId, 42u);
  EXPECT_EQ(op.ioasMap.userVa, 0x7f1000u);
  EXPECT_EQ(op.results, 0);
  EXPECT_EQ(op.blob, "tail");
}

TEST(Resolver, WhatFailedOrIsNotThereDangles) {
  Resolver r;
  Op any;
  Outcome failed = Made(5, 6);
  failed.err = 12;
  any.kind = OpKind::kOpen;
  r.Record(any, failed);
  const Op& op = r.Resolve(MapOp());  // Ops 1 and 2 do not exist
  EXPECT_EQ(op.fd, kDanglingHandle);
  EXPECT_EQ(op.ioasMap.ioasId, kDanglingHandle);
  EXPECT_EQ(op.ioasMap.userVa, 0xfffu);  // all ones plus 0x1000
}

TEST(Resolver, AddressesOfAContainerAndFdsInAPayload) {
  Resolver r;
  Op any;
  any.kind = OpKind::kMmap;
  r.Record(any, Made(0, 0, 0x7f0000));
  any.kind = OpKind::kEventfd;
  r.Record(any, Made(0, 9));
  Op map;
  map.kind = OpKind::kVfioIommuMapDma;
  map.vfioIommuMapDma.vaddrMap = 0, map.vfioIommuMapDma.vaddr = 0x2000;
  map.results = 2;
  EXPECT_EQ(r.Resolve(map).vfioIommuMapDma.vaddr, 0x7f2000u);

  // Words 1 and 3 are results, the last of an Op that does not exist; the others stay.
  Op irqs;
  irqs.kind = OpKind::kVfioDeviceSetIrqs;
  irqs.vfioDeviceSetIrqs.fdResults = 0b101010;
  const uint32_t words[] = {1, 1, 0xffffffff, 7};
  irqs.blob.assign(reinterpret_cast<const char*>(words), sizeof words);
  irqs.blob += "xy";  // half a word is none
  const Op& resolved = r.Resolve(irqs);
  EXPECT_EQ(resolved.vfioDeviceSetIrqs.fdResults, 0u);
  uint32_t now[4];
  std::memcpy(now, resolved.blob.data(), sizeof now);
  EXPECT_EQ(now[0], 1u);
  EXPECT_EQ(now[1], 9u);
  EXPECT_EQ(now[2], 0xffffffffu);
  EXPECT_EQ(now[3], kDanglingHandle);
  EXPECT_EQ(resolved.blob.substr(16), "xy");
}

TEST(Resolver, LiteralsStay) {
  Resolver r;
  Op op = MapOp();
  op.results = 0;
  EXPECT_EQ(r.Resolve(op).ioasMap.ioasId, 1u);
  EXPECT_EQ(r.Resolve(op).ioasMap.userVa, 0x1000u);
}

}  // namespace
}  // namespace twinwalk
