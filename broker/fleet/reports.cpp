#include "broker/fleet/reports.hpp"

namespace lull::broker {

std::vector<ReportWanted> Reports::wanted(PeerKey const& node, std::vector<InventoryItem> const& inventory) const {
    auto wanted = parts_.node_status.differences(node, inventory);
    // What the log does not know has no row.
    std::erase_if(wanted, [&](ReportWanted const& one) { return parts_.log.newest(one.software) == nullptr; });
    if (wanted.size() > limits::inventory) wanted.resize(limits::inventory);
    return wanted;
}

void Reports::take(SessionId session, PeerKey const& node, Report const& message) {
    if (message.revision == 0 || message.seq == Seq{}) {
        return effects_.refuse(session, Refusal::invalid,
                               "the revisions of reports, and the numbers of releases, begin with 1");
    }
    if (parts_.log.newest(message.software) == nullptr) {
        // A log that was restored may not know it. There is no row to keep; without an answer the node would repeat
        // the report for ever.
        parts_.complaints.about(node, fmt::format("a report about '{}', which is not here", message.software.text()));
        return effects_.send(session, ReportAck{message.software, message.revision});
    }
    // Releases that were removed from the log, or were lost with it, are reported on like others.
    if (auto const* release = parts_.log.at(message.seq);
        release != nullptr && release->info.software != message.software) {
        return effects_.refuse(session, Refusal::invalid,
                               fmt::format("release {} is not one of {}", message.seq.value, message.software.text()));
    }
    auto report = message;
    if (report.active && parts_.log.at(*report.active) != nullptr) report.active_version.reset();  // the log has it
    if (auto const ahead = parts_.facts.clock_ahead(node)) report.since.micros -= ahead->count();
    auto& node_status = parts_.node_status;
    if (node_status.take(node, report) == NodeStatusTable::Outcome::stale) {
        // Repeated: acknowledged if it is durable; else its own batch will do so.
        if (message.revision <= node_status.durable_revision(message.software, node))
            effects_.send(session, ReportAck{message.software, message.revision});
        return;
    }
    effects_.persist(
        {node_status.change(message.software, node)},
        [this, session, node, message](Status const& status, Moment) { recorded(session, node, message, status); });
}

void Reports::recorded(SessionId session, PeerKey const& node, Report const& report, Status const& status) {
    if (!status) {
        parts_.node_status.mark_lost(report.software, node, report.revision);
        return effects_.say(LogLevel::error, fmt::format("cannot record a report: {}", status.error().message));
    }
    parts_.node_status.mark_durable(report.software, node, report.revision);
    if (auto const number = parts_.peers.number_of(node)) {
        for (auto* const observer : observers_)
            observer->reported(report.software, *number, {report.seq, report.state, report.active});
    }
    if (parts_.sessions.contains(session)) effects_.send(session, ReportAck{report.software, report.revision});
}

}  // namespace lull::broker
