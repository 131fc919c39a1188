#include "virt/libvirt.hpp"

#include "virt/quiet_thread.hpp"

#include <chrono>
#include <fmt/format.h>
#include <mutex>

namespace weft::virt {
namespace {

bool says(const std::string& message, std::string_view words) {
    return message.find(words) != std::string::npos;
}

std::string remedy(const std::string& uri, const Failure& failure) {
    const auto& message = failure.message;
    // Before the code: each transport has one of its own for the same trouble.
    if (says(message, "Permission denied") && uri.find("ssh") == std::string::npos)
        return "run weftd as root, or put its user into the group libvirt on the host";
    switch (failure.code) {
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return "the host does not take weft's credentials: put them into /etc/libvirt/auth.conf here, or allow weft's "
               "user on the host (/etc/libvirt/libvirtd.conf, polkit)";
    case VIR_ERR_GNUTLS_ERROR:
        return "check the certificates: /etc/pki/CA/cacert.pem and /etc/pki/libvirt/clientcert.pem here, "
               "servercert.pem there";
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
        return "check the host's libvirt URI, and that libvirt here has its driver";
    case VIR_ERR_LIBSSH:
        return "check that ssh to the host works without a password, with its key known";
    default:
        break;
    }
    if (says(message, "certificate") || says(message, "TLS") || says(message, "cacert.pem"))
        return "check the certificates: /etc/pki/CA/cacert.pem and /etc/pki/libvirt/clientcert.pem here, "
               "servercert.pem there";
    if (uri.find("+ssh") != std::string::npos || uri.find("+libssh") != std::string::npos)
        return "check that ssh to the host works without a password, with its key known, and that libvirt runs there";
    return "start libvirt on the host (systemctl start libvirtd, or virtqemud.socket and virtnetworkd.socket)";
}

} // namespace

Failure last_failure() {
    const auto* error = virGetLastError();
    if (!error || error->code == VIR_ERR_OK) return {VIR_ERR_INTERNAL_ERROR, "libvirt does not say why"};
    std::string message = error->message ? error->message : "";
    while (!message.empty() && (message.back() == '\n' || message.back() == '.' || message.back() == ' '))
        message.pop_back();
    for (auto& character : message)
        if (character == '\n') character = ' ';
    return {error->code, std::move(message)};
}

Error connect_error(const std::string& uri, const Failure& failure) {
    return {ErrorKind::io, fmt::format("libvirt at {}: {}: {}", uri, failure.message, remedy(uri, failure))};
}

Error call_error(virConnectPtr connection, const std::string& what) {
    const auto failure = last_failure(); // before the next call clears it
    const bool alive = virConnectIsAlive(connection) == 1;
    return {alive ? ErrorKind::refused : ErrorKind::io, fmt::format("cannot {}: {}", what, failure.message)};
}

Result<void> start_event_loop() {
    static std::once_flag once;
    static bool works = false;
    std::call_once(once, [] {
        // Each caller reads its own errors; libvirt would write them to stderr as well.
        virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
        works = virInitialize() == 0 && virEventRegisterDefaultImpl() == 0;
        if (!works) return;
        start_quiet_thread([] {
            for (;;)
                if (virEventRunDefaultImpl() < 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
        });
    });
    if (!works) return fail(ErrorKind::io, "libvirt's event loop cannot be set up in this process");
    return {};
}

} // namespace weft::virt
