#include "subscriber/journal/journal.hpp"

namespace lull::subscriber::journal {

namespace {

constexpr std::string_view cursor_key = "cursor";
constexpr std::string_view boot_key = "boot";
constexpr std::string_view orders_key = "orders";
constexpr std::string_view own_orders_key = "own orders";

Buffer key_of_name(SoftwareName const& name) { return to_buffer(as_view(name.text())); }

tl::unexpected<Error> damaged(char const* table, Error const& error) {
    return fail(Fault::damaged,
                "the journal's table '{}': {}; move .lull/journal away and start again: what is installed stays", table,
                error.message);
}

// Decodes each value of a table and hands it over with its key.
template <class Record, class Take>
Status load_table(store::Environment const& environment, char const* table, Take take) {
    Status status;
    auto const scanned = environment.scan(table, {}, [&](View key, View value) {
        auto record = decode<Record>(value, limits::control_message);
        status = record ? take(key, std::move(*record)) : Status(pass(std::move(record.error())));
        return status.has_value();
    });
    if (!scanned) return scanned;
    if (!status) return damaged(table, status.error());
    return {};
}

}  // namespace

store::Change put(Cursor const& cursor) { return {meta, to_buffer(as_view(cursor_key)), encode(cursor)}; }

store::Change put(SoftwareName const& name, SoftwareRecord const& record) {
    return {software, key_of_name(name), encode(record)};
}

store::Change put(Report const& report) { return {outbox, key_of_name(report.software), encode(report)}; }

store::Change put(ObjectRecord const& record) {
    return {objects, to_buffer(record.shape.object.view()), encode(record)};
}

store::Change put(SoftwareName const& name, ScanRecord const& record) {
    return {scans, key_of_name(name), encode(record)};
}

store::Change put_orders(OrderSet const& orders) { return {meta, to_buffer(as_view(orders_key)), encode(orders)}; }

store::Change put_own_orders(OrderSet const& orders) {
    return {meta, to_buffer(as_view(own_orders_key)), encode(orders)};
}

store::Change put_boot(std::string_view id) { return {meta, to_buffer(as_view(boot_key)), to_buffer(as_view(id))}; }

store::Change drop_report(SoftwareName const& name) { return {outbox, key_of_name(name), std::nullopt}; }

store::Change drop_object(Digest const& object) { return {objects, to_buffer(object.view()), std::nullopt}; }

// One value of the table `meta`; as it was if there is none.
template <class Value>
Status load_meta(store::Environment const& environment, std::string_view key, Value& into) {
    auto const bytes = environment.get(meta, as_view(key));
    if (!bytes) return pass(bytes.error());
    if (!*bytes) return {};
    auto decoded = decode<Value>(**bytes, limits::control_message);
    if (!decoded) return damaged(meta, decoded.error());
    into = std::move(*decoded);
    return {};
}

Result<JournalState> load(store::Environment const& environment) {
    JournalState state;
    if (auto loaded = load_meta(environment, cursor_key, state.cursor); !loaded) return pass(loaded.error());
    if (auto loaded = load_meta(environment, orders_key, state.orders); !loaded) return pass(loaded.error());
    if (auto loaded = load_meta(environment, own_orders_key, state.own_orders); !loaded) return pass(loaded.error());
    auto const boot = environment.get(meta, as_view(boot_key));
    if (!boot) return pass(boot.error());
    if (*boot) state.boot = as_text(**boot);
    auto by_software = load_table<SoftwareRecord>(environment, software,
                                                  [&](View key, SoftwareRecord record) -> Status {
                                                      auto name = SoftwareName::parse(as_text(key));
                                                      if (!name) return pass(std::move(name.error()));
                                                      state.software.emplace(std::move(*name), std::move(record));
                                                      return {};
                                                  });
    if (!by_software) return pass(std::move(by_software.error()));
    auto reports = load_table<Report>(environment, outbox, [&](View, Report report) -> Status {
        auto const name = report.software;
        state.outbox.emplace(name, std::move(report));
        return {};
    });
    if (!reports) return pass(std::move(reports.error()));
    auto stored = load_table<ObjectRecord>(environment, objects, [&](View, ObjectRecord record) -> Status {
        state.objects.emplace(record.shape.object, record);
        return {};
    });
    if (!stored) return pass(std::move(stored.error()));
    auto looked = load_table<ScanRecord>(environment, scans, [&](View key, ScanRecord record) -> Status {
        auto name = SoftwareName::parse(as_text(key));
        if (!name) return pass(std::move(name.error()));
        state.scans.emplace(std::move(*name), std::move(record));
        return {};
    });
    if (!looked) return pass(std::move(looked.error()));
    return state;
}

Result<store::Environment> open(Layout const& layout, Access access) {
    store::EnvironmentOptions options;
    options.directory = layout.journal();
    options.tables = {software, outbox, objects, scans};
    options.first_map = MiB(1);
    options.largest_map = GiB(4);
    options.read_only = access == Access::look;
    return store::Environment::open(std::move(options));
}

}  // namespace lull::subscriber::journal
