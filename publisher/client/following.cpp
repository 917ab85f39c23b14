#include "publisher/client/following.hpp"

namespace lull::publisher {

namespace {

constexpr Duration between_connections = std::chrono::seconds(1);
constexpr Duration ask_again = std::chrono::seconds(20);  // also keeps the session

class Following {
public:
    Following(ClientOptions const& options, Follow const& what, FollowUntil until)
        : what_(what),
          until_(std::move(until)),
          call_(options, "interrupted; the release continues without this command",
                {[this] { ask(); }, [this] { lost(); }, [this](Message message) { arrived(std::move(message)); }}) {}

    Result<ReleaseProgress> run() {
        call_.expect_answer();
        call_.require_acceptance();
        ask_later();
        if (until_.within) call_.loop().after(*until_.within, [this] { time_is_up(); });
        if (auto status = call_.run(); !status) return pass(std::move(status.error()));
        return std::move(*last_);
    }

private:
    void ask() { call_.exchange().send(what_); }

    void ask_later() {
        call_.loop().after(ask_again, [this] {
            if (call_.ready()) ask();
            ask_later();
        });
    }

    void lost() {
        if (last_ && until_.lost) {
            until_.lost("lost the connection to the broker; the release continues, and this command connects again");
        }
        call_.connect_after(between_connections);
    }

    void time_is_up() {
        call_.give_up({Fault::failed, fmt::format("the goal was not reached within {}{}", to_text(*until_.within),
                                                  last_ ? "; " + until_.text(*last_) : "")});
    }

    void arrived(Message message) {
        if (auto const* const refused = std::get_if<Refused>(&message)) {
            return refused->reason == Refusal::no_session ? ask() : call_.give_up(*refused);
        }
        auto* const progress = std::get_if<ReleaseProgress>(&message);
        if (progress == nullptr) return;
        what_.version = progress->version;  // stays with this release when a newer one is published
        last_ = std::move(*progress);
        call_.answered();
        if (auto const done = until_.seen(*last_)) return *done ? call_.end() : call_.give_up(done->error());
    }

    Follow what_;
    FollowUntil until_;
    std::optional<ReleaseProgress> last_;
    BrokerCall call_;
};

}  // namespace

Result<ReleaseProgress> follow(ClientOptions const& options, Follow const& what, FollowUntil until) {
    return Following(options, what, std::move(until)).run();
}

}  // namespace lull::publisher
