// The rows of the Open_vSwitch database that weft reads, as values: field for column, in the schema's own names
// (ovs-vswitchd.conf.db(5)). A default-constructed row is a row with every column at the schema's default. The
// replica fills them; schema.hpp binds fields to columns. Statistics are not here: they change every few seconds, so
// they are asked for when wanted (Session::interface_statistics).
#pragma once
#include "ovsdb/uuid.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace weft::ovsdb {

using StringMap = std::map<std::string, std::string>;

/// The one row of table Open_vSwitch.
struct OpenVSwitch {
    Uuid uuid;
    std::int64_t next_cfg = 0; ///< raised by whoever changes the configuration
    std::int64_t cur_cfg = 0;  ///< the next_cfg that ovs-vswitchd has applied
    std::set<Uuid> bridges;
    std::map<std::string, Uuid> datapaths; ///< by datapath type
    StringMap external_ids;
    StringMap other_config;
    std::optional<std::string> ovs_version;
    bool operator==(const OpenVSwitch&) const = default;
};

struct Bridge {
    Uuid uuid;
    std::string name;
    std::string datapath_type;              ///< "" means "system"
    std::optional<std::string> datapath_id; ///< in use, 16 hex digits, written by ovs-vswitchd
    std::set<Uuid> ports;
    std::set<Uuid> controller;
    std::optional<std::string> fail_mode;
    std::set<std::string> protocols;
    StringMap external_ids;
    StringMap other_config;
    bool operator==(const Bridge&) const = default;
};

struct Port {
    Uuid uuid;
    std::string name;
    std::set<Uuid> interfaces;
    std::optional<std::int64_t> tag;
    std::optional<Uuid> qos;
    StringMap external_ids;
    bool operator==(const Port&) const = default;
};

struct Interface {
    Uuid uuid;
    std::string name;
    std::string type;
    StringMap options;
    StringMap external_ids;
    StringMap bfd;
    StringMap bfd_status;               ///< "state", "forwarding", … once BFD runs
    std::optional<std::int64_t> ofport; ///< -1 when the port could not be made, then `error` says why
    std::optional<std::string> error;
    std::optional<std::string> mac_in_use;
    std::optional<std::string> link_state;  ///< "up" or "down"
    std::optional<std::string> admin_state; ///< "up" or "down"
    std::optional<std::int64_t> mtu;
    std::optional<std::int64_t> ifindex;
    StringMap status; ///< "driver_name", …: what the device tells of itself
    bool operator==(const Interface&) const = default;
};

struct Controller {
    Uuid uuid;
    std::string target;
    bool is_connected = false;
    std::optional<std::string> connection_mode;
    std::optional<std::int64_t> max_backoff;      ///< ms
    std::optional<std::int64_t> inactivity_probe; ///< ms
    StringMap external_ids;
    bool operator==(const Controller&) const = default;
};

struct Datapath {
    Uuid uuid;
    StringMap capabilities; ///< "nd_ext", "check_pkt_len", …: "true", "false" or a number
    StringMap external_ids;
    bool operator==(const Datapath&) const = default;
};

struct Qos {
    Uuid uuid;
    std::string type;
    std::map<std::int64_t, Uuid> queues;
    StringMap other_config;
    StringMap external_ids;
    bool operator==(const Qos&) const = default;
};

struct Queue {
    Uuid uuid;
    std::optional<std::int64_t> dscp;
    StringMap other_config;
    StringMap external_ids;
    bool operator==(const Queue&) const = default;
};

} // namespace weft::ovsdb
