#include "broker/patches/patches.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::size_t digest_size = 32;
constexpr std::size_t most_orders = 256;
constexpr Duration after_failure = std::chrono::hours(1);
constexpr Bytes made_a_second = MiB(1);  // of a new release's contents, at least, on a machine that has other work
constexpr Duration longest_guess = std::chrono::minutes(10);

Buffer key_of(PatchId const& id) {
    Buffer key(2 * digest_size);
    std::ranges::copy(id.from.view(), key.begin());
    std::ranges::copy(id.to.view(), key.begin() + digest_size);
    return key;
}

}  // namespace

// ---- what is stored ----

Status Patches::load(View key, View value) {
    if (key.size() != 2 * digest_size)
        return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    auto const from = Digest::from_bytes(key.first(digest_size));
    auto const to = Digest::from_bytes(key.last(digest_size));
    if (!from || !to) return fail(Fault::damaged, "table '{}' has a key that is none", table);
    auto made = decode<MadePatch>(value, limits::patch);
    if (!made) return fail(Fault::damaged, "table '{}': {}", table, made.error().message);
    add({*from, *to}, std::move(*made));
    return {};
}

store::Change Patches::change(PatchId const& id, MadePatch const& made) { return {table, key_of(id), encode(made)}; }

store::Change Patches::removal(PatchId const& id) { return {table, key_of(id), std::nullopt}; }

void Patches::add(PatchId const& id, MadePatch made) {
    made_.insert_or_assign(id, std::move(made));
    to_[id.to].insert(id.from);
}

void Patches::remove(PatchId const& id) {
    if (made_.erase(id) == 0) return;
    auto const found = to_.find(id.to);
    found->second.erase(id.from);
    if (found->second.empty()) to_.erase(found);
}

std::vector<PatchId> Patches::from(Digest const& manifest) const {
    std::vector<PatchId> found;
    for (auto made = made_.lower_bound({manifest, Digest()}); made != made_.end() && made->first.from == manifest;
         ++made)
        found.push_back(made->first);
    return found;
}

std::vector<PatchId> Patches::to(Digest const& manifest) const {
    std::vector<PatchId> found;
    auto const known = to_.find(manifest);
    if (known == to_.end()) return found;
    for (auto const& from : known->second) found.push_back({from, manifest});
    return found;
}

MadePatch const* Patches::find(PatchId const& id) const {
    auto const found = made_.find(id);
    return found == made_.end() ? nullptr : &found->second;
}

std::vector<PatchId> Patches::superfluous(std::function<bool(PatchId const&)> const& needed, Bytes space) const {
    std::vector<PatchId> superfluous;
    std::vector<std::pair<WallTime, PatchId>> kept;
    Bytes total{};
    for (auto const& [id, made] : made_) {
        if (!needed(id)) {
            superfluous.push_back(id);
            continue;
        }
        kept.emplace_back(made.made, id);
        total += made.stored;
    }
    std::sort(kept.begin(), kept.end());
    for (auto const& [when, id] : kept) {
        if (total <= space) break;
        superfluous.push_back(id);
        total -= made_.at(id).stored;
    }
    return superfluous;
}

// ---- what is to be made ----

std::optional<Duration> PatchQueue::order(PatchId const& id, Effort from, Bytes size, TimePoint now) {
    std::erase_if(failed_, [&](auto const& failure) { return now - failure.second >= after_failure; });
    if (failed_.contains(id)) return std::nullopt;
    auto order = std::ranges::find(orders_, id, &Order::id);
    if (order == orders_.end()) {
        if (orders_.size() == most_orders) return std::nullopt;
        order = orders_.insert(orders_.end(), Order{id, size, from, false});
    }
    Bytes before{};
    for (auto earlier = orders_.begin(); earlier <= order; ++earlier) before += earlier->size;
    auto const guess = std::chrono::seconds(10 + before.count() / made_a_second.count());
    return std::min<Duration>(guess, longest_guess);
}

bool PatchQueue::has(PatchId const& id) const { return std::ranges::find(orders_, id, &Order::id) != orders_.end(); }

std::optional<PatchId> PatchQueue::start(Effort effort) {
    auto const takes_it = [effort](Order const& order) { return order.next == effort; };
    auto const next = std::ranges::find_if(orders_, takes_it);
    bool const busy = std::ranges::any_of(orders_, [&](Order const& order) { return takes_it(order) && order.making; });
    if (next == orders_.end() || busy) return std::nullopt;
    next->making = true;
    return next->id;
}

bool PatchQueue::making() const { return std::ranges::any_of(orders_, &Order::making); }

void PatchQueue::end(PatchId const& id, Effort effort, bool failed, TimePoint now) {
    auto const order = std::ranges::find(orders_, id, &Order::id);
    LULL_INVARIANT(order != orders_.end() && order->making && order->next == effort);
    if (failed) failed_[id] = now;
    if (failed || effort == Effort::thorough) {
        orders_.erase(order);
    } else {
        order->next = Effort::thorough;
        order->making = false;
    }
}

void PatchQueue::forget(std::function<bool(PatchId const&)> const& needed) {
    std::erase_if(orders_, [&](Order const& order) { return !order.making && !needed(order.id); });
}

}  // namespace lull::broker
