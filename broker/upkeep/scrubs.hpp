#pragma once

#include <map>
#include <optional>

#include "core/clock.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// How far the objects of a pack have been checked.
struct Scrub {
    WallTime began;
    Bytes reached{};  // all that lies before has been read since
    static void describe(auto& self, auto& visit) {
        visit("b", self.began);
        visit("r", self.reached);
    }
};

// When which pack is to be scrubbed. Kept in the table `scrubs` (number of the pack -> Scrub); without it all begins
// anew.
class Scrubs {
public:
    static constexpr char const* table = "scrubs";

    [[nodiscard]] Status load(View key, View value);
    [[nodiscard]] static store::Change change(std::uint32_t pack, Scrub const& scrub);

    // The pack that is next and from which byte on; nothing if all have been read within `interval`. `ends`: of the
    // last object in each pack. A pass that has begun goes on before another one begins; what was appended since counts
    // as not read.
    struct Next {
        std::uint32_t pack = 0;
        Scrub scrub;
    };
    [[nodiscard]] std::optional<Next> next(std::map<std::uint32_t, Bytes> const& ends, Duration interval,
                                           WallTime now) const;

    void reached(std::uint32_t pack, Scrub const& scrub) { scrubs_.insert_or_assign(pack, scrub); }
    // Forgets packs that are gone; what to commit.
    [[nodiscard]] store::Batch prune(std::map<std::uint32_t, Bytes> const& ends);

private:
    std::map<std::uint32_t, Scrub> scrubs_;
};

}  // namespace lull::broker
