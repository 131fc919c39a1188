#include "lab/announce.hpp"
#include "lab/command.hpp"
#include "lab/commands.hpp"
#include "lab/namespaces.hpp"
#include "lab/ovs.hpp"
#include "lab/setup.hpp"
#include "lab/vms.hpp"

#include <fmt/format.h>

namespace weft::lab {
namespace {

Result<void> move_vm(Lab& opened, const VmPlan& vm, const std::string& to) {
    const HostPlan* destination = opened.plan.host(to);
    if (!destination) return fail(ErrorKind::invalid, fmt::format("lab '{}' has no host '{}'", opened.record.name, to));
    if (auto migrated = migrate(opened.plan, vm, *destination); !migrated) return migrated;
    opened.record.placement[vm.name] = to;
    return store(opened.record);
}

} // namespace

// As a live migration looks from outside: the destination claims the port, then the source lets go, and the guest's
// own interface, addresses and connections are untouched. The far end of its cable is what moves.
Result<void> move(const std::string& lab, const std::string& port, const std::string& to) {
    if (auto root = check_root(); !root) return root;
    auto opened = open_lab(lab);
    if (!opened) return std::unexpected(opened.error());
    const auto lock = LabLock::take(lab);
    if (!lock) return std::unexpected(lock.error());
    const LabPlan& plan = opened->plan;
    if (const VmPlan* vm = plan.vm(port)) return move_vm(*opened, *vm, to);
    const EndpointPlan* endpoint = plan.endpoint(port);
    if (!endpoint || endpoint->kind != EndpointKind::port)
        return fail(ErrorKind::invalid, fmt::format("lab '{}' has no port '{}' to move: weft-lab status", lab, port));
    const HostPlan* destination = plan.host(to);
    if (!destination) return fail(ErrorKind::invalid, fmt::format("lab '{}' has no host '{}'", lab, to));
    if (endpoint->host == to) return fail(ErrorKind::invalid, fmt::format("port '{}' is on {} already", port, to));
    const HostPlan& source = *plan.host(endpoint->host);
    const std::string& device = endpoint->plug().far.name;

    if (auto moved = ip_batch(source.netns, fmt::format("link set {} netns {}\n", device, destination->netns)); !moved)
        return moved;
    if (auto up = ip_batch(destination->netns, switch_port_lines(device)); !up) return up;
    switch_offloads_off(destination->netns);
    // From here on the port is the destination's, also for a later `move` back, whatever fails below.
    opened->record.placement[port] = to;
    if (auto stored = store(opened->record); !stored) return stored;
    if (auto added = run_all({ovs_of(lab, *destination).vsctl(plug_rows(*destination, *endpoint))}); !added)
        return added;
    const auto removed =
        run_all({ovs_of(lab, source).vsctl({"--no-wait", "--", "--if-exists", "del-port", source.bridge, device})});
    announce(*endpoint);
    if (!removed)
        return fail(removed.error().kind, fmt::format("port '{}' is on {} now, but {} still lists its interface: {}",
                                                      port, to, source.name, removed.error().text));
    return {};
}

} // namespace weft::lab
