// What a job tells of itself: what the last turn left, copied on the shard.
#include "processing/jobs/job_parts.h"

#include <algorithm>

namespace millrace::processing {

std::string_view to_text(JobState state) {
  switch (state) {
    case JobState::created:
      return "CREATED";
    case JobState::running:
      return "RUNNING";
    case JobState::finished:
      return "FINISHED";
    case JobState::failed:
      return "FAILED";
    case JobState::canceled:
      return "CANCELED";
  }
  return "";
}

void Job::show(Partition& partition) {
  partition.shown = {.position = partition.task->position(),
                     .watermark = partition.task->watermark(),
                     .records = partition.task->records(),
                     .bytes = partition.task->bytes(),
                     .finished = partition.finished,
                     .idle = partition.idle};
}

void Job::show(const Events& events) {
  for (const std::unique_ptr<Fetched>& event : events)
    if (!event->wake && !event->failure) show(*sources_[event->source]->partitions[event->partition]);
  if (std::exchange(ticked_, false) || is_over(state_)) {
    for (const auto& source : sources_)
      for (const auto& partition : source->partitions) show(*partition);
    shown_warnings_ = warnings_;
  }
  shown_rows_out_ = graph_->rows_out();
  shown_late_ = context_.late_dropped;
  shown_watermark_.reset();
  for (const auto& source : sources_) {
    if (source->output && source->output->watermark() != min_watermark && source->scan && source->scan->watermark)
      shown_watermark_ = std::min(shown_watermark_.value_or(max_watermark), source->output->watermark());
  }
}

void Job::note_warnings() {
  warnings_.clear();
  for (const auto& source : sources_) {
    if (!source->scan || !source->scan->watermark || source->partitions.size() < 2) continue;
    bool some = false;
    for (const auto& partition : source->partitions) some = some || partition->task->watermark() != min_watermark;
    for (const auto& partition : source->partitions) {
      if (!some || partition->finished || partition->idle || partition->task->watermark() != min_watermark) continue;
      warnings_.push_back("partition " + std::to_string(partition->task->partition().value) + " of " +
                          partition->task->topic() +
                          " has had no rows and holds the watermark back: no window can close. Set "
                          "table.exec.source.idle-timeout.");
    }
  }
}

JobStatus Job::status() const {
  JobStatus status;
  status.id = setup_.id;
  status.name = setup_.name;
  status.state = state_;
  status.started = started_;
  status.ended = ended_;
  status.late_dropped = shown_late_;
  status.epochs = epoch_;
  status.warnings = shown_warnings_;
  status.failure = failure_;
  status.records_out = shown_rows_out_;
  status.watermark = shown_watermark_;
  for (const auto& source : sources_) {
    for (const auto& partition : source->partitions) {
      const Partition::Shown& shown = partition->shown;
      PartitionStatus one;
      one.topic = partition->task->topic();
      one.partition = partition->task->partition().value;
      one.position = shown.position.value;
      one.log_end = std::max(partition->log_end.value, one.position);
      if (shown.watermark != min_watermark) one.watermark = shown.watermark;
      one.idle = shown.idle;
      one.finished = shown.finished;
      status.records_in += shown.records;
      status.bytes_in += shown.bytes;
      status.partitions.push_back(std::move(one));
    }
  }
  return status;
}

}  // namespace millrace::processing
