#pragma once

#include <functional>
#include <optional>
#include <set>
#include <tuple>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "subscriber/model/actions.hpp"
#include "subscriber/notify/notice_program.hpp"
#include "subscriber/notify/system_log.hpp"

namespace lull::subscriber {

// How holders are told, besides on their terminals.
struct NoticeSettings {
    NoticeText text{};
    fs::path program{};  // the operator's; empty: none
    bool system_log = false;
};

// Tells holders that a release waits for them: on their terminals, by the operator's program, and in the system's log,
// there once for each.
class HolderNotices {
public:
    // `tell` runs on the loop with HoldersTold: told is who has a terminal that took the notice, or whom the operator's
    // program was called for.
    using Tell = std::function<void(Event)>;
    HolderNotices(EventLoop& loop, NoticeSettings settings, Clock const& clock, Log& log, Tell tell);

    void tell_holders(TellHolders const& order);

private:
    void write_to_log(Notice const& notice, ReleaseId const& ready, Holder const& holder);

    NoticeSettings settings_;
    Clock const& clock_;
    Log& log_;
    Tell tell_;
    SystemLog system_log_;
    std::optional<NoticeProgram> program_;
    std::set<std::tuple<std::uint64_t, WallTime, Seq>> logged_;  // process and release
};

}  // namespace lull::subscriber
