@0x8e5a3f27c1d946b0;
# Every Op, World and Outcome that a trace can hold, with every field. The file to read first.
#
# The data section of Op is exactly 12 words and equals `OpData` in op.h byte for byte, so that
# reading a hot Op is one copy of 96 bytes; trace_layout_test compares the two, field by field. The
# trick: the first group of the union allocates ten words, and each later group declares its fields
# in the order of the C++ struct with natural alignment, so that they fill the same places.
#
# To add an Op: a new group at the end of the union with the next numbers, a struct and an enumerant
# in op.h, a case in op_visit.h and op.cc. Nothing here is ever removed, renumbered or reordered.
#
# Units: lengths, sizes, offsets and addresses are bytes; ranges are (first byte, length) unless a
# comment says otherwise. "Handle" is explained in op.h. "iommufd sheet n" and "hw-smmuv3 sheet n"
# are sections of the fact sheets. How messages stand in a file: frame.h.

using Cxx = import "/capnp/c++.capnp";
using Rules = import "rules.capnp";
$Cxx.namespace("twinwalk::schema");

struct Op {
  process @0 :UInt8;  # Index into World.processes; device and host Ops ignore it.
  results @1 :UInt8;
  # Bit i: the i-th handle field (the head's fd is number 0) names the result of an earlier Op by
  # its ordinal in the whole trace. Else it is a literal number.
  readable @2 :UInt16;  # ioctl: bytes of the struct that can be read (65535: that or more).
  fd @3 :UInt32;  # Handle: the file of ioctl, read, poll, close, dup, mmap. Unused: 0xffffffff.
  size @4 :UInt32;  # ioctl: the size or argsz word of the user's struct, bytes.
  writable @5 :UInt16;  # ioctl: bytes of the struct that can be written.
  # (The two bytes behind writable are the discriminant of the union: OpHead::kind.)

  blob @6 :Data;
  # ioctl: bytes of the user's struct beyond the kernel's (size and readable allowing), then the
  # readable bytes of the one buffer that it points to. Otherwise as said at the group. At most
  # 1 MiB.
  recorded @7 :Outcome;
  # What the recorded kernel answered; null: not known.

  union {
    raw :group {
      # An ioctl that no typed kind describes. blob: the readable bytes at `arg`.
      command @8 :UInt32;  # The whole request number.
      reserved @9 :UInt32;  # Always 0.
      arg @10 :UInt64;  # User address, or the number itself.
      unused0 @11 :UInt64;
      # Always 0. Ten words are allocated here, so that all other groups lay out naturally.
      unused1 @12 :UInt64;
      unused2 @13 :UInt64;
      unused3 @14 :UInt64;
      unused4 @15 :UInt64;
      unused5 @16 :UInt64;
      unused6 @17 :UInt64;
      unused7 @18 :UInt64;
    }

    open :group {
      # open() of a device node; the result is an fd (docs/TRACE.md section 1).
      node @19 :UInt32;
      # 0: /dev/iommu, which makes a context. 1: the VFIO cdev of `device`. 2: /dev/vfio/vfio, which
      # makes a container. 3: /dev/vfio/<device>, a group. 4: /dev/vfio/noiommu-<device>.
      device @20 :UInt32;  # Index into World.devices, for the cdev; number of the group.
    }

    close @21 :Void;
    # close() of the head's fd.

    dup @22 :Void;
    # dup() of the head's fd: the result is another fd of the same file.

    bindIommufd :group {
      # VFIO_DEVICE_BIND_IOMMUFD 0x3b76 (iommufd sheet 19.1). blob: as for every ioctl, see `blob`.
      flags @23 :UInt32;  # Bit 0: a token is given.
      iommufd @24 :UInt32;  # Handle: fd of /dev/iommu.
      outDevid @25 :UInt32;  # Output; what the caller had there.
      reserved @26 :UInt32;  # Always 0 (padding, not in the user's struct).
      tokenPtr @27 :UInt64;  # User address of 16 bytes.
    }

    attachIommufdPt :group {
      # VFIO_DEVICE_ATTACH_IOMMUFD_PT 0x3b77 (iommufd sheet 19.2).
      flags @28 :UInt32;  # Bit 0: pasid is valid.
      ptId @29 :UInt32;  # Handle: IOAS or HWPT.
      pasid @30 :UInt32;
    }

