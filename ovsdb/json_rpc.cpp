#include "ovsdb/json_rpc.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace weft::ovsdb {
namespace {

namespace json = boost::json;

constexpr std::size_t kScratch = 4096;
constexpr std::size_t kArena = 2048; ///< first block of a message's arena; it grows by doubling

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

json::parse_options options() {
    json::parse_options options;
    options.max_depth = Framer::kMaxDepth;
    return options;
}

} // namespace

Framer::Framer(std::size_t max_message)
    : max_message_(max_message), scratch_(std::make_unique<unsigned char[]>(kScratch)),
      parser_(json::storage_ptr(), options(), scratch_.get(), kScratch) {}

Result<std::vector<json::value>> Framer::feed(std::span<const std::byte> bytes) {
    const auto refuse = [this](std::string why) {
        broken_ = true;
        return fail(ErrorKind::protocol, std::move(why));
    };
    if (broken_) return refuse("bytes after a JSON error");
    std::vector<json::value> messages;
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    try {
        while (!text.empty()) {
            if (taken_ == 0) {
                if (is_space(text.front())) {
                    text.remove_prefix(1);
                    continue;
                }
                // Anything else is no message; and the end of a bare number could not be seen.
                if (text.front() != '{') return refuse("a JSON-RPC message does not begin with '{'");
                parser_.reset(json::make_shared_resource<json::monotonic_resource>(kArena));
            }
            boost::system::error_code ec;
            const std::size_t taken = parser_.write_some(text.data(), text.size(), ec);
            if (ec) return refuse("malformed JSON: " + ec.message());
            text.remove_prefix(taken);
            taken_ += taken;
            if (taken_ > max_message_) return refuse(fmt::format("a message exceeds {} bytes", max_message_));
            if (!parser_.done()) continue;
            messages.push_back(parser_.release());
            taken_ = 0;
        }
    } catch (const std::exception& error) { // Boost.JSON throws when memory or its own limits end
        return refuse(std::string("malformed JSON: ") + error.what());
    }
    return messages;
}

Result<Message> decode_message(json::value value) {
    auto* object = value.if_object();
    if (!object) return fail(ErrorKind::protocol, "a JSON-RPC message is not an object");
    const auto take = [object](std::string_view name) {
        auto* member = object->if_contains(name);
        return member ? std::move(*member) : json::value();
    };
    if (const auto* method = object->if_contains("method")) {
        if (!method->is_string()) return fail(ErrorKind::protocol, "the method of a JSON-RPC message is not a string");
        const auto* params = object->if_contains("params");
        if (!params || !params->is_array()) return fail(ErrorKind::protocol, "a JSON-RPC message without parameters");
        std::string name(method->as_string());
        json::value id = take("id");
        if (id.is_null()) return Notification{std::move(name), take("params")};
        return Request{std::move(name), take("params"), std::move(id)};
    }
    if (!object->contains("id") || (!object->contains("result") && !object->contains("error"))) {
        return fail(ErrorKind::protocol, "a JSON-RPC message that is neither request nor reply");
    }
    return Reply{take("id"), take("result"), take("error")};
}

std::string encode_request(std::uint64_t id, std::string_view method, std::string_view params) {
    return fmt::format(R"({{"id":{},"method":"{}","params":{}}})", id, method, params);
}

std::string encode_reply(const json::value& id, const json::value& result) {
    return fmt::format(R"({{"id":{},"error":null,"result":{}}})", json::serialize(id), json::serialize(result));
}

} // namespace weft::ovsdb
