// Holds trace.capnp and op.h together: the data section of schema::Op is OpData, byte for byte; and
// rules.capnp and rules.h: the same rules in the same order.
#include <capnp/schema.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "traces/rules.capnp.h"
#include "traces/rules.h"
#include "traces/trace.capnp.h"
#include "traces/trace.h"

namespace twinwalk {
namespace {

struct Place {
  size_t offset = 0, size = 0;  // bytes
  bool operator==(const Place&) const = default;
};
using Places = std::map<std::string, Place>;

std::ostream& operator<<(std::ostream& out, const Place& place) {
  return out << place.size << " bytes at " << place.offset;
}

size_t SizeOf(capnp::schema::Type::Reader type) {
  switch (type.which()) {
    case capnp::schema::Type::UINT8:
      return 1;
    case capnp::schema::Type::UINT16:
      return 2;
    case capnp::schema::Type::UINT32:
      return 4;
    case capnp::schema::Type::UINT64:
      return 8;
    default:
      return 0;  // no other type belongs into the data section of Op
  }
}

// Data fields of a struct or group, as the schema compiler placed them.
Places SchemaPlaces(capnp::StructSchema schema) {
  Places places;
  for (capnp::StructSchema::Field field : schema.getFields()) {
    const auto proto = field.getProto();
    if (!proto.isSlot()) continue;
    const size_t size = SizeOf(proto.getSlot().getType());
    // Pointers, and members of the union that have no fields.
    if (size == 0) continue;
    // A default other than zero would not be what a raw copy reads.
    EXPECT_FALSE(proto.getSlot().getHadExplicitDefault()) << proto.getName().cStr();
    places[proto.getName().cStr()] = {proto.getSlot().getOffset() * size, size};
  }
  return places;
}

struct PlaceVisitor {
  const OpData& op;
  Places places;
  template <class T>
  void Field(const char* name, const T& field) {
    const auto at = reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&op);
    places[name] = {static_cast<size_t>(at), sizeof field};
  }
  void HandleField(const char* name, const Handle& field, HandleRole, int index) {
    if (index != 0) Field(name, field);  // the head is compared on its own
  }
};

// Fields that op.h has and VisitArgs leaves out, because they say nothing.
bool IsFiller(const std::string& name) {
  return name.rfind("unused", 0) == 0 || name == "reserved";
}

TEST(TraceLayout, SectionIsTwelveWordsAndTwoPointers) {
  const auto node = capnp::Schema::from<schema::Op>().getProto().getStruct();
  EXPECT_EQ(node.getDataWordCount() * 8u, sizeof(OpData));
  EXPECT_EQ(node.getPointerCount(), 2u);
  EXPECT_EQ(sizeof(OpData), 96u);
}

TEST(TraceLayout, HeadIsOpHead) {
  Places places = SchemaPlaces(capnp::Schema::from<schema::Op>());
  const auto node = capnp::Schema::from<schema::Op>().getProto().getStruct();
  places["kind"] = {node.getDiscriminantOffset() * 2u, 2};
  const OpData op;
  const auto at = [&op](const auto& field) {
    return Place{static_cast<size_t>(reinterpret_cast<const char*>(&field) -
                                     reinterpret_cast<const char*>(&op)),
                 sizeof field};
  };
  EXPECT_EQ(places, (Places{{"process", at(op.process)},
                            {"results", at(op.results)},
                            {"readable", at(op.readable)},
                            {"fd", at(op.fd)},
                            {"size", at(op.size)},
                            {"writable", at(op.writable)},
                            {"kind", at(op.kind)}}));
}

TEST(TraceLayout, GroupsAreTheirStructs) {
  int kinds = 0, fields = 0;
  for (capnp::StructSchema::Field member : capnp::Schema::from<schema::Op>().getUnionFields()) {
    const auto proto = member.getProto();
    SCOPED_TRACE(proto.getName().cStr());
    ASSERT_LT(proto.getDiscriminantValue(), kOpKinds);
    OpData op;
    op.kind = static_cast<OpKind>(proto.getDiscriminantValue());
    PlaceVisitor visitor{op, {}};
    VisitArgs(static_cast<const OpData&>(op), visitor);
    Places places;
    if (proto.isGroup()) places = SchemaPlaces(member.getType().asStruct());
    std::erase_if(places, [&](const auto& entry) {
      return IsFiller(entry.first) && visitor.places.count(entry.first) == 0;
    });
    EXPECT_EQ(places, visitor.places);
    ++kinds, fields += static_cast<int>(visitor.places.size());
  }
  EXPECT_EQ(kinds, kOpKinds);
  EXPECT_EQ(fields, 206);  // counted by hand once: seeing nothing must not pass
}

// "bindIommufd" is "bind_iommufd".
TEST(TraceLayout, GroupsAreCalledLikeOps) {
  for (capnp::StructSchema::Field member : capnp::Schema::from<schema::Op>().getUnionFields()) {
    std::string name;
    for (char c : std::string(member.getProto().getName().cStr())) {
      if (c >= 'A' && c <= 'Z') name += '_', c = static_cast<char>(c - 'A' + 'a');
      name += c;
    }
    const auto kind = OpKindOf(name);
    ASSERT_TRUE(kind.has_value()) << name;
    EXPECT_EQ(static_cast<int>(*kind), member.getProto().getDiscriminantValue()) << name;
  }
}

// Text of an annotation of an enumerant, "" without it.
std::string Annotation(capnp::schema::Enumerant::Reader enumerant, uint64_t id) {
  for (auto annotation : enumerant.getAnnotations())
    if (annotation.getId() == id) return annotation.getValue().getText().cStr();
  return "";
}
constexpr uint64_t kSource = 0xb3d0c5a9f1e26748, kTag = 0xe81f7b3c60a4d925,
                   kName = 0x95c2e40d8b7f1a36;  // in rules.capnp

TEST(RulesSchema, RulesAreTheMembers) {
  const auto enumerants = capnp::Schema::from<schema::Rule>().getEnumerants();
  ASSERT_EQ(enumerants.size(), AllRules().size());
  for (size_t i = 0; i < AllRules().size(); ++i) {
    const auto proto = enumerants[static_cast<uint32_t>(i)].getProto();
    const RuleInfo& rule = AllRules()[i];
    EXPECT_STREQ(proto.getName().cStr(), rule.name);
    EXPECT_EQ(Annotation(proto, kSource), rule.source);
    EXPECT_EQ(Annotation(proto, kTag), rule.tag);
    // Each names a member of its own.
    Rules one;
    one.*rule.value = !(one.*rule.value);
    for (const RuleInfo& other : AllRules())
      EXPECT_EQ(one.*other.value != Rules().*other.value, &other == &rule) << other.name;
  }
  EXPECT_EQ(sizeof(Rules), AllRules().size());  // no member is left out
}

TEST(RulesSchema, PresetsAreTheEnumerants) {
  const auto enumerants = capnp::Schema::from<schema::Preset>().getEnumerants();
  ASSERT_EQ(enumerants.size(), 2u);
  for (uint32_t i = 0; i < enumerants.size(); ++i) {
    const std::string name = Annotation(enumerants[i].getProto(), kName);
    EXPECT_EQ(name, PresetName(static_cast<Preset>(i)));
    EXPECT_EQ(PresetOf(name), static_cast<Preset>(i));
  }
  EXPECT_EQ(PresetRules(Preset::kLinux72), Rules());
  EXPECT_NE(PresetRules(Preset::kRepaired), Rules());
}

}  // namespace
}  // namespace twinwalk
