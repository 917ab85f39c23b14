#include "core/clock.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status hold(Arguments const& arguments) {
    auto const settings = hold_settings(arguments, SystemClock().wall());
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command hold_command() {
    return {.name = "hold",
            .summary = "keep the running version of a software on nodes; newer releases are staged, not switched to",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "all", .help = "every software"},
                        {.name = "node",
                         .help = "only on this node (default: all nodes)",
                         .placeholder = "NAME",
                         .many = true},
                        {.name = "for", .help = "end the hold after this time, like 2h or 7d", .placeholder = "TIME"},
                        why_option(),
                        json_option()},
            .example = "lull hold kiosk-browser --node till-17 --for 2h --why 'inventory'",
            .run = hold};
}

}  // namespace lull::publisher
