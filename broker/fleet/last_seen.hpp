#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "broker/fleet/node_number.hpp"
#include "schema/messages.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// When each peer was heard last, and as which program. Kept in the table `seen`, written at intervals: the next message
// of a peer replaces what a crash loses. Also counts complaints, which are not kept.
class LastSeen {
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

    // Makes room for so many peers at once: tables that grow while peers are served stop the loop for milliseconds.
    void reserve(std::size_t peers) {
        seen_.reserve(peers);
        changed_.reserve(peers);
    }

    void heard(PeerKey const& peer, WallTime now);
    void runs(PeerKey const& peer, std::string program);
    [[nodiscard]] Sighting const* find(PeerKey const& peer) const;
    // It is not written any more, and what is known of it is forgotten.
    void forget(PeerKey const& peer);
    void keep_unwritten(PeerKey const& peer) { changed_.erase(peer); }
    [[nodiscard]] static store::Change removal(PeerKey const& peer);
    // How many complaints there are about it, with this one.
    std::uint64_t complain(PeerKey const& peer) { return ++complaints_[peer]; }

    // At most `most` of what has not been written yet; it counts as written from then on.
    [[nodiscard]] store::Batch take_changes(std::size_t most);

private:
    std::unordered_map<PeerKey, Sighting, PeerKeyHash> seen_;
    std::unordered_set<PeerKey, PeerKeyHash> changed_;
    std::map<PeerKey, std::uint64_t> complaints_;
};

}  // namespace lull::broker