    detachIommufdPt :group {
      # VFIO_DEVICE_DETACH_IOMMUFD_PT 0x3b78 (iommufd sheet 19.3).
      flags @31 :UInt32;  # Bit 0: pasid is valid.
      pasid @32 :UInt32;
    }

    ioasAlloc :group {
      # IOMMU_IOAS_ALLOC 0x3b81 (iommufd sheet 6.1).
      flags @33 :UInt32;  # Must be 0.
      outIoasId @34 :UInt32;  # Output; what the caller had there.
    }

    ioasMap :group {
      # IOMMU_IOAS_MAP 0x3b85 (iommufd sheet 6.4, 6.5).
      flags @35 :UInt32;  # Bit 0 FIXED_IOVA, 1 WRITEABLE, 2 READABLE.
      ioasId @36 :UInt32;  # Handle.
      reserved @37 :UInt32;  # __reserved: must be 0.
      userMap @38 :UInt32;  # Handle: the mmap that userVa is an offset into, when a result.
      userVa @39 :UInt64;  # Bytes: user address, or offset into userMap.
      length @40 :UInt64;  # Bytes.
      iova @41 :UInt64;  # With FIXED_IOVA where to map; always an output.
    }

    ioasUnmap :group {
      # IOMMU_IOAS_UNMAP 0x3b86 (iommufd sheet 6.8).
      ioasId @42 :UInt32;  # Handle.
      unused @43 :UInt32;  # Always 0.
      iova @44 :UInt64;  # First byte.
      length @45 :UInt64;  # Bytes; 2^64-1 with iova 0: everything. Output: bytes unmapped.
    }

    ioasIovaRanges :group {
      # IOMMU_IOAS_IOVA_RANGES 0x3b84 (iommufd sheet 6.2).
      ioasId @46 :UInt32;  # Handle.
      numIovas @47 :UInt32;
      # Elements of 16 bytes that the array can take. Output: elements there are.
      reserved @48 :UInt32;  # __reserved: must be 0.
      bufWritable @49 :UInt32;  # Bytes that may be written at allowedIovas.
      allowedIovas @50 :UInt64;  # User address of the array.
      outIovaAlignment @51 :UInt64;  # Output; what the caller had there.
    }

    getHwInfo :group {
      # IOMMU_GET_HW_INFO 0x3b8a (iommufd sheet 11).
      flags @52 :UInt32;  # Bit 0: dataType is an input.
      devId @53 :UInt32;  # Handle.
      dataLen @54 :UInt32;  # Bytes at dataPtr.
      bufWritable @55 :UInt32;  # Bytes that may be written at dataPtr.
      dataPtr @56 :UInt64;  # User address.
      dataType @57 :UInt32;  # Input and output.
      maxPasidAndReserved @58 :UInt32;  # out_max_pasid_log2 in byte 0, __reserved in bytes 1..3.
      outCapabilities @59 :UInt64;  # Output; what the caller had there.
    }

    hwptAlloc :group {
      # IOMMU_HWPT_ALLOC 0x3b89 (iommufd sheet 9). The buffer in blob: the bytes at dataPtr.
      flags @60 :UInt32;  # Bit 0 NEST_PARENT, 1 DIRTY_TRACKING, 2 FAULT_ID_VALID, 3 PASID.
      devId @61 :UInt32;  # Handle.
      ptId @62 :UInt32;  # Handle: IOAS, HWPT or vIOMMU.
      outHwptId @63 :UInt32;  # Output; what the caller had there.
      reserved @64 :UInt32;  # __reserved: must be 0.
      dataType @65 :UInt32;  # Format of the data (iommufd sheet 20).
      dataLen @66 :UInt32;  # Bytes at dataPtr.
      faultId @67 :UInt32;  # Handle; read only with FAULT_ID_VALID.
      dataPtr @68 :UInt64;  # User address.
      reserved2 @69 :UInt32;  # __reserved2: not checked.
      unused @70 :UInt32;  # Always 0.
    }

    viommuAlloc :group {
      # IOMMU_VIOMMU_ALLOC 0x3b90 (iommufd sheet 15.1).
      flags @71 :UInt32;  # Must be 0.
      type @72 :UInt32;  # 1: SMMUv3.
      devId @73 :UInt32;  # Handle.
      hwptId @74 :UInt32;  # Handle: the nest parent.
      outViommuId @75 :UInt32;  # Output; what the caller had there.
      dataLen @76 :UInt32;  # Bytes at dataPtr.
      reserved @77 :UInt32;  # __reserved: not checked.
      unused @78 :UInt32;  # Always 0.
      dataPtr @79 :UInt64;  # User address.
    }

