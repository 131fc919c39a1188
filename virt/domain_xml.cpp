#include "virt/domain_xml.hpp"

#include "virt/xml.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace weft::virt {

std::optional<Nic> nic_of(const pugi::xml_node& interface) {
    const auto mac = Mac::parse(interface.child("mac").attribute("address").value());
    if (!mac) return std::nullopt;
    const auto source = interface.child("source");
    const auto virtualport = interface.child("virtualport");
    // libvirt may write several <parameters>, each with some of them.
    const auto parameter = [&](const char* name) {
        return attribute(virtualport.find_child([&](const pugi::xml_node& child) {
            return child.name() == std::string_view("parameters") && child.attribute(name);
        }),
                         name);
    };
    return Nic{.mac = *mac,
               .type = attribute(interface, "type"),
               .network = attribute(source, "network"),
               .portgroup = attribute(source, "portgroup"),
               .bridge = attribute(source, "bridge"),
               .virtualport = attribute(virtualport, "type"),
               .interface_id = parameter("interfaceid"),
               .profile_id = parameter("profileid"),
               .target = attribute(interface.child("target"), "dev"),
               .alias = attribute(interface.child("alias"), "name")};
}

namespace {

constexpr const char* kNoDomain = "libvirt described a domain in what is no domain's XML";
constexpr const char* kNoInterface = "this is not the XML of one interface";

void append_source(pugi::xml_node& element, const std::string& network, const std::string& portgroup) {
    auto source = element.append_child("source");
    source.append_attribute("network") = network.c_str();
    if (!portgroup.empty()) source.append_attribute("portgroup") = portgroup.c_str();
}

/// Children of an <interface> that say how it is plugged in, not what the guest sees.
bool belongs_to_source(const pugi::xml_node& child) {
    constexpr std::array<std::string_view, 13> kPlug{"source",    "target",      "actual", "virtualport", "vlan",
                                                     "bandwidth", "filterref",   "port",   "mtu",         "ip",
                                                     "route",     "portForward", "backend"};
    const std::string_view name = child.name();
    // Names that begin so are the admin's own, the others libvirt's of a device that is gone then.
    if (name == "alias") return !attribute(child, "name").starts_with("ua-");
    return std::ranges::find(kPlug, name) != kPlug.end();
}

} // namespace

Result<std::vector<Nic>> parse_nics(std::string_view domain_xml) {
    pugi::xml_document document;
    if (!load(document, domain_xml, "domain")) return fail(ErrorKind::protocol, kNoDomain);
    std::vector<Nic> nics;
    for (const auto& element : document.document_element().child("devices").children("interface"))
        if (auto nic = nic_of(element)) nics.push_back(std::move(*nic));
    return nics;
}

Result<std::string> interface_element(std::string_view domain_xml, const Mac& mac) {
    pugi::xml_document document;
    if (!load(document, domain_xml, "domain")) return fail(ErrorKind::protocol, kNoDomain);
    for (const auto& element : document.document_element().child("devices").children("interface"))
        if (const auto nic = nic_of(element); nic && nic->mac == mac) return text_of(element);
    return fail(ErrorKind::refused,
                fmt::format("the domain has no interface with the MAC address {}", mac.to_string()));
}

Result<std::string> moved_interface(std::string_view interface_xml, const std::string& network,
                                    const std::string& portgroup) {
    pugi::xml_document document;
    if (!load(document, interface_xml, "interface")) return fail(ErrorKind::invalid, kNoInterface);
    auto element = document.document_element();
    if (attribute(element, "type") == "hostdev")
        return fail(ErrorKind::refused, "the interface is a device of the host, which no network can take: detach it, "
                                        "and attach a new one");
    for (auto child = element.first_child(); child;) {
        const auto next = child.next_sibling();
        if (belongs_to_source(child)) element.remove_child(child);
        child = next;
    }
    while (element.remove_attribute("type")) { // pugixml lets an element have two
    }
    element.append_attribute("type") = "network";
    append_source(element, network, portgroup);
    return text_of(element);
}

std::string render_interface(const std::string& network, const std::string& portgroup, const Mac& mac) {
    pugi::xml_document document;
    auto element = document.append_child("interface");
    element.append_attribute("type") = "network";
    element.append_child("mac").append_attribute("address") = mac.to_string().c_str();
    append_source(element, network, portgroup);
    element.append_child("model").append_attribute("type") = "virtio";
    return text_of(element);
}

Result<Nic> parse_interface(std::string_view interface_xml) {
    pugi::xml_document document;
    if (!load(document, interface_xml, "interface")) return fail(ErrorKind::invalid, kNoInterface);
    auto nic = nic_of(document.document_element());
    if (!nic) return fail(ErrorKind::invalid, "the interface has no MAC address");
    return std::move(*nic);
}

} // namespace weft::virt
