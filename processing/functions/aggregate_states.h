// The states behind aggregate calls: numbers in plain arrays by group, everything else boxed.
#pragma once

#include <memory>

#include "processing/functions/aggregate.h"

namespace millrace::processing {

std::unique_ptr<Accumulators> make_count(const AggregateCall& call);
std::unique_ptr<Accumulators> make_sum(const AggregateCall& call, bool zero_when_empty);
std::unique_ptr<Accumulators> make_average(const AggregateCall& call);
std::unique_ptr<Accumulators> make_variance(const AggregateCall& call);  // the STDDEV and VAR family
std::unique_ptr<Accumulators> make_extreme(const AggregateCall& call, bool max, bool retractable);
std::unique_ptr<Accumulators> make_first_last(const AggregateCall& call, bool last, bool retractable);
std::unique_ptr<Accumulators> make_single_value(const AggregateCall& call);
std::unique_ptr<Accumulators> make_collection(const AggregateCall& call);  // LISTAGG, COLLECT, ARRAY_AGG, JSON_…AGG
std::unique_ptr<Accumulators> make_distinct(const AggregateCall& call, std::unique_ptr<Accumulators> inner);

// Plain values in a state's binary form.
template <class T>
void save_plain(std::string& out, const T& v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}
template <class T>
void load_plain(std::string_view& in, T& v) {
  if (in.size() < sizeof v) throw std::runtime_error("an aggregate's state is cut short");
  __builtin_memcpy(&v, in.data(), sizeof v);
  in.remove_prefix(sizeof v);
}

}  // namespace millrace::processing
