// Destination translations as admins of libvirt hosts write them: rules of the kernel's NAT table, the hook script of
// libvirt's wiki, the JSON of libvirt-hook-qemu. Pure; never throws: what is not plain is named in `unread`, and rules
// that translate no destination are passed over.
#pragma once
#include "cli/import_sources.hpp"

#include <string_view>

namespace weft::cli {

Dnats read_forwards(const ForwardText& text);

/// The output of iptables-save, of `name` ("iptables").
Dnats read_iptables_save(std::string_view text, const std::string& name);

/// The output of `nft list ruleset`. Chains of hook output are passed over: weft does what they are for by itself.
Dnats read_nft(std::string_view text, const std::string& name);

/// A shell script that runs iptables, line by line: plain assignments are understood, loops and functions are not.
Dnats read_hook_script(std::string_view text, const std::string& name);

/// hooks.json of libvirt-hook-qemu: { DOMAIN: { private_ip, public_ip, port_map, port_range } }, with comments.
Dnats read_hook_json(std::string_view text, const std::string& name);

} // namespace weft::cli
