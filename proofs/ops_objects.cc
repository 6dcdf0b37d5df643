// Ops on HWPTs, vIOMMUs and what hangs on them.
#include "proofs/ops.h"
#include "reference/iommufd.h"

namespace twinwalk::proofs {
namespace {

using reference::ObjectsOf;
using reference::SpacesOf;

uint32_t Narrow(const Assignment& m, const W& word) {
  return static_cast<uint32_t>(m.Value(word));
}

B RunGetHwInfo(OpRun* r) {
  reference::GetHwInfoIn<Sym> in;
  in.context = r->Context(), in.devId = r->Id("dev"), in.flags = r->Arg("flags", 0xffffffff);
  in.dataType = r->Arg("dataType", 0xffffffff), in.reserved = r->Arg("reserved", 1);
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kGetHwInfo;
    w.op.getHwInfo.devId = Narrow(m, in.devId), w.op.getHwInfo.flags = Narrow(m, in.flags);
    w.context = m.Value(in.context);
    return w;
  };
  W smmu;
  return reference::GetHwInfo<Sym>(r->env(), r->s, in, &smmu).err == W(0);
}

B RunHwptAlloc(OpRun* r) {
  reference::HwptAllocIn<Sym> in;
  in.context = r->Context(), in.devId = r->Id("dev"), in.ptId = r->Id("pt");
  in.flags = r->Arg("flags", 0xffffffff), in.reserved = r->Arg("reserved", 1);
  in.dataType = r->Arg("dataType", 3), in.dataLen = r->Arg("dataLen", 0x1f);
  in.ste0 = r->Arg("ste0"), in.ste1 = r->Arg("ste1");
  in.dataReadable = r->Either("readable"), in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kHwptAlloc;
    w.op.hwptAlloc.flags = Narrow(m, in.flags);
    w.op.hwptAlloc.devId = Narrow(m, in.devId), w.op.hwptAlloc.ptId = Narrow(m, in.ptId);
    w.op.hwptAlloc.dataType = Narrow(m, in.dataType),
    w.op.hwptAlloc.dataLen = Narrow(m, in.dataLen);
    w.op.hwptAlloc.dataPtr = 0x1000;
    for (const W& word : {in.ste0, in.ste1}) {
      const uint64_t value = m.Value(word);
      w.op.blob.append(reinterpret_cast<const char*>(&value), 8);
    }
    w.context = m.Value(in.context);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::HwptAlloc<Sym>(r->env(), r->s, SpacesOf(r->s), v.nesteds, v.viommus,
                                   r->s.allocator, in)
             .err == W(0);
}

B RunViommuAlloc(OpRun* r) {
  reference::ViommuAllocIn<Sym> in;
  in.context = r->Context(), in.devId = r->Id("dev"), in.hwptId = r->Id("hwpt");
  in.flags = r->Arg("flags", 1), in.type = r->Arg("type", 3);
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kViommuAlloc;
    w.op.viommuAlloc.flags = Narrow(m, in.flags), w.op.viommuAlloc.type = Narrow(m, in.type);
    w.op.viommuAlloc.devId = Narrow(m, in.devId), w.op.viommuAlloc.hwptId = Narrow(m, in.hwptId);
    w.context = m.Value(in.context);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::ViommuAlloc<Sym>(r->env(), r->s, v.viommus, v.hwpts, r->s.allocator, in).err ==
         W(0);
}

B RunVdeviceAlloc(OpRun* r) {
  reference::VdeviceAllocIn<Sym> in;
  in.context = r->Context(), in.viommuId = r->Id("viommu"), in.devId = r->Id("dev");
  in.virtId = r->Arg("virtId");
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kVdeviceAlloc;
    w.op.vdeviceAlloc.viommuId = Narrow(m, in.viommuId);
    w.op.vdeviceAlloc.devId = Narrow(m, in.devId);
    w.op.vdeviceAlloc.virtId = m.Value(in.virtId);
    w.context = m.Value(in.context);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::VdeviceAlloc<Sym>(r->env(), r->s, v.vdevices, v.viommus, r->s.allocator, in)
             .err == W(0);
}

B RunVeventqAlloc(OpRun* r) {
  reference::VeventqAllocIn<Sym> in;
  in.context = r->Context(), in.viommuId = r->Id("viommu");
  in.flags = r->Arg("flags", 1), in.type = r->Arg("type", 3), in.reserved = r->Arg("reserved", 1);
  in.depth = r->Arg("depth", 0xffffffff);
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kVeventqAlloc;
    w.op.veventqAlloc.viommuId = Narrow(m, in.viommuId);
    w.op.veventqAlloc.type = Narrow(m, in.type), w.op.veventqAlloc.depth = Narrow(m, in.depth);
    w.context = m.Value(in.context);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::VeventqAlloc<Sym>(r->env(), r->s, v.veventqs, v.viommus, r->s.allocator, in)
             .err == W(0);
}

B RunHwptInvalidate(OpRun* r) {
  reference::HwptInvalidateIn<Sym> in;
  in.context = r->Context(), in.hwptId = r->Id("hwpt");
  in.dataType = r->Arg("dataType", 3), in.entryLen = r->Arg("entryLen", 0x1fff);
  in.entryNum = r->Arg("entryNum", 0xfffff), in.reserved = r->Arg("reserved", 1);
  in.nullPtr = !r->Either("pointer");
  in.copyError = r->Either("copied") ? 0 : 14;
  in.commands.push_back({r->Arg("word0"), r->Arg("word1")});  // a bound: arrays of one command
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kHwptInvalidate;
    w.op.hwptInvalidate.hwptId = Narrow(m, in.hwptId), w.op.hwptInvalidate.dataType = 1;
    w.op.hwptInvalidate.entryLen = 16, w.op.hwptInvalidate.entryNum = 1;
    w.op.hwptInvalidate.dataPtr = 0x1000;
    for (const W& word : in.commands[0]) {
      const uint64_t value = m.Value(word);
      w.op.blob.append(reinterpret_cast<const char*>(&value), 8);
    }
    w.context = m.Value(in.context);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::HwptInvalidate<Sym>(r->env(), r->s, v.retained, v.commands, in).err == W(0);
}

B RunDestroy(OpRun* r) {
  reference::DestroyIn<Sym> in;
  in.context = r->Context(), in.id = r->Id("id");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kDestroy;
    w.op.destroy.id = Narrow(m, in.id);
    w.context = m.Value(in.context);
    return w;
  };
  return reference::Destroy<Sym>(r->env(), r->s, ObjectsOf(r->s), in).err == W(0);
}

