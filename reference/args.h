// What each ioctl template is given, with user structs copied in and numbers resolved, and what it
// gives back. Framing (iommufd 2, TRACE 2) is done before, in reference.cc.
#ifndef TWINWALK_REFERENCE_ARGS_H_
#define TWINWALK_REFERENCE_ARGS_H_

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace twinwalk::reference {

template <class D>
struct Result {
  using W = typename D::W;
  W err{0};  // errno, positive
  W id{0};
  W ret{0};
  std::array<W, 3> values{W(0), W(0), W(0)};
};
template <class D>
Result<D> Fail(int err) {
  Result<D> r;
  r.err = typename D::W(static_cast<uint64_t>(err));
  return r;
}
template <class D>
Result<D> Made(typename D::W key) {
  Result<D> r;
  r.id = key & typename D::W(0xffffffff);
  return r;
}

// `context` is the ordinal of the iommufd. `writable`: the result fits what the user can write.
template <class D>
struct IoasAllocIn {
  using W = typename D::W;
  W context{0}, flags{0};
  bool writable = true;
};
template <class D>
struct IoasMapIn {
  using W = typename D::W;
  W context{0}, process{0};  // process: index plus 1
  W ioasId{0}, flags{0}, reserved{0}, userVa{0}, length{0}, iova{0};
  bool writable = true;
};
template <class D>
struct IoasUnmapIn {
  using W = typename D::W;
  W context{0}, ioasId{0}, iova{0}, length{0};
};
template <class D>
struct IoasCopyIn {
  using W = typename D::W;
  W context{0}, flags{0}, dst{0}, src{0}, length{0}, dstIova{0}, srcIova{0};
  bool writable = true;
};
template <class D>
struct IoasMapFileIn {
  using W = typename D::W;
  W context{0}, process{0};  // process: index plus 1
  W ioasId{0}, flags{0}, start{0}, length{0}, iova{0};
  W file{0};  // AreaRow::file; 0: the descriptor is not open
  bool writable = true;
};
template <class D>
struct OptionIn {
  using W = typename D::W;
  W context{0}, process{0};  // process: index plus 1
  W optionId{0}, objectId{0}, op{0}, reserved{0}, value{0};
};
template <class D>
struct HwptAllocIn {
  using W = typename D::W;
  W context{0}, flags{0}, devId{0}, ptId{0}, reserved{0}, dataType{0}, dataLen{0};
  W ste0{0}, ste1{0};  // the data, where readable
  W faultId{0};
  bool dataReadable = true, writable = true;
};
template <class D>
struct ViommuAllocIn {
  using W = typename D::W;
  W context{0}, flags{0}, type{0}, devId{0}, hwptId{0};
  bool writable = true;
};
template <class D>
struct VdeviceAllocIn {
  using W = typename D::W;
  W context{0}, viommuId{0}, devId{0}, virtId{0};
  bool writable = true;
};
template <class D>
struct VeventqAllocIn {
  using W = typename D::W;
  W context{0}, flags{0}, viommuId{0}, type{0}, depth{0}, reserved{0};
  bool writable = true;
};
template <class D>
struct HwptInvalidateIn {
  using W = typename D::W;
  W context{0}, hwptId{0}, dataType{0}, entryLen{0}, entryNum{0}, reserved{0};
  bool nullPtr = false;
  // The array as copied in: when copyError is 0, entryNum commands of two words (never more than
  // there can be); EFAULT or E2BIG else. Not looked at before its turn in the order of checks.
  uint64_t copyError = 0;
  std::vector<std::array<W, 2>> commands;
};
template <class D>
struct DestroyIn {
  using W = typename D::W;
  W context{0}, id{0};
};
template <class D>
struct BindIn {
  using W = typename D::W;
  W device{0};  // DeviceRow key
  W context{0};
  bool writable = true;
  bool viable = true;  // no device of its group has a host driver
};
template <class D>
struct AttachIn {
  using W = typename D::W;
  W device{0}, flags{0}, ptId{0}, pasid{0};
  bool writable = true;
};
template <class D>
struct DetachIn {
  using W = typename D::W;
  W device{0}, flags{0};
};
template <class D>
struct GetHwInfoIn {
  using W = typename D::W;
  W context{0}, flags{0}, devId{0}, dataType{0}, reserved{0};
};

}  // namespace twinwalk::reference

#endif  // TWINWALK_REFERENCE_ARGS_H_
