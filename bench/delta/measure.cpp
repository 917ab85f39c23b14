// What an update from one tree to another costs with lull's segments and deltas: bench_delta OLD NEW [LEVEL]
// Makes both releases as `lull publish` does, and all that a broker would make of them and a node would do with it, but without network and
// stores. One line of JSON: bytes on the wire, seconds, peak memory. Fails if what a node would make differs from what was published.

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>
#include <map>

#include "publisher/builder.hpp"
#include "store/anchors.hpp"
#include "store/bases.hpp"
#include "store/compression.hpp"

using namespace lull;

namespace {

constexpr Bytes largest_file = MiB(4096);
constexpr std::uint64_t a_frame = 160;  // bytes of header, body and CURVE around the payload of one DATA, and of its ACK

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto const seconds = [](timeval const& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class T>
T must(Result<T> result) {
    if (result) return std::move(*result);
    fmt::print(stderr, "bench_delta: {}\n", result.error().message);
    std::exit(1);
}

publisher::Release build(fs::path const& path, char const* version, SigningKey const& key) {
    publisher::StatCache cache;
    auto const tree = must(publisher::open_source(path, publisher::TopDirectory::keep));
    publisher::BuildRequest const request{*SoftwareName::parse("app"), *VersionName::parse(version), *ArchitectureName::parse("any"), {}};
    return must(publisher::build_release(tree, request, key, cache, [](Bytes, Bytes) {}));
}

// Files of a release by their digest.
std::map<Digest, fs::path> files_of(publisher::Release const& release) {
    std::map<Digest, fs::path> files;
    std::size_t i = 0;
    for (auto const& entry : release.manifest.entries) {
        if (entry.type == EntryType::file) files.emplace(*entry.digest, release.files.at(i++));
    }
    return files;
}

Buffer read_base(std::map<Digest, fs::path> const& files, std::vector<store::BaseRange> const& ranges) {
    Buffer base;
    for (auto const& range : ranges) {
        auto const file = must(read_file(files.at(range.file), largest_file));
        auto const begin = file.begin() + static_cast<std::ptrdiff_t>(range.offset.count());
        base.insert(base.end(), begin, begin + static_cast<std::ptrdiff_t>(range.length.count()));
    }
    return base;
}

// The part of a large old file that a segment resembles.
void narrow(store::LackingSegment& lacking, std::map<Digest, fs::path> const& files, View plain) {
    auto& range = lacking.base.front();
    store::AnchorFinder old;
    old.feed(must(read_file(files.at(range.file), range.length)));
    store::AnchorFinder piece;
    piece.feed(plain);
    auto const window = std::min(range.length, store::most_base);
    range.offset = store::locate(old.anchors(), range.length, piece.anchors(), lacking.relative_place, window);
    range.length = window;
}

std::vector<std::vector<store::Anchor>> anchors_of(std::vector<Digest> const& digests, std::map<Digest, fs::path> const& files) {
    std::vector<std::vector<store::Anchor>> anchors;
    for (auto const& digest : digests) {
        store::AnchorFinder finder;
        finder.feed(must(read_file(files.at(digest), largest_file)));
        anchors.push_back(finder.anchors());
    }
    return anchors;
}

// Files with new names, by what is in them.
std::map<Digest, Digest> find_alike(publisher::Release const& from, publisher::Release const& to) {
    auto const strangers = store::find_strangers(from.manifest, to.manifest);
    auto const twins = store::most_alike(anchors_of(strangers.gone, files_of(from)), anchors_of(strangers.fresh, files_of(to)));
    std::map<Digest, Digest> alike;
    for (std::size_t i = 0; i < twins.size(); ++i) {
        if (twins[i]) alike.emplace(strangers.fresh[i], strangers.gone[*twins[i]]);
    }
    return alike;
}

struct Outcome {
    std::uint64_t bytes = 0;
    std::uint64_t plain = 0;
    std::size_t deltas = 0;
    std::size_t segments = 0;
    double make = 0;
    double apply = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: bench_delta OLD NEW [LEVEL]\n");
        return 2;
    }
    int const level = argc > 3 ? std::atoi(argv[3]) : store::small_level;
    auto const key = SigningKey::generate();
    auto const from = build(argv[1], "1", key);
    auto const to = build(argv[2], "2", key);
    auto const files = files_of(from);

    Outcome outcome;
    auto begun = cpu_seconds();
    auto const manifest = store::make_delta(from.manifest_object, to.manifest_object, level);
    outcome.make += cpu_seconds() - begun;
    outcome.bytes = manifest.size() + 2 * a_frame;
    begun = cpu_seconds();
    auto lacking = store::find_bases(from.manifest, to.manifest, find_alike(from, to));
    outcome.make += cpu_seconds() - begun;
    for (auto& needed : lacking) {
        auto const& segment = to.manifest.segments[needed.segment];
        auto const plain = must(publisher::read_segment(to, needed.segment));
        begun = cpu_seconds();
        if (needed.to_locate) narrow(needed, files, plain);
        auto const base = read_base(files, needed.base);
        auto const delta = store::make_delta(base, plain, level);
        outcome.make += cpu_seconds() - begun;
        begun = cpu_seconds();
        if (must(store::apply_delta(segment, base, delta)) != plain) return 1;
        outcome.apply += cpu_seconds() - begun;
        ++outcome.segments;
        outcome.deltas += needed.base.empty() ? 0 : 1;
        outcome.plain += plain.size();
        outcome.bytes += delta.size() + a_frame + needed.base.size() * 48 + 80;  // the object, and its step in STEPS
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print("{{\"bytes\": {}, \"manifest\": {}, \"plain\": {}, \"segments\": {}, \"deltas\": {}, \"make_seconds\": {:.3f}, "
               "\"apply_seconds\": {:.3f}, \"make_rss\": {}}}\n",
               outcome.bytes, manifest.size(), outcome.plain, outcome.segments, outcome.deltas, outcome.make, outcome.apply,
               usage.ru_maxrss * 1024);
}
