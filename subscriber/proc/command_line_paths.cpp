#include "subscriber/proc/command_line_paths.hpp"

namespace lull::subscriber {

std::vector<std::string_view> command_line_paths(std::string_view command_line) {
    std::vector<std::string_view> paths;
    bool const more = command_line.size() >= most_argument_bytes;
    for (std::size_t count = 0; !command_line.empty() && count <= most_arguments; ++count) {
        auto const end = command_line.find('\0');
        if (end == std::string_view::npos && more) break;
        auto const argument = command_line.substr(0, end);
        command_line.remove_prefix(end == std::string_view::npos ? command_line.size() : end + 1);
        if (count == 0) continue;  // the program, which is looked at by itself
        if (!argument.empty() && argument.front() != '-') paths.push_back(argument);
        auto const equals = argument.find('=');
        if (equals != std::string_view::npos && equals + 1 < argument.size())
            paths.push_back(argument.substr(equals + 1));
    }
    return paths;
}

}  // namespace lull::subscriber
