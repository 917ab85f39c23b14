#include "schema/manifest.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "tests/unit/schema/samples.hpp"

namespace manifest_test {

using namespace lull;
using namespace lull::test;

namespace {

struct Hostile {
    char const* what;
    std::function<void(Manifest&)> change;
    char const* reason;
};

Entry& at(Manifest& m, std::string_view path) {
    for (auto& entry : m.entries) {
        if (entry.path == path) return entry;
    }
    FAIL("no such entry");
    return m.entries.front();
}

// Adds an entry at its sorted place.
void add(Manifest& m, Entry entry) {
    auto const place = std::lower_bound(m.entries.begin(), m.entries.end(), entry,
                                        [](Entry const& a, Entry const& b) { return a.path < b.path; });
    m.entries.insert(place, std::move(entry));
}

void move_entry(Manifest& m, std::string_view from, std::string to) {
    auto entry = at(m, from);
    std::erase_if(m.entries, [&](Entry const& e) { return e.path == from; });
    entry.path = std::move(to);
    add(m, entry);
}

std::function<void(Manifest&)> with_file(std::string path) {
    return [path = std::move(path)](Manifest& m) { add(m, file_entry(path, 0, 0, 0)); };
}

std::function<void(Manifest&)> with_link(std::string path, std::string target) {
    return [path = std::move(path), target = std::move(target)](Manifest& m) { add(m, link_entry(path, target)); };
}

constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

// clang-format off
std::vector<Hostile> const hostile = {
    {"no software", [](Manifest& m) { m.software = {}; }, "is not set"},
    {"no version", [](Manifest& m) { m.version = {}; }, "is not set"},
    {"no architecture", [](Manifest& m) { m.architecture = {}; }, "is not set"},

    {"an empty path", with_file(""), "the path is empty"},
    {"an absolute path", with_file("/etc/passwd"), "absolute"},
    {"the root itself", with_file("/"), "absolute"},
    {"a parent directory", with_file(".."), "'.' or '..'"},
    {"a path that climbs", with_file("../x"), "'.' or '..'"},
    {"a path that climbs in the middle", with_file("lib/../../x"), "'.' or '..'"},
    {"a path that climbs at its end", with_file("lib/.."), "'.' or '..'"},
    {"the tree itself", with_file("."), "'.' or '..'"},
    {"a dot component", with_file("lib/./x"), "'.' or '..'"},
    {"two slashes", with_file("lib//x"), "empty component"},
    {"a slash at the end", with_file("lib/x/"), "empty component"},
    {"a NUL", with_file(std::string("lib/a\0b", 7)), "control character"},
    {"a newline", with_file("lib/a\nb"), "control character"},
    {"an escape", with_file("lib/\x1b[31m"), "control character"},
    {"a delete", with_file("lib/\x7f"), "control character"},
    {"an eight-bit control", with_file("lib/\xc2\x9b" "31m"), "control character"},
    {"a path that is no UTF-8", with_file("lib/\xff"), "not UTF-8"},
    {"an overlong slash", with_file("lib\xc0\xaf" "x"), "not UTF-8"},
    {"a component that is too long", with_file("lib/" + std::string(256, 'x')), "longer than 255"},
    {"a path that is too long", with_file(std::string(1025, 'x')), "longer than 1024"},

    {"a path twice", [](Manifest& m) { m.entries.insert(m.entries.begin() + 1, m.entries[0]); }, "listed twice"},
    {"a file and a directory of one path", [](Manifest& m) { m.entries.insert(m.entries.begin(), file_entry("bin", 0, 0, 0)); }, "listed twice"},
    {"paths out of order", [](Manifest& m) { std::swap(m.entries[0], m.entries[1]); }, "sorted bytewise"},
    {"a child before its parent", [](Manifest& m) { std::swap(at(m, "lib"), at(m, "lib/deep")); }, "is not listed"},
    {"a path without its directory", with_file("none/x"), "is not listed"},
    {"a path whose directory is deeper down", with_file("lib/none/x"), "is not listed"},
    {"a directory that is listed as a prefix only", with_file("li/x"), "is not listed"},
    {"a file below a file", with_file("lib/empty/x"), "'lib/empty' is no directory"},
    {"a file below a symlink", with_file("lib/root/x"), "'lib/root' is no directory"},
    {"a directory below a symlink to outside", [](Manifest& m) {
        add(m, link_entry("etc", "../etc"));
        add(m, directory_entry("etc/cron.d"));
     }, "outside of the release"},

    {"a link to nothing", with_link("lib/l", ""), "to nothing"},
    {"a link without target", [](Manifest& m) { at(m, "bin/run").target.reset(); }, "needs a target"},
    {"an absolute link", with_link("lib/l", "/etc/passwd"), "has to be relative"},
    {"a link out of the tree", with_link("l", ".."), "outside of the release"},
    {"a link out of the tree from below", with_link("lib/deep/l", "../../../x"), "outside of the release"},
    {"a link that climbs far", with_link("lib/l", "../../../../../../etc/passwd"), "outside of the release"},
    {"a link that climbs behind dots", with_link("lib/l", "././/../..//x"), "outside of the release"},
    {"a link that climbs through a link", with_link("lib/l", "root/../.."), "only at the front"},
    {"a link that goes down and up", with_link("lib/l", "deep/../empty"), "only at the front"},
    {"a link target with NUL", with_link("lib/l", std::string("a\0/../../..", 11)), "control character"},
    {"a link target with an escape", with_link("lib/l", "\x1b]0;x\x07"), "control character"},
    {"a link target that is no UTF-8", with_link("lib/l", "\xfe"), "not UTF-8"},
    {"a link target that is too long", with_link("lib/l", std::string(1025, 'x')), "longer than 1024"},
    {"a link target with a long component", with_link("lib/l", std::string(256, 'x')), "too long"},
    {"an executable link", [](Manifest& m) { at(m, "bin/run").executable = true; }, "only a file"},
    {"a link with a size", [](Manifest& m) { at(m, "bin/run").size = Bytes(1); }, "only a file"},
    {"a link with a digest", [](Manifest& m) { at(m, "bin/run").digest = digest(1); }, "only a file"},

    {"a directory with a target", [](Manifest& m) { at(m, "bin").target = "lib"; }, "no link target"},
    {"an executable directory", [](Manifest& m) { at(m, "bin").executable = true; }, "only a file"},
    {"a directory with a segment", [](Manifest& m) { at(m, "bin").segment = 0; }, "only a file"},
    {"a directory with an offset", [](Manifest& m) { at(m, "bin").offset = Bytes(0); }, "only a file"},
    {"a type that does not exist", [](Manifest& m) { at(m, "bin").type = static_cast<EntryType>(3); }, "neither file"},

    {"a file with a target", [](Manifest& m) { at(m, "bin/kiosk").target = "x"; }, "no link target"},
    {"a file without digest", [](Manifest& m) { at(m, "bin/kiosk").digest.reset(); }, "needs the digest"},
    {"a file with a digest of zeros", [](Manifest& m) { at(m, "bin/kiosk").digest = Digest(); }, "needs the digest"},
    {"an empty file without digest", [](Manifest& m) { at(m, "lib/empty").digest.reset(); }, "needs the digest"},
    {"an empty file in a segment", [](Manifest& m) { at(m, "lib/empty").segment = 0; }, "empty file"},
    {"an empty file at an offset", [](Manifest& m) { at(m, "lib/empty").offset = Bytes(0); }, "empty file"},
    {"a file without segment", [](Manifest& m) { at(m, "bin/kiosk").segment.reset(); }, "needs a segment"},
    {"a file without offset", [](Manifest& m) { at(m, "bin/kiosk").offset.reset(); }, "needs a segment"},
    {"a segment behind the last", [](Manifest& m) { at(m, "bin/kiosk").segment = 3; }, "segment 3 of 3"},
    {"a segment far behind the last", [](Manifest& m) { at(m, "bin/kiosk").segment = 0xffffffff; }, "of 3"},
    {"an offset at the end of the segment", [](Manifest& m) { at(m, "bin/kiosk").offset = Bytes(100); }, "behind the end of its segment"},
    {"an offset that would wrap", [](Manifest& m) { at(m, "bin/kiosk").offset = Bytes(huge); }, "behind the end of its segment"},
    {"a file one byte longer than the contents", [](Manifest& m) { at(m, "lib/deep/big").size = limits::segment + Bytes(1); }, "end before it does"},
    {"a size that would wrap", [](Manifest& m) { at(m, "bin/kiosk").size = Bytes(huge); }, "end before it does"},
    {"a size that would wrap with its offset", [](Manifest& m) { at(m, "bin/kiosk").size = Bytes(huge - 9); }, "end before it does"},
    {"contents without segments", [](Manifest& m) { m.segments.clear(); }, "of 0"},

    {"an empty segment", [](Manifest& m) { m.segments[1].size = Bytes(0); }, "instead of 1 to"},
    {"a segment that is too large", [](Manifest& m) { m.segments[2].size = limits::segment + Bytes(1); }, "instead of 1 to"},
    {"segments whose sum would wrap", [](Manifest& m) { m.segments[0].size = Bytes(huge); }, "instead of 1 to"},
    {"a segment without digest", [](Manifest& m) { m.segments[0].digest = Digest(); }, "has no digest"},
    {"a segment that nobody uses", [](Manifest& m) { m.segments.push_back(Segment{digest(40), Bytes(5)}); }, "no file uses segment 3"},
    {"a segment in the middle that nobody uses", [](Manifest& m) {
        at(m, "bin/kiosk").size = Bytes(20);
        std::erase_if(m.entries, [](Entry const& e) { return e.path == "lib/\xc3\xbcml\xc3\xa4ut"; });
     }, "no file uses segment 1"},
    {"segments of one digest and two sizes", [](Manifest& m) { m.segments[1].digest = m.segments[0].digest; }, "two sizes"},
    {"too many segments", [](Manifest& m) { m.segments.resize(limits::segments_per_manifest + 1, m.segments[0]); }, "more than 262144"},
    {"too many paths", [](Manifest& m) { m.entries.resize(limits::files_per_manifest + 1); }, "more than 1000000"},

    {"a start program that is not there", [](Manifest& m) { m.start = {"bin/none"}; }, "is not in the release"},
    {"a start program outside", [](Manifest& m) { m.start = {"/bin/sh", "-c", "x"}; }, "is not in the release"},
    {"a start program without a name", [](Manifest& m) { m.start = {""}; }, "is not in the release"},
    {"a start program that is a directory", [](Manifest& m) { m.start = {"bin"}; }, "no executable file"},
    {"a start program that is not executable", [](Manifest& m) { m.start = {"bin-notes"}; }, "no executable file"},
    {"a start word with NUL", [](Manifest& m) { m.start.emplace_back("a\0b", 3); }, "no text"},
    {"a start word that is no UTF-8", [](Manifest& m) { m.start.emplace_back("\xff"); }, "no text"},
    {"a start word that is too long", [](Manifest& m) { m.start.emplace_back(limits::text + 1, 'x'); }, "too long"},
    {"too many start words", [](Manifest& m) { m.start.resize(limits::start_words + 1, "x"); }, "more than 64"},
};
// clang-format on

Buffer sealed(Manifest const& m, SigningKey const& key, std::string_view domain = domain::manifest) {
    return encode(seal(encode(m), domain, key));
}

}  // namespace

TEST_CASE("a manifest with everything that is allowed is good") {
    CHECK(validate(manifest()).has_value());
    CHECK(manifest().file_count() == 5);
    CHECK(manifest().content_size() == Bytes(120 + 100 + 20) + limits::segment);
}

TEST_CASE("an empty tree is a good manifest") {
    auto m = manifest();
    m.entries.clear();
    m.segments.clear();
    m.start.clear();
    CHECK(validate(m).has_value());
}

TEST_CASE("hostile manifests are refused with the reason") {
    for (auto const& [what, change, reason] : hostile) {
        CAPTURE(what);
        auto m = manifest();
        change(m);
        auto const status = validate(m);
        REQUIRE_FALSE(status.has_value());
        CAPTURE(status.error().message);
        CHECK(status.error().fault == Fault::refused);
        CHECK(status.error().message.find(reason) != std::string::npos);
        CHECK(status.error().message.size() < 600);
        for (char const c : status.error().message) CHECK(static_cast<unsigned char>(c) >= ' ');
    }
}

TEST_CASE("a message about a path names it") {
    auto m = manifest();
    move_entry(m, "lib/empty", "none/empty");
    CHECK(validate(m).error().message.find("'none/empty'") != std::string::npos);
}

TEST_CASE("paths and links at their bounds are good") {
    CHECK(validate_path(std::string(255, 'x')).has_value());
    CHECK(validate_path(std::string(255, 'x') + "/...").has_value());
    CHECK(validate_path("..a/b..").has_value());
    CHECK(validate_path("a b;$(c)'\"*").has_value());
    CHECK(validate_path("\xe6\x97\xa5\xe6\x9c\xac").has_value());
    CHECK(validate_link("a/b/c", "../..").has_value());
    CHECK(validate_link("a/b/c", "../../x/").has_value());
    CHECK(validate_link("a", "...").has_value());
    CHECK(validate_link("a", ".").has_value());
    CHECK_FALSE(validate_link("a/b/c", "../../..").has_value());
}

TEST_CASE("many files of many directories are looked at once") {
    auto m = manifest();
    m.entries.clear();
    m.start.clear();
    m.segments = {Segment{digest(1), Bytes(1)}};
    for (int d = 0; d < 300; ++d) {
        auto const name = fmt::format("d{:04}", d);
        m.entries.push_back(directory_entry(name));
        for (int f = 0; f < 300; ++f) m.entries.push_back(file_entry(fmt::format("{}/{:04}", name, f), 1, 0, 0));
    }
    CHECK(validate(m).has_value());
    m.entries.back().path = m.entries[m.entries.size() - 2].path;
    CHECK_FALSE(validate(m).has_value());
}

TEST_CASE("equal segments may follow each other") {
    auto m = manifest();
    m.start.clear();
    m.segments.assign(3, Segment{digest(1), limits::segment});
    m.entries = {file_entry("zeros", 3 * limits::segment.count(), 0, 0)};
    CHECK(validate(m).has_value());
    m.entries[0].size -= limits::segment;
    CHECK(validate(m).error().message.find("no file uses segment 2") != std::string::npos);
}

TEST_CASE("a manifest object is opened by digest, signature, decoding and rules, in this order") {
    auto const key = SigningKey::generate();
    TrustedKeys const trusted({key.public_key()});
    auto const object = sealed(manifest(), key);
    CHECK(open_manifest(object, sha256(object), trusted) == manifest());

    auto const open = [&](Buffer const& bytes) { return open_manifest(bytes, sha256(bytes), trusted); };
    CHECK(open_manifest(object, digest(1), trusted).error().fault == Fault::damaged);
    CHECK(open(sealed(manifest(), SigningKey::generate())).error().fault == Fault::refused);
    CHECK(open(sealed(manifest(), key, domain::update_info)).error().fault == Fault::refused);
    CHECK(open(Buffer()).error().fault == Fault::damaged);
    CHECK(open(encode(seal(to_buffer(as_view("\xc1")), domain::manifest, key))).error().fault == Fault::damaged);
    auto hostile_but_signed = manifest();
    hostile_but_signed.entries.front().path = "/etc";
    auto const refused = open(sealed(hostile_but_signed, key));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().fault == Fault::refused);
    CHECK(refused.error().message.find("absolute") != std::string::npos);
}

TEST_CASE("a manifest object that is cut or changed anywhere is refused") {
    auto const key = SigningKey::generate();
    TrustedKeys const trusted({key.public_key()});
    auto const object = sealed(manifest(), key);
    for (std::size_t i = 0; i < object.size(); ++i) {
        auto changed = object;
        changed[i] ^= std::byte{0x04};
        CHECK_FALSE(open_manifest(changed, sha256(object), trusted).has_value());
        // Even if whoever changed it could also change the digest.
        CHECK_FALSE(open_manifest(changed, sha256(changed), trusted) == manifest());
        auto const cut = View(object).first(i);
        CHECK_FALSE(open_manifest(cut, sha256(cut), trusted).has_value());
    }
}

}  // namespace manifest_test
