// Streams over every transport against themselves, and the peers a TLS listener must turn away. Certificates are
// made with the openssl program in a temporary directory.
#include "base/stream.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace weft {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

class Directory {
  public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "weft-stream-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

void shell(const std::string& command) {
    ASSERT_EQ(std::system(("(" + command + ") >/dev/null 2>&1").c_str()), 0) << command;
}

void make_ca(const Directory& directory, const std::string& name) {
    shell(fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN={1}' "
                      "-keyout {0}.key -out {0}.crt",
                      directory / name, name));
}

TlsFiles make_certificate(const Directory& directory, const std::string& name, const std::string& ca, int days = 1) {
    shell(fmt::format("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN={1}' -keyout {0}.key "
                      "-out {0}.csr && openssl x509 -req -in {0}.csr -CA {2}.crt -CAkey {2}.key -CAcreateserial "
                      "-days {3} -out {0}.crt",
                      directory / name, name, directory / ca, days));
    return {directory / (name + ".key"), directory / (name + ".crt"), directory / (ca + ".crt")};
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const auto count = co_await stream.read_some(std::as_writable_bytes(std::span(text)).subspan(done));
        if (!count) co_return text.substr(0, done);
        done += *count;
    }
    co_return text;
}

Task<void> echo_one(Listener& listener, std::size_t size, std::unique_ptr<Stream>& kept) {
    auto peer = co_await listener.accept();
    if (!peer) co_return;
    kept = std::move(*peer);
    const std::string text = co_await read_exactly(*kept, size);
    (void)co_await kept->write(bytes_of(text));
}

Task<void> ask(Endpoint endpoint, std::shared_ptr<asio::ssl::context> context, std::string question,
               Result<std::string>& answer, std::string& name) {
    auto stream = co_await connect(endpoint, context, 5s);
    if (!stream) {
        answer = std::unexpected(stream.error());
        co_return;
    }
    name = (*stream)->peer_common_name();
    if (auto sent = co_await (*stream)->write(bytes_of(question)); !sent) {
        answer = std::unexpected(sent.error());
        co_return;
    }
    answer = co_await read_exactly(**stream, question.size());
}

struct Outcome {
    Result<std::string> answer;
    std::string seen_by_client, seen_by_server, server_peer_address;
};

Outcome exchange(const Endpoint& endpoint, std::shared_ptr<asio::ssl::context> server,
                 std::shared_ptr<asio::ssl::context> client, const std::string& question) {
    asio::io_context io;
    Outcome outcome;
    auto listener = listen(io, endpoint, server);
    if (!listener) {
        outcome.answer = std::unexpected(listener.error());
        return outcome;
    }
    std::unique_ptr<Stream> kept;
    asio::co_spawn(io, echo_one(**listener, question.size(), kept), asio::detached);
    asio::co_spawn(io, ask((*listener)->endpoint(), client, question, outcome.answer, outcome.seen_by_client),
                   asio::detached);
    while (io.run_one_for(5s) > 0) {
        if (kept && (outcome.answer && !outcome.answer->empty())) break;
        if (!outcome.answer) break;
    }
    if (kept) {
        outcome.seen_by_server = kept->peer_common_name();
        outcome.server_peer_address = kept->peer_address();
    }
    (*listener)->close();
    kept.reset();
    io.run_for(1s);
    return outcome;
}

TEST(Endpoint, ReadsAndWritesTheThreeForms) {
    for (const std::string text : {"tcp:192.0.2.1:6640", "ssl:[fd00::1]:6653", "unix:/run/db.sock", "tcp:0.0.0.0:0"}) {
        const auto endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(endpoint->to_string(), text);
    }
    for (const std::string text :
         {"", "tcp", "tcp:", "tcp:host:1", "tcp:192.0.2.1", "tcp:192.0.2.1:", "unix:", "tcp:192.0.2.1:65536",
          "tcp:192.0.2.1:1x", "tcp:fd00::1:5", "tcp:[192.0.2.1]:5", "ptcp:192.0.2.1:1"}) {
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    }
}

TEST(Stream, EchoesOverTcp) {
    const std::string question(1 << 20, 'x');
    for (const std::string where : {"tcp:127.0.0.1:0", "tcp:[::1]:0"}) {
        const auto outcome = exchange(*Endpoint::parse(where), nullptr, nullptr, question);
        ASSERT_TRUE(outcome.answer) << outcome.answer.error().text;
        EXPECT_EQ(*outcome.answer, question);
        EXPECT_EQ(outcome.seen_by_client, "");
        EXPECT_EQ(outcome.server_peer_address, where.contains('[') ? "::1" : "127.0.0.1");
    }
}

