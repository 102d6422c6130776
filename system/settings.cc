#include "system/settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "core/dns_name.h"
#include "core/ip_address.h"

// Costly to compile: in this file alone.
#include <toml++/toml.h>

namespace mailzone {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxPasswordBytes = 4096;
constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::size_t kMaxServers = 16;
constexpr std::string_view kDefaultPath = "/etc/mailzone/mailzone.toml";
constexpr std::string_view kCredentialPrefix = "credential:";

/// What a value must be besides its type.
enum class Rule {
  word,          ///< one of the words in `range`
  path,          ///< an absolute path
  optionalPath,  ///< an absolute path or ""
  socketPath,    ///< an absolute path that fits in sockaddr_un
  optionalSocketPath,
  passwordPath,  ///< an absolute path, "credential:NAME" or ""
  host,          ///< a host name, an address or ""
  account,       ///< a database account, a system group: letters, digits, "_", "-", "."
  optionalAccount,
  number,   ///< within min and max
  flag,     ///< true or false
  servers,  ///< a list of ADDRESS or ADDRESS@PORT
};

using Place = std::variant<std::string& (*)(Settings&), std::int64_t& (*)(Settings&), bool& (*)(Settings&),
                           std::vector<std::string>& (*)(Settings&)>;

/// One row of the table: all that is known of a setting.
struct Setting {
  std::string_view key;
  Rule rule;
  std::string_view fallback;  ///< the default, as the file would say it
  std::int64_t min, max;      ///< of a number
  std::string_view words;     ///< of a word, separated by blanks
  std::string_view help;
  bool secret;  ///< names a file that only its role may read
  Place place;
};

#define MAILZONE_AT(member)    \
  +[](Settings & s) -> auto& { \
    return s.member;           \
  }
#define MAILZONE_ROLE(role, who)                                                                                     \
  Setting{"database.roles." #role ".user",                                                                           \
          Rule::account,                                                                                             \
          "mailzone_" #role,                                                                                         \
          0,                                                                                                         \
          0,                                                                                                         \
          "",                                                                                                        \
          "MySQL: the account of " who ".",                                                                          \
          false,                                                                                                     \
          MAILZONE_AT(database.role.user)},                                                                          \
      Setting {                                                                                                      \
    "database.roles." #role ".password_file", Rule::passwordPath, "", 0, 0, "",                                      \
        "MySQL: the file that holds this account's password and nothing else; readable by its role alone. "          \
        "`credential:NAME` is a credential of systemd. Empty: no password (an account that the server knows by its " \
        "unix user).",                                                                                               \
        true, MAILZONE_AT(database.role.passwordFile)                                                                \
  }

const std::array kSettings = {
    Setting{"database.engine", Rule::word, "sqlite", 0, 0, "sqlite mysql",
            "The tenant database: SQLite within this machine, or a MariaDB or MySQL server.", false,
            MAILZONE_AT(database.engine)},
    Setting{"database.path", Rule::path, "/var/lib/mailzone/mailzone.db", 0, 0, "",
            "SQLite: the file of everything that is public.", false, MAILZONE_AT(database.path)},
    Setting{"database.secrets_path", Rule::optionalPath, "", 0, 0, "",
            "SQLite: the file of the private keys, mode 0600, of the user of `mailzone-rotate`. Its folder must be "
            "closed to the user of `mailzone-backend`. Empty: this program has no business with keys.",
            true, MAILZONE_AT(database.secretsPath)},
    Setting{"database.host", Rule::host, "", 0, 0, "",
            "MySQL: name or address of the server. Either this or `database.unix_socket`.", false,
            MAILZONE_AT(database.host)},
    Setting{"database.port", Rule::number, "3306", 1, 65535, "", "MySQL: port of the server.", false,
            MAILZONE_AT(database.port)},
    Setting{"database.unix_socket", Rule::optionalSocketPath, "", 0, 0, "",
            "MySQL: socket of a server on this machine. Either this or `database.host`.", false,
            MAILZONE_AT(database.unixSocket)},
    Setting{"database.name", Rule::account, "mailzone", 0, 0, "", "MySQL: name of the database.", false,
            MAILZONE_AT(database.name)},
    Setting{"database.tls_required", Rule::flag, "true", 0, 0, "",
            "MySQL over `database.host`: refuse a server without TLS, and one whose certificate is not trusted or has "
            "another name.",
            false, MAILZONE_AT(database.tlsRequired)},
    Setting{"database.tls_ca", Rule::optionalPath, "", 0, 0, "",
            "MySQL: PEM file of the authorities that may sign the server's certificate. Empty: the system's.", false,
            MAILZONE_AT(database.tlsCa)},
    MAILZONE_ROLE(admin, "`mailzone`"),
    MAILZONE_ROLE(dns, "`mailzone-backend`"),
    MAILZONE_ROLE(keys, "`mailzone-rotate`"),
    MAILZONE_ROLE(sign, "OpenDKIM"),
    MAILZONE_ROLE(mta, "Postfix and Dovecot"),
    MAILZONE_ROLE(app, "the platform's own application"),
    Setting{"backend.socket", Rule::socketPath, "/run/mailzone/backend.sock", 0, 0, "",
            "The unix socket that PowerDNS connects to.", false, MAILZONE_AT(backend.socket)},
    Setting{"backend.socket_group", Rule::optionalAccount, "pdns", 0, 0, "",
            "The system group that may connect. Empty: the backend's own user and nobody else.", false,
            MAILZONE_AT(backend.socketGroup)},
    Setting{"backend.replica_path", Rule::path, "/var/lib/mailzone-dns/replica", 0, 0, "",
            "Folder of the backend's own copy of all records (LMDB). It may be deleted: it is filled again.", false,
            MAILZONE_AT(backend.replicaPath)},
    Setting{"backend.poll_ms", Rule::number, "200", 10, 60000, "",
            "How often the backend looks for changes, in milliseconds.", false, MAILZONE_AT(backend.pollMs)},
    Setting{"rotation.spare_keys", Rule::number, "16", 2, 100000, "",
            "How many DKIM keys are made ahead. One takes 0.2 s of a core; a new domain takes two.", false,
            MAILZONE_AT(rotation.spareKeys)},
    Setting{"rotation.poll_ms", Rule::number, "500", 10, 60000, "",
            "How often `mailzone-rotate` looks for work, in milliseconds.", false, MAILZONE_AT(rotation.pollMs)},
    Setting{"rotation.export_path", Rule::optionalPath, "", 0, 0, "",
            "Folder of key files for OpenDKIM. Empty: none are written (OpenDKIM reads the view of MySQL).", false,
            MAILZONE_AT(rotation.exportPath)},
    Setting{"rotation.export_group", Rule::optionalAccount, "", 0, 0, "",
            "The system group that reads the export: OpenDKIM's. `mailzone-rotate` has to be in it. Empty: its own "
            "group.",
            false, MAILZONE_AT(rotation.exportGroup)},
    Setting{"rotation.export_keys", Rule::flag, "true", 0, 0, "",
            "Whether key files are exported. False: only `authors/`, which OpenDKIM's script needs besides a view of "
            "MySQL that it reads live.",
            false, MAILZONE_AT(rotation.exportKeys)},
    Setting{"rotation.opendkim_pid_file", Rule::optionalPath, "", 0, 0, "",
            "PidFile of the OpenDKIM that is told (SIGUSR1) to read a new export. Empty: nobody is told.", false,
            MAILZONE_AT(rotation.opendkimPidFile)},
    Setting{"resolver.servers", Rule::servers, "[]", 0, 0, "",
            "Resolvers to ask: `ADDRESS` or `ADDRESS@PORT`, at most 16. Empty: those of /etc/resolv.conf.", false,
            MAILZONE_AT(resolver.servers)},
    Setting{"resolver.trust_anchor_file", Rule::optionalPath, "", 0, 0, "",
            "DNSSEC trust anchors, in the form of a zone file. Empty: answers are not validated here.", false,
            MAILZONE_AT(resolver.trustAnchorFile)},
    Setting{"resolver.timeout_ms", Rule::number, "5000", 100, 60000, "",
            "Longest wait for an answer, in milliseconds. After it the answer is \"cannot tell\", never \"no\".", false,
            MAILZONE_AT(resolver.timeoutMs)},
    Setting{"log.level", Rule::word, "info", 0, 0, "trace debug info warn error",
            "The least level of the lines on standard error.", false, MAILZONE_AT(log.level)},
};
#undef MAILZONE_ROLE
#undef MAILZONE_AT

/// The file that is being read, for messages.
struct Where {
  std::string file;
  [[nodiscard]] tl::unexpected<Error> refuse(std::uint32_t line, std::string_view what, std::string rule,
                                             std::string remedy) const {
    return fail(Errc::settings, fmt::format("{}:{}: {}", file, line, what), std::move(rule), std::move(remedy));
  }
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  return fmt::format("{}", fmt::join(parts, between));
}

bool isAccount(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool isHost(std::string_view text) {
  if (IpAddress::parse(text)) return true;
  const auto name = DnsName::parse(text);
  return name && name->isHostName();
}

bool isServer(std::string_view text) {
  const std::size_t at = text.find('@');
  if (!IpAddress::parse(text.substr(0, at))) return false;
  if (at == std::string_view::npos) return true;
  const std::string_view port = text.substr(at + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const int number = std::stoi(std::string(port));
  return number >= 1 && number <= 65535;
}

/// The rule of a text and its remedy, or nothing when `value` obeys.
using Broken = std::optional<std::pair<std::string, std::string>>;

Broken brokenPath(std::string_view value) {
  if (value.front() != '/') return {{"not an absolute path", "begin it with /"}};
  return {};
}

Broken brokenText(const Setting& setting, const std::string& value) {
  if (value.size() > kMaxTextBytes) {
    return {{fmt::format("longer than {} octets", kMaxTextBytes), "shorten it"}};
  }
  if (std::any_of(value.begin(), value.end(), [](char c) { return c == '\0' || c == '\n' || c == '\r'; })) {
    return {{"holds a line break or a zero octet", "write it on one line"}};
  }
  const bool optional = setting.rule == Rule::optionalPath || setting.rule == Rule::optionalSocketPath ||
                        setting.rule == Rule::passwordPath || setting.rule == Rule::host ||
                        setting.rule == Rule::optionalAccount;
  if (value.empty()) {
    if (optional) return {};
    return {{"must not be empty", fmt::format("leave the line out for the default, {}", setting.fallback)}};
  }
  switch (setting.rule) {
    case Rule::word: {
      const auto words = split(setting.words, ' ');
      if (std::find(words.begin(), words.end(), value) != words.end()) return {};
      return {{"not one of its words", "write one of " + joined(words, ", ")}};
    }
    case Rule::path:
    case Rule::optionalPath:
      return brokenPath(value);
    case Rule::socketPath:
    case Rule::optionalSocketPath:
      if (value.size() >= sizeof(sockaddr_un::sun_path)) {
        return {{fmt::format("longer than the {} octets of a unix socket's path", sizeof(sockaddr_un::sun_path) - 1),
                 "choose a shorter folder"}};
      }
      return brokenPath(value);
    case Rule::passwordPath:
      if (value.rfind(kCredentialPrefix, 0) == 0) {
        if (isAccount(std::string_view(value).substr(kCredentialPrefix.size()))) return {};
        return {{"not the name of a credential", "write credential:NAME with letters, digits, _, - and ."}};
      }
      return brokenPath(value);
    case Rule::host:
      if (isHost(value)) return {};
      return {{"neither a host name nor an address", "write a name like db1.example or an address"}};
    case Rule::account:
    case Rule::optionalAccount:
      if (isAccount(value)) return {};
      return {{"not a name of 1 to 64 letters, digits, _, - and .", "correct the name"}};
    case Rule::number:
    case Rule::flag:
    case Rule::servers:
      break;
  }
  return {};
}

std::string_view typeName(const Setting& setting) {
  switch (setting.rule) {
    case Rule::number:
      return "a whole number";
    case Rule::flag:
      return "true or false";
    case Rule::servers:
      return "a list of texts";
    default:
      return "a text";
  }
}

std::string exampleOf(const Setting& setting) {
  switch (setting.rule) {
    case Rule::number:
    case Rule::flag:
      return fmt::format("{} = {}", setting.key.substr(setting.key.rfind('.') + 1), setting.fallback);
    case Rule::servers:
      return R"(servers = ["192.0.2.54", "2001:db8::54@5353"])";
    default:
      return fmt::format(R"({} = "{}")", setting.key.substr(setting.key.rfind('.') + 1), setting.fallback);
  }
}

Result<void> takeServers(const Setting& setting, const toml::array& list, const Where& where,
                         std::vector<std::string>& servers) {
  const std::uint32_t line = list.source().begin.line;
  if (list.size() > kMaxServers) {
    return where.refuse(line, fmt::format("{} with {} entries", setting.key, list.size()),
                        fmt::format("at most {} entries", kMaxServers), "keep the nearest ones");
  }
  servers.clear();
  for (const toml::node& entry : list) {
    const auto text = entry.value_exact<std::string>();
    if (!text || !isServer(*text)) {
      return where.refuse(entry.source().begin.line, fmt::format("{} = {}", setting.key, text.value_or("no text")),
                          "not an address with an optional port",
                          "write ADDRESS or ADDRESS@PORT, as in " + exampleOf(setting));
    }
    servers.push_back(*text);
  }
  return {};
}

/// Puts one value of the file into its place.
Result<void> take(const Setting& setting, const toml::node& node, const Where& where, Settings& settings) {
  const std::uint32_t line = node.source().begin.line;
  const auto wrongType = [&] {
    return where.refuse(line, setting.key, fmt::format("must be {}", typeName(setting)),
                        "write it like " + exampleOf(setting));
  };
  if (const auto* text = std::get_if<0>(&setting.place)) {
    const auto value = node.value_exact<std::string>();
    if (!value) return wrongType();
    if (const Broken broken = brokenText(setting, *value)) {
      return where.refuse(line, fmt::format("{} = {}", setting.key, *value), broken->first, broken->second);
    }
    (*text)(settings) = *value;
  } else if (const auto* number = std::get_if<1>(&setting.place)) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value) return wrongType();
    if (*value < setting.min || *value > setting.max) {
      return where.refuse(line, fmt::format("{} = {}", setting.key, *value),
                          fmt::format("not within {} and {}", setting.min, setting.max),
                          fmt::format("the default is {}", setting.fallback));
    }
    (*number)(settings) = *value;
  } else if (const auto* flag = std::get_if<2>(&setting.place)) {
    const auto value = node.value_exact<bool>();
    if (!value) return wrongType();
    (*flag)(settings) = *value;
  } else if (const auto* list = std::get_if<3>(&setting.place)) {
    if (!node.is_array()) return wrongType();
    return takeServers(setting, *node.as_array(), where, (*list)(settings));
  }
  return {};
}

/// Edits between two keys, to name the one that was probably meant.
std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string remedyForUnknown(std::string_view key) {
  const Setting* nearest = nullptr;
  std::size_t least = 4;  // further away is another word, not a slip
  for (const Setting& setting : kSettings) {
    const std::size_t distance = editDistance(key, setting.key);
    if (distance < least) {
      least = distance;
      nearest = &setting;
    }
  }
  if (nearest != nullptr) return fmt::format("did you mean {}?", nearest->key);
  return "see --help-settings for all keys";
}

bool isSection(std::string_view key) {
  return std::any_of(kSettings.begin(), kSettings.end(), [&](const Setting& setting) {
    return setting.key.size() > key.size() && setting.key.substr(0, key.size()) == key &&
           setting.key[key.size()] == '.';
  });
}

Result<void> readTable(const toml::table& table, const std::string& prefix, const Where& where, Settings& settings) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const auto* setting =
        std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& each) { return each.key == key; });
    if (setting != kSettings.end()) {
      if (auto taken = take(*setting, node, where, settings); !taken) return taken;
    } else if (isSection(key)) {
      if (!node.is_table()) {
        return where.refuse(node.source().begin.line, key, "is a section",
                            fmt::format("write [{}] above its keys", key));
      }
      if (auto read = readTable(*node.as_table(), key + ".", where, settings); !read) return read;
    } else {
      return where.refuse(name.source().begin.line, key, "no such setting", remedyForUnknown(key));
    }
  }
  return {};
}

