#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "daemon_fixture.hpp"

namespace init_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

constexpr char const* listen = "127.0.0.1:7700";

std::string mode_of(fs::path const& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return fmt::format("{:o}", status.st_mode & 07777);
}

Error open_error(fs::path const& root) {
    EventLoop loop;
    Log log("test", LogLevel::error);
    DataDirectory const directory(root);
    auto const daemon = Daemon::open({directory, parse_listen(any_listen(), PeerKey()).value(), {}}, loop, log);
    REQUIRE(!daemon);
    return daemon.error();
}

// Changes one record of the broker in `root` behind its back.
void plant(fs::path const& root, store::Change change) {
    auto database = DataDirectory(root).open_database();
    REQUIRE(database);
    REQUIRE(database->apply(store::Batch{std::move(change)}));
}

bool mentions(Error const& error, std::string_view words) { return error.message.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("a new broker has private keys, a log of its own, its operators, and an address") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    Person const anna;
    auto const outcome = init(root, {anna.open("anna")}, listen);
    REQUIRE(outcome);
    CHECK(!outcome->before);
    CHECK(outcome->added == std::vector<std::string>{"operator 'anna'"});
    CHECK(mode_of(root) == "700");
    CHECK(mode_of(root / "keys") == "700");
    CHECK(mode_of(root / "keys" / "curve.secret") == "600");

    DataDirectory const data(root);
    CHECK(PeerKey(data.load_keys()->public_key) == outcome->address.key);
    auto const line = read_file(data.address(), KiB(1));
    REQUIRE(line);
    CHECK(as_text(*line) == outcome->address.to_text() + "\n");
    auto const database = data.open_database();
    REQUIRE(database);
    auto const state = load_state(*database, data);
    REQUIRE(state);
    CHECK(state->release_log.epoch().value != 0);
    CHECK(state->peers.find(PeerKey(anna.curve.public_key))->role == Role::operator_);
}

TEST_CASE("init may be repeated, and then only adds operators") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    Person const anna;
    Person const bert;
    auto const first = init(root, {anna.open("anna")}, listen);
    REQUIRE(first);
    auto const again = init(root, {anna.open("anna")}, listen);
    REQUIRE(again);
    CHECK(again->before);
    CHECK(again->added.empty());
    auto const elsewhere = init(root, {bert.open("bert")}, "127.0.0.1:9999");
    REQUIRE(!elsewhere);
    CHECK(elsewhere.error().fault == Fault::usage);
    CHECK(mentions(elsewhere.error(), "broker.conf"));
    auto const third = init(root, {anna.open("anna"), bert.open("bert")}, "");
    REQUIRE(third);
    CHECK(third->added == std::vector<std::string>{"operator 'bert'"});
    CHECK(third->address == first->address);
    auto const database = DataDirectory(root).open_database();
    CHECK(load_peers(*database)->publishers().keys().size() == 2);
}

TEST_CASE("init enrols publishers, who are no operators, and does not change the role of a key") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    Person const anna;
    Person const machine;
    InitRequest request{DataDirectory(root), {anna.open("anna")}, listen, "", {machine.open("ci")}};
    auto const outcome = initialise(request, WallTime{1});
    REQUIRE(outcome);
    CHECK(outcome->added == std::vector<std::string>{"operator 'anna'", "publisher 'ci'"});
    {
        auto const database = DataDirectory(root).open_database();
        auto const peers = load_peers(*database);
        CHECK(peers->find(PeerKey(machine.curve.public_key))->role == Role::publisher);
        CHECK(peers->publishers().keys().size() == 2);
    }
    request.operators.push_back(machine.open("ci"));
    request.publishers.clear();
    auto const promoted = initialise(request, WallTime{1});
    REQUIRE(!promoted);
    CHECK(promoted.error().fault == Fault::refused);
}

TEST_CASE("an operator who is enrolled under another name or with another signature is refused") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    Person const anna;
    REQUIRE(init(root, {anna.open("anna")}, listen));
    auto const renamed = init(root, {anna.open("bert")}, listen);
    REQUIRE(!renamed);
    CHECK(renamed.error().fault == Fault::refused);
    auto identity = anna.open("anna");
    identity.signing = SigningKey::generate().public_key();
    CHECK(!init(root, {identity}, listen));
}

TEST_CASE("an init that a crash interrupted is completed by the next one") {
    Person const anna;
    auto const completes = [&](auto prepare) {
        lull::test::TemporaryDirectory directory;
        auto const root = directory / "broker";
        REQUIRE(make_directories(root, 0700));
        prepare(root);
        auto const outcome = init(root, {anna.open("anna")}, listen);
        REQUIRE(outcome);
        CHECK(!outcome->before);
        DataDirectory const data(root);
        auto const database = data.open_database();
        CHECK(load_state(*database, data));
        CHECK(fs::exists(data.config()));
        return outcome->address.key;
    };
    completes([](fs::path const&) {});
    completes([](fs::path const& root) { REQUIRE(make_directories(root / "keys", 0700)); });
    completes([](fs::path const& root) { REQUIRE(DataDirectory(root).open_database()); });
    auto const keys = CurveKeyPair::generate();
    auto const kept = completes([&](fs::path const& root) {
        REQUIRE(DataDirectory(root).open_database());
        REQUIRE(make_directories(root / "keys", 0700));
        REQUIRE(write_file_durably(root / "keys" / "curve.secret", as_view(to_hex(keys.secret_key)), 0600));
        REQUIRE(write_file_durably(root / "broker.conf", as_view("listen = 127.0.0.1:1\n"), 0644));
        REQUIRE(write_file_durably(root / ".lull-abcdef", as_view("x"), 0600));
    });
    CHECK(kept == PeerKey(keys.public_key));
}

