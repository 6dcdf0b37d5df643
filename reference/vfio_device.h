// What vfio-pci tells of a device and lets be set (type1 6): info structs, interrupts, features.
// What it tells is environment (VfioConfig); what is kept is which interrupts are bound, and which
// regions were mapped.
#ifndef TWINWALK_REFERENCE_VFIO_DEVICE_H_
#define TWINWALK_REFERENCE_VFIO_DEVICE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "traces/world.h"

namespace twinwalk::reference {

struct RegionInfo {
  int err = 0;
  uint32_t flags = 0;
  uint64_t size = 0;
  std::string caps;  // the capability chain, offsets from the start of the 32-byte struct
};
struct IrqInfo {
  int err = 0;
  uint32_t flags = 0, count = 0;
};
// The arguments of SET_IRQS; the payload is what can be read of it.
struct IrqSet {
  uint32_t argsz = 0, flags = 0, index = 0, start = 0, count = 0;
  std::string_view payload;
};
// 0, or why a descriptor names no eventfd.
using CheckEventfd = std::function<int(uint32_t fd)>;

class VfioDevice {
 public:
  explicit VfioDevice(const VfioConfig& config)
      : config_(config), backings_(config.regions.size(), 0) {}

  const VfioConfig& config() const { return config_; }
  uint32_t InfoFlags() const;
  RegionInfo Region(uint32_t index) const;
  IrqInfo Irq(uint32_t index) const;
  // The region that a position in the device's file lies in, and the offset; null: none, or empty.
  const RegionConfig* At(uint64_t position, uint64_t* offset) const;
  // Whether first..first + length - 1 of the region may be mapped.
  static bool Mappable(const RegionConfig& region, uint64_t first, uint64_t length);
  // 0, or the errno of VFIO_DEVICE_FEATURE; `bytes`: argsz.
  int Feature(uint32_t flags, uint32_t bytes) const;

  int SetIrqs(const IrqSet& in, const CheckEventfd& check);
  // fd -1 removes.
  int Ioeventfd(uint32_t flags, uint64_t position, uint64_t data, int32_t fd,
                const CheckEventfd& check);

  // Device files that are open. The last close unbinds all interrupts.
  uint64_t opens() const { return opens_; }
  void Open() { ++opens_; }
  void Close();
  // The memory that a region is (0: it was never mapped).
  uint64_t& backing(size_t region) { return backings_[region]; }

 private:
  // Of INTx, MSI and MSI-X, one is on at a time.
  static constexpr uint32_t kNone = 0xffffffff;
  uint32_t Vectors(uint32_t index) const {
    return index < config_.irqs.size() ? config_.irqs[index] : 0;
  }
  int TriggerIntx(const IrqSet& in, const CheckEventfd& check);
  int MaskIntx(const IrqSet& in, const CheckEventfd& check);
  int TriggerMessages(const IrqSet& in, const CheckEventfd& check);
  int TriggerSingle(const IrqSet& in, const CheckEventfd& check, bool* bound);

  VfioConfig config_;
  uint64_t opens_ = 0;
  std::vector<uint64_t> backings_;
  uint32_t mode_ = kNone;  // index of the interrupts that are on
  uint32_t enabled_ = 0;   // their vectors
  bool err_bound_ = false, req_bound_ = false;
  std::set<std::tuple<uint64_t, uint64_t, uint32_t>> ioeventfds_;  // position, data, width
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_VFIO_DEVICE_H_
