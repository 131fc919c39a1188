#include "topology/form.hpp"

#include "base/stream.hpp"
#include "topology/nearest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace weft::topology::form {
namespace {

std::unexpected<std::string> malformed(std::string remedy = {}) {
    return std::unexpected(std::move(remedy));
}

constexpr bool alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

template <class T>
std::optional<T> number(std::string_view digits) {
    T value{};
    const auto* end = std::to_address(digits.end());
    const auto [stop, ec] = std::from_chars(std::to_address(digits.begin()), end, value);
    if (ec != std::errc() || stop != end) return std::nullopt;
    return value;
}

template <class T>
struct Word {
    std::string_view word;
    T value;
};

template <class T, std::size_t N>
Read<T> choose(std::string_view text, const std::array<Word<T>, N>& words) {
    Nearest nearest(text);
    for (const auto& [word, value] : words) {
        if (word == text) return value;
        nearest.offer(word);
    }
    return malformed(nearest.remedy());
}

/// A whole number and one of the suffixes; the factor must not overflow the product.
template <std::size_t N>
std::optional<std::uint64_t> quantity(std::string_view text, const std::array<Word<std::uint64_t>, N>& suffixes) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = number<std::uint64_t>(text.substr(0, digits));
    if (!value || *value == 0) return std::nullopt;
    const auto factor = choose(text.substr(digits), suffixes);
    if (!factor || *value > std::numeric_limits<std::uint64_t>::max() / *factor) return std::nullopt;
    return *value * *factor;
}

constexpr std::array<Word<std::uint64_t>, 5> kBits{
    {{"bit", 1}, {"kbit", 1'000}, {"mbit", 1'000'000}, {"gbit", 1'000'000'000}, {"tbit", 1'000'000'000'000}}};
constexpr std::array<Word<std::uint64_t>, 4> kBytes{
    {{"B", 8}, {"KiB", 8 << 10}, {"MiB", 8 << 20}, {"GiB", 8ULL << 30}}};
