// Sends the rows, waits for what the receiver says of each, and holds it against the daemons' own logs, the second
// opinions and the expectations.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/resolver.h"
#include "core/result.h"
#include "core/secret.h"
#include "harness/receiver.h"
#include "harness/scenario.h"
#include "harness/smtp_client.h"
#include "harness/stage.h"
#include "harness/verdict.h"

namespace mailzone::harness {

struct RunnerOptions {
  std::map<std::string, std::shared_ptr<const Secret>> passwords;  ///< by login
  std::map<std::string, std::string> returnPaths;  ///< delegated domain -> its TOKEN.rp host, for "{return-path:NAME}"
  std::chrono::seconds deadline{25};               ///< for the last verdict, from the moment when all are sent
  bool secondOpinions = true;
  /// Makes the tenant of Scenario::freshTenant; returns when its mail would be signed with its own key.
  std::function<Result<std::string>(const std::string&)> onFreshTenant;
  std::function<void(const std::string&)> say;  ///< for the person who waits
};

/// One verdict per row, in their order. A mail that could not be sent, or of which nothing was heard, is a row with a
/// finding, not an Error.
[[nodiscard]] Result<std::vector<Verdict>> runScenarios(const Stage& stage, const std::vector<Scenario>& rows,
                                                        Receiver& receiver, const Clock& clock,
                                                        const RunnerOptions& options);

/// Hands one row's mail to our own MTA and waits for nothing more.
[[nodiscard]] Result<SubmissionOutcome> submitScenario(const Scenario& row, const Clock& clock,
                                                       const RunnerOptions& options);

/// "{return-path:second.example}" -> the host; Errc::notFound for a name that is not known.
[[nodiscard]] Result<std::string> fillEnvelope(const std::string& envelope,
                                               const std::map<std::string, std::string>& returnPaths);

}  // namespace mailzone::harness
