#include "virt/domain_xml.hpp"

#include "virt/xml.hpp"

#include <fmt/format.h>

namespace weft::virt {
namespace {

constexpr const char* kNoDomain = "libvirt described a domain in what is no domain's XML";

Nic nic_of(const pugi::xml_node& element, const Mac& mac) {
    const auto source = element.child("source");
    const auto virtualport = element.child("virtualport");
    // libvirt may write several <parameters>, each with some of them.
    const auto parameter = [&](const char* name) {
        return attribute(virtualport.find_child([&](const pugi::xml_node& child) {
            return child.name() == std::string_view("parameters") && child.attribute(name);
        }),
                         name);
    };
    return Nic{.mac = mac,
               .type = attribute(element, "type"),
               .network = attribute(source, "network"),
               .portgroup = attribute(source, "portgroup"),
               .bridge = attribute(source, "bridge"),
               .virtualport = attribute(virtualport, "type"),
               .interface_id = parameter("interfaceid"),
               .profile_id = parameter("profileid"),
               .target = attribute(element.child("target"), "dev"),
               .alias = attribute(element.child("alias"), "name")};
}

std::optional<Mac> mac_of(const pugi::xml_node& element) {
    return Mac::parse(element.child("mac").attribute("address").value());
}

} // namespace

Result<std::vector<Nic>> parse_nics(std::string_view domain_xml) {
    pugi::xml_document document;
    if (!load(document, domain_xml, "domain")) return fail(ErrorKind::protocol, kNoDomain);
    std::vector<Nic> nics;
    for (const auto& element : document.document_element().child("devices").children("interface"))
        if (const auto mac = mac_of(element)) nics.push_back(nic_of(element, *mac));
    return nics;
}

Result<std::string> interface_element(std::string_view domain_xml, const Mac& mac) {
    pugi::xml_document document;
    if (!load(document, domain_xml, "domain")) return fail(ErrorKind::protocol, kNoDomain);
    for (const auto& element : document.document_element().child("devices").children("interface"))
        if (mac_of(element) == mac) return text_of(element);
    return fail(ErrorKind::refused,
                fmt::format("the domain has no interface with the MAC address {}", mac.to_string()));
}

std::string render_interface(const std::string& network, const std::string& portgroup, const Mac& mac) {
    pugi::xml_document document;
    auto element = document.append_child("interface");
    element.append_attribute("type") = "network";
    element.append_child("mac").append_attribute("address") = mac.to_string().c_str();
    auto source = element.append_child("source");
    source.append_attribute("network") = network.c_str();
    if (!portgroup.empty()) source.append_attribute("portgroup") = portgroup.c_str();
    element.append_child("model").append_attribute("type") = "virtio";
    return text_of(element);
}

Result<Mac> mac_of_interface(std::string_view interface_xml) {
    pugi::xml_document document;
    if (!load(document, interface_xml, "interface"))
        return fail(ErrorKind::invalid, "this is not the XML of one interface");
    const auto mac = mac_of(document.document_element());
    if (!mac) return fail(ErrorKind::invalid, "the interface has no MAC address");
    return *mac;
}

} // namespace weft::virt
