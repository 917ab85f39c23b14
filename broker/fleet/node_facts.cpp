#include "broker/fleet/node_facts.hpp"

#include "store/environment.hpp"

namespace lull::broker {

namespace {

constexpr std::chrono::microseconds least_skew = std::chrono::minutes(1);
constexpr unsigned returns_that_prove = 2;
// Longer than two machines that have nothing to say let pass between their HELLOs.
constexpr Duration shown_for = std::chrono::hours(1);
constexpr std::size_t longest_trouble = 512;

std::uint64_t number_of(Hello const& hello) {
    auto const text = fmt::format("{} {}", *hello.machine, hello.boot);
    return *store::number_of(sha256(as_view(text)).view().first(sizeof(std::uint64_t)));
}

std::string clock_text(std::chrono::microseconds ahead) {
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(ahead));
    auto const amount = seconds < std::chrono::hours(2)  ? fmt::format("{} min", seconds / std::chrono::minutes(1))
                        : seconds < std::chrono::days(2) ? fmt::format("{} h", seconds / std::chrono::hours(1))
                                                         : fmt::format("{} days", seconds / std::chrono::days(1));
    return fmt::format("its clock is {} {}", amount, ahead.count() > 0 ? "ahead" : "behind");
}

}  // namespace

bool NodeFacts::are_two(Machines const& machines, TimePoint now) {
    return machines.returns >= returns_that_prove && now - machines.returned < shown_for;
}

void NodeFacts::turn(Machines& machines, std::uint64_t machine, TimePoint now) {
    if (machine == machines.current) return;
    if (machine == machines.other) {
        std::swap(machines.current, machines.other);
        ++machines.returns;
        machines.returned = now;
        return;
    }
    machines = {
        .first = machines.current == 0 ? machine : machines.current, .current = machine, .other = machines.current};
}

NodeFacts::Heard NodeFacts::heard(PeerKey const& node, Hello const& hello, Moment now) {
    auto& facts = facts_[node];
    if (hello.time) facts.clock_ahead = std::chrono::microseconds(hello.time->micros - now.wall.micros);
    facts.trouble = hello.trouble;
    if (facts.trouble && facts.trouble->size() > longest_trouble) facts.trouble->resize(longest_trouble);
    if (!hello.machine) return {};
    auto& machines = facts.machines;
    bool const before = are_two(machines, now.point);
    turn(machines, number_of(hello), now.point);
    if (!are_two(machines, now.point)) return {};
    Heard heard{.second_machine_is_news = !before};
    if (machines.current != machines.first) {
        heard.note = fmt::format(
            "two machines use the identity of node '{0}', and this one came later: if it is a copy, give it an "
            "identity "
            "of its own: run 'lull nodes new NAME', then here 'lull-node join --force NAME.join', and start the daemon "
            "anew",
            hello.node.text());
    }
    return heard;
}

std::optional<std::chrono::microseconds> NodeFacts::clock_ahead(PeerKey const& node) const {
    auto const found = facts_.find(node);
    if (found == facts_.end() || std::chrono::abs(found->second.clock_ahead) < least_skew) return std::nullopt;
    return found->second.clock_ahead;
}

std::string const* NodeFacts::trouble(PeerKey const& node) const {
    auto const found = facts_.find(node);
    return found == facts_.end() || !found->second.trouble ? nullptr : &*found->second.trouble;
}

std::vector<std::string> NodeFacts::notes(PeerKey const& node, TimePoint now) const {
    std::vector<std::string> notes;
    auto const found = facts_.find(node);
    if (found == facts_.end()) return notes;
    if (found->second.trouble) notes.push_back(*found->second.trouble);
    if (are_two(found->second.machines, now)) {
        notes.emplace_back(
            "two machines use this identity: enrol the copy under a name of its own (lull nodes new, then "
            "lull-node join --force there)");
    }
    if (auto const ahead = clock_ahead(node)) notes.push_back(clock_text(*ahead));
    return notes;
}

}  // namespace lull::broker
