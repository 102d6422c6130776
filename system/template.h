// Fills the placeholders of shipped configuration files (snippets of Postfix, OpenDKIM, Dovecot, PowerDNS ...).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace mailzone {

/// `@NAME@` -> value; NAME is [A-Z][A-Z0-9_]*. What each file wants stands in the README beside it.
using TemplateValues = std::map<std::string, std::string>;

/// `text` with every placeholder replaced once (values are not looked at again). A placeholder without a value is
/// Errc::notFound and names it: a daemon must never start with "@DATABASE@" in its configuration. A value with a line
/// break is Errc::invalidInput: it could add a setting. Values that no placeholder asks for are no error.
[[nodiscard]] Result<std::string> fillTemplate(std::string_view text, const TemplateValues& values);

/// The placeholders of `text`, sorted, each once.
[[nodiscard]] std::vector<std::string> placeholdersOf(std::string_view text);

}  // namespace mailzone
