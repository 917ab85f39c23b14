#include "broker/upkeep/upkeep.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::size_t most_removed_at_once = 1000;
constexpr Duration between_collections = std::chrono::hours(24);
constexpr Duration between_removals = std::chrono::hours(1);
constexpr Duration before_scrubs = std::chrono::seconds(10);  // after the start, which has enough to do
constexpr Duration between_scrubs = std::chrono::minutes(1);  // when all has been read

}  // namespace

void Upkeep::clean(Moment now) {
    forget_superseded();
    collect_garbage(now);
}

// Removes releases from the log that newer ones supersede and that no node has or is about to get.
void Upkeep::forget_superseded() {
    if (parts_.changes.busy()) return;
    auto const candidates = parts_.log.superseded(settings_.keep);
    if (candidates.empty()) return;
    auto const needed = parts_.node_status.releases();
    std::vector<Seq> entries;
    for (auto const* release : candidates) {
        if (!needed.contains(release->entry.seq) && entries.size() < most_removed_at_once)
            entries.push_back(release->entry.seq);
    }
    if (entries.empty()) return;
    parts_.changes.remove(std::move(entries), [this](Moment then) {
        if (!garbage_.last || then.point >= *garbage_.last + between_removals) garbage_.next = then.point;
        collect_garbage(then);
    });
}

// ---- objects that no release needs ----

// What the releases of the log need is found out by a worker. Nothing may be published and no patch be made meanwhile:
// then another minute is better.
void Upkeep::collect_garbage(Moment now) {
    if (!garbage_.next) garbage_.next = now.point + between_removals;  // the start has enough to do
    if (now.point < *garbage_.next || garbage_.collecting || scrubbing_.busy || is_taking_objects()) return;
    std::vector<Digest> manifests;
    for (auto const& release : parts_.log.log()) {
        for (auto const& build : release.info.builds) manifests.push_back(build.manifest);
    }
    garbage_.collecting = true;
    garbage_.listed_at = parts_.log.head();
    effects_.act(ListNeeded{std::move(manifests)});
}

void Upkeep::needed_listed(NeededListed event, Moment now) {
    if (!event.objects) {
        garbage_.collecting = false;
        garbage_.next = now.point + between_collections;
        return effects_.say(LogLevel::warn,
                            fmt::format("objects that no release needs are kept: {}", event.objects.error().message));
    }
    if (is_taking_objects() || parts_.log.head() != garbage_.listed_at) {
        garbage_.collecting = false;  // a release has been published, or is about to be: the list is out of date
        return;
    }
    remember_lost(*event.objects);
    event.objects->merge(parts_.patches.prune());
    effects_.act(RemoveOthers{std::move(*event.objects)});
}

void Upkeep::others_removed(OthersRemoved const& event, Moment now) {
    garbage_.collecting = false;
    garbage_.last = now.point;
    garbage_.next = now.point + between_collections;
    if (event.objects == 0 && event.bytes.zero()) return;
    effects_.say(LogLevel::info, fmt::format("removed {} objects that no release needs; {} of disk are free again",
                                             event.objects, to_text(event.bytes)));
}

void Upkeep::remember_lost(ObjectSet const& needed) {
    std::set<Digest> lost;
    for (auto const& object : needed) {
        if (!parts_.objects.find(object)) lost.insert(object);
    }
    parts_.lost.reset(std::move(lost));
}

// ---- objects that are read again ----

void Upkeep::scrub(Moment now) {
    if (!scrubbing_.next) scrubbing_.next = now.point + before_scrubs;
    if (now.point < *scrubbing_.next || settings_.scrub.count() == 0) return;
    if (scrubbing_.busy || garbage_.collecting || is_taking_objects()) return;
    scrubbing_.busy = true;
    effects_.act(ScrubObjects{settings_.scrub});
}

void Upkeep::scrubbed(Scrubbed const& event, Moment now) {
    scrubbing_.busy = false;
    scrubbing_.next = now.point + (event.more ? Duration() : between_scrubs);
    auto& done = scrubbing_.done;
    done.read += event.read;
    done.saved += event.saved;
    parts_.lost.add(event.damaged);
    if (!event.damaged.empty()) garbage_.next = now.point;  // finds out which of them releases need
    if (event.more || done.read.zero()) return;
    effects_.say(LogLevel::info, fmt::format("read {} of stored objects again; {} saved by packing them anew",
                                             to_text(done.read), to_text(done.saved)));
    done = {};
}

}  // namespace lull::broker
