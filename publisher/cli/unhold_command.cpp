#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status unhold(Arguments const& arguments) {
    auto const settings = unhold_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command unhold_command() {
    return {.name = "unhold",
            .summary = "take back a hold; holds that were set on a node by lull-node stay",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "all", .help = "the hold of every software; holds of single ones stay"},
                        {.name = "node",
                         .help = "the hold on this node (default: the one on all nodes)",
                         .placeholder = "NAME",
                         .many = true},
                        json_option()},
            .example = "lull unhold kiosk-browser --node till-17",
            .run = unhold};
}

}  // namespace lull::publisher
