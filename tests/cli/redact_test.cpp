#include "cli/redact.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace weft::cli {
namespace {

TEST(Redact, HidesPasswordsInUris) {
    EXPECT_EQ(redacted("libvirt = \"qemu+tcp://root:hun:ter2@kvm1:16509/system\""),
              "libvirt = \"qemu+tcp://root:***@kvm1:16509/system\"");
    EXPECT_EQ(redacted("a://u:p@h b://v:q@i"), "a://u:***@h b://v:***@i");
    EXPECT_EQ(redacted("qemu+tcp://root:it'sme@kvm1"), "qemu+tcp://root:***@kvm1");
    EXPECT_EQ(redacted("https://TOKEN@host/x and http://u:p@h"), "https://***@host/x and http://***@h");
}

TEST(Redact, LeavesOtherUrisAndAddresses) {
    for (const auto* text :
         {"qemu+ssh://root@kvm2/system", "http://127.0.0.1:8080/metrics", "unix:///run/weft/api.sock", "://", "x://",
          "tcp:192.0.2.1:6640", "fd00:1::/64", "52:54:00:00:00:01", "mail a@b://c", "https://host/a:b@c",
          "https://host?to=a:b@c", "qemu+tls://kvm1 by root:admin@kvm2"})
        EXPECT_EQ(redacted(text), text);
}

TEST(Redact, HidesValuesOfKeysThatNameSecrets) {
    EXPECT_EQ(redacted(R"({"psk": "swordfish", "name": "web1"})"), R"({"psk": "***", "name": "web1"})");
    EXPECT_EQ(redacted("Password = 'a b'\nname = 'x'"), "Password = '***'\nname = 'x'");
    EXPECT_EQ(redacted("?keyfile=/k&api_token=abc&x=1"), "?keyfile=/k&api_token=***&x=1");
    EXPECT_EQ(redacted(R"("text": "password = \"a\"\nx")"), R"("text": "password = \"***\"\nx")");
    EXPECT_EQ(redacted("secret=end"), "secret=***");
    EXPECT_EQ(redacted("token=nullified x"), "token=*** x");
    for (const auto* key : {"passphrase", "secret_key", "api_key", "API-Key", "pwd", "token", "X-Auth-Token"})
        EXPECT_EQ(redacted(std::string(key) + ": a1"), std::string(key) + ": ***");
}

TEST(Redact, HidesAValueToItsEndWhateverIsEscapedInIt) {
    EXPECT_EQ(redacted(R"("ipsec_psk": "swo\\rdfish1", "x": 1)"), R"("ipsec_psk": "***", "x": 1)");
    EXPECT_EQ(redacted(R"("quoted_password": "ab\"cdefg", "x": 1)"), R"("quoted_password": "***", "x": 1)");
    EXPECT_EQ(redacted(R"(password = "ends in\\" # x)"), R"(password = "***" # x)");
    EXPECT_EQ(redacted(R"("{\"psk\": \"a\\\"b\\\\\", \"x\": 1}")"), R"("{\"psk\": \"***\", \"x\": 1}")");
    EXPECT_EQ(redacted("password = \"not closed\nx"), "password = \"***\nx");
}

TEST(Redact, HidesTextsOfSeveralLinesInToml) {
    EXPECT_EQ(redacted("password = \"\"\"\na\\\"\"\"b\n\"\"\"\nx = 1"), "password = \"\"\"***\"\"\"\nx = 1");
    EXPECT_EQ(redacted("password = '''a\n'b\\'''\nx = 1"), "password = '''***'''\nx = 1");
    EXPECT_EQ(redacted("password = \"\"\nname = \"x\""), "password = \"\"\nname = \"x\"");
}

TEST(Redact, HidesInJsonBeforeItIsWritten) {
    const auto redact = [](const char* text) {
        return boost::json::serialize(redacted_json(boost::json::parse(text)));
    };
    EXPECT_EQ(redact(R"({"ipsec_psk":"swo\\rdfish1","name":"web1"})"), R"({"ipsec_psk":"***","name":"web1"})");
    EXPECT_EQ(redact(R"([{"options":{"quoted_password":"ab\"cdefg"}}])"), R"([{"options":{"quoted_password":"***"}}])");
    EXPECT_EQ(redact(R"({"pin_token":[1234,"a"],"psk":"","secret":null})"),
              R"({"pin_token":["***","***"],"psk":"","secret":null})");
    EXPECT_EQ(redact(R"({"token":{"name":"x","pwd":true}})"), R"({"token":{"name":"x","pwd":true}})");
    EXPECT_EQ(redact(R"({"text":"password = \"a\\\"b\"\nuri = \"a://u:p@h\""})"),
              R"({"text":"password = \"***\"\nuri = \"a://u:***@h\""})");
}

TEST(Redact, LeavesKeysWithoutSuchAValue) {
    for (const auto* text : {R"({"token": {"name": "x"}})", R"({"secret": null})", "secret", "secret=", "the token is",
                             "passwords: 3 of them are", R"({"psk": ""})"})
        EXPECT_EQ(redacted(text), text);
}

TEST(Redact, HidesPrivateKeysAndNotCertificates) {
    const std::string certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    EXPECT_EQ(redacted(certificate + "-----BEGIN RSA PRIVATE KEY-----\nMIIC\n-----END RSA PRIVATE KEY-----\nrest"),
              certificate + "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nrest");
    EXPECT_EQ(redacted("-----BEGIN PRIVATE KEY-----\nMIIC"), "-----BEGIN PRIVATE KEY-----***") << "cut off";
    EXPECT_EQ(redacted("-----BEGIN x"), "-----BEGIN x");
}

} // namespace
} // namespace weft::cli
