#include "publisher/cli/list_view.hpp"

#include <algorithm>

namespace lull::publisher {

namespace {

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

std::string list_text(Answer const& answer, Sizes sizes, Painting painting) {
    if (answer.releases.empty())
        return "there is nothing to list: nothing is published yet, or nothing by this key, if it is a publisher's\n"
               "publish something with: lull publish PATH --name NAME --version VERSION\n";
    std::vector<Column> columns{{"SOFTWARE"},           {"VERSION"}, {"SEQ", Align::right},      {"PUBLISHED"},
                                {"SIZE", Align::right}, {"BUILDS"},  {"ACTIVE ON", Align::right}};
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
        text +=
            "TO FETCH: bytes from that release to the newest; on the newest: bytes without any release; ?: not "
            "calculated, because no node needs it\n";
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
        if (row.callable) json["callable"] = *row.callable;
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

}  // namespace lull::publisher
