#include <algorithm>
#include <optional>

#include "publisher/client.hpp"

// Questions of an operator: ADMIN and ANSWER.

namespace lull::publisher {

namespace {

constexpr Duration between_tries = std::chrono::milliseconds(300);
constexpr Duration until_accepted =
    std::chrono::seconds(4);  // an operator should not have to wait long for a wrong address

// One question on its own loop, page by page.
class Query {
public:
    Query(ClientOptions const& options, Admin const& question) : options_(options), question_(question) {}

    Result<Answer> run() {
        restart_patience();
        connect();
        loop_.after(until_accepted, [this] {
            if (auto const why = exchange_->link().why_not(options_.broker); !why.empty()) give_up(why);
        });
        if (!result_) loop_.run();
        exchange_.reset();
        LULL_INVARIANT(result_.has_value());
        return std::move(*result_);
    }

private:
    void connect() {
        exchange_ = std::make_unique<Exchange>(
            loop_, context_, options_.broker, options_.own,
            Exchange::Handlers{[this] { exchange_->send(question_); },
                               [this] { loop_.after(between_tries, [this] { connect(); }); },
                               [this](Result<Message> message) { arrived(std::move(message)); }, [] {}});
        if (auto status = exchange_->open(); !status) end(pass(status.error()));
    }

    void restart_patience() {
        if (patience_ != 0) loop_.cancel(patience_);
        patience_ = loop_.after(options_.patience, [this] { give_up(exchange_->link().why_not(options_.broker)); });
    }

    // `why` there is no connection; empty if there is one.
    void give_up(std::string const& why) {
        if (!why.empty()) return end(fail(Fault::unreachable, "{}", why));
        end(fail(Fault::unreachable,
                 "the broker at {} does not answer for {}; try again, and look at its log if that does not help",
                 exchange_host(options_.broker), to_text(options_.patience)));
    }

    void arrived(Result<Message> message) {
        if (result_) return;
        if (!message)
            return end(
                fail(message.error().fault, "{} sent {}", exchange_host(options_.broker), message.error().message));
        if (auto const* const refused = std::get_if<Refused>(&*message)) {
            return end(fail(Fault::refused, "the broker refuses: {}", refused->text));
        }
        if (std::holds_alternative<Busy>(*message)) {
            return end(fail(Fault::unreachable, "the broker at {} is busy; try again in a minute",
                            exchange_host(options_.broker)));
        }
        if (auto* const answer = std::get_if<Answer>(&*message)) add(std::move(*answer));
    }

    void add(Answer page) {
        if (page.verb != question_.verb) return;
        restart_patience();
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
        rows_.verb = page.verb;
        rows_.time = page.time;
        if (!page.next) return end(std::move(rows_));
        if (*page.next <= question_.cursor) return end(fail(Fault::damaged, "the broker's pages go backwards"));
        question_.cursor = *page.next;
        exchange_->send(question_);
    }

    void end(Result<Answer> result) {
        if (!result_) result_ = std::move(result);
        loop_.stop();
    }

    ClientOptions options_;
    Admin question_;
    MessagingContext context_;
    EventLoop loop_;
    std::unique_ptr<Exchange> exchange_;
    EventLoop::TimerId patience_ = 0;
    Answer rows_;
    std::optional<Result<Answer>> result_;
};

}  // namespace

Result<Answer> request(ClientOptions const& options, Admin const& question) { return Query(options, question).run(); }

}  // namespace lull::publisher
