#pragma once

#include "subscriber/agent/target.hpp"
#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace lull::subscriber::test {

// What a part of a SoftwareUpdate works with, made by hand: release 2 is the target, release 1 is live.
struct Around {
    explicit Around(Activation how = {}, Policy policy = Policy::wait) {
        auto info = Bench::info_of(2);
        info.activation = std::move(how);
        info.policy = policy;
        settings.architecture = *ArchitectureName::parse("amd64");
        settings.trusted = TrustedKeys({key.public_key()});
        settings.rules.hooks.all = true;
        target = {Bench::id(2), Bench::entry_of(key, 2, info), info};
        installed.active = ReleaseRef{Seq{1}, Bench::version(1)};
    }
    Surroundings parts() { return {settings, rules, effects, objects, target, progress, installed}; }

    SigningKey key = SigningKey::generate();
    AgentSettings settings;
    Effects effects;
    Session session{settings, effects};
    ObjectTransfer objects{{}, {}, effects, session};
    ActivationRules rules{*NodeName::parse("till-17"), {}, {}, {}};
    Target target;
    Progress progress;
    Installed installed;
    Moment now{TimePoint(std::chrono::seconds(1000)), WallTime{1'750'000'000'000'000}};
};

// The batches are durable: what follows from that.
inline Actions all_durable(Effects& effects, Actions const& actions, Moment now) {
    for (auto const& persist : all<Persist>(actions)) effects.durable({persist.ticket, {}}, now);
    return effects.take();
}

}  // namespace lull::subscriber::test
