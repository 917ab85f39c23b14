#include "broker/cli/backup_command.hpp"

#include "broker/cli/init_command.hpp"
#include "core/stop_on_signal.hpp"

namespace lull::broker {

namespace {

Status backup(Arguments const& arguments) {
    auto const request = backup_request(arguments);
    StopOnSignal const on_signal;
    auto const outcome = back_up(request.from, request.to, on_signal.token());
    if (!outcome) return pass(outcome.error());
    fmt::print("backed up {} releases (log up to {}) and {} objects, {}, to {}\n", outcome->releases,
               outcome->head.value, outcome->objects, to_text(outcome->bytes), request.to.string());
    fmt::print("the backup holds the broker's secret key: keep it as safe as the original\n");
    fmt::print("to restore it: stop the broker, move {} away, copy the backup to its place, and start the broker\n",
               request.from.root().string());
    return {};
}

}  // namespace

BackupRequest backup_request(Arguments const& arguments) {
    return {DataDirectory(arguments.text("data")), arguments.positional().front()};
}

Command backup_command() {
    return {.name = "backup",
            .summary = "copy a broker with all its releases while it runs",
            .positional = {"TO"},
            .options = {data_option()},
            .example = "lull-broker backup --data /var/lib/lull-broker /mnt/backup/broker-monday",
            .run = backup};
}

}  // namespace lull::broker
