// Ops on device files, and the end of a context.
#include "proofs/ops.h"
#include "reference/iommufd.h"

namespace twinwalk::proofs {
namespace {

using reference::SpacesOf;

W Device(OpRun* r) {
  return r->Arg("device", 0xf);
}
uint64_t ContextOfDevice(const Assignment& m, const View<Sym>& before, uint64_t device) {
  uint64_t context = 0;
  for (const auto& at : before.devices.places())
    if (m.Value(at.present) && m.Value(at.row.key) == device) context = m.Value(at.row.context);
  return context;
}

B RunBind(OpRun* r) {
  reference::BindIn<Sym> in;
  in.device = Device(r), in.context = r->Context();
  in.writable = r->Either("writable");
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kBindIommufd;
    w.context = m.Value(in.context), w.device = m.Value(in.device);
    return w;
  };
  return reference::Bind<Sym>(r->env(), r->s, r->s.view.devices, in).err == W(0);
}

B RunAttach(OpRun* r) {
  reference::AttachIn<Sym> in;
  in.device = Device(r), in.ptId = r->Id("pt");
  in.flags = r->Arg("flags", 3), in.pasid = r->Arg("pasid", 0xffffffff);
  in.writable = r->Either("writable");
  r->wanted = [in, before = r->s.view](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kAttachIommufdPt;
    w.op.attach.flags = static_cast<uint32_t>(m.Value(in.flags));
    w.op.attach.ptId = static_cast<uint32_t>(m.Value(in.ptId));
    w.device = m.Value(in.device);
    w.context = ContextOfDevice(m, before, w.device);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::Attach<Sym>(r->env(), r->s, v.devices, v.nesteds, SpacesOf(r->s),
                                r->s.allocator, in)
             .err == W(0);
}

B RunDetach(OpRun* r) {
  reference::DetachIn<Sym> in;
  in.device = Device(r), in.flags = r->Arg("flags", 3);
  r->wanted = [in, before = r->s.view](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kDetachIommufdPt;
    w.op.detach.flags = static_cast<uint32_t>(m.Value(in.flags));
    w.device = m.Value(in.device);
    w.context = ContextOfDevice(m, before, w.device);
    return w;
  };
  View<Sym>& v = r->s.view;
  return reference::Detach<Sym>(r->env(), v.devices, v.nesteds, SpacesOf(r->s), in).err == W(0);
}

B RunCloseDevice(OpRun* r) {
  const W device = Device(r);
  View<Sym>& v = r->s.view;
  // The last file of a bound cdev; its vDEVICE's id was never used for a tombstone before.
  const DeviceRow<Sym>* row = v.devices.Find(device);
  if (row == nullptr) return false;
  r->e->Assume(row->context != W(0));
  r->wanted = [device, before = r->s.view](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kClose;
    w.device = m.Value(device);
    w.context = ContextOfDevice(m, before, w.device);
    return w;
  };
  reference::CloseDevice<Sym>(r->env(), v.devices, v.nesteds, SpacesOf(r->s), v.vdevices, v.viommus,
                              r->s.tombstones, device);
  return true;
}

B RunCloseContext(OpRun* r) {
  const W context = r->Context();
  View<Sym>& v = r->s.view;
  // The last reference: its devices were unbound, the files of its queues closed.
  r->e->Assume(!v.devices.Any([&](const auto& d) { return d.context == context; }));
  r->wanted = [context](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kClose;
    w.context = m.Value(context);
    return w;
  };
  // One turn of the loop in CloseContext, or what comes behind it: what each of them keeps, all of
  // them keep, in whatever number. The condition above stays true: none writes a device.
  reference::Objects<Sym> objects = reference::ObjectsOf(r->s);
  if (!reference::CloseOne<Sym>(r->env(), r->s, objects, context))
    reference::CloseContext<Sym>(r->env(), r->s, objects, r->s.tombstones, context);
  return true;
}

}  // namespace

std::vector<OpProof> VfioOpProofs() {
  Bounds attach;  // below the base bounds: what pins cost here grows steeply with areas
  attach.areas = 1;
  return {
      {"bind_iommufd", OpKind::kBindIommufd, {}, RunBind},
      {"attach_iommufd_pt", OpKind::kAttachIommufdPt, attach, RunAttach, false, false, true},
      {"detach_iommufd_pt", OpKind::kDetachIommufdPt, {}, RunDetach},
      {"close (device)", OpKind::kClose, {}, RunCloseDevice},
      {"close (context)", OpKind::kClose, {}, RunCloseContext},
  };
}

}  // namespace twinwalk::proofs
