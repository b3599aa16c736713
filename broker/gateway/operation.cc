#include "broker/gateway/operation.h"

namespace millrace::broker::gateway {

std::string_view to_text(OperationStatus status) {
  switch (status) {
    case OperationStatus::running:
      return "RUNNING";
    case OperationStatus::finished:
      return "FINISHED";
    case OperationStatus::canceled:
      return "CANCELED";
    case OperationStatus::closed:
      return "CLOSED";
    case OperationStatus::error:
      return "ERROR";
    case OperationStatus::timeout:
      return "TIMEOUT";
  }
  return "ERROR";
}

OperationStatus Operation::status() {
  if (status_ == OperationStatus::running && now() >= deadline_) end(OperationStatus::timeout);
  return status_;
}

void Operation::end(OperationStatus status) {
  status_ = status;
  changed_.notify();
}

bool Operation::finish(processing::StatementResult result) {
  if (status() != OperationStatus::running) return false;
  result_ = std::move(result);
  end(OperationStatus::finished);
  return true;
}

void Operation::fail(const Failure& failure) {
  if (status() != OperationStatus::running) return;
  failure_ = failure.within(execution_exception, "Failed to execute the operation " + id_ + ".");
  end(OperationStatus::error);
}

void Operation::cancel() {
  if (status() != OperationStatus::running) {
    throw Refusal(gateway_exception, "Failed to convert the Operation Status from " + std::string(to_text(status_)) +
                                         " to CANCELED for " + id_ + ".");
  }
  end(OperationStatus::canceled);
}

void Operation::close() { end(OperationStatus::closed); }

Task<ResultPage> Operation::fetch(int64_t token, size_t most_rows, MonoTime deadline) {
  const MonoTime until = std::min(deadline, deadline_);
  while (status() == OperationStatus::running || fetching_) {
    const bool notified = co_await changed_.wait(until);
    if (!notified && (status() == OperationStatus::running || fetching_)) co_return ResultPage{};
  }
  if (status_ == OperationStatus::error) throw Refusal(failure_);
  if (status_ != OperationStatus::finished) {
    throw Refusal(gateway_exception,
                  "Can not fetch results from the " + id_ + " in " + std::string(to_text(status_)) + " status.");
  }
  if (token == token_) co_return co_await next_page(most_rows, deadline);
  if (token == token_ - 1 && token >= 0) {
    ResultPage again;
    again.type = ResultPage::Type::payload;
    again.rows = previous_;
    co_return again;
  }
  std::string expected = std::to_string(token_);
  if (token_ > 0) expected += " or " + std::to_string(token_ - 1);
  throw Refusal(execution_exception,
                "Expecting token to be " + expected + ", but found " + std::to_string(token) + ".");
}

Task<ResultPage> Operation::next_page(size_t most_rows, MonoTime deadline) {
  ResultPage page;
  page.type = ResultPage::Type::end;
  if (broken_) throw Refusal(*broken_);
  if (ended_) co_return page;
  fetching_ = true;
  const std::shared_ptr<processing::RowStream> rows = result_.rows;
  processing::Page next;
  try {
    if (rows) {
      next = co_await rows->next(most_rows, deadline);
    } else {
      next.end = true;
    }
  } catch (const std::exception& error) {
    next.end = true;
    broken_ = failure_of(error);
  }
  fetching_ = false;
  changed_.notify();
  if (next.failure) {
    broken_ = failure_of(*next.failure)
                  .within("org.apache.flink.runtime.client.JobExecutionException", "Job execution failed.")
                  .within(execution_exception, "Error while retrieving result.");
  }
  ended_ = next.end;
  if (next.rows.empty() && next.end) {
    if (broken_) throw Refusal(*broken_);
    previous_.clear();
    co_return page;
  }
  page.type = ResultPage::Type::payload;
  page.rows = next.rows;
  previous_ = std::move(next.rows);
  ++token_;
  co_return page;
}

}  // namespace millrace::broker::gateway
