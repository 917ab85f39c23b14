#include "publisher/client/query.hpp"

#include <algorithm>
#include <tuple>

namespace lull::publisher {

namespace {

constexpr Duration between_tries = std::chrono::milliseconds(300);

// One question, page by page.
class Query {
public:
    // What REFUSED invalid stands for: an error, or an answer without rows.
    enum class Unknown { is_error, is_empty };
    Query(ClientOptions const& options, Admin const& question, Unknown unknown = Unknown::is_error)
        : question_(question),
          unknown_(unknown),
          call_(options, "interrupted before the broker answered",
                {[this] { ask(); }, [this] { call_.connect_after(between_tries); },
                 [this](Message message) { arrived(std::move(message)); }}) {}

    Result<Answer> run() {
        call_.expect_answer();
        call_.require_acceptance();
        if (auto status = call_.run(); !status) return pass(std::move(status.error()));
        return std::move(rows_);
    }

private:
    void ask() { call_.exchange().send(question_); }

    void arrived(Message message) {
        if (auto const* const refused = std::get_if<Refused>(&message)) {
            if (refused->reason == Refusal::no_session) return ask();
            bool const empty = refused->reason == Refusal::invalid && unknown_ == Unknown::is_empty;
            return empty ? call_.end() : call_.give_up(*refused);
        }
        if (std::holds_alternative<Busy>(message)) {
            return call_.give_up({Fault::unreachable, fmt::format("the broker at {} is busy; try again in a minute",
                                                                  exchange_host(call_.options().broker))});
        }
        if (auto* const answer = std::get_if<Answer>(&message)) add(std::move(*answer));
    }

    void add(Answer page) {
        if (page.verb != question_.verb) return;
        call_.expect_answer();
        auto const append = [](auto& into, auto& from) {
            std::move(from.begin(), from.end(), std::back_inserter(into));
        };
        append(rows_.status, page.status);
        append(rows_.releases, page.releases);
        append(rows_.nodes, page.nodes);
        if (page.orders) {
            if (!rows_.orders) rows_.orders.emplace();
            append(*rows_.orders, *page.orders);
        }
        if (page.calls) {
            if (!rows_.calls) rows_.calls.emplace();
            append(*rows_.calls, *page.calls);
        }
        rows_.verb = page.verb;
        rows_.time = page.time;
        if (!page.next) {
            sort();
            return call_.end();
        }
        if (*page.next <= question_.cursor) {
            return call_.give_up(
                {Fault::damaged, fmt::format("the broker at {} sent page {} after page {}",
                                             exchange_host(call_.options().broker), *page.next, question_.cursor)});
        }
        question_.cursor = *page.next;
        ask();
    }

    // Pages come in the order of the broker's own numbers.
    void sort() {
        std::ranges::sort(rows_.status, {}, [](StatusRow const& row) { return std::tie(row.software, row.node); });
        std::ranges::sort(rows_.releases, {}, [](ReleaseRow const& row) { return std::tie(row.software, row.seq); });
        std::ranges::sort(rows_.nodes, {}, &NodeRow::node);
        if (rows_.orders) std::ranges::stable_sort(*rows_.orders, {}, &OrderRow::node);
        if (rows_.calls) std::ranges::reverse(*rows_.calls);
    }

    Admin question_;
    Unknown unknown_;
    Answer rows_;
    BrokerCall call_;
};

}  // namespace

Result<Answer> request(ClientOptions const& options, Admin const& question) { return Query(options, question).run(); }

Result<std::vector<ReleaseRow>> list_releases(ClientOptions const& options, SoftwareName const& software) {
    Admin question;
    question.verb = AdminVerb::list;
    question.software = software;
    auto answer = Query(options, question, Query::Unknown::is_empty).run();
    if (!answer) return pass(std::move(answer.error()));
    return std::move(answer->releases);
}

Result<UpdateInfo> update_info_in(ReleaseRow const& row) {
    auto info = row.update ? decode_update_info(row.update->payload)
                           : Result<UpdateInfo>(fail(Fault::damaged, "it is older than this program"));
    if (info && (info->software != row.software || info->version != row.version || info->builds != row.builds))
        info = fail(Fault::damaged, "it is one of {} {}", info->software.text(), info->version.text());
    if (info) return info;
    return fail(Fault::damaged, "the broker does not say how {} {} was published: {}", row.software.text(),
                row.version.text(), info.error().message);
}

}  // namespace lull::publisher
