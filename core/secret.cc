#include "core/secret.h"

#include <cstring>
#include <utility>

namespace mailzone {
namespace {

void wipeOctets(std::string& octets) noexcept {
  // Short strings live inside the object, so the whole capacity is wiped, not only size().
  octets.resize(octets.capacity());
  explicit_bzero(octets.data(), octets.size());
  octets.clear();
}

}  // namespace

Secret::Secret(std::string&& octets) : octets_(octets) {
  wipeOctets(octets);
}

Secret::Secret(Secret&& other) noexcept : octets_() {
  octets_.swap(other.octets_);
  other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    octets_.swap(other.octets_);
  }
  return *this;
}

Secret::~Secret() {
  wipe();
}

void Secret::wipe() noexcept {
  wipeOctets(octets_);
}

}  // namespace mailzone
