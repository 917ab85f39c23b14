#pragma once

#include <map>
#include <set>

#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/session.hpp"

namespace lull::subscriber {

// The last report of each software, until the broker has acknowledged it. Nothing is sent before it is durable.
class ReportOutbox {
public:
    using Reports = std::map<SoftwareName, Report>;

    ReportOutbox(Reports reports, Effects& effects, Session& session);

    // Takes the place of the report before it. The batch has to become durable with it; then durable() is called.
    void put(Report report, store::Batch& batch);
    void durable(SoftwareName const& software, std::uint64_t revision);
    void on(ReportAck const& message, Moment now);

    // All are sent again: in a new session, or because one of them or its acknowledgement was lost.
    void send_again();
    void send_due(Moment now);

    [[nodiscard]] Reports const& reports() const { return reports_; }
    [[nodiscard]] bool pending() const { return !reports_.empty(); }

private:
    Effects& effects_;
    Session& session_;
    Reports reports_;
    std::map<SoftwareName, std::uint64_t> durable_;  // revision of the report that is durable
    std::set<SoftwareName> due_;                     // to be sent in this session
};

}  // namespace lull::subscriber
