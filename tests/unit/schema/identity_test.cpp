#include "schema/identity.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "core/json.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/unit/schema/samples.hpp"

namespace identity_test {

using namespace lull;
using namespace lull::test;

namespace {

std::string const hex(64, '1');

PublicIdentity open_half() { return PublicIdentity{"ci@build-3", PeerKey(counted<32>(1)), counted<32>(2)}; }

JoinBundle bundle() {
    auto const broker = BrokerAddress::parse("tcp://broker.example:7700/" + hex);
    return JoinBundle{named<NodeName>("till-17"), *broker, counted<32>(7), {counted<32>(8), counted<32>(9)}};
}

Identity make_identity(std::string const& name) {
    auto signing = SigningKey::generate();
    PublicIdentity open{name, PeerKey(counted<32>(1)), signing.public_key()};
    return Identity{std::move(open), SecretIdentity{name, counted<32>(3), std::move(signing)}};
}

void write_text(fs::path const& path, std::string const& text) { std::ofstream(path, std::ios::binary) << text; }

std::string read_text(fs::path const& path) {
    auto const bytes = read_file(path, MiB(1));
    REQUIRE(bytes.has_value());
    return std::string(as_text(*bytes));
}

unsigned mode_of(fs::path const& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

template <class T>
void check_error(Result<T> const& result, Fault fault, fs::path const& path, std::string const& advice) {
    REQUIRE_FALSE(result.has_value());
    CAPTURE(result.error().message);
    CHECK(result.error().fault == fault);
    CHECK(result.error().message.find(path.string()) != std::string::npos);
    CHECK(result.error().message.find(advice) != std::string::npos);
}

// Changes one value of a good file.
std::string changed(std::string const& good, std::string const& key, Json value) {
    auto json = Json::parse(good);
    if (value.is_discarded()) {
        json.erase(key);
    } else {
        json[key] = std::move(value);
    }
    return json.dump();
}

Json const nothing = Json(Json::value_t::discarded);

}  // namespace

TEST_CASE("a public identity survives its file") {
    TemporaryDirectory const directory;
    auto const path = directory / "public.key";
    REQUIRE(open_half().save(path).has_value());
    CHECK(PublicIdentity::load(path) == open_half());
    CHECK(Json::parse(read_text(path))["kind"] == "lull public key 1");
}

TEST_CASE("a file that is no public key is refused with its name and what to do") {
    TemporaryDirectory const directory;
    auto const path = directory / "public.key";
    REQUIRE(open_half().save(path).has_value());
    auto const good = read_text(path);
    for (auto const& bad :
         {std::string(), std::string("{"), std::string("[]"), std::string("7"), std::string("\xff"), good + "x",
          std::string(60'000, '['), changed(good, "kind", "lull join bundle 1"), changed(good, "kind", nothing),
          changed(good, "kind", 1), changed(good, "name", ""), changed(good, "name", "a b"), changed(good, "name", 7),
          changed(good, "name", nothing), changed(good, "curve", nothing), changed(good, "curve", hex + "00"),
          changed(good, "curve", std::string(64, 'g')), changed(good, "signing", hex.substr(2)),
          changed(good, "signing", Json::array())}) {
        CAPTURE(bad.substr(0, 200));
        write_text(path, bad);
        check_error(PublicIdentity::load(path), Fault::damaged, path, "public.key again");
    }
    write_text(path, std::string(70'000, ' ') + good);
    check_error(PublicIdentity::load(path), Fault::damaged, path, "public.key again");
    check_error(PublicIdentity::load(directory / "none"), Fault::not_found, directory / "none", "public.key again");
}

TEST_CASE("keys survive their directory, which only their owner can open") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const made = make_identity("ci");
    REQUIRE(made.secret.save(keys, "horse", made.open).has_value());
    CHECK(mode_of(keys) == 0700);
    CHECK(mode_of(keys / "curve.secret") == 0600);
    CHECK(mode_of(keys / "signing.pem") == 0600);

    auto const loaded = SecretIdentity::load(keys, "horse");
    REQUIRE(loaded.has_value());
    CHECK(loaded->open == made.open);
    CHECK(loaded->secret.name == "ci");
    CHECK(loaded->secret.curve_secret == made.secret.curve_secret);
    CHECK(loaded->secret.signing.public_key() == made.open.signing);
    CHECK(PublicIdentity::load(keys / "public.key") == made.open);
}

TEST_CASE("a wrong passphrase is refused") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const made = make_identity("ci");
    REQUIRE(made.secret.save(keys, "horse", made.open).has_value());
    check_error(SecretIdentity::load(keys, "donkey"), Fault::refused, keys / "signing.pem", "");
    check_error(SecretIdentity::load(keys, ""), Fault::refused, keys / "signing.pem", "");
}

TEST_CASE("keys that are missing name the command that makes them") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    check_error(SecretIdentity::load(keys, ""), Fault::not_found, keys, "run: lull keygen --keys " + keys.string());
    auto const made = make_identity("ci");
    for (auto const* const name : {"curve.secret", "signing.pem"}) {
        fs::remove_all(keys);
        REQUIRE(made.secret.save(keys, "", made.open).has_value());
        fs::remove(keys / name);
        check_error(SecretIdentity::load(keys, ""), Fault::not_found, keys / name, "lull keygen");
    }
}

TEST_CASE("secrets that others could read are refused with the chmod to run") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const made = make_identity("ci");
    REQUIRE(made.secret.save(keys, "", made.open).has_value());
    for (auto const& path : {keys, keys / "curve.secret", keys / "signing.pem"}) {
        auto const before = mode_of(path);
        REQUIRE(::chmod(path.c_str(), before | 0040) == 0);
        check_error(SecretIdentity::load(keys, ""), Fault::refused, path, "chmod");
        REQUIRE(::chmod(path.c_str(), before) == 0);
    }
    CHECK(SecretIdentity::load(keys, "").has_value());
}

TEST_CASE("keys are never overwritten") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const first = make_identity("first");
    auto const second = make_identity("second");
    REQUIRE(first.secret.save(keys, "", first.open).has_value());
    check_error(second.secret.save(keys, "", second.open), Fault::refused, keys, "there already");
    fs::remove(keys / "public.key");
    check_error(second.secret.save(keys, "", second.open), Fault::refused, keys, "there already");
    REQUIRE(first.open.save(keys / "public.key").has_value());
    CHECK(SecretIdentity::load(keys, "")->open == first.open);
}

TEST_CASE("keys that could not all be written are not there, and can be made again") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const made = make_identity("ci");
    // The first of three files fits, the second is too large.
    auto* const before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit usual{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &usual) == 0);
    rlimit const small{80, usual.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    auto const status = made.secret.save(keys, "", made.open);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &usual) == 0);
    std::signal(SIGXFSZ, before);
    check_error(Result<int>(status.map([] { return 0; })), Fault::failed, keys / "signing.pem", "");
    CHECK(fs::is_empty(keys));
    CHECK(made.secret.save(keys, "", made.open).has_value());
}

