#pragma once

#include <optional>

#include "publisher/cli/list_view.hpp"
#include "publisher/cli/settings.hpp"
#include "publisher/cli/wait_options.hpp"

namespace lull::publisher {

// What a command asks the broker, and how it prints the answer.
struct QuerySettings {
    Connection connection;
    Admin question;
    Sizes sizes = Sizes::hidden;  // list only
    Output output = Output::text;
    bool operator==(QuerySettings const&) const = default;
};

// From the arguments of the command of the same name; Fault::usage.
[[nodiscard]] Result<QuerySettings> status_settings(Arguments const& arguments);
[[nodiscard]] Result<QuerySettings> list_settings(Arguments const& arguments);
[[nodiscard]] Result<QuerySettings> orders_settings(Arguments const& arguments);
[[nodiscard]] Result<QuerySettings> calls_settings(Arguments const& arguments);
[[nodiscard]] Result<QuerySettings> nodes_settings(Arguments const& arguments);

// Which release `lull show` shows.
struct ShowSettings {
    Connection connection;
    SoftwareName software;
    std::optional<VersionName> version;  // none: the newest
    Output output = Output::text;
    bool operator==(ShowSettings const&) const = default;
};
[[nodiscard]] Result<ShowSettings> show_settings(Arguments const& arguments);

// Which release `lull progress` follows, and until when.
struct ProgressSettings {
    Connection connection;
    Follow what;
    Waiting waiting;
    Output output = Output::text;
    bool operator==(ProgressSettings const&) const = default;
};
[[nodiscard]] Result<ProgressSettings> progress_settings(Arguments const& arguments);

}  // namespace lull::publisher
