#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status retry(Arguments const& arguments) {
    auto const settings = retry_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command retry_command() {
    return {.name = "retry",
            .summary = "have nodes on which the newest release has failed or was rolled back try it once more",
            .positional = {"SOFTWARE", "[NODE...]"},
            .options = {why_option(), json_option()},
            .example = "lull retry kiosk-browser till-17",
            .run = retry};
}

}  // namespace lull::publisher
