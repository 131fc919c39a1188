#include "base/address.hpp"
#include "base/stream.hpp"

#include <charconv>
#include <fmt/format.h>

namespace weft {

Result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return fail(ErrorKind::invalid,
                    fmt::format("'{}' is not tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH: {}", text, why));
    };
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return bad("no transport");
    const auto scheme = text.substr(0, colon);
    auto rest = text.substr(colon + 1);
    if (scheme == "unix") {
        if (rest.empty()) return bad("no path");
        return Endpoint{Transport::unix_socket, std::string(rest), 0};
    }
    if (scheme != "tcp" && scheme != "ssl") return bad("unknown transport");
    const auto last = rest.rfind(':');
    if (last == std::string_view::npos) return bad("no port");
    auto address = rest.substr(0, last);
    const auto digits = rest.substr(last + 1);
    const bool brackets = address.size() > 2 && address.front() == '[' && address.back() == ']';
    if (brackets) address = address.substr(1, address.size() - 2);
    const auto ip = Ip::parse(address);
    if (!ip || ip->is_v6() != brackets) return bad("no numeric address (IPv6 stands in brackets)");
    std::uint16_t port = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (ec != std::errc() || end != digits.data() + digits.size()) return bad("no port");
    return Endpoint{scheme == "tcp" ? Transport::tcp : Transport::ssl, std::string(address), port};
}

std::string Endpoint::to_string() const {
    if (transport == Transport::unix_socket) return "unix:" + address;
    const bool v6 = address.find(':') != std::string::npos;
    return fmt::format("{}:{}{}{}:{}", transport == Transport::tcp ? "tcp" : "ssl", v6 ? "[" : "", address,
                       v6 ? "]" : "", port);
}

} // namespace weft