// read() of a vEVENTQ takes as many events as fit, and a lost-marker when it ends them.
B RunRead(OpRun* r) {
  View<Sym>& v = r->s.view;
  const VeventqRow<Sym>* queue = v.veventqs.Find(r->Arg("queue", 0x3'000000ff));
  if (queue == nullptr) return false;
  const W records = r->Arg("records"), marker = r->Arg("marker", 1);
  r->e->Assume(records <= queue->count);
  reference::TakeRecords<Sym>(v.veventqs, queue->key, records, marker);
  return true;
}

// close() of the last file of a vEVENTQ.
B RunCloseQueue(OpRun* r) {
  View<Sym>& v = r->s.view;
  reference::CloseVeventq<Sym>(v.veventqs, r->Arg("queue", 0x3'000000ff));
  return true;
}

}  // namespace

std::vector<OpProof> ObjectOpProofs() {
  return {
      {"get_hw_info", OpKind::kGetHwInfo, {}, RunGetHwInfo},
      {"hwpt_alloc", OpKind::kHwptAlloc, {}, RunHwptAlloc},
      {"viommu_alloc", OpKind::kViommuAlloc, {}, RunViommuAlloc},
      {"vdevice_alloc", OpKind::kVdeviceAlloc, {}, RunVdeviceAlloc},
      {"veventq_alloc", OpKind::kVeventqAlloc, {}, RunVeventqAlloc},
      {"hwpt_invalidate", OpKind::kHwptInvalidate, {}, RunHwptInvalidate, true},
      {"destroy", OpKind::kDestroy, {}, RunDestroy},
      {"read", OpKind::kRead, {}, RunRead},
      {"close (veventq)", OpKind::kClose, {}, RunCloseQueue},
  };
}

}  // namespace twinwalk::proofs
