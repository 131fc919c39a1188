// JSON-RPC 1.0 as OVSDB speaks it (RFC 7047, section 4): messages are JSON objects one after another, without
// separator, split anywhere by the transport. No I/O here: the session feeds bytes and gets messages.
#pragma once
#include "base/result.hpp"

#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::ovsdb {

/// Cuts a byte stream into JSON objects. Each has its own arena, freed with it.
class Framer {
  public:
    static constexpr std::size_t kMaxMessage = std::size_t{256} << 20; ///< bytes
    static constexpr std::size_t kMaxDepth = 64;

    explicit Framer(std::size_t max_message = kMaxMessage);

    /// The objects that these bytes complete. An error (kind protocol) is final: what follows cannot be framed.
    Result<std::vector<boost::json::value>> feed(std::span<const std::byte> bytes);

  private:
    std::size_t max_message_;
    std::unique_ptr<unsigned char[]> scratch_; ///< the parser's stack for small messages
    boost::json::stream_parser parser_;
    std::size_t taken_ = 0; ///< bytes of the message in work; 0 between messages
    bool broken_ = false;
};

struct Request {
    std::string method;
    boost::json::value params;
    boost::json::value id;
};

struct Notification {
    std::string method;
    boost::json::value params;
};

/// `error` is null on success.
struct Reply {
    boost::json::value id;
    boost::json::value result;
    boost::json::value error;
};

using Message = std::variant<Request, Notification, Reply>;

/// RFC 7047 section 4: what an object is. Error kind protocol.
Result<Message> decode_message(boost::json::value value);

/// `params` is the JSON text of an array.
std::string encode_request(std::uint64_t id, std::string_view method, std::string_view params);
std::string encode_reply(const boost::json::value& id, const boost::json::value& result);

} // namespace weft::ovsdb
