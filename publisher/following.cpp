#include <csignal>
#include <optional>

#include "publisher/client.hpp"

// FOLLOW and PROGRESS: the broker says how far a release is, as long as somebody listens.

namespace lull::publisher {

namespace {

constexpr Duration between_tries = std::chrono::seconds(1);
constexpr Duration until_accepted = std::chrono::seconds(4);  // at first
constexpr Duration ask_again = std::chrono::seconds(20);      // also keeps the session

class Following {
public:
    Following(ClientOptions const& options, Follow const& what, FollowUntil until) : options_(options), what_(what), until_(std::move(until)) {
        loop_.on_signal({SIGINT, SIGTERM}, [this](int) { end(fail(Fault::failed, "interrupted; the release goes its way all the same")); });
    }

    Result<ReleaseProgress> run() {
        connect();
        ask();
        loop_.after(until_accepted, [this] {
            if (auto const why = exchange_->link().why_not(options_.broker); !why.empty() && !last_) end(fail(Fault::unreachable, "{}", why));
        });
        loop_.after(options_.patience, [this] {
            if (!last_) end(fail(Fault::unreachable, "the broker at {} does not answer for {}; try again, and look at its log if that does not help",
                                 exchange_host(options_.broker), to_text(options_.patience)));
        });
        if (until_.within) {
            loop_.after(*until_.within, [this] {
                end(fail(Fault::failed, "this has not come to an end within {}{}", to_text(*until_.within), last_ ? "; " + until_.text(*last_) : ""));
            });
        }
        if (!result_) loop_.run();
        exchange_.reset();
        LULL_INVARIANT(result_.has_value());
        return std::move(*result_);
    }

private:
    void connect() {
        exchange_ = std::make_unique<Exchange>(loop_, context_, options_.broker, options_.own,
                                               Exchange::Handlers{[this] { exchange_->send(what_); },
                                                                  [this] { lost(); },
                                                                  [this](Result<Message> message) { arrived(std::move(message)); }, [] {}});
        if (auto status = exchange_->open(); !status) end(pass(status.error()));
    }

    void lost() {
        if (last_ && until_.lost) until_.lost("the connection to the broker ended; the release goes its way, and this tries again");
        loop_.after(between_tries, [this] { connect(); });
    }

    void ask() {
        loop_.after(ask_again, [this] {
            if (exchange_->link().ready()) exchange_->send(what_);
            ask();
        });
    }

    void arrived(Result<Message> message) {
        if (result_) return;
        if (!message) return end(fail(message.error().fault, "{} sent {}", exchange_host(options_.broker), message.error().message));
        if (auto const* const refused = std::get_if<Refused>(&*message)) {
            if (refused->reason == Refusal::no_session) return exchange_->send(what_);  // the broker was started anew
            return end(fail(Fault::refused, "the broker refuses: {}", refused->text));
        }
        if (auto const* const ping = std::get_if<Ping>(&*message)) return exchange_->send(Pong{ping->nonce});
        auto* const progress = std::get_if<ReleaseProgress>(&*message);
        if (progress == nullptr) return;
        what_.version = progress->version;  // whatever is published meanwhile
        last_ = std::move(*progress);
        if (auto const done = until_.seen(*last_)) end(*done ? Result<ReleaseProgress>(*last_) : pass(done->error()));
    }

    void end(Result<ReleaseProgress> result) {
        if (!result_) result_ = std::move(result);
        loop_.stop();
    }

    ClientOptions options_;
    Follow what_;
    FollowUntil until_;
    MessagingContext context_;
    EventLoop loop_;
    std::unique_ptr<Exchange> exchange_;
    std::optional<ReleaseProgress> last_;
    std::optional<Result<ReleaseProgress>> result_;
};

}  // namespace

Result<ReleaseProgress> follow(ClientOptions const& options, Follow const& what, FollowUntil until) {
    return Following(options, what, std::move(until)).run();
}

}  // namespace lull::publisher
