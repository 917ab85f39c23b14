#include "broker/cli/commands.hpp"

#include "broker/cli/backup_command.hpp"
#include "broker/cli/init_command.hpp"
#include "broker/cli/run_command.hpp"

namespace lull::broker {

namespace {

// The broker's own config file lies in its directory, which is an option itself.
std::optional<std::string> usual_config(int argc, char const* const* argv) {
    std::string_view const name = "--data";
    for (int i = 1; i < argc; ++i) {
        std::string_view const word = argv[i];
        if (word == name && i + 1 < argc) return DataDirectory(argv[i + 1]).config().string();
        if (word.starts_with("--data=")) return DataDirectory(word.substr(name.size() + 1)).config().string();
    }
    return std::nullopt;
}

}  // namespace

std::vector<Command> commands(std::optional<std::string> config) {
    return {init_command(), run_command(std::move(config)), backup_command()};
}

int run_program(int argc, char const* const* argv) {
    CommandLine program("lull-broker", "announces releases to nodes and hands them out",
                        commands(usual_config(argc, argv)));
    return program.run(argc, argv);
}

}  // namespace lull::broker
