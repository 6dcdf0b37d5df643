// For tests: Worlds with VT-d units, and a device attached there. Numbers come from the sheets and
// the recordings, never from the model.
#ifndef TWINWALK_MODEL_VTD_DRIVER_H_
#define TWINWALK_MODEL_VTD_DRIVER_H_

#include "model/test_driver.h"

namespace twinwalk::model {

// Two devices behind one unit, as the recorded machines have it (legacy or scalable mode), and no
// SMMU.
inline World VtdWorld(bool scalable = false) {
  World world = TwoDevices();
  world.smmus.clear();
  world.vtds.resize(1);
  world.vtds[0].scalable = scalable;
  if (scalable) world.vtds[0].ecap |= uint64_t{0x4800} << 32;  // SMTS, SSTS
  world.devices[0].streamId = 0x80;                            // 00:10.0
  world.devices[1].streamId = 0x310;
  return world;
}

// Fault records (VT-d sheet 6).
inline std::array<uint64_t, 4> VtdFault(uint8_t reason, uint64_t sid, uint64_t address,
                                        bool write) {
  return {address & ~uint64_t{0xfff},
          sid | uint64_t{reason} << 32 | uint64_t{write ? 0x8u : 0xcu} << 60, 0, 0};
}

// Device 0 attached to a plain HWPT, as test_driver.h's Plain.
struct VtdPlain : Plain {
  explicit VtdPlain(const ModelFaults& faults = {}, const World& world = VtdWorld())
      : Plain(faults, world) {}
  Outcome Map(uint64_t page, uint64_t pages, uint32_t flags = 7) {
    return d.Map(iommu, ioas, kVa + page * 4096, pages * 4096, kIova + page * 4096, flags);
  }
  Outcome Unmap(uint64_t page, uint64_t pages) {
    return d.Unmap(iommu, ioas, kIova + page * 4096, pages * 4096);
  }
  Piece Read(uint64_t page) { return d.DmaRead(0, kIova + page * 4096, 1).pieces[0]; }
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_VTD_DRIVER_H_
