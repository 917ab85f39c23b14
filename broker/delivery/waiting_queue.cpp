#include "broker/delivery/waiting_queue.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::uint64_t arrivals_per_bucket = 256;

}  // namespace

void WaitingQueue::push(SessionId session, Urgency urgency) {
    auto const arrival = arrivals_++;
    Place const place{-static_cast<int>(urgency), arrival / arrivals_per_bucket};
    buckets_[place].push_back({arrival, session});
    where_[session] = place;
}

void WaitingQueue::erase(SessionId session) {
    auto const found = where_.find(session);
    if (found == where_.end()) return;
    auto const bucket = buckets_.find(found->second);
    auto& entries = bucket->second;
    entries.erase(std::ranges::find(entries, session, &Waiting::session));
    if (entries.empty()) buckets_.erase(bucket);
    where_.erase(found);
}

std::optional<std::size_t> WaitingQueue::position(SessionId session) const {
    auto const found = where_.find(session);
    if (found == where_.end()) return std::nullopt;
    std::size_t before = 0;
    auto bucket = buckets_.begin();
    for (; bucket->first != found->second; ++bucket) before += bucket->second.size();
    auto const entry = std::ranges::find(bucket->second, session, &Waiting::session);
    return before + static_cast<std::size_t>(entry - bucket->second.begin()) + 1;
}

std::vector<WaitingQueue::Entry> WaitingQueue::from(std::size_t position, std::size_t most) const {
    std::vector<Entry> found;
    std::size_t next = 1;
    for (auto const& [place, entries] : buckets_) {
        if (next + entries.size() <= position) {
            next += entries.size();
            continue;
        }
        for (auto const& entry : entries) {
            if (found.size() == most) return found;
            if (next >= position) found.push_back({entry.session, next});
            ++next;
        }
    }
    return found;
}

}  // namespace lull::broker
