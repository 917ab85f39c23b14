#include "broker/sweeper.hpp"

#include <map>

#include "broker/stored_manifest.hpp"

namespace lull::broker {

namespace {

using Opened = std::pair<store::PackFile, store::ObjectPlace>;

Result<ObjectSet> needed_by(std::vector<Opened> const& manifests) {
    ObjectSet needed;
    for (auto const& [pack, place] : manifests) {
        auto const segments = segments_of_stored(pack, place);
        if (!segments) return pass(segments.error());
        needed.insert(place.shape.object);
        for (auto const& segment : *segments) needed.insert(segment.digest);
    }
    return needed;
}

bool is_old(store::Packs::FinishedPack const& pack) { return fs::file_time_type::clock::now() - pack.written > Sweeper::grace; }

}  // namespace

void Sweeper::list_needed(std::vector<Digest> const& manifests, Listed done) {
    std::vector<Opened> opened;
    for (auto const& manifest : manifests) {
        auto const place = packs_.find(manifest);
        if (!place) return done(fail(Fault::damaged, "manifest {} is missing", manifest.hex()));
        auto pack = packs_.open_pack(place->pack);
        if (!pack) return done(pass(pack.error()));
        opened.emplace_back(std::move(*pack), *place);
    }
    workers_.submit([opened = std::move(opened)] { return needed_by(opened); }, std::move(done));
}

void Sweeper::remove_others(ObjectSet const& needed, Removed done) {
    LULL_INVARIANT(!done_);
    done_ = std::move(done);
    objects_ = 0;
    bytes_ = {};
    auto const packs = packs_.finished();
    if (!packs) {
        log_.warn("objects that no release needs are kept: {}", packs.error().message);
        return end();
    }
    std::map<std::uint32_t, store::Packs::FinishedPack> old;
    for (auto const& pack : *packs) {
        if (is_old(pack)) old.emplace(pack.number, pack);
    }
    to_tidy_.clear();
    for (auto const& [number, pack] : old) to_tidy_.push_back(pack);
    forget(packs_.objects_where([&](store::ObjectPlace const& place) {
        return old.contains(place.pack) && !needed.contains(place.shape.object);
    }));
}

// Whoever publishes one of them from now on uploads it again, and that entry is written behind this removal.
void Sweeper::forget(std::vector<store::ObjectPlace> const& garbage) {
    store::Batch batch;
    for (auto const& place : garbage) {
        packs_.forget(place.shape.object);
        batch.push_back(store::Packs::removal_change(place.shape.object));
    }
    if (batch.empty()) return tidy_packs();
    writer_.submit(std::move(batch), [this, garbage](Status const& status) {
        if (status) {
            objects_ = garbage.size();
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
void Sweeper::tidy_packs() {
    std::map<std::uint32_t, Bytes> used;
    (void)packs_.objects_where([&](store::ObjectPlace const& place) {
        used[place.pack] += place.shape.stored;
        return false;
    });
    std::erase_if(to_tidy_, [&](auto const& pack) { return used[pack.number].count() * 2 > pack.size.count(); });
    tidy_next_pack();
}

void Sweeper::tidy_next_pack() {
    if (to_tidy_.empty()) return end();
    auto const pack = to_tidy_.front();
    to_tidy_.pop_front();
    auto const objects = packs_.objects_where([&](store::ObjectPlace const& place) { return place.pack == pack.number; });
    tidying_ = {pack.number, pack.size, {objects.begin(), objects.end()}};
    for (auto const& place : objects) tidying_.freed -= place.shape.stored;
    read_next_object();
}

void Sweeper::read_next_object() {
    if (tidying_.rest.empty()) return remove_pack();
    auto const place = tidying_.rest.front();
    tidying_.rest.pop_front();
    auto file = packs_.open_pack(tidying_.pack);
    workers_.submit(
        [file = std::move(file), place]() -> Result<Buffer> {
            if (!file) return pass(file.error());
            return read_stored(*file, place);
        },
        [this, shape = place.shape](Result<Buffer> stored) {
            if (!stored) return keep_pack(stored.error());
            move_object(shape, std::move(*stored));
        });
}

void Sweeper::move_object(ObjectShape const& shape, Buffer stored) {
    keeper_.move(shape, std::move(stored), [this](Status const& status) {
        if (!status) return keep_pack(status.error());
        read_next_object();
    });
}

void Sweeper::keep_pack(Error const& why) {
    log_.warn("pack {} is kept: {}", tidying_.pack, why.message);
    tidy_next_pack();
}

void Sweeper::remove_pack() {
    if (auto const status = packs_.remove_pack(tidying_.pack); !status) return keep_pack(status.error());
    bytes_ += tidying_.freed;
    tidy_next_pack();
}

void Sweeper::end() { std::exchange(done_, nullptr)(objects_, bytes_); }

}  // namespace lull::broker
