#include "subscriber/cli/status_view.hpp"

#include "core/json.hpp"
#include "core/table.hpp"
#include "core/text.hpp"
#include "schema/holders.hpp"
#include "store/owner_lock.hpp"
#include "subscriber/agent/activation_rules.hpp"
#include "subscriber/disk/hold_files.hpp"
#include "subscriber/disk/membership.hpp"
#include "subscriber/install/lost_found.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_lost = 20;  // paths that are listed

std::string release_text(ReleaseRef const& release) {
    return fmt::format("{} ({})", release.version.text(), release.seq.value);
}

Colour colour_of(Phase phase) {
    switch (phase) {
        case Phase::active: return Colour::green;
        case Phase::failed:
        case Phase::rolling_back:
        case Phase::rolled_back: return Colour::red;
        case Phase::held:
        case Phase::waiting: return Colour::yellow;
        default: return Colour::cyan;
    }
}

std::string why_text(StatusView::Row const& row, std::string const& flow, WallTime now) {
    std::string text = row.holders.empty() ? std::string() : held_by(row.holders, now);
    bool const coming = row.phase == Phase::announced || row.phase == Phase::fetching;
    if (coming && !flow.empty()) text += (text.empty() ? "" : "; ") + flow;
    if (!row.why.empty()) text += (text.empty() ? "" : "; ") + row.why;
    if (row.room) text += (text.empty() ? "" : "; ") + *row.room;
    if (row.held && row.phase != Phase::held) text += (text.empty() ? "" : "; ") + *row.held;
    if (!row.reported) text += text.empty() ? "not yet reported" : "; not yet reported";
    return text;
}

std::string link_text(StatusView const& view, WallTime now) {
    if (!view.link) return "the daemon has never run";
    if (!view.runs) return "the daemon is not running";
    auto const since = clock_text(view.link->since, now);
    if (view.link->connected) return "connected since " + since;
    return fmt::format("not connected since {}: {}", since, view.link->detail);
}

// What programs have written into the trees of a software.
std::string strays_text(StatusView::Row const& row) {
    std::string text;
    if (row.scan && row.scan->strays)
        text += fmt::format("\n{}: no part of the release, left alone: {}\n", row.software.text(), *row.scan->strays);
    if (row.lost.empty()) return text;
    text += fmt::format("\n{}: no part of the release, moved to {}:\n", row.software.text(),
                        row.lost_directory.string());
    for (auto const& path : row.lost) {
        auto const shown = quoted(path, limits::path_bytes);
        text += fmt::format("  {}\n", shown.substr(1, shown.size() - 2));
    }
    if (row.lost.size() == most_lost) text += "  ...\n";
    return text;
}

Json holder_json(Holder const& holder) {
    Json json{{"pid", holder.pid},
              {"uid", holder.uid},
              {"user", holder.user},
              {"command", holder.command},
              {"since", to_text(holder.since)}};
    if (holder.told) json["told"] = to_text(*holder.told);
    return json;
}

Json row_json(StatusView::Row const& row) {
    Json json{{"software", row.software.text()}, {"version", row.release.version.text()},
              {"seq", row.release.seq.value},    {"state", to_text(row.phase)},
              {"since", to_text(row.since)},     {"why", row.why},
              {"reported", row.reported},        {"holders", Json::array()}};
    for (auto const& holder : row.holders) json["holders"].push_back(holder_json(holder));
    if (row.scan) {
        json["scan"] = {{"looked", to_text(row.scan->looked)},
                        {"read", to_text(row.scan->read)},
                        {"repaired", row.scan->repaired},
                        {"left", row.scan->left},
                        {"what", row.scan->what}};
        if (row.scan->strays) json["scan"]["strays"] = *row.scan->strays;
    }
    if (!row.lost.empty()) json["lost"] = {{"directory", row.lost_directory.string()}, {"paths", row.lost}};
    if (row.held) json["held"] = *row.held;
    if (row.room) json["room"] = *row.room;
    if (row.active) json["active"] = {{"version", row.active->version.text()}, {"seq", row.active->seq.value}};
    return json;
}

}  // namespace

