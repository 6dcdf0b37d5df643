// IOMMU groups, derived from what can reach what without passing the IOMMU (TRACE 8, Groups): the
// classes of World::functions, or, where there are none, DeviceConfig::group itself.
#ifndef TWINWALK_REFERENCE_GROUPS_H_
#define TWINWALK_REFERENCE_GROUPS_H_

#include <cstdint>
#include <vector>

#include "traces/world.h"

namespace twinwalk::reference {

class Groups {
 public:
  Groups() = default;
  explicit Groups(const World& world);

  // The number of the group that a device (index into World::devices) is in.
  uint32_t OfDevice(size_t device) const { return of_device_[device]; }
  // Whether every member's driver leaves DMA to the owner (type1 5): no host driver.
  bool Viable(uint32_t group) const;
  // Whether VFIO drives the device: it can be opened by name.
  bool DrivenByVfio(size_t device) const { return driven_[device]; }
  // The group of a function (index into World::functions); 0 when no device of the World is in it.
  uint32_t OfFunction(size_t function) const { return of_function_[function]; }

 private:
  void Join(size_t a, size_t b);
  size_t ClassOf(size_t function) const;

  std::vector<size_t> parent_;  // of a union-find over functions: a class is a tree
  std::vector<uint32_t> of_device_, of_function_;
  std::vector<bool> driven_;
  std::vector<uint32_t> unviable_;  // groups with a host driver
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_GROUPS_H_
