#include <catch2/catch.hpp>

#include "broker/objects/stored_manifest.hpp"
#include "broker_fixture.hpp"
#include "core/text.hpp"
#include "store/pack_files.hpp"
#include "store/pack_format.hpp"
#include "tests/support/hostile_manifests.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hostile_manifest_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

constexpr SessionId session = 1;

Entry entry(std::string path, EntryType type, std::uint64_t size = 0) {
    Entry made;
    made.path = std::move(path);
    made.type = type;
    made.size = Bytes(size);
    if (type == EntryType::file) made.digest = digest_of(made.path);
    if (size > 0) {
        made.segment = 0;
        made.offset = Bytes(0);
    }
    return made;
}

Entry link(std::string path, std::string target) {
    auto made = entry(std::move(path), EntryType::symlink);
    made.target = std::move(target);
    return made;
}

Manifest honest() {
    Manifest m{software("app"),
               version("1.0"),
               architecture("amd64"),
               {},
               {{digest_of("a"), Bytes(100)}, {digest_of("b"), Bytes(50)}},
               {"bin/app"}};
    m.entries = {entry("bin", EntryType::directory),
                 entry("bin/app", EntryType::file, 150),
                 link("bin/run", "app"),
                 entry("data", EntryType::file, 100),
                 entry("lib", EntryType::directory),
                 entry("lib/deep", EntryType::directory),
                 entry("lib/deep/data", EntryType::file, 20),
                 link("lib/deep/up", "../../bin/app"),
                 entry("lib/empty", EntryType::file),
                 link("lib/root", "..")};
    m.entries[1].executable = true;
    return m;
}

// A publisher who is trusted and whose manifests may be anything, up to the answer to its last PUT.
struct Upload {
    SigningKey key = SigningKey::generate();
    TrustedKeys trusted{{key.public_key()}};
    lull::test::TemporaryDirectory directory;
    FakeIndex index;
    Uploads offers{index, UploadLimits{.window = MiB(64), .uploads = 2}};

    Actions of(Buffer const& payload) {
        auto const object = store::pack_object(encode(seal(payload, domain::manifest, key)), store::quick_level);
        auto const claimed = honest();
        Build const build{claimed.architecture, object.shape.object, object.shape.plain, claimed.content_size(),
                          claimed.file_count()};
        auto actions = offers.begin(session, peer_key(1), {claimed.software, claimed.version, {build}}, trusted);
        append(actions, offers.put(session, Put{object.shape, Bytes()}, object.bytes));
        REQUIRE(all<KeepObject>(actions).size() == 1);
        index.add(object.shape);
        append(actions, offers.object_kept({session, object.shape.object, object.shape.stored, {}}));
        REQUIRE(all<OpenManifest>(actions).size() == 1);
        return offers.manifest_opened({session, object.shape.object, open(object)});
    }

private:
    // From a pack, as the daemon does it.
    Result<Manifest> open(store::StoredObject const& object) {
        constexpr std::uint64_t store_id = 1;
        constexpr std::uint32_t number = 1;
        auto const path = directory / store::pack_name(number);
        auto file = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
        REQUIRE(write_exactly(file->get(), 0, store::encode(store::PackHeader{number, store_id}), path));
        REQUIRE(write_exactly(file->get(), store::PackHeader::size, object.bytes, path));
        store::PackFiles files(directory.path(), store_id, 1);
        return open_stored_manifest(files.get(number), {number, Bytes(store::PackHeader::size), object.shape}, trusted);
    }
};

}  // namespace

TEST_CASE("the broker asks for the segments of an honest manifest") {
    Upload upload;
    CHECK(only<Need>(upload.of(encode(honest())), session).objects.size() == 2);
}

TEST_CASE("each hostile manifest is refused at the broker, with path and reason, and nothing more is asked for") {
    Upload upload;
    std::size_t refused = 0;
    for (auto const& hostile : lull::test::hostile_manifests(honest())) {
        CAPTURE(hostile.group, hostile.what);
        auto const actions = upload.of(hostile.payload);
        auto const answer = only<Refused>(actions, session);
        CAPTURE(answer.text);
        bool const names_field = answer.text.starts_with("field '");
        CHECK((names_field || answer.text.find(hostile.reason) != std::string::npos));
        CHECK(
            (names_field || hostile.path.empty() || answer.text.find(lull::quoted(hostile.path)) != std::string::npos));
        CHECK_FALSE(has_controls(answer.text));
        CHECK(sent<Need>(actions, session).empty());
        ++refused;
    }
    CHECK(refused >= 300);
}

}  // namespace hostile_manifest_test