    vdeviceAlloc :group {
      # IOMMU_VDEVICE_ALLOC 0x3b91 (iommufd sheet 15.2).
      viommuId @80 :UInt32;  # Handle.
      devId @81 :UInt32;  # Handle.
      outVdeviceId @82 :UInt32;  # Output; what the caller had there.
      unused @83 :UInt32;  # Always 0.
      virtId @84 :UInt64;  # The guest's name of the device (SMMUv3: virtual stream id).
    }

    veventqAlloc :group {
      # IOMMU_VEVENTQ_ALLOC 0x3b93 (iommufd sheet 16). The result is an id and an fd.
      flags @85 :UInt32;  # Must be 0.
      viommuId @86 :UInt32;  # Handle.
      type @87 :UInt32;  # 1: SMMUv3.
      depth @88 :UInt32;  # Events that the queue may hold.
      outVeventqId @89 :UInt32;  # Output; what the caller had there.
      outVeventqFd @90 :UInt32;  # Output; what the caller had there.
      reserved @91 :UInt32;  # __reserved.
    }

    hwptInvalidate :group {
      # IOMMU_HWPT_INVALIDATE 0x3b8d (iommufd sheet 13). The buffer in blob: the array at dataPtr.
      hwptId @92 :UInt32;  # Handle: nested HWPT or vIOMMU.
      dataType @93 :UInt32;  # 1: SMMUv3 commands, to a vIOMMU.
      entryLen @94 :UInt32;  # Bytes of one entry.
      entryNum @95 :UInt32;  # Entries. Output: entries handled.
      reserved @96 :UInt32;  # __reserved: must be 0.
      unused @97 :UInt32;  # Always 0.
      dataPtr @98 :UInt64;  # User address.
    }

    destroy :group {
      # IOMMU_DESTROY 0x3b80 (iommufd sheet 4.2).
      id @99 :UInt32;  # Handle: any object.
    }

    read :group {
      # read() or pread() of the head's fd. recorded.out: the bytes read.
      count @100 :UInt64;  # Bytes.
      offset @101 :UInt64;  # Bytes; of pread.
      positional @102 :UInt32;  # 1: pread.
      bufWritable @103 :UInt32;  # Bytes that may be written at the buffer.
    }

    poll :group {
      # poll() of the head's fd alone, without waiting. recorded.ret: revents.
      events @104 :UInt32;  # POLLIN and so on.
    }

    mmap :group {
      # mmap(); the result is the base. The head's fd: memfd or iommufd, literal 0xffffffff for
      # anonymous memory.
      base @105 :UInt64;  # User address, exactly.
      length @106 :UInt64;  # Bytes.
      offset @107 :UInt64;  # Bytes into the file.
      prot @108 :UInt32;  # 1 read, 2 write, 4 execute.
      shared @109 :UInt32;  # 1: MAP_SHARED.
    }

    munmap :group {
      # munmap().
      map @110 :UInt32;  # Handle: the mmap that address is an offset into, when a result.
      unused @111 :UInt32;  # Always 0.
      address @112 :UInt64;  # Bytes: user address, or offset into map.
      length @113 :UInt64;  # Bytes.
    }

    memfd :group {
      # memfd_create() and ftruncate(); the result is an fd.
      length @114 :UInt64;  # Bytes.
    }

    memWrite :group {
      # A guest, or its VMM, stores blob to its own memory.
      map @115 :UInt32;  # Handle: the mmap that address is an offset into, when a result.
      unused @116 :UInt32;  # Always 0.
      address @117 :UInt64;  # Bytes: user address, or offset into map.
    }

    dma :group {
      # One DMA of one device. blob: the bytes that it writes (empty when it reads).
      device @118 :UInt32;  # Index into World.devices.
      flags @119 :UInt32;  # Bit 0 write, 1 privileged, 2 instruction, 3 pasid is valid.
      iova @120 :UInt64;  # First byte.
      length @121 :UInt32;  # Bytes, at most 65536.
      pasid @122 :UInt32;
      placeKind @123 :UInt16;
      # 0: between two Ops. Else inside the next Op, at a micro-step of kind placeKind - 1
      # (micro_step.h).
      placeNth @124 :UInt16;  # Which micro-step of that kind, from 0.
    }

    failAlloc :group {
      # The nth allocation from now on fails with ENOMEM (docs/TRACE.md section 1).
      nth @125 :UInt32;  # 1: the next; 0 cancels.
    }

