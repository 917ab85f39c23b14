#include "broker/objects/scrubber.hpp"

#include "broker/objects/stored_manifest.hpp"

namespace lull::broker {

namespace {

constexpr Bytes a_step = MiB(64);
constexpr Bytes a_step_of_compressing = MiB(16);
constexpr std::uint64_t least_gain = 50;  // one part in 50 is worth moving it

// What was compressed at the quick level comes out as long again.
bool is_quickly_packed(ObjectShape const& shape, View plain) {
    return shape.codec == ObjectCodec::zstd &&
           store::pack_object(plain, store::quick_level).shape.stored == shape.stored;
}

}  // namespace

// A read error is no damage: the disk may work again tomorrow. What seems damaged is read a second time, from the disk
// itself.
Scrubber::Finding Scrubber::examine(store::PackFile const& pack, store::ObjectPlace const& place,
                                    std::stop_token const& stop) {
    if (stop.stop_requested()) return {};
    auto plain = read_plain(pack, place, limits::envelope);
    if (!plain && plain.error().fault == Fault::damaged) {
        pack->drop_cached(place.offset, place.shape.stored);
        plain = read_plain(pack, place, limits::envelope);
    }
    if (!plain) return {.damaged = plain.error().fault == Fault::damaged, .smaller = std::nullopt};
    if (!is_quickly_packed(place.shape, *plain)) return {};
    auto packed = store::pack_object(*plain, store::small_level, stop);
    auto const before = place.shape.stored.count();
    if (!packed || packed->shape.stored.count() + before / least_gain > before) return {};
    return {.damaged = false, .smaller = std::move(packed)};
}

void Scrubber::step(Duration interval, WallTime now, Done done) {
    LULL_INVARIANT(!step_);
    std::map<std::uint32_t, Bytes> ends;
    for (auto const& [pack, use] : packs_.uses()) ends.emplace_hint(ends.end(), pack, use.end);
    if (auto gone = scrubs_.prune(ends); !gone.empty()) writer_.submit(std::move(gone), [](Status const&) {});
    auto const next = scrubs_.next(ends, interval, now);
    if (!next) return done({});
    auto const objects = packs_.objects_in(next->pack, next->scrub.reached);
    step_.emplace(Step{*next, {objects.begin(), objects.end()}, {}, std::move(done)});
    step_->outcome.more = true;
    examine_next();
}

void Scrubber::examine_next() {
    auto& step = *step_;
    if (step.objects.empty() || step.outcome.read >= a_step || step.outcome.packed >= a_step_of_compressing)
        return end();
    auto const place = step.objects.front();
    step.objects.pop_front();
    worker_.submit(
        [pack = packs_.pack(place.pack), place, stop = stop_.get_token()] { return examine(pack, place, stop); },
        [this, place](Finding finding) { act_on(place, std::move(finding)); });
}

void Scrubber::act_on(store::ObjectPlace const& place, Finding finding) {
    auto& step = *step_;
    step.outcome.read += place.shape.stored;
    step.at.scrub.reached = place.offset + place.shape.stored;
    auto const now = packs_.find(place.shape.object);
    bool const unchanged = now && now->pack == place.pack &&
                           now->offset == place.offset;  // not moved, removed or uploaded anew meanwhile
    if (unchanged && finding.damaged) {
        forget(place);
    } else if (unchanged && finding.smaller) {
        step.outcome.packed += place.shape.plain;
        auto const saved = place.shape.stored - finding.smaller->shape.stored;
        return object_writer_.move(finding.smaller->shape, std::move(finding.smaller->bytes),
                                   [this, saved](Status const& status) {
                                       if (status) step_->outcome.saved += saved;  // else it stays as it was
                                       examine_next();
                                   });
    }
    examine_next();
}

void Scrubber::forget(store::ObjectPlace const& place) {
    log_.error("object {} in pack {} is damaged on the disk, and set aside", place.shape.object.hex(), place.pack);
    step_->outcome.damaged.push_back(place.shape.object);
    packs_.forget(place.shape.object);
    writer_.submit({store::Packs::removal_change(place.shape.object)}, [](Status const&) {});  // else it is found again
}

void Scrubber::end() {
    auto& step = *step_;
    // Nothing lies between the last object that was examined and the first that is left.
    scrubs_.reached(step.at.pack, step.at.scrub);
    writer_.submit({Scrubs::change(step.at.pack, step.at.scrub)}, [](Status const&) {});  // else it is read again
    auto outcome = std::move(step.outcome);
    auto const done = std::move(step.done);
    step_.reset();
    done(std::move(outcome));
}

}  // namespace lull::broker
