// The canonical state that invariants read: tables of rows over a domain D. The model builds one
// from its own structures; the reference keeps its state in one. Two Machines agree when their
// Views do. Every row has one visitor, `Each`, from which printing, comparing, joining and fresh
// symbolic values come.
#ifndef TWINWALK_TRACES_VIEW_H_
#define TWINWALK_TRACES_VIEW_H_

#include "traces/outcome.h"
#include "traces/word.h"

namespace twinwalk {

// Object names are ObjectKey(context ordinal, id): unique in the World, reused only when the
// context reuses the id. 0 names nothing.

template <class D>
struct DeviceRow {
  using W = typename D::W;
  static constexpr const char* kName = "device";
  W key{0};   // index into World::devices, plus 1
  W smmu{0};  // its IOMMU: index into World::smmus, then World::vtds
  W sid{0};   // physical stream id; VT-d: source id
  W group{0};
  W context{0};      // ordinal of the owning context or container; 0: nobody owns its DMA
  W object{0};       // its DEVICE object; 0: not bound to an iommufd
  W attached{0};     // HWPT (paging or nested) in force; 0: blocked
  W eventViommu{0};  // where its stage-1 faults go, set at attach; 0: the host's log
  W eventVirtId{0};  // stream id that those carry (rule eventVsidFrozenAtAttach)
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("smmu", r.smmu...), f("sid", r.sid...), f("group", r.group...);
    f("context", r.context...), f("object", r.object...), f("attached", r.attached...);
    f("eventViommu", r.eventViommu...), f("eventVirtId", r.eventVirtId...);
  }
};

// An IOAS, or the address space of a VFIO type1 container: ObjectKey(container ordinal, 1), there
// from SET_IOMMU until its last group leaves. Contexts and containers share one count of ordinals.
template <class D>
struct IoasRow {
  using W = typename D::W;
  static constexpr const char* kName = "ioas";
  W key{0};
  W users{0};  // HWPTs that use it
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("users", r.users...);
  }
};

// HWPT_PAGING, or an IOMMU domain of a container (ids from 2, the lowest free one): an I/O page
// table that the host owns. vmid != 0: second-stage tables, tagged by a VMID (SMMUv3) or a domain
// id (VT-d).
template <class D>
struct HwptRow {
  using W = typename D::W;
  static constexpr const char* kName = "hwpt";
  W key{0};
  W users{0};  // vIOMMUs made from it, plus devices attached to it
  W ioas{0};
  W smmu{0};
  W nestParent{0};  // 1: guests' stage 1 can stand on it
  W automatic{0};   // 1: made by an attach to an IOAS, freed with its last detach
  W allowPasid{0};  // made with the PASID flag
  W vmid{0};
  W asid{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("users", r.users...), f("ioas", r.ioas...), f("smmu", r.smmu...);
    f("nestParent", r.nestParent...), f("automatic", r.automatic...);
    f("allowPasid", r.allowPasid...), f("vmid", r.vmid...), f("asid", r.asid...);
  }
};

// HWPT_NESTED: a guest's stage-1 configuration beneath a vIOMMU.
template <class D>
struct NestedRow {
  using W = typename D::W;
  static constexpr const char* kName = "nested";
  W key{0};
  W users{0};  // devices attached to it
  W viommu{0};
  W ste0{0}, ste1{0};  // the guest's STE words as given
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("users", r.users...), f("viommu", r.viommu...);
    f("ste0", r.ste0...), f("ste1", r.ste1...);
  }
};

template <class D>
struct ViommuRow {
  using W = typename D::W;
  static constexpr const char* kName = "viommu";
  W key{0};
  W users{0};  // nested HWPTs, vDEVICEs, vEVENTQs
  W hwpt{0};   // its nest parent
  W smmu{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("users", r.users...), f("hwpt", r.hwpt...), f("smmu", r.smmu...);
  }
};

template <class D>
struct VdeviceRow {
  using W = typename D::W;
  static constexpr const char* kName = "vdevice";
  W key{0};
  W viommu{0};
  W device{0};  // DeviceRow key
  W virtId{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("viommu", r.viommu...), f("device", r.device...);
    f("virtId", r.virtId...);
  }
};

template <class D>
struct VeventqRow {
  using W = typename D::W;
  static constexpr const char* kName = "veventq";
  W key{0};
  W viommu{0};
  W type{0};
  W depth{0};     // records it may hold
  W count{0};     // records that wait, without the lost marker
  W lost{0};      // 1: ends in a lost marker
  W sequence{0};  // of the next event, delivered or lost
  W open{0};      // 1: its file is open
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("viommu", r.viommu...), f("type", r.type...), f("depth", r.depth...);
    f("count", r.count...), f("lost", r.lost...), f("sequence", r.sequence...);
    f("open", r.open...);
  }
};

