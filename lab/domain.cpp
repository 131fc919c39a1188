#include "lab/domain.hpp"

#include <fmt/format.h>
#include <set>

namespace weft::lab {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '\'')
            out += "&apos;";
        else
            out += c;
    }
    return out;
}

// What makes the emulated kernel boot in two thirds of the time.
constexpr std::string_view kQuick = "quiet loglevel=1 mitigations=off nokaslr no_timer_check tsc=reliable "
                                    "cryptomgr.notests rcupdate.rcu_expedited=1";

} // namespace

std::string console_path(const std::string& vm) {
    return "/var/log/libvirt/" + vm + ".console";
}
std::string agent_path(const std::string& vm) {
    return "/run/agents/" + vm;
}

// The agent's channel is not called org.qemu.guest_agent.0: libvirtd would keep that one's socket for itself, and
// weft-lab wants it also while libvirtd is down. i440FX boots as fast as any and hot-plugs by ACPI alone.
std::string domain_xml(const VmPlan& vm, const GuestFiles& guest) {
    const std::string portgroup = vm.portgroup.empty() ? "" : fmt::format(" portgroup='{}'", vm.portgroup);
    return fmt::format(R"(<domain type='qemu'>
  <name>{}</name>
  <memory unit='b'>{}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{}</kernel>
    <initrd>{}</initrd>
    <cmdline>console=ttyS0 {} weft.name={}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='{}' append='on'/><target port='0'/></serial>
    <channel type='unix'><source mode='bind' path='{}'/><target type='virtio' name='weft.agent'/></channel>
    <interface type='network'>
      <mac address='{}'/>
      <source network='{}'{}/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
  </devices>
</domain>
)",
                       vm.name, vm.memory, escaped(guest.kernel), escaped(guest.initrd), kQuick, vm.name,
                       console_path(vm.name), agent_path(vm.name), vm.mac.to_string(), vm.network, portgroup);
}

std::string network_xml(const LabPlan& plan, const std::string& network, const std::string& bridge) {
    std::set<std::string> portgroups;
    for (const auto& vm : plan.vms)
        if (vm.network == network && !vm.portgroup.empty()) portgroups.insert(vm.portgroup);
    std::string groups;
    for (const auto& portgroup : portgroups)
        groups += fmt::format("  <portgroup name='{}'/>\n", portgroup);
    return fmt::format("<network>\n  <name>{}</name>\n  <forward mode='bridge'/>\n  <bridge name='{}'/>\n"
                       "  <virtualport type='openvswitch'/>\n{}</network>\n",
                       network, bridge, groups);
}

} // namespace weft::lab
