#include "subscriber/agent/object_transfer.hpp"

#include <algorithm>

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

ObjectTransfer::ObjectTransfer(FetchLimits limits, Objects objects, Effects& effects, Session& session)
    : effects_(effects),
      session_(session),
      fetcher_(limits),
      objects_(std::move(objects)) {
    fetcher_.load(objects_);
}

void ObjectTransfer::record(ObjectRecord const& record, Effects::Continuation then) {
    objects_[record.shape.object] = record;
    effects_.persist({journal::put(record)}, std::move(then));
}

void ObjectTransfer::drop(std::vector<Digest> const& objects, Effects::Continuation then) {
    store::Batch batch;
    for (auto const& object : objects) {
        fetcher_.forget(object);
        objects_.erase(object);
        batch.push_back(journal::drop_object(object));
    }
    effects_.persist(std::move(batch), [this, objects, then = std::move(then)](Moment now) {
        std::vector<Digest> gone;
        for (auto const& object : objects) {
            if (!fetcher_.knows(object)) gone.push_back(object);
        }
        effects_.perform(DropObjects{std::move(gone)});
        then(now);
    });
}

void ObjectTransfer::end_turn(Releases releases) {
    if (!std::exchange(collecting_, false) || releases == Releases::on_their_way) return;
    auto const garbage = unwanted();
    if (!garbage.empty()) drop(garbage);
}

std::vector<Digest> ObjectTransfer::unwanted() const {
    auto garbage = fetcher_.garbage();
    std::erase_if(garbage, [this](Digest const& object) {
        return std::ranges::any_of(spared_, [&](auto const& entry) { return entry.second.contains(object); });
    });
    return garbage;
}

void ObjectTransfer::on(Data const& message, Arrival const& arrival, Moment now) {
    auto const decision = fetcher_.data(message, arrival.payload);
    auto ack = fetcher_.ack();
    ack.at = micros_of(arrival.came);
    effects_.send(std::move(ack));
    session_.moved(now);
    switch (decision.verdict) {
        case Fetcher::Verdict::ignore: return;
        case Fetcher::Verdict::store:
            session_.useful(now);
            // After a kill the record of the beginning says which object the bytes in the file belong to.
            if (message.offset.zero() && arrival.payload < message.shape.stored)
                record({message.shape, Bytes(), false});
            return effects_.perform(StoreFrame{message.shape, message.offset, decision.then});
        case Fetcher::Verdict::broken:
            effects_.log(LogLevel::warn, fmt::format("the broker sent bytes of object {} that do not fit; the session "
                                                     "ends and the node connects again",
                                                     message.shape.object.hex()));
            return session_.give_up(now);
    }
}

// The broker may have the object in another shape, which has no such offset: the next attempt begins at the first byte.
void ObjectTransfer::on(ObjectMissing const& message, Moment now) {
    if (fetcher_.complete(message.object)) return;
    if (fetcher_.knows(message.object)) drop({message.object});
    tell_loss(
        {message.object, {Fault::not_found, fmt::format("the broker does not have object {}", message.object.hex())}},
        now);
}

void ObjectTransfer::on(ObjectSynced const& event) {
    if (auto const synced = fetcher_.synced(event.object, event.upto)) record(*synced);
}

void ObjectTransfer::on(ObjectFinished const& event, Moment now) {
    if (!event.status) {
        drop({event.object});
        return tell_loss({event.object, event.status.error()}, now);
    }
    auto const finished = fetcher_.finished(event.object);
    if (!finished) return;
    record(*finished, [this, object = event.object](Moment then) {
        for (auto const& wanter : fetcher_.wanted_by(object)) listener_of(wanter).arrived(wanter.software, then);
    });
}

void ObjectTransfer::on(ObjectUnwritten const& event, Moment now) {
    fetcher_.forget(event.object);
    auto const known = objects_.find(event.object);
    if (known != objects_.end()) fetcher_.load({*known});
    bool const has_begun = known != objects_.end() && !known->second.durable.zero();
    // Bytes that count for nothing must not stay on a disk that is full.
    if (!has_begun) effects_.perform(DropObjects{{event.object}});
    tell_loss({event.object, event.error, ObjectLoss::Cause::unwritten}, now);
}

void ObjectTransfer::tell_loss(ObjectLoss const& loss, Moment now) {
    for (auto const& wanter : fetcher_.wanted_by(loss.object)) listener_of(wanter).lost(wanter.software, loss, now);
}

void ObjectTransfer::send_due(Moment now) {
    for (auto& request : fetcher_.requests()) {
        session_.moved(now);
        effects_.send(std::move(request));
    }
    if (!fetcher_.anything_missing()) return;
    if (auto credit = fetcher_.credit_due()) effects_.send(*credit);
}

}  // namespace lull::subscriber
