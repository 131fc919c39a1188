#include "controller/http_server.hpp"

#include "tests/controller/temporary_directory.hpp"

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>

namespace weft::controller {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDirectory;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A client that sends bytes as they are and reads until the server closes.
class RawClient {
  public:
    explicit RawClient(const std::string& endpoint) {
        if (endpoint.starts_with("unix:")) {
            socket_.connect(asio::local::stream_protocol::endpoint(endpoint.substr(5)));
        } else {
            const auto port = static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));
            socket_.connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
        }
    }
    void send(std::string_view bytes) {
        error_code ignored; // the server may have hung up on purpose
        while (!bytes.empty() && !ignored)
            bytes.remove_prefix(socket_.send(asio::buffer(bytes), 0, ignored));
    }
    std::string read_to_end() {
        std::string all;
        std::array<char, 4096> buffer;
        for (error_code ec; !ec;)
            all.append(buffer.data(), socket_.read_some(asio::buffer(buffer), ec));
        return all;
    }
    /// Until `end` was seen, or the connection's end.
    std::string read_until(std::string_view end) {
        std::string all;
        char c = 0;
        for (error_code ec; !ec && !all.ends_with(end);) {
            if (socket_.read_some(asio::buffer(&c, 1), ec) == 1) all += c;
        }
        return all;
    }

  private:
    asio::io_context io_;
    asio::generic::stream_protocol::socket socket_{io_};
};

Task<HttpResponse> echo(HttpRequest request) {
    if (request.path == "/throw") throw std::runtime_error("handler broke");
    if (request.path == "/slow") co_await sleep_for(100ms);
    std::string text = request.method + " " + request.path + (request.read_only_listener ? " ro" : " rw");
    for (const auto& [key, value] : request.query)
        text += " [" + key + "=" + value + "]";
    if (request.path == "/big") text.assign(4'000'000, 'x');
    co_return HttpResponse{200, "text/plain",
                           text + " " +
                               (request.body.size() > 100 ? std::to_string(request.body.size()) : request.body)};
}

/// A server that runs in a thread of its own, on a unix socket and on TCP.
class HttpServerTest : public testing::Test {
  protected:
    void start(HttpLimits limits = {}, HttpHandler handler = echo) {
        const auto path = "unix:" + (directory_.path() / "api.sock").string();
        auto server = HttpServer::listen(io_, {path, "http:127.0.0.1:0"}, std::move(handler), limits);
        ASSERT_TRUE(server) << server.error().text;
        server_ = std::move(*server);
        local_ = server_->endpoints()[0];
        remote_ = server_->endpoints()[1];
        thread_ = std::thread([this] { io_.run(); });
    }
    void TearDown() override {
        if (!thread_.joinable()) return;
        asio::post(io_, [this] { server_.reset(); });
        asio::post(io_, [this] { io_.stop(); });
        thread_.join();
        EXPECT_FALSE(std::filesystem::exists(directory_.path() / "api.sock"));
    }
    std::string ask(const std::string& endpoint, std::string_view request) {
        RawClient client(endpoint);
        client.send(request);
        return client.read_to_end();
    }

    TemporaryDirectory directory_;
    asio::io_context io_;
    std::unique_ptr<HttpServer> server_;
    std::string local_;
    std::string remote_;
    std::thread thread_;
};

TEST_F(HttpServerTest, HandsOverDecodedRequests) {
    start();
    const auto answer =
        ask(local_, "GET /v1/show/port/web%201?host=kvm+1&host=kvm2&drops&x=%26 HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nGET /v1/show/port/web 1 rw [drops=] [host=kvm2] [x=&] "));
    EXPECT_THAT(ask(local_, "POST /v1/plan HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody"),
                HasSubstr("POST /v1/plan rw body"));
}

