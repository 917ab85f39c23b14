#include "publisher/cli/commands.hpp"
#include "publisher/cli/orders_view.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Status orders(Arguments const& arguments) {
    auto const settings = orders_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const answer = request(*options, settings->question);
    if (!answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(orders_json(*answer));
    return print(orders_text(*answer, painting_for_output()));
}

}  // namespace

Command orders_command() {
    return {.name = "orders",
            .summary = "show the orders in force: holds, pauses, rollouts, ...",
            .positional = {"[SOFTWARE]"},
            .options = {json_option()},
            .example = "lull orders",
            .run = orders};
}

}  // namespace lull::publisher
