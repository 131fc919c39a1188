// HTTP/1.1 server (RFC 9112) of the API: the transport alone. What a path means is the handler's business.
// Fed by weftctl, browsers and Prometheus; feeds the handler whole requests and writes back whole responses.
//
// A slow or malformed client harms nobody: every read and write has a deadline, headers and bodies have limits, each
// listener has its own cap of connections, and when it is reached the connection idle for longest makes room.
#pragma once
#include "base/asio.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::controller {

struct HttpRequest {
    std::string method; ///< "GET", "POST", …; a HEAD comes as GET and its answer goes without the body
    std::string path;   ///< percent-decoded, without the query: "/v1/show/port/web1"
    std::map<std::string, std::string> query; ///< decoded; of a repeated key the last value
    std::string body;
    std::string if_none_match = {};  ///< the header of that name
    bool read_only_listener = false; ///< came by an `http:` listener
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> fields = {}; ///< more headers; they win over the server's own
};

/// May take as long as it likes. An exception that leaves it becomes a 500.
using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;

struct HttpLimits {
    std::size_t header_bytes = 16 * 1024;
    std::size_t body_bytes = 16 * 1024 * 1024;
    std::size_t read_only_body_bytes = 64 * 1024; ///< a GET has no use for one
    std::size_t connections = 256;                ///< per listener: remote clients never starve the local socket
    Milliseconds read_timeout{30'000};            ///< for a request, from its first wait to its last byte
    Milliseconds write_timeout{30'000};           ///< between two moments of progress
};

class HttpServer {
  public:
    /// Listens on every endpoint, "unix:PATH" or "http:ADDR:PORT" (numeric, IPv6 in brackets; port 0: any), or on none.
    /// A unix socket gets mode 0660 and the group `weft` where that exists; a stale one is replaced, one that a live
    /// process answers on is an error. An `http:` listener serves GET and HEAD only (405 otherwise); any listener only
    /// these to web pages, which give an Origin (403 otherwise).
    static Result<std::unique_ptr<HttpServer>> listen(asio::io_context& io, const std::vector<std::string>& endpoints,
                                                      const HttpHandler& handler, HttpLimits limits = {});
    /// As close().
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// As given, with real ports.
    std::vector<std::string> endpoints() const;
    /// Open connections, of all listeners.
    std::size_t connections() const;
    /// Ends listeners and connections and removes the unix sockets. A handler that is under way still runs to its end
    /// and its answer is thrown away: what it refers to must outlive the io_context's run. Idempotent.
    void close();

  private:
    struct Listening;
    explicit HttpServer(std::vector<std::shared_ptr<Listening>> listeners);
    std::vector<std::shared_ptr<Listening>> listeners_;
};

/// The words of a JSON error answer: {"error": text}.
HttpResponse http_error(unsigned status, std::string_view text);

} // namespace weft::controller