TEST(Stream, EchoesOverUnixAndReplacesAStaleSocket) {
    const Directory directory;
    const Endpoint endpoint{Endpoint::Transport::unix_socket, directory / "s", 0};
    for (int round = 0; round < 2; ++round) {
        const auto outcome = exchange(endpoint, nullptr, nullptr, "hello");
        ASSERT_TRUE(outcome.answer) << outcome.answer.error().text;
        EXPECT_EQ(*outcome.answer, "hello");
        EXPECT_FALSE(std::filesystem::exists(directory / "s"));
        // What a killed process leaves behind: a bound socket without a listener.
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s", (directory / "s").c_str());
        ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(fd);
    }
}

TEST(Stream, DoesNotTakeASocketThatIsInUseOrTooLong) {
    const Directory directory;
    asio::io_context io;
    const Endpoint endpoint{Endpoint::Transport::unix_socket, directory / "s", 0};
    const auto first = listen(io, endpoint, nullptr);
    ASSERT_TRUE(first);
    EXPECT_FALSE(listen(io, endpoint, nullptr));
    EXPECT_FALSE(listen(io, {Endpoint::Transport::unix_socket, std::string(200, 'x'), 0}, nullptr));
    EXPECT_FALSE(listen(io, {Endpoint::Transport::ssl, "127.0.0.1", 0}, nullptr));
}

Task<void> keep_connecting(Endpoint endpoint, Result<std::unique_ptr<Stream>>& result, Milliseconds timeout,
                           std::shared_ptr<asio::ssl::context> context) {
    result = co_await connect(endpoint, context, timeout);
}

TEST(Stream, RefusedAndSilentPeersAreErrorsWithTheAddress) {
    asio::io_context io;
    Result<std::unique_ptr<Stream>> result;
    asio::co_spawn(io, keep_connecting(*Endpoint::parse("tcp:127.0.0.1:1"), result, 1s, nullptr), asio::detached);
    io.run();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::io);
    EXPECT_EQ(result.error().text, "tcp:127.0.0.1:1: Connection refused");
}

TEST(Stream, AReadPendingWhenTheStreamIsDestroyedEnds) {
    asio::io_context io;
    auto listener = *listen(io, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr);
    Result<std::unique_ptr<Stream>> client;
    asio::co_spawn(io, keep_connecting(listener->endpoint(), client, 1s, nullptr), asio::detached);
    io.run_for(200ms);
    ASSERT_TRUE(client && *client);
    std::array<std::byte, 16> buffer{};
    bool ended = false;
    asio::co_spawn(io, (*client)->read_some(buffer), [&](std::exception_ptr, Result<std::size_t> count) {
        ended = true;
        EXPECT_FALSE(count);
    });
    io.run_for(50ms);
    EXPECT_FALSE(ended);
    client->reset();
    io.run_for(50ms);
    EXPECT_TRUE(ended);
}

class TlsStream : public testing::Test {
  protected:
    void SetUp() override {
        make_ca(directory_, "ca");
        make_ca(directory_, "other-ca");
        server_ = *tls_context(make_certificate(directory_, "server", "ca"));
        client_ = *tls_context(make_certificate(directory_, "client", "ca"));
    }

    Directory directory_;
    std::shared_ptr<asio::ssl::context> server_, client_;
    Endpoint any_ = *Endpoint::parse("ssl:127.0.0.1:0");
};

TEST_F(TlsStream, EchoesAndTellsBothNames) {
    const std::string question(1 << 20, 'x');
    const auto outcome = exchange(any_, server_, client_, question);
    ASSERT_TRUE(outcome.answer) << outcome.answer.error().text;
    EXPECT_EQ(*outcome.answer, question);
    EXPECT_EQ(outcome.seen_by_client, "server");
    EXPECT_EQ(outcome.seen_by_server, "client");
    EXPECT_EQ(outcome.server_peer_address, "127.0.0.1");
}

TEST_F(TlsStream, FilesThatDoNotLoadAreNamed) {
    const auto missing = tls_context({directory_ / "none", directory_ / "server.crt", directory_ / "ca.crt"});
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().text.contains(directory_ / "none"));
    const std::string certificate = directory_ / "server.crt", key = directory_ / "server.key";
    const auto ca = directory_ / "ca.crt";
    EXPECT_EQ(tls_context({certificate, certificate, ca}).error().text, certificate + " is no private key in PEM");
    EXPECT_EQ(tls_context({key, key, ca}).error().text, key + " is no certificate in PEM");
    EXPECT_FALSE(tls_context({directory_ / "client.key", directory_ / "server.crt", directory_ / "ca.crt"}));
    EXPECT_FALSE(tls_context({directory_ / "server.key", directory_ / "server.crt", directory_ / "none"}));
}

