#include "virt/libvirt.hpp"

#include <gmock/gmock.h>

namespace weft::virt {
namespace {

using testing::HasSubstr;

std::string told(const std::string& uri, int code, const std::string& message) {
    const auto error = connect_error(uri, {code, message});
    EXPECT_EQ(error.kind, ErrorKind::io);
    EXPECT_THAT(error.text, testing::StartsWith("libvirt at " + uri + ": " + message + ": "));
    return error.text;
}

TEST(ConnectError, SaysWhatToDo) {
    const auto* local = "qemu:///system";
    EXPECT_THAT(told(local, VIR_ERR_SYSTEM_ERROR, "Failed to connect socket: Connection refused"),
                HasSubstr("systemctl start libvirtd"));
    EXPECT_THAT(told(local, VIR_ERR_SYSTEM_ERROR, "Failed to connect socket: Permission denied"),
                HasSubstr("group libvirt"));
    EXPECT_THAT(told(local, VIR_ERR_AUTH_FAILED, "authentication failed"), HasSubstr("credentials"));
    EXPECT_THAT(told(local, VIR_ERR_AUTH_UNAVAILABLE, "no polkit agent available"), HasSubstr("polkit"));
    EXPECT_THAT(told("qemu+tls://h/system", VIR_ERR_GNUTLS_ERROR, "handshake failed"), HasSubstr("clientcert.pem"));
    EXPECT_THAT(
        told("qemu+tls://h/system", VIR_ERR_SYSTEM_ERROR, "Cannot read CA certificate '/etc/pki/CA/cacert.pem'"),
        HasSubstr("clientcert.pem"));
    EXPECT_THAT(told("qemu+ssh://h/system", VIR_ERR_SYSTEM_ERROR, "Cannot recv data: Permission denied (publickey)"),
                HasSubstr("ssh to the host"));
    EXPECT_THAT(told("xen:///", VIR_ERR_NO_CONNECT, "no connection driver available for xen:///"),
                HasSubstr("libvirt URI"));
}

} // namespace
} // namespace weft::virt
