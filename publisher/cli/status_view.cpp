#include "publisher/cli/status_view.hpp"

#include <algorithm>
#include <map>

#include "schema/holders.hpp"

namespace lull::publisher {

namespace {

Colour colour_of(NodeState state) {
    switch (state) {
        case NodeState::active: return Colour::green;
        case NodeState::failed:
        case NodeState::rolled_back: return Colour::red;
        case NodeState::waiting:
        case NodeState::held: return Colour::yellow;
        case NodeState::announced:
        case NodeState::queued:
        case NodeState::fetching:
        case NodeState::staged:
        case NodeState::switching:
        case NodeState::verifying: return Colour::cyan;
        case NodeState::undistributed:
        case NodeState::superseded:
        case NodeState::removed: return Colour::dim;
    }
    return Colour::plain;
}

// The largest build: the answer does not name the build that a node takes.
Bytes largest_build(std::vector<ReleaseRow> const& releases, StatusRow const& row) {
    Bytes largest{};
    for (auto const& release : releases) {
        if (release.software != row.software || release.seq != row.seq) continue;
        for (auto const& build : release.builds) largest = std::max(largest, build.size);
    }
    return largest;
}

// The release's size is an upper bound: compressed objects and patches are smaller.
std::string download_text(Bytes done, Bytes size) {
    if (size.zero()) return to_text(done);
    auto const percent = std::min<std::uint64_t>(100, done.count() * 100 / size.count());
    return fmt::format("{} % ({} of at most {})", percent, to_text(done), to_text(size));
}

std::string why_text(StatusRow const& row, std::vector<ReleaseRow> const& releases, WallTime now) {
    std::vector<std::string> parts;
    if (row.state == NodeState::fetching && row.done)
        parts.push_back(download_text(*row.done, largest_build(releases, row)));
    if (!row.holders.empty()) parts.push_back(held_by(row.holders, now));
    if (!row.why.empty()) parts.push_back(row.why);
    if (row.held) parts.push_back(*row.held);
    if (row.active && row.state != NodeState::active) parts.push_back("runs " + row.active->text());
    return fmt::format("{}", fmt::join(parts, "; "));
}

// "19 of 20 nodes active", a line for each software if there are several.
std::string summary(std::vector<StatusRow> const& rows) {
    struct Count {
        std::string name;
        std::size_t active = 0;
        std::size_t all = 0;
    };
    std::map<SoftwareName, Count> counts;
    for (auto const& row : rows) {
        auto& count = counts[row.software];
        count.name = fmt::format("{} {}", row.software.text(), row.version.text());
        ++count.all;
        count.active += row.state == NodeState::active ? 1 : 0;
    }
    std::string lines;
    for (auto const& [software, count] : counts) {
        if (counts.size() > 1) lines += count.name + ": ";
        lines += fmt::format("{} of {} node{} active\n", count.active, count.all, count.all == 1 ? "" : "s");
    }
    return lines;
}

Json holder_json(Holder const& holder) {
    Json json = {{"pid", holder.pid},
                 {"uid", holder.uid},
                 {"user", holder.user},
                 {"command", holder.command},
                 {"since", to_text(holder.since)}};
    if (holder.told) json["told"] = to_text(*holder.told);
    return json;
}

}  // namespace

std::string status_text(Answer const& answer, std::vector<ReleaseRow> const& releases, Painting painting) {
    if (answer.status.empty())
        return "no rows: no node is enrolled (enrol one with: lull nodes new NAME), or no release is published "
               "(publish one "
               "with: lull publish PATH --name NAME --version VERSION)\n";
    Table table({{"SOFTWARE"}, {"RELEASE"}, {"NODE"}, {"STATE"}, {"SINCE"}, {"WHY"}});
    for (auto const& row : answer.status) {
        table.add({{row.software.text()},
                   {row.version.text()},
                   {row.node.text()},
                   {std::string(to_text(row.state)), colour_of(row.state)},
                   {clock_text(row.since, answer.time)},
                   {why_text(row, releases, answer.time)}});
    }
    return table.render(painting) + "\n" + summary(answer.status);
}

Json status_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.status) {
        Json json = {{"software", row.software.text()},
                     {"release", row.version.text()},
                     {"seq", row.seq.value},
                     {"node", row.node.text()},
                     {"state", to_text(row.state)},
                     {"since", to_text(row.since)},
                     {"why", row.why}};
        if (row.active) json["active"] = row.active->text();
        if (row.done) json["done"] = row.done->count();
        if (row.held) json["held"] = *row.held;
        json["holders"] = Json::array();
        for (auto const& holder : row.holders) json["holders"].push_back(holder_json(holder));
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"status", std::move(rows)}};
}

}  // namespace lull::publisher