    write :group {
      # write() or pwrite() of the head's fd. blob: the bytes.
      offset @126 :UInt64;  # Bytes; of pwrite.
      positional @127 :UInt32;  # 1: pwrite.
    }

    eventfd :group {
      # eventfd2(); the result is an fd.
      initval @128 :UInt32;  # Counter at first.
      flags @129 :UInt32;  # EFD_* bits.
    }

    fork :group {
      # fork(): `child` comes to life with the same files, a copy of the memory map and no
      # locked memory.
      child @130 :UInt32;  # Index into World.processes; must be unborn, else EAGAIN.
    }

    exec :group {
      # execve(): a new empty memory map; files that are close-on-exec (all that the kernel
      # made by ioctl, and device nodes when opened so) are closed.
      unused @131 :UInt32;  # Always 0.
    }

    exit :group {
      # The process ends: its files are closed in ascending order, its memory map goes.
      status @132 :UInt32;  # Told, not judged.
    }

    passFd :group {
      # The head's fd is sent to another process (SCM_RIGHTS); the result is an fd of the same
      # file there.
      to @133 :UInt32;  # Index into World.processes.
    }

    setrlimit :group {
      # setrlimit(RLIMIT_MEMLOCK) of the process.
      memlockPages @134 :UInt64;  # 4 KiB pages.
    }

    vfioGetApiVersion :group {
      # VFIO_GET_API_VERSION 0x3b64 of a container (vfio-type1 sheet 4).
      arg @135 :UInt64;  # Ignored.
    }

    vfioCheckExtension :group {
      # VFIO_CHECK_EXTENSION 0x3b65 of a container (vfio-type1 sheet 4). recorded.ret: the
      # answer.
      arg @136 :UInt64;  # The extension.
    }

    vfioSetIommu :group {
      # VFIO_SET_IOMMU 0x3b66 of a container (vfio-type1 sheet 4).
      arg @137 :UInt64;  # The backend's type.
    }

    vfioIommuGetInfo :group {
      # VFIO_IOMMU_GET_INFO 0x3b70 of a container (vfio-type1 sheet 8). recorded.out: the
      # struct after the call.
      flags @138 :UInt32;  # Output; what the caller had there.
      capOffset @139 :UInt32;  # Output; what the caller had there.
      pad @140 :UInt32;  # Padding of the user's struct.
      unused @141 :UInt32;  # Always 0.
      iovaPgsizes @142 :UInt64;  # Output; what the caller had there.
    }

    vfioIommuMapDma :group {
      # VFIO_IOMMU_MAP_DMA 0x3b71 of a container (vfio-type1 sheet 9).
      flags @143 :UInt32;  # Bit 0 READ, 1 WRITE, 2 VADDR.
      vaddrMap @144 :UInt32;  # Handle: the mmap that vaddr is an offset into, when a result.
      vaddr @145 :UInt64;  # Bytes: user address, or offset into vaddrMap.
      iova @146 :UInt64;  # First byte.
      length @147 :UInt64;  # Bytes (the user's `size`).
    }

    vfioIommuUnmapDma :group {
      # VFIO_IOMMU_UNMAP_DMA 0x3b72 of a container (vfio-type1 sheet 10). The fields from
      # bitmapPgsize on are there only when argsz reaches them. recorded.out: the bytes of the
      # bitmap after the call.
      flags @148 :UInt32;  # Bit 0 GET_DIRTY_BITMAP, 1 ALL, 2 VADDR.
      bufWritable @149 :UInt32;  # Bytes that may be written at bitmapData.
      iova @150 :UInt64;  # First byte.
      length @151 :UInt64;  # Bytes (the user's `size`). Output: bytes unmapped.
      bitmapPgsize @152 :UInt64;  # Bytes that one bit stands for.
      bitmapSize @153 :UInt64;  # Bytes of the bitmap.
      bitmapData @154 :UInt64;  # User address.
    }

    vfioIommuDirtyPages :group {
      # VFIO_IOMMU_DIRTY_PAGES 0x3b75 of a container (vfio-type1 sheet 11). The fields from
      # iova on are there only when argsz reaches them. recorded.out: the bytes of the bitmap
      # after the call.
      flags @155 :UInt32;  # Bit 0 START, 1 STOP, 2 GET_BITMAP.
      bufWritable @156 :UInt32;  # Bytes that may be written at bitmapData.
      iova @157 :UInt64;  # First byte.
      length @158 :UInt64;  # Bytes (the user's `size`).
      bitmapPgsize @159 :UInt64;  # Bytes that one bit stands for.
      bitmapSize @160 :UInt64;  # Bytes of the bitmap.
      bitmapData @161 :UInt64;  # User address.
    }

