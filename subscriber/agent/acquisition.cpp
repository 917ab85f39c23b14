#include "subscriber/agent/acquisition.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr Duration longest_wait = std::chrono::minutes(15);    // for a patch that is being made
constexpr Duration longest_silence = std::chrono::minutes(2);  // of a broker that is asked for one
constexpr unsigned most_tries = 4;                             // to fetch again what staging finds damaged

}  // namespace

void Acquisition::log(LogLevel level, std::string_view text) const {
    around_.effects.log(level, fmt::format("{}: {}", around_.software().text(), text));
}

void Acquisition::forget() {
    search_ = {};
    wanted_.reset();
    around_.fetcher().unwant(around_.software());
}

void Acquisition::plan_again() {
    wanted_.reset();
    around_.fetcher().unwant(around_.software());
}

std::optional<std::set<Digest>> Acquisition::needs() const {
    if (!wanted_) return std::nullopt;
    auto objects = around_.fetcher().wanted_for(around_.software());
    for (auto const& object : wanted_->objects) objects.insert(object.digest);
    return objects;
}

// ---- the patch ----

void Acquisition::PatchSearch::end() {
    state = State::none;
    query_due = false;
    until.reset();
}

// A node that has an older release asks the broker how to get from there to the new one. True while there is no answer,
// or the patch is on its way.
bool Acquisition::awaits_patch() {
    auto const& active = around_.installed.active;
    switch (search_.state) {
        case PatchSearch::State::unasked: {
            bool const possible = active && active->seq < around_.target.release.seq && !kept_contents();
            search_.state = possible ? PatchSearch::State::asked : PatchSearch::State::none;
            search_.query_due = possible;
            return possible;
        }
        case PatchSearch::State::asked:
        case PatchSearch::State::promised: return true;
        case PatchSearch::State::found:
            if (!around_.fetcher().wants_for(around_.software()))
                around_.fetcher().want(around_.target.release, search_.object.digest, search_.object.size);
            return !around_.fetcher().complete(search_.object.digest);
        case PatchSearch::State::none: return false;
    }
    return false;
}

std::optional<PatchQuery> Acquisition::query(Moment now) {
    if (!std::exchange(search_.query_due, false) || !search_.open()) return std::nullopt;
    auto const& active = around_.installed.active;
    if (!active) return std::nullopt;  // end_waiting() ends the search
    if (!search_.until) search_.until = now.point + longest_silence;
    return PatchQuery{around_.software(), around_.settings.architecture, active->seq, around_.target.release.seq};
}

void Acquisition::ask_again(Session session) {
    bool const promised = search_.state == PatchSearch::State::promised;
    if (answer_owed() || (promised && session == Session::fresh)) search_.query_due = true;
}

Happening Acquisition::on(PatchOffer const& message, Moment now) {
    auto const& active = around_.installed.active;
    bool const fits = search_.open() && active && active->seq == message.from &&
                      around_.target.release.seq == message.to;
    if (!fits) return Happening::nothing();
    if (message.patch && !search_.useless.contains(*message.patch) && message.size <= limits::patch) {
        search_.end();
        search_.state = PatchSearch::State::found;
        search_.object = {*message.patch, message.size};
    } else if (message.wait > 0 && !message.patch) {
        auto const wait = std::chrono::milliseconds(std::min<std::uint64_t>(message.wait, 86'400'000));
        search_.state = PatchSearch::State::promised;
        search_.until = now.point + std::min<Duration>(2 * wait, longest_wait);
        log(LogLevel::info,
            fmt::format("the broker prepares the patch from release {} to {}", message.from.value, message.to.value));
    } else {
        search_.end();
    }
    return Happening::again();
}

bool Acquisition::end_waiting(Moment now) {
    bool const pointless = search_.open() && !around_.installed.active;
    if (!pointless && (!search_.until || now.point < *search_.until)) return false;
    log(LogLevel::info, fmt::format("waits no longer for a patch to release {}", around_.target.release.seq.value));
    search_.end();
    return true;
}

std::optional<Happening> Acquisition::go_without(ObjectLoss const& loss) {
    bool const possible = loss.cause == ObjectLoss::Cause::unavailable && patch_in_use() &&
                          !search_.useless.contains(loss.object);
    if (!possible) return std::nullopt;
    return without(loss.object, loss.error.message);
}

// A patch or a delta is not to be had, or gives something else: the plan is made anew, without it.
Happening Acquisition::without(Digest const& object, std::string_view why) {
    log(LogLevel::warn, fmt::format("goes on without {}: {}", object.hex(), why));
    search_.useless.insert(object);
    if (object == search_.object.digest) search_.end();
    around_.objects.drop({object});
    around_.fetcher().unwant(around_.software());
    wanted_.reset();
    return Happening::plans_again();
}

// ---- the plan ----

// A release that goes back to an older one which is still here needs no byte from the broker.
std::optional<ReleaseId> Acquisition::kept_contents() const {
    auto const& installed = around_.installed;
    auto const& wanted = around_.target.release.version;
    if (kept_is_useless_ || contents_of(wanted) == wanted) return std::nullopt;
    for (auto const& kept : {installed.active, installed.previous, installed.proven}) {
        if (kept && contents_of(kept->version) == contents_of(wanted)) return around_.release_of(*kept);
    }
    return std::nullopt;
}

