// The signing view as files, for an OpenDKIM without a database in the mail path: EXPORT/current/{keytable,
// signingtable, authors/, keys/}. Readers see one whole generation or the one before, never a half.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"
#include "rotation/key_store.h"

namespace mailzone::rotation {

struct ExportOptions {
  std::string path;   ///< the export's folder; is made when it is missing
  std::string group;  ///< who may read besides us (OpenDKIM's group); "": our own group
  bool keys = true;   ///< false: only authors/, for an OpenDKIM that reads the view live
  /// What OpenDKIM may still read after the switch: it holds the old table until it has reloaded.
  std::chrono::seconds keepOld{60};
};

struct ExportReport {
  std::string generation;  ///< name of the folder that `current` points to now
  std::size_t rows = 0;    ///< envelope domains, "common" among them
  std::size_t keys = 0;    ///< key files
  /// Rows that OpenDKIM could not use. They are left out: mail with such an envelope waits (451), the others go on.
  std::vector<Error> badRows;
};

/// Writes a new generation (folders 0750, files 0640), syncs it and switches `current` by one rename. When anything
/// fails, the unreachable database included, the old generation stays as it was and nothing of the new one is left.
[[nodiscard]] Result<ExportReport> writeSigningExport(KeyStore& store, const ExportOptions& options, TimePoint now);

/// Tells the OpenDKIM whose pid stands in the file to read its tables again (SIGUSR1). Errc::notFound: no such file or
/// process, which is no harm, as it reads them at its start. Errc::forbidden: we may not (CAP_KILL).
[[nodiscard]] Result<void> reloadOpenDkim(const std::string& pidFile);

}  // namespace mailzone::rotation