TEST_F(HttpServerTest, KeepsConnectionsAlive) {
    start();
    RawClient client(local_);
    client.send("GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\n"); // pipelined
    EXPECT_THAT(client.read_until("/one rw "), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(client.read_until("/two rw "), StartsWith("HTTP/1.1 200"));
    client.send("GET /three HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.read_to_end(), HasSubstr("/three"));
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
    start();
    const auto answer = ask(local_, "HEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, ServesReadsOnlyOverTcp) {
    start();
    EXPECT_THAT(ask(remote_, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("GET /x ro"));
    for (const auto* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"}) {
        const auto answer = ask(remote_, std::string(method) + " /v1/apply HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
        EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
        EXPECT_THAT(answer, Not(HasSubstr("/v1/apply")));
    }
}

TEST_F(HttpServerTest, LetsWebPagesReadOnly) {
    start();
    const std::string page =
        " /x HTTP/1.1\r\nOrigin: http://elsewhere.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    EXPECT_THAT(ask(local_, "GET" + page), StartsWith("HTTP/1.1 200 "));
    const auto answer = ask(local_, "POST" + page);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answer, HasSubstr("a web page may only read"));
}

TEST_F(HttpServerTest, SendsTheHandlersHeadersAndA304WithoutABody) {
    start({}, [](HttpRequest request) -> Task<HttpResponse> {
        HttpResponse response{.content_type = "text/css", .body = "a{}"};
        response.fields = {{"Cache-Control", "no-cache"}, {"ETag", "\"1\""}};
        if (request.if_none_match == "\"1\"") {
            response.status = 304;
            response.body.clear();
        }
        co_return response;
    });
    const auto whole = ask(remote_, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(whole, HasSubstr("Cache-Control: no-cache\r\n"));
    EXPECT_THAT(whole, Not(HasSubstr("no-store")));
    EXPECT_TRUE(whole.ends_with("\r\n\r\na{}"));
    const auto head = ask(remote_, "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
    EXPECT_THAT(head, HasSubstr("ETag: \"1\"\r\n"));
    EXPECT_TRUE(head.ends_with("\r\n\r\n"));
    RawClient client(remote_);
    client.send("GET / HTTP/1.1\r\nIf-None-Match: \"1\"\r\n\r\nGET /x HTTP/1.1\r\nConnection: close\r\n\r\n");
    const auto both = client.read_to_end();
    EXPECT_THAT(both, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
    EXPECT_THAT(both, HasSubstr("\r\n\r\nHTTP/1.1 200 OK\r\n")); // the connection went on behind the empty answer
}

TEST_F(HttpServerTest, RefusesWhatIsMalformedOrTooLarge) {
    start({.header_bytes = 1000, .body_bytes = 1000});
    EXPECT_THAT(ask(local_, "rubbish\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask(local_, "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask(local_, "GET x HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask(local_, "GET / HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(ask(local_, "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x')),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(ask(local_, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + std::string(2048, 'x') +
                                "\r\n0\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(ask(local_, "GET /still HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("/still"));
}

TEST_F(HttpServerTest, TellsAWaitingClientToGoOn) {
    start();
    RawClient client(local_);
    client.send("POST /x HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 "));
    client.send("body");
    EXPECT_THAT(client.read_to_end(), HasSubstr("POST /x rw body"));
}

TEST_F(HttpServerTest, TakesLargeBodiesAndGivesLargeAnswers) {
    start();
    EXPECT_THAT(ask(local_, "POST /x HTTP/1.1\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\n" +
                                std::string(5'000'000, 'x')),
                HasSubstr("POST /x rw 5000000"));
    EXPECT_GT(ask(local_, "GET /big HTTP/1.1\r\nConnection: close\r\n\r\n").size(), 4'000'000U);
}

TEST_F(HttpServerTest, TurnsAnExceptionIntoA500) {
    start();
    const auto answer = ask(local_, "GET /throw HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, HasSubstr("{\"error\":\"handler broke\"}"));
}

TEST_F(HttpServerTest, HangsUpOnTheSilent) {
    start({.read_timeout = 50ms});
    RawClient client(local_);
    client.send("GET / HT");
    EXPECT_EQ(client.read_to_end(), "");
    // A handler may take longer than that.
    EXPECT_THAT(ask(local_, "GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("GET /slow"));
}

TEST_F(HttpServerTest, MakesRoomByEndingTheLongestSilent) {
    start({.connections = 2});
    RawClient oldest(local_);
    oldest.send("GET /"); // the handshake of accept is known done only when something was answered
    RawClient second(local_);
    second.send("GET /second HTTP/1.1\r\n\r\n");
    EXPECT_THAT(second.read_until("/second rw "), HasSubstr("200"));
    RawClient third(local_);
    third.send("GET /third HTTP/1.1\r\n\r\n");
    EXPECT_THAT(third.read_until("/third rw "), HasSubstr("200"));
    EXPECT_EQ(oldest.read_to_end(), "");
    second.send("GET /again HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(second.read_to_end(), HasSubstr("/again"));
}

TEST_F(HttpServerTest, SaysBusyWhenEveryConnectionHasARequestUnderWay) {
    static std::atomic<bool> under_way; // a coroutine's lambda must not capture
    under_way = false;
    start({.connections = 1}, [](HttpRequest) -> Task<HttpResponse> {
        under_way = true;
        co_await sleep_for(1s);
        co_return HttpResponse{.body = "late"};
    });
    RawClient first(local_);
    first.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 2000 && !under_way; ++i)
        std::this_thread::sleep_for(2ms);
    ASSERT_TRUE(under_way);
    EXPECT_THAT(RawClient(local_).read_until("\r\n"), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(first.read_to_end(), HasSubstr("late"));
}

TEST_F(HttpServerTest, MakesTheSocketForTheGroup) {
    start();
    struct stat status{};
    ASSERT_EQ(::stat(local_.substr(5).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

TEST_F(HttpServerTest, ReplacesAStaleSocketAndNothingElse) {
    const auto path = (directory_.path() / "api.sock").string();
    {
        asio::io_context io;
        const asio::local::stream_protocol::acceptor dead(io, asio::local::stream_protocol::endpoint(path));
    }
    ASSERT_TRUE(std::filesystem::exists(path));
    start();
    EXPECT_THAT(ask(local_, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("200"));

    const auto taken = HttpServer::listen(io_, {local_}, echo);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().text, HasSubstr("another process answers there"));

    directory_.write("file", "precious");
    const auto file = HttpServer::listen(io_, {"unix:" + (directory_.path() / "file").string()}, echo);
    ASSERT_FALSE(file);
    EXPECT_THAT(file.error().text, HasSubstr("not a socket"));
    EXPECT_EQ(directory_.read("file"), "precious");
}

TEST_F(HttpServerTest, ExplainsAddressesItCannotListenOn) {
    for (const auto* endpoint : {"unix:", "unix:/nowhere/api.sock", "http:localhost:80", "http:127.0.0.1",
                                 "tcp:127.0.0.1:80", "http:192.0.2.1:8080"}) {
        const auto server = HttpServer::listen(io_, {endpoint}, echo);
        ASSERT_FALSE(server) << endpoint;
        EXPECT_THAT(server.error().text, StartsWith(std::string("cannot listen on ") + endpoint + ": "));
    }
}

} // namespace
} // namespace weft::controller
