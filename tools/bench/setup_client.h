// The few questions rawgen asks before it starts, one at a time on a blocking socket: which versions, where the topic
// is, where its partitions end.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "protocol/message.h"
#include "protocol/reader.h"
#include "protocol/types.h"
#include "protocol/writer.h"
#include "tools/bench/options.h"
#include "tools/bench/workload.h"

namespace millrace::bench {

class BrokerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Connected, with Nagle's algorithm off.
int connect_to(const std::string& host, uint16_t port);

class SetupClient {
 public:
  SetupClient(const std::string& host, uint16_t port);
  ~SetupClient();
  SetupClient(const SetupClient&) = delete;
  SetupClient& operator=(const SetupClient&) = delete;

  // The highest version that both sides speak.
  template <class Request>
  int16_t version_of() const {
    return version_of(Request::key, Request::min_version, Request::max_version);
  }

  template <class Request>
  typename Request::Response call(const Request& request) {
    const int16_t version = version_of<Request>();
    protocol::Writer body;
    request.encode(body, version);
    protocol::Reader reader(exchange(Request::key, version, protocol::request_header_version<Request>(version),
                                     protocol::response_header_version<Request>(version), body.finish_whole()));
    typename Request::Response response;
    response.decode(reader, version);
    if (!reader.ok()) throw BrokerError("an answer cannot be read");
    return response;
  }

  // Creates the topic unless it exists, and waits until every partition has a leader.
  TopicId ready_topic(const Options& options);
  void delete_topic(const std::string& topic);
  // Whether the broker has acknowledged it.
  bool write_once(const Frame& frame);
  // By partition; the first offsets when `earliest`.
  std::vector<Offset> offsets(const std::string& topic, int partitions, bool earliest, int attempts = 500);

 private:
  void create_topic(const Options& options);
  void grow_topic(const std::string& topic, int partitions);
  int16_t version_of(int16_t key, int16_t lowest, int16_t highest) const;
  Bytes exchange(int16_t key, int16_t version, int16_t header_version, int16_t answer_header_version, Bytes body);
  Bytes answer(int16_t header_version);

  int fd_;
  int32_t correlation_ = 0;
  std::map<int16_t, std::pair<int16_t, int16_t>> versions_;
};

// A request's frame: length, header, body.
std::vector<Bytes> frame_of(int16_t key, int16_t version, int16_t header_version, int32_t correlation,
                            std::vector<Bytes> body);

}  // namespace millrace::bench
