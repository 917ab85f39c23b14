#include "broker/data/init.hpp"

#include <set>

namespace lull::broker {

namespace {

constexpr mode_t private_file = 0600;

// A directory that is new, empty, or ours.
Status prepare(DataDirectory const& directory) {
    static std::set<std::string> const ours = {"keys",    "broker.conf", "state",        "packs",
                                               "address", "executor",    "executor.join"};
    std::error_code problem;
    for (fs::directory_iterator entry(directory.root(), problem), end; !problem && entry != end;
         entry.increment(problem)) {
        auto const name = entry->path().filename().string();
        if (ours.contains(name) || name.starts_with(".lull-")) continue;  // the latter: files that a crash left
        return fail(Fault::refused, "{} holds something else already ('{}'); choose a new directory for the broker",
                    directory.root().string(), name);
    }
    if (problem && problem != std::errc::no_such_file_or_directory) {
        return fail(Fault::failed, "cannot use {} for a broker: {}", directory.root().string(), problem.message());
    }
    for (auto const& path : {directory.root(), directory.keys()}) {
        if (auto status = make_directories(path, private_directory); !status) return status;
        if (auto status = require_private(path); !status) return status;
    }
    return {};
}

Result<CurveKeyPair> keys_of(DataDirectory const& directory, bool must_exist) {
    std::error_code ignored;
    if (fs::exists(directory.curve_secret(), ignored)) return directory.load_keys();
    if (must_exist) {
        return fail(Fault::damaged,
                    "{} is missing: restore it from a backup, because every node knows this broker by that key",
                    directory.curve_secret().string());
    }
    auto const keys = CurveKeyPair::generate();
    auto const text = to_hex(keys.secret_key) + "\n";
    auto status = write_file_durably(directory.curve_secret(), as_view(text), private_file);
    if (!status) return pass(status.error());
    sync_directory_or_die(directory.root());
    return keys;
}

Status write_config(InitRequest const& request, BrokerAddress const& address) {
    auto const text = fmt::format(
        "# Options of 'lull-broker run', one a line: name = value. What the command line says goes first.\n"
        "# The broker uses three ports from this one on: ingest, announce, exchange.\n"
        "listen = {}\n"
        "# The name or address by which nodes and publishers reach this machine.\n"
        "advertise = {}\n",
        request.listen.empty() ? std::string(usual_listen) : request.listen, address.host);
    return write_file_durably(request.directory.config(), as_view(text), 0644);
}

using Added = std::vector<std::string>;

// The records of keys that are not enrolled in this role yet.
Status enrol(Peers& peers, std::vector<PublicIdentity> const& identities, Peer peer, store::Batch& batch,
             Added& added) {
    for (auto const& identity : identities) {
        peer.name = identity.name;
        peer.signing = identity.signing;
        auto const* known = peers.find(identity.curve);
        if (known != nullptr && known->role == peer.role && known->name == peer.name && known->signing == peer.signing)
            continue;
        if (known != nullptr && known->signing != peer.signing) {
            return fail(Fault::refused, "the key of '{}' is enrolled already, with another signing key", identity.name);
        }
        if (auto status = peers.check_new(identity.curve, peer); !status) return pass(status.error());
        peers.add(identity.curve, peer);
        batch.push_back(Peers::change(identity.curve, peer));
        added.push_back(fmt::format("{} '{}'", to_text(peer.role), identity.name));
    }
    return {};
}

// The address that is asked for.
Result<BrokerAddress> wanted_address(InitRequest const& request, PeerKey const& key) {
    auto const listen = parse_listen(request.listen.empty() ? std::string(usual_listen) : request.listen, key);
    return listen ? advertised(*listen, request.advertise) : listen;
}

// The address that an initialised broker was given before; what is asked for may not differ.
Result<BrokerAddress> known_address(InitRequest const& request, BrokerAddress const& wanted) {
    auto const& directory = request.directory;
    auto const bytes = read_file(directory.address(), KiB(4));
    if (!bytes) return wanted;  // a crash came before it was written
    auto text = as_text(*bytes);
    while (text.ends_with('\n')) text.remove_suffix(1);
    auto known = BrokerAddress::parse(text);
    bool const asked = !request.listen.empty() || !request.advertise.empty();
    if (!known || !asked || *known == wanted) return known;
    return fail(
        Fault::usage,
        "the broker in {} is initialised and has the address {}; to change it, edit {} and start the broker again",
        directory.root().string(), known->to_text(), directory.config().string());
}

}  // namespace

Result<InitOutcome> initialise(InitRequest const& request, WallTime now) {
    auto const& directory = request.directory;
    if (auto address = wanted_address(request, PeerKey()); !address) return pass(address.error());
    if (auto status = prepare(directory); !status) return pass(status.error());
    auto database = directory.open_database();  // from here on we are alone
    if (!database) return pass(database.error());
    auto const identity = load_log_identity(*database);
    if (!identity) return pass(identity.error());
    bool const before = identity->has_value();
    if (!before && request.operators.empty()) {
        return fail(Fault::usage,
                    "--operator is missing: a broker without an operator cannot be administered; add --operator "
                    "PUBLIC.KEY, which 'lull keygen' makes");
    }
    auto const keys = keys_of(directory, before);
    if (!keys) return pass(keys.error());

    auto address = wanted_address(request, PeerKey(keys->public_key));
    if (before) address = known_address(request, *address);
    if (!address) return pass(address.error());
    if (!before) {
        if (auto status = write_config(request, *address); !status) return pass(status.error());
    }
    auto peers = load_peers(*database);
    if (!peers) return pass(peers.error());
    store::Batch batch;
    Added added;
    for (auto const& [role, identities] :
         {std::pair(Role::operator_, &request.operators), std::pair(Role::publisher, &request.publishers)}) {
        Peer const peer{"", role, std::nullopt, now};
        if (auto enrolled = enrol(*peers, *identities, peer, batch, added); !enrolled) return pass(enrolled.error());
    }
    if (!before) {
        auto const log = changes_to({.epoch = Epoch{std::max<std::uint64_t>(1, random_u64())}});
        batch.insert(batch.end(), log.begin(), log.end());
    }
    if (auto status = database->apply(batch); !status) return pass(status.error());
    if (auto status = directory.save_address(*address); !status) return pass(status.error());
    return InitOutcome{*address, before, std::move(added)};
}

}  // namespace lull::broker