/// The defaults go through the same checks as the file, so that a default that breaks its rule is found by any test.
Result<Settings> defaults() {
  Settings settings;
  for (const Setting& setting : kSettings) {
    const std::string document = setting.place.index() == 0 ? fmt::format("v = \"{}\"", setting.fallback)
                                                            : fmt::format("v = {}", setting.fallback);
    const toml::table table = toml::parse(document);
    if (auto taken = take(setting, *table.get("v"), Where{"built-in defaults"}, settings); !taken) return pass(taken);
  }
  return settings;
}

/// Rules over more than one setting.
Result<void> checkTogether(const Settings& settings, const std::string& file) {
  const auto& database = settings.database;
  if (database.engine == "mysql" && database.host.empty() == database.unixSocket.empty()) {
    return fail(Errc::settings, file + ": database.engine = mysql",
                "needs exactly one of database.host and database.unix_socket", "set one and leave the other out");
  }
  if (database.engine == "sqlite" && database.path == database.secretsPath) {
    return fail(Errc::settings, file + ": database.secrets_path = " + database.secretsPath,
                "is the file of the public tables as well",
                "give the private keys a file of their own in a folder of their own");
  }
  return {};
}

struct RoleRow {
  SqlRole role;
  std::string_view name;
  const Settings::Role& (*place)(const Settings&);
};
constexpr std::array<RoleRow, 6> kRoles = {{
    {SqlRole::admin, "admin", [](const Settings& s) -> const Settings::Role& { return s.database.admin; }},
    {SqlRole::dns, "dns", [](const Settings& s) -> const Settings::Role& { return s.database.dns; }},
    {SqlRole::keys, "keys", [](const Settings& s) -> const Settings::Role& { return s.database.keys; }},
    {SqlRole::sign, "sign", [](const Settings& s) -> const Settings::Role& { return s.database.sign; }},
    {SqlRole::mta, "mta", [](const Settings& s) -> const Settings::Role& { return s.database.mta; }},
    {SqlRole::app, "app", [](const Settings& s) -> const Settings::Role& { return s.database.app; }},
}};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

