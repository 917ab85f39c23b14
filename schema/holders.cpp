#include "schema/holders.hpp"

#include <algorithm>

namespace lull {

namespace {

constexpr std::size_t most_holders = 2;  // named in a line

}  // namespace

std::string held_by(std::vector<Holder> const& holders, WallTime now) {
    std::vector<std::string> named;
    for (std::size_t i = 0; i < std::min(most_holders, holders.size()); ++i) {
        auto const& holder = holders[i];
        auto const user = holder.user.empty() ? "" : " " + holder.user;
        auto const told = holder.told ? "; told " + clock_text(*holder.told, now) : "; not told yet";
        named.push_back(fmt::format("pid {} (uid {}{}, {}) since {}{}", holder.pid, holder.uid, user, holder.command,
                                    clock_text(holder.since, now), told));
    }
    auto const more = holders.size() > most_holders ? fmt::format(", and {} more", holders.size() - most_holders) : "";
    return fmt::format("held by {}{}", fmt::join(named, ", "), more);
}

}  // namespace lull
