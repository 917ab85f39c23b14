#include "subscriber/tree/segment_runs.hpp"

#include "fixture.hpp"

namespace lull::subscriber::test::segment_runs_test {

namespace {

using Wanted = std::vector<std::uint32_t>;

Manifest manifest_of(Tree const& tree, std::size_t cut) {
    return Publisher(cut).publish(release(1, "1"), tree).manifest;
}

}  // namespace

TEST_CASE("the runs of all segments put every byte of every file in its place once") {
    for (std::size_t const cut : {1, 2, 3, 7, 10, 100}) {
        auto const manifest = manifest_of({{"a", "0123456789"}, {"b", ""}, {"c", "x"}, {"d", "abcdefgh"}}, cut);
        SegmentRuns segments(manifest, {0, 1, 2, 3});
        std::map<std::size_t, Bytes> filled;
        Wanted seen;
        while (auto const segment = segments.next()) {
            seen.push_back(*segment);
            for (auto const& run : segments.runs()) {
                CHECK(filled[run.entry] == run.in_file);
                CHECK(run.in_segment + run.length <= manifest.segments[*segment].size);
                filled[run.entry] += run.length;
            }
        }
        CHECK(filled == std::map<std::size_t, Bytes>{{0, Bytes(10)}, {2, Bytes(1)}, {3, Bytes(8)}});
        CHECK(seen.size() == manifest.segments.size());
        CHECK(std::is_sorted(seen.begin(), seen.end()));
    }
}

TEST_CASE("without a base every segment is wanted, with an equal one none") {
    Tree const tree = {{"a", "0123456789"}, {"b", "abcdefghij"}};
    auto const manifest = manifest_of(tree, 5);
    CHECK(wanted_segments(manifest, nullptr) == Wanted{0, 1, 2, 3});
    CHECK(wanted_segments(manifest, &manifest).empty());
    // Where the file lies, and how the base was cut, does not matter.
    auto const moved = manifest_of({{"z/", ""}, {"z/one", "0123456789"}, {"zz", "abcdefghij"}}, 3);
    CHECK(wanted_segments(manifest, &moved).empty());
}

TEST_CASE("only the segments of files that the base lacks are wanted, shared ones included") {
    auto const manifest = manifest_of({{"a", "0123"}, {"b", "45678901"}, {"c", "23456789"}}, 5);
    auto const base = manifest_of({{"a", "0123"}, {"c", "23456789"}}, 5);
    // "b" is bytes 4 to 11: the end of segment 0, segment 1, the beginning of segment 2.
    CHECK(wanted_segments(manifest, &base) == Wanted{0, 1, 2});
}

}  // namespace lull::subscriber::test::segment_runs_test
