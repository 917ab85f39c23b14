#include "publisher/views.hpp"

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
        case NodeState::downloading:
        case NodeState::distributed: return Colour::cyan;
        case NodeState::undistributed:
        case NodeState::superseded: return Colour::dim;
    }
    return Colour::plain;
}

// The largest build: we are not told which one a node takes.
Bytes largest_build(std::vector<ReleaseRow> const& releases, StatusRow const& row) {
    Bytes largest{};
    for (auto const& release : releases) {
        if (release.software != row.software || release.seq != row.seq) continue;
        for (auto const& build : release.builds) largest = std::max(largest, build.size);
    }
    return largest;
}

// Compression makes it less than the release's size, by how much shows only at the end.
std::string download_text(Bytes done, Bytes size) {
    if (size.zero()) return to_text(done);
    auto const percent = std::min<std::uint64_t>(100, done.count() * 100 / size.count());
    return fmt::format("{} % ({} of at most {})", percent, to_text(done), to_text(size));
}

std::string why_text(StatusRow const& row, std::vector<ReleaseRow> const& releases, WallTime now) {
    std::vector<std::string> parts;
    if (row.state == NodeState::downloading && row.done)
        parts.push_back(download_text(*row.done, largest_build(releases, row)));
    if (!row.holders.empty()) parts.push_back(held_by(row.holders, now));
    if (!row.why.empty()) parts.push_back(row.why);
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

std::string builds_text(std::vector<Build> const& builds) {
    std::vector<std::string> names;
    for (auto const& build : builds) names.push_back(build.architecture.text());
    return fmt::format("{}", fmt::join(names, ","));
}

Bytes total_size(std::vector<Build> const& builds) {
    Bytes sum{};
    for (auto const& build : builds) sum += build.size;
    return sum;
}

}  // namespace

std::string status_text(Answer const& answer, std::vector<ReleaseRow> const& releases, Painting painting) {
    if (answer.status.empty())
        return "nothing to show: no node is enrolled (lull nodes new NAME), or nothing is published (lull publish "
               "PATH)\n";
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
        json["holders"] = Json::array();
        for (auto const& holder : row.holders) json["holders"].push_back(holder_json(holder));
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"status", std::move(rows)}};
}

std::string list_text(Answer const& answer, Sizes sizes, Painting painting) {
    if (answer.releases.empty())
        return "nothing is published yet; publish something with: lull publish PATH --name NAME --version VERSION\n";
    std::vector<Column> columns{{"SOFTWARE"}, {"VERSION"}, {"SEQ", Align::right}, {"PUBLISHED"}, {"SIZE", Align::right}, {"BUILDS"},
                                {"ACTIVE ON", Align::right}};
    bool const noted = std::ranges::any_of(answer.releases, [](ReleaseRow const& row) { return row.note.has_value(); });
    if (sizes == Sizes::shown) columns.push_back({"TO FETCH", Align::right});
    if (noted) columns.push_back({"NOTE"});
    Table table(std::move(columns));
    for (auto const& row : answer.releases) {
        std::vector<Cell> cells{{row.software.text()},
                                {row.version.text(), row.newest ? Colour::green : Colour::plain},
                                {std::to_string(row.seq.value)},
                                {clock_text(row.time, answer.time)},
                                {to_text(total_size(row.builds))},
                                {builds_text(row.builds)},
                                {std::to_string(row.active)}};
        if (sizes == Sizes::shown) cells.push_back({row.to_fetch ? to_text(*row.to_fetch) : "?"});
        if (noted) cells.push_back({row.note.value_or("")});
        table.add(std::move(cells));
    }
    auto text = table.render(painting);
    if (sizes == Sizes::shown) {
        text += "TO FETCH: by a node with that release, to get to the newest; on the newest: by a node with nothing; ?: not worked out, because "
                "no node needs it\n";
    }
    return text;
}

