#pragma once

#include <algorithm>
#include <deque>
#include <optional>

#include "schema/call_credit.hpp"

namespace lull::subscriber {

// A stream that comes in: gives credit as its bytes are taken, and checks that the sender keeps to it. Credit counts as
// credit_for() says.
class IncomingFlow {
public:
    // False: the bytes are not the next ones, or more than was permitted.
    [[nodiscard]] bool accept(Bytes offset, Bytes payload) {
        auto const credit = credit_for(payload);
        if (ended_ || offset != received_ || payload > limits::call_frame || credit > permitted_ - used_) return false;
        received_ += payload;
        used_ += credit;
        if (!payload.zero()) waiting_.push_back({received_, credit});
        return true;
    }
    void end() { ended_ = true; }
    [[nodiscard]] bool ended() const { return ended_; }
    // So many more of its bytes are out of the way.
    void took(Bytes size) {
        taken_ += std::min(size, received_ - taken_);
        while (!waiting_.empty() && waiting_.front().upto <= taken_) {
            released_ += waiting_.front().credit;
            waiting_.pop_front();
        }
    }
    // The credit to send, if it has grown enough to be worth a message.
    [[nodiscard]] std::optional<Bytes> credit_due() {
        Bytes const permitted = released_ + limits::call_window;
        bool const worth = permitted - permitted_ >= Bytes(limits::call_window.count() / 4);
        if (ended_ || !worth) return std::nullopt;
        permitted_ = permitted;
        return permitted;
    }

private:
    struct Frame {
        Bytes upto;
        Bytes credit;
    };
    Bytes received_{};           // bytes
    Bytes taken_{};              // of these
    Bytes used_{};               // credit of what was received
    Bytes released_{};           // credit of what was taken
    Bytes permitted_{};          // credit sent
    std::deque<Frame> waiting_;  // received, not taken: bounded by the window
    bool ended_ = false;
};

// A stream that goes out, within the credit of its receiver and never more than a window ahead of it.
class OutgoingFlow {
public:
    // True if left() has grown.
    bool permit(Bytes permitted) {
        Bytes const most = std::min(permitted, used_ + limits::call_window);
        if (most <= permitted_) return false;
        permitted_ = most;
        return true;
    }
    // The offset of what is sent now: at most left().
    Bytes send(Bytes size) {
        Bytes const offset = sent_;
        sent_ += size;
        used_ += credit_for(size);
        return offset;
    }
    [[nodiscard]] Bytes sent() const { return sent_; }
    // The largest payload that may be sent now.
    [[nodiscard]] Bytes left() const {
        Bytes const credit = permitted_ - std::min(permitted_, used_);
        return credit < credit_for(Bytes(1)) ? Bytes() : std::min(credit, limits::call_frame);
    }

private:
    Bytes sent_{};       // bytes
    Bytes used_{};       // credit of these
    Bytes permitted_{};  // credit
};

}  // namespace lull::subscriber
