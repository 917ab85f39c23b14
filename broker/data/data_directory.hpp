#pragma once

#include "broker/state/broker_state.hpp"
#include "broker/upkeep/scrubs.hpp"
#include "core/messaging.hpp"
#include "schema/address.hpp"
#include "store/packs.hpp"

namespace lull::broker {

// Where a broker listens if nothing is said.
inline constexpr char const* usual_listen = "127.0.0.1:7700";

inline constexpr mode_t private_directory = 0700;

// Where a broker keeps what is its own. Made by `lull-broker init` (init.hpp), private to its user.
class DataDirectory {
public:
    explicit DataDirectory(fs::path root) : root_(std::move(root)) {}

    [[nodiscard]] fs::path const& root() const { return root_; }
    bool operator==(DataDirectory const&) const = default;
    [[nodiscard]] fs::path keys() const { return root_ / "keys"; }
    [[nodiscard]] fs::path curve_secret() const { return keys() / "curve.secret"; }
    [[nodiscard]] fs::path config() const { return root_ / "broker.conf"; }
    [[nodiscard]] fs::path database() const { return root_ / "state"; }
    [[nodiscard]] fs::path packs() const { return root_ / "packs"; }
    [[nodiscard]] fs::path address() const { return root_ / "address"; }
    // Of the node that the broker starts as its child: its root, and what it joins with. root's executor gives each
    // call a user of its own, who has to get through the directories above it: it lies beside the data directory, which
    // is private.
    [[nodiscard]] fs::path executor() const;
    [[nodiscard]] fs::path executor_bundle() const { return root_ / "executor.join"; }

    // Fault::not_found with the command that makes one, Fault::refused with the chmod to run, Fault::damaged. Changes
    // nothing.
    [[nodiscard]] Result<CurveKeyPair> load_keys() const;
    // Opens the database for writing, and makes it if it is missing: check that first where it must not be.
    [[nodiscard]] Result<store::Environment> open_database() const;
    // Removes the temporary files that a crash left. Only for the process that has the database open for writing.
    [[nodiscard]] Status remove_temporary_files() const;
    // Writes the address that nodes and publishers are given, if it is not there already.
    [[nodiscard]] Status save_address(BrokerAddress const& address) const;

private:
    fs::path root_;
};

// Reads the register of keys. Fault::damaged names the table and what to do; so do the others.
[[nodiscard]] Result<Peers> load_peers(store::Environment const& database);

// Reads everything that the decision code starts with.
[[nodiscard]] Result<BrokerState> load_state(store::Environment const& database, DataDirectory const& directory);

[[nodiscard]] Result<Scrubs> load_scrubs(store::Environment const& database);

// Reads the HOST:PORT of --listen. The key is that of the broker. Fault::usage otherwise.
[[nodiscard]] Result<BrokerAddress> parse_listen(std::string_view text, PeerKey const& key);
// The same address as others reach it: with another host, where one is given. Fault::usage if it is no host, or if none
// is given and the broker listens on every address of its machine.
[[nodiscard]] Result<BrokerAddress> advertised(BrokerAddress const& listen, std::string_view host);

}  // namespace lull::broker
