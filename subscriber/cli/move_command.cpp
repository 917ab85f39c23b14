#include "subscriber/cli/move_command.hpp"

#include "store/owner_lock.hpp"
#include "subscriber/cli/hold_commands.hpp"
#include "subscriber/disk/membership.hpp"

namespace lull::subscriber {

namespace {

// An address without a key means the key that this node knows.
std::string with_key(std::string const& text, PeerKey const& known) {
    constexpr std::string_view scheme = "tcp://";
    bool const bare = text.starts_with(scheme) && text.find('/', scheme.size()) == std::string::npos;
    return bare ? fmt::format("{}/{}", text, known.hex()) : text;
}

Status move(Arguments const& arguments) {
    Layout const layout(arguments.text("root"));
    auto bundle = own_bundle(layout);
    if (!bundle) return pass(bundle.error());
    auto const address = BrokerAddress::parse(with_key(arguments.positional().front(), bundle->broker.key));
    if (!address) return pass(address.error());
    if (address->key != bundle->broker.key) {
        return fail(Fault::refused,
                    "{} is another broker than that of this node, whose key is {}; a node changes to another broker "
                    "with a join bundle of that broker: lull-node join --force BUNDLE",
                    address->to_text(), bundle->broker.key.hex());
    }
    bundle->broker = *address;
    if (auto saved = bundle->save(layout.join_bundle()); !saved) return saved;
    fmt::print("node '{}' looks for its broker at {}\n", bundle->node.text(), address->to_text());
    if (store::has_owner(layout.journal()))
        fmt::print("next: restart lull-node; until then it goes on with the address that it started with\n");
    return {};
}

}  // namespace

Command move_command() {
    return {.name = "move",
            .summary = "tell this node the new address of its broker",
            .positional = {"ADDRESS"},
            .options = {root_option()},
            .example = "lull-node move tcp://broker.example:7700",
            .run = move};
}

}  // namespace lull::subscriber
