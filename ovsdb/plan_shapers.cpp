#include "ovsdb/plan_shapers.hpp"

#include <fmt/format.h>

namespace weft::ovsdb {
namespace {

class ShaperPlanner {
  public:
    ShaperPlanner(const Replica& replica, const DesiredRows& desired, Operations& operations)
        : replica_(replica), desired_(desired), operations_(operations),
          bridge_(replica.named<Bridge>(desired.bridge.name)) {
        for (const auto& [_, qos] : replica.rows<Qos>())
            if (!mark_of(qos.external_ids))
                for (const auto& [number, queue] : qos.queues)
                    queues_kept_.insert(queue); // weft's or not: somebody else's row refers to it
    }

    void plan() {
        for (const auto& [_, port] : replica_.rows<Port>())
            plan_port(port);
        for (const Qos* qos : replica_.marked<Qos>())
            if (!kept_.contains(qos->uuid)) operations_.remove_row("QoS", qos->uuid);
        for (const Queue* queue : replica_.marked<Queue>())
            if (!queues_kept_.contains(queue->uuid)) operations_.remove_row("Queue", queue->uuid);
    }

  private:
    const DesiredShaper* wanted(const Port& port) const {
        if (desired_.shapers.empty() || !bridge_ || !bridge_->ports.contains(port.uuid)) return nullptr;
        for (const Uuid& uuid : port.interfaces) {
            const auto* interface = replica_.find<Interface>(uuid);
            const auto found = interface ? desired_.shapers.find(interface->name) : desired_.shapers.end();
            if (found != desired_.shapers.end()) return &found->second;
        }
        return nullptr;
    }

    void plan_port(const Port& port) {
        const auto* want = wanted(port);
        const auto* have = port.qos ? replica_.find<Qos>(*port.qos) : nullptr;
        const bool ours = have && mark_of(have->external_ids);
        if (!want) {
            if (ours) operations_.clear_qos(port);
            return;
        }
        if (port.qos && !ours) return;
        // A row that leads to two ports, by somebody's hand: one of them gets its own.
        if (!ours || !kept_.insert(have->uuid).second) return operations_.add_shaper(port, *want, desired_.owner_mark);
        restore(port, *have, *want);
    }

    void restore(const Port& port, const Qos& have, const DesiredShaper& want) {
        Columns columns;
        if (have.type != kShaperType) columns.string("type", kShaperType);
        if (have.other_config != want.other_config) columns.string_map("other_config", want.other_config);
        operations_.update("QoS", have.uuid, "of " + port.name, columns);
        for (const auto& [number, other_config] : want.queues) {
            const auto found = have.queues.find(number);
            const auto* queue = found == have.queues.end() ? nullptr : replica_.find<Queue>(found->second);
            if (queue && mark_of(queue->external_ids) && queues_kept_.insert(queue->uuid).second) {
                Columns changed;
                if (queue->other_config != other_config) changed.string_map("other_config", other_config);
                operations_.update("Queue", queue->uuid, fmt::format("{} of {}", number, port.name), changed);
                continue;
            }
            if (found != have.queues.end()) operations_.drop_queue(have, number, port.name);
            operations_.add_queue(have, number, other_config, desired_.owner_mark, port.name);
        }
        for (const auto& [number, _] : have.queues)
            if (!want.queues.contains(number)) operations_.drop_queue(have, number, port.name);
    }

    const Replica& replica_;
    const DesiredRows& desired_;
    Operations& operations_;
    const Bridge* bridge_;
    std::set<Uuid> kept_;        ///< QoS rows of weft's that stay
    std::set<Uuid> queues_kept_; ///< Queue rows that stay
};

} // namespace

void plan_shapers(const Replica& replica, const DesiredRows& desired, Operations& operations) {
    if (!desired.keeps_shapers) ShaperPlanner(replica, desired, operations).plan();
}

Shaper shaper_of(const Replica& replica, std::string_view interface) {
    const auto* row = replica.named<Interface>(interface);
    if (!row) return Shaper::none;
    for (const auto& [_, port] : replica.rows<Port>()) {
        if (!port.interfaces.contains(row->uuid) || !port.qos) continue;
        const auto* qos = replica.find<Qos>(*port.qos);
        return qos && mark_of(qos->external_ids) ? Shaper::weft : Shaper::foreign;
    }
    return Shaper::none;
}

} // namespace weft::ovsdb
