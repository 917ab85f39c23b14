#include "tests/sim/coverage.hpp"

#include <fmt/format.h>

#include <fstream>

namespace lull::sim {

namespace {

std::uint32_t packed(RolloutStatus const& standing) {
    auto const flags = (standing.active ? 1U : 0U) | (standing.reported ? 2U : 0U) | (standing.wanted ? 4U : 0U);
    return standing.phase | flags << 4 | static_cast<std::uint32_t>(standing.link) << 8;
}

template <class MessageEvent>
std::uint32_t message_of(auto const& event) {
    auto const* heard = std::get_if<MessageEvent>(&event);
    return heard == nullptr ? 0 : static_cast<std::uint32_t>(type_of(heard->message));
}

}  // namespace

RolloutStatus RolloutStatus::of(subscriber::Agent const& agent, SoftwareName const& software) {
    auto const found = agent.updates().find(software);
    auto const link = static_cast<std::uint8_t>(1 + static_cast<unsigned>(agent.link().state()));
    if (found == agent.updates().end()) return {.link = link};
    auto const& update = found->second;
    bool const active = update.installed().active == update.target().ref();
    return {static_cast<std::uint8_t>(1 + static_cast<unsigned>(update.phase())), active,
            !agent.reports().reports().contains(software), agent.fetcher().wants_for(software), link};
}

void Coverage::step(RolloutStatus const& before, subscriber::Event const& event, RolloutStatus const& after) {
    standings_.insert(packed(after));
    auto const message = message_of<subscriber::MessageHeard>(event) + message_of<subscriber::AnnouncementHeard>(event);
    auto const what = static_cast<std::uint64_t>(event.index()) << 8 | message;
    steps_.insert(static_cast<std::uint64_t>(packed(before)) << 40 | what << 24 | packed(after));
}

void Coverage::decision(broker::Event const& event, broker::Actions const& actions) {
    std::uint64_t made = 0;
    for (auto const& action : actions) {
        made |= std::uint64_t{1} << action.index();
        auto const* send = std::get_if<broker::Send>(&action);
        if (send != nullptr) made |= std::uint64_t{1} << (16 + send->message.index());
    }
    auto const what = static_cast<std::uint32_t>(event.index()) << 8 | message_of<broker::MessageArrived>(event);
    decisions_.emplace(what, made);
}

void Coverage::write(std::string const& file) const {
    std::ofstream out(file, std::ios::app);
    for (auto const standing : standings_) out << fmt::format("standing {:x}\n", standing);
    for (auto const step : steps_) out << fmt::format("step {:x}\n", step);
    for (auto const& [event, made] : decisions_) out << fmt::format("decision {:x} {:x}\n", event, made);
}

}  // namespace lull::sim
