#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status withdraw(Arguments const& arguments) {
    auto const settings = withdraw_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command withdraw_command() {
    return {.name = "withdraw",
            .summary = "withdraw the newest release for good: nodes on which it is not active never get it",
            .positional = {"SOFTWARE"},
            .options = {why_option(), json_option()},
            .example = "lull withdraw kiosk-browser --why 'wrong price list'",
            .run = withdraw};
}

}  // namespace lull::publisher
