// The one table of OVSDB tables and columns that weft uses. A column's type is its field's type: a plain value is a
// column of exactly one atom, std::optional one of at most one, std::set and std::map what they say. From it come the
// monitor request, the decoding of rows and the check that a host's schema is one weft can work with.
#pragma once
#include "base/result.hpp"
#include "ovsdb/rows.hpp"

#include <boost/json/fwd.hpp>
#include <string_view>
#include <tuple>

namespace weft::ovsdb {

inline constexpr std::string_view kDatabase = "Open_vSwitch";

template <class Row, class T>
struct Column {
    std::string_view name;
    T Row::* field;
};

template <class Row>
struct Table;

template <>
struct Table<OpenVSwitch> {
    static constexpr std::string_view kName = "Open_vSwitch";
    static constexpr std::tuple kColumns{
        Column{"next_cfg", &OpenVSwitch::next_cfg},         Column{"cur_cfg", &OpenVSwitch::cur_cfg},
        Column{"bridges", &OpenVSwitch::bridges},           Column{"datapaths", &OpenVSwitch::datapaths},
        Column{"external_ids", &OpenVSwitch::external_ids}, Column{"other_config", &OpenVSwitch::other_config},
        Column{"ovs_version", &OpenVSwitch::ovs_version}};
};

template <>
struct Table<Bridge> {
    static constexpr std::string_view kName = "Bridge";
    static constexpr std::tuple kColumns{Column{"name", &Bridge::name},
                                         Column{"datapath_type", &Bridge::datapath_type},
                                         Column{"datapath_id", &Bridge::datapath_id},
                                         Column{"ports", &Bridge::ports},
                                         Column{"controller", &Bridge::controller},
                                         Column{"fail_mode", &Bridge::fail_mode},
                                         Column{"protocols", &Bridge::protocols},
                                         Column{"external_ids", &Bridge::external_ids},
                                         Column{"other_config", &Bridge::other_config}};
};

template <>
struct Table<Port> {
    static constexpr std::string_view kName = "Port";
    static constexpr std::tuple kColumns{Column{"name", &Port::name}, Column{"interfaces", &Port::interfaces},
                                         Column{"tag", &Port::tag}, Column{"qos", &Port::qos},
                                         Column{"external_ids", &Port::external_ids}};
};

template <>
struct Table<Interface> {
    static constexpr std::string_view kName = "Interface";
    static constexpr std::tuple kColumns{Column{"name", &Interface::name},
                                         Column{"type", &Interface::type},
                                         Column{"options", &Interface::options},
                                         Column{"external_ids", &Interface::external_ids},
                                         Column{"bfd", &Interface::bfd},
                                         Column{"bfd_status", &Interface::bfd_status},
                                         Column{"ofport", &Interface::ofport},
                                         Column{"error", &Interface::error},
                                         Column{"mac_in_use", &Interface::mac_in_use},
                                         Column{"link_state", &Interface::link_state},
                                         Column{"admin_state", &Interface::admin_state},
                                         Column{"mtu", &Interface::mtu},
                                         Column{"ifindex", &Interface::ifindex},
                                         Column{"status", &Interface::status}};
};

template <>
struct Table<Controller> {
    static constexpr std::string_view kName = "Controller";
    static constexpr std::tuple kColumns{Column{"target", &Controller::target},
                                         Column{"is_connected", &Controller::is_connected},
                                         Column{"connection_mode", &Controller::connection_mode},
                                         Column{"max_backoff", &Controller::max_backoff},
                                         Column{"inactivity_probe", &Controller::inactivity_probe},
                                         Column{"external_ids", &Controller::external_ids}};
};

template <>
struct Table<Datapath> {
    static constexpr std::string_view kName = "Datapath";
    static constexpr std::tuple kColumns{Column{"capabilities", &Datapath::capabilities},
                                         Column{"external_ids", &Datapath::external_ids}};
};

template <>
struct Table<Qos> {
    static constexpr std::string_view kName = "QoS";
    static constexpr std::tuple kColumns{Column{"type", &Qos::type}, Column{"queues", &Qos::queues},
                                         Column{"other_config", &Qos::other_config},
                                         Column{"external_ids", &Qos::external_ids}};
};

template <>
struct Table<Queue> {
    static constexpr std::string_view kName = "Queue";
    static constexpr std::tuple kColumns{Column{"dscp", &Queue::dscp}, Column{"other_config", &Queue::other_config},
                                         Column{"external_ids", &Queue::external_ids}};
};

/// Every row type, in the order in which tables are named everywhere.
using Rows = std::tuple<OpenVSwitch, Bridge, Port, Interface, Controller, Datapath, Qos, Queue>;

/// The third parameter of monitor_cond (ovsdb-server(7), 4.1.12): every column above, no condition.
boost::json::object monitor_requests();

/// Whether `schema` (a get_schema result, RFC 7047 section 3.2) has every column above with its type. The error, of
/// kind refused, names the first that it lacks.
Result<void> check_schema(const boost::json::value& schema);

} // namespace weft::ovsdb
