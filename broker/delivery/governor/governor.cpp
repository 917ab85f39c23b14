#include "broker/delivery/governor/governor.hpp"

#include <algorithm>
#include <utility>

namespace lull::broker {

namespace {

constexpr Bytes no_bound(std::uint64_t{1} << 40);
constexpr std::size_t most_probes = 16;                     // unanswered, a session
constexpr Duration site_memory = std::chrono::minutes(30);  // what was learned of a site
constexpr double worth_telling = 0.1;  // a smaller change of the pacing rate is not worth a system call
constexpr ByteRate unpaced(1e12);
// The kernel paces bursts of about a millisecond, of two packets at least: tcp(7), tso autosizing.
constexpr Bytes least_burst(2 * 1448);
constexpr Duration burst = std::chrono::microseconds(977);

}  // namespace

Governor::Governor(GovernorSettings settings) : settings_(std::move(settings)) {
    for (auto const& [site, rate] : settings_.caps) {
        caps_[site] = limits_.caps.size();
        limits_.caps.push_back(rate);
    }
}

Governor::Path* Governor::find(SessionId session) {
    auto const found = paths_.find(session);
    return found == paths_.end() ? nullptr : &found->second;
}

// ---- sessions ----

void Governor::open(SessionId session, Route const& route) {
    if (settings_.on) routes_.try_emplace(session, route);
}

// Most sessions are never sent anything: only those that are cost more than their route.
Governor::Path* Governor::find_or_make(SessionId session, TimePoint now) {
    if (auto* const path = find(session)) return path;
    auto const route = routes_.find(session);
    if (route == routes_.end()) return nullptr;
    auto const [entry, fresh] = sites_.try_emplace(route->second.site, settings_.path);
    auto& site = entry->second;
    if (fresh) {
        site.line = route->second.line;
        auto const cap = caps_.find(route->second.site);
        if (cap != caps_.end()) site.cap = cap->second;
        site.controller.limit(limits_.caps[site.cap]);
    }
    ++site.paths;
    site.used = now;
    return &paths_.emplace(session, Path{.site = &site}).first->second;
}

void Governor::close(SessionId session, TimePoint now) {
    restart(session, now);
    routes_.erase(session);
}

void Governor::restart(SessionId session, TimePoint now) {
    auto const found = paths_.find(session);
    if (found == paths_.end()) return;
    auto& site = *found->second.site;
    site.controller.lost(found->second.flying);
    site.again = TimePoint();
    --site.paths;
    site.used = now;
    paths_.erase(found);
}

void Governor::forget_idle(TimePoint now) {
    std::erase_if(sites_,
                  [&](auto const& entry) { return entry.second.paths == 0 && now - entry.second.used > site_memory; });
}

// ---- sending ----

Turn Governor::turn(SessionId session, Urgency urgency, TimePoint now) {
    using Kind = Turn::Kind;
    auto* const path = find_or_make(session, now);
    if (path == nullptr || urgency == Urgency::immediate) return {Kind::data, no_bound, now};
    auto& site = *path->site;
    if (now < site.again) return {Kind::wait, {}, site.again};
    auto const turn = site.controller.turn(now);
    if (turn.kind == Kind::wait) site.again = turn.again;
    return turn;
}

void Governor::decided(SessionId session, Bytes size, Urgency urgency, TimePoint now) {
    auto* const path = find(session);
    if (path == nullptr) return;
    path->flying += size;
    if (urgency != Urgency::immediate) path->site->controller.sent(size, now);
}

std::uint64_t Governor::probing(SessionId session, TimePoint now) {
    auto* const path = find(session);
    LULL_INVARIANT(path != nullptr);  // nobody else is given a turn to probe
    path->flying += PathController::probe_size;
    path->site->controller.sent(PathController::probe_size, now);
    return ++path->last_probe;
}

void Governor::starved(SessionId session) {
    if (auto* const path = find(session)) path->site->controller.starved();
}

std::optional<ByteRate> Governor::repace(SessionId session, Urgency urgency) {
    auto* const path = find(session);
    if (path == nullptr) return std::nullopt;
    auto const wanted = urgency == Urgency::immediate ? unpaced : path->site->controller.pacing();
    bool const close = wanted >= path->pacing * (1 - worth_telling) && wanted <= path->pacing * (1 + worth_telling);
    if (close) return std::nullopt;
    path->pacing = wanted;
    return wanted;
}

// Between the first and the last packet of a frame. Nothing for the pacing that the kernel was not told of.
Duration Governor::spread_by_pacing(Path const& path, Bytes size) const {
    if (path.pacing.zero()) return {};
    auto const at_once = std::max(least_burst, flowing(path.pacing, burst));
    return size <= at_once ? Duration() : time_for(size - at_once, path.pacing);
}

void Governor::left(FrameLeft const& frame) {
    auto* const path = find(frame.session);
    if (path == nullptr) return;
    Flight flight{{}, frame.size, frame.at, frame.unsent, {}};
    if (frame.probe) {
        flight.size = PathController::probe_size;
        path->probes.emplace(*frame.probe, flight);
        if (path->probes.size() <= most_probes) return;
        give_up(*path, path->probes.begin()->second);
        path->probes.erase(path->probes.begin());
        return;
    }
    flight.pacing = spread_by_pacing(*path, frame.size);
    path->handed += frame.size;
    flight.end = path->handed;
    path->flights.push_back(flight);
}

// What left before the session began anew was not counted in it.
void Governor::give_up(Path& path, Flight const& flight) {
    path.flying -= std::min(path.flying, flight.size);
    path.site->controller.lost(flight.size);
}

void Governor::take_sample(Path& path, Flight const& flight, Arrival const& arrival, TimePoint now) {
    auto const at = arrival.at.value_or(now.time_since_epoch());
    PathSample const sample{flight.sent, at, now, flight.size, flight.unsent, flight.pacing, arrival.kernels};
    path.flying -= std::min(path.flying, flight.size);
    auto const seen = path.delay.on(sample);
    path.site->queue = seen.queue.value_or(path.site->queue);
    path.site->controller.on(seen, now);
    path.site->again = TimePoint();
}

// Each frame is acknowledged for itself; should one acknowledgement stand for several, it tells of the last of them.
void Governor::acknowledged(SessionId session, Bytes received, Arrival const& arrival, TimePoint now) {
    auto* const path = find(session);
    if (path == nullptr) return;
    while (!path->flights.empty() && path->flights.front().end <= received) {
        auto const flight = path->flights.front();
        path->flights.pop_front();
        bool const last = path->flights.empty() || path->flights.front().end > received;
        if (last) return take_sample(*path, flight, arrival, now);
        give_up(*path, flight);
    }
}

void Governor::answered(SessionId session, std::uint64_t probe, Arrival const& arrival, TimePoint now) {
    auto* const path = find(session);
    if (path == nullptr) return;
    auto const found = path->probes.find(probe);
    if (found == path->probes.end()) return;  // no probe of ours, or one that was given up
    auto const flight = found->second;
    path->probes.erase(found);
    take_sample(*path, flight, arrival, now);
}

// ---- lines ----

void Governor::on(LineReading const& reading) {
    auto line = lines_.find(reading.line);
    if (line == lines_.end()) {
        auto settings = settings_.line;
        settings.link_speed = reading.link_speed;
        line = lines_.emplace(reading.line, settings).first;
    }
    line->second.on(reading.counters);
}

void Governor::divide(std::vector<Wish> const& wishes, Moment now) {
    limits_.window = settings_.schedule.share_at(now.wall);
    std::map<std::string_view, std::vector<Site*>> by_line;
    for (auto const& wish : wishes) {
        auto* const path = find(wish.session);
        if (path == nullptr) continue;
        auto& site = *path->site;
        if (!site.wished) by_line[site.line].push_back(&site);
        site.wished = std::max(site.wished.value_or(wish.urgency), wish.urgency);
    }
    for (auto const& [name, sites] : by_line) {
        auto const line = lines_.find(name);
        std::vector<PathClaim> claims;
        for (std::size_t i = 0; i < sites.size(); ++i) {
            auto& site = *sites[i];
            site.controller.set_urgency(*site.wished);
            claims.push_back({i, *site.wished, site.controller.wanted(), site.cap});
            constexpr Duration just_now = std::chrono::milliseconds(20);
            if (line != lines_.end() && site.controller.congested_at() > now.point - just_now)
                line->second.path_congested(now.point);
            site.wished.reset();
        }
        // A line whose counters cannot be read has no limits but those that the operator set.
        auto const grants = line != lines_.end() ? line->second.divide(claims, limits_) : std::vector<LineShare>();
        for (std::size_t i = 0; i < sites.size(); ++i) {
            auto const cap = limits_.caps[sites[i]->cap];
            auto const no_reading = cap < claims[i].wanted ? Reason::cap : Reason::none;
            sites[i]->controller.limit(grants.empty() ? cap : grants[i].rate);
            sites[i]->granted = grants.empty() ? no_reading : grants[i].reason;
            sites[i]->again = TimePoint();
        }
    }
}

// ---- for people ----

std::optional<Governor::View> Governor::view(SessionId session, TimePoint now) const {
    auto const found = paths_.find(session);
    if (found == paths_.end()) return std::nullopt;
    auto const& site = *found->second.site;
    auto const reason = site.controller.reason(now);
    return View{site.controller.rate(), reason == Reason::none ? site.granted : reason, site.controller.capacity(),
                site.controller.threshold(), site.queue};
}

std::map<std::string, Governor::LineView> Governor::lines() const {
    std::map<std::string, LineView> views;
    for (auto const& [name, line] : lines_) views[name] = {line.capacity(), line.cross_traffic(), line.budget(limits_)};
    return views;
}

}  // namespace lull::broker
