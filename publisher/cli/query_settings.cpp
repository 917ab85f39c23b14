#include "publisher/cli/query_settings.hpp"

namespace lull::publisher {

namespace {

// What all questions have: connection, verb, the optional SOFTWARE, and --json.
Result<QuerySettings> settings_of(Arguments const& arguments, AdminVerb verb) {
    QuerySettings settings{connection_of(arguments), {}, Sizes::hidden, output_of(arguments)};
    settings.question.verb = verb;
    auto software = optional_software(arguments, 0);
    if (!software) return pass(software.error());
    settings.question.software = std::move(*software);
    return settings;
}

// The same, with the --node that it may have.
Result<QuerySettings> with_node(Result<QuerySettings> settings, Arguments const& arguments) {
    if (!settings || !arguments.has("node")) return settings;
    auto node = NodeName::parse(arguments.text("node"));
    if (!node) return pass(node.error());
    settings->question.node = std::move(*node);
    return settings;
}

}  // namespace

Result<QuerySettings> status_settings(Arguments const& arguments) {
    return with_node(settings_of(arguments, AdminVerb::status), arguments);
}

Result<QuerySettings> calls_settings(Arguments const& arguments) {
    return with_node(settings_of(arguments, AdminVerb::calls), arguments);
}

Result<QuerySettings> list_settings(Arguments const& arguments) {
    auto settings = settings_of(arguments, AdminVerb::list);
    if (settings && arguments.flag("sizes")) settings->sizes = Sizes::shown;
    return settings;
}

Result<QuerySettings> orders_settings(Arguments const& arguments) { return settings_of(arguments, AdminVerb::orders); }

Result<QuerySettings> nodes_settings(Arguments const& arguments) { return settings_of(arguments, AdminVerb::nodes); }

Result<ShowSettings> show_settings(Arguments const& arguments) {
    ShowSettings settings{connection_of(arguments), {}, {}, output_of(arguments)};
    auto software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    settings.software = std::move(*software);
    if (auto const text = positional_or_empty(arguments, 1); !text.empty()) {
        auto version = VersionName::parse(text);
        if (!version) return pass(version.error());
        settings.version = std::move(*version);
    }
    return settings;
}

Result<ProgressSettings> progress_settings(Arguments const& arguments) {
    ProgressSettings settings{connection_of(arguments), {}, {}, output_of(arguments)};
    auto software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    settings.what.software = std::move(*software);
    if (auto const text = positional_or_empty(arguments, 1); !text.empty()) {
        auto version = VersionName::parse(text);
        if (!version) return pass(version.error());
        settings.what.version = std::move(*version);
    }
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    settings.waiting = *waiting;
    return settings;
}

}  // namespace lull::publisher
