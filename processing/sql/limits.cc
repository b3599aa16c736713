// What a plan may not ask for because it would never come to an end: windows that put each row into millions of others.
#include <fmt/format.h>

#include <set>

#include "processing/sql/error.h"
#include "processing/sql/planner.h"
#include "processing/windows/window_time.h"

namespace millrace::processing::sql {
namespace {

constexpr int64_t most_windows =
    100'000'000;                          // that one row makes complete: a day of milliseconds, three years of seconds
constexpr int64_t most_copies = 100'000;  // of a row, where windows are not aggregated: a day of seconds

class Limits {
 public:
  void visit(const plan::Node& node) {
    if (!seen_.insert(&node).second) return;
    for (const plan::NodePtr& input : node.inputs) visit(*input);
    if (node.kind == plan::Kind::window_tvf)
      check(static_cast<const plan::WindowTvf&>(node).window, most_copies, "copies each row into");
    if (node.kind == plan::Kind::window_aggregate)
      check(static_cast<const plan::WindowAggregate&>(node).window, most_windows, "counts each row in");
  }

 private:
  static void check(const plan::WindowSpec& spec, int64_t most, std::string_view what) {
    const int64_t windows = WindowAssigner::windows_of_a_row(shape_of(spec));
    if (windows <= most) return;
    const bool hop = spec.kind == plan::WindowSpec::Kind::hop;
    fail_table(
        fmt::format("{} with a {} of {} ms and a {} of {} ms {} {} windows, and no job would ever come to the end of "
                    "them: at most {} are possible here. Use a longer {}.",
                    hop ? "HOP" : "CUMULATE", hop ? "slide" : "step", spec.slide, hop ? "size" : "maxSize", spec.size,
                    what, windows, most, hop ? "slide" : "step"));
  }

  std::set<const plan::Node*> seen_;
};

}  // namespace

void check_limits(const plan::Plan& plan) {
  Limits limits;
  for (const auto& sink : plan.sinks) limits.visit(*sink);
}

}  // namespace millrace::processing::sql
