#include "virt/read.hpp"

#include <array>
#include <fmt/format.h>

namespace weft::virt {
namespace {

/// A paused domain in a migration is either end of it. The source knows how its migration is going; the destination
/// refuses to say.
bool is_source(virDomainPtr domain) {
    int type = 0;
    int count = 0;
    virTypedParameterPtr parameters = nullptr;
    if (virDomainGetJobStats(domain, &type, &parameters, &count, 0) != 0) return false;
    int operation = 0;
    virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsFree(parameters, count);
    return operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

DomainState state_of(virDomainPtr domain, int state, int reason) {
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN: // on its way, its processes still there
        return DomainState::running;
    case VIR_DOMAIN_PAUSED:
        return reason == VIR_DOMAIN_PAUSED_MIGRATION && !is_source(domain) ? DomainState::migrating_in
                                                                           : DomainState::paused;
    case VIR_DOMAIN_PMSUSPENDED:
        return DomainState::paused;
    default: // VIR_DOMAIN_CRASHED too: no process
        return DomainState::off;
    }
}

Result<Domain> read(virConnectPtr connection, virDomainPtr domain) {
    const auto failed = [&] {
        return std::unexpected(call_error(connection, fmt::format("read domain {}", virDomainGetName(domain))));
    };
    Domain read;
    std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
    int state = 0;
    int reason = 0;
    if (virDomainGetUUIDString(domain, uuid.data()) != 0 || virDomainGetState(domain, &state, &reason, 0) != 0)
        return failed();
    read.uuid = uuid.data();
    read.state = state_of(domain, state, reason);
    const auto xml = taken(virDomainGetXMLDesc(domain, 0));
    if (xml.empty()) return failed();
    auto nics = parse_nics(xml);
    if (!nics) return std::unexpected(nics.error());
    read.nics = std::move(*nics);
    return read;
}

Result<Network> read(virConnectPtr connection, virNetworkPtr network) {
    const auto failed = [&] {
        return std::unexpected(call_error(connection, fmt::format("read network {}", virNetworkGetName(network))));
    };
    Network read;
    const int active = virNetworkIsActive(network);
    const int persistent = virNetworkIsPersistent(network);
    if (active < 0 || persistent < 0) return failed();
    read.active = active == 1;
    int autostart = 0;
    if (persistent == 1 && virNetworkGetAutostart(network, &autostart) == 0) read.autostart = autostart == 1;
    const auto definition = [&](unsigned flags) -> Result<NetworkDefinition> {
        const auto xml = taken(virNetworkGetXMLDesc(network, flags));
        if (xml.empty()) return failed();
        return parse_network(xml);
    };
    auto live = definition(0);
    if (!live) return std::unexpected(live.error());
    auto configured =
        read.active && persistent == 1 ? definition(VIR_NETWORK_XML_INACTIVE) : Result<NetworkDefinition>(*live);
    // Some drivers know the live one only.
    if (!configured && configured.error().kind == ErrorKind::refused) configured = live;
    if (!configured) return std::unexpected(configured.error());
    read.live = std::move(*live);
    read.configured = std::move(*configured);
    return read;
}

/// Puts what can be read into `into`, and what cannot as it was. An error only when the connection is gone.
template <class Handles, class Name, class Value>
Result<void> read_each(virConnectPtr connection, const Handles& handles, Name name_of_handle,
                       const std::map<std::string, Value>& before, std::map<std::string, Value>& into) {
    for (const auto& handle : handles) {
        const std::string name = name_of_handle(handle.get());
        if (auto value = read(connection, handle.get()))
            into.emplace(name, std::move(*value));
        else if (value.error().kind == ErrorKind::io)
            return std::unexpected(value.error());
        else if (const auto known = before.find(name); known != before.end())
            into.insert(*known);
    }
    return {};
}

template <class Handle>
auto read_one(virConnectPtr connection, const Handle& handle, int none, const std::string& what)
    -> Result<std::optional<typename decltype(read(connection, handle.get()))::value_type>> {
    if (!handle) {
        if (last_failure().code == none) return std::nullopt;
        return std::unexpected(call_error(connection, what));
    }
    auto value = read(connection, handle.get());
    if (value) return std::move(*value);
    // Gone between the two calls: an event will say so.
    return std::unexpected(value.error());
}

} // namespace

std::string_view name_of(DomainState state) {
    switch (state) {
    case DomainState::off:
        return "off";
    case DomainState::running:
        return "running";
    case DomainState::paused:
        return "paused";
    case DomainState::migrating_in:
        return "migrating in";
    }
    return "";
}

Result<Snapshot> read_all(virConnectPtr connection, const Snapshot& before) {
    Snapshot snapshot;
    virDomainPtr* domains = nullptr;
    const int domain_count = virConnectListAllDomains(connection, &domains, 0);
    if (domain_count < 0) return std::unexpected(call_error(connection, "list the domains"));
    if (auto done = read_each(connection, owned<DomainHandle>(domains, domain_count), virDomainGetName, before.domains,
                              snapshot.domains);
        !done)
        return std::unexpected(done.error());
    virNetworkPtr* networks = nullptr;
    const int network_count = virConnectListAllNetworks(connection, &networks, 0);
    if (network_count < 0) {
        auto error = call_error(connection, "list the networks");
        if (error.kind == ErrorKind::io) return std::unexpected(std::move(error));
        snapshot.no_networks = std::move(error.text);
        snapshot.networks = before.networks;
        return snapshot;
    }
    if (auto done = read_each(connection, owned<NetworkHandle>(networks, network_count), virNetworkGetName,
                              before.networks, snapshot.networks);
        !done)
        return std::unexpected(done.error());
    return snapshot;
}

Result<std::optional<Domain>> read_domain(virConnectPtr connection, const std::string& name) {
    const DomainHandle domain(virDomainLookupByName(connection, name.c_str()));
    return read_one(connection, domain, VIR_ERR_NO_DOMAIN, fmt::format("read domain {}", name));
}

Result<std::optional<Network>> read_network(virConnectPtr connection, const std::string& name) {
    const NetworkHandle network(virNetworkLookupByName(connection, name.c_str()));
    return read_one(connection, network, VIR_ERR_NO_NETWORK, fmt::format("read network {}", name));
}

} // namespace weft::virt
