#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status pause(Arguments const& arguments) {
    auto const settings = pause_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command pause_command() {
    return {.name = "pause",
            .summary = "let no further node switch to the newest release; nodes still fetch and stage it",
            .positional = {"SOFTWARE"},
            .options = {why_option(), json_option()},
            .example = "lull pause kiosk-browser --why 'calls from shops'",
            .run = pause};
}

}  // namespace lull::publisher
