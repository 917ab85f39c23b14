#include "publisher/cli/commands.hpp"
#include "publisher/cli/order_settings.hpp"

namespace lull::publisher {

namespace {

Status resume(Arguments const& arguments) {
    auto const settings = resume_settings(arguments);
    return settings ? send_order(*settings) : pass(settings.error());
}

}  // namespace

Command resume_command() {
    return {.name = "resume",
            .summary = "continue a release that an operator or its rollout paused; failures until now are accepted",
            .positional = {"SOFTWARE"},
            .options = {json_option()},
            .example = "lull resume kiosk-browser",
            .run = resume};
}

}  // namespace lull::publisher