Result<StatusView> read_status(Layout const& layout, WallTime now) {
    auto const bundle = own_bundle(layout);
    if (!bundle) return pass(bundle.error());
    StatusView view{bundle->node,
                    bundle->broker.to_text(),
                    load_link_state(layout),
                    store::has_owner(layout.journal()),
                    {},
                    {},
                    {}};
    auto holds = load_holds(layout);
    if (!holds) return pass(holds.error());
    if (holds->all && (!holds->all->until || now < *holds->all->until))
        view.held = fmt::format("held by {} since {}", holds->all->by, to_text(holds->all->since));
    std::error_code ignored;
    if (!fs::exists(layout.journal() / "data.mdb", ignored)) return view;
    auto const environment = journal::open(layout, journal::Access::look);
    if (!environment) return pass(environment.error());
    auto const state = journal::load(*environment);
    if (!state) return pass(state.error());
    view.cursor = state->cursor;
    ActivationRules const rules(view.node, {}, std::move(*holds), {state->orders, state->own_orders});
    for (auto const& [digest, object] : state->objects) view.incoming += object.durable;
    for (auto const& [software, record] : state->software) {
        auto const info = decode_update_info(record.entry.update.payload);
        if (!info) return pass(info.error());
        auto const looked = state->scans.find(software);
        auto const hold = rules.any_hold(software, now);
        view.rows.push_back({software,
                             {record.entry.seq, info->version},
                             record.phase,
                             record.since,
                             record.why,
                             record.holders,
                             record.active,
                             !state->outbox.contains(software),
                             looked == state->scans.end() ? std::nullopt : std::optional(looked->second),
                             layout.lost(software),
                             list_lost(layout, software, most_lost),
                             hold ? std::optional(hold->text) : std::nullopt,
                             record.room});
    }
    return view;
}

std::string to_table(StatusView const& view, WallTime now) {
    auto text = fmt::format(
        "node {} of {}\nannouncements: {}; log recorded up to release {}; {} fetched and not yet installed\n\n",
        view.node.text(), view.broker, link_text(view, now), view.cursor.seq.value, to_text(view.incoming));
    if (view.held) text += fmt::format("all software of this node is {}\n\n", *view.held);
    if (view.rows.empty()) return text + "no release has been announced yet\n";
    Table table({{"SOFTWARE"}, {"RELEASE"}, {"STATE"}, {"SINCE"}, {"RUNS"}, {"CHECKED"}, {"WHY"}});
    for (auto const& row : view.rows) {
        table.add({{row.software.text()},
                   {release_text(row.release)},
                   {std::string(to_text(row.phase)), colour_of(row.phase)},
                   {clock_text(row.since, now)},
                   {row.active ? release_text(*row.active) : "-"},
                   {row.scan ? clock_text(row.scan->looked, now) : "-",
                    row.scan && row.scan->left > 0 ? Colour::red : Colour::plain},
                   {why_text(row, view.link ? view.link->flow : std::string(), now)}});
    }
    text += table.render(painting_for_output());
    for (auto const& row : view.rows) text += strays_text(row);
    return text;
}

std::string to_json(StatusView const& view) {
    Json json{{"node", view.node.text()},
              {"broker", view.broker},
              {"running", view.runs},
              {"connected", view.runs && view.link && view.link->connected},
              {"link", !view.link  ? "the daemon has never run"
                       : view.runs ? view.link->detail
                                   : "the daemon is not running"},
              {"flow", view.link ? view.link->flow : ""},
              {"cursor", {{"epoch", view.cursor.epoch.value}, {"seq", view.cursor.seq.value}}},
              {"incoming_bytes", view.incoming.count()},
              {"software", Json::array()}};
    if (view.held) json["held"] = *view.held;
    for (auto const& row : view.rows) json["software"].push_back(row_json(row));
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lull::subscriber
