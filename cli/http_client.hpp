// One HTTP/1.1 exchange over a unix socket or TCP, from the caller's view synchronous, with a deadline.
#pragma once
#include "base/asio.hpp"
#include "base/result.hpp"

#include <string>

namespace weft::cli {

struct HttpReply {
    unsigned status = 0;
    std::string body;
};

struct HttpCall {
    std::string address; ///< "unix:PATH" or "http:ADDR:PORT", numeric
    std::string method = "GET";
    std::string target; ///< "/v1/flows?host=kvm1", already encoded
    std::string body;
    Milliseconds timeout{60'000}; ///< for the whole exchange
};

/// Why an exchange failed, for the caller to put into words.
enum class Unreachable { bad_address, absent, forbidden, timeout, broken };

struct HttpFailure {
    Unreachable why = Unreachable::broken;
    std::string text; ///< the system's words
};

std::expected<HttpReply, HttpFailure> exchange(const HttpCall& call);

/// Percent-encodes all but RFC 3986's unreserved characters.
std::string url_encoded(std::string_view text);

} // namespace weft::cli
