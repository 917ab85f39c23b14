#include "broker/upkeep/scrubs.hpp"

#include "schema/codec.hpp"

namespace lull::broker {

namespace {

constexpr Bytes most_bytes{100};  // of a row

}  // namespace

Status Scrubs::load(View key, View value) {
    auto const pack = store::number_of(key);
    if (!pack || *pack > UINT32_MAX)
        return fail(Fault::damaged, "table '{}' has a key that is no number of a pack", table);
    auto const scrub = decode<Scrub>(value, most_bytes);
    if (!scrub) return fail(Fault::damaged, "table '{}': {}", table, scrub.error().message);
    scrubs_.emplace(static_cast<std::uint32_t>(*pack), *scrub);
    return {};
}

store::Change Scrubs::change(std::uint32_t pack, Scrub const& scrub) {
    return {table, store::key_of(pack), encode(scrub)};
}

std::optional<Scrubs::Next> Scrubs::next(std::map<std::uint32_t, Bytes> const& ends, Duration interval,
                                         WallTime now) const {
    std::optional<Next> oldest;
    for (auto const& [pack, end] : ends) {
        auto const known = scrubs_.find(pack);
        if (known == scrubs_.end()) return Next{pack, {now, {}}};
        if (known->second.reached < end) return Next{pack, known->second};
        auto const age = std::chrono::microseconds(now.micros - known->second.began.micros);
        bool const due = age >= interval || age.count() < 0;  // a clock that was set back must not put it off for years
        if (due && (!oldest || known->second.began < oldest->scrub.began)) oldest = Next{pack, known->second};
    }
    if (oldest) oldest->scrub = {now, {}};
    return oldest;
}

store::Batch Scrubs::prune(std::map<std::uint32_t, Bytes> const& ends) {
    store::Batch batch;
    std::erase_if(scrubs_, [&](auto const& scrub) {
        if (ends.contains(scrub.first)) return false;
        batch.push_back({table, store::key_of(scrub.first), std::nullopt});
        return true;
    });
    return batch;
}

}  // namespace lull::broker
