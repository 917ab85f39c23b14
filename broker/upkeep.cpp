#include <algorithm>

#include "broker/broker.hpp"

// What the broker does by itself: it forgets what is superseded, and renews the log that was restored.

namespace lull::broker {

namespace {

constexpr std::size_t most_removed_at_once = 1000;
constexpr Duration between_collections = std::chrono::hours(24);
constexpr Duration between_removals = std::chrono::hours(1);
constexpr Duration before_scrubs = std::chrono::seconds(10);  // after the start, which has enough to do
constexpr Duration between_scrubs = std::chrono::minutes(1);  // when all has been read

}  // namespace

void Broker::save_sightings() {
    auto batch = state_.sightings.take_changes();
    if (!batch.empty()) persist(std::move(batch), [](Status const&, Moment) {});  // the next message makes good what is lost
}

// Removes releases from the log that newer ones supersede and that no node has or is about to get.
void Broker::forget_superseded() {
    auto const candidates = state_.catalogue.superseded(settings_.keep);
    if (candidates.empty() || identity_changes_) return;
    auto const needed = state_.ledger.releases();
    std::vector<Seq> entries;
    for (auto const* release : candidates) {
        if (!needed.contains(release->entry.seq) && entries.size() < most_removed_at_once) entries.push_back(release->entry.seq);
    }
    if (entries.empty()) return;
    identity_changes_ = true;
    persist(state_.catalogue.removal(entries), [this, entries](Status const& status, Moment then) {
        identity_changes_ = false;
        if (status) {
            state_.catalogue.remove(entries);
            say(LogLevel::info, fmt::format("removed {} superseded releases from the log", entries.size()));
            if (!last_garbage_ || then.point >= *last_garbage_ + between_removals) next_garbage_ = then.point;
            collect_garbage(then);
        } else {
            say(LogLevel::warn, fmt::format("superseded releases stay in the log: {}", status.error().message));
        }
        take_waiting_updates(then);
    });
}

// The log goes on as another one: nodes see that by the epoch, and ask for what it amounts to.
void Broker::renew_log(Epoch epoch, std::string why, WallTime now) {
    if (identity_changes_ || state_.catalogue.reserved()) return;  // whoever wants it says so again
    identity_changes_ = true;
    auto const identity = renewed(state_.catalogue.identity(), state_.catalogue.head(), epoch, now);
    persist(changes_to(identity), [this, identity, why = std::move(why)](Status const& status, Moment then) {
        identity_changes_ = false;
        if (status) {
            state_.catalogue.adopt(identity);
            say(LogLevel::error, fmt::format("{}; the log goes on as epoch {:x} behind release {}: publish again what is missing", why,
                                             identity.epoch.value, identity.used.value));
            out_.push_back(Announce{head(then.wall)});
            out_.push_back(SetWelcome{head(then.wall)});
        } else {
            say(LogLevel::error, fmt::format("the log needs a new epoch, which cannot be recorded: {}", status.error().message));
        }
        take_waiting_updates(then);
    });
}

// ---- objects that no release needs ----

// What the releases of the log need is found out beside the loop. Nothing may be published and no patch be made meanwhile: then another
// minute is better.
void Broker::collect_garbage(Moment now) {
    if (!next_garbage_) next_garbage_ = now.point + between_removals;  // the start has enough to do
    if (now.point < *next_garbage_ || collecting_ || scrubbing_ || is_taking_objects()) return;
    std::vector<Digest> manifests;
    for (auto const& release : state_.catalogue.log()) {
        for (auto const& build : release.info.builds) manifests.push_back(build.manifest);
    }
    collecting_ = true;
    listed_at_ = state_.catalogue.head();
    out_.push_back(ListNeeded{std::move(manifests)});
}

bool Broker::is_taking_objects() const {
    auto const unfinished = [this](Offer const& offer) { return state_.catalogue.find(offer.software, offer.version) == nullptr; };
    return state_.catalogue.reserved() || patches_to_make_.making() || !waiting_updates_.empty() || offers_.any(unfinished);
}

void Broker::on_event(NeededListed event, Moment now) {
    if (!event.objects) {
        collecting_ = false;
        next_garbage_ = now.point + between_collections;
        return say(LogLevel::warn, fmt::format("objects that no release needs are kept: {}", event.objects.error().message));
    }
    if (is_taking_objects() || state_.catalogue.head() != listed_at_) {
        collecting_ = false;  // somebody has published, or is about to: what was found is not true any more
        return;
    }
    remember_lost(*event.objects);
    event.objects->merge(prune_patches());
    out_.push_back(RemoveOthers{std::move(*event.objects)});
}

void Broker::on_event(OthersRemoved event, Moment now) {
    collecting_ = false;
    last_garbage_ = now.point;
    next_garbage_ = now.point + between_collections;
    if (event.objects == 0 && event.bytes.zero()) return;
    say(LogLevel::info, fmt::format("removed {} objects that no release needs; {} of disk are free again", event.objects,
                                    to_text(event.bytes)));
}

// ---- objects that are read again ----

// A release in the log whose bytes are lost is mended by whoever publishes the same tree again.
void Broker::remember_lost(ObjectSet const& needed) {
    lost_.clear();
    for (auto const& object : needed) {
        if (!index_.find(object)) lost_.insert(object);
    }
    if (lost_.empty()) return;
    say(LogLevel::error, fmt::format("{} objects of releases in the log are lost, for example {}: publish these releases again, from the "
                                     "same trees",
                                     lost_.size(), lost_.begin()->hex()));
}

// Only while nobody wants anything.
void Broker::scrub_when_idle(Moment now) {
    if (!next_scrub_) next_scrub_ = now.point + before_scrubs;
    if (now.point < *next_scrub_ || settings_.scrub.count() == 0 || scrubbing_ || collecting_) return;
    if (is_taking_objects() || !sender_.idle()) return;
    scrubbing_ = true;
    out_.push_back(ScrubObjects{settings_.scrub});
}

void Broker::on_event(Scrubbed event, Moment now) {
    scrubbing_ = false;
    next_scrub_ = now.point + (event.more ? Duration() : between_scrubs);
    scrubbed_.read += event.read;
    scrubbed_.saved += event.saved;
    lost_.insert(event.damaged.begin(), event.damaged.end());
    if (!event.damaged.empty()) next_garbage_ = now.point;  // finds out which of them releases need
    if (event.more || scrubbed_.read.zero()) return;
    say(LogLevel::info, fmt::format("read {} of stored objects again; {} saved by packing them anew", to_text(scrubbed_.read),
                                    to_text(scrubbed_.saved)));
    scrubbed_ = {};
}

}  // namespace lull::broker
