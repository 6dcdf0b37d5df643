// A DMA of one piece: guest tables are arbitrary words, every retained entry may be used.
#include "proofs/ops.h"
#include "reference/access.h"

namespace twinwalk::proofs {
namespace {

// A bound of these rows: as many bits as addresses in the state have.
constexpr uint64_t kIova = 0xfffff;

B RunDma(OpRun* r, bool nested) {
  reference::AccessIn<Sym> in;
  View<Sym>& v = r->s.view;
  in.device = r->Arg("device", 0xf);
  in.iova = r->Arg("iova", kIova), in.length = r->Arg("length", 0x1fff);
  r->e->Assume(in.length >= W(1) && (in.iova & W(0xfff)) + in.length <= W(0x1000));
  in.write = r->Either("write");
  if (nested) {
    // T0SZ 25, T1SZ 25, both granules 4 KiB. A retained CD is no other than one that is fetched,
    // because what is fetched is arbitrary.
    r->host.BoundFirstRead(0x00ff00ff, 25 << 16 | 25 | 2 << 22);
    for (const auto& at : v.retained.places()) r->e->Assume(at.row.kind != W(kCd));
  }
  in.hasPasid = !nested && r->Either("pasid");
  if (in.hasPasid) in.pasid = r->Arg("pasid", 0xfffff);
  // Two rows of the matrix, so that each shows what it costs.
  const B guest = v.devices.Any([&](const auto& d) {
    return d.key == in.device && v.nesteds.Any([&](const auto& n) { return n.key == d.attached; });
  });
  r->e->Assume(nested ? guest : !guest);
  r->wanted = [in](const Assignment& m) {
    OpRun::Wanted w;
    w.op.kind = OpKind::kDma;
    w.device = m.Value(in.device);
    w.op.dma.device = static_cast<uint32_t>(w.device - 1);
    w.op.dma.iova = m.Value(in.iova);
    w.op.dma.length = static_cast<uint32_t>(m.Value(in.length));
    if (in.write) {
      w.op.dma.flags = kDmaWrite;
      w.op.blob = std::string(w.op.dma.length, 'x');
    }
    return w;
  };
  const reference::AccessOut<Sym> out = reference::Access<Sym>(r->env(), r->s, in);
  reference::Commit<Sym>(r->env(), r->s, v.retained, v.accesses, v.veventqs, r->s.log, v.events, in,
                         out);
  return out.event == W(0);
}
B RunDirect(OpRun* r) {
  return RunDma(r, false);
}
B RunNested(OpRun* r) {
  return RunDma(r, true);
}

}  // namespace

std::vector<OpProof> DmaOpProofs() {
  Bounds direct;
  direct.addresses = kIova;
  direct.note = "iova 20 bits";
  Bounds nested = direct;
  nested.note = "guest CDs of 39 bits, 4 KiB granule; iova 20 bits";
  return {
      {"dma (host tables)", OpKind::kDma, direct, RunDirect, true, true, true},
      {"dma (guest tables)", OpKind::kDma, nested, RunNested, true, true, true},
  };
}

}  // namespace twinwalk::proofs
