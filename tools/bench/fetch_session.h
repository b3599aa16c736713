// A consumer's half of an incremental fetch session (KIP-227): what the next request names, and as which (id, epoch).
//
//   (0, 0) and all that is followed → (id, 1) and what has changed → (id, 2) and what has changed → …
//
//   the broker does not know the session, or keeps none   (0, 0) and all, again
//   another error, or an answer that does not fit         (id, 0) and all, again: the old session is given up
//
// Without sessions every request is (0, −1) and names all.
#pragma once

#include <string>
#include <vector>

#include "protocol/messages/fetch.h"

namespace millrace::bench {

class FetchSession {
 public:
  using Partition = protocol::FetchRequest::Partition;
  // Of one topic, in the order of their indices.
  FetchSession(std::string name, TopicId id, std::vector<Partition> partitions, bool incremental);

  size_t size() const { return followed_.size(); }
  const Partition& at(size_t place) const { return followed_[place].partition; }
  // The place of a partition; size() for one that is not followed here.
  size_t place_of(PartitionId index) const;
  // The consumer reads on from there.
  void move(size_t place, Offset to);
  // It does not want to read on there, until it is moved.
  void forget(size_t place);

  // Sets the id, the epoch and the partitions of the next request.
  void ask(protocol::FetchRequest& request);
  // False when the session has failed, and with it the answer: what it holds must not be used.
  bool answered(const protocol::FetchResponse& response);

  // How many times it began: more than once is trouble with the broker, or a broker that keeps no session.
  uint64_t begun() const { return begun_; }

 private:
  struct Followed {
    Partition partition;
    bool wanted = true;
    bool known = false;    // to the broker, …
    bool touched = false;  // … which may know it differently
  };
  void begin_anew(int32_t id);
  void touch(size_t place);
  bool fits(const protocol::FetchResponse& response) const;

  std::string name_;
  TopicId topic_;
  bool incremental_;
  std::vector<Followed> followed_;
  std::vector<size_t> touched_;
  size_t wanted_ = 0;
  int32_t id_ = 0;
  int32_t epoch_ = 0;  // 0: the next request, or the one underway, begins a session
  uint64_t begun_ = 0;
};

}  // namespace millrace::bench