Json list_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.releases) {
        Json json = {{"software", row.software.text()}, {"version", row.version.text()}, {"seq", row.seq.value},
                     {"published", to_text(row.time)},  {"newest", row.newest},          {"active", row.active}};
        if (row.to_fetch) json["to_fetch"] = row.to_fetch->count();
        if (row.note) json["note"] = *row.note;
        json["builds"] = Json::array();
        for (auto const& build : row.builds) {
            json["builds"].push_back({{"architecture", build.architecture.text()},
                                      {"size", build.size.count()},
                                      {"files", build.files},
                                      {"manifest", build.manifest.hex()}});
        }
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"releases", std::move(rows)}};
}

std::string nodes_text(Answer const& answer, Painting painting) {
    if (answer.nodes.empty()) return "no node is enrolled yet; make a bundle for one with: lull nodes new NAME\n";
    Table table({{"NODE"}, {"LINK"}, {"LAST SEEN"}, {"PROGRAM"}, {"KEY"}});
    for (auto const& row : answer.nodes) {
        Cell const link = row.connected ? Cell{"connected", Colour::green} : Cell{"idle", Colour::plain};
        table.add({{row.node.text()},
                   link,
                   {row.seen ? clock_text(*row.seen, answer.time) : "never", row.seen ? Colour::plain : Colour::yellow},
                   {row.program},
                   {row.key.hex().substr(0, 16)}});
    }
    return table.render(painting) +
           fmt::format("\n{} node{}\n", answer.nodes.size(), answer.nodes.size() == 1 ? "" : "s");
}

Json nodes_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.nodes) {
        Json json = {
            {"node", row.node.text()}, {"key", row.key.hex()}, {"connected", row.connected}, {"program", row.program}};
        if (row.seen) json["seen"] = to_text(*row.seen);
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"nodes", std::move(rows)}};
}

namespace {

std::string what_text(OrderRow const& row) {
    auto const software = row.order.software ? row.order.software->text() : "all software";
    return row.version ? fmt::format("{} {}", software, row.version->text()) : software;
}

std::string detail_text(Order const& order, WallTime now) {
    std::vector<std::string> parts;
    if (order.until) parts.push_back("until " + clock_text(*order.until, now));
    if (order.restart.value_or(false)) parts.emplace_back("users are ended");
    if (order.stage) parts.push_back(fmt::format("stage {}", *order.stage + 1));
    if (!order.why.empty()) parts.push_back(order.why);
    return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

std::string orders_text(Answer const& answer, Painting painting) {
    if (!answer.orders || answer.orders->empty()) return "no order stands\n";
    Table table({{"ORDER"}, {"WHAT"}, {"NODE"}, {"BY"}, {"SINCE"}, {"DETAILS"}});
    for (auto const& row : *answer.orders) {
        table.add({{std::string(to_text(row.order.kind))},
                   {what_text(row)},
                   {row.node ? row.node->text() : "all"},
                   {row.order.by},
                   {clock_text(row.order.since, answer.time)},
                   {detail_text(row.order, answer.time)}});
    }
    return table.render(painting);
}

std::string order_text(OrderRow const& row, WallTime now) {
    auto const detail = detail_text(row.order, now);
    return harmless(fmt::format("{}: {} {}, by {}{}", row.node ? row.node->text() : "all nodes", to_text(row.order.kind), what_text(row), row.order.by,
                                detail.empty() ? "" : "; " + detail));
}

Json orders_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.orders.value_or(std::vector<OrderRow>())) {
        auto const& order = row.order;
        Json json = {{"order", to_text(order.kind)}, {"by", order.by}, {"since", to_text(order.since)}, {"why", order.why}};
        if (row.node) json["node"] = row.node->text();
        if (order.software) json["software"] = order.software->text();
        if (row.version) json["version"] = row.version->text();
        if (order.until) json["until"] = to_text(*order.until);
        if (order.restart) json["restart"] = *order.restart;
        if (order.stage) json["stage"] = *order.stage + 1;
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"orders", std::move(rows)}};
}

}  // namespace lull::publisher
