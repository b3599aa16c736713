// Config: one node's server.properties, checked as Kafka checks it, and what follows from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/config/keys.h"
#include "broker/config/properties.h"
#include "protocol/types.h"
#include "runtime/net.h"

namespace millrace::broker {

struct Endpoint {
  std::string listener;
  std::string protocol;  // PLAINTEXT, SSL, …
  Address address;
};

class Config {
 public:
  // `overrides` win over `properties`. Throws ConfigError with Kafka's words.
  explicit Config(Properties properties, const Properties& overrides = {});

  // As given in the file, or the default; nothing when there is neither.
  std::optional<std::string> value(std::string_view key) const;
  bool is_given(std::string_view key) const { return given_.contains(key); }
  const Properties& given() const { return given_; }

  // Of a known key with a value.
  std::string text(std::string_view key) const;
  int64_t number(std::string_view key) const;
  double real(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::vector<std::string> list(std::string_view key) const;
  Millis millis(std::string_view key) const { return Millis(number(key)); }

  BrokerId node_id() const { return node_id_; }
  const std::vector<Endpoint>& listeners() const { return listeners_; }  // without the controller's
  const std::vector<Endpoint>& advertised() const {
    return advertised_;
  }  // one for each of listeners(); host may be ""
  const std::vector<Endpoint>& controller_listeners() const { return controller_listeners_; }
  const std::vector<std::string>& log_dirs() const { return log_dirs_; }
  const std::string& metadata_dir() const { return metadata_dir_; }
  bool static_quorum() const { return static_quorum_; }

  // Lines for the start-up report: given keys that are unknown, or that have no effect here.
  std::vector<std::string> report() const;

 private:
  void check_values() const;
  void read_roles();
  void read_listeners();
  void read_log_dirs();

  Properties given_;
  BrokerId node_id_{-1};
  std::vector<Endpoint> listeners_;
  std::vector<Endpoint> advertised_;
  std::vector<Endpoint> controller_listeners_;
  std::vector<std::string> log_dirs_;
  std::string metadata_dir_;
  bool static_quorum_ = false;
};

}  // namespace millrace::broker
