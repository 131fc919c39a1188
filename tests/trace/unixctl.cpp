#include "tests/trace/unixctl.hpp"

#include <array>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace weft::openflow {

namespace json = boost::json;

Unixctl::Unixctl(const std::string& path) : socket_(io_) {
    // Its socket is there a moment before it listens.
    boost::system::error_code error;
    for (int i = 0; i < 500; ++i) {
        socket_.connect(asio::local::stream_protocol::endpoint(path), error);
        if (!error) return;
        socket_.close();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw boost::system::system_error(error);
}

std::string Unixctl::call(const std::string& method, const std::vector<std::string>& parameters) {
    json::array values;
    for (const auto& parameter : parameters)
        values.emplace_back(parameter);
    const auto request = json::serialize(json::object{{"id", next_++}, {"method", method}, {"params", values}});
    asio::write(socket_, asio::buffer(request));
    json::stream_parser parser;
    std::array<char, 16384> chunk;
    while (!parser.done()) {
        const auto count = socket_.read_some(asio::buffer(chunk));
        parser.write(chunk.data(), count);
    }
    const auto reply = parser.release().as_object();
    if (!reply.at("error").is_null()) throw std::runtime_error(json::serialize(reply.at("error")));
    return std::string(reply.at("result").as_string());
}

} // namespace weft::openflow
