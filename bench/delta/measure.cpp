// What an update from one tree to another costs with lull's segments and deltas: bench_delta OLD NEW [LEVEL]
// Makes both releases as `lull publish` does, and all that a broker would make of them and a node would do with it, but
// without network and stores. One line of JSON: bytes on the wire, seconds, peak memory. Fails if what a node would
// make differs from what was published.

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "publisher/release/builder.hpp"
#include "schema/wire.hpp"
#include "store/delta_maker.hpp"

using namespace lull;

namespace {

constexpr std::uint64_t frame = 256 << 10;  // payload of one DATA

// A message with the headers of its two frames, as ZeroMQ counts them before it encrypts.
std::uint64_t bytes_of(Message const& message) {
    constexpr std::uint64_t frame_headers = 4;
    return wire::header_size + wire::encode_body(message).size() + frame_headers;
}

// Asking for an object, its bytes, and the answers to these.
std::uint64_t bytes_to_fetch(ObjectShape const& shape, SoftwareName const& software) {
    auto bytes = shape.stored.count() + bytes_of(Fetch{software, Seq{1000}, {{shape.object, Bytes()}}});
    for (std::uint64_t offset = 0; offset < shape.stored.count(); offset += frame) {
        bytes += bytes_of(Data{shape, Bytes(offset)}) + bytes_of(Ack{shape.stored}) + 2;
    }
    return bytes;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto const seconds = [](timeval const& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t memory_now(std::string_view what) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(what)) return std::strtoull(line.c_str() + what.size(), nullptr, 10) * 1024;
    }
    return 0;
}

std::uint64_t peak_memory() { return memory_now("VmHWM:"); }

// From here on peak_memory() is of what follows. Returns what is taken already.
std::uint64_t begin_peak() {
    malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << 5;  // proc(5)
    return memory_now("VmRSS:");
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
    publisher::BuildRequest const request{
        *SoftwareName::parse("app"), *VersionName::parse(version), *ArchitectureName::parse("any"), {}};
    return must(publisher::build_release(tree, request, key, cache, [](Bytes, Bytes) {}));
}

store::ReleaseContents contents_of(publisher::Release const& release) {
    return {release.manifest, [&release](std::uint32_t segment) { return publisher::read_segment(release, segment); }};
}

struct Outcome {
    std::uint64_t bytes = 0;
    std::uint64_t manifest = 0;
    std::uint64_t plain = 0;
    std::size_t deltas = 0;
    std::size_t segments = 0;
    double make = 0;
    double apply = 0;
    std::uint64_t make_memory = 0;   // of the whole process
    std::uint64_t apply_memory = 0;  // base, frame, plain bytes and what is beside them, of the segment that needs most
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

    Outcome outcome;
    store::DeltaMaker maker(contents_of(from), contents_of(to));
    store::ReleaseContents old = contents_of(from);
    store::PatchBuilder builder(sha256(from.manifest_object), sha256(to.manifest_object));
    auto begun = cpu_seconds();
    auto manifest = *store::make_delta(from.manifest_object, to.manifest_object, level);
    outcome.manifest = manifest.size();
    builder.set_manifest(std::move(manifest));
    auto const lacking = must(maker.find_lacking());
    outcome.make += cpu_seconds() - begun;
    for (auto const& needed : lacking) {
        auto const& segment = to.manifest.segments[needed.segment];
        auto const plain = must(publisher::read_segment(to, needed.segment));
        auto const whole = store::pack_object(plain, store::small_level);
        ++outcome.segments;
        outcome.plain += plain.size();
        begun = cpu_seconds();
        auto delta = needed.base.empty() ? std::nullopt : std::optional(must(maker.make(needed, level)));
        outcome.make += cpu_seconds() - begun;
        if (!delta || delta->frame.size() >= whole.bytes.size()) {
            builder.add_whole(needed.segment, whole.shape);
            continue;
        }
        ++outcome.deltas;
        auto const base = must(old.read(delta->base));
        outcome.make_memory = std::max(outcome.make_memory, peak_memory());
        auto const before = begin_peak();
        begun = cpu_seconds();
        auto const applied = must(store::apply_delta(segment, base, delta->frame));
        outcome.apply += cpu_seconds() - begun;
        outcome.apply_memory = std::max(outcome.apply_memory,
                                        base.size() + delta->frame.size() + peak_memory() - before);
        if (applied != plain) return 1;
        (void)builder.add(std::move(*delta));
    }
    auto const patch = store::pack_object(encode(builder.patch()), store::small_level);
    auto const& software = from.manifest.software;
    outcome.bytes = bytes_of(PatchQuery{software, from.manifest.architecture, Seq{999}, Seq{1000}}) +
                    bytes_of(PatchOffer{software, Seq{999}, Seq{1000}, patch.shape.object, patch.shape.plain, 0}) +
                    bytes_to_fetch(patch.shape, software);
    for (auto const& step : builder.patch().steps) {
        if (step.object)
            outcome.bytes += bytes_to_fetch({*step.object, ObjectCodec::raw, step.size, step.size}, software);
    }
    fmt::print(
        "{{\"bytes\": {}, \"manifest\": {}, \"plain\": {}, \"segments\": {}, \"deltas\": {}, \"make_seconds\": {:.3f}, "
        "\"apply_seconds\": {:.3f}, \"make_rss\": {}, \"apply_rss\": {}}}\n",
        outcome.bytes, outcome.manifest, outcome.plain, outcome.segments, outcome.deltas, outcome.make, outcome.apply,
        std::max(outcome.make_memory, peak_memory()), outcome.apply_memory);
}
