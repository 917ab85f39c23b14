#pragma once

#include <unordered_map>

#include "broker/delivery/sender.hpp"
#include "broker/fleet/sessions.hpp"
#include "broker/log/release_log.hpp"
#include "broker/model/object_index.hpp"
#include "broker/model/session_observer.hpp"

namespace lull::broker {

// When bytes flow: between the governor, which permits, the sender, which has them, and the nodes and operators that
// want to know why they do not.
class Delivery final : public SessionObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        ObjectIndex const& objects;
        Sessions& sessions;
    };
    struct Settings {
        SenderLimits sender;
        GovernorSettings governor;
    };
    Delivery(Parts parts, Settings const& settings, Effects& effects)
        : parts_(parts),
          effects_(effects),
          governor_(settings.governor),
          sender_(settings.sender, governor_) {}

    // A node has begun its session anew: counting begins anew.
    void restart(SessionId session, TimePoint now);
    void fetch(SessionId session, Fetch const& message);
    void acknowledge(SessionId session, Ack const& message, Moment now);
    void permit(SessionId session, Credit const& message) { sender_.permit(session, message.permitted); }

    void route_known(RouteKnown const& event) { governor_.open(event.session, event.route); }
    void frame_left(FrameLeft const& event) { governor_.left(event); }
    // Whatever else an ACK or a PONG means, it shows how long a frame or a probe was on its way.
    void learn_of_path(MessageArrived const& event, TimePoint now);
    void read(LineReading const& reading, Moment now);
    void cross_traffic(ByteRate rate) { governor_.cross_traffic_elsewhere(rate); }
    void tick(Moment now);
    void forget_idle_sites(TimePoint now) { governor_.forget_idle(now); }

    // Sends what may go now; ends sessions that take nothing of what is sent to them.
    void send_what_may_go(Moment now);
    // When more may go, if nothing happens before.
    [[nodiscard]] std::optional<TimePoint> wake() const { return wake_; }

    // No session is being served or waits for that.
    [[nodiscard]] bool idle() const { return sender_.idle(); }
    [[nodiscard]] Sender const& sender() const { return sender_; }
    [[nodiscard]] std::optional<Governor::View> view(SessionId session, TimePoint now) const {
        return governor_.view(session, now);
    }

    void session_ended(SessionId session, Moment now) override;
    [[nodiscard]] std::size_t kept_sessions() const override {
        return sender_.sessions() + governor_.sessions() + granted_.size();
    }

private:
    struct Granted {
        Reason reason = Reason::none;
        TimePoint when;
    };
    void tell_grants(TimePoint now);
    void tell_queue(TimePoint now);
    void log_governor(TimePoint now);

    Parts parts_;
    Effects& effects_;
    Governor governor_;
    Sender sender_;
    std::optional<TimePoint> wake_;
    std::unordered_map<SessionId, Granted> granted_;  // what GRANT said last
    TimePoint next_grants_{};
    TimePoint next_queue_news_{};
    std::optional<std::size_t> next_position_;  // of the queue, to be told next; none: all have been told
};

}  // namespace lull::broker
