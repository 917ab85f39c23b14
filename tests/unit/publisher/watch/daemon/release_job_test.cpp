#include "publisher/watch/daemon/release_job.hpp"

#include <catch2/catch.hpp>

#include "publisher/watch/daemon/tree_look.hpp"
#include "publisher/watch/daemon/watcher.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace release_job_test {

using namespace lull;
using namespace lull::publisher;
using namespace lull::publisher::watch;
using test::put_file;

namespace {

SoftwareName const app = SoftwareName::parse("app").value();

struct Place {
    Prepared prepared() const { return prepare(app, tree, publisher).value(); }
    Error error() const {
        auto const result = prepare(app, tree, publisher);
        REQUIRE_FALSE(result);
        return result.error();
    }
    // The row of a release with the tree's contents of now.
    ReleaseRow row(std::string_view version, SigningKey const& signer) const {
        ReleaseRow row;
        row.software = app;
        row.version = VersionName::parse(version).value();
        Build build;
        build.contents = prepare(app, tree, {{}, signer, temporary / "cache"}).value().release.contents;
        row.builds = {build};
        return row;
    }
    ReleaseRow row(std::string_view version) const { return row(version, key); }
    Verdict::Kind verdict(std::vector<ReleaseRow> const& rows) const { return compare(prepared(), rows).kind; }

    test::TemporaryDirectory temporary;
    fs::path tree = fs::canonical(temporary.path()) / "tree";
    SigningKey key = SigningKey::generate();
    Publisher publisher{{}, key, temporary / "cache"};
};

using Kind = Verdict::Kind;

}  // namespace

TEST_CASE("a release is built as its options say, and a restart builds the same") {
    Place place;
    put_file(place.tree / "bin/run", "#!/bin/sh\n", 0755);
    put_file(place.tree / "lull.conf", "start = bin/run\npolicy = now\n");
    put_file(place.tree / "VERSION", "1.0\n");
    auto const first = place.prepared();
    CHECK(first.release.manifest.start == std::vector<std::string>{"bin/run"});
    CHECK(first.options.distribution.policy == Policy::now);
    CHECK(first.version.source == "VERSION");
    CHECK(place.prepared().release.manifest_digest == first.release.manifest_digest);
}

TEST_CASE("a version of a name is compared with the release of that version") {
    Place place;
    put_file(place.tree / "data", "old");
    put_file(place.tree / ".lull-version", "1.0\n");
    auto const old = place.row("1.0");
    CHECK(place.verdict({}) == Kind::new_release);
    CHECK(place.verdict({old}) == Kind::published);
    put_file(place.tree / "data", "new");
    CHECK(place.verdict({old}) == Kind::conflict);
    put_file(place.tree / ".lull-version", "1.1\n");
    CHECK(place.verdict({old}) == Kind::new_release);
}

TEST_CASE("a time stamp is compared with the newest release that is not a rollback") {
    Place place;
    put_file(place.tree / "data", "old");
    auto const old = place.row("2026.01.01-000000");
    put_file(place.tree / "data", "new");
    auto const new_one = place.row("2026.01.02-000000");
    auto back = old;
    back.version = VersionName::parse("2026.01.01-000000+back-2").value();
    CHECK(place.verdict({}) == Kind::new_release);
    CHECK(place.verdict({old, new_one}) == Kind::published);
    CHECK(place.verdict({old, new_one, back}) == Kind::published);
    CHECK(place.verdict({old}) == Kind::new_release);
    put_file(place.tree / "data", "old");
    CHECK(place.verdict({old, new_one}) == Kind::new_release);  // it went back by hand
    CHECK(place.verdict({place.row("2026.01.01-000000", SigningKey::generate())}) == Kind::new_release);
}

TEST_CASE("what was released last is known by its contents, whatever the times of the files are") {
    Place place;
    put_file(place.tree / "data", "1", 0644, 7200);
    auto const first = place.prepared();
    LastRelease last{first.version.version, {}, first.contents, {}};
    put_file(place.tree / "data", "1", 0644, 3600);
    CHECK(is_last(place.prepared(), last));
    CHECK_FALSE(is_last(place.prepared(), std::nullopt));
    put_file(place.tree / "data", "2");
    CHECK_FALSE(is_last(place.prepared(), last));
    put_file(place.tree / "data", "1");
    put_file(place.tree / ".lull-version", "1.0");
    CHECK_FALSE(is_last(place.prepared(), last));  // the same contents under a new version are a release
    last.version = VersionName::parse("1.0").value();
    CHECK(is_last(place.prepared(), last));
}

TEST_CASE("what only a change of the tree can repair is told from other failures") {
    Place place;
    put_file(place.tree / "data", "1");
    for (auto const* const options :
         {"polcy = now\n", "policy = never\n", "start = bin/none\n", "health = bin/none\n"}) {
        put_file(place.tree / "lull.conf", options);
        auto const fault = place.error().fault;
        INFO(options << place.error().message);
        CHECK((fault == Fault::usage || fault == Fault::refused));
    }
    fs::remove(place.tree / "lull.conf");
    put_file(place.tree / "VERSION", "no version");
    CHECK(place.error().fault == Fault::usage);
}

TEST_CASE("a tree that changed since the look is not released") {
    Place place;
    put_file(place.tree / "data", "1");
    CHECK(place.prepared().release.files.size() == 1);
    watch::action::Publish const order{app, 1, sha256(as_view("another tree")), std::nullopt};
    auto const outcome = release(order, place.tree, place.publisher);
    REQUIRE(std::holds_alternative<watch::outcome::Changed>(outcome));
    CHECK(std::get<watch::outcome::Changed>(outcome).text == "changed before it was read; nothing was released");
}

TEST_CASE("a tree behind a symbolic link is not published") {
    Place place;
    put_file(place.temporary / "secrets/key", "1");
    fs::create_directory_symlink("secrets", place.tree);
    CHECK(place.error().fault == Fault::refused);
    CHECK_FALSE(look_at(place.tree, nullptr, {}));
    auto const listed = list_software(fs::canonical(place.temporary.path()));
    REQUIRE(listed);
    CHECK(listed->names == std::vector<SoftwareName>{SoftwareName::parse("secrets").value()});
    REQUIRE(listed->invalid.size() == 1);
    CHECK_THAT(listed->invalid[0], Catch::Contains("symbolic link"));
}

}  // namespace release_job_test
