#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/ids.hpp"

namespace lull {

// A share of nodes, in hundredths of a percent: 10000 are all of them.
inline constexpr std::uint64_t all_nodes = 10'000;

// In which steps a release becomes live in the fleet, as its publisher says.
struct Rollout {
    std::vector<std::uint64_t> stages;  // shares of all nodes, each larger than the one before; the last is all_nodes
    std::uint64_t pause = 0;            // seconds that a stage lasts at least
    std::optional<std::uint64_t>
        halt_on{};  // more failed nodes than this share of those whose turn it is: nobody else's turn comes
    static void describe(auto& self, auto& visit) {
        visit("s", self.stages);
        visit("p", self.pause);
        visit("h", self.halt_on);
    }
    bool operator==(Rollout const&) const = default;
};

// The bounds of limits.hpp, and shares that rise to all nodes. Fault::refused.
[[nodiscard]] Status validate(Rollout const& rollout);

// Where a node stands in the row of all nodes when this version becomes live: the same for ever, and another one for
// each version, so that not the same nodes come first each time. The first eight bytes, highest first, of the SHA-256
// of "SOFTWARE VERSION NODE".
[[nodiscard]] std::uint64_t place_in_rollout(SoftwareName const& software, VersionName const& version,
                                             NodeName const& node);

// "1%", "0.5 %", "100%": a share in hundredths of a percent, above 0. Fault::usage.
[[nodiscard]] Result<std::uint64_t> parse_share(std::string_view text);
// "1%,10%,100%"; the last stage may be left out where it is 100%. Fault::usage.
[[nodiscard]] Result<std::vector<std::uint64_t>> parse_stages(std::string_view text);
// "failed>2%". Fault::usage.
[[nodiscard]] Result<std::uint64_t> parse_halt(std::string_view text);
// "1 %", "0.5 %".
[[nodiscard]] std::string share_text(std::uint64_t share);

}  // namespace lull
