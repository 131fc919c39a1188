// A program's own view of the file system: a mount namespace that goes with the last process in it.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace weft::lab {

struct Mounts {
    std::vector<std::pair<std::string, std::string>> binds; ///< directory → where it is seen, in this order
    /// The network namespace's own /sys, and a /dev without kvm: where KVM does not work libvirt tries it for 48 s each
    /// time.
    bool devices = false;
    bool operator==(const Mounts&) const = default;
};

/// For a child between fork and exec: system calls only. False, and errno, when one failed.
bool enter(const Mounts& mounts);

} // namespace weft::lab
