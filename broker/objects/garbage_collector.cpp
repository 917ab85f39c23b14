#include "broker/objects/garbage_collector.hpp"

#include "broker/objects/stored_manifest.hpp"

namespace lull::broker {

namespace {

bool is_old(store::Packs::FinishedPack const& pack) {
    return fs::file_time_type::clock::now() - pack.written > GarbageCollector::grace;
}

}  // namespace

Result<GarbageCollector::Listing> GarbageCollector::list(std::vector<Source> const& manifests,
                                                         fs::path const& directory, std::uint32_t newest,
                                                         std::stop_token const& stop) {
    Listing listing;
    for (auto const& [pack, place] : manifests) {
        if (stop.stop_requested()) return fail(Fault::cancelled, "the search for garbage was stopped");
        auto const segments = segments_of_stored(pack, place);
        if (!segments) return pass(segments.error());
        listing.needed.insert(place.shape.object);
        for (auto const& segment : *segments) listing.needed.insert(segment.digest);
    }
    auto finished = store::Packs::list_finished(directory, newest);
    if (!finished) return pass(finished.error());
    std::erase_if(*finished, [](auto const& pack) { return !is_old(pack); });
    listing.old_packs = std::move(*finished);
    return listing;
}

void GarbageCollector::list_needed(std::vector<Digest> const& manifests, Listed done) {
    std::vector<Source> sources;
    for (auto const& manifest : manifests) {
        auto const place = packs_.find(manifest);
        if (!place) return done(fail(Fault::damaged, "manifest {} is missing", manifest.hex()));
        sources.push_back({packs_.pack(place->pack), *place});
    }
    workers_.submit([sources = std::move(sources), directory = packs_.directory(), newest = packs_.newest(),
                     stop = stop_.get_token()] { return list(sources, directory, newest, stop); },
                    [this, done = std::move(done)](Result<Listing> listing) {
                        if (!listing) return done(pass(listing.error()));
                        old_packs_ = std::move(listing->old_packs);
                        done(std::move(listing->needed));
                    });
}

void GarbageCollector::remove_others(ObjectSet const& needed, Removed done) {
    LULL_INVARIANT(!sweep_);
    sweep_.emplace();
    sweep_->done = std::move(done);
    std::vector<store::ObjectPlace> garbage;
    for (auto const& pack : std::exchange(old_packs_, {})) {
        sweep_->to_tidy.push_back(pack);
        for (auto const& place : packs_.objects_in(pack.number)) {
            if (!needed.contains(place.shape.object)) garbage.push_back(place);
        }
    }
    forget(garbage);
}

// A publisher that needs one of them from now on uploads it again, and that entry is written behind this removal.
void GarbageCollector::forget(std::vector<store::ObjectPlace> const& garbage) {
    store::Batch batch;
    for (auto const& place : garbage) {
        packs_.forget(place.shape.object);
        batch.push_back(store::Packs::removal_change(place.shape.object));
    }
    if (batch.empty()) return tidy_packs();
    writer_.submit(std::move(batch), [this, garbage](Status const& status) {
        if (status) {
            sweep_->objects = garbage.size();
            return tidy_packs();
        }
        log_.warn("objects that no release needs are kept: {}", status.error().message);
        for (auto const& place : garbage) {
            if (!packs_.find(place.shape.object)) packs_.publish(place);
        }
        end();
    });
}

// Those in which at least half is garbage are worth the work.
void GarbageCollector::tidy_packs() {
    auto const& uses = packs_.uses();
    std::erase_if(sweep_->to_tidy, [&](auto const& pack) {
        auto const use = uses.find(pack.number);
        return use != uses.end() && use->second.used.count() * 2 > pack.size.count();
    });
    tidy_next_pack();
}

void GarbageCollector::tidy_next_pack() {
    auto& sweep = *sweep_;
    if (sweep.to_tidy.empty()) return end();
    auto const pack = sweep.to_tidy.front();
    sweep.to_tidy.pop_front();
    auto const objects = packs_.objects_in(pack.number);
    sweep.tidying = {pack.number, pack.size, {objects.begin(), objects.end()}};
    for (auto const& place : objects) sweep.tidying.freed -= place.shape.stored;
    read_next_object();
}

void GarbageCollector::read_next_object() {
    auto& tidying = sweep_->tidying;
    if (tidying.rest.empty()) return remove_pack();
    auto const place = tidying.rest.front();
    tidying.rest.pop_front();
    workers_.submit([pack = packs_.pack(tidying.pack), place] { return read_stored(pack, place); },
                    [this, shape = place.shape](Result<Buffer> stored) {
                        if (!stored) return keep_pack(stored.error());
                        move_object(shape, std::move(*stored));
                    });
}

void GarbageCollector::move_object(ObjectShape const& shape, Buffer stored) {
    object_writer_.move(shape, std::move(stored), [this](Status const& status) {
        if (!status) return keep_pack(status.error());
        read_next_object();
    });
}

void GarbageCollector::keep_pack(Error const& why) {
    log_.warn("pack {} is kept: {}", sweep_->tidying.pack, why.message);
    tidy_next_pack();
}

// A worker deletes the file, which takes a while for a large one; unless it is being read, then the reader does.
void GarbageCollector::remove_pack() {
    auto const& tidying = sweep_->tidying;
    if (packs_.uses().contains(tidying.pack)) return keep_pack({Fault::failed, "an object came back to it"});
    workers_.submit(
        [removed = packs_.remove_pack(tidying.pack)]() mutable {
            removed.reset();
            return 0;
        },
        [this](int) {
            sweep_->bytes += sweep_->tidying.freed;
            tidy_next_pack();
        });
}

void GarbageCollector::end() {
    auto const sweep = std::move(*sweep_);
    sweep_.reset();
    sweep.done(sweep.objects, sweep.bytes);
}

}  // namespace lull::broker
