#include "subscriber/executor/tree_cache.hpp"

#include <algorithm>

namespace lull::subscriber {

void TreeCache::found(ReleaseId const& release, Bytes size) { trees_[release] = {size, State::left, 0, 0}; }

std::optional<TreeCache::State> TreeCache::state(ReleaseId const& release) const {
    auto const tree = trees_.find(release);
    return tree == trees_.end() ? std::nullopt : std::optional(tree->second.state);
}

Bytes TreeCache::used_but_for(ReleaseId const& release) const {
    Bytes sum{};
    for (auto const& [other, tree] : trees_) {
        if (other != release) sum += tree.size;
    }
    return sum;
}

Bytes TreeCache::used() const {
    Bytes sum{};
    for (auto const& [release, tree] : trees_) sum += tree.size;
    return sum;
}

std::optional<ReleaseId> TreeCache::base_for(ReleaseId const& release) const {
    std::optional<ReleaseId> base;
    for (auto const& [other, tree] : trees_) {
        bool const usable = other.software == release.software && other != release && tree.state == State::ready;
        if (usable && (!base || base->seq < other.seq)) base = other;
    }
    return base;
}

bool TreeCache::has_room(ReleaseId const& release, Bytes size) const {
    return size <= bound_ && used_but_for(release) <= bound_ - size;
}

Result<std::vector<ReleaseId>> TreeCache::make_room(ReleaseId const& release, Bytes size) {
    std::vector<std::map<ReleaseId, Tree>::iterator> idle;
    for (auto tree = trees_.begin(); tree != trees_.end(); ++tree) {
        bool const stays = tree->first == release || tree->second.users > 0 || tree->second.state == State::building ||
                           tree->second.state == State::removing;
        if (!stays) idle.push_back(tree);
    }
    std::ranges::stable_sort(idle, {}, [](auto const& tree) { return tree->second.last_use; });
    Bytes left = used_but_for(release);
    // What is being removed already will be gone.
    for (auto const& [other, tree] : trees_) {
        if (tree.state == State::removing && other != release) left -= tree.size;
    }
    std::vector<ReleaseId> gone;
    for (auto const tree : idle) {
        if (size <= bound_ && left <= bound_ - size) break;
        left -= tree->second.size;
        gone.push_back(tree->first);
    }
    if (size > bound_ || left > bound_ - size) {
        return fail(Fault::no_space, "{} {} takes {}, and of the {} for trees of calls other calls use {}",
                    release.software.text(), release.version.text(), to_text(size), to_text(bound_), to_text(left));
    }
    for (auto const& other : gone) trees_.at(other).state = State::removing;
    return gone;
}

void TreeCache::begins(ReleaseId const& release, Bytes size) { trees_[release] = {size, State::building, 0, ++uses_}; }

void TreeCache::becomes_ready(ReleaseId const& release) { trees_.at(release).state = State::ready; }

void TreeCache::begin_use(ReleaseId const& release) {
    auto& tree = trees_.at(release);
    LULL_INVARIANT(tree.state == State::ready);
    ++tree.users;
    tree.last_use = ++uses_;
}

void TreeCache::end_use(ReleaseId const& release) {
    auto& tree = trees_.at(release);
    LULL_INVARIANT(tree.users > 0);
    --tree.users;
    tree.last_use = ++uses_;
}

}  // namespace lull::subscriber
