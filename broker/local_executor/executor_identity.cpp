#include "broker/local_executor/executor_identity.hpp"

namespace lull::broker {

namespace {

constexpr int most_names = 1000;

// An address that leads to this machine, whatever the broker listens on.
BrokerAddress reached_from_here(BrokerAddress address) {
    if (address.host == "0.0.0.0" || address.host == "*") address.host = "127.0.0.1";
    if (address.host == "::" || address.host == "[::]") address.host = "::1";
    return address;
}

Result<NodeName> free_name(Peers const& peers) {
    for (int i = 1; i <= most_names; ++i) {
        auto name = NodeName::parse(i == 1 ? std::string("executor") : fmt::format("executor-{}", i));
        if (!name || !peers.key_of(*name)) return name;
    }
    return fail(Fault::refused, "the names executor to executor-{} are taken by nodes", most_names);
}

// The node of an earlier start, if it still counts.
std::optional<JoinBundle> known(fs::path const& bundle_file, Peers const& peers) {
    auto bundle = JoinBundle::load(bundle_file);
    if (!bundle) return std::nullopt;
    auto const key = peers.key_of(bundle->node);
    if (!key || *key != PeerKey(curve_public_of(bundle->curve_secret))) return std::nullopt;
    return *std::move(bundle);
}

Result<std::vector<Ed25519Public>> signing_keys(Peers const& peers) {
    auto keys = peers.publishers().keys();
    if (keys.empty()) return fail(Fault::refused, "nobody is enrolled who may publish: run lull-broker init again");
    if (keys.size() > limits::signatures) keys.resize(limits::signatures);
    return keys;
}

}  // namespace

Result<LocalExecutor> prepare_local_executor(DataDirectory const& directory, BrokerAddress const& listen,
                                             WallTime now) {
    auto database = directory.open_database();
    if (!database) return pass(database.error());
    auto const peers = load_peers(*database);
    if (!peers) return pass(peers.error());
    LocalExecutor executor{{}, directory.executor_bundle(), directory.executor(), false};
    if (auto before = known(executor.bundle_file, *peers)) {
        executor.bundle = *std::move(before);
    } else {
        auto name = free_name(*peers);
        if (!name) return pass(name.error());
        auto const keys = CurveKeyPair::generate();
        executor.bundle.node = *std::move(name);
        executor.bundle.curve_secret = keys.secret_key;
        executor.enrolled = true;
        Peer const peer{executor.bundle.node.text(), Role::node, std::nullopt, now};
        if (auto status = database->apply({Peers::change(PeerKey(keys.public_key), peer)}); !status)
            return pass(status.error());
    }
    auto trusted = signing_keys(*peers);
    if (!trusted) return pass(trusted.error());
    executor.bundle.trusted = *std::move(trusted);
    executor.bundle.broker = reached_from_here(listen);
    if (auto status = executor.bundle.save(executor.bundle_file); !status) return pass(status.error());
    return executor;
}

}  // namespace lull::broker
