// iommufd objects and the table that names them (iommufd sheet 4). One table per context; ids are
// the lowest free ones; the id of a vDEVICE whose device went away stays a tombstone.
#ifndef TWINWALK_MODEL_OBJECTS_H_
#define TWINWALK_MODEL_OBJECTS_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "model/container.h"
#include "model/page_table.h"
#include "model/spaces.h"

namespace twinwalk::model {

enum class ObjectType : uint8_t {
  kDevice,
  kIoas,
  kHwpt,
  kNested,
  kViommu,
  kVdevice,
  kVeventq,
  kFault
};

struct Context;
struct Object {
  explicit Object(ObjectType t) : type(t) {}
  virtual ~Object() = default;
  // References beyond the table's own: DESTROY is refused while there are any.
  virtual uint32_t users() const = 0;
  uint64_t key() const { return ObjectKey(context, id); }

  ObjectType type;
  uint64_t context = 0;  // ordinal
  uint32_t id = 0;
};

struct DeviceObject : Object {
  static constexpr ObjectType kType = ObjectType::kDevice;
  DeviceObject() : Object(kType) {}
  uint32_t users() const override { return 1; }  // the binding driver's own
  uint32_t device = 0;
};

// Sheet 14. A queue for page requests, of which our Worlds have none.
struct FaultQueue : Object {
  static constexpr ObjectType kType = ObjectType::kFault;
  FaultQueue() : Object(kType) {}
  uint32_t users() const override { return hwpts + (open ? 1 : 0); }
  uint32_t hwpts = 0;  // that send their faults here
  bool open = false;
};

struct Hwpt;
struct Ioas : Object {
  static constexpr ObjectType kType = ObjectType::kIoas;
  Ioas() : Object(kType) {}
  uint32_t users() const override { return static_cast<uint32_t>(hwpts.size()); }
  Space space;
  std::vector<Hwpt*> hwpts;  // in order of creation
};

// HWPT_PAGING: a page table that the host owns.
struct Hwpt : Object {
  static constexpr ObjectType kType = ObjectType::kHwpt;
  Hwpt() : Object(kType) {}
  uint32_t users() const override { return viommus + attached; }
  Ioas* ioas = nullptr;
  uint32_t smmu = 0;
  bool nestParent = false, automatic = false, allowPasid = false;
  uint16_t vmid = 0, asid = 0;  // vmid: also a VT-d domain id
  bool second_stage() const { return vmid != 0; }
  std::optional<PageTable> table;
  uint64_t cdFrame = 0;  // stage 1: where its context descriptor stands
  uint32_t viommus = 0, attached = 0;
  FaultQueue* fault = nullptr;  // made with FAULT_ID_VALID
};

struct Viommu;
struct Nested : Object {
  static constexpr ObjectType kType = ObjectType::kNested;
  Nested() : Object(kType) {}
  uint32_t users() const override { return attached; }
  // Whether its STE makes the guest's tables translate; otherwise bypass or abort.
  bool translates() const { return (ste0 & 1) != 0 && (ste0 >> 1 & 7) == 5; }
  bool bypasses() const { return (ste0 & 1) != 0 && (ste0 >> 1 & 7) == 4; }
  Viommu* viommu = nullptr;
  uint64_t ste0 = 0, ste1 = 0;
  uint32_t attached = 0;
  FaultQueue* fault = nullptr;
};

struct Vdevice;
struct Viommu : Object {
  static constexpr ObjectType kType = ObjectType::kViommu;
  Viommu() : Object(kType) {}
  uint32_t users() const override {
    return nesteds + static_cast<uint32_t>(vdevices.size() + queues.size());
  }
  Hwpt* parent = nullptr;
  uint32_t smmu = 0;
  uint32_t nesteds = 0;
  std::vector<Vdevice*> vdevices;
  std::vector<Veventq*> queues;
};

struct Vdevice : Object {
  static constexpr ObjectType kType = ObjectType::kVdevice;
  Vdevice() : Object(kType) {}
  uint32_t users() const override { return 0; }
  Viommu* viommu = nullptr;
  uint32_t device = 0;
  uint64_t virtId = 0;
};

// Sheet 16. A lost marker, when there is one, stands behind every record.
struct Veventq : Object {
  static constexpr ObjectType kType = ObjectType::kVeventq;
  Veventq() : Object(kType) {}
  uint32_t users() const override { return open ? 1 : 0; }
  struct Record {
    uint32_t sequence;
    std::array<uint64_t, 4> words;
  };
  Viommu* viommu = nullptr;
  uint32_t kind = 0;  // the uapi type
  uint32_t depth = 0;
  std::deque<Record> records;
  bool lost = false;
  uint32_t lostSequence = 0;
  uint32_t sequence = 0;  // of the next event
  bool open = false;
};

// One open of /dev/iommu.
struct Context {
  explicit Context(uint64_t n) : ordinal(n) {}

  // Lowest free id, from 1. The object is visible at once.
  template <class T>
  T* Add(std::unique_ptr<T> object) {
    T* out = object.get();
    out->context = ordinal;
    out->id = Claim();
    slots[out->id].object = std::move(object);
    return out;
  }
  Object* Find(uint32_t id) const { return id < slots.size() ? slots[id].object.get() : nullptr; }
  template <class T>
  T* FindAs(uint32_t id) const {
    Object* object = Find(id);
    return object != nullptr && object->type == T::kType ? static_cast<T*>(object) : nullptr;
  }
  // Frees the id, or keeps it as a tombstone.
  void Remove(uint32_t id, bool tombstone);

  struct Slot {
    std::unique_ptr<Object> object;
    bool tombstone = false;
  };
  uint64_t ordinal;
  uint32_t holders = 0;     // its open file, bound devices, open queue files, groups put into it
  std::vector<Slot> slots;  // by id; slot 0 is never used
  bool perProcess = false;  // pins are charged to the process (sheet 7)
  bool noiommu = false;     // a group without IOMMU was put into it (sheet 8)
  Ioas* compat = nullptr;   // its VFIO-compatible IOAS
  std::unique_ptr<Container> container;  // null: an iommufd

 private:
  uint32_t Claim();
  uint32_t lowest_ = 1;
};

}  // namespace twinwalk::model

#endif  // TWINWALK_MODEL_OBJECTS_H_
