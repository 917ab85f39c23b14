#include "broker/delivery/sender.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace lull::broker {

Urgency Sender::Queue::urgency() const {
    for (auto level = by_urgency.size(); level-- > 1;) {
        if (by_urgency[level] > 0) return static_cast<Urgency>(level);
    }
    return Urgency{};
}

Sender::Place Sender::enqueue(SessionId session, Transfer transfer) {
    auto& queue = queues_[session];
    if (queue.transfers.size() >= limits::objects_per_session) return Place::overfull;
    auto const before = queue.urgency();
    ++queue.by_urgency[static_cast<std::size_t>(transfer.urgency)];
    queue.transfers.push_back(std::move(transfer));
    if (queue.service == Service::finishing) unlist(queue);
    if (queue.service == Service::waiting && queue.urgency() > before) {
        waiting_.erase(session);
        queue.service = Service::idle;
    }
    if (queue.service == Service::idle || queue.service == Service::finishing) ask_for_service(session, queue);
    take_back(session, queue);
    return queue.service == Service::waiting ? Place::queued : Place::served;
}

void Sender::ask_for_service(SessionId session, Queue& queue) {
    queue.blocked.reset();
    if (served_.size() >= limits_.transfers && !make_room_for(queue.urgency())) return wait(session, queue);
    queue.service = Service::served;
    served_.push_back(session);
}

// Behind those that are as urgent.
void Sender::wait(SessionId session, Queue& queue) {
    queue.service = Service::waiting;
    waiting_.push(session, queue.urgency());
}

// The least urgent of the served sessions goes back to the queue, if it is less urgent than this.
bool Sender::make_room_for(Urgency urgency) {
    auto const order = in_turn();
    auto const last = order.back();
    auto& queue = queues_.at(last);
    if (queue.urgency() >= urgency) return false;
    std::erase(served_, last);
    wait(last, queue);
    return true;
}

bool Sender::acknowledge(SessionId session, Bytes received, TimePoint now) {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return received.zero();
    auto& queue = found->second;
    if (received > queue.sent) return false;
    if (received <= queue.acknowledged) return true;  // late or repeated
    (queue.service == Service::aside ? aside_in_flight_ : in_flight_) -= received - queue.acknowledged;
    queue.acknowledged = received;
    if (queue.blocked) queue.blocked = now;
    take_back(session, queue);
    if (queue.flying().zero() && queue.transfers.empty()) {
        unlist(queue);
        if (queue.service == Service::finishing || queue.service == Service::aside) queue.service = Service::idle;
    }
    return true;
}

void Sender::permit(SessionId session, Bytes permitted) {
    auto& queue = queues_[session];
    queue.permitted = std::max(queue.permitted, permitted);
    take_back(session, queue);
}

void Sender::drop(SessionId session) {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return;
    auto& queue = found->second;
    (queue.service == Service::aside ? aside_in_flight_ : in_flight_) -= queue.flying();
    if (queue.service == Service::served) leave_service(session, queue);
    waiting_.erase(session);
    unlist(queue);
    queues_.erase(found);
}

void Sender::list(std::map<std::uint64_t, SessionId>& sessions, SessionId session, Queue& queue) {
    queue.listed = next_listed_++;
    sessions.emplace(queue.listed, session);
}

void Sender::unlist(Queue const& queue) {
    if (queue.service == Service::finishing) finishing_.erase(queue.listed);
    if (queue.service == Service::aside) aside_.erase(queue.listed);
}

void Sender::leave_service(SessionId session, Queue& queue) {
    queue.service = queue.flying().zero() ? Service::idle : Service::finishing;
    if (queue.service == Service::finishing) list(finishing_, session, queue);
    std::erase(served_, session);
    if (waiting_.empty()) return;
    auto const next = waiting_.front();
    waiting_.erase(next);
    ask_for_service(next, queues_.at(next));
}

// ---- those that take nothing ----

Bytes Sender::next_length(Queue const& queue) const {
    auto const& transfer = queue.transfers.front();
    return std::min(transfer.place.shape.stored - transfer.offset, limits_.frame);
}

bool Sender::can_take(Queue const& queue) const {
    if (queue.transfers.empty()) return false;
    auto const length = next_length(queue);
    return queue.flying() + length <= window(queue) && queue.sent + length <= queue.permitted;
}

void Sender::set_aside_the_blocked(TimePoint now) {
    homeless_ = Bytes();
    bool const refused = std::exchange(refused_, false);
    for (auto const session : std::vector(served_.begin(), served_.end())) {
        if (waiting_.empty() && !refused) return;
        set_aside(session, queues_.at(session), now);
    }
    if (!refused) return;
    for (auto const& [listed, session] : std::map(finishing_)) set_aside(session, queues_.at(session), now);
}

void Sender::set_aside(SessionId session, Queue& queue, TimePoint now) {
    if (!queue.blocked || now - *queue.blocked < limits_.patience) return;
    if (aside_in_flight_ + queue.flying() > limits_.cap) {
        homeless_ = std::max(homeless_, queue.flying());
        return;
    }
    if (queue.service == Service::served) leave_service(session, queue);
    unlist(queue);
    queue.service = Service::aside;
    list(aside_, session, queue);
    in_flight_ -= queue.flying();
    aside_in_flight_ += queue.flying();
}

