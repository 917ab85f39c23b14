#include "subscriber/install/switch_current.hpp"

#include "fixture.hpp"
#include "subscriber/usage/use_lock.hpp"

namespace lull::subscriber::test::switch_current_test {

namespace {

struct ThreeVersions {
    Node node;
    Layout const& layout = node.layout;
    ReleaseId one = node.install(1, "1.0", {{"data", "1"}});
    ReleaseId two = node.install(2, "2.0", {{"data", "2"}});
    ReleaseId three = node.install(3, "3.0", {{"data", "3"}});
    SoftwareName app = one.software;

    ThreeVersions() { REQUIRE(switch_current(layout, three)); }

    [[nodiscard]] bool is_there(ReleaseId const& id) const {
        bool const tree = fs::exists(layout.tree(id));
        CHECK(fs::exists(layout.manifest(id)) == tree);
        CHECK(fs::exists(layout.lock(id)) == tree);
        return tree;
    }
    [[nodiscard]] std::vector<ReleaseId> remove(std::vector<ReleaseId> const& keep) const {
        auto const removed = remove_superseded(layout, app, keep);
        if (!removed) FAIL(removed.error().message);
        return *removed;
    }
};

}  // namespace

TEST_CASE("current cannot be switched to a version that is not there, and stays as it was") {
    ThreeVersions versions;
    CHECK(switch_current(versions.layout, release(9, "9.0")).error().fault == Fault::not_found);
    CHECK(versions.layout.current(versions.app).value() == versions.three);
}

TEST_CASE("a switch is repeatable, goes both ways, and clears what an interrupted one has left") {
    ThreeVersions versions;
    fs::create_symlink("nowhere", versions.layout.software(versions.app) / ".current-new");
    REQUIRE(switch_current(versions.layout, versions.one));
    REQUIRE(switch_current(versions.layout, versions.one));
    CHECK(versions.layout.current(versions.app).value() == versions.one);
    REQUIRE(switch_current(versions.layout, versions.three));
    CHECK(versions.layout.current(versions.app).value() == versions.three);
    CHECK_FALSE(fs::is_symlink(versions.layout.software(versions.app) / ".current-new"));
}

TEST_CASE("superseded versions go with manifest and lock file; current and what is to be kept stay") {
    ThreeVersions versions;
    CHECK(versions.remove({versions.two}) == std::vector{versions.one});
    CHECK_FALSE(versions.is_there(versions.one));
    CHECK(versions.is_there(versions.two));
    CHECK(versions.is_there(versions.three));
    CHECK(versions.remove({}) == std::vector{versions.two});
    CHECK(versions.is_there(versions.three));
}

TEST_CASE("a version that is locked stays until the lock ends") {
    ThreeVersions versions;
    {
        auto const lock = UseLock::shared(versions.layout.lock(versions.one));
        REQUIRE(lock);
        CHECK(versions.remove({}) == std::vector{versions.two});
        CHECK(versions.is_there(versions.one));
    }
    CHECK(versions.remove({}) == std::vector{versions.one});
}

TEST_CASE("a version that somebody uses without a lock stays as well") {
    ThreeVersions versions;
    {
        Child const child({TEST_PROGRAM, "map", versions.layout.tree(versions.one) / "data"});
        child.wait_ready();
        CHECK(versions.remove({}) == std::vector{versions.two});
        CHECK(versions.is_there(versions.one));
    }
    CHECK(versions.remove({}) == std::vector{versions.one});
}

TEST_CASE("to make room only the version that is named goes, and not where it is current or in use") {
    ThreeVersions versions;
    auto const room = [&](ReleaseId const& only) {
        return make_room(versions.layout, {versions.app, {}, only}).value();
    };
    CHECK(room(versions.three) == std::vector{versions.one, versions.two, versions.three});
    {
        auto const lock = UseLock::shared(versions.layout.lock(versions.one));
        REQUIRE(lock);
        CHECK(room(versions.one) == std::vector{versions.one, versions.two, versions.three});
    }
    CHECK(room(versions.one) == std::vector{versions.two, versions.three});
    CHECK_FALSE(versions.is_there(versions.one));
    CHECK(versions.is_there(versions.two));
    CHECK(versions.is_there(versions.three));
}

TEST_CASE("it is known beforehand whether all candidates together are not enough") {
    ThreeVersions versions;
    MakeRoom order{versions.app, {}, versions.one, {versions.one, versions.two, release(9, "9.0")}, KiB(4)};
    CHECK_FALSE(is_hopeless(versions.layout, order).value());
    order.lacking = MiB(1);
    CHECK(is_hopeless(versions.layout, order).value());
    order.lacking = Bytes();  // not known
    CHECK_FALSE(is_hopeless(versions.layout, order).value());
}

TEST_CASE("to make room without a name everything goes that is not to be kept") {
    ThreeVersions versions;
    CHECK(make_room(versions.layout, {versions.app, {versions.one}, {}}).value() ==
          std::vector{versions.one, versions.three});
}

TEST_CASE("nothing is removed while it is not known what is current") {
    ThreeVersions versions;
    auto const link = versions.layout.current_link(versions.app);
    fs::remove(link);
    fs::create_symlink("/elsewhere", link);
    CHECK(remove_superseded(versions.layout, versions.app, {}).error().fault == Fault::damaged);
    CHECK(versions.is_there(versions.one));
}

TEST_CASE("what interrupted calls have left goes, whatever is installed stays whole") {
    ThreeVersions versions;
    auto const& layout = versions.layout;
    auto const lost = release(4, "4.0");
    fs::create_directories(layout.garbage(versions.one) / "inner");
    fs::create_directories(layout.staging(lost) / "half");
    write_text(layout.manifest(lost), "manifest without a tree");
    write_text(layout.lock(lost), "");
    fs::rename(layout.tree(versions.two), layout.garbage(versions.two));
    CHECK(versions.remove({versions.one}).empty());
    CHECK(versions.is_there(versions.one));
    CHECK(versions.is_there(versions.three));
    CHECK_FALSE(versions.is_there(versions.two));
    CHECK_FALSE(versions.is_there(lost));
    auto const left = fs::directory_iterator(layout.versions(versions.app));
    CHECK(std::distance(left, fs::directory_iterator()) == 2);
}

}  // namespace lull::subscriber::test::switch_current_test
