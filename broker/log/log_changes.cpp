#include "broker/log/log_changes.hpp"

namespace lull::broker {

void LogChanges::append(Envelope update, UpdateInfo info, WallTime now, Appended then) {
    LULL_INVARIANT(!busy() && observer_ != nullptr);
    auto const entry = log_.reserve(std::move(update), std::move(info), now);
    effects_.persist({ReleaseLog::change(entry)}, [this, then = std::move(then)](Status const& status, Moment later) {
        if (!status) {
            log_.abandon();
            then(pass(status.error()));
        } else {
            auto const& release = log_.confirm();
            then(&release);
            observer_->released(release, later);
        }
        observer_->log_is_free(later);
    });
}

void LogChanges::remove(std::vector<Seq> entries, std::function<void(Moment)> then) {
    LULL_INVARIANT(!busy() && observer_ != nullptr);
    identity_changes_ = true;
    auto batch = log_.removal(entries);
    effects_.persist(std::move(batch), [this, entries = std::move(entries), then = std::move(then)](
                                           Status const& status, Moment later) {
        identity_changes_ = false;
        if (status) {
            log_.remove(entries);
            effects_.say(LogLevel::info, fmt::format("removed {} superseded releases from the log", entries.size()));
            then(later);
        } else {
            effects_.say(LogLevel::warn,
                         fmt::format("superseded releases stay in the log: {}", status.error().message));
        }
        observer_->log_is_free(later);
    });
}

void LogChanges::renew(Epoch epoch, std::string why, WallTime now) {
    if (busy()) return;
    identity_changes_ = true;
    auto const identity = renewed(log_.identity(), log_.head(), epoch, now);
    effects_.persist(changes_to(identity), [this, identity, why = std::move(why)](Status const& status, Moment later) {
        identity_changes_ = false;
        if (status) {
            log_.adopt(identity);
            effects_.say(
                LogLevel::error,
                fmt::format("{}; the log goes on as epoch {:x} behind release {}: publish again what is missing", why,
                            identity.epoch.value, identity.used.value));
            observer_->renewed(later);
        } else {
            effects_.say(LogLevel::error, fmt::format("the log needs a new epoch, which cannot be recorded: {}",
                                                      status.error().message));
        }
        observer_->log_is_free(later);
    });
}

}  // namespace lull::broker