TEST_CASE("a directory that holds something else is left alone") {
    lull::test::TemporaryDirectory directory;
    REQUIRE(write_file_durably(directory / "thesis.txt", as_view("x"), 0644));
    auto const outcome = init(directory.path(), {Person().open("anna")}, listen);
    REQUIRE(!outcome);
    CHECK(outcome.error().fault == Fault::refused);
    CHECK(mentions(outcome.error(), "thesis.txt"));
    CHECK(!fs::exists(directory / "state"));
}

TEST_CASE("a broker that runs is not initialised again, and does not run twice") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    REQUIRE(init(root, {Person().open("anna")}, listen));
    RunningDaemon const daemon(root);
    auto const again = init(root, {Person().open("bert")}, listen);
    REQUIRE(!again);
    CHECK(again.error().fault == Fault::refused);
    CHECK(open_error(root).fault == Fault::refused);
}

TEST_CASE("a broker whose port is in use says which") {
    lull::test::TemporaryDirectory directory;
    REQUIRE(init(directory / "a", {Person().open("anna")}, listen));
    REQUIRE(init(directory / "b", {Person().open("anna")}, listen));
    RunningDaemon const daemon(directory / "a");
    EventLoop loop;
    Log log("test", LogLevel::error);
    auto taken = daemon.address;
    ++taken.port;  // ours is the one above, theirs is taken as well
    auto const second = Daemon::open({DataDirectory(directory / "b"), taken, {}}, loop, log);
    REQUIRE(!second);
    CHECK(second.error().fault == Fault::refused);
    CHECK(mentions(second.error(), fmt::format(":{}:", taken.port)));
}

TEST_CASE("a directory without a broker names the command that makes one") {
    lull::test::TemporaryDirectory directory;
    CHECK(mentions(open_error(directory / "nothing"), "lull-broker init"));
    CHECK(open_error(directory / "nothing").fault == Fault::not_found);
    CHECK(!fs::exists(directory / "nothing"));
}

TEST_CASE("secrets that are open to others are refused with what to do") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    REQUIRE(init(root, {Person().open("anna")}, listen));
    for (auto const& path : {root, root / "keys", root / "keys" / "curve.secret"}) {
        auto const before = fs::status(path).permissions();
        fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
        auto const error = open_error(root);
        CHECK(error.fault == Fault::refused);
        CHECK(mentions(error, "chmod"));
        fs::permissions(path, before);
    }
}

TEST_CASE("a damaged record stops the broker, names its table, and is left as it is") {
    lull::test::TemporaryDirectory directory;
    auto const bad = to_buffer(as_view("bad"));
    for (std::string const table : {"peers", "log", "ledger"}) {
        auto const root = directory / table;
        REQUIRE(init(root, {Person().open("anna")}, listen));
        plant(root, {table, store::key_of(1), bad});
        auto const error = open_error(root);
        CHECK(error.fault == Fault::damaged);
        CHECK(mentions(error, fmt::format("table '{}'", table)));
        CHECK(mentions(error, "restore"));
        auto const database = DataDirectory(root).open_database();
        CHECK(database->get(table, store::key_of(1)).value() == bad);
    }
}

TEST_CASE("what is missing from the directory is not made anew in silence") {
    lull::test::TemporaryDirectory directory;
    auto const root = directory / "broker";
    REQUIRE(init(root, {Person().open("anna")}, listen));
    fs::rename(root / "state", directory / "aside");
    CHECK(open_error(root).fault == Fault::damaged);
    CHECK(!fs::exists(root / "state"));
    fs::rename(directory / "aside", root / "state");

    fs::remove(root / "keys" / "curve.secret");
    auto const outcome = init(root, {Person().open("anna")}, listen);
    REQUIRE(!outcome);
    CHECK(outcome.error().fault == Fault::damaged);
    CHECK(!fs::exists(root / "keys" / "curve.secret"));
}

TEST_CASE("listening needs an address and a port that leaves room for two more") {
    for (auto const* text : {"127.0.0.1:7700", "0.0.0.0:1", "[::1]:65532", "localhost:7700"})
        CHECK(parse_listen(text, PeerKey()));
    for (auto const* text :
         {"", "7700", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65533", "127.0.0.1:x", ":7700", "a b:7700"}) {
        auto const parsed = parse_listen(text, PeerKey());
        REQUIRE(!parsed);
        CHECK(parsed.error().fault == Fault::usage);
    }
}

TEST_CASE("what is advertised is a host that others can reach") {
    auto const everywhere = parse_listen("0.0.0.0:7700", PeerKey()).value();
    CHECK(!advertised(everywhere, ""));
    CHECK(!advertised(everywhere, "0.0.0.0"));
    CHECK(!advertised(everywhere, "broker:7700"));
    CHECK(advertised(everywhere, "broker.example")->to_text() == "tcp://broker.example:7700/" + PeerKey().hex());
    CHECK(advertised(everywhere, "2001:db8::1")->host == "2001:db8::1");
    CHECK(advertised(parse_listen("127.0.0.1:7700", PeerKey()).value(), "")->host == "127.0.0.1");
}

}  // namespace init_test
