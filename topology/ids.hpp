// Numbers that stand for names of a topology on the wire of a switch, beyond base/ids.hpp.
#pragma once
#include "base/ids.hpp"
#include "topology/model.hpp"

#include <cstdint>
#include <string_view>

namespace weft::topology {

/// The OpenFlow group that floods a network: its object id folded to 24 bits, never 0. Two networks of a topology
/// with the same number are a validation error.
std::uint32_t group_number(std::string_view network);

/// The same for a gateway's fast-failover groups, from the same numbers.
std::uint32_t gateway_group_number(std::string_view gateway);

/// A security group in the rule tables: 32 bits of its object id, never 0. Two of a topology with the same number are a
/// validation error.
std::uint32_t security_group_number(std::string_view group);

/// A rule of a security group, an entry of a network's ACL: by its owner's name and what it says, so that it is the
/// same wherever it stands in its list.
ObjectId rule_id(std::string_view group, const SecurityRule& rule);
ObjectId entry_id(std::string_view network, const AclEntry& entry);

} // namespace weft::topology
