// `mailzone-harness send`: one mail by a door of the platform's MTA, from within a kept demo.
#pragma once

#include <string>

namespace mailzone::harness {

struct SendOptions {
  std::string door = "webapp", login, from, envelope, to = "customer@receiver.example", stream;
};

/// Prints the dialogue's replies. Exit status 0: the MTA took the mail; 1: it did not; 69: it could not be asked.
[[nodiscard]] int runSend(const SendOptions& options);

}  // namespace mailzone::harness
