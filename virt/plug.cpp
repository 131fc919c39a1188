#include "virt/plug.hpp"

#include "virt/read.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace weft::virt {
namespace {

/// As call_error, and with the way out where the domain is not what it was a moment ago.
Error domain_error(virConnectPtr connection, const std::string& name, const std::string& what) {
    const auto code = last_failure().code;
    if (code == VIR_ERR_NO_DOMAIN)
        return {ErrorKind::refused,
                fmt::format("cannot {}: the host has no domain {}: `virsh list --all` shows those it has", what, name)};
    auto error = call_error(connection, what);
    if (code == VIR_ERR_OPERATION_INVALID && error.kind == ErrorKind::refused)
        error.text += fmt::format(": see `virsh domstate {}`, and try again", name);
    return error;
}

std::string named(const Mac& mac, const std::string& domain) {
    return fmt::format("interface {} of domain {}", mac.to_string(), domain);
}

/// A domain and its two descriptions, each with interfaces as they can be plugged in (not as libvirt realised them).
struct Views {
    DomainHandle handle;
    std::string live;       ///< XML; empty: it does not run
    std::string configured; ///< XML; empty: it has no configuration
    bool paused = false;
};

Result<Views> look_at(virConnectPtr connection, const std::string& name) {
    const auto failed = [&] {
        return std::unexpected(domain_error(connection, name, fmt::format("look at domain {}", name)));
    };
    Views views{.handle = DomainHandle(virDomainLookupByName(connection, name.c_str())),
                .live = {},
                .configured = {},
                .paused = false};
    if (!views.handle) return failed();
    auto* const domain = views.handle.get();
    const int active = virDomainIsActive(domain);
    const int persistent = active < 0 ? active : virDomainIsPersistent(domain);
    int state = 0;
    if (persistent < 0 || virDomainGetState(domain, &state, nullptr, 0) != 0) return failed();
    views.paused = state == VIR_DOMAIN_PAUSED || state == VIR_DOMAIN_PMSUSPENDED;
    if (active == 1) views.live = taken(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE));
    if (active == 1 && views.live.empty()) return failed();
    if (persistent == 1) views.configured = taken(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
    if (persistent == 1 && views.configured.empty()) return failed();
    return views;
}

/// The interface's XML in one of the two; nullopt: it is not there.
std::optional<std::string> element_in(const std::string& domain_xml, const Mac& mac) {
    auto element = domain_xml.empty() ? fail(ErrorKind::refused, "") : interface_element(domain_xml, mac);
    return element ? std::optional(std::move(*element)) : std::nullopt;
}

Error no_interface(const std::string& domain, const Mac& mac) {
    return {ErrorKind::refused, fmt::format("domain {0} has no interface with the MAC address {1}: `virsh domiflist "
                                            "{0}` shows those it has",
                                            domain, mac.to_string())};
}

Error not_let_go(const std::string& domain, const Mac& mac) {
    return {ErrorKind::timeout,
            fmt::format("guest {} has not let go of its interface {}: is its system up? It stays plugged in until the "
                        "guest lets go after all (at its next reset at the latest): try again once it is up, or shut "
                        "it down first",
                        domain, mac.to_string())};
}

/// Whether a network and its portgroup can take an interface. Libvirt itself minds no portgroup that is not there, and
/// would tell of the network too late.
Result<void> check_network(virConnectPtr connection, const std::string& name, const std::string& portgroup) {
    const auto network = read_network(connection, name);
    if (!network) return std::unexpected(network.error());
    if (!*network)
        return fail(ErrorKind::refused,
                    fmt::format("the host has no libvirt network {}: `virsh net-list --all` shows those it has", name));
    if (!(*network)->active)
        return fail(ErrorKind::refused,
                    fmt::format("the libvirt network {0} is not active: `virsh net-start {0}`", name));
    if (!portgroup.empty() && !(*network)->live.portgroups.contains(portgroup))
        return fail(ErrorKind::refused, fmt::format("the libvirt network {0} has no portgroup {1}: `virsh net-dumpxml "
                                                    "{0}` shows those it has",
                                                    name, portgroup));
    return {};
}

Result<void> plug(virConnectPtr connection, const Views& views, const std::string& element, unsigned where,
                  const std::string& what) {
    if (virDomainAttachDeviceFlags(views.handle.get(), element.c_str(), where) == 0) return {};
    return std::unexpected(domain_error(connection, virDomainGetName(views.handle.get()), what));
}

/// Replaces the configured interface of the same MAC address.
Result<void> configure(virConnectPtr connection, const Views& views, const std::string& element,
                       const std::string& what) {
    if (virDomainUpdateDeviceFlags(views.handle.get(), element.c_str(), VIR_DOMAIN_AFFECT_CONFIG) == 0) return {};
    return std::unexpected(domain_error(connection, virDomainGetName(views.handle.get()), what));
}

/// `error`, once what was done before it is undone.
Error undone(Error error, const Result<void>& undoing) {
    if (!undoing) error.text += fmt::format("; and what had been done is not undone: {}", undoing.error().text);
    return error;
}

Result<void> ask_to_let_go(virConnectPtr connection, const Views& views, const std::string& name, const Mac& mac) {
    const auto xml = taken(virDomainGetXMLDesc(views.handle.get(), 0)); // which has the aliases
    if (xml.empty()) return std::unexpected(domain_error(connection, name, fmt::format("read domain {}", name)));
    const auto nics = parse_nics(xml);
    if (!nics) return std::unexpected(nics.error());
    const auto nic = std::ranges::find(*nics, mac, &Nic::mac);
    if (nic == nics->end()) return {}; // gone since a moment ago
    // By its alias libvirt does not wait for the guest; by its element it would, for five seconds.
    if (virDomainDetachDeviceAlias(views.handle.get(), nic->alias.c_str(), VIR_DOMAIN_AFFECT_LIVE) == 0) return {};
    return std::unexpected(domain_error(connection, name, fmt::format("unplug {}", named(mac, name))));
}

} // namespace