    vfioGroupGetStatus :group {
      # VFIO_GROUP_GET_STATUS 0x3b67 of a group (vfio-type1 sheet 5).
      flags @162 :UInt32;  # Output; what the caller had there.
    }

    vfioGroupSetContainer :group {
      # VFIO_GROUP_SET_CONTAINER 0x3b68 of a group (vfio-type1 sheet 5). The struct is the fd
      # alone; size is 4.
      container @163 :UInt32;  # Handle: fd of a container.
    }

    vfioGroupUnsetContainer :group {
      # VFIO_GROUP_UNSET_CONTAINER 0x3b69 of a group (vfio-type1 sheet 5).
      arg @164 :UInt64;  # Ignored.
    }

    vfioGroupGetDeviceFd :group {
      # VFIO_GROUP_GET_DEVICE_FD 0x3b6a of a group (vfio-type1 sheet 5); the result is an fd.
      # blob: the readable bytes at arg, the string's NUL included when it was seen.
      arg @165 :UInt64;  # User address of the string.
    }

    vfioDeviceGetInfo :group {
      # VFIO_DEVICE_GET_INFO 0x3b6b of a device (vfio-type1 sheet 6). recorded.out: the struct
      # after the call.
      flags @166 :UInt32;  # Output; what the caller had there.
      numRegions @167 :UInt32;  # Output; what the caller had there.
      numIrqs @168 :UInt32;  # Output; what the caller had there.
      capOffset @169 :UInt32;  # Output; what the caller had there.
      pad @170 :UInt32;  # Padding of the user's struct.
    }

    vfioDeviceGetRegionInfo :group {
      # VFIO_DEVICE_GET_REGION_INFO 0x3b6c of a device (vfio-type1 sheet 6). recorded.out: the
      # struct after the call.
      flags @171 :UInt32;  # Output; what the caller had there.
      index @172 :UInt32;  # Region.
      capOffset @173 :UInt32;  # Output; what the caller had there.
      unused @174 :UInt32;  # Always 0.
      regionSize @175 :UInt64;  # Output; what the caller had there.
      regionOffset @176 :UInt64;  # Output; what the caller had there.
    }

    vfioDeviceGetIrqInfo :group {
      # VFIO_DEVICE_GET_IRQ_INFO 0x3b6d of a device (vfio-type1 sheet 6). recorded.out: the
      # struct after the call.
      flags @177 :UInt32;  # Output; what the caller had there.
      index @178 :UInt32;  # Interrupt index.
      count @179 :UInt32;  # Output; what the caller had there.
    }

    vfioDeviceSetIrqs :group {
      # VFIO_DEVICE_SET_IRQS 0x3b6e of a device (vfio-type1 sheet 6). blob: the payload behind
      # the struct.
      flags @180 :UInt32;  # Bit 0 NONE, 1 BOOL, 2 EVENTFD, 3 MASK, 4 UNMASK, 5 TRIGGER.
      index @181 :UInt32;  # Interrupt index.
      start @182 :UInt32;  # First vector.
      count @183 :UInt32;  # Vectors.
      fdResults @184 :UInt64;
      # Bit i: the i-th 32-bit word of blob names the result (an fd) of an earlier Op by its
      # ordinal.
    }

    vfioDeviceReset :group {
      # VFIO_DEVICE_RESET 0x3b6f of a device (vfio-type1 sheet 6).
      arg @185 :UInt64;  # Ignored.
    }

    vfioPciHotResetInfo :group {
      # VFIO_DEVICE_GET_PCI_HOT_RESET_INFO 0x3b70 of a device. recorded.out: the struct after
      # the call, the array included.
      flags @186 :UInt32;  # Output; what the caller had there.
      count @187 :UInt32;  # Output; what the caller had there.
    }

    vfioPciHotReset :group {
      # VFIO_DEVICE_PCI_HOT_RESET 0x3b71 of a device. blob: the array of group fds behind the
      # struct.
      flags @188 :UInt32;  # Must be 0.
      count @189 :UInt32;  # fds.
      fdResults @190 :UInt64;
      # Bit i: the i-th 32-bit word of blob names the result (an fd) of an earlier Op by its
      # ordinal.
    }

