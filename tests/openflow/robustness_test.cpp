// What a broken or hostile switch sends ends in an Error, whatever it is: every captured message cut at every byte and
// with every bit flipped.
#include "openflow/framer.hpp"
#include "openflow/message.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <set>

namespace weft::openflow {
namespace {

struct Captured {
    std::string name;
    Bytes frame;
};

const std::vector<Captured>& captured() {
    static const auto all = [] {
        std::vector<Captured> frames;
        for (const auto& file : std::filesystem::directory_iterator(WEFT_SOURCE_DIR "/tests/fuzz/corpus/openflow")) {
            std::ifstream in(file.path(), std::ios::binary);
            const std::string text{std::istreambuf_iterator<char>(in), {}};
            const auto* data = reinterpret_cast<const std::byte*>(text.data());
            frames.push_back({file.path().filename(), Bytes(data, data + text.size())});
        }
        return frames;
    }();
    return all;
}

void set_length(Bytes& frame) {
    frame[2] = static_cast<std::byte>(frame.size() >> 8);
    frame[3] = static_cast<std::byte>(frame.size());
}

TEST(Robustness, APeerWithTlsIsSaidToBeOne) {
    Framer framer;
    const std::string client_hello("\x16\x03\x01\x02\x00\x01\x00\x01", 8);
    std::ranges::copy(std::as_bytes(std::span(client_hello)), framer.space().begin());
    framer.filled(client_hello.size());
    const auto frame = framer.next();
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().text, "the peer speaks TLS, and this port is without it");
}

TEST(Robustness, CapturedMessagesAreOfEveryKind) {
    std::set<std::size_t> kinds;
    for (const Captured& message : captured()) {
        const auto decoded = decode(message.frame);
        ASSERT_TRUE(decoded) << message.name << ": " << decoded.error().text;
        kinds.insert(decoded->body.index());
        EXPECT_FALSE(std::holds_alternative<OtherMessage>(decoded->body)) << message.name;
    }
    EXPECT_EQ(kinds.size(), std::variant_size_v<decltype(Message::body)> - 1); // all but OtherMessage
}

TEST(Robustness, AMessageCutAtAnyByteIsAnErrorOrAShorterMessage) {
    for (const Captured& message : captured()) {
        for (std::size_t length = 0; length < message.frame.size(); ++length) {
            Bytes cut(message.frame.begin(), message.frame.begin() + static_cast<long>(length));
            EXPECT_FALSE(decode(cut)) << message.name << " with the wrong length";
            if (length < 8) continue;
            set_length(cut);
            const auto decoded = decode(cut);
            if (!decoded) EXPECT_EQ(decoded.error().kind, ErrorKind::protocol);
        }
    }
}

TEST(Robustness, AFlippedBitIsAnErrorOrAnotherMessage) {
    for (const Captured& message : captured()) {
        Bytes frame = message.frame;
        for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
            frame[bit / 8] ^= std::byte{1} << (bit % 8);
            const auto decoded = decode(frame);
            if (!decoded) EXPECT_EQ(decoded.error().kind, ErrorKind::protocol);
            frame[bit / 8] ^= std::byte{1} << (bit % 8);
        }
    }
}

TEST(Robustness, LengthFieldsInsideMayLieAnyWay) {
    for (const Captured& message : captured()) {
        Bytes frame = message.frame;
        for (std::size_t at = 8; at + 1 < frame.size(); ++at) {
            const std::byte first = frame[at], second = frame[at + 1];
            for (const unsigned value : {0U, 1U, 4U, 7U, 8U, 0xfff8U, 0xffffU}) {
                frame[at] = static_cast<std::byte>(value >> 8);
                frame[at + 1] = static_cast<std::byte>(value);
                (void)decode(frame);
            }
            frame[at] = first, frame[at + 1] = second;
        }
    }
}

// T3: in a byte stream a message begins at any address.
TEST(Robustness, AlignmentDoesNotMatter) {
    for (const Captured& message : captured()) {
        const auto expected = decode(message.frame).value().body.index();
        for (std::size_t offset = 1; offset < 8; ++offset) {
            Bytes shifted(offset);
            shifted.insert(shifted.end(), message.frame.begin(), message.frame.end());
            const auto decoded = decode(std::span(shifted).subspan(offset));
            ASSERT_TRUE(decoded) << message.name;
            EXPECT_EQ(decoded->body.index(), expected);
        }
    }
}

TEST(Robustness, OtherVersionsAreRefusedExceptInHelloAndError) {
    for (const Captured& message : captured()) {
        Bytes frame = message.frame;
        for (const int version : {0, 1, 4, 7, 0x86}) {
            frame[0] = static_cast<std::byte>(version);
            const auto type = std::to_integer<int>(frame[1]);
            if (type > 1)
                EXPECT_FALSE(decode(frame)) << message.name;
            else
                (void)decode(frame);
        }
    }
}

} // namespace
} // namespace weft::openflow
