#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/delivery/governor/line_governor.hpp"
#include "broker/delivery/governor/path_controller.hpp"
#include "broker/delivery/governor/path_delay.hpp"
#include "broker/model/flow_types.hpp"
#include "core/clock.hpp"
#include "core/schedule.hpp"

namespace lull::broker {

struct GovernorSettings {
    bool on = true;  // off: bytes flow as fast as connections take them
    PathTuning path{};
    LineSettings line{};
    Schedule schedule{};                                  // of the share of a line that is ours at most
    std::map<std::string, ByteRate, std::less<>> caps{};  // of sites
    bool operator==(GovernorSettings const&) const = default;
};

// Decides how many bytes may flow where and when. Puts together what it takes for that: a PathDelay for each session, a
// PathController for each site, because its nodes share the route to it, and a LineGovernor for each line of this
// machine. Sessions whose route is not known flow freely. Free of I/O.
class Governor {
public:
    explicit Governor(GovernorSettings settings);

    // ---- sessions ----

    void open(SessionId session, Route const& route);
    void close(SessionId session, TimePoint now);
    // What was in flight is forgotten, and counting begins anew.
    void restart(SessionId session, TimePoint now);

    // ---- sending ----

    // What this session may send now; bytes of an urgency `immediate` ask nobody.
    [[nodiscard]] Turn turn(SessionId session, Urgency urgency, TimePoint now);
    // A frame is on its way to the kernel.
    void decided(SessionId session, Bytes size, Urgency urgency, TimePoint now);
    // The same for a probe; its number.
    [[nodiscard]] std::uint64_t probing(SessionId session, TimePoint now);
    // There was a turn, and nothing could be sent.
    void starved(SessionId session);
    // The kernel's limit on this connection, if it should change.
    [[nodiscard]] std::optional<ByteRate> repace(SessionId session, Urgency urgency);

    void left(FrameLeft const& frame);
    struct Arrival {
        std::optional<Duration> at{};       // by the receiver's clock, nothing if it did not say
        std::optional<Duration> kernels{};  // PathSample::kernels
    };
    // `received`: all payload bytes of the session so far.
    void acknowledged(SessionId session, Bytes received, Arrival const& arrival, TimePoint now);
    void answered(SessionId session, std::uint64_t probe, Arrival const& arrival, TimePoint now);

    // ---- lines ----

    void on(LineReading const& reading);
    // Others' traffic on our line as the operator has it measured elsewhere: bytes a second.
    void cross_traffic_elsewhere(ByteRate rate) { limits_.cross_traffic_elsewhere = rate; }

    // Somebody who has something to send.
    struct Wish {
        SessionId session = 0;
        Urgency urgency = Urgency::normal;
    };
    // Shares the lines among them; to be called every 20 ms, or when a line was read.
    void divide(std::vector<Wish> const& wishes, Moment now);

    // Forgets sites to which nothing has been sent for long.
    void forget_idle(TimePoint now);

    // ---- for people ----

    struct View {
        ByteRate rate;
        Reason reason = Reason::none;
        ByteRate capacity;     // of the path, as learned
        Duration threshold{};  // queueing above which the path counts as busy
        Duration queue{};      // that the last frame met
    };
    // Nothing for sessions that flow freely.
    [[nodiscard]] std::optional<View> view(SessionId session, TimePoint now) const;
    struct LineView {
        ByteRate capacity;
        ByteRate cross_traffic;
        ByteRate budget;
    };
    [[nodiscard]] std::map<std::string, LineView> lines() const;
    [[nodiscard]] std::size_t sites() const { return sites_.size(); }
    // How many sessions it keeps something for.
    [[nodiscard]] std::size_t sessions() const { return routes_.size(); }

private:
    struct Site {
        explicit Site(PathTuning const& tuning) : controller(tuning, Urgency::normal) {}
        PathController controller;
        std::string line;
        std::size_t cap = 0;
        std::size_t paths = 0;
        TimePoint again{};  // no turn before this
        TimePoint used{};   // when the last path began or ended
        Reason granted = Reason::none;
        Duration queue{};                 // that the last frame met
        std::optional<Urgency> wished{};  // while a line is divided: the most urgent of its sessions
    };
    struct Flight {
        Bytes end;  // of the session's bytes, cumulative; of a probe: nothing
        Bytes size;
        TimePoint sent;
        Bytes unsent;
        Duration pacing;
    };
    struct Path {
        Site* site = nullptr;  // in sites_, which keeps it while it has paths
        PathDelay delay{};
        std::deque<Flight> flights{};  // what the kernel has and the node has not acknowledged
        std::map<std::uint64_t, Flight> probes{};
        Bytes handed{};  // to the kernel
        Bytes flying{};  // decided and not acknowledged, probes too
        std::uint64_t last_probe = 0;
        ByteRate pacing{};  // what the kernel was told last
    };

    [[nodiscard]] Path* find(SessionId session);
    [[nodiscard]] Path* find_or_make(SessionId session, TimePoint now);
    void give_up(Path& path, Flight const& flight);
    void take_sample(Path& path, Flight const& flight, Arrival const& arrival, TimePoint now);
    [[nodiscard]] Duration spread_by_pacing(Path const& path, Bytes size) const;

    GovernorSettings settings_;
    LineLimits limits_;  // what rules permit now
    std::map<std::string, std::size_t, std::less<>>
        caps_;  // of sites: index into limits_.caps, of which the first is for the others
    std::unordered_map<SessionId, Route> routes_;
    std::unordered_map<SessionId, Path> paths_;  // of those that something was sent on
    std::map<std::string, Site, std::less<>> sites_;
    std::map<std::string, LineGovernor, std::less<>> lines_;
};

}  // namespace lull::broker
