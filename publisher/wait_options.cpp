#include "publisher/wait_options.hpp"

#include "core/clock.hpp"
#include "core/duration.hpp"

namespace lull::publisher {

namespace {

constexpr Duration between_lines = std::chrono::seconds(2);

}  // namespace

std::vector<Option> wait_options() {
    return {{.name = "wait",
             .help = "until so many of the nodes have it live, like active:95%; fails if that is not to be expected any more",
             .placeholder = "GOAL"},
            {.name = "within", .help = "with --wait: fail if it takes longer, like 2h", .placeholder = "TIME"}};
}

Result<Waiting> waiting_of(Arguments const& arguments) {
    Waiting waiting;
    if (arguments.has("within") && !arguments.has("wait")) return fail(Fault::usage, "--within is for --wait only");
    if (!arguments.has("wait")) return waiting;
    auto const goal = parse_goal(arguments.text("wait"));
    if (!goal) return fail(Fault::usage, "--wait: {}", goal.error().message);
    waiting.goal = *goal;
    if (!arguments.has("within")) return waiting;
    auto const within = parse_duration(arguments.text("within"));
    if (!within) return fail(Fault::usage, "--within: {}", within.error().message);
    waiting.within = *within;
    return waiting;
}

Status wait_for(ClientOptions const& options, Follow const& what, Waiting const& waiting, Progress& progress, std::optional<ReleaseProgress>& last) {
    SystemClock const clock;
    std::optional<TimePoint> said;
    std::string before;
    auto const tell = [&](ReleaseProgress const& now_so) {
        auto text = release_progress_text(now_so);
        if (text == before || (said && clock.now() - *said < between_lines)) return;
        said = clock.now();
        progress.say(fmt::format("lull: {}", text));
        before = std::move(text);
    };
    auto const seen = [&](ReleaseProgress const& now_so) -> std::optional<Status> {
        last = now_so;
        auto const done = outcome(*waiting.goal, now_so);
        if (!done) tell(now_so);
        return done;
    };
    auto const outcome = follow(options, what, {seen, release_progress_text, waiting.within});
    return outcome ? Status() : Status(pass(outcome.error()));
}

}  // namespace lull::publisher
