// What an open VFIO device keeps: interrupts that are set up, ioeventfds, and the memory behind its
// regions (type1 sheet 6). Nothing here is seen by an IOMMU but the regions that are mapped.
#ifndef TWINWALK_MODEL_DEVICE_FILE_H_
#define TWINWALK_MODEL_DEVICE_FILE_H_

#include <cstdint>
#include <vector>

namespace twinwalk::model {

class Backing;

enum IrqIndex : uint32_t { kIrqIntx = 0, kIrqMsi = 1, kIrqMsix = 2, kIrqErr = 3, kIrqReq = 4 };
inline constexpr uint32_t kNoIrq = 0xffffffff;

struct Ioeventfd {
  uint64_t offset = 0, data = 0;
  uint32_t width = 0;  // bytes
  bool operator==(const Ioeventfd&) const = default;
};

struct DeviceState {
  uint32_t opens = 0;         // device files got from its group
  uint32_t irqMode = kNoIrq;  // INTx, MSI or MSI-X: one at a time
  uint32_t irqVectors = 0;    // of MSI: as many as it was set up with
  bool errorBound = false, requestBound = false;
  std::vector<Ioeventfd> ioeventfds;
  std::vector<Backing*> regions;  // made by the first mmap, kept as long as the World
  // The last file closed.
  void Shut() {
    irqMode = kNoIrq;
    irqVectors = 0;
    errorBound = requestBound = false;
    ioeventfds.clear();
  }
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_DEVICE_FILE_H_