/// At most `limit` octets of a regular file; more is an error.
Result<std::string> readWhole(const Descriptor& file, const std::string& path, std::size_t limit) {
  std::string content(limit + 1, '\0');
  std::size_t length = 0;
  while (length < content.size()) {
    const ssize_t count = ::read(file.number(), content.data() + length, content.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(Errc::settings, path, fmt::format("cannot be read: {}", std::strerror(errno)), "check the file");
    }
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  if (length > limit) {
    return fail(Errc::settings, path, fmt::format("longer than {} octets", limit), "this is hardly the right file");
  }
  content.resize(length);
  return content;
}

/// The path of a password file; "credential:NAME" is looked up in systemd's folder (systemd.exec(5)).
Result<std::string> passwordPath(const std::string& setting) {
  if (setting.rfind(kCredentialPrefix, 0) != 0) return setting;
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr) {
    return fail(Errc::settings, setting, "$CREDENTIALS_DIRECTORY is not set",
                "start the program by systemd with LoadCredential=, or name a file");
  }
  return std::string(folder) + "/" + setting.substr(kCredentialPrefix.size());
}

/// Whether this process, by its effective ids, could read the file. "Cannot tell" counts as yes.
bool couldRead(const std::string& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0) return true;
  return errno != ENOENT && errno != EACCES && errno != ENOTDIR && errno != ELOOP;
}

