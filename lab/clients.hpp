// DHCP clients of a lab's endpoints: a process for each interface and family that leases, alive as long as its
// namespace. A script of weft-lab's makes leases into addresses, routes, MTU and resolv.conf. Fed by lab/plan; started
// by lab/up, which then waits for what they are to get (lab/converge); the resolv.conf is what lab/exec shows.
#pragma once
#include "base/result.hpp"
#include "lab/command.hpp"
#include "lab/plan.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weft::lab {

/// One client: what to start, and the endpoint it serves.
struct Client {
    std::string endpoint;
    Command command;
};

/// Pure. udhcpc for IPv4, dhclient for IPv6.
std::vector<Client> clients(const LabPlan& plan);
/// Pure: the programs of clients() → the Debian packages they are in.
std::map<std::string, std::string> client_programs(const LabPlan& plan);

/// Every endpoint's directory with a resolv.conf that is empty, for a VM knows nothing of the machine's; the script.
Result<void> write_endpoint_files(const LabPlan& plan);
Result<void> start_clients(const LabPlan& plan);

/// What stands above /etc in an endpoint: its resolv.conf alone.
std::string endpoint_etc(const std::string& lab, const std::string& endpoint);

} // namespace weft::lab
