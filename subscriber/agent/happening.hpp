#pragma once

#include "subscriber/model/actions.hpp"
#include "subscriber/model/phases.hpp"

namespace lull::subscriber {

// What runs for a software, at most one at a time. Its end is an event.
enum class Work { plan, staging, making_room, probe, ending_use, starting_use, hook, health_check, switching };

// What runs, and for which release.
struct Running {
    enum class State {
        recording,  // it begins when the record is durable
        begun,
        cancelled,  // its end is on its way
    };
    Work work = Work::plan;
    ReleaseId release;
    State state = State::begun;
    std::uint64_t number = 0;  // tells it from what runs before and after it
};

// The job of the shell that CancelJob stops. None: it is over in a moment, or what it does has to be done in any case.
[[nodiscard]] constexpr std::optional<Job> cancellable(Work work) {
    switch (work) {
        case Work::plan: return Job::plan;
        case Work::staging: return Job::staging;
        case Work::ending_use: return Job::ending_use;
        case Work::hook: return Job::hook;
        case Work::health_check: return Job::health_check;
        case Work::making_room:
        case Work::probe:
        case Work::starting_use:
        case Work::switching: return std::nullopt;
    }
    return std::nullopt;
}

// What came of a step of a part. SoftwareUpdate makes the durable phase of it, and what runs.
struct Happening {
    enum class Then { rest, reconcile, save, save_and_reconcile };

    std::optional<Error> failure{};  // the release is given up, and tried again later; the rest does not count
    std::optional<Transition> transition{};
    std::string why{};
    std::optional<Work> begun{};           // runs from now on, or from the moment at which the record is durable
    std::optional<Action> when_durable{};  // what begins then
    std::vector<Digest> refetch{};         // dropped, and wanted again after that
    bool plan_again = false;               // the phase is as after the announcement; what is reported stays
    bool start_users = false;              // users that were ended start again, if there are any
    Then then = Then::rest;

    // The part waits for an event.
    [[nodiscard]] static Happening nothing() { return {}; }
    [[nodiscard]] static Happening again() { return {.then = Then::reconcile}; }
    [[nodiscard]] static Happening failed(Error error) { return {.failure = std::move(error)}; }
    // The action was performed.
    [[nodiscard]] static Happening began(Work work) { return {.begun = work}; }
    // The action is performed when the record is durable.
    [[nodiscard]] static Happening begins(Work work, Action action) {
        return {.begun = work, .when_durable = std::move(action), .then = Then::save};
    }
    [[nodiscard]] static Happening moved(Transition transition, std::string why = {}) {
        return {.transition = transition, .why = std::move(why), .then = Then::save_and_reconcile};
    }
    [[nodiscard]] static Happening plans_again() { return {.plan_again = true, .then = Then::reconcile}; }
};

}  // namespace lull::subscriber