std::string rangeOf(const Setting& setting) {
  switch (setting.rule) {
    case Rule::word:
      return joined(split(setting.words, ' '), ", ");
    case Rule::number:
      return fmt::format("{} to {}", setting.min, setting.max);
    case Rule::flag:
      return "true, false";
    case Rule::path:
    case Rule::socketPath:
      return "absolute path";
    case Rule::optionalPath:
    case Rule::optionalSocketPath:
      return "absolute path or empty";
    case Rule::passwordPath:
      return "absolute path, `credential:NAME` or empty";
    case Rule::host:
      return "host name, address or empty";
    case Rule::account:
      return "name";
    case Rule::optionalAccount:
      return "name or empty";
    case Rule::servers:
      return "list of addresses";
  }
  return "";
}

std::string defaultOf(const Setting& setting) {
  if (setting.place.index() == 0) return fmt::format("`\"{}\"`", setting.fallback);
  return fmt::format("`{}`", setting.fallback);
}

}  // namespace

Result<Settings> parseSettings(std::string_view toml, const std::string& fileName) {
  const Where where{fileName};
  if (toml.size() > kMaxFileBytes) {
    return fail(Errc::settings, fileName, fmt::format("longer than {} octets", kMaxFileBytes),
                "this is hardly the right file");
  }
  auto settings = defaults();
  if (!settings) return settings;
  try {
    const toml::table table = toml::parse(toml, fileName);
    if (auto read = readTable(table, "", where, *settings); !read) return pass(read);
  } catch (const toml::parse_error& error) {
    return where.refuse(error.source().begin.line, fmt::format("column {}", error.source().begin.column),
                        fmt::format("not TOML: {}", escapeForDisplay(error.description())),
                        "correct the line; the form is that of https://toml.io/en/v1.0.0");
  }
  if (auto good = checkTogether(*settings, fileName); !good) return pass(good);
  return settings;
}

