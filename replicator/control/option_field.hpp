// Private to option_table: how a row of the table reaches its member in engine/config.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "control/option_table.hpp"

namespace replicator::control {

struct OptionStructs {
  ResourceOptions resource;
  NetOptions net;
  DiskOptions disk;
};

struct OptionField {
  OptionValue (*get)(const OptionStructs&);
  void (*set)(OptionStructs&, const OptionValue&);
};

inline const ResourceOptions& part(const OptionStructs& all, const ResourceOptions*) noexcept {
  return all.resource;
}
inline const NetOptions& part(const OptionStructs& all, const NetOptions*) noexcept {
  return all.net;
}
inline const DiskOptions& part(const OptionStructs& all, const DiskOptions*) noexcept {
  return all.disk;
}
inline ResourceOptions& part(OptionStructs& all, const ResourceOptions*) noexcept {
  return all.resource;
}
inline NetOptions& part(OptionStructs& all, const NetOptions*) noexcept { return all.net; }
inline DiskOptions& part(OptionStructs& all, const DiskOptions*) noexcept { return all.disk; }

template <class Member>
struct MemberOf;
template <class S, class T>
struct MemberOf<T S::*> {
  using Struct = S;
  using Type = T;
};

template <auto Member>
struct FieldOf {
  using Struct = typename MemberOf<decltype(Member)>::Struct;
  using Type = typename MemberOf<decltype(Member)>::Type;

  static OptionValue get(const OptionStructs& all) {
    const Type& member = part(all, static_cast<const Struct*>(nullptr)).*Member;
    if constexpr (std::is_same_v<Type, std::string>) {
      return OptionValue{0, member};
    } else {
      return OptionValue{static_cast<std::int64_t>(member), {}};
    }
  }
  static void set(OptionStructs& all, const OptionValue& value) {
    Type& member = part(all, static_cast<const Struct*>(nullptr)).*Member;
    if constexpr (std::is_same_v<Type, std::string>) {
      member = value.text;
    } else {
      member = static_cast<Type>(value.number);
    }
  }
  static constexpr OptionField field{&get, &set};
};

template <auto Member>
inline constexpr const OptionField* field_of = &FieldOf<Member>::field;

}  // namespace replicator::control
