// The clock that windows go by. For a TIMESTAMP row time it is the time itself; for TIMESTAMP_LTZ it is local time in
// the session's zone, so that days start at local midnight, whatever the clocks do.
#pragma once

#include <cstdint>

#include "processing/plan.h"
#include "processing/time_zone.h"
#include "processing/windows/assigner.h"

namespace millrace::processing {

class WindowTime {
 public:
  WindowTime(const TimeZone& zone, bool local_time) : zone_(zone), shifted_(local_time) {}

  // From an instant (milliseconds since 1970) to the windows' clock, and back.
  int64_t local(int64_t instant) const { return shifted_ ? zone_.to_local(instant) : instant; }
  int64_t instant(int64_t local) const { return shifted_ ? zone_.to_utc(local) : local; }
  // Whether a window is complete once the watermark is there.
  bool fired(int64_t window_end, int64_t watermark) const {
    return watermark == max_watermark || watermark >= timer(window_end - 1);
  }
  // The instant at which the windows' clock surely shows `local`: of an hour that comes twice the second one, of an
  // hour that is skipped the moment of the jump.
  int64_t timer(int64_t local) const;

 private:
  const TimeZone& zone_;
  bool shifted_;
};

WindowShape shape_of(const plan::WindowSpec& spec);

}  // namespace millrace::processing
