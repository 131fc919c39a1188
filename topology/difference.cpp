#include "topology/difference.hpp"

namespace weft::topology {
namespace {

std::string name_of_key(const std::string& key) {
    return key;
}
std::string name_of_key(const Ip& key) {
    return key.to_string();
}

/// Merge-walk of two maps in key order.
template <class Map>
void compare(Kind kind, const Map& before, const Map& after, std::vector<Change>& changes) {
    auto old = before.begin();
    auto now = after.begin();
    while (old != before.end() || now != after.end()) {
        if (now == after.end() || (old != before.end() && old->first < now->first)) {
            changes.push_back({Op::remove, kind, name_of_key(old->first)});
            ++old;
        } else if (old == before.end() || now->first < old->first) {
            changes.push_back({Op::add, kind, name_of_key(now->first)});
            ++now;
        } else {
            if (!(old->second == now->second)) changes.push_back({Op::change, kind, name_of_key(now->first)});
            ++old;
            ++now;
        }
    }
}

} // namespace

std::vector<Change> difference(const Topology& before, const Topology& after) {
    std::vector<Change> changes;
    compare(Kind::host, before.hosts, after.hosts, changes);
    compare(Kind::network, before.networks, after.networks, changes);
    compare(Kind::port, before.ports, after.ports, changes);
    compare(Kind::router, before.routers, after.routers, changes);
    compare(Kind::gateway, before.gateways, after.gateways, changes);
    compare(Kind::floating_ip, before.floating_ips, after.floating_ips, changes);
    compare(Kind::port_forward, before.port_forwards, after.port_forwards, changes);
    compare(Kind::security_group, before.security_groups, after.security_groups, changes);
    compare(Kind::qos, before.qos, after.qos, changes);
    return changes;
}

} // namespace weft::topology
