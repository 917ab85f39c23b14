#include "broker/log/log_identity.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr char const* table = "meta";
constexpr std::string_view epoch_key = "epoch";
constexpr std::string_view used_key = "used";
constexpr std::string_view removed_key = "removed";
constexpr std::string_view copied_key = "copied";
constexpr std::uint64_t step = 1'000'000;  // more than anybody publishes between a backup and its use

Result<std::optional<std::uint64_t>> number_at(store::Environment const& database, std::string_view key) {
    auto const value = database.get(table, as_view(key));
    if (!value) return pass(value.error());
    if (!*value) return std::nullopt;
    auto const number = store::number_of(**value);
    if (!number) return fail(Fault::damaged, "table '{}', key '{}': {}", table, key, number.error().message);
    return *number;
}

store::Change put(std::string_view key, std::uint64_t number) {
    return {table, to_buffer(as_view(key)), store::key_of(number)};
}

}  // namespace

LogIdentity renewed(LogIdentity const& old, Seq head, Epoch fresh, WallTime now) {
    auto const last = std::max(old.used, head).value;
    auto const seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.micros / 1'000'000));
    return {fresh, Seq{std::max((last / step + 1) * step, seconds)}, old.removed, false};
}

Result<std::optional<LogIdentity>> load_log_identity(store::Environment const& database) {
    LogIdentity identity;
    auto const epoch = number_at(database, epoch_key);
    if (!epoch) return pass(epoch.error());
    if (!*epoch) return std::nullopt;
    if (**epoch == 0) return fail(Fault::damaged, "table '{}': the epoch of the log is 0", table);
    identity.epoch = Epoch{**epoch};
    auto const used = number_at(database, used_key);
    if (!used) return pass(used.error());
    identity.used = Seq{used->value_or(0)};
    auto const removed = number_at(database, removed_key);
    if (!removed) return pass(removed.error());
    identity.removed = Seq{removed->value_or(0)};
    auto const copied = number_at(database, copied_key);
    if (!copied) return pass(copied.error());
    identity.copied = copied->value_or(0) != 0;
    return identity;
}

store::Batch changes_to(LogIdentity const& identity) {
    return {put(epoch_key, identity.epoch.value), put(used_key, identity.used.value),
            put(removed_key, identity.removed.value), put(copied_key, identity.copied ? 1 : 0)};
}

}  // namespace lull::broker
