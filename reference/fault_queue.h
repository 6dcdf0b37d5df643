// Fault queues: the object, who holds it, and its file (iommufd 9.7, 14). No device of a World
// makes page requests, so none ever holds a message and every response names an unknown cookie.
#ifndef TWINWALK_REFERENCE_FAULT_QUEUE_H_
#define TWINWALK_REFERENCE_FAULT_QUEUE_H_

#include "reference/args.h"
#include "reference/env.h"

namespace twinwalk::reference {

// 14.1
template <class D>
Result<D> FaultQueueAlloc(const Env<D>& env, const State<D>& s, FaultQueues<D>& faults,
                          typename D::W context, typename D::W flags, bool writable) {
  using W = typename D::W;
  if (flags != W(0)) return Fail<D>(EOPNOTSUPP);
  const W id = NewId(env, s, context);
  if (id == W(0)) return Fail<D>(ENOMEM);
  if (!writable) return Fail<D>(EFAULT);
  FaultRow<D> row;
  row.key = NameOf(context, id);
  row.open = W(1);
  faults.Insert(row);
  return Made<D>(id);
}

// Its last file is closed: it may now be destroyed.
template <class D>
void CloseFaultQueue(FaultQueues<D>& faults, typename D::W key) {
  using W = typename D::W;
  faults.UpdateWhere([&](const FaultRow<D>& q) { return q.key == key; },
                     [](FaultRow<D>& q) { q.open = W(0); });
}

// 9.7: whether `id` is a fault queue of this context, for an HWPT to hold.
template <class D>
typename D::B IsFaultQueue(const State<D>& s, typename D::W context, typename D::W id) {
  const typename D::W key = NameOf(context, id);
  return s.faults.Any([&](const FaultRow<D>& q) { return q.key == key; });
}
template <class D>
void HoldFaultQueue(FaultUses<D>& uses, typename D::W hwpt, typename D::W queue) {
  FaultUseRow<D> row;
  row.key = hwpt, row.fault = queue;
  uses.Insert(row);
}

// 14.4, of the whole write(): bytes taken, or the errno.
inline int FaultResponseError(uint64_t bytes) {
  if (bytes % 8 != 0) return ESPIPE;
  return bytes == 0 ? 0 : EINVAL;
}

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_FAULT_QUEUE_H_
