// MAC, IPv4, IPv6 addresses and prefixes as values. Bytes are in network order; comparison is numeric order.
// Text forms: MAC as aa:bb:cc:dd:ee:ff, IPv6 as RFC 5952.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft {

struct Mac {
    std::array<std::uint8_t, 6> bytes{};
    auto operator<=>(const Mac&) const = default;

    /// Six colon-separated octets; nothing else.
    static std::optional<Mac> parse(std::string_view text);
    static Mac from_u64(std::uint64_t low48);
    std::uint64_t to_u64() const;
    std::string to_string() const;
    bool is_multicast() const { return (bytes[0] & 1) != 0; }
};

/// An IPv4 or IPv6 address. IPv4 orders before IPv6.
class Ip {
  public:
    Ip() = default;
    static Ip v4(std::uint32_t host_order);
    static Ip v6(const std::array<std::uint8_t, 16>& bytes);
    /// Dotted quad or RFC 4291 text; no zone, no prefix length.
    static std::optional<Ip> parse(std::string_view text);

    bool is_v4() const { return !v6_; }
    bool is_v6() const { return v6_; }
    /// Host order; only for IPv4.
    std::uint32_t v4() const;
    /// 16 bytes for IPv6; for IPv4 the address is in the last four.
    const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    int bits() const { return v6_ ? 128 : 32; }
    bool is_multicast() const;
    bool is_link_local() const; ///< fe80::/10 or 169.254/16
    std::string to_string() const;

    /// The address `offset` further on; wraps silently at the family's end.
    Ip plus(std::uint64_t offset) const;
    /// RFC 4291 appendix A: the modified EUI-64 address of `mac` in the /64 of `network`.
    static Ip eui64(const Ip& network, const Mac& mac);
    static Ip link_local(const Mac& mac);

    auto operator<=>(const Ip&) const = default;

  private:
    bool v6_ = false;
    std::array<std::uint8_t, 16> bytes_{};
};

/// An address and a length. Host bits may be set; `network()` clears them.
struct Prefix {
    Ip address;
    int length = 0; ///< 0..32 or 0..128

    /// "10.0.0.0/8"; a bare address is a /32 or /128.
    static std::optional<Prefix> parse(std::string_view text);
    static Prefix host(const Ip& ip) { return {ip, ip.bits()}; }
    Ip network() const;
    Ip netmask() const;
    Ip last() const; ///< the highest address: IPv4's directed broadcast
    bool contains(const Ip& ip) const;
    bool overlaps(const Prefix& other) const;
    bool has_host_bits() const { return network() != address; }
    std::string to_string() const;
    auto operator<=>(const Prefix&) const = default;
};

} // namespace weft
