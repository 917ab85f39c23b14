#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "publisher/cli/commands.hpp"
#include "publisher/cli/key_settings.hpp"

namespace lull::publisher {

namespace {

// "user@host" with what a name cannot hold replaced.
std::string default_name() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
    passwd const* const user = getpwuid(getuid());
    auto name = fmt::format("{}@{}", user == nullptr ? "user" : user->pw_name, host.data()).substr(0, 64);
    auto const fits = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("._-@").find(c) != std::string_view::npos;
    };
    std::replace_if(
        name.begin(), name.end(), [&](char c) { return !fits(c); }, '-');
    if (std::isalnum(static_cast<unsigned char>(name.front())) == 0) name.front() = 'x';
    return name;
}

Status keygen(Arguments const& arguments) {
    auto const settings = keygen_settings(arguments);
    auto const& directory = settings.connection.keys;
    auto const curve = CurveKeyPair::generate();
    SecretIdentity const secret{settings.name, curve.secret_key, SigningKey::generate()};
    PublicIdentity const open{secret.name, PeerKey(curve.public_key), secret.signing.public_key()};
    auto const words = passphrase();
    if (auto status = secret.save(directory, words, open); !status) return status;
    return print(
        fmt::format("made keys for {} in {}{}\n"
                    "keep that directory secret; give {} to the operator of the broker\n",
                    secret.name, directory.string(),
                    words.empty() ? " (not encrypted: LULL_PASSPHRASE is not set)"
                                  : " (signing key encrypted with LULL_PASSPHRASE)",
                    (directory / "public.key").string()));
}

}  // namespace

Command keygen_command() {
    return {.name = "keygen",
            .summary = "make your keys: one for connections, one for signatures",
            .positional = {},
            .options = {{.name = "name",
                         .help = "name of the keys in lists and logs",
                         .placeholder = "NAME",
                         .fallback = default_name()}},
            .example = "lull keygen --name alice@build",
            .run = keygen};
}

}  // namespace lull::publisher
