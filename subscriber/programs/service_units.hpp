#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "subscriber/programs/program_runs.hpp"

namespace lull::subscriber {

// Where systemd is.
struct SystemdPlaces {
    fs::path systemctl = "/usr/bin/systemctl";
    fs::path running = "/run/systemd/system";  // there as long as systemd runs the machine (sd_booted(3))
};

// Stops and starts services by `systemctl`. Belongs to the thread that ends the process.
class ServiceUnits {
public:
    // Runs on the loop, once, never within stop() or start(): done, or why not. May destroy the object.
    using Done = std::function<void(Status)>;

    explicit ServiceUnits(EventLoop& loop, SystemdPlaces places = {}) : places_(std::move(places)), runs_(loop) {}

    // All of them at once; `done` after they have stopped or started. What takes longer than `time_limit` is an error,
    // and may happen yet. Fault::refused for a name that is none; Fault::unreachable where systemd does not run.
    using RunId = ProgramRuns::RunId;
    RunId stop(std::vector<std::string> const& units, Duration time_limit, Done done);
    RunId start(std::vector<std::string> const& units, Duration time_limit, Done done);
    // No longer waits for them; `done` does not run. What systemd was asked to do may happen yet.
    void cancel(RunId id) { runs_.cancel(id); }

private:
    RunId order(std::string const& verb, std::vector<std::string> const& units, Duration time_limit, Done done);
    [[nodiscard]] Result<ProgramStart> prepare(std::string const& verb, std::vector<std::string> const& units) const;

    SystemdPlaces places_;
    ProgramRuns runs_;
};

}  // namespace lull::subscriber
