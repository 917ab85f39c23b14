#pragma once

#include "publisher/client/broker_call.hpp"

namespace lull::publisher {

// Sends ADMIN, and sends it again for each further page; the answer has the rows of all pages. Fault::unreachable tells
// an address where no broker listens from a broker that does not accept the key; Fault::refused carries the broker's
// reason.
[[nodiscard]] Result<Answer> request(ClientOptions const& options, Admin const& question);

// The releases of a software by their numbers; none if the broker has none, or none that this publisher may list.
[[nodiscard]] Result<std::vector<ReleaseRow>> list_releases(ClientOptions const& options, SoftwareName const& software);

// The update-info of a release that list_releases or a list of one software named. The broker has checked who signed
// it. Fault::damaged if it is none, or one of another release.
[[nodiscard]] Result<UpdateInfo> update_info_in(ReleaseRow const& row);

}  // namespace lull::publisher
