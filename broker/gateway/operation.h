// Operation: one statement of a session, from the moment it is handed in until it is closed.
//
//   RUNNING → FINISHED | ERROR | CANCELED | TIMEOUT           a query is FINISHED once its rows can be read
//
// Results are read page by page. A page is asked for by its token: the next one, or the last one again, which is how a
// client repeats a request whose answer it did not get.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/gateway/failure.h"
#include "processing/engine.h"
#include "runtime/event.h"

namespace millrace::broker::gateway {

// What a request deserves instead of an answer.
class Refusal : public std::exception {
 public:
  explicit Refusal(Failure why) : failure(std::move(why)) {}
  Refusal(std::string type, std::string message) { failure.causes.push_back({std::move(type), std::move(message)}); }
  const char* what() const noexcept override { return failure.causes.back().message.c_str(); }

  Failure failure;
};

enum class OperationStatus : uint8_t { running, finished, canceled, closed, error, timeout };
std::string_view to_text(OperationStatus status);

struct ResultPage {
  enum class Type : uint8_t { not_ready, payload, end };
  Type type = Type::not_ready;
  std::vector<processing::ResultRow> rows;
};

class Operation {
 public:
  Operation(std::string id, MonoTime deadline) : id_(std::move(id)), deadline_(deadline) {}

  const std::string& id() const { return id_; }
  OperationStatus status();
  // Of a finished one.
  const processing::StatementResult& result() const { return result_; }

  // How the statement went; says whether anybody still wants to know.
  bool finish(processing::StatementResult result);
  void fail(const Failure& failure);
  // Throws Refusal when it is over already.
  void cancel();
  void close();

  // Waits until `deadline` for the statement and for rows.
  Task<ResultPage> fetch(int64_t token, size_t most_rows, MonoTime deadline);

 private:
  void end(OperationStatus status);
  Task<ResultPage> next_page(size_t most_rows, MonoTime deadline);

  const std::string id_;
  const MonoTime deadline_;
  OperationStatus status_ = OperationStatus::running;
  Failure failure_;
  processing::StatementResult result_;
  Event changed_;

  bool fetching_ = false;
  int64_t token_ = 0;  // of the page that comes next
  std::vector<processing::ResultRow> previous_;
  bool ended_ = false;
  std::optional<Failure> broken_;  // the job failed while its rows were read
};

}  // namespace millrace::broker::gateway