/// Bad peers first, a good one after them: it must be the first that accept() returns, and at once.
TEST_F(TlsStream, BadPeersAreRefusedAndDelayNobody) {
    auto wrong_ca = make_certificate(directory_, "stranger", "other-ca");
    wrong_ca.ca = directory_ / "ca.crt";
    auto expired = make_certificate(directory_, "expired", "ca", -1);
    asio::io_context io;
    std::vector<std::string> refused;
    auto listener = *listen(io, any_, server_, [&](const auto&, const std::string& why) { refused.push_back(why); });
    const Endpoint secure = listener->endpoint();
    Endpoint plain = secure;
    plain.transport = Endpoint::Transport::tcp;

    std::array<Result<std::unique_ptr<Stream>>, 5> results;
    asio::co_spawn(io, keep_connecting(plain, results[0], 1s, nullptr), asio::detached); // says nothing, for ever
    asio::co_spawn(io, keep_connecting(plain, results[1], 1s, nullptr), asio::detached);
    asio::co_spawn(io, keep_connecting(secure, results[2], 1s, *tls_context(wrong_ca)), asio::detached);
    asio::co_spawn(io, keep_connecting(secure, results[3], 1s, *tls_context(expired)), asio::detached);
    io.run_for(300ms);
    ASSERT_TRUE(results[1] && *results[1]);
    const std::string garbage = "GET / HTTP/1.0\r\n\r\n";
    asio::co_spawn(io, (*results[1])->write(bytes_of(garbage)), asio::detached);

    std::unique_ptr<Stream> accepted;
    asio::co_spawn(io, listener->accept(), [&](std::exception_ptr, Result<std::unique_ptr<Stream>> stream) {
        if (stream) accepted = std::move(*stream);
        io.stop();
    });
    io.run_for(500ms);
    EXPECT_FALSE(accepted);
    EXPECT_EQ(std::ranges::count(refused, "the peer speaks no TLS"), 1) << refused.front();
    asio::co_spawn(io, keep_connecting(secure, results[4], 1s, client_), asio::detached);
    io.run_for(2s);
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->peer_common_name(), "client");
    listener->close();
}

TEST_F(TlsStream, AClientTurnsAwayAServerOfAnotherCa) {
    const auto stranger = make_certificate(directory_, "stranger", "other-ca");
    const auto outcome = exchange(any_, *tls_context(stranger), client_, "hello");
    ASSERT_FALSE(outcome.answer);
    EXPECT_EQ(outcome.answer.error().kind, ErrorKind::io);
}

TEST_F(TlsStream, ASilentServerIsATimeout) {
    asio::io_context io;
    auto silent = *listen(io, *Endpoint::parse("tcp:127.0.0.1:0"), nullptr);
    Endpoint endpoint = silent->endpoint();
    endpoint.transport = Endpoint::Transport::ssl;
    Result<std::unique_ptr<Stream>> result;
    asio::co_spawn(io, keep_connecting(endpoint, result, 200ms, client_), asio::detached);
    io.run_for(1s);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::timeout);
}

TEST_F(TlsStream, APeerWithoutTlsIsSaidToBeOne) {
    asio::io_context io;
    const Endpoint plain = *Endpoint::parse("tcp:127.0.0.1:0");
    const auto first_to_speak = [](Listener& listener) -> Task<void> {
        auto stream = co_await listener.accept();
        // HELLO of OpenFlow 1.5
        if (stream)
            co_await (*stream)->write(bytes_of("\x06\x00\x00\x10\x00\x00\x00\x01\x00\x01\x00\x08\x00\x00\x00\x60"s));
        co_await sleep_for(1s);
    };
    auto listener = *listen(io, plain, nullptr);
    Endpoint endpoint = listener->endpoint();
    endpoint.transport = Endpoint::Transport::ssl;
    Result<std::unique_ptr<Stream>> result;
    asio::co_spawn(io, first_to_speak(*listener), asio::detached);
    asio::co_spawn(io, keep_connecting(endpoint, result, 1s, client_), asio::detached);
    io.run_for(500ms);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().text, endpoint.to_string() + ": the peer speaks no TLS");
}

} // namespace
} // namespace weft
