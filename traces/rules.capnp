@0xd0f9a1c86b2e4753;
# Contested facts: points on which a text, a kernel version and hardware can be read in more than
# one way. One enumerant here is one member of `Rules` in rules.h (rules_test holds the two lists
# together). A World is a preset plus listed exceptions.
# An enumerant is never removed or renumbered: its number stands in traces.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("twinwalk::schema");

annotation source @0xb3d0c5a9f1e26748 (enumerant) :Text;  # sheet and section
annotation tag @0xe81f7b3c60a4d925 (enumerant) :Text;
# How the fact is known: text, code, observed, derived, PROPOSED, [S].
annotation name @0x95c2e40d8b7f1a36 (enumerant) :Text;  # of a preset, as people write it

enum Rule {
  badCommandDropsBatch @0 $source("iommufd sheet, Observed 4") $tag("observed");
  # A bad command in the middle of a vIOMMU invalidation array.
  # true: the good commands before it in the same batch of 63 are reported as handled but were not
  # executed. false: they were executed.

  hugeArrayKeepsEntryNum @1 $source("iommufd sheet, Observed 5") $tag("observed");
  # An array too long for the kernel to copy (524288 entries of 16 bytes): ENOMEM.
  # true: entry_num stays as if all were handled. false: entry_num is 0.

  eventVsidFrozenAtAttach @2 $source("iommufd sheet, Observed 6") $tag("observed");
  # The virtual stream id that events of a device carry.
  # true: that of attach time. false: that of the device's present vDEVICE; without one the event
  # goes to the host's log.

  reservedCommandBitsRefused @3 $source("iommufd sheet 20.2") $tag("code");
  # Bits of a guest's command that hardware reserves.
  # true: EIO (7.3). false: passed on to the command queue (7.2).

  invalidCdCacheable @4 $source("hw-smmuv3 sheet 8") $tag("code");
  # Whether a configuration cache may hold a context descriptor with V = 0.
}

enum Preset {
  linux72 @0 $name("linux-7.2");
  # What Linux 7.2.13 does, as recorded.
  repaired @1 $name("repaired");
  # The same with its defects mended.
}

struct RuleSetting {
  # An exception from a preset.
  rule @0 :Rule;
  value @1 :Bool;
}
