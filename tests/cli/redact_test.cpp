#include "cli/redact.hpp"

#include <gtest/gtest.h>

namespace weft::cli {
namespace {

TEST(Redact, HidesPasswordsInUris) {
    EXPECT_EQ(redacted("libvirt = \"qemu+tcp://root:hun:ter2@kvm1:16509/system\""),
              "libvirt = \"qemu+tcp://root:***@kvm1:16509/system\"");
    EXPECT_EQ(redacted("a://u:p@h b://v:q@i"), "a://u:***@h b://v:***@i");
}

TEST(Redact, LeavesOtherUrisAndAddresses) {
    for (const auto* text :
         {"qemu+ssh://root@kvm2/system", "http://127.0.0.1:8080/metrics", "unix:///run/weft/api.sock", "://", "x://",
          "tcp:192.0.2.1:6640", "fd00:1::/64", "52:54:00:00:00:01", "mail a@b://c"})
        EXPECT_EQ(redacted(text), text);
}

TEST(Redact, HidesValuesOfKeysThatNameSecrets) {
    EXPECT_EQ(redacted(R"({"psk": "swordfish", "name": "web1"})"), R"({"psk": "***", "name": "web1"})");
    EXPECT_EQ(redacted("Password = 'a b'\nname = 'x'"), "Password = '***'\nname = 'x'");
    EXPECT_EQ(redacted("?keyfile=/k&api_token=abc&x=1"), "?keyfile=/k&api_token=***&x=1");
    EXPECT_EQ(redacted(R"("text": "password = \"a\"\nx")"), R"("text": "password = \"***\"\nx")");
    EXPECT_EQ(redacted("secret=end"), "secret=***");
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