TEST_CASE("halves that do not belong together and damaged secrets are refused") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    auto const made = make_identity("ci");
    REQUIRE(made.secret.save(keys, "", made.open).has_value());
    REQUIRE(make_identity("ci").open.save(keys / "public.key").has_value());
    check_error(SecretIdentity::load(keys, ""), Fault::damaged, keys, "do not belong together");
    for (auto const& bad : {std::string(), std::string("12"), std::string(64, 'x'), hex + hex}) {
        write_text(keys / "curve.secret", bad);
        check_error(SecretIdentity::load(keys, ""), Fault::damaged, keys / "curve.secret", "64 hexadecimal digits");
    }
    write_text(keys / "curve.secret", hex + "\n");
    write_text(keys / "signing.pem", "nonsense");
    auto const loaded = SecretIdentity::load(keys, "");
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().message.find((keys / "signing.pem").string()) != std::string::npos);
}

TEST_CASE("keys are not written where others look") {
    TemporaryDirectory const directory;
    auto const keys = directory / "keys";
    fs::create_directory(keys);
    REQUIRE(::chmod(keys.c_str(), 0755) == 0);
    auto const made = make_identity("ci");
    check_error(made.secret.save(keys, "", made.open), Fault::refused, keys, "chmod");
    CHECK(fs::is_empty(keys));
}

TEST_CASE("a join bundle survives its file, which only its owner can open") {
    TemporaryDirectory const directory;
    auto const path = directory / "till-17.join";
    REQUIRE(bundle().save(path).has_value());
    CHECK(mode_of(path) == 0600);
    CHECK(JoinBundle::load(path) == bundle());
    REQUIRE(::chmod(path.c_str(), 0644) == 0);
    check_error(JoinBundle::load(path), Fault::refused, path, "chmod");
}

TEST_CASE("a file that is no join bundle is refused with its name and what to do") {
    TemporaryDirectory const directory;
    auto const path = directory / "till-17.join";
    REQUIRE(bundle().save(path).has_value());
    auto const good = read_text(path);
    auto const many = Json(std::vector<std::string>(17, hex));
    for (auto const& bad :
         {changed(good, "kind", "lull public key 1"), changed(good, "node", "till 17"), changed(good, "node", nothing),
          changed(good, "broker", "tcp://broker:7700"), changed(good, "broker", Json::object()),
          changed(good, "curve_secret", "00"), changed(good, "trusted", nothing), changed(good, "trusted", "00"),
          changed(good, "trusted", Json::array()), changed(good, "trusted", many),
          changed(good, "trusted", Json::array({1})), changed(good, "trusted", Json::array({"00"}))}) {
        CAPTURE(bad);
        write_text(path, bad);
        check_error(JoinBundle::load(path), Fault::damaged, path, "lull nodes new NAME");
    }
    write_text(path, changed(good, "later", "unknown keys are ignored"));
    CHECK(JoinBundle::load(path) == bundle());
    check_error(JoinBundle::load(directory / "none"), Fault::not_found, directory / "none", "lull nodes new NAME");
}

}  // namespace identity_test
