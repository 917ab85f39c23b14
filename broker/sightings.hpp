#pragma once

#include <map>
#include <set>

#include "schema/messages.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// When each peer was heard last, and as which program. Kept in the table `seen`, written now and then: what a crash loses is made good
// by the next message. Also counts complaints, which are not kept.
class Sightings {
public:
    static constexpr char const* table = "seen";

    struct Sighting {
        WallTime when;
        std::string program;  // of nodes
        static void describe(auto& self, auto& visit) {
            visit("t", self.when);
            visit("g", self.program);
        }
    };

    [[nodiscard]] Status load(View key, View value);

    void heard(PeerKey const& peer, WallTime now);
    void runs(PeerKey const& peer, std::string program);
    [[nodiscard]] Sighting const* find(PeerKey const& peer) const;
    // How many complaints there are about it, with this one.
    std::uint64_t complain(PeerKey const& peer) { return ++complaints_[peer]; }

    // What has not been written yet; it counts as written from then on.
    [[nodiscard]] store::Batch take_changes();

private:
    std::map<PeerKey, Sighting> seen_;
    std::set<PeerKey> changed_;
    std::map<PeerKey, std::uint64_t> complaints_;
};

}  // namespace lull::broker
