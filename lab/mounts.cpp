#include "lab/mounts.hpp"

#include <array>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace weft::lab {
namespace {

struct Node {
    const char* path;
    unsigned major;
    unsigned minor;
};
constexpr std::array<Node, 8> kNodes{{{"/dev/null", 1, 3},
                                      {"/dev/zero", 1, 5},
                                      {"/dev/full", 1, 7},
                                      {"/dev/random", 1, 8},
                                      {"/dev/urandom", 1, 9},
                                      {"/dev/tty", 5, 0},
                                      {"/dev/ptmx", 5, 2},
                                      {"/dev/net/tun", 10, 200}}};

// As `ip netns exec` does: the devices in it are the namespace's. With it go the machine's cgroups.
bool make_own_sys() {
    umount2("/sys", MNT_DETACH);
    return mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
}

bool make_plain_dev() {
    if (mount("dev", "/dev", "tmpfs", MS_NOSUID, "mode=755,size=1m") != 0) return false;
    for (const char* directory : {"/dev/net", "/dev/pts", "/dev/shm"})
        if (mkdir(directory, 0755) != 0) return false;
    umask(0);
    for (const auto& node : kNodes)
        if (mknod(node.path, S_IFCHR | 0666, makedev(node.major, node.minor)) != 0) return false;
    umask(022);
    return symlink("/proc/self/fd", "/dev/fd") == 0 &&
           mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") == 0 &&
           mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
}

} // namespace

bool enter(const Mounts& mounts) {
    if (mounts == Mounts{}) return true;
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0) return false;
    for (const auto& [directory, place] : mounts.binds)
        if (mount(directory.c_str(), place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
    return !mounts.devices || (make_own_sys() && make_plain_dev());
}

} // namespace weft::lab
