// What a consumer and a broker know of each other between two fetches.
#include "tools/bench/fetch_session.h"

#include <algorithm>

namespace millrace::bench {

FetchSession::FetchSession(std::string name, TopicId id, std::vector<Partition> partitions, bool incremental)
    : name_(std::move(name)), topic_(id), incremental_(incremental), wanted_(partitions.size()) {
  followed_.reserve(partitions.size());
  for (Partition& partition : partitions) followed_.push_back({std::move(partition)});
}

size_t FetchSession::place_of(PartitionId index) const {
  const auto at = std::ranges::lower_bound(followed_, index, {}, [](const Followed& f) { return f.partition.index; });
  if (at == followed_.end() || at->partition.index != index) return followed_.size();
  return static_cast<size_t>(at - followed_.begin());
}

void FetchSession::move(size_t place, Offset to) {
  Followed& followed = followed_[place];
  if (!followed.wanted) ++wanted_;
  followed.wanted = true;
  followed.partition.fetch_offset = to;
  touch(place);
}

void FetchSession::forget(size_t place) {
  Followed& followed = followed_[place];
  if (!followed.wanted) return;
  followed.wanted = false;
  --wanted_;
  touch(place);
}

void FetchSession::touch(size_t place) {
  if (followed_[place].touched) return;
  followed_[place].touched = true;
  touched_.push_back(place);
}

void FetchSession::ask(protocol::FetchRequest& request) {
  request.session_id = incremental_ ? id_ : 0;
  request.session_epoch = incremental_ ? epoch_ : -1;
  request.topics.clear();
  request.forgotten_topics.clear();
  const auto name = [&](const Partition& partition) {
    if (request.topics.empty()) {
      request.topics.emplace_back();
      request.topics[0].name = name_;
      request.topics[0].id = topic_;
    }
    request.topics[0].partitions.push_back(partition);
  };
  const auto name_as_forgotten = [&](const Partition& partition) {
    if (request.forgotten_topics.empty()) {
      request.forgotten_topics.emplace_back();
      request.forgotten_topics[0].name = name_;
      request.forgotten_topics[0].id = topic_;
    }
    request.forgotten_topics[0].partitions.push_back(partition.index);
  };
  if (!incremental_ || epoch_ == 0) {
    for (Followed& followed : followed_) {
      if (followed.wanted) name(followed.partition);
      followed.known = followed.wanted;
    }
    if (incremental_) ++begun_;
  } else {
    for (const size_t place : touched_) {
      Followed& followed = followed_[place];
      if (followed.wanted) name(followed.partition);
      if (!followed.wanted && followed.known) name_as_forgotten(followed.partition);
      followed.known = followed.wanted;
    }
  }
  for (const size_t place : touched_) followed_[place].touched = false;
  touched_.clear();
}

bool FetchSession::answered(const protocol::FetchResponse& response) {
  if (!incremental_) return true;
  if (response.error != ErrorCode::none || !fits(response)) {
    begin_anew(response.error == ErrorCode::fetch_session_id_not_found ? 0 : id_);
    return false;
  }
  id_ = response.session_id;
  if (id_ == 0) {
    begin_anew(0);
  } else {
    epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1;
  }
  return true;
}

void FetchSession::begin_anew(int32_t id) {
  id_ = id;
  epoch_ = 0;
}

// Only what is followed, and the first answer has all of it.
bool FetchSession::fits(const protocol::FetchResponse& response) const {
  size_t told = 0;
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      const size_t place = place_of(partition.index);
      if (place == followed_.size() || !followed_[place].known) return false;
      ++told;
    }
  }
  return epoch_ > 0 || told == wanted_;
}

}  // namespace millrace::bench
