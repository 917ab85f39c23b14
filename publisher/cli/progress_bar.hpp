#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "core/units.hpp"

namespace lull::publisher {

// How progress is shown on a stream.
enum class ProgressStyle {
    silent,
    lines,   // a plain line at most every 5 seconds
    bar,     // one line of a terminal, drawn again at most 10 times a second
    colour,  // the same in colour
};

// A terminal gets a bar, in colour unless NO_COLOR is set; everything else gets lines.
[[nodiscard]] ProgressStyle style_for(std::FILE* stream);

// A running operation and its progress.
struct ProgressState {
    std::string_view what;  // "uploading"
    Bytes done{};
    Bytes total{};
    Duration running{};  // since it began
    Bytes at_start{};    // done when it began
};

// "uploading  12 MiB of 96 MiB  12 %  4 MiB/s  21 s left", without the last two while they are not known.
[[nodiscard]] std::string progress_text(ProgressState const& state);

// The same behind a bar, in `width` columns at most.
[[nodiscard]] std::string progress_bar(ProgressState const& state, std::size_t width, ProgressStyle style);

// Shows progress on a stream, normally standard error.
class Progress {
public:
    Progress(std::FILE* stream, ProgressStyle style) : stream_(stream), style_(style) {}
    ~Progress() { end(); }
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;

    // Draws if it is due; a new `what` starts at 0.
    void show(std::string_view what, Bytes done, Bytes total, TimePoint now);
    // Prints a line above the bar.
    void say(std::string_view text);
    // Removes the bar.
    void end();

private:
    [[nodiscard]] bool due(TimePoint now, bool complete) const;

    std::FILE* stream_;
    ProgressStyle style_;
    std::string what_;
    TimePoint began_;
    TimePoint drawn_;
    Bytes at_start_{};
    bool bar_stands_ = false;
};

}  // namespace lull::publisher
