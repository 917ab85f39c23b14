#include "publisher/cli/progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace lull::publisher {

namespace {

constexpr Duration between_lines = std::chrono::seconds(5);
constexpr Duration between_bars = std::chrono::milliseconds(100);
constexpr Duration soonest_rate = std::chrono::milliseconds(500);  // before it, a rate is noise
constexpr std::size_t bar_columns = 24;
constexpr std::size_t usual_columns = 80;
constexpr std::size_t least_columns = 20;

std::uint64_t percent(Bytes done, Bytes total) {
    if (total.zero()) return 100;
    return static_cast<std::uint64_t>(static_cast<double>(std::min(done, total).count()) * 100.0 /
                                      static_cast<double>(total.count()));
}

std::size_t columns_of(std::FILE* stream) {
    winsize size{};
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_columns;
    return size.ws_col;
}

}  // namespace

ProgressStyle style_for(std::FILE* stream) {
    if (isatty(fileno(stream)) == 0) return ProgressStyle::lines;
    char const* const terminal = std::getenv("TERM");
    if (terminal == nullptr || std::string_view(terminal) == "dumb") return ProgressStyle::lines;
    char const* const no_color = std::getenv("NO_COLOR");
    return no_color != nullptr && *no_color != '\0' ? ProgressStyle::bar : ProgressStyle::colour;
}

std::string progress_text(ProgressState const& state) {
    auto text = fmt::format("{}  {} of {}  {} %", state.what, to_text(state.done), to_text(state.total),
                            percent(state.done, state.total));
    if (state.running < soonest_rate || state.done <= state.at_start) return text;
    auto const seconds = std::chrono::duration<double>(state.running).count();
    auto const rate = static_cast<double>((state.done - state.at_start).count()) / seconds;
    text += fmt::format("  {}/s", to_text(Bytes(static_cast<std::uint64_t>(rate))));
    if (state.done >= state.total || rate < 1) return text;
    auto const left = std::chrono::duration<double>(static_cast<double>((state.total - state.done).count()) / rate);
    return text + fmt::format("  {} left", to_text(std::chrono::duration_cast<Duration>(left)));
}

std::string progress_bar(ProgressState const& state, std::size_t width, ProgressStyle style) {
    auto text = progress_text(state);
    if (width < text.size() + bar_columns + 3) return text.substr(0, width);
    auto const filled = static_cast<std::size_t>(percent(state.done, state.total)) * bar_columns / 100;
    std::string const full(filled, '#');
    std::string const empty(bar_columns - filled, '-');
    bool const colour = style == ProgressStyle::colour;
    return fmt::format("[{}{}{}{}] {}", colour ? "\x1b[32m" : "", full, colour ? "\x1b[0m" : "", empty, text);
}

bool Progress::due(TimePoint now, bool complete) const {
    if (style_ == ProgressStyle::lines) return now - drawn_ >= between_lines;  // short operations need no line
    return complete || !bar_stands_ || now - drawn_ >= between_bars;
}

void Progress::show(std::string_view what, Bytes done, Bytes total, TimePoint now) {
    if (style_ == ProgressStyle::silent) return;
    if (what_ != what) {
        end();
        what_ = what;
        began_ = now;
        drawn_ = now;
        at_start_ = done;
    }
    if (!due(now, done >= total)) return;
    drawn_ = now;
    ProgressState const state{what_, done, total, now - began_, at_start_};
    if (style_ == ProgressStyle::lines) {
        fmt::print(stream_, "{}\n", progress_text(state));
    } else {
        auto const columns = std::max(least_columns, columns_of(stream_)) - 1;
        fmt::print(stream_, "\r{}\x1b[K", progress_bar(state, columns, style_));
        bar_stands_ = true;
    }
    std::fflush(stream_);
}

void Progress::say(std::string_view text) {
    end();
    if (style_ == ProgressStyle::silent) return;
    fmt::print(stream_, "{}\n", text);
    std::fflush(stream_);
}

void Progress::end() {
    if (!bar_stands_) return;
    fmt::print(stream_, "\r\x1b[K");
    std::fflush(stream_);
    bar_stands_ = false;
}

}  // namespace lull::publisher
