// libvirt's C API with owners: handles that free themselves, and errors as sentences. For virt/*.cpp and `weftctl
// import`, the only code that sees <libvirt/libvirt.h>.
#pragma once
#include "base/result.hpp"

#include <algorithm>
#include <cstdlib>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <memory>
#include <string>
#include <vector>

namespace weft::virt {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};
using Connection = std::unique_ptr<virConnect, Freed<virConnectClose>>;
using DomainHandle = std::unique_ptr<virDomain, Freed<virDomainFree>>;
using NetworkHandle = std::unique_ptr<virNetwork, Freed<virNetworkFree>>;

/// What libvirt allocated, as a string of ours. Null is empty.
inline std::string taken(char* text) {
    const std::unique_ptr<char, Freed<std::free>> owner(text);
    return text ? std::string(text) : std::string();
}

/// The list of handles that virConnectListAll… and their like allocate; none where `count` is an error (negative).
template <class Owner, class Handle>
std::vector<Owner> owned(Handle** handles, int count) {
    std::vector<Owner> owners;
    owners.reserve(static_cast<std::size_t>(std::max(count, 0)));
    for (int i = 0; i < count; ++i)
        owners.emplace_back(handles[i]);
    std::free(static_cast<void*>(handles));
    return owners;
}

/// libvirt's last error on this thread.
struct Failure {
    int code = VIR_ERR_OK;
    std::string message;
};
Failure last_failure();

/// Why `uri` cannot be connected to, as a sentence with what to do about it. Pure.
Error connect_error(const std::string& uri, const Failure& failure);

/// The last error of a call on a connection that stands: of kind refused, or io when the connection is gone. `what` was
/// attempted ("define network private1").
Error call_error(virConnectPtr connection, const std::string& what);

/// The one event loop of libvirt in this process, in a thread of its own which runs as long as the process: libvirt
/// cannot give it up again. Called before the first connection; safe to call again.
Result<void> start_event_loop();

} // namespace weft::virt
