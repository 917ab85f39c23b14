#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status force(Arguments const& arguments) {
    auto const settings = force_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command nodes_force_command() {
    return {
        .name = "nodes force",
        .summary = "switch nodes to the newest release now, despite holds, time windows, rollout and running processes",
        .positional = {"SOFTWARE", "[NODE...]"},
        .options = {{.name = "all", .help = "every node"},
                    {.name = "restart",
                     .help = "send SIGTERM, then SIGKILL, to processes of the running version (default: they keep "
                             "its files)"},
                    why_option(),
                    json_option()},
        .example = "lull nodes force kiosk-browser till-17 till-18",
        .run = force};
}

}  // namespace lull::publisher
