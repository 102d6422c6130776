#include "backend/request.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace mailzone::backend {
namespace {
constexpr std::size_t kMaxParameters = 64;
}

const Request::Parameter* Request::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < used_; ++i) {
    if (parameters_[i].name == name) return &parameters_[i];
  }
  return nullptr;
}

Request::Parameter& Request::add(std::string_view name) {
  for (std::size_t i = 0; i < used_; ++i) {
    if (parameters_[i].name == name) return parameters_[i];  // said twice: the last one counts
  }
  if (used_ == parameters_.size()) parameters_.emplace_back();
  auto& parameter = parameters_[used_++];
  parameter.name = name;
  parameter.type = Type::other;
  return parameter;
}

Result<std::string_view> Request::text(std::string_view name) const {
  const auto* parameter = find(name);
  if (parameter == nullptr) return fail(Errc::invalidInput, name, "the parameter is missing");
  if (parameter->type != Type::text) return fail(Errc::invalidInput, name, "the parameter is not a string");
  return std::string_view(parameter->text);
}

Result<std::int64_t> Request::integer(std::string_view name, std::int64_t otherwise) const {
  const auto* parameter = find(name);
  if (parameter == nullptr) return otherwise;
  if (parameter->type != Type::integer) return fail(Errc::invalidInput, name, "the parameter is not a whole number");
  return parameter->number;
}

/// The handler of nlohmann's SAX interface. Depth 1 is the request, depth 2 its parameters.
class RequestReader {
 public:
  explicit RequestReader(Request& request) : request_(request) { request_.clear(); }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  [[nodiscard]] bool complete() const noexcept { return closed_ && haveMethod_; }

  bool null() { return scalar(Request::Type::other); }
  bool boolean(bool) { return scalar(Request::Type::other); }
  bool number_integer(std::int64_t value) { return scalar(Request::Type::integer, value); }
  bool number_unsigned(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return scalar(Request::Type::other);
    return scalar(Request::Type::integer, static_cast<std::int64_t>(value));
  }
  bool number_float(double value, const std::string&) {
    if (std::trunc(value) != value || std::abs(value) > 9e15) return scalar(Request::Type::other);
    return scalar(Request::Type::integer, static_cast<std::int64_t>(value));
  }
  bool string(std::string& value) {
    if (depth_ == 1 && topKey_ == TopKey::method) {
      request_.method_.assign(value);
      haveMethod_ = true;
      return true;
    }
    if (!scalar(Request::Type::text)) return false;
    if (parameter_ != nullptr) parameter_->text.assign(value);
    return true;
  }
  bool binary(nlohmann::json::binary_t&) { return refuse("holds what JSON has not"); }
  bool key(std::string& name) {
    if (depth_ == 1) {
      topKey_ = name == "method" ? TopKey::method : name == "parameters" ? TopKey::parameters : TopKey::other;
    } else if (depth_ == 2 && inParameters_) {
      if (request_.used_ >= kMaxParameters) return refuse("has too many parameters");
      parameter_ = &request_.add(name);
    }
    return true;
  }
  bool start_object(std::size_t) {
    if (depth_ == 1 && topKey_ == TopKey::parameters) {
      request_.used_ = 0;  // said twice: the last one counts
      inParameters_ = true;
      ++depth_;
      return true;
    }
    return nest();
  }
  bool start_array(std::size_t) {
    if (depth_ == 0) return refuse("is not a JSON object");
    if (depth_ == 1 && topKey_ == TopKey::parameters) {
      // Some senders write [] for no parameters.
      request_.used_ = 0;
      ++depth_;
      return true;
    }
    return nest();
  }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return refuse("is not JSON"); }

 private:
  enum class TopKey : std::uint8_t { other, method, parameters };

  bool refuse(const char* problem) {
    problem_ = problem;
    return false;
  }
  bool scalar(Request::Type type, std::int64_t number = 0) {
    if (depth_ == 0) return refuse("is not a JSON object");
    if (depth_ == 1 && topKey_ == TopKey::method) return refuse("names its method by something else than a string");
    if (depth_ == 1 && topKey_ == TopKey::parameters && type != Request::Type::other) {
      return refuse("has parameters that are not an object");
    }
    if (depth_ == 1 && topKey_ == TopKey::parameters) request_.used_ = 0;
    if (depth_ == 2 && inParameters_ && parameter_ != nullptr) {
      parameter_->type = type;
      parameter_->number = number;
    } else {
      parameter_ = nullptr;
    }
    return true;
  }
  bool nest() {
    if (depth_ == 1 && topKey_ == TopKey::method) return refuse("names its method by something else than a string");
    if (depth_ == 2) parameter_ = nullptr;
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    if (depth_ == 1) inParameters_ = false;
    if (depth_ == 0) closed_ = true;
    return true;
  }

  Request& request_;
  std::size_t depth_ = 0;
  TopKey topKey_ = TopKey::other;
  bool inParameters_ = false, haveMethod_ = false, closed_ = false;
  Request::Parameter* parameter_ = nullptr;
  std::string problem_;
};

Result<void> parseRequest(std::string_view line, Request& request) {
  RequestReader reader(request);
  const bool parsed = nlohmann::json::sax_parse(line.begin(), line.end(), &reader);
  if (parsed && reader.complete()) return {};
  std::string rule = "the request ";
  rule += reader.problem().empty() ? "names no method" : reader.problem();
  return fail(Errc::invalidInput, line.substr(0, 64), std::move(rule), "send {\"method\": M, \"parameters\": {...}}");
}

}  // namespace mailzone::backend