Materials Acquisition::materials() const {
    auto const kept = kept_contents();
    Materials materials{around_.target.release, build()->manifest, kept ? kept : around_.active(),
                        around_.fetcher().shapes(around_.software()), std::nullopt};
    if (patch_in_use()) materials.patch = search_.object.digest;
    return materials;
}

Happening Acquisition::plan() {
    auto const& settings = around_.settings;
    if (build() == nullptr) {
        return Happening::failed(
            {Fault::not_found, fmt::format("there is no build for {}", settings.architecture.text())});
    }
    auto const trusted = check_signature(around_.target.entry.update, domain::update_info, settings.trusted);
    if (!trusted) return Happening::failed(trusted.error());
    if (awaits_patch()) return Happening::nothing();
    auto& fetcher = around_.fetcher();
    bool const has_manifest = patch_in_use() || kept_contents().has_value();
    if (!has_manifest && !fetcher.wants_for(around_.software()))
        fetcher.want(around_.target.release, build()->manifest, build()->manifest_size);
    if (!has_manifest && !fetcher.complete(build()->manifest)) return Happening::nothing();
    around_.effects.perform(MakePlan{materials(), search_.useless, around_.target.info.urgency, build()->size});
    return Happening::began(Work::plan);
}

Happening Acquisition::on(PlanMade const& event) {
    if (!event.plan) return no_plan(event.plan.error());
    wanted_ = Wanted{event.plan->objects};
    wanted_->lacking = event.plan->lacking;
    if (event.plan->no_room) return Happening::failed(*event.plan->no_room);
    log_plan(*event.plan);
    return {.transition = Transition::plan_made, .then = Happening::Then::reconcile};
}

Happening Acquisition::no_plan(Error const& error) {
    if (error.fault != Fault::damaged) return Happening::failed(error);
    if (kept_contents()) {
        kept_is_useless_ = true;
        return Happening::again();
    }
    if (patch_in_use()) return without(search_.object.digest, error.message);
    around_.objects.drop({build()->manifest});
    return Happening::failed(error);
}

void Acquisition::log_plan(Plan const& plan) const {
    auto const bytes = plan.to_fetch ? fmt::format(", {}", to_text(*plan.to_fetch)) : std::string();
    around_.effects.log(LogLevel::info, fmt::format("{} {}: {} objects to fetch{}{}", around_.software().text(),
                                                    around_.target.release.version.text(), plan.objects.size(), bytes,
                                                    patch_in_use() ? ", with a patch" : ""));
}

// ---- objects ----

Happening Acquisition::fetch(Moment now) {
    LULL_INVARIANT(wanted_.has_value());
    if (!wanted_->asked_for) want_objects(now);
    if (!around_.fetcher().has_all(around_.software())) return Happening::nothing();
    log_fetched(now);
    around_.effects.perform(StageRelease{materials(), around_.target.info.urgency, build()->size});
    return Happening::began(Work::staging);
}

void Acquisition::want_objects(Moment now) {
    auto& fetcher = around_.fetcher();
    for (auto const& object : wanted_->objects) fetcher.want(around_.target.release, object.digest, object.size);
    wanted_->asked_for = true;
    wanted_->since = now.point;
    wanted_->had = fetcher.arrived_for(around_.software());
}

void Acquisition::log_fetched(Moment now) {
    auto const has = around_.fetcher().arrived_for(around_.software());
    if (has <= wanted_->had) return;
    auto const took = std::chrono::duration_cast<std::chrono::milliseconds>(now.point - wanted_->since);
    around_.effects.log(LogLevel::info,
                        fmt::format("{} {}: fetched {} in {} ms", around_.software().text(),
                                    around_.target.release.version.text(), to_text(has - wanted_->had), took.count()));
    wanted_->had = has;
}

Happening Acquisition::on(StageEnded const& event, Moment now) {
    if (event.status) {
        if (!staged_) staged_ = now.wall;
        around_.fetcher().unwant(around_.software());
        return Happening::moved(Transition::tree_staged);
    }
    if (event.refetch.empty() || ++wanted_->restaged > most_tries) return Happening::failed(event.status.error());
    log(LogLevel::warn, fmt::format("{}; fetching {} objects", event.status.error().message, event.refetch.size()));
    return fetch_again(event.refetch);
}

// What was fetched is dropped and fetched again. What the installed release was to give, and cannot because it is
// damaged, becomes part of the plan.
Happening Acquisition::fetch_again(std::vector<Segment> const& segments) {
    auto const& manifest = build()->manifest;
    bool const no_manifest = segments.front().digest == manifest;
    if (no_manifest && kept_contents()) {
        kept_is_useless_ = true;
        return without(manifest, "the older release cannot be used any more");
    }
    if (no_manifest && patch_in_use()) return without(search_.object.digest, "the patch gives no manifest any more");
    Happening happening{.then = Happening::Then::reconcile};
    std::set<Digest> added;
    std::set<Digest> planned{manifest};
    for (auto const& object : wanted_->objects) planned.insert(object.digest);
    for (auto const& segment : segments) {
        if (planned.contains(segment.digest)) {
            happening.refetch.push_back(segment.digest);
        } else if (added.insert(segment.digest).second) {
            wanted_->objects.push_back(segment);
            around_.fetcher().want(around_.target.release, segment.digest, segment.size);
        }
    }
    return happening;
}

}  // namespace lull::subscriber
