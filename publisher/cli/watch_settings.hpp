#pragma once

#include "publisher/cli/settings.hpp"
#include "publisher/watch/daemon/watcher.hpp"

namespace lull::publisher {

// What `lull watch` watches, and how.
struct WatchSettings {
    enum class Mode { run, dry_run, status };
    Connection connection;
    fs::path directory;
    std::optional<SoftwareName> only;
    watch::WatchTimes times;
    watch::KernelEvents kernel = watch::KernelEvents::used;
    fs::path state;  // directory
    fs::path cache;  // directory
    Duration patience{};
    Mode mode = Mode::run;
    LogLevel least = LogLevel::info;
    Output output = Output::text;
    bool operator==(WatchSettings const&) const = default;
};

[[nodiscard]] std::vector<Option> watch_options();
// Fault::usage names the option. Nothing is read or sent.
[[nodiscard]] Result<WatchSettings> watch_settings(Arguments const& arguments);

}  // namespace lull::publisher
