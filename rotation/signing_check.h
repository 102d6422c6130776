// Reads a live Postfix and OpenDKIM configuration and names what in it lets one tenant speak for another, or lets mail
// leave unsigned. One rule, one line of a table: rules() and docs are the same text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone::rotation {

enum class Severity {
  critical,  ///< one tenant can speak for another, or mail leaves unsigned
  warning,   ///< mail is lost or delayed, or a signature breaks
};
[[nodiscard]] std::string_view word(Severity severity) noexcept;  ///< "critical", "warning"

struct SigningFinding {
  Severity severity = Severity::critical;
  std::string rule;     ///< stable name, such as "milter-default-action"
  std::string place;    ///< "main.cf", "master.cf 587", "opendkim.conf"
  std::string setting;  ///< milter_default_action
  std::string value;    ///< as found, escaped
  std::string why;      ///< what it lets happen
  std::string remedy;   ///< what to write instead
  friend bool operator==(const SigningFinding&, const SigningFinding&) = default;
};

/// A service of master.cf with the main.cf parameters that it overrides.
struct PostfixService {
  std::string name;     ///< "587", "192.0.2.25:587", "cleanup-sign"
  std::string type;     ///< inet, unix
  std::string command;  ///< smtpd, cleanup, smtp
  std::map<std::string, std::string> overrides;
};
struct PostfixConfiguration {
  std::map<std::string, std::string> parameters;  ///< main.cf with Postfix's defaults, as `postconf` prints it
  std::vector<PostfixService> services;
  /// The value for one service, `$name` expanded.
  [[nodiscard]] std::string valueFor(const PostfixService& service, const std::string& parameter) const;
  [[nodiscard]] std::string value(const std::string& parameter) const;  ///< of main.cf, expanded
};
struct OpenDkimConfiguration {
  std::map<std::string, std::string> settings;  ///< by lower-case name
  std::optional<std::string> signingTable;      ///< the text of the file that SigningTable names, if it can be read
  std::optional<std::string> script;            ///< of SetupPolicyScript
};

/// Runs postconf -c, -M and -P. Errc::unavailable when there is no postconf, Errc::settings when it refuses the folder.
[[nodiscard]] Result<PostfixConfiguration> readPostfix(const std::string& folder);
/// The output of `postconf`, `postconf -M` and `postconf -P`.
[[nodiscard]] Result<PostfixConfiguration> parsePostfix(std::string_view parameters, std::string_view services,
                                                        std::string_view overrides);
/// Errc::settings when the file cannot be read or a line is no setting.
[[nodiscard]] Result<OpenDkimConfiguration> readOpenDkim(const std::string& file);
[[nodiscard]] Result<OpenDkimConfiguration> parseOpenDkim(std::string_view text);

/// Every rule, in a fixed order; none for the shipped configuration.
[[nodiscard]] std::vector<SigningFinding> checkSigning(const PostfixConfiguration& postfix,
                                                       const OpenDkimConfiguration& opendkim);

}  // namespace mailzone::rotation
