// Sequences, epochs and transactions of producers.
#include "log/producer_state.h"

#include <doctest/doctest.h>

#include "tests/log/records.h"

using namespace millrace;
using namespace millrace::log;
using protocol::RecordBatch;

namespace {

// A producer state and the offsets that batches get.
struct Fixture {
  ProducerState state;
  int64_t next = 0;

  RecordBatch at_end(const Bytes& bytes) const { return RecordBatch(patched<int64_t>(bytes, 0, next)); }
  ProducerCheck check(const Bytes& bytes, Origin origin = Origin::client) const {
    return state.check_batch(at_end(bytes), Offset(next), origin);
  }
  std::optional<CompletedTransaction> put(const Bytes& bytes) {
    const RecordBatch batch = at_end(bytes);
    next = batch.next_offset().value;
    return state.apply(batch);
  }
  ErrorCode produce(int64_t id, int16_t epoch, int32_t sequence, int records = 1, bool transactional = false) {
    const Bytes bytes = batch_of(std::vector<std::string>(static_cast<size_t>(records), "v"),
                                 from_producer(id, epoch, sequence, transactional));
    const ProducerCheck checked = check(bytes);
    if (checked.error == ErrorCode::none && !checked.duplicate) put(bytes);
    return checked.error;
  }
  std::optional<RememberedBatch> duplicate(int64_t id, int16_t epoch, int32_t sequence, int records = 1) const {
    return check(batch_of(std::vector<std::string>(static_cast<size_t>(records), "v"),
                          from_producer(id, epoch, sequence)))
        .duplicate;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "an unknown producer may begin with any sequence") {
  CHECK(produce(1, 0, 41) == ErrorCode::none);
  CHECK(produce(1, 0, 42) == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "a gap, an overlap and a part of a batch are out of order") {
  produce(1, 0, 0, 10);
  CHECK(produce(1, 0, 11) == ErrorCode::out_of_order_sequence_number);
  CHECK(produce(1, 0, 9, 2) == ErrorCode::out_of_order_sequence_number);
  CHECK(produce(1, 0, 0, 5) == ErrorCode::out_of_order_sequence_number);
  CHECK(produce(1, 0, 10) == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "each of the last five batches is recognised, the sixth back is not") {
  for (int i = 0; i < 6; ++i) produce(1, 0, i * 2, 2);
  for (int i = 1; i < 6; ++i) {
    const std::optional<RememberedBatch> old = duplicate(1, 0, i * 2, 2);
    REQUIRE(old);
    CHECK(old->first_offset() == Offset(i * 2));
    CHECK(old->last_offset == Offset(i * 2 + 1));
  }
  CHECK_FALSE(duplicate(1, 0, 0, 2));
  CHECK(produce(1, 0, 0, 2) == ErrorCode::out_of_order_sequence_number);
}

TEST_CASE_FIXTURE(Fixture, "a new epoch begins at sequence 0, an old one is refused") {
  produce(1, 3, 0, 5);
  CHECK(produce(1, 4, 5) == ErrorCode::out_of_order_sequence_number);
  CHECK(produce(1, 4, 0) == ErrorCode::none);
  CHECK(produce(1, 3, 5) == ErrorCode::invalid_producer_epoch);
  CHECK_FALSE(duplicate(1, 3, 0, 5));
}

TEST_CASE_FIXTURE(Fixture, "sequences wrap from 2147483647 to 0, also inside a batch") {
  produce(1, 0, INT32_MAX);
  CHECK(produce(1, 0, 0) == ErrorCode::none);
  produce(2, 0, INT32_MAX - 1, 4);
  CHECK(duplicate(2, 0, INT32_MAX - 1, 4));
  CHECK(produce(2, 0, 2) == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "the broker's own batches have no sequences, and replicated ones are taken as they are") {
  produce(1, 5, 0);
  CHECK(check(batch_of({"v"}, from_producer(1, 5, 9)), Origin::broker).error == ErrorCode::none);
  CHECK(check(batch_of({"v"}, from_producer(1, 4, 9)), Origin::broker).error == ErrorCode::invalid_producer_epoch);
  CHECK(check(batch_of({"v"}, from_producer(1, 4, 9)), Origin::leader).error == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "nothing behind an open transaction is stable until its marker is replicated") {
  CHECK_FALSE(state.first_unstable(Offset(100)));
  produce(9, 0, 0);
  produce(1, 0, 0, 2, true);
  CHECK(state.first_unstable(Offset(3)) == Offset(1));
  const std::optional<CompletedTransaction> done = put(marker(1, 0, true));
  REQUIRE(done);
  CHECK(done->first == Offset(1));
  CHECK(done->last == Offset(3));
  CHECK_FALSE(done->aborted);
  CHECK(state.first_unstable(Offset(3)) == Offset(1));
  CHECK_FALSE(state.first_unstable(Offset(4)));
}

TEST_CASE_FIXTURE(Fixture, "what was stable when a transaction aborted ends at the oldest one still open") {
  produce(1, 0, 0, 1, true);
  produce(2, 0, 0, 1, true);
  produce(1, 0, 1, 1, true);
  const std::optional<CompletedTransaction> second = put(marker(2, 0, false));
  REQUIRE(second);
  CHECK(second->aborted);
  CHECK(second->last_stable == Offset(0));
  const std::optional<CompletedTransaction> first = put(marker(1, 0, false));
  CHECK(first->last_stable == Offset(5));
}

TEST_CASE_FIXTURE(Fixture, "a marker without a transaction completes nothing but fences the epoch") {
  CHECK_FALSE(put(marker(1, 7, true)));
  CHECK(produce(1, 6, 0) == ErrorCode::invalid_producer_epoch);
  CHECK(produce(1, 7, 5) == ErrorCode::out_of_order_sequence_number);
  CHECK(produce(1, 7, 0) == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "a marker of an older coordinator is fenced") {
  put(marker(1, 0, true, 5));
  CHECK(check(marker(1, 0, true, 4), Origin::broker).error == ErrorCode::transaction_coordinator_fenced);
  CHECK(check(marker(1, 0, true, 5), Origin::broker).error == ErrorCode::none);
}

TEST_CASE_FIXTURE(Fixture, "a plain batch inside a transaction is refused") {
  produce(1, 0, 0, 1, true);
  CHECK(produce(1, 0, 1) == ErrorCode::invalid_txn_state);
}

TEST_CASE_FIXTURE(Fixture, "a snapshot brings back the last batch, the open transaction and the coordinator") {
  produce(1, 0, 0, 3);
  produce(1, 0, 3, 2);
  produce(2, 4, 0, 1, true);
  put(marker(3, 1, true, 8));
  const std::string file = state.encode_snapshot();
  CHECK(file.size() == 10 + 3 * 46);
  Fixture loaded;
  loaded.next = next;
  REQUIRE(loaded.state.load_snapshot(file));
  CHECK(loaded.state.encode_snapshot() == file);
  CHECK(loaded.duplicate(1, 0, 3, 2)->first_offset() == Offset(3));
  CHECK_FALSE(loaded.duplicate(1, 0, 0, 3));
  CHECK(loaded.state.first_unstable(Offset(100)) == Offset(5));
  CHECK(loaded.check(marker(3, 1, true, 7), Origin::broker).error == ErrorCode::transaction_coordinator_fenced);
}

TEST_CASE("an empty snapshot is ten bytes, and a damaged one is not loaded") {
  ProducerState state;
  const std::string file = state.encode_snapshot();
  CHECK(file.size() == 10);
  CHECK(file.substr(0, 2) == std::string("\0\x01", 2));
  CHECK(state.load_snapshot(file));
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    CHECK_FALSE(state.load_snapshot(damaged));
  }
  CHECK_FALSE(state.load_snapshot(file.substr(1)));
  CHECK_FALSE(state.load_snapshot(""));
}
