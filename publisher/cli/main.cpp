#include "publisher/cli/commands.hpp"
#include "publisher/cli/settings.hpp"

int main(int argc, char** argv) {
    using namespace lull::publisher;
    lull::CommandLine lull(
        "lull", "publish software to a fleet of nodes, and show its state on each node",
        {publish_command(),  watch_command(),     status_command(),       progress_command(),    list_command(),
         show_command(),     rollback_command(),  retry_command(),        pause_command(),       resume_command(),
         withdraw_command(), hold_command(),      unhold_command(),       orders_command(),      calls_command(),
         nodes_command(),    nodes_new_command(), nodes_remove_command(), nodes_force_command(), keygen_command()});
    for (auto& option : common_options()) lull.add_common(std::move(option));
    return lull.run(argc, argv);
}
