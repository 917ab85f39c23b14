#include "subscriber/notify/holder_notices.hpp"

#include "subscriber/notify/terminal_notice.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_remembered = 10'000;  // then some may be told twice

}  // namespace

HolderNotices::HolderNotices(EventLoop& loop, NoticeSettings settings, Clock const& clock, Log& log, Tell tell)
    : settings_(std::move(settings)),
      clock_(clock),
      log_(log),
      tell_(std::move(tell)) {
    if (settings_.program.empty()) return;
    program_.emplace(loop, settings_.program, [this](std::string const& why) { log_.warn("notice: {}", why); });
}

void HolderNotices::tell_holders(TellHolders const& order) {
    Notice const notice{order.active.software, order.active.version, order.ready.version};
    auto holders = order.holders;
    for (auto& holder : holders) {
        if (holder.told) continue;
        bool const shown = tell(notice, holder, settings_.text);
        if (program_) program_->tell(notice, holder);
        if (settings_.system_log) write_to_log(notice, order.ready, holder);
        if (shown || program_) holder.told = clock_.wall();
    }
    tell_(HoldersTold{order.active.software, std::move(holders)});
}

void HolderNotices::write_to_log(Notice const& notice, ReleaseId const& ready, Holder const& holder) {
    if (logged_.size() >= most_remembered) logged_.clear();
    if (!logged_.emplace(holder.pid, holder.since, ready.seq).second) return;
    if (auto written = system_log_.notice(settings_.text.for_log(notice, holder)); !written)
        log_.warn("notice: {}", written.error().message);
}

}  // namespace lull::subscriber
