// One host's libvirtd: a private view of the file system in the host's network namespace. The host's directory has what
// it takes for /run, /var/lib, /var/log, /var/cache and /etc/libvirt, so a new libvirtd finds what the last one left,
// the QEMUs that are still running too; nothing is mounted outside.
#pragma once
#include "lab/command.hpp"
#include "lab/plan.hpp"
#include "lab/record.hpp"

#include <string>
#include <vector>

namespace weft::lab {

struct Libvirtd {
    std::string host;
    std::string netns;
    std::string directory; ///< the host's
    bool operator==(const Libvirtd&) const = default;

    /// Where weft-lab finds what is `path` to libvirtd and its QEMUs.
    std::string outside(const std::string& path) const;
    std::string socket() const { return outside("/run/libvirt/libvirt-sock"); }
    std::string uri() const { return "qemu+unix:///system?socket=" + socket(); }
    std::string log() const { return directory + "/libvirtd.log"; }
    std::string process() const { return host + "/libvirtd"; } ///< in Record::processes

    Command daemon() const;
    Command virsh(std::vector<std::string> words) const;
};

Libvirtd libvirtd_of(const std::string& lab, const HostPlan& host);
std::vector<Libvirtd> every_libvirtd(const LabPlan& plan);

/// All of them, answering.
Result<void> start_libvirtd(const std::vector<Libvirtd>& all, Record& record);

} // namespace weft::lab
