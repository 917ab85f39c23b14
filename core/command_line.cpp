#include "core/command_line.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/files.hpp"
#include "core/json.hpp"
#include "core/nearest_word.hpp"
#include "core/table.hpp"
#include "core/text.hpp"

namespace lull {

namespace {

namespace po = boost::program_options;

using Values = std::map<std::string, std::vector<std::string>>;
using Options = std::vector<Option>;

constexpr char config_option[] = "config";
constexpr Bytes most_config = MiB(1);

Option const* find_option(Options const& options, std::string const& name) {
    auto const found = std::find_if(options.begin(), options.end(),
                                    [&](Option const& known) { return known.name == name; });
    return found == options.end() ? nullptr : &*found;
}

bool is_switch(Option const& option) { return option.placeholder.empty(); }

// "; did you mean --name?", or nothing.
std::string suggestion(std::string_view word, std::vector<std::string> const& candidates) {
    auto const nearest = nearest_word(word, candidates);
    return nearest ? fmt::format("; did you mean {}?", *nearest) : "";
}

std::vector<std::string> names_of(Options const& options, std::string const& prefix) {
    std::vector<std::string> names;
    for (auto const& option : options) names.push_back(prefix + option.name);
    return names;
}

// The options of a command and those of every command; a command's own one goes before a common one of the same name.
Options joined(Options options, Options const& common) {
    for (auto const& option : common) {
        if (find_option(options, option.name) == nullptr) options.push_back(option);
    }
    return options;
}

tl::unexpected<Error> unknown_option(std::string const& word, Options const& options) {
    auto const name = word.substr(0, word.find('='));
    return fail(Fault::usage, "unknown option {}{}", name, suggestion(name, names_of(options, "--")));
}

// The words before "--", sorted into options and the rest.
struct SortedWords {
    Values values;
    std::vector<std::string> positional;
};

Status take_option(po::option const& given, Options const& options, Values& values) {
    auto const* const option = find_option(options, given.string_key);
    LULL_INVARIANT(option != nullptr);
    auto const& tokens = given.original_tokens;
    if (!is_switch(*option) && tokens.size() > 1 && tokens[1].starts_with("--")) {
        return fail(Fault::usage, "--{} needs a value; if {} is meant, write --{}={}", option->name, tokens[1],
                    option->name, tokens[1]);
    }
    auto& into = values[option->name];
    into.insert(into.end(), given.value.begin(), given.value.end());
    if (into.size() > 1 && !option->many) return fail(Fault::usage, "--{} is given more than once", option->name);
    return {};
}

Status take_positional(po::option const& given, Options const& options, std::vector<std::string>& positional) {
    for (auto const& word : given.value) {
        if (word.size() > 1 && word.front() == '-') return unknown_option(word, options);
        positional.push_back(word);
    }
    return {};
}

po::options_description described(Options const& options) {
    po::options_description description;
    for (auto const& option : options) {
        if (is_switch(option)) {
            description.add_options()(option.name.c_str(), "");
        } else {
            description.add_options()(option.name.c_str(), po::value<std::string>(), "");
        }
    }
    return description;
}

Result<SortedWords> sort_words(Options const& options, std::vector<std::string> const& words) {
    using namespace po::command_line_style;
    auto const description = described(options);
    SortedWords sorted;
    try {
        po::command_line_parser parser(words);
        parser.options(description).style(allow_long | long_allow_adjacent | long_allow_next);
        for (auto const& given : parser.run().options) {
            auto const status = given.string_key.empty() ? take_positional(given, options, sorted.positional)
                                                         : take_option(given, options, sorted.values);
            if (!status) return pass(status.error());
        }
    } catch (po::unknown_option const& problem) {
        return unknown_option(problem.get_option_name(), options);
    } catch (po::error const& problem) {
        return fail(Fault::usage, "{}", problem.what());
    }
    return sorted;
}

// An empty variable counts as none, as NO_COLOR does it.
void add_environment(Options const& options, Values& values) {
    for (auto const& option : options) {
        if (option.environment.empty() || values.contains(option.name)) continue;
        char const* const text = std::getenv(option.environment.c_str());
        if (text == nullptr || *text == '\0') continue;
        values[option.name] = is_switch(option) ? std::vector<std::string>() : std::vector<std::string>{text};
    }
}

// A switch in a config file is on or off; command lines only know on.
Result<bool> read_switch(std::string const& name, std::string const& text) {
    for (auto const* const on : {"true", "yes", "on", "1"}) {
        if (text == on) return true;
    }
    for (auto const* const off : {"false", "no", "off", "0"}) {
        if (text == off) return false;
    }
    return fail(Fault::usage, "{} is '{}', and has to be true or false", name, text);
}

// "line 3: ", for the last line that begins with this word; empty if there is none.
std::string line_of(std::string const& text, std::string const& word) {
    std::istringstream stream(text);
    std::string found;
    std::size_t number = 0;
    for (std::string line; std::getline(stream, line);) {
        ++number;
        line.erase(0, line.find_first_not_of(" \t"));
        if (line.starts_with(word) && line.find_first_not_of(" \t=", word.size()) != word.size())
            found = fmt::format("line {}: ", number);
    }
    return found;
}

Result<std::vector<po::option>> parse_config(std::string const& text) {
    std::istringstream stream(text);
    try {
        return po::parse_config_file(stream, po::options_description(), true).options;
    } catch (po::invalid_config_file_syntax const& problem) {
        return fail(Fault::usage, "{}{} is no line of the kind 'name = value'; lines that begin with # are skipped",
                    line_of(text, problem.tokens()), lull::quoted(problem.tokens()));
    } catch (po::error const& problem) {
        return fail(Fault::usage, "{}", problem.what());
    }
}

// Takes what a config file says about `options`; names of `known` options that this command has not are skipped.
Result<Values> config_values(std::string const& text, Options const& options, Options const& known) {
    auto const lines = parse_config(text);
    if (!lines) return pass(lines.error());
    Values values;
    for (auto const& line : *lines) {
        auto const& name = line.string_key;
        if (name == config_option || find_option(known, name) == nullptr) {
            return fail(Fault::usage, "{}unknown option {}{}", line_of(text, name), name,
                        suggestion(name, names_of(known, "")));
        }
        auto const* const option = find_option(options, name);
        if (option == nullptr) continue;
        if (is_switch(*option)) {
            auto const on = read_switch(name, line.value.front());
            if (!on) return fail(on.error().fault, "{}{}", line_of(text, name), on.error().message);
            if (*on) values[name] = {};
            continue;
        }
        auto& into = values[name];
        into.insert(into.end(), line.value.begin(), line.value.end());
        if (into.size() > 1 && !option->many)
            return fail(Fault::usage, "{}{} is given more than once", line_of(text, name), name);
    }
    return values;
}

// The config file to read: one that was asked for, or the usual one if it exists. Empty: none.
std::string config_path(Options const& options, Values const& values) {
    auto const* const option = find_option(options, config_option);
    if (option == nullptr) return "";
    if (auto const given = values.find(config_option); given != values.end()) return given->second.front();
    std::error_code ignored;
    return option->fallback && fs::exists(*option->fallback, ignored) ? *option->fallback : "";
}

// Adds what the config file says and command line and environment left open.
Status add_config(Options const& options, Options const& known, Values& values) {
    auto const path = config_path(options, values);
    if (path.empty()) return {};
    auto const bytes = read_file(path, most_config);
    if (!bytes) return fail(bytes.error().fault, "config file: {}", bytes.error().message);
    auto found = config_values(std::string(as_text(*bytes)), options, known);
    if (!found) return fail(found.error().fault, "config file {}: {}", path, found.error().message);
    values.merge(*found);
    return {};
}

std::set<std::string> names_in(Values const& values) {
    std::set<std::string> names;
    for (auto const& [name, ignored] : values) names.insert(name);
    return names;
}

void add_fallbacks(Options const& options, Values& values) {
    for (auto const& option : options) {
        if (option.fallback) values.insert({option.name, {*option.fallback}});
    }
}

Status check_required(Options const& options, Values const& values) {
    for (auto const& option : options) {
        if (!option.required || values.contains(option.name)) continue;
        auto const variable = option.environment.empty() ? "" : fmt::format(", or set {}", option.environment);
        return fail(Fault::usage, "--{} is missing ({}): add --{} {}{}", option.name, option.help, option.name,
                    option.placeholder, variable);
    }
    return {};
}

bool is_optional(std::string const& placeholder) { return placeholder.starts_with('['); }
bool takes_rest(std::string const& placeholder) {
    return placeholder.ends_with("...") || placeholder.ends_with("...]");
}

Status check_positional(Command const& command, std::vector<std::string> const& given) {
    auto const& places = command.positional;
    auto const needed = static_cast<std::size_t>(std::count_if(places.begin(), places.end(), std::not_fn(is_optional)));
    if (given.size() < needed) {
        return fail(Fault::usage, "{} is missing{}", places[given.size()],
                    command.example.empty() ? "" : "; for example: " + command.example);
    }
    if (given.size() > places.size() && std::none_of(places.begin(), places.end(), takes_rest)) {
        auto const& extra = given[places.size()];
        if (command.rest.empty()) return fail(Fault::usage, "'{}' is one argument too many", extra);
        return fail(Fault::usage, "'{}' is one argument too many; arguments of the program stand behind --: {} -- {}",
                    extra, given.front(), fmt::join(given.begin() + 1, given.end(), " "));
    }
    return {};
}

// A command and how many words name it.
struct NamedCommand {
    Command const* command;
    std::size_t words;
};

tl::unexpected<Error> unknown_command(std::vector<Command> const& commands, std::vector<std::string> const& words) {
    std::vector<std::string> all;
    std::vector<std::string> of_group;
    for (auto const& command : commands) {
        all.push_back(command.name);
        if (command.name.starts_with(words[0] + " ")) of_group.push_back(command.name);
    }
    if (of_group.empty()) return fail(Fault::usage, "unknown command {}{}", words[0], suggestion(words[0], all));
    if (words.size() < 2) return fail(Fault::usage, "{} needs a second word: {}", words[0], fmt::join(of_group, ", "));
    auto const name = words[0] + " " + words[1];
    return fail(Fault::usage, "unknown command {}{}", name, suggestion(name, of_group));
}

Result<NamedCommand> find_command(std::vector<Command> const& commands, std::vector<std::string> const& words) {
    auto name = words[0];
    NamedCommand found{nullptr, 0};
    for (std::size_t count = 1; count <= std::min<std::size_t>(2, words.size()); ++count) {
        if (count == 2) name += " " + words[1];
        for (auto const& command : commands) {
            if (command.name == name) found = {&command, count};
        }
    }
    if (found.command == nullptr) return unknown_command(commands, words);
    return found;
}

bool asks_for_help(std::string const& word) { return word == "--help" || word == "-h"; }

bool asks_for_help(std::vector<std::string> const& words) {
    auto const end = std::find(words.begin(), words.end(), "--");
    return std::any_of(words.begin(), end, [](std::string const& word) { return asks_for_help(word); });
}

// Messages quote files, and peers. Their lines stay.
std::string harmless_lines(std::string_view text) {
    std::string out;
    for (auto rest = text; !rest.empty();) {
        auto const end = std::min(rest.find('\n'), rest.size());
        out += harmless(rest.substr(0, end));
        if (end < rest.size()) out += '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

// A descriptor that is closed at the start would be given to the next file or socket, and what is printed would go
// there. Behind this one prints, and reads, nothing: writing to standard output fails.
void open_standard_streams() {
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest descriptor that is free is this one.
        (void)open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int print(std::string const& text) { return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0; }

// Tells the error and returns the exit status; `call` is what --help can be appended to.
bool has_json(Command const& command) { return std::ranges::count(command.options, "json", &Option::name) > 0; }

// Also where the rest of the words is wrong.
bool wants_json(Command const& command, std::vector<std::string> const& words) {
    if (!has_json(command)) return false;
    auto const end = std::ranges::find(words, "--");
    return std::find(words.begin(), end, "--json") != end;
}

// For programs: one object, in place of the lines for people.
int report_json(Error const& error) {
    auto const status = exit_status(error.fault);
    auto const text = Json{{"error", error.message}, {"status", status}}.dump(-1, ' ', false,
                                                                              Json::error_handler_t::replace);
    std::fputs((text + "\n").c_str(), stderr);
    return status;
}

int report(std::string const& program, std::string const& call, Error const& error) {
    auto text = fmt::format("{}: {}\n", program, harmless_lines(error.message));
    if (error.fault == Fault::usage) text += fmt::format("see: {} --help\n", call);
    std::fputs(text.c_str(), stderr);
    return exit_status(error.fault);
}

}  // namespace

Arguments Arguments::filled_from(Arguments const& file) const {
    auto filled = *this;
    for (auto const& name : file.given_) {
        if (fixed_.contains(name)) continue;
        filled.values_[name] = file.values_.at(name);
        filled.given_.insert(name);
    }
    return filled;
}

Result<Arguments> parse_options(std::string_view text, std::vector<Option> const& options) {
    auto values = config_values(std::string(text), options, options);
    if (!values) return pass(values.error());
    Arguments arguments;
    arguments.values_ = std::move(*values);
    arguments.given_ = names_in(arguments.values_);
    add_fallbacks(options, arguments.values_);
    return arguments;
}

bool Arguments::has(std::string const& name) const { return values_.contains(name); }

bool Arguments::flag(std::string const& name) const { return has(name); }

std::string Arguments::text(std::string const& name) const {
    auto const found = values_.find(name);
    return found == values_.end() || found->second.empty() ? "" : found->second.front();
}

std::vector<std::string> Arguments::all(std::string const& name) const {
    auto const found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<std::uint64_t> Arguments::number(std::string const& name) const {
    auto const digits = text(name);
    std::uint64_t number = 0;
    auto const end = digits.data() + digits.size();
    auto const [stop, problem] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || problem != std::errc() || stop != end) {
        return fail(Fault::usage, "--{} is '{}', and has to be a whole number from 0 to 18446744073709551615", name,
                    digits);
    }
    return number;
}

CommandLine::CommandLine(std::string program, std::string summary, std::vector<Command> commands)
    : program_(std::move(program)),
      summary_(std::move(summary)),
      commands_(std::move(commands)) {}

void CommandLine::add_common(Option option) { common_.push_back(std::move(option)); }

Result<Arguments> CommandLine::parse(Command const& command, std::vector<std::string> words) const {
    Arguments arguments;
    auto const separator = std::find(words.begin(), words.end(), "--");
    if (separator != words.end()) arguments.rest_.assign(separator + 1, words.end());
    words.erase(separator, words.end());

    auto const options = joined(command.options, common_);
    auto sorted = sort_words(options, words);
    if (!sorted) return pass(sorted.error());
    arguments.values_ = std::move(sorted->values);
    arguments.positional_ = std::move(sorted->positional);

    // One config file serves every command of the program, so it may hold the options of all of them.
    auto known = common_;
    for (auto const& other : commands_) known = joined(std::move(known), other.options);

    add_environment(options, arguments.values_);
    arguments.fixed_ = names_in(arguments.values_);
    if (auto status = add_config(options, known, arguments.values_); !status) return pass(status.error());
    arguments.given_ = names_in(arguments.values_);
    add_fallbacks(options, arguments.values_);
    if (auto status = check_positional(command, arguments.positional_); !status) return pass(status.error());
    if (command.rest.empty() && !arguments.rest_.empty())
        return fail(Fault::usage, "'{}' stands behind --, where this command takes nothing", arguments.rest_.front());
    if (auto status = check_required(options, arguments.values_); !status) return pass(status.error());
    return arguments;
}

int CommandLine::run(int argc, char const* const* argv) {
    open_standard_streams();
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (words.empty()) return report(program_, program_, {Fault::usage, "no command is given"});
    if (asks_for_help(words[0])) return print(help());
    if (words[0] == "--version") return print(fmt::format("{} {}\n", program_, LULL_VERSION));
    if (words[0].starts_with('-')) {
        return report(program_, program_, {Fault::usage, fmt::format("the command comes first, then {}", words[0])});
    }
    auto const found = find_command(commands_, words);
    if (!found && asks_for_help(words)) return print(help());
    if (!found) return report(program_, program_, found.error());

    auto const& command = *found->command;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(found->words));
    if (asks_for_help(words)) return print(help(command));
    auto const call = program_ + " " + command.name;
    bool json = wants_json(command, words);
    auto const tell = [&](Error const& error) { return json ? report_json(error) : report(program_, call, error); };
    auto const arguments = parse(command, std::move(words));
    if (!arguments) return tell(arguments.error());
    json = json || (has_json(command) && arguments->flag("json"));  // of the environment or the config file
    auto const status = command.run(*arguments);
    return status ? 0 : tell(status.error());
}

}  // namespace lull