Result<std::string> attach_interface(virConnectPtr connection, const std::string& domain, const std::string& xml) {
    const auto nic = parse_interface(xml);
    if (!nic) return std::unexpected(nic.error());
    const auto views = look_at(connection, domain);
    if (!views) return std::unexpected(views.error());
    if (element_in(views->live, nic->mac) || element_in(views->configured, nic->mac))
        return fail(ErrorKind::refused,
                    fmt::format("domain {} has an interface with the MAC address {} already: detach "
                                "it, or choose another address",
                                domain, nic->mac.to_string()));
    if (!nic->network.empty())
        if (auto ready = check_network(connection, nic->network, nic->portgroup); !ready)
            return std::unexpected(ready.error());
    // Both in one call: what libvirt refuses for one it does for neither. Only when it cannot write the configuration
    // down, the guest has the interface by then.
    const unsigned where =
        (views->live.empty() ? 0 : VIR_DOMAIN_AFFECT_LIVE) | (views->configured.empty() ? 0 : VIR_DOMAIN_AFFECT_CONFIG);
    const auto done = plug(connection, *views, xml, where,
                           fmt::format("attach interface {} to domain {}", nic->mac.to_string(), domain));
    if (done) return {};
    const auto after = look_at(connection, domain);
    if (after && element_in(after->live, nic->mac))
        return std::unexpected(undone(done.error(), ask_to_let_go(connection, *after, domain, nic->mac)));
    return std::unexpected(done.error());
}

Result<std::string> unplug_interface(virConnectPtr connection, const std::string& domain, const Mac& mac) {
    const auto views = look_at(connection, domain);
    if (!views) return std::unexpected(views.error());
    auto live = element_in(views->live, mac);
    if (!live && !element_in(views->configured, mac)) return std::unexpected(no_interface(domain, mac));
    if (!live) return {};
    // It would let go at some time after it was resumed, when nobody waits any more.
    if (views->paused)
        return fail(
            ErrorKind::refused,
            fmt::format("domain {0} is paused or asleep, and lets go of no device: `virsh resume {0}` or `virsh "
                        "dompmwakeup {0}` first",
                        domain));
    if (auto asked = ask_to_let_go(connection, *views, domain, mac); !asked) return std::unexpected(asked.error());
    return std::move(*live);
}