    vfioDeviceIoeventfd :group {
      # VFIO_DEVICE_IOEVENTFD 0x3b74 of a device.
      flags @191 :UInt32;  # Width of the write: bits 0..3 for 1, 2, 4, 8 bytes.
      eventfd @192 :UInt32;  # Handle: fd of an eventfd; -1 removes.
      offset @193 :UInt64;  # Into the device file.
      data @194 :UInt64;  # Value written.
      reserved @195 :UInt32;  # Padding or reserved word behind the fd.
    }

    vfioDeviceFeature :group {
      # VFIO_DEVICE_FEATURE 0x3b75 of a device. blob: the data behind the struct.
      # recorded.out: the struct after the call.
      flags @196 :UInt32;  # Bits 15:0 feature, 16 GET, 17 SET, 18 PROBE.
    }

    ioasAllowIovas :group {
      # IOMMU_IOAS_ALLOW_IOVAS 0x3b82 (iommufd sheet 6.3). The buffer in blob: the array at
      # allowedIovas.
      ioasId @197 :UInt32;  # Handle.
      numIovas @198 :UInt32;  # Elements of 16 bytes.
      reserved @199 :UInt32;  # __reserved: must be 0.
      unused @200 :UInt32;  # Always 0.
      allowedIovas @201 :UInt64;  # User address of the array.
    }

    ioasCopy :group {
      # IOMMU_IOAS_COPY 0x3b83 (iommufd sheet 6.7).
      flags @202 :UInt32;  # Bit 0 FIXED_IOVA, 1 WRITEABLE, 2 READABLE.
      dstIoasId @203 :UInt32;  # Handle.
      srcIoasId @204 :UInt32;  # Handle.
      unused @205 :UInt32;  # Always 0.
      length @206 :UInt64;  # Bytes.
      dstIova @207 :UInt64;  # With FIXED_IOVA where to map; always an output.
      srcIova @208 :UInt64;  # First byte.
    }

    ioasMapFile :group {
      # IOMMU_IOAS_MAP_FILE 0x3b8f (iommufd sheet 6.6).
      flags @209 :UInt32;  # Bit 0 FIXED_IOVA, 1 WRITEABLE, 2 READABLE.
      ioasId @210 :UInt32;  # Handle.
      file @211 :UInt32;  # Handle: fd of the memory.
      unused @212 :UInt32;  # Always 0.
      start @213 :UInt64;  # Bytes into the file.
      length @214 :UInt64;  # Bytes.
      iova @215 :UInt64;  # With FIXED_IOVA where to map; always an output.
    }

    iommuOption :group {
      # IOMMU_OPTION 0x3b87 (iommufd sheet 7.1).
      optionId @216 :UInt32;  # 0 RLIMIT_MODE, 1 HUGE_PAGES.
      objectId @217 :UInt32;  # Handle: the IOAS of option 1.
      op @218 :UInt16;  # 0 SET, 1 GET.
      reserved @219 :UInt16;  # __reserved: must be 0.
      unused @220 :UInt32;  # Always 0.
      val64 @221 :UInt64;  # The value. Output of both.
    }

    vfioIoas :group {
      # IOMMU_VFIO_IOAS 0x3b88 (iommufd sheet 8.1).
      ioasId @222 :UInt32;  # Handle. Output of GET.
      op @223 :UInt16;  # 0 GET, 1 SET, 2 CLEAR.
      reserved @224 :UInt16;  # __reserved: must be 0.
    }

    hwptSetDirty :group {
      # IOMMU_HWPT_SET_DIRTY_TRACKING 0x3b8b (iommufd sheet 12).
      flags @225 :UInt32;  # Bit 0: on.
      hwptId @226 :UInt32;  # Handle.
      reserved @227 :UInt32;  # __reserved: not checked.
    }

    hwptGetDirty :group {
      # IOMMU_HWPT_GET_DIRTY_BITMAP 0x3b8c (iommufd sheet 12). The buffer in blob: the bitmap
      # as the caller had it. recorded.out: the bitmap after the call.
      hwptId @228 :UInt32;  # Handle.
      flags @229 :UInt32;  # Bit 0: do not clear.
      reserved @230 :UInt32;  # __reserved: must be 0.
      bufWritable @231 :UInt32;  # Bytes that may be written at data.
      iova @232 :UInt64;  # First byte.
      length @233 :UInt64;  # Bytes.
      pageSize @234 :UInt64;  # Bytes that one bit stands for.
      data @235 :UInt64;  # User address of the bitmap.
    }

