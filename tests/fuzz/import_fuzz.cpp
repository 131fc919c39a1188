// Any bytes as what a host says of its libvirt: the file that comes of it must be valid. Parts end with a NUL: a
// network, a domain, rules of iptables, of nft, a hook script, a hook's JSON, and again.
#include "cli/import_convert.hpp"
#include "cli/import_toml.hpp"
#include "topology/parse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weft;
    using Form = cli::ForwardText::Form;
    cli::HostTexts texts{.uri = "qemu:///system", .name = "kvm1"};
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    for (int part = 0; !rest.empty(); part = (part + 1) % 6) {
        const auto end = std::min(rest.find('\0'), rest.size());
        const std::string text(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (part == 0)
            texts.networks.push_back({text, {{Mac::from_u64(0x5254'0012'2011), Ip::v4(0xc0a8'7a39)}}});
        else if (part == 1)
            texts.domains.push_back({text, ""});
        else
            texts.forwards.push_back({static_cast<Form>(part - 2), "x", text});
    }
    const std::vector<topology::Source> sources{{"import.toml", cli::to_toml(cli::import_host(texts))}};
    const auto parsed = topology::parse(sources);
    for (const auto& problem : parsed.problems) {
        if (problem.severity != topology::Severity::error) continue;
        std::fputs(render(problem, sources).c_str(), stderr);
        __builtin_trap();
    }
    return 0;
}
