#include "publisher/cli/nodes_view.hpp"

#include <algorithm>

namespace lull::publisher {

std::string nodes_text(Answer const& answer, Painting painting) {
    if (answer.nodes.empty()) return "no node is enrolled yet; make a bundle for one with: lull nodes new NAME\n";
    bool const noted = std::ranges::any_of(answer.nodes,
                                           [](NodeRow const& row) { return row.notes && !row.notes->empty(); });
    std::vector<Column> columns{{"NODE"}, {"LINK"}, {"LAST SEEN"}, {"PROGRAM"}, {"KEY"}};
    if (noted) columns.push_back({"NOTES"});
    Table table(std::move(columns));
    for (auto const& row : answer.nodes) {
        Cell const link = row.connected ? Cell{"connected", Colour::green} : Cell{"idle", Colour::plain};
        std::vector<Cell> cells{
            {row.node.text()},
            link,
            {row.seen ? clock_text(*row.seen, answer.time) : "never", row.seen ? Colour::plain : Colour::yellow},
            {row.program},
            {row.key.hex().substr(0, 16)}};
        auto const notes = row.notes.value_or(std::vector<std::string>());
        if (noted) cells.push_back({fmt::format("{}", fmt::join(notes, "; ")), Colour::yellow});
        table.add(std::move(cells));
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
        if (row.clock_ahead) json["clock_ahead_seconds"] = *row.clock_ahead / 1'000'000;
        json["notes"] = row.notes.value_or(std::vector<std::string>());
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"nodes", std::move(rows)}};
}

std::string removed_nodes_text(std::vector<NodeName> const& nodes) {
    std::string text;
    for (auto const& node : nodes) text += fmt::format("removed {}\n", node.text());
    return text +
           "a removed node keeps its software, and gets no more of it; to enrol a machine under that name, run: "
           "lull nodes new NAME\n";
}

Json removed_nodes_json(std::vector<NodeName> const& nodes) {
    Json names = Json::array();
    for (auto const& node : nodes) names.push_back(node.text());
    return {{"removed", std::move(names)}};
}

}  // namespace lull::publisher
