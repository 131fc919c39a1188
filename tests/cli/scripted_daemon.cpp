#include "tests/cli/scripted_daemon.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::test {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

namespace {
std::filesystem::path temporary_directory() {
    std::string name = std::filesystem::temp_directory_path() / "weft-test-XXXXXX";
    return ::mkdtemp(name.data());
}
} // namespace

ScriptedDaemon::ScriptedDaemon() : path_(temporary_directory() / "api.sock") {
    asio::io_context io;
    Local::acceptor acceptor(io, Local::endpoint(path_.string()));
    listener_ = acceptor.release();
    thread_ = std::thread([this] { serve(); });
}

ScriptedDaemon::~ScriptedDaemon() {
    ::shutdown(listener_, SHUT_RDWR); // wakes the accept
    thread_.join();
    ::close(listener_);
    for (const int fd : silent_)
        ::close(fd);
    std::error_code ignored;
    std::filesystem::remove_all(directory(), ignored);
}

void ScriptedDaemon::answer(const std::string& target, std::string body, unsigned status) {
    const std::lock_guard lock(mutex_);
    answers_[target].push_back({status, std::move(body)});
}

std::vector<Asked> ScriptedDaemon::asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
}

std::string ScriptedDaemon::file(const std::string& name, const std::string& text) const {
    const auto path = directory() / name;
    std::ofstream(path) << text;
    return path.string();
}

Ran ScriptedDaemon::weftctl(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    int left = pauses;
    cli::Environment environment{out, err, variables, terminal, [&](auto delay) {
                                     std::this_thread::sleep_for(
                                         std::min<std::chrono::milliseconds>(delay, std::chrono::milliseconds(5)));
                                     return left-- > 0;
                                 }};
    if (!variables.contains("WEFT_API")) arguments.insert(arguments.begin(), {"--api", address()});
    const int code = cli::run(arguments, environment);
    return {code, out.str(), err.str()};
}

void ScriptedDaemon::serve() {
    while (true) {
        const int fd = ::accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        asio::io_context io;
        Local::socket socket(io, Local(), fd);
        boost::beast::flat_buffer buffer;
        http::request<http::string_body> request;
        boost::system::error_code ec;
        http::read(socket, buffer, request, ec);
        if (ec) continue;
        bool silent = false;
        http::response<http::string_body> response(http::status::not_found, 11);
        response.body() = R"({"error":"not scripted"})";
        {
            const std::lock_guard lock(mutex_);
            const std::string target(request.target());
            asked_.push_back({std::string(request.method_string()), target, request.body()});
            if (auto& script = answers_[target]; !script.empty()) {
                silent = script.front().status == 0;
                response.result(silent ? 500U : script.front().status);
                response.body() = script.front().body;
                if (script.size() > 1) script.pop_front();
            }
        }
        if (silent) {
            silent_.push_back(socket.release());
            continue;
        }
        response.prepare_payload();
        http::write(socket, response, ec);
    }
}

} // namespace weft::test
