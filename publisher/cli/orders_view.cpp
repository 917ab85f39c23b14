#include "publisher/cli/orders_view.hpp"

#include "core/text.hpp"

namespace lull::publisher {

namespace {

std::string what_text(OrderRow const& row) {
    auto const software = row.order.software ? row.order.software->text() : "all software";
    return row.version ? fmt::format("{} {}", software, row.version->text()) : software;
}

std::string detail_text(Order const& order, WallTime now) {
    std::vector<std::string> parts;
    if (order.until) parts.push_back("until " + clock_text(*order.until, now));
    if (order.restart.value_or(false)) parts.emplace_back("running processes are ended");
    if (order.stage) parts.push_back(fmt::format("stage {}", *order.stage + 1));
    if (!order.why.empty()) parts.push_back(order.why);
    return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

std::string orders_text(Answer const& answer, Painting painting) {
    if (!answer.orders || answer.orders->empty()) return "no order is in force\n";
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
    return harmless(fmt::format("{}: {} {}, by {}{}", row.node ? row.node->text() : "all nodes",
                                to_text(row.order.kind), what_text(row), row.order.by,
                                detail.empty() ? "" : "; " + detail));
}

Json orders_json(Answer const& answer) {
    Json rows = Json::array();
    for (auto const& row : answer.orders.value_or(std::vector<OrderRow>())) {
        auto const& order = row.order;
        Json json = {
            {"order", to_text(order.kind)}, {"by", order.by}, {"since", to_text(order.since)}, {"why", order.why}};
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
