#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schema/envelope.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// Somebody whose key is enrolled here.
struct Peer {
    std::string name;
    Role role = Role::node;
    std::optional<Ed25519Public> signing;  // publishers and operators: whose signature counts
    WallTime enrolled;
    static void describe(auto& self, auto& visit) {
        visit("n", self.name);
        visit("r", self.role);
        visit("s", self.signing);
        visit("t", self.enrolled);
    }
};

// The register of keys: who may connect, in which role. Kept in the table `peers`.
class Peers {
public:
    static constexpr char const* table = "peers";

    // Takes a record as it stands in the table. Fault::damaged if it is none.
    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] Peer const* find(PeerKey const& key) const;
    [[nodiscard]] std::optional<PeerKey> key_of(NodeName const& node) const;

    // Checks that neither key nor node name is taken. Fault::refused with what to do. Repeating an enrolment is no error.
    [[nodiscard]] Status check_new(PeerKey const& key, Peer const& peer) const;
    void add(PeerKey const& key, Peer peer);
    [[nodiscard]] static store::Change change(PeerKey const& key, Peer const& peer);

    // Nodes by name, which is the order of tables.
    [[nodiscard]] std::map<std::string, PeerKey> const& nodes() const { return nodes_; }
    // The keys whose signature on a release counts.
    [[nodiscard]] TrustedKeys publishers() const;

private:
    std::map<PeerKey, Peer> peers_;
    std::map<std::string, PeerKey> nodes_;
};

}  // namespace lull::broker
