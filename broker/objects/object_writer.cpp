#include "broker/objects/object_writer.hpp"

#include "store/compression.hpp"

namespace lull::broker {

void ObjectWriter::keep(ObjectShape const& shape, Buffer stored, Done done) {
    if (packs_.find(shape.object)) return done({});  // another publisher was faster
    move(shape, std::move(stored), std::move(done));
}

void ObjectWriter::move(ObjectShape const& shape, Buffer stored, Done done) {
    struct Outcome {
        Status status;
        Buffer stored;
    };
    verifiers_.submit(
        [shape, stored = std::move(stored)]() mutable {
            return Outcome{store::check_object(shape, stored, limits::envelope), std::move(stored)};
        },
        [this, shape, done = std::move(done)](Outcome outcome) mutable {
            if (!outcome.status) return done(outcome.status);
            waiting_.push_back({shape, std::move(outcome.stored), std::move(done)});
            append_waiting();
        });
}

// Appends all that waits, and syncs once.
std::vector<ObjectWriter::Appended> ObjectWriter::append(store::Packs& packs, std::vector<Verified> objects) {
    std::vector<Appended> appended;
    appended.reserve(objects.size());
    for (auto& object : objects) {
        appended.push_back({packs.append(object.shape, object.stored), std::move(object.done)});
        object.stored = {};
    }
    packs.sync();
    return appended;
}

void ObjectWriter::append_waiting() {
    if (appending_ || waiting_.empty()) return;
    appending_ = true;
    disk_.submit([&packs = packs_,
                  objects = std::exchange(waiting_, {})]() mutable { return append(packs, std::move(objects)); },
                 [this](std::vector<Appended> appended) {
                     appending_ = false;
                     append_waiting();
                     for (auto& [place, done] : appended) {
                         if (place) {
                             enter(*place, std::move(done));
                         } else {
                             done(pass(place.error()));
                         }
                     }
                 });
}

void ObjectWriter::enter(store::ObjectPlace const& place, Done done) {
    writer_.submit({store::Packs::index_change(place)}, [this, place, done = std::move(done)](Status const& status) {
        if (status) packs_.publish(place);
        done(status);
    });
}

}  // namespace lull::broker