    faultQueueAlloc :group {
      # IOMMU_FAULT_QUEUE_ALLOC 0x3b8e (iommufd sheet 14.1). The result is an id and an fd.
      flags @236 :UInt32;  # Must be 0.
      outFaultId @237 :UInt32;  # Output; what the caller had there.
      outFaultFd @238 :UInt32;  # Output; what the caller had there.
    }

    ioasChangeProcess :group {
      # IOMMU_IOAS_CHANGE_PROCESS 0x3b92 (iommufd sheet 6.9).
      reserved @239 :UInt32;  # __reserved: must be 0.
    }
  }
}

struct Outcome {
  # What an Op gave back. Every field is compared exactly unless `known` leaves it out.
  known @0 :UInt16 = 0x1ff;
  # Parts that the recording tells: bit 0 err, 1 ret, 2 id, 3 fd, 4 values, 5 out, 6 pieces, 7 data,
  # 8 events.
  err @1 :UInt16;  # errno, positive; 0 success.
  id @2 :UInt32;  # Object created or, for attach, the HWPT used.
  fd @3 :UInt32;  # File descriptor made.
  ret @4 :Int64;  # Return value of a successful call (bytes read, revents, mmap base).
  value0 @5 :UInt64;
  # ioas_map: iova. ioas_unmap: length. ioas_iova_ranges: num_iovas. get_hw_info: data_len.
  # hwpt_invalidate: entry_num.
  value1 @6 :UInt64;  # ioas_iova_ranges: out_iova_alignment. get_hw_info: data_type.
  value2 @7 :UInt64;  # get_hw_info: capabilities.
  out @8 :Data;  # Bytes written to the user's buffer. At most 1 MiB.
  data @9 :Data;  # Bytes that a device read, zeroes where it faulted. At most 1 MiB.
  pieces @10 :List(Piece);  # Of a DMA, ascending, one per 4 KiB page of IOVA. At most 4096.
  events @11 :List(FaultRecord);  # Records that this Op caused, in order. At most 65536.
}

struct Piece {
  # Part of a DMA, inside one 4 KiB page of its IOVA: where it went, or how it ended.
  iova @0 :UInt64;  # Of the first byte.
  length @1 :UInt32;  # Bytes.
  fault @2 :UInt8;
  # 0: reached memory. Else the event number (hw-smmuv3 sheet 5) or fault reason (hw-vtd sheet 6),
  # 0xff: aborted without a record.
  rights @3 :UInt8;  # Bit 0 read, 1 write: of the translation used.
  backing @4 :UInt64;  # Which memory: ordinal of its creation, from 1.
  offset @5 :UInt64;  # Bytes into it.
}

struct FaultRecord {
  # A fault record as hardware wrote it, and where software delivered it.
  queue @0 :UInt64;
  # vEVENTQ: context ordinal in the high half, id in the low half. 0: the host's log. 2^64-1:
  # reported to nobody.
  position @1 :UInt32;  # vEVENTQ: sequence number. Host log: ordinal in this World.
  word0 @2 :UInt64;  # The record (hw-smmuv3 sheet 5; hw-vtd sheet 6: lo, hi).
  word1 @3 :UInt64;
  word2 @4 :UInt64;
  word3 @5 :UInt64;
}

struct World {
  # The machine that a trace runs on. Defaults and limits: world.h.
  name @0 :Text;
  smmus @1 :List(Smmu);
  devices @2 :List(Device);
  processes @3 :List(Process);
  frames @4 :UInt64;  # 4 KiB frames of memory.
  swMsiFirst @5 :UInt64;  # Software MSI window, inclusive; first > last: none (iommufd sheet 10.4).
  swMsiLast @6 :UInt64;
  preset @7 :Rules.Preset;
  exceptions @8 :List(Rules.RuleSetting);  # Rules with another value than the preset's.
  vtds @9 :List(Vtd);
  functions @10 :List(Function);  # PCI topology, to derive groups from. Empty: Device.group is it.
  allowUnsafeInterrupts @11 :Bool;  # Module parameter of vfio_iommu_type1 and iommufd.
  noiommu @12 :Bool;  # Devices without an IOMMU can be used (enable_unsafe_noiommu_mode).
  disableHugepages @13 :Bool;  # Module parameter of vfio_iommu_type1.
  iommufdContainer @14 :Bool;  # /dev/vfio/vfio is served by iommufd.
  dmaEntryLimit @15 :UInt32 = 65535;  # Mappings that a container may hold.

