#include "processing/windows/window_time.h"

namespace millrace::processing {

int64_t WindowTime::timer(int64_t local) const {
  if (!shifted_) return local;
  if (zone_.is_fixed()) return zone_.to_utc(local);
  constexpr int64_t hour = 3'600'000;
  const int64_t first = zone_.to_utc(local);
  const int64_t next = zone_.to_utc(local + hour);
  if (next - first > hour) return next - hour;
  if (next == first) return first - first % hour;
  return first;
}

WindowShape shape_of(const plan::WindowSpec& spec) {
  WindowShape shape;
  switch (spec.kind) {
    case plan::WindowSpec::Kind::tumble:
      shape.kind = WindowKind::tumble;
      break;
    case plan::WindowSpec::Kind::hop:
      shape.kind = WindowKind::hop;
      break;
    case plan::WindowSpec::Kind::cumulate:
      shape.kind = WindowKind::cumulate;
      break;
    case plan::WindowSpec::Kind::session:
      shape.kind = WindowKind::session;
      break;
  }
  shape.size = spec.size;
  shape.step = spec.slide;
  shape.offset = spec.offset;
  return shape;
}

}  // namespace millrace::processing
