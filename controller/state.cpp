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

Revision& State::add_revision(std::string source, std::vector<topology::Source> sources, Timestamp time) {
    for (auto& revision : revisions) {
        if (revision.number == current && revision.state != RevisionState::rolled_back) {
            revision.state = RevisionState::superseded;
        }
    }
    current = ++last_number;
    revisions.push_back({current, time, std::move(source), RevisionState::in_force, std::move(sources)});
    if (revisions.size() > kMaxRevisions) {
        revisions.erase(revisions.begin(), revisions.end() - static_cast<std::ptrdiff_t>(kMaxRevisions));
    }
    return revisions.back();
}

namespace {
std::string blob_name(RevisionNumber number) {
    return "revision-" + std::to_string(number);
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

Result<> StateStore::save(const State& state) {
    // Texts first: a "state" that is in the store never names a text that is not.
    std::set<RevisionNumber> named;
    for (const auto& revision : state.revisions) {
        named.insert(revision.number);
        if (written_.contains(revision.number)) continue;
        if (auto saved = store_.save(blob_name(revision.number), encode_sources(revision.sources)); !saved)
            return saved;
        written_.insert(revision.number);
    }
    if (auto saved = store_.save("state", encode(state)); !saved) return saved;
    // What neither this "state" nor the version before it names can go. A text that will not go harms nobody.
    for (const auto number : std::vector(written_.begin(), written_.end())) {
        if (named.contains(number) || named_.contains(number)) continue;
        if (store_.remove(blob_name(number))) written_.erase(number);
    }
    named_ = std::move(named);
    return {};
}

} // namespace weft::controller
