// Windowed jobs, from topic to topic.
#include <doctest/doctest.h>

#include "processing/windows/assigner.h"
#include "processing/windows/sessions.h"
#include "processing/windows/watermark.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

TEST_CASE("a row of a hopping window falls into size / slide windows, the latest first") {
  const WindowAssigner hop({WindowKind::hop, 10, 5, 0});
  CHECK(hop.windows(12) == std::vector<Window>{{10, 20}, {5, 15}});
  CHECK(hop.windows(-1) == std::vector<Window>{{-5, 5}, {-10, 0}});
  CHECK(hop.slice_end(12) == 15);
  CHECK(hop.last_window_end(15) == 20);
  CHECK(hop.first_slice_end(20) == 15);
}

TEST_CASE("cumulating windows grow from the same start") {
  const WindowAssigner cumulate({WindowKind::cumulate, 20, 5, 0});
  CHECK(cumulate.windows(7) == std::vector<Window>{{0, 10}, {0, 15}, {0, 20}});
  CHECK(cumulate.last_window_end(20) == 20);
  CHECK(cumulate.window_ending(25) == Window{20, 25});
}

TEST_CASE("an offset shifts windows both ways") {
  CHECK(WindowAssigner({WindowKind::tumble, 10, 0, 3}).windows(2) == std::vector<Window>{{-7, 3}});
  CHECK(WindowAssigner({WindowKind::tumble, 10, 0, -4}).windows(6) == std::vector<Window>{{6, 16}});
}

TEST_CASE("a time at the end of all time has its window, too") {
  for (const WindowKind kind : {WindowKind::tumble, WindowKind::hop, WindowKind::cumulate, WindowKind::session}) {
    const WindowAssigner assigner({kind, 20, 5, 3});
    for (const int64_t time : {INT64_MAX, INT64_MIN}) {
      assigner.windows(time);
      assigner.last_window_end(assigner.slice_end(time));
      assigner.first_slice_end(assigner.slice_end(time));
    }
  }
  const int64_t newest = INT64_MAX / 10 * 10;
  CHECK(WindowAssigner({WindowKind::tumble, 10, 0, 0}).windows(INT64_MAX).at(0).start == newest);
}

TEST_CASE("sessions that touch become one, and keep the state of the first") {
  SessionSet sessions;
  const SessionSet::Placed a = sessions.place({0, 5});
  CHECK(a.session.state == -1);
  sessions.keep(a, 1);
  sessions.keep(sessions.place({10, 15}), 2);
  const SessionSet::Placed bridge = sessions.place({5, 10});
  CHECK(bridge.session.window == Window{0, 15});
  CHECK(bridge.session.state == 1);
  CHECK(bridge.absorbed.size() == 2);
  sessions.keep(bridge, 1);
  CHECK(sessions.all().size() == 1);
  CHECK(sessions.place({16, 21}).absorbed.empty());
}

TEST_CASE("the combined watermark is the least of the active inputs and never goes back") {
  CombinedWatermark combined(3);
  combined.advance(0, 50);
  CHECK(combined.value() == min_watermark);
  combined.advance(1, 30);
  CHECK(combined.set_idle(2, true));
  CHECK(combined.value() == 30);
  CHECK(combined.slowest() == 1);
  combined.advance(2, 10);
  CHECK(combined.value() == 30);
}

TEST_CASE("the end of one input does not win over inputs that are merely idle") {
  CombinedWatermark combined(2);
  combined.advance(0, 50);
  combined.set_idle(0, true);
  combined.finish(1);
  CHECK(combined.value() == min_watermark);
  CHECK(combined.all_idle());
  combined.set_idle(0, false);
  CHECK(combined.value() == 50);
  combined.finish(0);
  CHECK(combined.value() == max_watermark);
}

TEST_CASE("a window fires at the watermark that says its last millisecond has passed") {
  const WindowTime time(TimeZone::utc(), false);
  CHECK(!time.fired(10'000, 9'998));
  CHECK(time.fired(10'000, 9'999));
}

TEST_CASE("local days last 23 and 25 hours when clocks change") {
  const TimeZone zone = *TimeZone::find("America/Los_Angeles");
  const WindowTime time(zone, true);
  const WindowAssigner day({WindowKind::tumble, 86'400'000, 0, 0});
  const auto length = [&](int64_t noon) {
    const Window window = day.windows(time.local(noon)).front();
    return (time.instant(window.end) - time.instant(window.start)) / 3'600'000;
  };
  CHECK(length(1'615'752'000'000) == 23);  // 2021-03-14
  CHECK(length(1'636'315'200'000) == 25);  // 2021-11-07
  CHECK(length(1'640'000'000'000) == 24);
  // Half past two does not exist on the first of these days: its timer goes off when the clock jumps.
  CHECK(time.timer(1'615'689'000'000) == 1'615'716'000'000);
}

}  // namespace millrace::processing
