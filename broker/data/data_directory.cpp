#include "broker/data/data_directory.hpp"

#include <unistd.h>

#include "core/text.hpp"

namespace lull::broker {

namespace {

constexpr Bytes most_key_file = KiB(1);
constexpr Bytes most_address = KiB(4);

tl::unexpected<Error> damaged(std::string_view what) {
    return fail(Fault::damaged,
                "the broker's database is damaged: {}; nothing was changed: restore the whole data directory from a "
                "backup, then start again",
                what);
}

// Loads every record of a table in the order of keys.
template <class Table>
Status load_table(store::Environment const& database, Table& into) {
    Status outcome;
    auto const scanned = database.scan(Table::table, {}, [&](View key, View value) {
        outcome = into.load(key, value);
        return outcome.has_value();
    });
    if (!scanned) return scanned;
    return outcome ? Status() : damaged(outcome.error().message);
}

bool is_everywhere(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

fs::path DataDirectory::executor() const {
    if (geteuid() != 0) return root_ / "executor";
    auto const plain = root_.has_filename() ? root_ : root_.parent_path();  // without a slash at the end
    return plain.string() + "-executor";
}

Result<CurveKeyPair> DataDirectory::load_keys() const {
    auto const advice = fmt::format("run: lull-broker init --data {} --operator PUBLIC.KEY", root_.string());
    std::error_code problem;
    if (!fs::exists(curve_secret(), problem)) {
        if (problem == std::errc::permission_denied) {
            return fail(Fault::refused, "cannot read {}: {}; run this as the user to whom it belongs", root_.string(),
                        problem.message());
        }
        return fail(Fault::not_found, "there is no broker in {}; {}", root_.string(), advice);
    }
    for (auto const& path : {root_, keys(), curve_secret()}) {
        if (auto status = require_private(path); !status) return pass(status.error());
    }
    auto const bytes = read_file(curve_secret(), most_key_file);
    if (!bytes) return pass(bytes.error());
    auto text = as_text(*bytes);
    while (text.ends_with('\n')) text.remove_suffix(1);
    auto const secret = PeerKey::parse(text);
    if (!secret) {
        return fail(
            Fault::damaged,
            "cannot use {}: it is not 64 hexadecimal digits; restore it from a backup, because every node knows "
            "this broker by that key",
            curve_secret().string());
    }
    return CurveKeyPair{curve_public_of(secret->bytes()), secret->bytes()};
}

Result<store::Environment> DataDirectory::open_database() const {
    return store::Environment::open(
        {.directory = database(),
         .tables = {Peers::table, ReleaseLog::table, NodeStatusTable::table, OrderBook::table, Patches::table,
                    Scrubs::table, LastSeen::table, store::Packs::table}});
}

Status DataDirectory::remove_temporary_files() const {
    for (auto const& directory : {root_, keys()}) {
        if (auto status = lull::remove_temporary_files(directory); !status) return status;
    }
    return {};
}

Status DataDirectory::save_address(BrokerAddress const& broker) const {
    auto const line = broker.to_text() + "\n";
    if (auto const known = read_file(address(), most_address); known && as_text(*known) == line) return {};
    return write_file_durably(address(), as_view(line), 0644);
}

Result<Peers> load_peers(store::Environment const& database) {
    Peers peers;
    if (auto status = load_table(database, peers); !status) return pass(status.error());
    return peers;
}

Result<Scrubs> load_scrubs(store::Environment const& database) {
    Scrubs scrubs;
    if (auto status = load_table(database, scrubs); !status) return pass(status.error());
    return scrubs;
}

Result<BrokerState> load_state(store::Environment const& database, DataDirectory const& directory) {
    auto const identity = load_log_identity(database);
    if (!identity)
        return identity.error().fault == Fault::damaged ? damaged(identity.error().message) : pass(identity.error());
    if (!*identity) {
        return fail(Fault::not_found,
                    "the broker in {} is not complete; run again: lull-broker init --data {} --operator PUBLIC.KEY",
                    directory.root().string(), directory.root().string());
    }
    auto peers = load_peers(database);
    if (!peers) return pass(peers.error());
    BrokerState state(**identity);
    state.peers = std::move(*peers);
    if (auto status = load_table(database, state.release_log); !status) return pass(status.error());
    if (auto status = load_table(database, state.node_status); !status) return pass(status.error());
    if (auto status = load_table(database, state.orders); !status) return pass(status.error());
    if (auto status = load_table(database, state.patches); !status) return pass(status.error());
    if (auto status = load_table(database, state.last_seen); !status) return pass(status.error());
    return state;
}

Result<BrokerAddress> parse_listen(std::string_view text, PeerKey const& key) {
    auto parsed = BrokerAddress::parse(fmt::format("tcp://{}/{}", text, key.hex()));
    if (parsed) return parsed;
    return fail(
        Fault::usage,
        "--listen is {}, and has to be HOST:PORT, for example 127.0.0.1:7700 or 0.0.0.0:7700, with an address of "
        "this machine and a PORT of 1..65532: the two ports above it are used as well, so 0 (any port) does not work",
        quoted(text));
}

Result<BrokerAddress> advertised(BrokerAddress const& listen, std::string_view host) {
    if (host.empty() && is_everywhere(listen.host)) {
        return fail(
            Fault::usage,
            "--advertise is missing: this broker listens on every address of its machine, so say by which name or "
            "address nodes reach it: add --advertise HOST");
    }
    if (host.empty()) return listen;
    bool const ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
    auto parsed = BrokerAddress::parse(
        fmt::format("tcp://{}{}{}:{}/{}", ipv6 ? "[" : "", host, ipv6 ? "]" : "", listen.port, listen.key.hex()));
    if (parsed && !is_everywhere(parsed->host)) return parsed;
    return fail(
        Fault::usage,
        "--advertise is {}, and has to be a name or an address by which nodes reach this machine, without a port",
        quoted(host));
}

}  // namespace lull::broker
