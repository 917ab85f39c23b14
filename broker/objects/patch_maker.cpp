#include "broker/objects/patch_maker.hpp"

#include <set>

#include "broker/objects/stored_manifest.hpp"
#include "store/compression.hpp"

namespace lull::broker {

namespace {

int level_of(Effort effort) { return effort == Effort::quick ? store::quick_level : store::small_level; }

}  // namespace

Result<PatchMaker::Stored> PatchMaker::find(Digest const& object) {
    auto const place = packs_.find(object);
    if (!place) return fail(Fault::not_found, "object {} is not here", object.hex());
    return Stored{packs_.pack(place->pack), *place};
}

Result<std::vector<PatchMaker::Stored>> PatchMaker::find_segments(Manifest const& manifest) {
    std::vector<Stored> segments;
    segments.reserve(manifest.segments.size());
    for (auto const& segment : manifest.segments) {
        auto stored = find(segment.digest);
        if (!stored) return pass(stored.error());
        segments.push_back(std::move(*stored));
    }
    return segments;
}

Result<PatchMaker::Opened> PatchMaker::open(Stored const& from, Stored const& to) {
    auto old_object = read_plain(from.pack, from.place, limits::envelope);
    if (!old_object) return pass(old_object.error());
    auto new_object = read_plain(to.pack, to.place, limits::envelope);
    if (!new_object) return pass(new_object.error());
    auto old_manifest = decode_stored_manifest(*old_object);
    if (!old_manifest) return pass(old_manifest.error());
    auto new_manifest = decode_stored_manifest(*new_object);
    if (!new_manifest) return pass(new_manifest.error());
    return Opened{std::move(*old_object), std::move(*new_object), std::move(*old_manifest), std::move(*new_manifest)};
}

void PatchMaker::make(PatchId const& patch, Done done) {
    LULL_INVARIANT(!job_);
    job_.emplace(Job{patch, std::move(done), store::PatchBuilder(patch.from, patch.to), nullptr, {}, {}});
    auto from = find(patch.from);
    auto to = find(patch.to);
    if (!from) return end(pass(from.error()));
    if (!to) return end(pass(to.error()));
    worker_.submit([from = std::move(*from), to = std::move(*to)] { return open(from, to); },
                   [this](Result<Opened> opened) {
                       if (!opened) return end(pass(opened.error()));
                       begin(std::move(*opened));
                   });
}

void PatchMaker::begin(Opened opened) {
    auto from = find_segments(opened.old_manifest);
    auto to = find_segments(opened.new_manifest);
    if (!from) return end(pass(from.error()));
    if (!to) return end(pass(to.error()));
    job_->made.whole = packs_.find(job_->patch.to) ? packs_.find(job_->patch.to)->shape.stored : Bytes();
    std::set<Digest> counted;
    for (auto const& segment : *to) {
        if (counted.insert(segment.place.shape.object).second) job_->made.whole += segment.place.shape.stored;
    }
    auto const reading = [](std::vector<Stored> segments) {
        return [segments = std::move(segments)](std::uint32_t segment) {
            auto const& [pack, place] = segments.at(segment);
            return read_plain(pack, place, limits::segment);
        };
    };
    job_->maker = std::make_shared<store::DeltaMaker>(
        store::ReleaseContents(std::move(opened.old_manifest), reading(std::move(*from))),
        store::ReleaseContents(std::move(opened.new_manifest), reading(std::move(*to))));
    worker_.submit(
        [maker = job_->maker, old_object = std::move(opened.old_object), new_object = std::move(opened.new_object),
         level = level_of(effort_), stop = stop_.get_token()]() -> Result<Beginning> {
            if (Bytes(old_object.size() + new_object.size()) > store::most_with_base) {
                return fail(Fault::failed, "the manifests are larger than {} together", to_text(store::most_with_base));
            }
            auto manifest = store::make_delta(old_object, new_object, level, stop);
            if (!manifest) return fail(Fault::cancelled, "the work on a patch was stopped");
            Beginning beginning{std::move(*manifest), {}};
            auto lacking = maker->find_lacking(stop);
            if (!lacking) return pass(lacking.error());
            beginning.lacking = std::move(*lacking);
            return beginning;
        },
        [this](Result<Beginning> beginning) {
            if (!beginning) return end(pass(beginning.error()));
            job_->lacking.assign(std::make_move_iterator(beginning->lacking.begin()),
                                 std::make_move_iterator(beginning->lacking.end()));
            job_->builder.set_manifest(std::move(beginning->manifest_frame));
            add_next();
        });
}

void PatchMaker::add_next() {
    if (job_->lacking.empty()) return finish();
    auto next = std::move(job_->lacking.front());
    job_->lacking.pop_front();
    auto const whole = packs_.find(job_->maker->to().segments[next.segment].digest);
    if (!whole)
        return end(
            fail(Fault::not_found, "segment {} is not here", job_->maker->to().segments[next.segment].digest.hex()));
    worker_.submit([maker = job_->maker, next, whole = whole->shape, level = level_of(effort_),
                    stop = stop_.get_token()] { return maker->make_worthwhile(next, whole, level, stop); },
                   [this, segment = next.segment, whole = whole->shape](Result<std::optional<store::MadeDelta>> delta) {
                       if (!delta) return end(pass(delta.error()));
                       if (*delta) return keep(job_->builder.add(std::move(**delta)), [this] { add_next(); });
                       job_->builder.add_whole(segment, whole);
                       add_next();
                   });
}

// Nothing is to be kept if it stands in the patch.
void PatchMaker::keep(std::optional<store::StoredObject> object, std::function<void()> then) {
    if (!object) return then();
    job_->made.deltas.push_back(object->shape.object);
    job_->made.stored += object->shape.stored;
    object_writer_.keep(object->shape, std::move(object->bytes), [this, then = std::move(then)](Status const& status) {
        if (!status) return end(pass(status.error()));
        then();
    });
}

void PatchMaker::finish() {
    auto encoded = encode(job_->builder.patch());
    if (auto const read = decode_patch(encoded); !read)
        return end(fail(Fault::failed, "no node would take it: {}", read.error().message));
    worker_.submit([encoded = std::move(encoded), level = level_of(effort_),
                    stop = stop_.get_token()] { return store::pack_object(encoded, level, stop); },
                   [this](std::optional<store::StoredObject> patch) {
                       if (!patch) return end(fail(Fault::cancelled, "the work on a patch was stopped"));
                       job_->made.object = patch->shape.object;
                       job_->made.size = patch->shape.plain;
                       job_->made.stored += patch->shape.stored;
                       job_->made.to_fetch = job_->builder.to_fetch() + patch->shape.stored;
                       object_writer_.keep(patch->shape, std::move(patch->bytes), [this](Status const& status) {
                           end(status ? Result<MadePatch>(std::move(job_->made)) : pass(status.error()));
                       });
                   });
}

void PatchMaker::end(Result<MadePatch> outcome) {
    auto const done = std::move(job_->done);
    job_.reset();
    done(std::move(outcome));
}

}  // namespace lull::broker
