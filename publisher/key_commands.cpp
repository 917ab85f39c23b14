#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "publisher/commands.hpp"
#include "publisher/settings.hpp"

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
    fs::path const directory = arguments.text("keys");
    auto const curve = CurveKeyPair::generate();
    SecretIdentity const secret{arguments.text("name"), curve.secret_key, SigningKey::generate()};
    PublicIdentity const open{secret.name, PeerKey(curve.public_key), secret.signing.public_key()};
    auto const words = passphrase();
    if (auto status = secret.save(directory, words, open); !status) return status;
    return print(
        fmt::format("made keys for {} in {}{}\n"
                    "keep that directory secret; give {} to whoever runs the broker\n",
                    secret.name, directory.string(),
                    words.empty() ? " (not encrypted: LULL_PASSPHRASE is not set)"
                                  : " (signing key encrypted with LULL_PASSPHRASE)",
                    (directory / "public.key").string()));
}

}  // namespace

Command keygen_command() {
    return {.name = "keygen",
            .summary = "make your keys: one to be known by, one to sign with",
            .positional = {},
            .options = {{.name = "name",
                         .help = "what the keys are called, for people",
                         .placeholder = "NAME",
                         .fallback = default_name()}},
            .example = "lull keygen --name alice@build",
            .run = keygen};
}

}  // namespace lull::publisher
