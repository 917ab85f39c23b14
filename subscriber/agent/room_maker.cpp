#include "subscriber/agent/room_maker.hpp"

#include <algorithm>
#include <tuple>

namespace lull::subscriber {

namespace {

std::string name_of(ReleaseId const& release) {
    return fmt::format("{} {}", release.software.text(), release.version.text());
}

}  // namespace

std::vector<ReleaseId> in_order_of_loss(SoftwareName const& asker, std::vector<Expendable> versions) {
    std::ranges::stable_sort(versions, {}, [&](Expendable const& version) {
        return std::tuple(version.worth, version.release.software != asker, version.release.seq);
    });
    std::vector<ReleaseId> releases;
    for (auto& version : versions) releases.push_back(std::move(version.release));
    return releases;
}

bool RoomMaker::ask(RoomNeed const& need) {
    auto const& software = need.release.software;
    if (step_) {
        waiting_.insert(software);
        return true;
    }
    auto& attempt = attempts_[software];
    if (!std::exchange(attempt.tidied, true) && tidy(need)) return true;
    if (!attempt.hopeless && give_up_version(need)) return true;
    return !std::exchange(attempt.took_fetched, true) && take_fetched(need);
}

// The record comes first: after a crash in between the version is one that nobody needs, and the next clean-up deletes
// it.
bool RoomMaker::give_up_version(RoomNeed const& need) {
    auto versions = in_order_of_loss(need.release.software, ports_.expendable());
    auto const& in_use = attempts_[need.release.software].in_use;
    std::erase_if(versions, [&](auto const& version) { return version == need.release || in_use.contains(version); });
    if (versions.empty()) return false;
    auto const version = versions.front();
    step_ = Step{need.release, version};
    MakeRoom order{version.software, {}, version, std::move(versions), need.lacking};
    ports_.forget(version, [this, order = std::move(order)](Moment) { effects_.perform(order); });
    return true;
}

bool RoomMaker::tidy(RoomNeed const& need) {
    auto const unwanted = ports_.unwanted(need, Spared::stay);
    if (unwanted.empty() && !need.untidy) return false;
    drop(need, unwanted, "that no release needs");
    return true;
}

bool RoomMaker::take_fetched(RoomNeed const& need) {
    auto const fetched = ports_.unwanted(need, Spared::go);
    if (fetched.empty()) return false;
    drop(need, fetched, "of releases that lack room as well");
    return true;
}

void RoomMaker::drop(RoomNeed const& need, std::vector<Digest> const& objects, std::string_view whose) {
    step_ = Step{need.release, std::nullopt};
    MakeRoom order{need.release.software, need.keep};
    if (objects.empty()) return effects_.perform(std::move(order));
    effects_.log(LogLevel::info, fmt::format("{} needs room: {} fetched objects {} are deleted", name_of(need.release),
                                             objects.size(), whose));
    ports_.drop(objects, [this, order = std::move(order)](Moment) { effects_.perform(order); });
}

std::string RoomMaker::end(SoftwareName const& software) {
    auto const ended = attempts_.extract(software);
    if (!ended) return {};
    auto const& attempt = ended.mapped();
    std::string text;
    for (auto const& version : attempt.in_use) text += (text.empty() ? "" : ", ") + name_of(version);
    if (!text.empty()) text = "in use, and therefore kept: " + text;
    if (attempt.hopeless) text += (text.empty() ? "" : "; ") + std::string("the room of older versions is not enough");
    return text;
}

void RoomMaker::on(RoomMade const& event, Moment now) {
    if (!step_) return;
    auto const step = *std::exchange(step_, std::nullopt);
    if (step.version) settle(step, event);
    auto asking = std::exchange(waiting_, {});
    asking.insert(step.asker.software);
    for (auto const& software : asking) ports_.go_on(software, now);
}

// Where nothing is known of it, it is not relied on any more.
void RoomMaker::settle(Step const& step, RoomMade const& event) {
    auto const& version = *step.version;
    bool const stays = event.there && std::ranges::find(*event.there, version) != event.there->end();
    ports_.settle(version, stays ? Fate::stays : Fate::gone, step.asker);
    if (event.hopeless) {
        attempts_[step.asker.software].hopeless = true;
        return;
    }
    if (stays) {
        attempts_[step.asker.software].in_use.insert(version);
        return effects_.log(LogLevel::info, fmt::format("{} stays although {} needs its room: a process uses it",
                                                        name_of(version), name_of(step.asker)));
    }
    if (!event.there) effects_.log(LogLevel::warn, event.there.error().message);
    effects_.log(LogLevel::info, fmt::format("{} was given up, because {} needs its room and no process uses it; going "
                                             "back to it fetches it again",
                                             name_of(version), name_of(step.asker)));
}

}  // namespace lull::subscriber
