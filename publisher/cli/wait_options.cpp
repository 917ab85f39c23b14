#include "publisher/cli/wait_options.hpp"

#include "core/clock.hpp"
#include "core/duration.hpp"
#include "publisher/client/following.hpp"

namespace lull::publisher {

namespace {

constexpr Duration between_standings = std::chrono::seconds(2);

}  // namespace

std::vector<Option> wait_options() {
    return {
        {.name = "wait",
         .help = "wait until this share of all nodes has the release active, like active:95%; fail once that cannot be "
                 "reached",
         .placeholder = "GOAL"},
        {.name = "within", .help = "with --wait: fail after this time, like 2h", .placeholder = "TIME"}};
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

Status tell_and_wait(std::string const& text, Json json, Output output, Wait const& wait) {
    if (output == Output::text) {
        if (auto printed = print(text); !printed) return printed;
    }
    std::optional<ReleaseProgress> last;
    auto outcome = wait(last);
    if (last) json["progress"] = progress_json(*last);
    if (output == Output::text) return outcome && last ? print(release_progress_text(*last) + "\n") : outcome;
    auto const printed = print_json(json);
    return outcome ? printed : outcome;
}

Status wait_for(ClientOptions const& options, Follow const& what, Waiting const& waiting, Progress& progress,
                std::optional<ReleaseProgress>& last) {
    if (!waiting.goal) return {};
    SystemClock const clock;
    std::optional<TimePoint> said;
    std::string before;
    auto const tell = [&](ReleaseProgress const& now_so) {
        auto text = release_progress_text(now_so);
        if (text == before || (said && clock.now() - *said < between_standings)) return;
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
    auto const outcome = follow(options, what,
                                {seen, release_progress_text, waiting.within,
                                 [&](std::string const& text) { progress.say(fmt::format("lull: {}", text)); }});
    return outcome ? Status() : Status(pass(outcome.error()));
}

}  // namespace lull::publisher
