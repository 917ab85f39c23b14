#pragma once

#include <map>
#include <optional>

#include "core/clock.hpp"
#include "schema/messages.hpp"
#include "subscriber/caller/local_call.hpp"
#include "subscriber/executor/call_flow.hpp"

namespace lull::subscriber {

using ClientId = std::uint64_t;

// What the caller needs of the node around it.
class CallerPorts {
public:
    virtual ~CallerPorts() = default;
    virtual void open_session() = 0;  // then Caller::session_ready() or session_lost()
    virtual void close_session() = 0;
    virtual void send(Message const& message, View payload) = 0;
    // For a command that waits.
    virtual void output(ClientId client, CallStream stream, View bytes) = 0;
    virtual void more_input(ClientId client) = 0;  // Caller::input_left() has grown
    virtual void progress(ClientId client, std::string text) = 0;
    virtual void end(ClientId client, LocalEnd end) = 0;
};

struct CallerTimes {
    Duration answer = std::chrono::seconds(15);  // until the broker has taken up the session
    Duration ping = std::chrono::seconds(20);    // of silence
    Duration dead = std::chrono::seconds(60);
    Duration idle = std::chrono::seconds(30);  // without calls: the session ends
};

// Calls that commands of this node make: decision code. All of them share one session with the broker; what ends with
// it is unknown, and never asked for again.
class Caller {
public:
    Caller(std::string program, CallerPorts& ports, CallerTimes times = {})
        : program_(std::move(program)),
          ports_(ports),
          times_(times) {}

    // ---- commands ----

    // `id` rises from call to call; `seq` is the release that is active here.
    void asked(ClientId client, CallId const& id, LocalRequest request, Seq seq, Moment now);
    // At most input_left() bytes, in one message.
    void wrote_input(ClientId client, View bytes);
    void ended_input(ClientId client);
    [[nodiscard]] Bytes input_left(ClientId client) const;
    // The command has taken so much of the output.
    void took(ClientId client, CallStream stream, Bytes size);
    void gone(ClientId client, Moment now);

    // ---- the session ----

    void session_ready(Moment now);
    void session_lost(std::string const& why, Moment now);
    void heard(Message const& message, View payload, Moment now);
    void on_time(Moment now);
    [[nodiscard]] std::optional<TimePoint> wake() const;

    [[nodiscard]] std::size_t calls() const { return calls_.size(); }

private:
    enum class Session { closed, connecting, greeting, open };
    struct Call {
        CallId id{};
        LocalRequest request;
        Seq seq;
        bool sent = false;
        bool gone = false;  // the command is: only the end is still to come
        bool input_ended = false;
        CallPhase phase = CallPhase::queued;
        OutgoingFlow input{};
        IncomingFlow output{};
        IncomingFlow errors{};

        [[nodiscard]] IncomingFlow& flow(CallStream stream) { return stream == CallStream::out ? output : errors; }
    };
    using Calls = std::map<ClientId, Call>;

    void on(Welcome const& message, Moment now);
    void on(CallState const& message, Moment now);
    void on(CallData const& message, View payload, Moment now);
    void on(CallCredit const& message);
    void send_call(Call& call);
    void give_credit(Call& call, CallStream stream);
    [[nodiscard]] Calls::iterator find(CallId const& id);
    void end(Calls::iterator call, LocalEnd end, Moment now);
    void drop_session(std::string const& why, Moment now);

    std::string program_;
    CallerPorts& ports_;
    CallerTimes times_;
    Session session_ = Session::closed;
    std::uint64_t life_ = 0;
    TimePoint since_{};  // of the session's state
    TimePoint heard_{};
    TimePoint pinged_{};
    TimePoint used_{};  // when the last call ended
    Calls calls_;
};

// What a command ends with when its call has come to this state.
[[nodiscard]] LocalEnd end_of(CallState const& state);

}  // namespace lull::subscriber
