// What time it is: the moment of the query, the wall clock in its zone, and the watermark.
#include "processing/calendar.h"
#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

template <class F>
void bind_clock(Binding& b, DataType type, F kernel) {
  if (b.count() > 1) b.refuse_count("0");
  b.args.clear();  // a precision changes nothing
  b.type = type.not_null();
  b.kernel = kernel;
}

void bind_now(Binding& b) {
  bind_clock(b, DataType::timestamp_ltz(3), lift<[](const KernelCall& c) { return c.context.now; }>);
}
void bind_proctime(Binding& b) {
  bind_now(b);
  b.type.attribute = TimeAttribute::proctime;
}
void bind_local_timestamp(Binding& b) {
  bind_clock(b, DataType::timestamp(3), lift<[](const KernelCall& c) {
               return TimestampValue{c.context.zone.to_local(c.context.now.millis), c.context.now.nanos};
             }>);
}
void bind_current_date(Binding& b) {
  bind_clock(b, DataType::date(), lift<[](const KernelCall& c) {
               return static_cast<int32_t>(floor_div(c.context.zone.to_local(c.context.now.millis), millis_per_day));
             }>);
}
void bind_current_time(Binding& b) {
  bind_clock(b, DataType::time(0), lift<[](const KernelCall& c) {
               int64_t local = floor_mod(c.context.zone.to_local(c.context.now.millis), millis_per_day);
               return static_cast<int32_t>(local / 1000 * 1000);
             }>);
}

void bind_current_watermark(Binding& b) {
  if (b.count() != 1) b.refuse_count("1");
  if (b.arg(0).attribute != TimeAttribute::rowtime) {
    b.refuse_text(java::validation, "The argument of CURRENT_WATERMARK() must be a rowtime attribute, but was '" +
                                        to_string(b.arg(0)) + "'.");
  }
  b.type = b.arg(0).with_nullable(true).with_attribute(TimeAttribute::none);
  b.kernel = lift<[](const KernelCall& c, TimestampValue) -> std::optional<TimestampValue> {
    if (!c.context.watermark) return std::nullopt;
    return TimestampValue{*c.context.watermark, 0};
  }>;
  b.deterministic = false;
}

}  // namespace

std::vector<Function> clock_functions() {
  return {
      {{"CURRENT_TIMESTAMP", "NOW", "CURRENT_ROW_TIMESTAMP"},
       "time",
       "CURRENT_TIMESTAMP",
       "",
       "",
       nullptr,
       bind_now,
       false},
      {{"LOCALTIMESTAMP"}, "time", "LOCALTIMESTAMP", "", "", nullptr, bind_local_timestamp, false},
      {{"CURRENT_DATE"}, "time", "CURRENT_DATE", "", "", nullptr, bind_current_date, false},
      {{"CURRENT_TIME", "LOCALTIME"}, "time", "LOCALTIME", "", "", nullptr, bind_current_time, false},
      {{"PROCTIME"}, "time", "PROCTIME()", "", "", nullptr, bind_proctime, false},
      {{"CURRENT_WATERMARK"}, "time", "CURRENT_WATERMARK(rowtime)", "", "", nullptr, bind_current_watermark, false},
  };
}

}  // namespace millrace::processing