// One interval of an IOAS with one backing: a whole IOAS_MAP, or, when that spans several
// mappings of its process and is pinned, one run of it. Not pinned (no HWPT uses the IOAS): one row
// for the whole IOAS_MAP, with backing 0.
template <class D>
struct AreaRow {
  using W = typename D::W;
  static constexpr const char* kName = "area";
  W space{0};                 // IOAS key
  W first{0}, last{0};        // IOVA, inclusive
  W mapFirst{0}, mapLast{0};  // the IOAS_MAP that it is (part of); only removed whole
  W process{0}, va{0};        // whose memory (index plus 1), user address of its first byte
  W backing{0}, offset{0};    // memory of its first byte; 0: not pinned
  W rights{0};                // Rights
  W account{0};               // AccountRow charged for its pins; 0: nobody (CAP_IPC_LOCK)
  // 4 KiB pages that it pins and that no earlier area of the same `pages` has pinned.
  W pinned{0};
  // The pages that IOAS_COPY shares: ordinal, in the World, of the map that made them, from 1.
  W pages{0};
  W file{0};          // IOAS_MAP_FILE: backing of the file (then va is an offset into it); else 0
  W vaddrInvalid{0};  // type1: 1: UNMAP_DMA with VADDR has taken its user address
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("space", r.space...), f("first", r.first...), f("last", r.last...);
    f("mapFirst", r.mapFirst...), f("mapLast", r.mapLast...);
    f("process", r.process...), f("va", r.va...);
    f("backing", r.backing...), f("offset", r.offset...), f("rights", r.rights...);
    f("account", r.account...), f("pinned", r.pinned...), f("pages", r.pages...);
    f("file", r.file...), f("vaddrInvalid", r.vaddrInvalid...);
  }
};

// A VMID or domain id (asid 0) or a host ASID (vmid 0) in use. key: TagKey(smmu, vmid, asid).
template <class D>
struct TagRow {
  using W = typename D::W;
  static constexpr const char* kName = "tag";
  W key{0};
  W owner{0};  // HWPT key
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("owner", r.owner...);
  }
};
template <class W>
W TagKey(W smmu, W vmid, W asid) {
  return smmu << W(40) | vmid << W(20) | asid;
}

// What hardware may still use although it changed. kind: RetainedKind.
enum RetainedKind : uint64_t {
  kConfig = 1,      // (smmu, sid) -> owner: the HWPT that its STE names
  kCd = 2,          // (smmu, sid, ssid) -> v0, v1, v2: words 0..2 of the context descriptor
  kWalkStage1 = 3,  // (smmu, vmid, asid, VA range, level) -> v0: table IPA, v1: attributes so far
  kWalkStage2 = 4,  // (smmu, vmid, IPA range, level) -> a table of the host
  kLeafStage1 = 5,  // (smmu, vmid, asid or global, VA range) -> v0: IPA of the range, v1: rights
  kLeafStage2 = 6,  // (smmu, vmid, IPA range) -> backing, offset, rights
  // (smmu, vmid, asid or global, VA range) -> v0: IPA, backing, offset, rights; v1 (whole pages)
  // and v2: first and last VA of the stage-1 leaf that it is (part of)
  kLeafCombined = 7,
};

template <class D>
struct RetainedRow {
  using W = typename D::W;
  static constexpr const char* kName = "retained";
  W kind{0};
  W smmu{0};
  W vmid{0}, asid{0}, global{0};  // tags; host stage 1: vmid 0. global 1: asid plays no part
  W sid{0}, ssid{0};              // of kConfig and kCd
  W level{0};                     // of walks: the level of the table pointed to
  W first{0}, last{0};            // input range, inclusive; whole pages
  W v0{0}, v1{0}, v2{0};
  W backing{0}, offset{0}, rights{0};
  W owner{0};  // HWPT it was made from (kConfig: its value; else for messages)
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("kind", r.kind...), f("smmu", r.smmu...), f("vmid", r.vmid...), f("asid", r.asid...);
    f("global", r.global...), f("sid", r.sid...), f("ssid", r.ssid...), f("level", r.level...);
    f("first", r.first...), f("last", r.last...), f("v0", r.v0...), f("v1", r.v1...);
    f("v2", r.v2...), f("backing", r.backing...), f("offset", r.offset...);
    f("rights", r.rights...), f("owner", r.owner...);
  }
};

