#include <catch2/catch.hpp>

#include "schema/wire.hpp"
#include "tests/sim/simulation.hpp"

using namespace lull;
using namespace lull::sim;
using namespace std::chrono_literals;

namespace {

constexpr auto week = std::chrono::hours(7 * 24);
constexpr std::size_t software = 5;
constexpr std::size_t releases = 10;  // of each

struct Outage {
    Coverage coverage;
    Simulation simulation{Scenario{.nodes = 100, .software = software, .scan = 6h}, 1, coverage};

    Outage() {
        simulation.start();
        for (std::size_t i = 0; i < software; ++i) simulation.publish(i, 1);
        REQUIRE(simulation.converge(1h));
        simulation.network().count_bytes();
    }
    void publish_in(Duration time) {
        for (std::size_t number = 2; number <= releases + 1; ++number) {
            for (std::size_t i = 0; i < software; ++i) simulation.publish(i, number);
            simulation.pass(time / static_cast<std::int64_t>(releases));
        }
    }
    [[nodiscard]] Bytes carried() {
        Bytes total{};
        for (std::size_t i = 0; i < simulation.nodes(); ++i) total += simulation.network().carried(simulation.node(i));
        return total;
    }
    // What every node needs of the newest releases and has not: segments that its own do not have.
    [[nodiscard]] Bytes content_of_newest() {
        Bytes total{};
        for (std::size_t i = 0; i < software; ++i) {
            auto const name = simulation.software(i);
            std::set<Digest> here;
            auto const version = [](std::size_t number) { return *VersionName::parse(fmt::format("1.{}", number)); };
            for (auto const& segment : simulation.library().manifest_of(name, version(1)).segments)
                here.insert(segment.digest);
            for (auto const& segment : simulation.library().manifest_of(name, version(releases + 1)).segments) {
                if (!here.contains(segment.digest)) total += segment.size;
            }
        }
        return total;
    }
    // At most so many per cent of what the newest releases need may cross the wire, all included.
    void converges(std::string_view what, std::uint64_t most_percent) {
        auto const before = carried();
        auto const took = simulation.converge(3h);
        REQUIRE(took);
        CHECK(simulation.checker().violation().value_or("") == "");
        auto const a_node = Bytes((carried() - before).count() / simulation.nodes());
        fmt::print(
            "{}: all {} nodes have the newest of {} releases {} s after it; {} a node, {} of it contents, {} before\n",
            what, simulation.nodes(), releases * software,
            std::chrono::duration_cast<std::chrono::seconds>(*took).count(), to_text(a_node),
            to_text(content_of_newest()), to_text(Bytes(before.count() / simulation.nodes())));
        CHECK(a_node.count() < content_of_newest().count() * most_percent / 100);
    }
};

}  // namespace

TEST_CASE("a week without the broker: everybody has the newest of the fifty releases soon after it is back") {
    Outage outage;
    outage.simulation.broker().crash();
    outage.publish_in(week);  // the publishers keep at it
    outage.simulation.broker().start();
    outage.converges("a broker that was down for a week",
                     180);  // what comes out one after the other may be fetched in between
}

TEST_CASE("a week without the network: everybody goes straight to the newest of the fifty releases") {
    Outage outage;
    auto& simulation = outage.simulation;
    for (std::size_t i = 0; i < simulation.nodes(); ++i) simulation.network().cut_off(simulation.node(i));
    outage.publish_in(week);
    for (std::size_t i = 0; i < simulation.nodes(); ++i) simulation.network().reconnect(simulation.node(i));
    outage.converges("nodes that were cut off for a week", 115);
}
