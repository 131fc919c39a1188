#include "base/address.hpp"

#include <arpa/inet.h>
#include <cassert>
#include <charconv>
#include <fmt/format.h>

namespace weft {

std::optional<Mac> Mac::parse(std::string_view text) {
    if (text.size() != 17) return std::nullopt;
    Mac mac;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* first = text.data() + i * 3;
        if (i > 0 && first[-1] != ':') return std::nullopt;
        auto [end, ec] = std::from_chars(first, first + 2, mac.bytes[i], 16);
        if (ec != std::errc{} || end != first + 2) return std::nullopt;
    }
    return mac;
}

Mac Mac::from_u64(std::uint64_t low48) {
    Mac mac;
    for (std::size_t i = 0; i < 6; ++i)
        mac.bytes[i] = static_cast<std::uint8_t>(low48 >> (40 - 8 * i));
    return mac;
}

std::uint64_t Mac::to_u64() const {
    std::uint64_t value = 0;
    for (const auto byte : bytes)
        value = value << 8 | byte;
    return value;
}

std::string Mac::to_string() const {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                       bytes[5]);
}

Ip Ip::v4(std::uint32_t host_order) {
    Ip ip;
    for (std::size_t i = 0; i < 4; ++i)
        ip.bytes_[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return ip;
}

Ip Ip::v6(const std::array<std::uint8_t, 16>& bytes) {
    Ip ip;
    ip.v6_ = true;
    ip.bytes_ = bytes;
    return ip;
}

std::optional<Ip> Ip::parse(std::string_view text) {
    const std::string terminated(text);
    if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    if (text.find(':') != std::string_view::npos) {
        if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
        return v6(bytes);
    }
    in_addr address{};
    if (inet_pton(AF_INET, terminated.c_str(), &address) != 1) return std::nullopt;
    return v4(ntohl(address.s_addr));
}

std::uint32_t Ip::v4() const {
    assert(!v6_);
    std::uint32_t value = 0;
    for (std::size_t i = 12; i < 16; ++i)
        value = value << 8 | bytes_[i];
    return value;
}

bool Ip::is_multicast() const {
    return v6_ ? bytes_[0] == 0xff : (bytes_[12] & 0xf0) == 0xe0;
}

bool Ip::is_link_local() const {
    return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80 : bytes_[12] == 169 && bytes_[13] == 254;
}

std::string Ip::to_string() const {
    char text[INET6_ADDRSTRLEN];
    const auto* source = bytes_.data() + (v6_ ? 0 : 12);
    return inet_ntop(v6_ ? AF_INET6 : AF_INET, source, text, sizeof text);
}

Ip Ip::plus(std::uint64_t offset) const {
    Ip result = *this;
    std::uint64_t carry = offset;
    for (int i = 15; i >= (v6_ ? 0 : 12) && carry != 0; --i) {
        const std::uint64_t sum = result.bytes_[static_cast<std::size_t>(i)] + (carry & 0xff);
        result.bytes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(sum);
        carry = (carry >> 8) + (sum >> 8);
    }
    return result;
}

Ip Ip::eui64(const Ip& network, const Mac& mac) {
    assert(network.is_v6());
    Ip ip = network;
    const auto& m = mac.bytes;
    const std::array<std::uint8_t, 8> id{static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    std::copy(id.begin(), id.end(), ip.bytes_.begin() + 8);
    return ip;
}

Ip Ip::link_local(const Mac& mac) {
    return eui64(v6({0xfe, 0x80}), mac);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto ip = Ip::parse(text.substr(0, slash));
    if (!ip) return std::nullopt;
    if (slash == std::string_view::npos) return host(*ip);
    int length = 0;
    const char* first = text.data() + slash + 1;
    const char* last = text.data() + text.size();
    auto [end, ec] = std::from_chars(first, last, length);
    if (ec != std::errc{} || end != last || *first == '-' || length > ip->bits()) return std::nullopt;
    return Prefix{*ip, length};
}

Ip Prefix::netmask() const {
    std::array<std::uint8_t, 16> mask{};
    const int start = address.is_v6() ? 0 : 96;
    for (int bit = start; bit < start + length; ++bit)
        mask[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> (bit % 8));
    if (address.is_v6()) return Ip::v6(mask);
    return Ip::v4(static_cast<std::uint32_t>(mask[12] << 24 | mask[13] << 16 | mask[14] << 8 | mask[15]));
}

namespace {
/// The network address with every host bit clear, or set.
Ip with_host_bits(const Prefix& prefix, bool set) {
    auto bytes = prefix.address.bytes();
    const auto mask = prefix.netmask().bytes();
    for (std::size_t i = prefix.address.is_v6() ? 0 : 12; i < 16; ++i)
        bytes[i] = static_cast<std::uint8_t>((bytes[i] & mask[i]) | (set ? ~mask[i] : 0));
    if (prefix.address.is_v6()) return Ip::v6(bytes);
    return Ip::v4(static_cast<std::uint32_t>(bytes[12]) << 24 | static_cast<std::uint32_t>(bytes[13]) << 16 |
                  static_cast<std::uint32_t>(bytes[14]) << 8 | bytes[15]);
}
} // namespace

Ip Prefix::network() const {
    return with_host_bits(*this, false);
}
Ip Prefix::last() const {
    return with_host_bits(*this, true);
}

bool Prefix::contains(const Ip& ip) const {
    return ip.is_v6() == address.is_v6() && Prefix{ip, length}.network() == network();
}

bool Prefix::overlaps(const Prefix& other) const {
    return length <= other.length ? contains(other.address) : other.contains(address);
}

std::string Prefix::to_string() const {
    return fmt::format("{}/{}", address.to_string(), length);
}

} // namespace weft