void Sender::take_back(SessionId session, Queue& queue) {
    if (queue.service != Service::aside || !can_take(queue)) return;
    unlist(queue);
    aside_in_flight_ -= queue.flying();
    in_flight_ += queue.flying();
    ask_for_service(session, queue);
}

std::vector<SessionId> Sender::overdue(TimePoint now) const {
    std::vector<SessionId> overdue;
    Bytes left = aside_in_flight_;
    for (auto session = aside_.begin(); session != aside_.end() && left + homeless_ > limits_.cap; ++session) {
        auto const& queue = queues_.at(session->second);
        if (queue.flying().zero() || now - *queue.blocked < limits_.most_patience) continue;
        left -= queue.flying();
        overdue.push_back(session->second);
    }
    return overdue;
}

// ---- frames ----

// The most urgent first, the others as they stand.
std::vector<SessionId> Sender::in_turn() const {
    std::vector<SessionId> order(served_.begin(), served_.end());
    auto const urgency = [&](SessionId session) { return queues_.at(session).urgency(); };
    bool const ordered = std::ranges::is_sorted(order, std::greater(), urgency);
    if (!ordered) std::ranges::stable_sort(order, std::greater(), urgency);
    return order;
}

Sender::Outgoing Sender::next(TimePoint now) {
    set_aside_the_blocked(now);
    Outgoing outgoing;
    bool any = true;
    while (any) {
        any = false;
        for (auto const session : in_turn()) {
            auto& queue = queues_.at(session);
            if (queue.service == Service::served) any |= serve(session, queue, outgoing, now);
        }
    }
    return outgoing;
}

// One frame or probe of a session that is being served; false if there is none.
bool Sender::serve(SessionId session, Queue& queue, Outgoing& outgoing, TimePoint now) {
    if (!ready(session, queue, now)) return false;
    auto const turn = governor_.turn(session, queue.urgency(), now);
    switch (turn.kind) {
        case Turn::Kind::wait: outgoing.again = std::min(outgoing.again.value_or(turn.again), turn.again); return false;
        case Turn::Kind::probe: outgoing.probes.push_back({session, governor_.probing(session, now)}); return true;
        case Turn::Kind::data: break;
    }
    if (auto const rate = governor_.repace(session, queue.urgency())) outgoing.pacing.push_back({session, *rate});
    outgoing.frames.push_back(take_frame(session, queue, std::min(next_length(queue), turn.size), now));
    std::erase(served_, session);
    served_.push_back(session);
    if (queue.transfers.empty()) leave_service(session, queue);
    return true;
}

Bytes Sender::window(Queue const& queue) const {
    Bytes const share(limits_.cap.count() / (served_.size() + 1));
    auto const window = queue.acknowledged.zero() ? std::min(limits_.first_window, limits_.window) : limits_.window;
    return std::min(window, std::max(share, limits_.frame));
}

// Whether anything but the governor holds its next frame.
bool Sender::ready(SessionId session, Queue& queue, TimePoint now) {
    if (queue.transfers.empty()) return false;
    if (!can_take(queue)) {
        if (!queue.blocked) {
            queue.blocked = now;
            governor_.starved(session);
        }
        return false;
    }
    if (in_flight_ + next_length(queue) <= limits_.cap) return true;
    refused_ = true;
    return false;
}

SendFrame Sender::take_frame(SessionId session, Queue& queue, Bytes length, TimePoint now) {
    auto& transfer = queue.transfers.front();
    SendFrame frame{session, transfer.place, transfer.offset, length};
    governor_.decided(session, length, queue.urgency(), now);
    queue.sent += length;
    queue.by_software[transfer.software] += length;
    in_flight_ += length;
    transfer.offset += length;
    if (transfer.offset == transfer.place.shape.stored) {
        --queue.by_urgency[static_cast<std::size_t>(transfer.urgency)];
        queue.transfers.pop_front();
    }
    queue.blocked.reset();
    if (queue.transfers.empty()) {
        queue.blocked = now;
        governor_.starved(session);
    }
    return frame;
}

std::vector<Governor::Wish> Sender::wishes() const {
    std::vector<Governor::Wish> wishes;
    for (auto const session : served_) wishes.push_back({session, queues_.at(session).urgency()});
    return wishes;
}

std::optional<std::size_t> Sender::position(SessionId session) const {
    auto const found = queues_.find(session);
    if (found == queues_.end() || found->second.transfers.empty()) return std::nullopt;
    return waiting_.position(session).value_or(0);
}

std::optional<Bytes> Sender::sent_for(SessionId session, SoftwareName const& software) const {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return std::nullopt;
    auto const bytes = found->second.by_software.find(software);
    if (bytes == found->second.by_software.end()) return std::nullopt;
    return bytes->second;
}

}  // namespace lull::broker
