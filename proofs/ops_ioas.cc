// Ops on I/O address spaces.
#include "proofs/ops.h"
#include "reference/ioas.h"

namespace twinwalk::proofs {
namespace {

using reference::Result;

B RunIoasAlloc(OpRun* r) {
  reference::IoasAllocIn<Sym> in;
  in.context = r->Context(), in.flags = r->Arg("flags");
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kIoasAlloc;
    w.op.ioasAlloc.flags = static_cast<uint32_t>(m.Value(in.flags));
    w.context = m.Value(in.context);
    return w;
  };
  return reference::IoasAlloc<Sym>(r->env(), r->s, r->s.view.ioases, r->s.allocator, in).err ==
         W(0);
}

B RunIoasMap(OpRun* r) {
  reference::IoasMapIn<Sym> in;
  in.context = r->Context();
  in.process = r->Arg("process", 3);
  r->e->Assume(in.process != W(0));
  in.ioasId = r->Id("ioas"), in.flags = r->Arg("flags", 0xffffffff);
  in.reserved = r->Arg("reserved", 1);
  in.userVa = r->Arg("userVa"), in.length = r->Arg("length"), in.iova = r->Arg("iova");
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kIoasMap;
    w.op.ioasMap.flags = static_cast<uint32_t>(m.Value(in.flags));
    w.op.ioasMap.ioasId = static_cast<uint32_t>(m.Value(in.ioasId));
    w.op.ioasMap.userVa = m.Value(in.userVa), w.op.ioasMap.length = m.Value(in.length);
    w.op.ioasMap.iova = m.Value(in.iova);
    w.context = m.Value(in.context);
    return w;
  };
  return reference::IoasMap<Sym>(r->env(), r->s, r->s.view.areas, r->s.view.accounts, r->s.ordinals,
                                 r->s.allocator, in)
             .err == W(0);
}

B RunIoasUnmap(OpRun* r) {
  reference::IoasUnmapIn<Sym> in;
  in.context = r->Context(), in.ioasId = r->Id("ioas");
  in.iova = r->Arg("iova"), in.length = r->Arg("length");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kIoasUnmap;
    w.op.ioasUnmap.ioasId = static_cast<uint32_t>(m.Value(in.ioasId));
    w.op.ioasUnmap.iova = m.Value(in.iova), w.op.ioasUnmap.length = m.Value(in.length);
    w.context = m.Value(in.context);
    return w;
  };
  return reference::IoasUnmap<Sym>(r->env(), r->s, r->s.view.areas, r->s.view.accounts, r->s.copies,
                                   r->s.view.retained, in)
             .err == W(0);
}

B RunIovaRanges(OpRun* r) {
  const W context = r->Context(), id = r->Id("ioas"), reserved = r->Arg("reserved", 1);
  r->wanted = [=](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kIoasIovaRanges;
    w.op.ioasIovaRanges.ioasId = static_cast<uint32_t>(m.Value(id));
    w.context = m.Value(context);
    return w;
  };
  return reference::IoasIovaRanges<Sym>(r->s, context, id, reserved).err == W(0);
}

}  // namespace

std::vector<OpProof> IoasOpProofs() {
  return {
      {"ioas_alloc", OpKind::kIoasAlloc, {}, RunIoasAlloc},
      {"ioas_map", OpKind::kIoasMap, {}, RunIoasMap},
      {"ioas_unmap", OpKind::kIoasUnmap, {}, RunIoasUnmap},
      {"ioas_iova_ranges", OpKind::kIoasIovaRanges, {}, RunIovaRanges},
  };
}

}  // namespace twinwalk::proofs
