#include <catch2/catch.hpp>
#include <functional>

#include "core/files.hpp"
#include "tests/unit/schema/samples.hpp"

namespace manifest_format_test {

using namespace lull;
using namespace lull::test;

namespace {

Entry& at(Manifest& m, std::string_view path) { return *std::ranges::find(m.entries, path, &Entry::path); }

Result<Manifest> open(Manifest const& m, std::string_view domain) {
    auto const key = SigningKey::generate();
    auto const object = encode(seal(encode(m), domain, key));
    return open_manifest(object, sha256(object), TrustedKeys({key.public_key()}));
}

}  // namespace

TEST_CASE(
    "a manifest of format 2 holds modes, times, holes, allowed links, strays and the mode of the data directory") {
    auto const m = manifest_2();
    auto const valid = validate(m);
    INFO((valid ? "" : valid.error().message));
    REQUIRE(valid);
    auto const opened = open(m, domain::manifest_2);
    REQUIRE(opened);
    CHECK(*opened == m);
    CHECK(mode_of(at(const_cast<Manifest&>(m), "bin")) == 0500);
    CHECK(data_mode_of(m) == 0750);
}

TEST_CASE("a reader of format 1 refuses a manifest of format 2, and neither passes for the other") {
    CHECK(open(manifest_2(), domain::manifest).error().fault == Fault::refused);
    CHECK(open(manifest(), domain::manifest_2).error().fault == Fault::refused);
    CHECK(open(manifest(), domain::manifest));
}

TEST_CASE("a format that is not known is refused with what to do") {
    auto m = manifest_2();
    m.format = 3;
    CHECK_THAT(validate(m).error().message, Catch::Contains("format 3 is not known here; update this program"));
}

TEST_CASE("every rule of format 2 is kept") {
    struct Broken {
        char const* reason;
        std::function<void(Manifest&)> change;
    };
    std::vector<Broken> const all = {
        {"fields of format 2", [](Manifest& m) { m.format.reset(); }},
        {"format 1 does not have",
         [](Manifest& m) {
             m.format.reset();
             m.allowed_links.reset();
             m.strays.reset();
             m.data_mode.reset();
             m.entries.pop_back();
         }},
        {"no mode", [](Manifest& m) { at(m, "bin").mode.reset(); }},
        {"more than the permission bits", [](Manifest& m) { at(m, "bin/kiosk").mode = 04755; }},
        {"more than the permission bits", [](Manifest& m) { at(m, "bin").mode = 01777; }},
        {"keeps its owner out", [](Manifest& m) { at(m, "bin-notes").mode = 0200; }},
        {"keeps its owner out", [](Manifest& m) { at(m, "lib").mode = 0444; }},
        {"contradict", [](Manifest& m) { at(m, "bin-notes").mode = 0755; }},
        {"contradict", [](Manifest& m) { at(m, "bin/kiosk").mode = 0644; }},
        {"neither mode nor time", [](Manifest& m) { at(m, "bin/run").mode = 0777; }},
        {"only files, have a time", [](Manifest& m) { at(m, "lib").modified = 1; }},
        {"only files, have a time", [](Manifest& m) { at(m, "bin-notes").modified.reset(); }},
        {"after 2106", [](Manifest& m) { at(m, "bin-notes").modified = last_modified + 1; }},
        {"can be sparse", [](Manifest& m) { at(m, "lib").data = Bytes(1); }},
        {"can be sparse", [](Manifest& m) { at(m, "bin-notes").data = KiB(8); }},
        {"has to be relative", [](Manifest& m) { at(m, "python").target = "/usr/bin/python"; }},
        {"has to be relative", [](Manifest& m) { at(m, "python").target = "/usr/bin/python3/"; }},
        {"has to be relative", [](Manifest& m) { m.allowed_links.reset(); }},
        {"not sorted",
         [](Manifest& m) {
             m.allowed_links = {"/usr/bin/python3", "/usr/bin/python3"};
         }},
        {"can be allowed",
         [](Manifest& m) {
             m.allowed_links = {"/etc/../root", "/usr/bin/python3"};
         }},
        {"can be allowed",
         [](Manifest& m) {
             m.allowed_links = {"/", "/usr/bin/python3"};
         }},
        {"can be allowed",
         [](Manifest& m) {
             m.allowed_links = {"/usr/bin/python3", "etc"};
         }},
        {"more than 64", [](Manifest& m) { m.allowed_links = std::vector<std::string>(65, "/usr/bin/python3"); }},
        {"pattern", [](Manifest& m) { m.strays = {""}; }},
        {"patterns are more than", [](Manifest& m) { m.strays = std::vector<std::string>(65, "x"); }},
        {"data directory", [](Manifest& m) { m.data_mode = 01777; }},
        {"data directory", [](Manifest& m) { m.data_mode = 0077; }},
    };
    for (auto const& broken : all) {
        auto m = manifest_2();
        broken.change(m);
        auto const status = validate(m);
        INFO(broken.reason);
        REQUIRE_FALSE(status);
        CHECK_THAT(status.error().message, Catch::Contains(broken.reason));
    }
}

TEST_CASE("a link out of the release is no link of a circle") {
    auto m = manifest_2();
    at(m, "python").target = "/usr/bin/python3";
    m.entries.push_back(link_entry("python3", "python"));
    CHECK(validate(m));
}

TEST_CASE("manifests of format 1 that were recorded are read as they were") {
    auto const key = from_hex("1296aff667fac86c50bee2e9f57bbf84b93070076431b32203eb22625562f389").value();
    Ed25519Public trusted{};
    std::ranges::copy(key, trusted.begin());
    for (auto const* const name : {"1-1.0.manifest", "2-1.1.manifest"}) {
        auto const bytes = read_file(fs::path(LULL_RECORDED) / name, MiB(1));
        REQUIRE(bytes);
        auto const m = open_manifest(*bytes, sha256(*bytes), TrustedKeys({trusted}));
        REQUIRE(m);
        CHECK_FALSE(m->format);
        CHECK(m->start == std::vector<std::string>{"bin/app"});
        CHECK(m->file_count() == 4);
        auto modes = std::string();
        for (auto const& entry : m->entries) modes += fmt::format("{}:{:o} ", entry.path, mode_of(entry));
        CHECK(modes ==
              "bin:755 bin/app:755 bin/run:644 lib:755 lib/deep:755 lib/deep/data:644 lib/empty:644 "
              "lib/numbers:644 ");
        CHECK(data_mode_of(*m) == 0700);
        // The bytes that were signed come out again.
        CHECK(encode(*m) == decode<Envelope>(*bytes, limits::envelope)->payload);
    }
}

}  // namespace manifest_format_test
