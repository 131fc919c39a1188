#include "topology/ids.hpp"

#include <fmt/format.h>

namespace weft::topology {

namespace {

std::uint32_t fold(ObjectId object) {
    const auto id = object.value;
    const auto number = static_cast<std::uint32_t>((id ^ (id >> 24)) & 0xff'ffff);
    return number == 0 ? 1 : number;
}

} // namespace

std::uint32_t group_number(std::string_view network) {
    return fold(object_id(Kind::network, network));
}

std::uint32_t gateway_group_number(std::string_view gateway) {
    return fold(object_id(Kind::gateway, gateway));
}

std::uint32_t security_group_number(std::string_view group) {
    const auto number = static_cast<std::uint32_t>(object_id(Kind::security_group, group).value);
    return number == 0 ? 1 : number;
}

ObjectId rule_id(std::string_view group, const SecurityRule& rule) {
    return object_id(Kind::security_rule, fmt::format("{}\n{}", group, rule.to_string()));
}

ObjectId entry_id(std::string_view network, const AclEntry& entry) {
    return object_id(Kind::acl_entry, fmt::format("{}\n{}", network, entry.to_string()));
}

} // namespace weft::topology
