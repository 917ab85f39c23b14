#include "publisher/watch/watch_list.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace lull::publisher::watch {

namespace {

constexpr Duration between_lists = std::chrono::milliseconds(200);

}  // namespace

WatchList::WatchList(Settings settings, std::map<SoftwareName, LastRelease> remembered, TimePoint now)
    : settings_(std::move(settings)),
      remembered_(std::move(remembered)),
      next_list_(now),
      broker_again_(now) {
    if (!settings_.only) return;
    next_list_ = TimePoint::max();
    add(*settings_.only, now);
}

Actions WatchList::on(Event const& event, Moment now) {
    std::visit([&](auto const& concrete) { handle(concrete, now); }, event);
    start_ready(now.point);
    return std::exchange(actions_, {});
}

TimePoint WatchList::wake() const {
    auto wake = listing_ ? TimePoint::max() : next_list_;
    bool any_ready = false;
    for (auto const& [name, software] : software_) {
        wake = std::min(wake, software.wake());
        any_ready = any_ready || (software.ready() && !publishing_.contains(name));
    }
    if (any_ready && publishing_.size() < settings_.at_once) wake = std::min(wake, broker_again_);
    return wake;
}

bool WatchList::expects(SoftwareName const& software, Ticket ticket) const {
    auto const found = software_.find(software);
    return found != software_.end() && found->second.ticket() == ticket;
}

std::vector<SoftwareStatus> WatchList::status() const {
    std::vector<SoftwareStatus> rows;
    for (auto const& [name, software] : software_) rows.push_back(software.status());
    return rows;
}

void WatchList::add(SoftwareName const& software, TimePoint now) {
    auto const known = remembered_.find(software);
    auto const last = known == remembered_.end() ? std::nullopt : std::optional(known->second);
    auto const ticket = next_ticket_++;
    software_.try_emplace(software, software, ticket, settings_.times, last, now);
}

void WatchList::report(LogLevel level, std::string text) { actions_.push_back(action::Report{level, std::move(text)}); }

void WatchList::append(Actions actions) { std::move(actions.begin(), actions.end(), std::back_inserter(actions_)); }

// ---- which software there is ----

void WatchList::handle(event::Listed const& event, Moment now) {
    listing_ = false;
    next_list_ = std::max(next_list_, now.point);
    if (!std::exchange(list_error_, {}).empty()) report(LogLevel::info, "the directory can be read again");
    std::set<SoftwareName> const found(event.names.begin(), event.names.end());
    for (auto at = software_.begin(); at != software_.end();) {
        if (found.contains(at->first)) {
            ++at;
            continue;
        }
        report(LogLevel::info,
               fmt::format("{}: its directory is gone; what was released stays published", at->first.text()));
        actions_.push_back(action::Forget{at->first});
        at = software_.erase(at);
    }
    for (auto const& name : found) {
        if (software_.contains(name)) continue;
        if (software_.size() == most_software) {
            report(LogLevel::error, fmt::format("there are more than {} directories; '{}' and others are not watched",
                                                most_software, name.text()));
            break;
        }
        add(name, now.point);
    }
    for (auto const& text : event.invalid) {
        if (std::ranges::find(invalid_, text) == invalid_.end()) report(LogLevel::error, text);
    }
    invalid_ = event.invalid;
    handle(event::Tick{}, now);
}

void WatchList::handle(event::ListFailed const& event, Moment) {
    listing_ = false;
    if (event.error.message == list_error_) return;
    list_error_ = event.error.message;
    report(LogLevel::error, list_error_);
}

void WatchList::handle(event::DirectoryChanged const&, Moment now) {
    if (!settings_.only) next_list_ = std::min(next_list_, now.point + between_lists);
}

// ---- trees ----

void WatchList::handle(event::Changed const& event, Moment now) {
    auto const found = software_.find(event.software);
    if (found != software_.end()) found->second.changed(now.point);
}

void WatchList::handle(event::Unsure const& event, Moment now) {
    for (auto& [name, software] : software_) {
        if (!event.software || *event.software == name) software.unsure(now.point);
    }
    if (!event.software) handle(event::DirectoryChanged{}, now);
    handle(event::Tick{}, now);
}

void WatchList::handle(event::Looked const& event, Moment now) {
    if (expects(event.software, event.ticket)) append(software_.at(event.software).looked(event.look, now));
}

void WatchList::handle(event::Tick const&, Moment now) {
    if (!listing_ && now.point >= next_list_) {
        listing_ = true;
        next_list_ = now.point + settings_.times.scan;
        actions_.push_back(action::List{});
    }
    for (auto& [name, software] : software_) append(software.tick(now.point));
}

// ---- publications ----

void WatchList::handle(event::Published const& event, Moment now) {
    publishing_.erase(event.software);
    note_broker(event.outcome, now.point);
    remember(event.software, event.outcome);
    if (!expects(event.software, event.ticket)) return;
    auto& software = software_.at(event.software);
    append(software.published(event.outcome, now));
    if (software.last()) remembered_.insert_or_assign(event.software, *software.last());
}

// Also of a software whose directory is gone: it may come back.
void WatchList::remember(SoftwareName const& software, Outcome const& outcome) {
    if (auto const* const released = std::get_if<outcome::Released>(&outcome))
        remembered_.insert_or_assign(software, released->release);
    while (remembered_.size() > 2 * most_software) remembered_.erase(remembered_.begin());
}

void WatchList::note_broker(Outcome const& outcome, TimePoint now) {
    auto const* const failed = std::get_if<outcome::Failed>(&outcome);
    if (failed == nullptr || failed->remedy != outcome::Remedy::broker) {
        bool const reached = std::holds_alternative<outcome::Released>(outcome) ||
                             std::holds_alternative<outcome::Unchanged>(outcome);
        if (reached && broker_failures_ > 0) report(LogLevel::info, "the broker is reached again");
        if (reached) broker_failures_ = 0;
        return;
    }
    if (now < broker_again_) return;  // two publications failed at once
    ++broker_failures_;
    broker_again_ = now + back_off(broker_failures_, settings_.times.first_retry, settings_.times.last_broker_retry);
    bool const known = std::exchange(broker_error_, failed->error.message) == failed->error.message;
    if (broker_failures_ > 1 && known && !std::has_single_bit(broker_failures_)) return;
    report(LogLevel::error, fmt::format("{}; the next try is in {}", broker_error_, to_text(broker_again_ - now)));
}

// In the order in which they became ready.
void WatchList::start_ready(TimePoint now) {
    while (now >= broker_again_ && publishing_.size() < settings_.at_once) {
        auto next = software_.end();
        for (auto at = software_.begin(); at != software_.end(); ++at) {
            if (!at->second.ready() || publishing_.contains(at->first)) continue;
            if (next == software_.end() || at->second.ready_since() < next->second.ready_since()) next = at;
        }
        if (next == software_.end()) return;
        publishing_.insert(next->first);
        actions_.push_back(next->second.start());
    }
}

}  // namespace lull::publisher::watch