constexpr std::array<Word<std::uint64_t>, 4> kSeconds{{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};
constexpr std::uint64_t kLongest = 365 * 86400;
constexpr std::uint64_t kLeastMemory = 64ULL << 20;     // less boots no guest
constexpr std::uint64_t kFastest = 100'000'000'000'000; // 100 Tbit/s: bursts and sums stay far from overflow

bool unicast(const Ip& address) {
    return !address.is_multicast() && address != Ip::v4(0) && address != Ip::v4(0xffff'ffff) && address != Ip::v6({});
}

Read<Prefix> network_prefix(std::string_view text, bool v6, int longest) {
    const auto prefix = Prefix::parse(text);
    if (!prefix || prefix->address.is_v6() != v6) return malformed();
    if (prefix->length < 1 || prefix->length > longest || prefix->address.is_multicast()) return malformed();
    if (prefix->has_host_bits())
        return malformed(fmt::format("did you mean \"{}\"?", Prefix{prefix->network(), prefix->length}.to_string()));
    return *prefix;
}

constexpr std::array<Word<NetworkKind>, 4> kKinds{{{"vxlan", NetworkKind::vxlan},
                                                   {"vlan", NetworkKind::vlan},
                                                   {"flat", NetworkKind::flat},
                                                   {"local", NetworkKind::local}}};

} // namespace

Read<std::string> name(std::string_view text) {
    if (text.empty() || text.size() > 63 || !alphanumeric(text.front())) return malformed();
    const auto legal = [](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
    if (!std::ranges::all_of(text, legal)) return malformed();
    return std::string(text);
}

Read<std::string> interface(std::string_view text) {
    const auto legal = [](char c) { return c > ' ' && c < 0x7f && c != '/'; };
    if (text.empty() || text.size() > 15 || !std::ranges::all_of(text, legal)) return malformed();
    return std::string(text);
}

Read<std::string> ovsdb(std::string_view text) {
    if (auto endpoint = Endpoint::parse(text); !endpoint) return malformed(endpoint.error().text);
    return std::string(text);
}

Read<std::string> libvirt_uri(std::string_view text) {
    const auto colon = text.find("://");
    if (colon == 0 || colon == std::string_view::npos) return malformed();
    const auto legal = [](char c) { return alphanumeric(c) || c == '+' || c == '.' || c == '-'; };
    if (!std::ranges::all_of(text.substr(0, colon), legal)) return malformed();
    return std::string(text);
}

Read<std::string> vm(std::string_view text) {
    const auto legal = [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f && c != '/'; };
    if (text.empty() || text.size() > 255 || !std::ranges::all_of(text, legal)) return malformed();
    return std::string(text);
}

Read<std::string> domain(std::string_view text) {
    if (text.empty() || text.size() > 253) return malformed();
    for (auto rest = text; !rest.empty();) {
        const auto dot = std::min(rest.find('.'), rest.size());
        const auto label = rest.substr(0, dot);
        const auto legal = [](char c) { return alphanumeric(c) || c == '-' || c == '_'; };
        if (label.empty() || label.size() > 63 || label.front() == '-' || !std::ranges::all_of(label, legal))
            return malformed();
        if (dot + 1 == rest.size()) return malformed();
        rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    return std::string(text);
}

Read<Mac> mac(std::string_view text) {
    const auto mac = Mac::parse(text);
    if (!mac || mac->is_multicast() || *mac == Mac{}) return malformed();
    return *mac;
}

Read<Ip> ip(std::string_view text) {
    const auto address = Ip::parse(text);
    if (!address || !unicast(*address)) return malformed();
    return *address;
}

Read<Ip> ipv4(std::string_view text) {
    auto address = ip(text);
    if (address && address->is_v6()) return malformed();
    return address;
}

Read<Ip> ipv6(std::string_view text) {
    auto address = ip(text);
    if (address && !address->is_v6()) return malformed();
    return address;
}

Read<Prefix> prefix(std::string_view text) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) return malformed();
    if (prefix->has_host_bits())
        return malformed(fmt::format("did you mean \"{}\"?", Prefix{prefix->network(), prefix->length}.to_string()));
    return *prefix;
}

Read<Prefix> subnet(std::string_view text) {
    return network_prefix(text, false, 30);
}
Read<Prefix> subnet6(std::string_view text) {
    return network_prefix(text, true, 126);
}

Read<Prefix> interface_address(std::string_view text) {
    const auto prefix = Prefix::parse(text);
    if (!prefix || !unicast(prefix->address) || prefix->length == 0) return malformed();
    return *prefix;
}

Read<AddressRange> range(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = ip(text.substr(0, dash));
    if (!first) return malformed();
    if (dash == std::string_view::npos) return AddressRange{*first, *first};
    const auto last = ip(text.substr(dash + 1));
    if (!last || first->is_v6() != last->is_v6()) return malformed();
    if (*last < *first) return malformed(fmt::format("did you mean \"{}\"?", AddressRange{*last, *first}.to_string()));
    return AddressRange{*first, *last};
}

Read<PortRange> ports(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = number<std::uint16_t>(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number<std::uint16_t>(text.substr(dash + 1));
    if (!first || !last || *first == 0 || *last == 0) return malformed();
    if (*last < *first) return malformed(fmt::format("did you mean \"{}\"?", PortRange{*last, *first}.to_string()));
    return PortRange{*first, *last};
}

Read<Protocol> protocol(std::string_view text) {
    using Class = Protocol::Class;
    constexpr std::array<Word<Protocol>, 5> kWords{{{"any", {Class::any, 0}},
                                                    {"icmp", {Class::icmp, 0}},
                                                    {"tcp", {Class::number, 6}},
                                                    {"udp", {Class::number, 17}},
                                                    {"sctp", {Class::number, 132}}}};
    if (const auto value = number<std::uint8_t>(text)) return Protocol{Class::number, *value};
    return choose(text, kWords);
}

Read<Protocol> forward_protocol(std::string_view text) {
    auto read = protocol(text);
    if (read && !read->has_ports()) return malformed();
    return read;
}

Read<std::chrono::seconds> duration(std::string_view text) {
    const auto seconds = quantity(text, kSeconds);
    if (!seconds || *seconds > kLongest) return malformed();
    return std::chrono::seconds(*seconds);
}

Read<std::uint64_t> rate(std::string_view text) {
    const auto bits = quantity(text, kBits);
    if (!bits || *bits > kFastest) return malformed();
    return *bits;
}

Read<std::uint64_t> burst(std::string_view text) {
    if (const auto bits = rate(text)) return *bits;
    const auto bits = quantity(text, kBytes);
    if (!bits || *bits > kFastest) return malformed();
    return *bits;
}

Read<std::uint64_t> memory(std::string_view text) {
    const auto bits = quantity(text, kBytes);
    if (!bits || *bits / 8 < kLeastMemory) return malformed();
    return *bits / 8;
}

Read<Direction> direction(std::string_view text) {
    constexpr std::array<Word<Direction>, 2> kWords{{{"ingress", Direction::ingress}, {"egress", Direction::egress}}};
    return choose(text, kWords);
}

Read<Family> family(std::string_view text) {
    constexpr std::array<Word<Family>, 2> kWords{{{"ipv4", Family::ipv4}, {"ipv6", Family::ipv6}}};
    return choose(text, kWords);
}

Read<NetworkKind> network_kind(std::string_view text) {
    return choose(text, kKinds);
}

Read<Datapath> datapath(std::string_view text) {
    constexpr std::array<Word<Datapath>, 2> kWords{{{"system", Datapath::system}, {"netdev", Datapath::netdev}}};
    return choose(text, kWords);
}

Read<bool> acl_action(std::string_view text) {
    constexpr std::array<Word<bool>, 2> kWords{{{"allow", true}, {"deny", false}}};
    return choose(text, kWords);
}

} // namespace weft::topology::form

namespace weft::topology {

bool has_password(std::string_view libvirt_uri) {
    const auto begin = std::min(libvirt_uri.find("://"), libvirt_uri.size());
    auto authority = libvirt_uri.substr(begin);
    authority.remove_prefix(std::min<std::size_t>(3, authority.size()));
    authority = authority.substr(0, authority.find_first_of("/?#"));
    const auto host = authority.rfind('@');
    return host != std::string_view::npos && authority.find(':') < host;
}

std::string_view name_of(NetworkKind kind) {
    return std::ranges::find(form::kKinds, kind, &form::Word<NetworkKind>::value)->word;
}

} // namespace weft::topology
