#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace lull {

enum class LogLevel { debug, info, warn, error };

// Lines for people and for journald: time, level, text, on standard error. The home of spdlog.
class Log {
public:
    explicit Log(std::string name, LogLevel least = LogLevel::info);
    ~Log();
    Log(Log const&) = delete;
    Log& operator=(Log const&) = delete;

    template <class... Args>
    void debug(fmt::format_string<Args...> text, Args&&... args) {
        if (least_ <= LogLevel::debug) write(LogLevel::debug, fmt::format(text, std::forward<Args>(args)...));
    }
    template <class... Args>
    void info(fmt::format_string<Args...> text, Args&&... args) {
        if (least_ <= LogLevel::info) write(LogLevel::info, fmt::format(text, std::forward<Args>(args)...));
    }
    template <class... Args>
    void warn(fmt::format_string<Args...> text, Args&&... args) {
        write(LogLevel::warn, fmt::format(text, std::forward<Args>(args)...));
    }
    template <class... Args>
    void error(fmt::format_string<Args...> text, Args&&... args) {
        write(LogLevel::error, fmt::format(text, std::forward<Args>(args)...));
    }

private:
    void write(LogLevel level, std::string_view text);

    struct Sink;
    std::unique_ptr<Sink> sink_;
    LogLevel least_;
};

// "debug", "info", "warn", "error".
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);

}  // namespace lull
