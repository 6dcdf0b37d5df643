// What a recording tells about the machine that it was made on, put into the World: the environment
// of a trace, never judged. Each fact counts once. What nobody told stays as the World had it
// before (a World file given to the importer, or the defaults here).
//
// Told by            | fact
// header             | x86: VT-d, as the emulator has it by default (below); else: SMMUv3
// sysfs              | PCI address of a device (its name and requester id), of a cdev; number of a
// group GET_HW_INFO        | registers of the IOMMU; VT-d: scalable mode, by ECAP.SMTS kernel log
// | VT-d: a fault reason of scalable mode SET_IOMMU, BIND    | EPERM: interrupts are not isolated
// device ioctls      | regions, interrupts, resets, features
// mmap, pread, pwrite | of a region that no ioctl told: at least that much of it
// config space       | the interrupt pin
#ifndef TWINWALK_TRACES_IMPORT_FACTS_H_
#define TWINWALK_TRACES_IMPORT_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "traces/op.h"
#include "traces/world.h"

namespace twinwalk {

// 0000:00:10.0 -> 0x80. nullopt when it is no PCI address.
std::optional<uint32_t> RequesterId(const std::string& address);

class ImportFacts {
 public:
  // `count`: of the facts. Both must outlive this.
  ImportFacts(World* world, uint64_t* count) : world_(world), count_(count) {}

  // The header's machine ("x86_64"). Not when the World was given.
  void Machine(const std::string& machine);

  // Index of the device of a PCI address; nullopt: no address, or beyond kMaxDevices.
  std::optional<uint32_t> Device(const std::string& address);
  // Index of the device behind /dev/vfio/devices/CDEV, known or not.
  std::optional<uint32_t> Cdev(const std::string& cdev);
  std::optional<uint32_t> DeviceAt(const std::string& address) const;  // only if known
  void CdevIs(const std::string& cdev, const std::string& address);
  void GroupIs(const std::string& address, uint32_t group);
  // A group was opened: some device has its number.
  void GroupOpened(uint32_t group);
  void ContainerIsIommufd();
  // edu's DMA goes over the bus in accesses of so many bytes: a fault makes an event for each.
  void Transactions(uint32_t device, uint32_t bytes);

  // An ioctl and its answer. `device`: of the file. REQUIRES: handles of `op` are of no concern.
  void Ioctl(const Op& op, std::optional<uint32_t> device);
  // `count` bytes at `position` of a device's file could be used so (bits of RegionConfig::flags).
  void RegionUsed(uint32_t device, uint64_t position, uint64_t count, uint32_t flags);
  void ConfigSpace(uint32_t device, uint64_t offset, const std::string& bytes);
  void KernelLog(const std::string& text);

 private:
  // A place to put a fact: null when it cannot be (index out of all bounds).
  RegionConfig* Region(uint32_t device, uint32_t index);
  uint32_t* Irq(uint32_t device, uint32_t index);
  void Told(const std::string& what);
  std::optional<uint32_t> New(const std::string& address);
  void RegionInfo(uint32_t device, const Op& op);
  void IrqInfo(uint32_t device, const Op& op);
  void Feature(uint32_t device, const Op& op);
  void HwInfo(const Op& op);

  World* world_;
  uint64_t* count_;
  std::set<std::string> told_;
  std::map<std::string, uint32_t> cdevs_;            // -> device
  std::map<std::string, std::string> cdev_address_;  // -> PCI address
  std::set<uint32_t> group_told_;                    // devices whose group number is the kernel's
  std::set<std::pair<uint32_t, uint32_t>> irq_told_, region_told_;  // (device, index)
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_IMPORT_FACTS_H_
