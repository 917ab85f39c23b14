#include "broker/local_executor/executor_identity.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "daemon_fixture.hpp"

namespace executor_identity_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

struct Place {
    lull::test::TemporaryDirectory directory;
    DataDirectory const data{directory / "broker"};
    Person const anna;

    Place() { REQUIRE(init(data.root(), {anna.open("anna")}, "127.0.0.1:7700")); }
    [[nodiscard]] LocalExecutor prepare(std::string host = "127.0.0.1") const {
        auto executor = prepare_local_executor(data, {std::move(host), 7700, PeerKey()}, WallTime());
        REQUIRE(executor);
        return *std::move(executor);
    }
    [[nodiscard]] std::optional<PeerKey> enrolled(std::string const& name) const {
        auto const database = data.open_database();
        REQUIRE(database);
        return load_peers(*database)->key_of(*NodeName::parse(name));
    }
};

PeerKey key_of(LocalExecutor const& executor) { return PeerKey(curve_public_of(executor.bundle.curve_secret)); }

}  // namespace

TEST_CASE("the executor of a broker is enrolled once, and is the same node at each start") {
    Place const place;
    auto const first = place.prepare();
    CHECK(first.enrolled);
    CHECK(first.bundle.node.text() == "executor");
    CHECK(first.bundle.trusted == std::vector<Ed25519Public>{place.anna.signing.public_key()});
    CHECK(place.enrolled("executor") == key_of(first));
    CHECK(JoinBundle::load(first.bundle_file).value() == first.bundle);

    auto const second = place.prepare("127.0.0.2");
    CHECK(!second.enrolled);
    CHECK(key_of(second) == key_of(first));
    CHECK(second.bundle.broker.host == "127.0.0.2");
    CHECK(JoinBundle::load(first.bundle_file).value() == second.bundle);
}

TEST_CASE("the executor of a broker whose directory was lost is a new node with another name") {
    Place const place;
    auto const first = place.prepare();
    fs::remove(first.bundle_file);
    auto const second = place.prepare();
    CHECK(second.enrolled);
    CHECK(second.bundle.node.text() == "executor-2");
    CHECK(key_of(second) != key_of(first));
    CHECK(place.enrolled("executor-2") == key_of(second));
}

TEST_CASE("the executor of a broker reaches it on the machine itself") {
    Place const place;
    CHECK(place.prepare("0.0.0.0").bundle.broker.host == "127.0.0.1");
    CHECK(place.prepare("::").bundle.broker.host == "::1");
    CHECK(place.prepare("10.1.2.3").bundle.broker.host == "10.1.2.3");
}

TEST_CASE("a broker with an executor is initialised again without complaint") {
    Place const place;
    auto const executor = place.prepare();
    fs::create_directory(executor.root);
    auto const again = init(place.data.root(), {place.anna.open("anna")}, "");
    REQUIRE(again);
    CHECK(again->before);
}

}  // namespace executor_identity_test
