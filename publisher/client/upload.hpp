#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "schema/messages.hpp"

namespace lull::publisher {

// Events of an upload.
namespace event {
struct Connected {};     // the exchange is open: a new session
struct Disconnected {};  // the exchange is lost
struct Arrived {
    Message message;
};                           // on the exchange
struct SubscriptionSeen {};  // the broker subscribed to our announcements
struct FrameTaken {};        // the network has room for another PUT
struct ObjectReady {
    ObjectShape shape;
};  // what Compress asked for
struct ObjectFailed {
    Digest object;
    Error error;
};
struct Tick {};  // a few times a second
}  // namespace event
using Event = std::variant<event::Connected, event::Disconnected, event::Arrived, event::SubscriptionSeen,
                           event::FrameTaken, event::ObjectReady, event::ObjectFailed, event::Tick>;

// Stored bytes of an object that was compressed.
struct PayloadRange {
    Digest object;
    Bytes offset{};
    Bytes length{};
    bool operator==(PayloadRange const&) const = default;
};

// Actions of an upload.
namespace action {
struct SendExchange {
    Message message;
    std::optional<PayloadRange> payload;
};
struct Compress {
    Digest object;
};  // make the stored form, and keep it until Forget
struct Forget {
    Digest object;
};                     // also while it is still being compressed
struct DropFrames {};  // PUTs that the network has not taken yet
struct EmitUpdate {
    Update update;
};                    // on the publishing side
struct Reconnect {};  // close the exchange and open it anew
struct Progress {
    Bytes done;
    Bytes total;
};  // plain bytes of the objects that the broker lacked
struct Done {
    Committed committed;
};  // the last action
struct Fail {
    Error error;
};  // the last action
}  // namespace action
using Action = std::variant<action::SendExchange, action::Compress, action::Forget, action::DropFrames,
                            action::EmitUpdate, action::Reconnect, action::Progress, action::Done, action::Fail>;
using Actions = std::vector<Action>;

// What is to be published.
struct Publication {
    Offer offer;
    Envelope update_info;
    std::unordered_map<Digest, Bytes, DigestHash> objects;  // every object of the release -> plain size
};

struct UploadTimes {
    Duration patience = std::chrono::seconds(60);         // without any progress: give up
    Duration ping_after = std::chrono::seconds(10);       // of silence
    Duration reconnect_after = std::chrono::seconds(30);  // of silence, while the network takes nothing either
    Duration repeat_update = std::chrono::seconds(2);
    Duration first_retry = std::chrono::milliseconds(200);
    Duration last_retry = std::chrono::seconds(5);
};

// Publishes one release: offers it, sends what the broker lacks within its credit, emits the update-info, and waits
// until that is durable. Decides only; a shell does what the actions say and reports events. Everything may be
// repeated: a new connection begins again with OFFER, and the broker names only what it still lacks.
class Upload {
public:
    static constexpr Bytes frame = KiB(256);
    static constexpr std::size_t ahead = 3;        // objects in memory
    static constexpr std::size_t most_queued = 8;  // frames that the network has not taken

    Upload(Publication publication, UploadTimes times, TimePoint now);

    // After Done or Fail nothing follows.
    [[nodiscard]] Actions on(Event const& event, TimePoint now);

private:
    enum class State {
        connecting,  // no exchange
        offered,     // OFFER sent, no answer yet
        sending,     // objects of a NEED
        announcing,  // everything is durable there: update-info until COMMITTED
        resting,     // until retry_at_: then OFFER again (broker busy) or Reconnect (link lost)
        over,
    };
    // An object of the NEED; `shape` once it is compressed.
    struct Wanted {
        Digest object;
        Bytes plain{};
        bool compressing = false;
        std::optional<ObjectShape> shape{};
        Bytes sent{};  // stored bytes
    };

    void handle(event::Connected const&);
    void handle(event::Disconnected const&);
    void handle(event::Arrived const& event);
    void handle(event::SubscriptionSeen const&);
    void handle(event::FrameTaken const&);
    void handle(event::ObjectReady const& event);
    void handle(event::ObjectFailed const& event);
    void handle(event::Tick const&);

    void receive(Need const& need);
    void begin_sending(Need const& need);
    void receive(Committed const& committed);
    void receive(Refused const& refused);
    void receive(Credit const& credit);
    void receive(Busy const& busy);
    template <class M>
    void receive(M const&) {}

    void offer();
    void begin_session();
    void drop_wanted();
    void compress_ahead();
    void send_frames();
    void announce_if_due();
    void check_silence();
    void rest(Duration wait, bool reconnect);
    void give_up();
    void end_with(Error error);
    void report_progress();
    [[nodiscard]] bool about_this(SoftwareName const& software, VersionName const& version) const;

    Publication publication_;
    UploadTimes times_;
    TimePoint now_;  // of the event that is being handled
    Actions actions_;

    State state_ = State::connecting;
    std::deque<Wanted> wanted_;  // in the order of sending
    std::uint64_t more_ = 0;     // objects that further NEEDs will name
    Bytes permitted_{};          // in this session
    Bytes sent_{};               // in this session
    std::size_t queued_ = 0;     // frames that the network has not taken
    Bytes uploaded_{};           // plain bytes of objects that are sent
    bool subscribed_ = false;
    bool pinged_ = false;
    bool reconnect_ = false;  // else OFFER again, after the rest
    Duration retry_{};
    TimePoint retry_at_;
    TimePoint offered_at_;
    std::vector<Digest> asked_;  // the last NEED
    TimePoint heard_;            // last message, or last frame taken
    TimePoint progress_;         // last step forward
    std::optional<TimePoint> emitted_;
};

}  // namespace lull::publisher
