#include "broker/cli/init_command.hpp"

#include "core/clock.hpp"

namespace lull::broker {

namespace {

Result<std::vector<PublicIdentity>> load_keys(std::vector<std::string> const& paths) {
    std::vector<PublicIdentity> identities;
    for (auto const& path : paths) {
        auto identity = PublicIdentity::load(path);
        if (!identity) return pass(std::move(identity.error()));
        identities.push_back(std::move(*identity));
    }
    return identities;
}

void print_outcome(InitOutcome const& outcome, DataDirectory const& directory) {
    auto const root = directory.root().string();
    if (outcome.before)
        fmt::print("the broker in {} was initialised before; its keys and releases are as they were\n", root);
    for (auto const& name : outcome.added) fmt::print("enrolled {}\n", name);
    if (outcome.before && outcome.added.empty()) fmt::print("these keys are enrolled already\n");
    fmt::print("broker address (also in {}):\n  {}\n\nnext:\n", directory.address().string(),
               outcome.address.to_text());
    fmt::print("  lull-broker run --data {}\n", root);
    fmt::print("  lull nodes new NAME --broker {}\n", outcome.address.to_text());
}

Status init(Arguments const& arguments) {
    auto const request = init_request(arguments);
    if (!request) return pass(request.error());
    auto const outcome = initialise(*request, SystemClock().wall());
    if (!outcome) return pass(outcome.error());
    print_outcome(*outcome, request->directory);
    return {};
}

}  // namespace

Result<InitRequest> init_request(Arguments const& arguments) {
    auto operators = load_keys(arguments.all("operator"));
    if (!operators) return pass(operators.error());
    auto publishers = load_keys(arguments.all("publisher"));
    if (!publishers) return pass(publishers.error());
    return InitRequest{DataDirectory(arguments.text("data")), std::move(*operators), arguments.text("listen"),
                       arguments.text("advertise"), std::move(*publishers)};
}

Option data_option() {
    return {.name = "data", .help = "the broker's directory", .placeholder = "DIR", .required = true};
}

Command init_command() {
    return {
        .name = "init",
        .summary = "create a broker: its keys, its database, and its operators",
        .positional = {},
        .options = {data_option(),
                    {.name = "operator",
                     .help = "public.key of a user who may administer and publish ('lull keygen' makes it)",
                     .placeholder = "PUBLIC.KEY",
                     .many = true},
                    {.name = "publisher",
                     .help = "public.key of a user or program that may publish only",
                     .placeholder = "PUBLIC.KEY",
                     .many = true},
                    {.name = "listen",
                     .help = "address, and first of three consecutive ports, to listen on (default: 127.0.0.1:7700)",
                     .placeholder = "HOST:PORT"},
                    {.name = "advertise",
                     .help = "name or address by which nodes reach this machine (default: that of --listen)",
                     .placeholder = "HOST"}},
        .example =
            "lull-broker init --data /var/lib/lull-broker --operator public.key --listen 0.0.0.0:7700 "
            "--advertise broker.example",
        .run = init};
}

}  // namespace lull::broker
