#include "core/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>

namespace lull {

namespace {

struct LevelName {
    LogLevel level;
    std::string_view name;
    spdlog::level::level_enum native;
};

constexpr std::array<LevelName, 4> level_names = {{{LogLevel::debug, "debug", spdlog::level::debug},
                                                   {LogLevel::info, "info", spdlog::level::info},
                                                   {LogLevel::warn, "warn", spdlog::level::warn},
                                                   {LogLevel::error, "error", spdlog::level::err}}};

LevelName const& named(LogLevel level) {
    auto const found = std::find_if(level_names.begin(), level_names.end(),
                                    [level](LevelName const& known) { return known.level == level; });
    LULL_INVARIANT(found != level_names.end());
    return *found;
}

bool is_control(char letter) {
    auto const code = static_cast<unsigned char>(letter);
    return code < 0x20 || code == 0x7f;
}

// One line whatever others put into it: control characters could forge lines or steer a terminal.
std::string on_one_line(std::string_view text) {
    std::string line;
    line.reserve(text.size());
    for (char const letter : text) {
        if (letter == '\n') {
            line += "\\n";
        } else if (is_control(letter)) {
            line += fmt::format("\\x{:02x}", static_cast<unsigned char>(letter));
        } else {
            line += letter;
        }
    }
    return line;
}

}  // namespace

struct Log::Sink {
    spdlog::logger logger;

    // Not registered with spdlog: its registry is a global.
    explicit Sink(std::string name) : logger(std::move(name), std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger.set_level(spdlog::level::debug);
        logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    }
};

Log::Log(std::string name, LogLevel least) : sink_(std::make_unique<Sink>(std::move(name))), least_(least) {}
Log::~Log() = default;

void Log::write(LogLevel level, std::string_view text) {
    if (level < least_) return;
    auto const& known = named(level);  // spdlog calls "warn" otherwise
    sink_->logger.log(known.native, fmt::format("{} {}: {}", known.name, sink_->logger.name(), on_one_line(text)));
}

Result<LogLevel> parse_log_level(std::string_view text) {
    for (auto const& known : level_names) {
        if (known.name == text) return known.level;
    }
    return fail(Fault::usage, "'{}' is no log level; use debug, info, warn or error", text);
}

}  // namespace lull
