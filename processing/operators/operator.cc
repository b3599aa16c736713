#include "processing/operators/operator.h"

#include <cstring>
#include <stdexcept>

namespace millrace::processing {

EvalContext JobContext::evaluation() {
  EvalContext context;
  context.zone = zone;
  context.now = {now, 0};
  context.query_start = {query_start, 0};
  context.random = seed++ * 0x9e3779b97f4a7c15ull | 1;
  return context;
}

std::string JobContext::setting(const std::string& key, const std::string& otherwise) const {
  const auto at = settings.find(key);
  return at == settings.end() ? otherwise : at->second;
}

void Operator::refresh() {
  eval_.now = {job_.now, 0};
  if (watermark() != min_watermark) eval_.watermark = watermark();
}

void Operator::advance(int input, int64_t watermark) {
  const bool moved = watermark == max_watermark ? inputs_.finish(static_cast<size_t>(input))
                                                : inputs_.advance(static_cast<size_t>(input), watermark);
  if (!moved) return;
  refresh();
  on_watermark(inputs_.value());
}

void Operator::set_idle(int input, bool idle) {
  const bool moved = inputs_.set_idle(static_cast<size_t>(input), idle);
  const bool all = inputs_.all_idle();
  if (all != idle_) {
    idle_ = all;
    for (const Target& to : targets_) to.target->set_idle(to.input, all);
  }
  if (!moved) return;
  refresh();
  on_watermark(inputs_.value());
}

void Operator::save(std::string& out) const {
  append_int(out, inputs_.value());
  append_int(out, static_cast<int64_t>(inputs_.size()));
  for (size_t i = 0; i < inputs_.size(); ++i) append_int(out, inputs_.of(i));
}

void Operator::load(std::string_view& in) {
  const int64_t combined = read_int(in);
  const int64_t saved = read_int(in);
  // A topic may have got partitions since: those start without a watermark.
  for (int64_t i = 0; i < saved; ++i) {
    const int64_t one = read_int(in);
    if (static_cast<size_t>(i) < inputs_.size()) inputs_.restore(combined, static_cast<size_t>(i), one);
  }
}

void Operator::emit(Batch batch) {
  if (batch.selected() == 0) return;
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Target to = targets_[i];
    if (i + 1 == targets_.size())
      to.target->process(to.input, std::move(batch));
    else
      to.target->process(to.input, batch);
  }
}

void Operator::emit_watermark(int64_t watermark) {
  for (const Target& to : targets_) to.target->advance(to.input, watermark);
}

void append_int(std::string& out, int64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, 8);
  out.append(bytes, 8);
}

int64_t read_int(std::string_view& in) {
  if (in.size() < 8) throw std::runtime_error("state is cut short");
  int64_t value = 0;
  std::memcpy(&value, in.data(), 8);
  in.remove_prefix(8);
  return value;
}

void append_bytes(std::string& out, std::string_view bytes) {
  append_int(out, static_cast<int64_t>(bytes.size()));
  out += bytes;
}

std::string_view read_bytes(std::string_view& in) {
  const int64_t size = read_int(in);
  if (size < 0 || static_cast<uint64_t>(size) > in.size()) throw std::runtime_error("state is cut short");
  const std::string_view bytes = in.substr(0, static_cast<size_t>(size));
  in.remove_prefix(static_cast<size_t>(size));
  return bytes;
}

}  // namespace millrace::processing
