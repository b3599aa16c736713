#include "processing/formats/json_scan.h"

#include <algorithm>
#include <array>

#include "processing/formats/plain_json.h"
#include "processing/jobs/job_failure.h"

namespace millrace::processing {

JsonScan::JsonScan(std::span<const Field> fields, TimestampStandard standard, bool fail_on_missing)
    : known_(json_fields(fields, standard)), fail_on_missing_(fail_on_missing), shapes_(known_) {}

bool JsonScan::read(std::string_view record, JsonValues& values, RowTargets& targets) {
  if (record.size() < 2 || record[0] != '{' || record.size() >= QuoteIndex::none || known_.size() > most_fields)
    return false;
  quotes_.build(record);
  if (quotes_.non_ascii() && !has_whole_characters(record)) return false;
  if (shapes_.read(record, quotes_, targets)) return true;
  if (!walk(record, values, targets)) return false;
  shapes_.learn(record, quotes_);
  return true;
}

// Field by field, whatever they are.
bool JsonScan::walk(std::string_view record, JsonValues& values, RowTargets& targets) {
  record_ = record;
  values_ = &values;
  Place in{record.data() + 1, record.data() + record.size(), quotes_.places()};
  Filled filled{};
  size_t seen = 0;
  skip_space(in.at, in.end);
  if (in.at < in.end && *in.at != '}') {
    for (size_t guess = 0;;) {
      size_t field = unknown;
      if (!read_name(in, guess, field)) return false;
      skip_space(in.at, in.end);
      if (in.at == in.end) return false;
      if (field != unknown && seen < known_.size()) {
        ++seen;
        if (!read_value(in, field, targets, filled)) return false;
      } else if (!skip_value(in)) {
        return false;
      }
      skip_space(in.at, in.end);
      if (in.at == in.end) return false;
      if (*in.at == '}') break;
      if (*in.at != ',') return false;
      ++in.at;
      skip_space(in.at, in.end);
    }
  } else if (in.at == in.end) {
    return false;
  }
  if (seen < known_.size() && fail_on_missing_) return false;
  for (size_t i = 0; i < known_.size(); ++i)
    if ((filled[i / 64] >> (i % 64) & 1) == 0 && targets.wanted(i)) targets.set_null(i);
  targets.end_row();
  return true;
}

[[gnu::always_inline]] inline bool JsonScan::is_expected(const Expected& expected, const Place& in) const {
  const auto left = static_cast<size_t>(in.end - in.at);
  if (left < 16) [[unlikely]]
    return std::string_view(in.at, left).starts_with(expected.text);
  if (((load8(in.at) ^ expected.first) & expected.first_mask) != 0) return false;
  if (((load8(in.at + 8) ^ expected.second) & expected.second_mask) != 0) return false;
  return expected.text.size() <= 16 || std::string_view(in.at, left).starts_with(expected.text);
}

// A name and its colon. `guess`: which of the expected ones it probably is, and then the one behind it.
[[gnu::always_inline]] inline bool JsonScan::read_name(Place& in, size_t& guess, size_t& field) {
  if (guess < expected_.size() && is_expected(expected_[guess], in)) [[likely]] {
    // It begins with a quote and holds one more, neither of which can be escaped.
    in.at += expected_[guess].text.size();
    in.quote += 2;
    field = expected_[guess++].field;
    return true;
  }
  return find_name_apart(in, guess, field);
}

// Calls with copies: what a function that is not inlined gets a reference to would have to live in memory.
[[gnu::always_inline]] inline bool JsonScan::find_name_apart(Place& in, size_t& guess, size_t& field) {
  Place place = in;
  size_t next_guess = guess, found = unknown;
  const bool good = find_name(place, next_guess, found);
  in = place;
  guess = next_guess;
  field = found;
  return good;
}

[[gnu::noinline]] bool JsonScan::find_name(Place& in, size_t& guess, size_t& field) {
  for (size_t tried = 1; tried <= expected_.size(); ++tried) {
    const size_t other = (guess + tried) % expected_.size();
    if (!is_expected(expected_[other], in)) continue;
    in.at += expected_[other].text.size();
    in.quote += 2;
    field = expected_[other].field;
    guess = other + 1;
    return true;
  }
  const char* const from = in.at;
  std::string_view name;
  if (in.at == in.end || *in.at != '"' || !read_string(in, name) || name.find('\\') != std::string_view::npos)
    return false;
  const auto at = std::ranges::find(known_, name, &JsonField::name);
  field = at == known_.end() ? unknown : static_cast<size_t>(at - known_.begin());
  const bool colon_follows = in.at < in.end && *in.at == ':';
  skip_space(in.at, in.end);
  if (in.at == in.end || *in.at != ':') return false;
  ++in.at;
  if (!colon_follows || expected_.size() >= known_.size() + most_unknown) return true;
  Expected expected;
  expected.text.assign(from, in.at);
  expected.field = field;
  std::array<char, 16> text{}, mask{};
  const size_t length = std::min<size_t>(16, expected.text.size());
  std::copy_n(expected.text.data(), length, text.data());
  std::fill_n(mask.data(), length, '\xff');
  expected.first = load8(text.data());
  expected.second = load8(text.data() + 8);
  expected.first_mask = load8(mask.data());
  expected.second_mask = load8(mask.data() + 8);
  expected_.push_back(std::move(expected));
  guess = expected_.size();
  return true;
}

// From a quote to behind the next; the text still has its escapes.
[[gnu::always_inline]] inline bool JsonScan::read_string(Place& in, std::string_view& text) const {
  const uint32_t close = in.quote[1];
  if (record_.data() + in.quote[0] != in.at || close == QuoteIndex::none) return false;
  text = {in.at + 1, close - in.quote[0] - 1};
  in.at = record_.data() + close + 1;
  in.quote += 2;
  return true;
}

[[gnu::always_inline]] inline bool JsonScan::read_value(Place& in, size_t field, RowTargets& targets, Filled& filled) {
  JsonField& known = known_[field];
  const uint64_t bit = uint64_t{1} << (field % 64);
  uint64_t& word = filled[field / 64];
  switch (known.kind) {
    case JsonField::Kind::whole: {
      int64_t number = 0;
      if (!whole_number(in.at, in.end, number)) break;
      if (number < known.least || number > known.most) return false;
      word |= bit;
      if (!targets.wanted(field)) return true;
      if (known.physical == Physical::int64)
        targets.set<int64_t>(field, number);
      else
        targets.set<int32_t>(field, static_cast<int32_t>(number));
      return true;
    }
    case JsonField::Kind::text: {
      if (*in.at != '"') break;
      const Place before = in;
      std::string_view text;
      if (!read_string(in, text)) return false;
      if (quotes_.escapes() && text.find('\\') != std::string_view::npos) {
        in = before;
        break;
      }
      word |= bit;
      if (targets.wanted(field)) targets.set<std::string_view>(field, text);
      return true;
    }
    case JsonField::Kind::timestamp: {
      if (*in.at != '"') break;
      const Place before = in;
      std::string_view text;
      if (!read_string(in, text)) return false;
      if (quotes_.escapes() && text.find('\\') != std::string_view::npos) {
        in = before;
        break;
      }
      std::optional<TimestampValue> value = known.timestamp.read(text);
      if (!value) return false;
      if (known.millis_only) value->nanos = 0;
      word |= bit;
      if (targets.wanted(field)) targets.set<TimestampValue>(field, *value);
      return true;
    }
    case JsonField::Kind::boolean: {
      const bool is_true = take_word(in.at, in.end, "true");
      if (!is_true && !take_word(in.at, in.end, "false")) break;
      word |= bit;
      if (targets.wanted(field)) targets.set<uint8_t>(field, is_true ? 1 : 0);
      return true;
    }
    case JsonField::Kind::fraction: {
      const char* at = in.at;
      if (!skip_number(at, in.end)) break;
      const JsonFit fit = read_fraction({in.at, at}, known, field, targets);
      if (fit == JsonFit::unfit) return false;
      word = fit == JsonFit::null ? word & ~bit : word | bit;
      in.at = at;
      return true;
    }
    case JsonField::Kind::date: {
      if (*in.at != '"') break;
      std::string_view text;
      if (!read_string(in, text)) return false;
      const std::optional<int64_t> days = parse_iso_date(text);
      if (!days) return false;
      word |= bit;
      if (targets.wanted(field)) targets.set<int32_t>(field, static_cast<int32_t>(*days));
      return true;
    }
    case JsonField::Kind::other:
      break;
  }
  if (*in.at == 'n') {
    word &= ~bit;
    return take_word(in.at, in.end, "null");
  }
  Place place = in;
  const bool good = read_any(place, field, targets, filled);
  in = place;
  return good;
}

[[gnu::noinline]] bool JsonScan::read_any(Place& in, size_t field, RowTargets& targets, Filled& filled) {
  const char* const begin = record_.data();
  try {
    reader_.move_to_value(record_, static_cast<size_t>(in.at - begin));
    if (reader_.next() == JsonToken::null_) return false;
    slot_.null = true;
    if (!values_->convert_value(reader_, field, slot_)) return false;
    reader_.text();  // to the end of a string
  } catch (const JobFailure&) {
    return false;
  }
  if (reader_.depth() != 1) return false;
  in.at = begin + reader_.position();
  while (*in.quote < reader_.position()) ++in.quote;
  const uint64_t bit = uint64_t{1} << (field % 64);
  if (slot_.null) {
    filled[field / 64] &= ~bit;
    return true;
  }
  filled[field / 64] |= bit;
  if (targets.wanted(field)) targets.set_slot(field, slot_);
  return true;
}

[[gnu::always_inline]] inline bool JsonScan::skip_value(Place& in) {
  switch (*in.at) {
    case '"': {
      const Place before = in;
      std::string_view text;
      if (!read_string(in, text)) return false;
      if (!quotes_.escapes() || text.find('\\') == std::string_view::npos) return true;
      in = before;
      break;
    }
    case 't':
      return take_word(in.at, in.end, "true");
    case 'f':
      return take_word(in.at, in.end, "false");
    case 'n':
      return take_word(in.at, in.end, "null");
    case '{':
    case '[':
      break;
    default: {
      const char* at = in.at;
      const bool good = skip_number(at, in.end);
      in.at = at;
      return good;
    }
  }
  Place place = in;
  const bool good = skip_any(place);
  in = place;
  return good;
}

[[gnu::noinline]] bool JsonScan::skip_any(Place& in) {
  const char* const begin = record_.data();
  try {
    reader_.move_to_value(record_, static_cast<size_t>(in.at - begin));
    reader_.next();
    while (reader_.depth() > 1) reader_.next();
    reader_.text();
  } catch (const JobFailure&) {
    return false;
  }
  in.at = begin + reader_.position();
  while (*in.quote < reader_.position()) ++in.quote;
  return true;
}

}  // namespace millrace::processing