Result<std::string> check_move(virConnectPtr connection, const std::string& domain, const Mac& mac,
                               const std::string& network, const std::string& portgroup) {
    const auto views = look_at(connection, domain);
    if (!views) return std::unexpected(views.error());
    bool found = false;
    bool elsewhere = false;
    for (const auto* xml : {&views->live, &views->configured}) {
        const auto element = element_in(*xml, mac);
        if (!element) {
            elsewhere = elsewhere || !xml->empty(); // what an earlier attempt left undone
            continue;
        }
        found = true;
        if (auto moved = moved_interface(*element, network, portgroup); !moved) return moved;
        const auto nic = parse_interface(*element);
        if (!nic) return std::unexpected(nic.error());
        elsewhere = elsewhere || nic->network != network || nic->portgroup != portgroup;
    }
    if (!found) return std::unexpected(no_interface(domain, mac));
    if (!elsewhere)
        return fail(ErrorKind::refused, fmt::format("{} is on the libvirt network {} already: there is nothing to do",
                                                    named(mac, domain), network));
    if (auto ready = check_network(connection, network, portgroup); !ready) return std::unexpected(ready.error());
    return {};
}

Result<std::string> forget_interface(virConnectPtr connection, const std::string& domain, const Mac& mac,
                                     const std::string& was) {
    const auto views = look_at(connection, domain);
    if (!views) return std::unexpected(views.error());
    if (element_in(views->live, mac)) return std::unexpected(not_let_go(domain, mac));
    const auto configured = element_in(views->configured, mac);
    if (!configured ||
        virDomainDetachDeviceFlags(views->handle.get(), configured->c_str(), VIR_DOMAIN_AFFECT_CONFIG) == 0)
        return {};
    auto error = domain_error(connection, domain, fmt::format("detach {}", named(mac, domain)));
    if (was.empty() || views->live.empty()) return std::unexpected(std::move(error));
    return std::unexpected(undone(std::move(error), plug(connection, *views, was, VIR_DOMAIN_AFFECT_LIVE,
                                                         fmt::format("plug {} in again", named(mac, domain)))));
}

Result<std::string> replug_interface(virConnectPtr connection, const std::string& domain, const Mac& mac,
                                     const std::string& was, const std::string& network, const std::string& portgroup) {
    const auto views = look_at(connection, domain);
    if (!views) return std::unexpected(views.error());
    if (element_in(views->live, mac)) return std::unexpected(not_let_go(domain, mac));
    const auto configured = element_in(views->configured, mac);
    const auto what = fmt::format("move {} to network {}", named(mac, domain), network);
    const auto put_back = [&]() -> Result<void> {
        if (was.empty() || views->live.empty()) return {};
        return plug(connection, *views, was, VIR_DOMAIN_AFFECT_LIVE,
                    fmt::format("plug {} in again", named(mac, domain)));
    };
    if (configured) {
        const auto moved = moved_interface(*configured, network, portgroup);
        const auto done = moved ? configure(connection, *views, *moved, what) : std::unexpected(moved.error());
        if (!done) return std::unexpected(undone(done.error(), put_back()));
    }
    if (views->live.empty()) return {};
    const auto moved = moved_interface(was.empty() && configured ? *configured : was, network, portgroup);
    const auto done =
        moved ? plug(connection, *views, *moved, VIR_DOMAIN_AFFECT_LIVE, what) : std::unexpected(moved.error());
    if (done) return {};
    auto error = undone(done.error(), put_back());
    if (!configured) return std::unexpected(std::move(error));
    return std::unexpected(undone(std::move(error), configure(connection, *views, *configured,
                                                              fmt::format("configure {} again", named(mac, domain)))));
}

Result<std::string> domain_xml(virConnectPtr connection, const std::string& name) {
    const DomainHandle domain(virDomainLookupByName(connection, name.c_str()));
    auto xml = domain ? taken(virDomainGetXMLDesc(domain.get(), 0)) : std::string();
    if (xml.empty()) return std::unexpected(domain_error(connection, name, fmt::format("read domain {}", name)));
    return xml;
}

} // namespace weft::virt
