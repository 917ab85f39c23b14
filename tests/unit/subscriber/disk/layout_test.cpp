#include "subscriber/disk/layout.hpp"

#include "fixture.hpp"

namespace lull::subscriber::test::layout_test {

TEST_CASE("the name of a version's directory is its seq and version, and nothing else is read as one") {
    auto const id = release(12, "1.4.2-rc1");
    CHECK(id.directory_name() == "12-1.4.2-rc1");
    CHECK(ReleaseId::parse(id.software, "12-1.4.2-rc1").value() == id);
    for (auto const* wrong : {"", "12", "12-", "-1.0", "012-1.0", "0-1.0", "+12-1.0", " 12-1.0", "12_1.0", "12-../x",
                              "12-1/2", "99999999999999999999999-1", ".staging-12", "12-1.0 ", "1.0"}) {
        INFO(wrong);
        CHECK_FALSE(ReleaseId::parse(id.software, wrong));
    }
}

TEST_CASE("current is nothing without the link, and the release that a right link names") {
    Node node;
    auto const app = software("app");
    REQUIRE(node.layout.prepare(app));
    auto const none = node.layout.current(app);
    REQUIRE(none);
    CHECK_FALSE(none->has_value());
    fs::create_symlink("versions/3-1.0", node.layout.current_link(app));
    CHECK(node.layout.current(app).value() == release(3, "1.0"));
}

TEST_CASE("a current that is anything but a link to versions/SEQ-VERSION is damaged") {
    Node node;
    auto const app = software("app");
    REQUIRE(node.layout.prepare(app));
    auto const link = node.layout.current_link(app);
    auto const is_damaged = [&] {
        auto const current = node.layout.current(app);
        return !current && current.error().fault == Fault::damaged;
    };
    for (auto const* target : {"versions/3-1.0/", "./versions/3-1.0", "/versions/3-1.0", "versions/../3-1.0", "3-1.0",
                               "versions/", "versions/3-1.0/../../etc", "versions//3-1.0", "versions/.staging-3"}) {
        INFO(target);
        fs::create_symlink(target, link);
        CHECK(is_damaged());
        fs::remove(link);
    }
    fs::create_directory(link);
    CHECK(is_damaged());
}

TEST_CASE("the installed versions are listed by seq, and staging, garbage and strangers are not") {
    Node node;
    auto const app = software("app");
    REQUIRE(node.layout.prepare(app));
    for (auto const* name : {"10-2.0", "9-1.9", ".staging-11", ".garbage-1-1.0", "notes"}) {
        fs::create_directory(node.layout.versions(app) / name);
    }
    CHECK(node.layout.installed(app).value() == std::vector{release(9, "1.9"), release(10, "2.0")});
    CHECK(node.layout.installed(software("other")).value().empty());
    CHECK(node.layout.known_software().value() == std::vector{app});
}

TEST_CASE("the directory of secrets is closed to others, and refused where it is not") {
    Node node;
    CHECK((fs::status(node.layout.secret()).permissions() & fs::perms::mask) == fs::perms::owner_all);
    fs::permissions(node.layout.secret(), fs::perms(0755));
    auto const again = node.layout.prepare();
    REQUIRE_FALSE(again);
    CHECK(again.error().fault == Fault::refused);
}

}  // namespace lull::subscriber::test::layout_test
