#include "cli/import_forwards.hpp"

#include "cli/import_rule.hpp"
#include "topology/form.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace weft::cli {
namespace {

namespace form = topology::form;
namespace json = boost::json;
using topology::PortRange;

std::optional<PortRange> port_range(std::int64_t first, std::int64_t count) {
    if (first < 1 || first > 65535 || count < 1 || count > 65536 - first) return std::nullopt;
    return PortRange{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(first + count - 1)};
}

std::int64_t integer(const json::value* value) {
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string string_at(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// One domain of hooks.json.
class HookDomain {
  public:
    HookDomain(std::string_view vm, const json::object& domain, std::string where, Dnats& into)
        : vm_(vm), domain_(domain), where_(std::move(where)), into_(into) {}

    void read() {
        if (const auto* map = domain_.if_contains("port_map"); map != nullptr && map->is_object()) {
            for (const auto& [protocol, entries] : map->get_object()) {
                if (!entries.is_array()) continue;
                for (const auto& entry : entries.get_array()) {
                    const auto* pair = entry.if_array();
                    const auto port = pair == nullptr ? integer(&entry) : pair->size() == 2 ? integer(&(*pair)[0]) : 0;
                    add(protocol, port, pair != nullptr && pair->size() == 2 ? integer(&(*pair)[1]) : port, 1);
                }
            }
        }
        if (const auto* ranges = domain_.if_contains("port_range"); ranges != nullptr && ranges->is_array()) {
            for (const auto& range : ranges->get_array()) {
                const auto* object = range.if_object();
                if (object == nullptr) continue;
                const auto first = integer(object->if_contains("init_port"));
                add(string_at(*object, "protocol"), first, first, integer(object->if_contains("ports_num")));
            }
        }
    }

  private:
    void add(std::string_view protocol, std::int64_t first, std::int64_t to, std::int64_t count) {
        Rule rule{.vm = vm_, .translates = true};
        const auto ports = port_range(first, count);
        const auto target_ports = port_range(to, count);
        const auto written = fmt::format("{} {} of {}", protocol, first, vm_);
        if (const auto read = form::forward_protocol(protocol))
            rule.protocol = *read;
        else
            rule.refuse(fmt::format("protocol '{}'", protocol));
        if (!ports || !target_ports) rule.refuse("its ports are not 1 to 65535");
        if (const auto address = string_at(domain_, "public_ip"); !address.empty()) read_address(address, rule);
        if (const auto source = string_at(domain_, "source_ip"); !source.empty() && source != "0.0.0.0/0")
            rule.refuse("'source_ip' narrows it");
        rule.target = string_at(domain_, "private_ip");
        if (ports && target_ports) {
            rule.ports = {*ports};
            rule.target += ":" + target_ports->to_string();
        }
        finish(std::move(rule), where_, written, into_);
    }

    std::string vm_;
    const json::object& domain_;
    std::string where_;
    Dnats& into_;
};

} // namespace

Dnats read_hook_json(std::string_view text, const std::string& name) {
    Dnats found;
    boost::system::error_code error;
    json::parse_options options;
    options.allow_comments = true;
    options.allow_invalid_utf8 = true;
    const auto value = json::parse(text, error, {}, options);
    const auto* domains = error ? nullptr : value.if_object();
    if (domains == nullptr) {
        found.unread.push_back(fmt::format("{} is not the JSON of libvirt-hook-qemu", name));
        return found;
    }
    for (const auto& [vm, domain] : *domains) {
        if (const auto* object = domain.if_object()) HookDomain(vm, *object, name, found).read();
    }
    return found;
}

Dnats read_forwards(const ForwardText& text) {
    switch (text.form) {
    case ForwardText::Form::iptables_save:
        return read_iptables_save(text.text, text.name);
    case ForwardText::Form::nft:
        return read_nft(text.text, text.name);
    case ForwardText::Form::hook_json:
        return read_hook_json(text.text, text.name);
    case ForwardText::Form::script:
        break;
    }
    return read_hook_script(text.text, text.name);
}

} // namespace weft::cli
