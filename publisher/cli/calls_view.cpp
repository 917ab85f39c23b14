#include "publisher/cli/calls_view.hpp"

namespace lull::publisher {

namespace {

std::string result_text(CallRow const& row) {
    if (!row.result) return "-";
    if (row.result->status) return fmt::format("status {}", *row.result->status);
    return fmt::format("signal {}", row.result->signal.value_or(0));
}

std::string detail_text(CallRow const& row) {
    if (!row.reason) return row.text;
    return row.text.empty() ? std::string(to_text(*row.reason)) : fmt::format("{}: {}", to_text(*row.reason), row.text);
}

std::string duration_text(std::uint64_t micros) {
    if (micros < 10'000'000) return fmt::format("{:.2f} s", static_cast<double>(micros) / 1e6);
    return to_text(Duration(std::chrono::microseconds(micros)));
}

}  // namespace

std::string calls_text(Answer const& answer, Painting painting) {
    if (!answer.calls || answer.calls->empty()) return "there has been no call since the broker was started\n";
    Table table(
        {{"CALLER"}, {"SOFTWARE"}, {"PROGRAM"}, {"EXECUTOR"}, {"STATE"}, {"RESULT"}, {"ASKED"}, {"TOOK"}, {"DETAILS"}});
    for (auto const& row : *answer.calls) {
        table.add({{row.caller.text()},
                   {fmt::format("{} {}", row.software.text(), row.version.text())},
                   {row.program},
                   {row.executor ? row.executor->text() : "-"},
                   {std::string(to_text(row.phase))},
                   {result_text(row)},
                   {clock_text(row.asked, answer.time)},
                   {duration_text(row.took)},
                   {detail_text(row)}});
    }
    return table.render(painting);
}

Json calls_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.calls.value_or(std::vector<CallRow>())) {
        Json json = {{"id", to_hex(row.id)},          {"caller", row.caller.text()},  {"software", row.software.text()},
                     {"version", row.version.text()}, {"seq", row.seq.value},         {"program", row.program},
                     {"state", to_text(row.phase)},   {"asked", to_text(row.asked)},  {"took_us", row.took},
                     {"input", row.input.count()},    {"output", row.output.count()}, {"text", row.text}};
        if (row.executor) json["executor"] = row.executor->text();
        if (row.reason) json["reason"] = to_text(*row.reason);
        if (row.result) {
            if (row.result->status) json["status"] = *row.result->status;
            if (row.result->signal) json["signal"] = *row.result->signal;
            json["cpu_us"] = row.result->cpu;
            json["duration_us"] = row.result->duration;
        }
        rows.push_back(std::move(json));
    }
    return {{"time", to_text(answer.time)}, {"calls", std::move(rows)}};
}

}  // namespace lull::publisher