  struct Smmu {
    # One SMMUv3.
    idr @0 :List(UInt32);  # IDR0..IDR5 (hw-smmuv3 sheet 1).
    iidr @1 :UInt32;
    aidr @2 :UInt32;
    vmidLimit @3 :UInt32;  # VMIDs 1..vmidLimit-1 can be given to nest parents.
    asidLimit @4 :UInt32;  # ASIDs 1..asidLimit-1 can be given to stage-1 paging HWPTs.
    tlbEntries @5 :UInt32;  # Capacities of the model's caches; the reference has none.
    walkCacheEntries @6 :UInt32;
    configCacheEntries @7 :UInt32;
    eventQueueEntries @8 :UInt32;
    canNest @9 :Bool;  # Offers VIOMMU_ALLOC.
  }
  struct Device {
    smmu @0 :UInt32;  # Its IOMMU: index into smmus, then, behind those, into vtds.
    streamId @1 :UInt32;  # Physical; VT-d: source id.
    group @2 :UInt32;  # IOMMU group; equal numbers share one. With functions: only its name.
    transactionBytes @3 :UInt32;
    # Bytes of one transaction on the bus: a faulting DMA makes one event for each. 0: one for each
    # 4 KiB page touched.
    vfio @4 :Vfio;
  }
  struct Process {
    uid @0 :UInt32;
    ipcLock @1 :Bool;  # CAP_IPC_LOCK: pins are not accounted.
    memlockPages @2 :UInt64;  # RLIMIT_MEMLOCK, in 4 KiB pages.
    rawIo @3 :Bool;  # CAP_SYS_RAWIO.
    sysResource @4 :Bool;  # CAP_SYS_RESOURCE.
    unborn @5 :Bool;  # Comes to life by fork.
  }
  struct Vtd {
    # One VT-d unit (hw-vtd sheet 1).
    cap @0 :UInt64;  # CAP_REG.
    ecap @1 :UInt64;  # ECAP_REG.
    scalable @2 :Bool;  # The driver uses scalable mode.
    interruptRemapping @3 :Bool;  # MSI of its devices are isolated.
    hostAddressBits @4 :UInt32;
    didLimit @5 :UInt32;  # Domain ids 1..didLimit-1 can be given to domains.
    iotlbEntries @6 :UInt32;  # Capacities of the model's caches; the reference has none.
    walkCacheEntries @7 :UInt32;
    contextCacheEntries @8 :UInt32;
    faultRecords @9 :UInt32;  # FRCD registers.
  }
  struct Vfio {
    # What vfio-pci tells of a device (vfio-type1 sheet 6).
    name @0 :Text;  # Bus name, "0000:00:10.0".
    resets @1 :Bool;  # DEVICE_RESET works.
    pcie @2 :Bool;  # Has the ERR interrupt.
    slotResets @3 :Bool;  # PCI_HOT_RESET is offered.
    regions @4 :List(Region);
    irqs @5 :List(UInt32);  # Vectors by index: INTx, MSI, MSI-X, ERR, REQ.
    featureGet @6 :UInt64;  # Bit n: feature n can be got.
    featureSet @7 :UInt64;  # Bit n: feature n can be set.
    slotResetFails @8 :Bool;  # The reset is offered and ends in ENOTTY.
  }
  struct Region {
    size @0 :UInt64;  # Bytes; 0: not implemented.
    flags @1 :UInt32;  # 1 read, 2 write, 4 mmap.
    msixMappable @2 :Bool;
    sparse @3 :List(UInt64);  # Pairs (offset, size) that can be mapped; empty: all.
  }
  struct Function {
    # One PCI function (enums: PciFunction in world.h).
    rid @0 :UInt32;  # bus << 8 | devfn.
    kind @1 :UInt32;
    parent @2 :UInt32;  # Index into functions plus 1 of the bridge above; 0: a root bus.
    acs @3 :Bool;
    multifunction @4 :Bool;
    aliasDevfn @5 :UInt32;  # plus 1; 0: none.
    driver @6 :UInt32;
    device @7 :UInt32;  # Index into devices plus 1; 0: none.
  }
}

struct Header {
  # The first message of a file.
  world @0 :World;
  expect @1 :Text;
  # Of a golden: "agree", "violation <invariant>", "divergence"; empty: not said.
}

struct Frame {
  # Each further message of a file: at most 4096 Ops, one after the other.
  ops @0 :List(Op);
}
