#include "schema/update_info.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/schema/samples.hpp"

namespace update_info_test {

using namespace lull;
using namespace lull::test;

namespace {

void check_refused(UpdateInfo const& info, std::string const& reason) {
    auto const decoded = decode_update_info(encode(info));
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().fault == Fault::refused);
    CHECK(decoded.error().message.find(reason) != std::string::npos);
    CHECK(decoded.error().message.find("kiosk-browser 1.4.2~rc1+b7") != std::string::npos);
}

}  // namespace

TEST_CASE("update-info is opened only under a trusted signature of its own domain") {
    auto const key = SigningKey::generate();
    TrustedKeys const trusted({key.public_key()});
    auto const payload = encode(update_info());
    CHECK(open_update_info(seal(payload, domain::update_info, key), trusted) == update_info());
    CHECK(open_update_info(seal(payload, domain::manifest, key), trusted).error().fault == Fault::refused);
    CHECK(open_update_info(seal(payload, domain::update_info, SigningKey::generate()), trusted).error().fault ==
          Fault::refused);
}

TEST_CASE("nothing is decoded before its signature is good") {
    auto const key = SigningKey::generate();
    auto const garbage = seal(to_buffer(as_view("\xc1")), domain::update_info, SigningKey::generate());
    CHECK(open_update_info(garbage, TrustedKeys({key.public_key()})).error().fault == Fault::refused);
    auto const signed_garbage = seal(to_buffer(as_view("\xc1")), domain::update_info, key);
    CHECK(open_update_info(signed_garbage, TrustedKeys({key.public_key()})).error().fault == Fault::damaged);
}

TEST_CASE("update-info larger than its bound is refused before the signature is computed") {
    auto const key = SigningKey::generate();
    auto const large = seal(Buffer(limits::update_info.count() + 1), domain::update_info, key);
    auto const opened = open_update_info(large, TrustedKeys({key.public_key()}));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().fault == Fault::damaged);
    CHECK(opened.error().message.find("larger than 65536") != std::string::npos);
}

TEST_CASE("a release needs builds, one for an architecture, each with a manifest") {
    auto info = update_info();
    info.builds.clear();
    check_refused(info, "0 builds");
    info.builds.assign(limits::builds_per_release + 1, build());
    check_refused(info, "33 builds");
    info.builds = {build("amd64"), build("any"), build("amd64")};
    check_refused(info, "two builds for amd64");
    info.builds = {build()};
    info.builds[0].manifest = Digest();
    check_refused(info, "manifest");
    info.builds = {build()};
    info.builds[0].manifest_size = Bytes(0);
    check_refused(info, "manifest");
    info.builds[0].manifest_size = limits::envelope + Bytes(1);
    check_refused(info, "manifest");
    info.builds = {build()};
    info.builds[0].files = limits::files_per_manifest + 1;
    check_refused(info, "files");
    info.builds = {build()};
    CHECK(decode_update_info(encode(info)) == info);
}

TEST_CASE("a node takes the build for its architecture, else the one for any") {
    auto info = update_info();
    info.builds = {build("any"), build("amd64")};
    CHECK(info.build_for(named<ArchitectureName>("amd64")) == &info.builds[1]);
    CHECK(info.build_for(named<ArchitectureName>("armhf")) == &info.builds[0]);
    info.builds = {build("amd64")};
    CHECK(info.build_for(named<ArchitectureName>("armhf")) == nullptr);
}

TEST_CASE("a release lists the programs that executors may run, within bounds") {
    auto info = update_info();
    info.callable.emplace();
    for (std::size_t i = 0; i < limits::callable_per_release; ++i)
        info.callable->push_back("bin/program-" + std::to_string(i));
    CHECK(decode_update_info(encode(info)) == info);
    info.callable->push_back("bin/one-more");
    check_refused(info, "65 callable programs are more than 64");
    using Programs = std::vector<std::string>;
    info.callable = Programs{"bin/solve", "bin/solve"};
    check_refused(info, "'bin/solve' is listed twice");
    info.callable = Programs{"../solve"};
    check_refused(info, "..");
    info.callable = Programs{"/bin/sh"};
    check_refused(info, "absolute");
}

TEST_CASE("a node that does not know callable programs reads the rest of the update-info") {
    auto info = update_info();
    auto const with = encode(info);
    info.callable.reset();
    CHECK(encode(info).size() < with.size());
    CHECK(decode_update_info(encode(info)) == info);
}

}  // namespace update_info_test
