// Why a job, or a record of it, failed: the root cause first, then what was wrapped around it, each with the Java class
// that Flink names, because that is what users search for.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace millrace::processing {

struct Cause {
  std::string type;  // java.lang.NumberFormatException
  std::string message;
  friend bool operator==(const Cause&, const Cause&) = default;
};

class JobFailure : public std::exception {
 public:
  JobFailure() = default;
  JobFailure(std::string type, std::string message) { causes_.push_back({std::move(type), std::move(message)}); }

  // The same failure seen from further out.
  JobFailure wrapped(std::string type, std::string message) const {
    JobFailure outer = *this;
    outer.causes_.push_back({std::move(type), std::move(message)});
    return outer;
  }
  const std::vector<Cause>& causes() const { return causes_; }
  const Cause& root() const { return causes_.front(); }
  const char* what() const noexcept override { return causes_.empty() ? "" : causes_.front().message.c_str(); }

 private:
  std::vector<Cause> causes_;
};

}  // namespace millrace::processing