// Whose locked memory is counted: one row a uid (accounting per user), and one row a process that
// was ever charged for itself (accounting per process, type1).
template <class D>
struct AccountRow {
  using W = typename D::W;
  static constexpr const char* kName = "account";
  W key{0};     // uid, plus 1; of a process: 2^32 + index, plus 1
  W pinned{0};  // 4 KiB pages charged
  // Largest memlockPages among the processes of that uid; of that process (with CAP_IPC_LOCK: all
  // ones). Lowered by setrlimit: not below what is pinned.
  W limit{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("key", r.key...), f("pinned", r.pinned...), f("limit", r.limit...);
  }
};

// ---- What the last Op did
// ------------------------------------------------------------------------

enum AccessClass : uint64_t { kDataAccess = 0, kTableFetch = 1, kCdFetch = 2 };

// Memory that a device, or a table walk on its behalf, reached.
template <class D>
struct AccessRow {
  using W = typename D::W;
  static constexpr const char* kName = "access";
  W device{0};  // DeviceRow key
  W cls{0};     // AccessClass
  W input{0};   // address put to the host-owned stage: IOVA, or IPA beneath a nested HWPT
  W length{0};  // bytes, at least 1, inside one 4 KiB page
  W backing{0}, offset{0};
  W need{0};    // rights that the access needs
  W rights{0};  // rights that the translation gave
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("device", r.device...), f("cls", r.cls...), f("input", r.input...);
    f("length", r.length...), f("backing", r.backing...), f("offset", r.offset...);
    f("need", r.need...), f("rights", r.rights...);
  }
};

// A fault record that was delivered.
template <class D>
struct EventRow {
  using W = typename D::W;
  static constexpr const char* kName = "event";
  W device{0};    // DeviceRow key of the device whose access faulted
  W queue{0};     // vEVENTQ key; 0: host's log
  W streamId{0};  // as delivered
  W sequence{0};
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("device", r.device...), f("queue", r.queue...), f("streamId", r.streamId...);
    f("sequence", r.sequence...);
  }
};

// A command that reached the SMMU's queue on behalf of a guest.
template <class D>
struct CommandRow {
  using W = typename D::W;
  static constexpr const char* kName = "command";
  W viommu{0};  // who asked
  W smmu{0};
  W opcode{0};
  W vmid{0};    // the tag that it names; 0: it names a stream
  W sid{0};     // the stream that it names (CFGI_*, ATC_INV)
  W virtId{0};  // what the guest had written there
  template <class F, class... R>
  static void Each(F&& f, R&... r) {
    f("viommu", r.viommu...), f("smmu", r.smmu...), f("opcode", r.opcode...);
    f("vmid", r.vmid...), f("sid", r.sid...), f("virtId", r.virtId...);
  }
};

template <class D>
struct View {
  typename D::template Table<DeviceRow<D>> devices;
  typename D::template Table<IoasRow<D>> ioases;
  typename D::template Table<HwptRow<D>> hwpts;
  typename D::template Table<NestedRow<D>> nesteds;
  typename D::template Table<ViommuRow<D>> viommus;
  typename D::template Table<VdeviceRow<D>> vdevices;
  typename D::template Table<VeventqRow<D>> veventqs;
  typename D::template Intervals<AreaRow<D>> areas;
  typename D::template Table<TagRow<D>> tags;
  typename D::template Bag<RetainedRow<D>> retained;
  typename D::template Table<AccountRow<D>> accounts;
  typename D::template Bag<AccessRow<D>> accesses;   // of the last Op
  typename D::template Bag<EventRow<D>> events;      // of the last Op
  typename D::template Bag<CommandRow<D>> commands;  // of the last Op
  // Whether areas, retained and accounts are all there, or only what the last Op touched.
  bool complete = true;

  template <class F, class... V>
  static void EachTable(F&& f, V&... v) {
    f("devices", v.devices...), f("ioases", v.ioases...), f("hwpts", v.hwpts...);
    f("nesteds", v.nesteds...), f("viommus", v.viommus...), f("vdevices", v.vdevices...);
    f("veventqs", v.veventqs...), f("areas", v.areas...), f("tags", v.tags...);
    f("retained", v.retained...), f("accounts", v.accounts...), f("accesses", v.accesses...);
    f("events", v.events...), f("commands", v.commands...);
  }
};

}  // namespace twinwalk

#endif  // TWINWALK_TRACES_VIEW_H_
