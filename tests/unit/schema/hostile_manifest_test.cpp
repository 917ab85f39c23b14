#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "core/text.hpp"
#include "tests/support/hostile_manifests.hpp"
#include "tests/unit/schema/samples.hpp"

namespace hostile_manifest_test {

using namespace lull;
using namespace lull::test;

namespace {

Manifest honest() {
    Manifest m;
    m.software = named<SoftwareName>("app");
    m.version = named<VersionName>("1.0");
    m.architecture = named<ArchitectureName>("any");
    m.segments = {Segment{digest(10), Bytes(100)}, Segment{digest(20), Bytes(50)}};
    auto program = file_entry("bin/app", 120, 0, 10);
    program.executable = true;
    m.entries = {directory_entry("bin"),
                 program,
                 link_entry("bin/run", "app"),
                 file_entry("data", 100, 0, 0),
                 directory_entry("lib"),
                 directory_entry("lib/deep"),
                 file_entry("lib/deep/data", 20, 1, 30),
                 link_entry("lib/deep/up", "../../bin/app"),
                 file_entry("lib/empty", 0, 0, 0),
                 link_entry("lib/root", "..")};
    m.start = {"bin/app", "--full"};
    return m;
}

void check_refusal(Error const& error) {
    CAPTURE(error.message);
    CHECK((error.fault == Fault::refused || error.fault == Fault::damaged));
    CHECK(error.message.size() < 700);
    CHECK_FALSE(has_controls(error.message));
    CHECK(is_utf8(error.message));
}

}  // namespace

TEST_CASE("there are more than 300 hostile manifests, of all kinds and no two alike") {
    std::set<Buffer> payloads{encode(honest())};
    std::map<std::string, std::size_t> groups;
    auto const all = hostile_manifests(honest());
    for (auto const& hostile : all) {
        CAPTURE(hostile.group, hostile.what);
        CHECK(payloads.insert(hostile.payload).second);
        ++groups[hostile.group];
    }
    CHECK(all.size() >= 300);
    CHECK(groups.size() == 15);
}

TEST_CASE(
    "the honest manifest is accepted, and each hostile one is refused though it is signed, with path and reason") {
    auto const key = SigningKey::generate();
    TrustedKeys const trusted({key.public_key()});
    auto const open = [&](Buffer const& payload) {
        auto const object = encode(seal(payload, domain::manifest, key));
        return open_manifest(object, sha256(object), trusted);
    };
    CHECK(open(encode(honest())) == honest());
    for (auto const& hostile : hostile_manifests(honest())) {
        CAPTURE(hostile.group, hostile.what);
        auto const opened = open(hostile.payload);
        REQUIRE_FALSE(opened.has_value());
        check_refusal(opened.error());
        auto const& message = opened.error().message;
        // What is no text, or too long, fails before anybody knows whose path it is.
        bool const names_field = message.starts_with("field '");
        if (!names_field || !hostile.manifest) CHECK(message.find(hostile.reason) != std::string::npos);
        if (!names_field && !hostile.path.empty()) CHECK(message.find(lull::quoted(hostile.path)) != std::string::npos);
        if (!hostile.manifest) continue;
        // As a value it is refused by the rules alone, which is what the publisher does.
        auto const valid = validate(*hostile.manifest);
        REQUIRE_FALSE(valid.has_value());
        check_refusal(valid.error());
        CHECK(valid.error().message.find(hostile.reason) != std::string::npos);
        if (!hostile.path.empty()) CHECK(valid.error().message.find(lull::quoted(hostile.path)) != std::string::npos);
    }
}

TEST_CASE("links that lead on to others are good as long as they end somewhere") {
    auto m = honest();
    auto const add = [&](std::string path, std::string target) {
        m.entries.push_back(link_entry(std::move(path), std::move(target)));
        std::sort(m.entries.begin(), m.entries.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
    };
    add("a", "b");
    add("b", "lib/c");
    add("lib/c", "../bin/run");
    add("here", ".");
    add("lib/again", "../lib/deep");
    add("lib/deep/through", "../root/lib/again/data");
    add("dangling", "none/x");
    add("dangling-too", "dangling");
    CHECK(validate(m).has_value());
}

TEST_CASE("a hundred thousand links in a row are looked through at once") {
    auto m = honest();
    m.entries = {link_entry("a", "z000000")};
    m.segments.clear();
    m.start.clear();
    for (int i = 0; i < 100'000; ++i)
        m.entries.push_back(link_entry(fmt::format("z{:06}", i), fmt::format("z{:06}", i + 1)));
    CHECK(validate(m).has_value());
    m.entries.back().target = "a";
    CHECK(validate(m).error().message.find("in a circle") != std::string::npos);
}

}  // namespace hostile_manifest_test
