// Names: cookies and register values back to what the admin calls them. Built from the world in force.
#pragma once
#include "fabric/world.hpp"
#include "openflow/flow.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weft::controller {

/// "demo.toml:41"; empty for an object that is in no file.
std::string line_of(const topology::Origin& origin);

/// Of an OpenFlow table; empty for one that is no stage of weft's.
std::string_view stage_name(std::uint8_t table);

class Names {
  public:
    explicit Names(const fabric::World& world);

    /// "port/web1", "security_group/web rule 2"; "unknown" for a cookie that is not weft's or whose object is gone.
    std::string owner(std::uint64_t cookie) const;
    /// Of something that nothing is called, as owner() would: what it may have been meant to be ("did you mean
    /// 'port/web1'?"), how to write it, or empty. Nothing: there is one.
    std::optional<std::string> misnamed(std::string_view owner) const;
    /// Where that object is written: "demo.toml:41"; empty for what is in no file.
    std::string source(std::uint64_t cookie) const;
    /// The value of a register of weft's as listings show it: "web", "local". Of the connection's: "pending@7".
    std::string value(openflow::Field field, openflow::Bits value) const;
    /// ovs-ofctl's text of a match or an action list, ids of networks and ports replaced by names.
    std::string match(const openflow::Match& reported) const;
    std::string actions(const openflow::Actions& actions) const;

  private:
    std::string register_text(openflow::Field field, std::uint64_t value) const;
    /// "pending@7": a verdict and a zone, or one of the two.
    std::string connection_text(openflow::Bits value, openflow::Bits mask) const;
    /// Null for a number that is no group's: before the groups, their register is another's.
    const std::string* find_group(std::uint32_t number) const;

    struct Object {
        std::string name; ///< "kind/name"
        topology::Origin origin;
    };
    std::unordered_map<std::uint64_t, Object> objects_;        ///< by kind and id
    std::unordered_map<std::uint64_t, std::string> registers_; ///< network and attachment ids → name
    std::unordered_map<std::uint32_t, std::string> groups_;    ///< security groups by number → name
};

} // namespace weft::controller
