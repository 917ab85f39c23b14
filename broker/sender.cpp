#include "broker/sender.hpp"

#include <algorithm>

namespace lull::broker {

Sender::Place Sender::enqueue(SessionId session, Transfer transfer) {
    auto& queue = queues_[session];
    if (queue.transfers.size() >= limits::objects_per_session) return Place::overfull;
    bool const idle = queue.transfers.empty();
    queue.transfers.push_back(std::move(transfer));
    if (queue.served) return Place::served;
    if (!idle) return Place::queued;
    if (served_.size() < limits_.transfers) {
        queue.served = true;
        served_.push_back(session);
        return Place::served;
    }
    waiting_.push_back(session);
    return Place::queued;
}

bool Sender::acknowledge(SessionId session, Bytes received) {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return received.zero();
    auto& queue = found->second;
    if (received > queue.sent) return false;
    if (received <= queue.acknowledged) return true;  // late or repeated
    in_flight_ -= received - queue.acknowledged;
    queue.acknowledged = received;
    return true;
}

void Sender::permit(SessionId session, Bytes permitted) {
    auto& queue = queues_[session];
    queue.permitted = std::max(queue.permitted, permitted);
}

void Sender::drop(SessionId session) {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return;
    in_flight_ -= found->second.sent - found->second.acknowledged;
    leave_service(session, found->second);
    std::erase(waiting_, session);
    queues_.erase(found);
}

void Sender::leave_service(SessionId session, Queue& queue) {
    if (!queue.served) return;
    queue.served = false;
    std::erase(served_, session);
    if (waiting_.empty()) return;
    auto const next = waiting_.front();
    waiting_.pop_front();
    queues_.at(next).served = true;
    served_.push_back(next);
}

std::vector<SendFrame> Sender::next() {
    std::vector<SendFrame> frames;
    std::size_t fruitless = 0;
    while (!served_.empty() && fruitless < served_.size()) {
        auto const session = served_.front();
        served_.pop_front();
        served_.push_back(session);
        auto& queue = queues_.at(session);
        if (auto frame = next_frame(session, queue)) {
            frames.push_back(std::move(*frame));
            fruitless = 0;
        } else {
            ++fruitless;
        }
        if (queue.transfers.empty()) leave_service(session, queue);
    }
    return frames;
}

Bytes Sender::window() const {
    Bytes const share(limits_.cap.count() / (served_.size() + 1));
    return std::min(limits_.window, std::max(share, limits_.frame));
}

std::optional<SendFrame> Sender::next_frame(SessionId session, Queue& queue) {
    if (queue.transfers.empty()) return std::nullopt;
    auto& transfer = queue.transfers.front();
    Bytes const left = transfer.place.shape.stored - transfer.offset;
    Bytes const length = std::min(left, limits_.frame);
    Bytes const flying = queue.sent - queue.acknowledged;
    if (flying + length > window() || queue.sent + length > queue.permitted) return std::nullopt;
    if (in_flight_ + length > limits_.cap) return std::nullopt;
    SendFrame frame{session, transfer.place, transfer.offset, length};
    queue.sent += length;
    queue.by_software[transfer.software] += length;
    in_flight_ += length;
    transfer.offset += length;
    if (transfer.offset == transfer.place.shape.stored) queue.transfers.pop_front();
    return frame;
}

std::optional<std::size_t> Sender::position(SessionId session) const {
    auto const found = queues_.find(session);
    if (found == queues_.end() || found->second.transfers.empty()) return std::nullopt;
    if (found->second.served) return 0;
    auto const place = std::find(waiting_.begin(), waiting_.end(), session);
    return static_cast<std::size_t>(place - waiting_.begin()) + 1;
}

std::optional<Bytes> Sender::sent_for(SessionId session, SoftwareName const& software) const {
    auto const found = queues_.find(session);
    if (found == queues_.end()) return std::nullopt;
    auto const bytes = found->second.by_software.find(software);
    if (bytes == found->second.by_software.end()) return std::nullopt;
    return bytes->second;
}

}  // namespace lull::broker
