#include "controller/state.hpp"

#include <algorithm>

namespace weft::controller {

std::string_view name_of(RevisionState state) {
    switch (state) {
    case RevisionState::in_force:
        return "in_force";
    case RevisionState::superseded:
        return "superseded";
    case RevisionState::awaiting_confirm:
        return "awaiting_confirm";
    case RevisionState::rolled_back:
        return "rolled_back";
    }
    return "";
}

const Revision* State::find(RevisionNumber number) const {
    const auto found = std::ranges::find(revisions, number, &Revision::number);
    return found == revisions.end() ? nullptr : &*found;
}

Revision& State::add_revision(std::string source, std::vector<topology::Source> sources, Timestamp time,
                              std::optional<Timestamp> confirm_by) {
    // A trial that goes on with another revision still ends where it began.
    const auto back_to = awaiting ? awaiting->back_to : current;
    awaiting.reset();
    for (auto& revision : revisions) {
        if (revision.number == current && revision.state != RevisionState::rolled_back) {
            revision.state = RevisionState::superseded;
        }
    }
    current = ++last_number;
    revisions.push_back({current, time, std::move(source), RevisionState::in_force, std::move(sources)});
    if (confirm_by) {
        awaiting = Awaiting{*confirm_by, back_to};
        revisions.back().state = RevisionState::awaiting_confirm;
    }
    while (revisions.size() > kMaxRevisions)
        revisions.erase(std::ranges::find_if(
            revisions, [this](const Revision& revision) { return !awaiting || revision.number != awaiting->back_to; }));
    return revisions.back();
}

void State::confirm() {
    awaiting.reset();
    for (auto& revision : revisions)
        if (revision.number == current) revision.state = RevisionState::in_force;
}

Revision& State::roll_back(RevisionNumber to, Timestamp time) {
    const auto last_kept = awaiting ? awaiting->back_to : current - 1;
    for (auto& revision : revisions)
        if (revision.number > last_kept) revision.state = RevisionState::rolled_back;
    const auto* restored = find(to);
    auto& added = add_revision(restored->source, restored->sources, time);
    added.restores = to;
    return added;
}

const Revision* State::previous() const {
    if (awaiting) return find(awaiting->back_to);
    auto place = current; // in the order of what was applied
    for (const auto* at = find(place); at != nullptr && at->restores != 0; at = find(place))
        place = at->restores;
    const auto before = std::ranges::find_if(revisions.rbegin(), revisions.rend(), [&](const Revision& revision) {
        return revision.number < place && revision.state != RevisionState::rolled_back;
    });
    return before == revisions.rend() ? nullptr : &*before;
}

namespace {
std::string blob_name(RevisionNumber number) {
    return "revision-" + std::to_string(number);
}
std::string allocated_name(RevisionNumber number) {
    return "allocated-" + std::to_string(number);
}
} // namespace

Result<StateStore::Loaded> StateStore::load() {
    auto blob = store_.load("state");
    if (!blob) return std::unexpected(blob.error());
    if (!*blob) return Loaded{};
    auto state = decode((*blob)->bytes);
    if (!state) return std::unexpected(state.error());

    Loaded loaded{std::move(*state), {}};
    if (!(*blob)->notice.empty()) loaded.notices.push_back((*blob)->notice);
    std::erase_if(loaded.state.revisions, [&](Revision& revision) {
        named_.insert(revision.number);
        auto text = store_.load(blob_name(revision.number));
        auto sources = !text   ? Result<std::vector<topology::Source>>(std::unexpected(text.error()))
                       : *text ? decode_sources((*text)->bytes)
                               : fail(ErrorKind::invalid, "its text is missing");
        if (!sources) {
            loaded.notices.push_back("revision " + std::to_string(revision.number) +
                                     " is lost: " + sources.error().text);
            return true;
        }
        written_.insert(revision.number);
        revision.sources = std::move(*sources);
        return false;
    });
    if (loaded.state.current != 0 && loaded.state.find(loaded.state.current) == nullptr) {
        return fail(ErrorKind::invalid, loaded.notices.back() +
                                            "; it is the one in force: restore the state directory from a backup, or "
                                            "empty it and apply the topology again");
    }
    return loaded;
}

Result<> StateStore::save_texts(const State& state, std::set<RevisionNumber>& fresh) {
    for (const auto& revision : state.revisions) {
        if (written_.contains(revision.number)) continue;
        fresh.insert(revision.number);
        if (auto saved = store_.save(blob_name(revision.number), encode_sources(revision.sources)); !saved)
            return saved;
    }
    for (const auto& [number, recollection] : unwritten_)
        if (auto saved = store_.save(allocated_name(number), encode(recollection)); !saved) return saved;
    return {};
}

Result<> StateStore::save(const State& state) {
    // Texts first: a "state" that is in the store never names a text that is not. A text counts as written once a
    // "state" names it: the number of a revision that was refused is given to the next, with another text.
    std::set<RevisionNumber> fresh;
    if (auto saved = save_texts(state, fresh); !saved) return saved;
    if (auto saved = store_.save("state", encode(state)); !saved) return saved;
    written_.merge(fresh);
    unwritten_.clear();
    // What neither this "state" nor the version before it names can go. A text that will not go harms nobody.
    std::set<RevisionNumber> named;
    for (const auto& revision : state.revisions)
        named.insert(revision.number);
    for (const auto number : std::vector(written_.begin(), written_.end())) {
        if (named.contains(number) || named_.contains(number)) continue;
        if (store_.remove(allocated_name(number)) && store_.remove(blob_name(number))) written_.erase(number);
    }
    named_ = std::move(named);
    return {};
}

void StateStore::remember(RevisionNumber number, Recollection recollection) {
    unwritten_.insert_or_assign(number, std::move(recollection));
}

Result<std::optional<Recollection>> StateStore::recall(RevisionNumber number) {
    if (const auto known = unwritten_.find(number); known != unwritten_.end()) return known->second;
    auto blob = store_.load(allocated_name(number));
    if (!blob) return std::unexpected(blob.error());
    if (!*blob) return std::nullopt;
    auto recollection = decode_recollection((*blob)->bytes);
    if (!recollection) return std::unexpected(recollection.error());
    return std::move(*recollection);
}

} // namespace weft::controller
