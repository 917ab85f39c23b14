#include "subscriber/agent/report_outbox.hpp"

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

ReportOutbox::ReportOutbox(Reports reports, Effects& effects, Session& session)
    : effects_(effects),
      session_(session),
      reports_(std::move(reports)) {
    for (auto const& [software, report] : reports_) durable_[software] = report.revision;
}

void ReportOutbox::put(Report report, store::Batch& batch) {
    batch.push_back(journal::put(report));
    auto const software = report.software;
    reports_.insert_or_assign(software, std::move(report));
}

void ReportOutbox::durable(SoftwareName const& software, std::uint64_t revision) {
    durable_[software] = revision;
    due_.insert(software);
}

void ReportOutbox::on(ReportAck const& message, Moment now) {
    auto const found = reports_.find(message.software);
    if (found == reports_.end() || found->second.revision != message.revision) return;
    session_.useful(now);
    reports_.erase(found);
    due_.erase(message.software);
    effects_.persist({journal::drop_report(message.software)});
}

void ReportOutbox::send_again() {
    for (auto const& [software, report] : reports_) due_.insert(software);
}

void ReportOutbox::send_due(Moment now) {
    if (due_.empty()) return;
    for (auto const& software : due_) {
        auto const found = reports_.find(software);
        bool const is_durable = found != reports_.end() && found->second.revision == durable_[software];
        if (is_durable) session_.ask(found->second, now);
    }
    due_.clear();
    session_.spoke(now);
}

}  // namespace lull::subscriber
