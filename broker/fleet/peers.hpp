#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/fleet/node_number.hpp"
#include "schema/envelope.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// A node, a publisher or an operator whose key is enrolled here.
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

    // Checks that neither key nor node name is taken. Fault::refused with what to do. Repeating an enrolment is no
    // error.
    [[nodiscard]] Status check_new(PeerKey const& key, Peer const& peer) const;
    void add(PeerKey const& key, Peer peer);
    [[nodiscard]] static store::Change change(PeerKey const& key, Peer const& peer);

    // From now on no message and no connection of this node is admitted, and nobody finds it by its key or name. What
    // is kept for it stays until remove(), or counts again after stay().
    void leave(PeerKey const& node) { leaving_.insert(node); }
    void stay(PeerKey const& node) { leaving_.erase(node); }
    void remove(PeerKey const& node);
    [[nodiscard]] static store::Change removal(PeerKey const& key);

    // Nodes by name, which is the order of tables.
    [[nodiscard]] std::map<std::string, PeerKey> const& nodes() const { return nodes_; }
    // Nodes by their numbers, which are below numbers(). A number of a removed node is not given again.
    [[nodiscard]] std::size_t numbers() const { return numbered_.size(); }
    [[nodiscard]] bool is_enrolled(NodeNumber number) const;
    [[nodiscard]] std::optional<NodeNumber> number_of(PeerKey const& node) const;
    [[nodiscard]] PeerKey const& key_of(NodeNumber number) const { return numbered_.at(number).key; }
    [[nodiscard]] std::string const& name_of(NodeNumber number) const { return numbered_.at(number).name; }
    // The keys whose signature on a release counts.
    [[nodiscard]] TrustedKeys publishers() const;

private:
    struct Numbered {
        std::string name;
        PeerKey key;
        bool removed = false;
    };
    std::map<PeerKey, Peer> peers_;
    std::map<std::string, PeerKey> nodes_;
    std::vector<Numbered> numbered_;
    std::unordered_map<PeerKey, NodeNumber, PeerKeyHash> numbers_;
    std::set<PeerKey> leaving_;
};

}  // namespace lull::broker
