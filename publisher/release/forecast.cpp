#include "publisher/release/forecast.hpp"

#include "store/compression.hpp"
#include "store/delta_maker.hpp"

namespace lull::publisher {

namespace {

store::ReleaseContents contents_of(Release const& release) {
    return {release.manifest, [&release](std::uint32_t segment) { return read_segment(release, segment); }};
}

// As the broker stores them: what a node without any release fetches.
Result<std::vector<ObjectShape>> stored_shapes(Release const& release) {
    std::vector<ObjectShape> shapes;
    for (std::uint32_t i = 0; i < release.manifest.segments.size(); ++i) {
        auto const plain = read_segment(release, i);
        if (!plain) return pass(plain.error());
        shapes.push_back(store::pack_object(*plain, store::quick_level).shape);
    }
    return shapes;
}

}  // namespace

Result<Forecast> forecast(Release const& from, Release const& to, ReadingProgress const& progress) {
    auto const shapes = stored_shapes(to);
    if (!shapes) return pass(shapes.error());
    Forecast forecast;
    forecast.whole = store::pack_object(to.manifest_object, store::quick_level).shape.stored;
    for (auto const& [digest, segment] : to.segments) forecast.whole += (*shapes)[segment].stored;

    auto manifest = store::make_delta(from.manifest_object, to.manifest_object, store::small_level);
    LULL_INVARIANT(manifest.has_value());  // there is no cancellation
    store::PatchBuilder builder(from.manifest_digest, to.manifest_digest);
    builder.set_manifest(std::move(*manifest));
    store::DeltaMaker maker(contents_of(from), contents_of(to));
    auto const lacking = maker.find_lacking();
    if (!lacking) return pass(lacking.error());
    Bytes total{};
    for (auto const& needed : *lacking) total += to.manifest.segments[needed.segment].size;
    Bytes done{};
    for (auto const& needed : *lacking) {
        progress(done, total);
        auto const& whole = (*shapes)[needed.segment];
        auto delta = maker.make_worthwhile(needed, whole, store::small_level);
        if (!delta) return pass(delta.error());
        if (*delta) {
            (void)builder.add(std::move(**delta));
        } else {
            builder.add_whole(needed.segment, whole);
        }
        done += to.manifest.segments[needed.segment].size;
    }
    forecast.update = builder.to_fetch() + store::pack_object(encode(builder.patch()), store::small_level).shape.stored;
    return forecast;
}

}  // namespace lull::publisher