Result<Settings> loadSettings(const std::string& path) {
  std::string chosen = path;
  if (chosen.empty()) {
    const char* variable = std::getenv("MAILZONE_CONFIG");
    chosen = variable != nullptr && *variable != '\0' ? variable : std::string(kDefaultPath);
  }
  const Descriptor file(::open(chosen.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) {
    return fail(Errc::settings, chosen, fmt::format("cannot be opened: {}", std::strerror(errno)),
                "name the settings file by --config or MAILZONE_CONFIG");
  }
  auto content = readWhole(file, chosen, kMaxFileBytes);
  if (!content) return pass(content);
  return parseSettings(*content, chosen);
}

std::string settingsAsMarkdown() {
  std::string text =
      "# Settings\n\n"
      "One TOML file for all programs: `--config FILE`, else `$MAILZONE_CONFIG`, else `/etc/mailzone/mailzone.toml`. "
      "It\n"
      "holds no secrets: a password stands in a file of its own. An unknown key, a wrong type or a value out of range\n"
      "is an error (exit 78) that names file, line and remedy. This page is made from the table in\n"
      "`system/settings.cc`; every program prints it by `--help-settings`.\n";
  std::string section;
  for (const Setting& setting : kSettings) {
    const std::size_t dot = setting.key.rfind('.');
    const std::string_view its = setting.key.substr(0, dot);
    if (its != section) {
      section = its;
      text += fmt::format("\n## [{}]\n\n| key | values | default | meaning |\n|---|---|---|---|\n", section);
    }
    text += fmt::format("| `{}` | {} | {} | {}{} |\n", setting.key.substr(dot + 1), rangeOf(setting),
                        defaultOf(setting), setting.help, setting.secret ? " *Names a secret file.*" : "");
  }
  return text;
}

Result<Secret> readPassword(const Settings::Role& role) {
  if (role.passwordFile.empty()) {
    return fail(Errc::settings, role.user, "no password file is set for this account",
                "set database.roles.NAME.password_file");
  }
  const auto path = passwordPath(role.passwordFile);
  if (!path) return pass(path);
  const Descriptor file(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    return fail(Errc::settings, *path, fmt::format("the password file cannot be opened: {}", std::strerror(errno)),
                fmt::format("write the password of {} into it and give it to the user of its program", role.user));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::settings, *path, "the password file is no regular file", "name a file");
  }
  if ((status.st_mode & S_IRWXO) != 0) {
    return fail(Errc::settings, *path,
                fmt::format("the password file is open to everybody (mode {:04o})", status.st_mode & 07777U),
                "chmod 0600 (or 0640) it, and change the password if others could log in here");
  }
  auto content = readWhole(file, *path, kMaxPasswordBytes);
  if (!content) return pass(content);
  Secret whole(std::move(*content));
  std::string_view line = whole.reveal();
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return fail(Errc::settings, *path, "the password file is empty", "write the password into it");
  if (line.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos) {
    return fail(Errc::settings, *path, "the password file has more than one line", "write the password alone into it");
  }
  return Secret(std::string(line));
}

Result<void> refuseForeignSecrets(const Settings& settings, const std::vector<SqlRole>& own) {
  const auto isOwn = [&](SqlRole role) { return std::find(own.begin(), own.end(), role) != own.end(); };
  const auto& database = settings.database;
  if (database.engine == "sqlite") {
    if (database.secretsPath.empty() || isOwn(SqlRole::keys) || isOwn(SqlRole::admin)) return {};
    if (!couldRead(database.secretsPath)) return {};
    return fail(Errc::settings, database.secretsPath, "this program could read the private keys",
                "run it as its own user, and make the file mode 0600 of the user of mailzone-rotate");
  }
  for (const RoleRow& row : kRoles) {
    const std::string& setting = row.place(settings).passwordFile;
    if (isOwn(row.role) || setting.empty()) continue;
    const auto path = passwordPath(setting);
    if (!path) continue;  // no credentials at all were given to this program
    if (couldRead(*path)) {
      return fail(Errc::settings, *path, fmt::format("this program could read the password of the role {}", row.name),
                  "run it as its own user, and make the file readable by that role's user alone");
    }
  }
  return {};
}

}  // namespace mailzone
