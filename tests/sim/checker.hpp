#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "broker/broker.hpp"
#include "subscriber/model/actions.hpp"
#include "tests/sim/hook_checker.hpp"
#include "tests/sim/library.hpp"
#include "tests/sim/node_disk.hpp"
#include "tests/sim/order_checker.hpp"
#include "tests/sim/tables.hpp"

namespace lull::sim {

// Holds every run against what must always be true, whatever fails. The first violation is kept.
class Checker {
public:
    Checker(World& world, Library const& library)
        : world_(world),
          library_(library),
          orders_(world, library, [this](std::string text) { set(std::move(text)); }),
          hooks_(library, [this](std::string text) { set(std::move(text)); }) {}

    [[nodiscard]] OrderChecker& orders() { return orders_; }
    [[nodiscard]] HookChecker& hooks() { return hooks_; }

    [[nodiscard]] std::optional<std::string> const& violation() const { return violation_; }
    template <class... Args>
    void violated(fmt::format_string<Args...> text, Args&&... args) {
        set(fmt::format(text, std::forward<Args>(args)...));
    }

    // ---- the broker ----
    void committed(Committed const& message, UpdateInfo const& info);
    void noted(PeerKey const& node, ReportAck const& message);
    // An operator was answered that this node is removed.
    void removed(NodeName const& node);
    // Something is sent to this peer.
    void served(PeerKey const& peer, Message const& message);
    void broker_wrote(Tables const& before, store::Batch const& batch, broker::NodeStatusTable const& told);
    // Also after every restart: all that was ever acknowledged is there.
    void broker_has(broker::BrokerState const& state);
    // The broker was restored from an older copy: what came after it is lost there, and only there. Of a copy that
    // bears no mark the broker learns so from its nodes: until then it may give numbers twice (DECISIONS.md, 10).
    enum class Numbers { once, maybe_twice };
    void broker_restored(Tables const& copy, Numbers numbers);

    // ---- a node, by its name ----
    void node_wrote(std::string const& node, NodeDisk const& disk);
    void node_starts(std::string const& node, NodeDisk const& disk);
    // The node is put back to an older copy of itself: what it had beyond that, and said, is as if it had not been.
    void node_put_back(std::string const& node);
    void reported(std::string const& node, NodeDisk const& disk, Report const& report);
    void asked(std::string const& node, NodeDisk const& disk, Fetch const& fetch);
    void finished(std::string const& node, NodeDisk const& disk, Digest const& object);
    void staged(std::string const& node, NodeDisk const& disk, subscriber::Materials const& order);
    // `current` goes from a release to one before it.
    void goes_back(std::string const& node, NodeDisk const& disk, ReleaseId const& from, ReleaseId const& to);
    void switches(std::string const& node, NodeDisk const& disk, ReleaseId const& release, std::size_t holders);
    void removes(std::string const& node, NodeDisk const& disk, subscriber::RemoveVersions const& order);
    void makes_room(std::string const& node, NodeDisk const& disk, subscriber::MakeRoom const& order);
    void told(std::string const& node, std::uint64_t pid, ReleaseId const& ready);
    void lock_held(std::string const& node, Duration time);
    void decided(std::string const& node, std::optional<TimePoint> wake);

    [[nodiscard]] std::uint64_t told_count(std::string const& node, std::uint64_t pid, Seq ready) const;
    [[nodiscard]] std::uint64_t fetches_of(std::string const& node, Digest const& object) const;

private:
    // What was durable on a node when it was looked at last.
    struct Durable {
        subscriber::Cursor cursor;
        std::map<SoftwareName, std::pair<Seq, std::uint64_t>> software;  // release and revision
    };
    struct Rate {
        std::int64_t second = 0;
        std::uint64_t events = 0;
    };
    void set(std::string text);
    void broker_forgets(store::Change const& change, Tables const& before, broker::NodeStatusTable const& told);
    void register_changes(store::Change const& change);
    void write_of_removed(store::Change const& change);

    World& world_;
    Library const& library_;
    OrderChecker orders_;
    HookChecker hooks_;
    std::optional<std::string> violation_;
    std::map<Seq, std::pair<Committed, UpdateInfo>> committed_;
    std::map<std::pair<SoftwareName, PeerKey>, std::uint64_t> noted_;
    std::map<PeerKey, std::string> enrolled_;  // nodes, durably
    std::set<PeerKey> removed_nodes_;          // durably
    std::map<std::pair<std::string, SoftwareName>, std::map<std::uint64_t, Report>> reports_;
    std::map<std::tuple<std::string, std::uint64_t, Seq>, std::uint64_t> told_;
    std::map<std::pair<std::string, Digest>, std::uint64_t> fetched_;
    std::map<std::string, Rate> rates_;
    std::map<std::string, Durable> durable_;
    std::map<SoftwareName, std::set<Seq>> log_;
    std::set<Seq> removed_;  // from the log
    std::set<Seq> lost_;     // with a log that was restored from an older copy
    Numbers numbers_ = Numbers::once;
    std::map<std::pair<std::string, SoftwareName>, Seq> activated_;  // the highest that was reported
};

}  // namespace lull::sim
