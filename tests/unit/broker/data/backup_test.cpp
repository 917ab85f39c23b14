#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "broker/data/backup.hpp"
#include "broker_fixture.hpp"
#include "daemon_fixture.hpp"

namespace backup_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Hello hello_of(std::string_view name) {
    return {node_name(name), architecture("amd64"), "lull-node 0.1.0", "boot", Epoch{}, Seq{}};
}

bool mentions(Error const& error, std::string_view words) { return error.message.find(words) != std::string::npos; }

// A broker that has been initialised, and a node that is enrolled there.
struct Place {
    lull::test::TemporaryDirectory directory;
    fs::path const root = directory / "broker";
    fs::path const copy = directory / "monday";
    CurveKeyPair const node = CurveKeyPair::generate();

    Place() {
        Person const anna;
        REQUIRE(init(root, {anna.open("anna")}, "127.0.0.1:7700"));
        auto database = DataDirectory(root).open_database();
        REQUIRE(database);
        Peer const peer{"till-1", Role::node, std::nullopt, {}};
        REQUIRE(database->apply(store::Batch{Peers::change(PeerKey(node.public_key), peer)}));
    }

    // Stores an object as the keeper does.
    void keep(View bytes) const {
        auto database = DataDirectory(root).open_database();
        REQUIRE(database);
        auto packs = store::Packs::open({.directory = DataDirectory(root).packs()}, *database);
        REQUIRE(packs);
        ObjectShape const shape{sha256(bytes), ObjectCodec::raw, Bytes(bytes.size()), Bytes(bytes.size())};
        auto const place = packs->append(shape, bytes);
        REQUIRE(place);
        packs->sync();
        REQUIRE(database->apply(store::Batch{store::Packs::index_change(*place)}));
    }
};

LogIdentity identity_in(fs::path const& root) {
    auto const database = DataDirectory(root).open_database();
    REQUIRE(database);
    auto const identity = load_log_identity(*database);
    REQUIRE(identity);
    return identity->value();
}

}  // namespace

TEST_CASE("a backup is a whole broker, made while the original serves, and private") {
    Place place;
    auto const bytes = to_buffer(as_view("something that was published"));
    place.keep(bytes);
    RunningDaemon original(place.root);
    Client node(original.address, place.node);
    node.send(hello_of("till-1"));
    auto const epoch = node.expect<Welcome>().epoch;

    auto const outcome = back_up(DataDirectory(place.root), place.copy);
    REQUIRE(outcome);
    CHECK(outcome->objects == 1);
    node.send(hello_of("till-1"));
    CHECK(node.expect<Welcome>().epoch == epoch);
    REQUIRE(original.stop());

    struct stat status {};
    REQUIRE(stat(place.copy.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(DataDirectory(place.copy).load_keys()->public_key == DataDirectory(place.root).load_keys()->public_key);
    auto database = DataDirectory(place.copy).open_database();
    REQUIRE(database);
    auto packs = store::Packs::open({.directory = DataDirectory(place.copy).packs()}, *database);
    REQUIRE(packs);
    CHECK(packs->read_plain(sha256(bytes), MiB(1)) == bytes);
}

TEST_CASE("a broker that runs from a backup takes a new epoch, once") {
    Place place;
    auto const old = identity_in(place.root);
    REQUIRE(back_up(DataDirectory(place.root), place.copy));
    CHECK(identity_in(place.copy).copied);
    CHECK_FALSE(identity_in(place.root).copied);
    {
        RunningDaemon restored(place.copy);
        Client node(restored.address, place.node);
        node.send(hello_of("till-1"));
        CHECK(node.expect<Welcome>().epoch != old.epoch);
    }
    auto const fresh = identity_in(place.copy);
    CHECK_FALSE(fresh.copied);
    CHECK(fresh.used > old.used);
    { RunningDaemon const again(place.copy); }
    CHECK(identity_in(place.copy) == fresh);
}

TEST_CASE("a backup overwrites nothing, and is not made inside of what it copies") {
    Place place;
    REQUIRE(back_up(DataDirectory(place.root), place.copy));
    auto const again = back_up(DataDirectory(place.root), place.copy);
    REQUIRE_FALSE(again);
    CHECK(again.error().fault == Fault::refused);
    CHECK(mentions(again.error(), "exists already"));
    auto const inside = back_up(DataDirectory(place.root), place.root / "copy");
    REQUIRE_FALSE(inside);
    CHECK(mentions(inside.error(), "outside"));
    CHECK(back_up(DataDirectory(place.root), place.directory / "nowhere" / "copy").error().fault == Fault::not_found);
    CHECK(mentions(back_up(DataDirectory(place.directory / "nobody"), place.directory / "other").error(), "no broker"));
}

TEST_CASE("a backup of a damaged broker fails and leaves nothing behind") {
    Place place;
    place.keep(as_view("something"));
    REQUIRE(::truncate((place.root / "packs" / "pack-00000001").c_str(), 60) == 0);
    auto const outcome = back_up(DataDirectory(place.root), place.copy);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().fault == Fault::damaged);
    std::size_t left = 0;
    for (auto const& entry : fs::directory_iterator(place.directory.path()))
        left += entry.path().filename() != "broker" ? 1 : 0;
    CHECK(left == 0);
}

}  // namespace backup_test
