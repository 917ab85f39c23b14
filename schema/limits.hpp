#pragma once

#include <cstdint>

#include "core/units.hpp"

// Every bound on what the network or a file may make us believe. A value from outside is compared with these first.

namespace lull::limits {

inline constexpr Bytes control_message = MiB(1);    // body of any message but the two below
inline constexpr Bytes manifest_payload = MiB(32);  // plain bytes of a manifest (about 250,000 files)
inline constexpr Bytes envelope = MiB(33);          // manifest with its signatures
inline constexpr Bytes update_info = KiB(64);
inline constexpr Bytes data_frame = MiB(1);  // payload of one DATA or PUT
inline constexpr Bytes segment = MiB(16);    // plain bytes of one segment
inline constexpr Bytes delta_base = MiB(
    20);                                // old bytes that one delta refers to: what a node holds in memory beside it
inline constexpr Bytes patch = MiB(8);  // plain bytes of a patch
inline constexpr Bytes stored_object = MiB(34);  // stored bytes of one object
inline constexpr std::uint32_t nesting = 12;     // depth of a MessagePack body
inline constexpr std::uint32_t text = 4096;      // bytes of any text that has no bound of its own

inline constexpr std::size_t files_per_manifest = 1'000'000;
inline constexpr std::size_t segments_per_manifest = 262'144;
inline constexpr std::size_t elements_per_patch = 1'000'000;  // of MessagePack; reading takes 24 bytes for each
inline constexpr std::size_t path_bytes = 1024;               // a path in a manifest
inline constexpr std::size_t path_component = 255;
inline constexpr std::size_t allowed_links = 64;
inline constexpr std::size_t path_patterns = 64;
inline constexpr std::size_t path_pattern_bytes = 256;
inline constexpr std::size_t start_words = 64;  // program and arguments of Manifest::start
inline constexpr std::size_t units_per_release = 16;
inline constexpr std::size_t hooks_per_release = 8;
inline constexpr std::size_t unit_bytes = 128;  // name of a systemd service
inline constexpr std::uint64_t health_seconds = 3600;
inline constexpr std::uint64_t health_tries = 100;
inline constexpr std::uint64_t grace_seconds = 24 * 3600;
inline constexpr std::uint64_t deadline_seconds = 366 * 24 * 3600;
inline constexpr std::size_t rollout_stages = 32;
inline constexpr std::size_t order_text = 256;  // bytes of a name or a reason in an order
inline constexpr std::size_t orders_per_set = 4096;
inline constexpr Bytes order_set = KiB(512);             // encoded
inline constexpr std::size_t failures_per_progress = 5;  // nodes that are named
inline constexpr std::size_t builds_per_release = 32;
inline constexpr std::size_t signatures = 16;
inline constexpr std::size_t objects_per_message = 1024;  // FETCH, NEED
inline constexpr std::size_t objects_per_session = 4096;  // waiting FETCH items
inline constexpr std::size_t log_entries_per_message = 128;
inline constexpr std::size_t rows_per_answer = 500;
inline constexpr std::size_t holders_per_report = 16;
inline constexpr std::size_t inventory = 4096;   // software in a HELLO, and in a WELCOME
inline constexpr std::size_t machine_text = 64;  // bytes
inline constexpr std::size_t nodes_per_removal = 1000;
inline constexpr std::size_t notes_per_node = 16;

inline constexpr std::size_t callable_per_release = 64;
inline constexpr std::size_t call_arguments = 256;
inline constexpr Bytes call_argument_bytes = KiB(64);  // of all arguments of a call
inline constexpr std::uint64_t call_seconds = 7 * 24 * 3600;
inline constexpr Bytes call_frame = KiB(64);    // payload of one CALL-DATA
inline constexpr Bytes call_window = KiB(256);  // bytes on the way in one stream of a call
inline constexpr std::size_t served_software = 256;
inline constexpr std::uint64_t call_slots = 1024;  // calls at once on one executor

}  // namespace lull::limits
