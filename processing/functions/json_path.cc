#include "processing/functions/json_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <unordered_map>

namespace millrace::processing {

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<int64_t> integer(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes the word off the front if spaces follow it.
bool take_mode(std::string_view& text, std::string_view word) {
  if (text.size() <= word.size() || !is_space(text[word.size()])) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if ((text[i] | 0x20) != word[i]) return false;
  }
  text = trim(text.substr(word.size()));
  return true;
}

}  // namespace

JsonPath::JsonPath(std::string_view spec) : spec_(spec) {
  std::string_view text = trim(spec);
  if (take_mode(text, "lax")) {
    mode_ = Mode::lax;
  } else {
    take_mode(text, "strict");
  }
  valid_ = parse(text);
  for (const Step& step : steps_) {
    bool one = (step.kind == Step::Kind::names && step.names.size() == 1) ||
               (step.kind == Step::Kind::indexes && step.indexes.size() == 1);
    // Several names pick several members of one object: the result is that object.
    if (step.deep || (!one && !(step.kind == Step::Kind::names))) definite_ = false;
  }
}

const JsonPath& JsonPath::compiled(std::string_view spec) {
  thread_local std::unordered_map<std::string, std::unique_ptr<JsonPath>> cache;
  thread_local const JsonPath* last = nullptr;
  if (last != nullptr && last->spec_ == spec) return *last;
  if (cache.size() > 256) cache.clear();
  std::unique_ptr<JsonPath>& found = cache[std::string(spec)];
  if (!found) found = std::make_unique<JsonPath>(spec);
  return *(last = found.get());
}

bool JsonPath::parse(std::string_view text) {
  if (text.empty() || text[0] != '$') return false;
  text.remove_prefix(1);
  while (!text.empty()) {
    Step step;
    if (text.starts_with("..")) {
      step.deep = true;
      text.remove_prefix(2);
      if (text.empty()) return false;
      if (text[0] == '[') {
        if (!parse_brackets(text, step)) return false;
        steps_.push_back(std::move(step));
        continue;
      }
    } else if (text[0] == '.') {
      text.remove_prefix(1);
      if (text.empty()) return false;
    } else if (text[0] == '[') {
      if (!parse_brackets(text, step)) return false;
      steps_.push_back(std::move(step));
      continue;
    } else {
      return false;
    }
    if (text[0] == '*') {
      step.kind = Step::Kind::wildcard;
      text.remove_prefix(1);
    } else {
      size_t end = text.find_first_of(".[ ()");
      std::string_view name = text.substr(0, end);
      if (name.empty() || (end != std::string_view::npos && text[end] != '.' && text[end] != '[')) return false;
      step.names.emplace_back(name);
      text.remove_prefix(name.size());
    }
    steps_.push_back(std::move(step));
  }
  return true;
}

bool JsonPath::parse_brackets(std::string_view& text, Step& step) {
  text = trim(text.substr(1));
  if (text.starts_with("*")) {
    step.kind = Step::Kind::wildcard;
    text = trim(text.substr(1));
    if (!text.starts_with("]")) return false;
    text.remove_prefix(1);
    return true;
  }
  if (text.starts_with("'") || text.starts_with("\"")) {
    for (;;) {
      if (text.empty()) return false;
      char quote = text[0];
      if (quote != '\'' && quote != '"') return false;
      std::string name;
      size_t i = 1;
      for (; i < text.size() && text[i] != quote; ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        name += text[i];
      }
      if (i >= text.size()) return false;
      step.names.push_back(std::move(name));
      text = trim(text.substr(i + 1));
      if (text.starts_with(",")) {
        text = trim(text.substr(1));
        continue;
      }
      if (!text.starts_with("]")) return false;
      text.remove_prefix(1);
      return true;
    }
  }
  size_t end = text.find(']');
  if (end == std::string_view::npos) return false;
  std::string_view inner = trim(text.substr(0, end));
  text.remove_prefix(end + 1);
  if (size_t colon = inner.find(':'); colon != std::string_view::npos) {
    step.kind = Step::Kind::slice;
    std::string_view from = trim(inner.substr(0, colon)), to = trim(inner.substr(colon + 1));
    step.from = integer(from);
    step.to = integer(to);
    return (from.empty() || step.from) && (to.empty() || step.to) && !(from.empty() && to.empty());
  }
  step.kind = Step::Kind::indexes;
  for (;;) {
    size_t comma = inner.find(',');
    std::optional<int64_t> index = integer(trim(inner.substr(0, comma)));
    if (!index) return false;
    step.indexes.push_back(*index);
    if (comma == std::string_view::npos) return true;
    inner.remove_prefix(comma + 1);
  }
}

// ---- reading ----

void JsonPath::match(const Json& at, const Step& step, std::vector<const Json*>& found) const {
  int64_t size = static_cast<int64_t>(at.items.size());
  switch (step.kind) {
    case Step::Kind::names:
      for (const std::string& name : step.names) {
        if (const Json* member = at.member(name)) found.push_back(member);
      }
      break;
    case Step::Kind::indexes:
      for (int64_t index : step.indexes) {
        if (index < 0) index += size;
        if (index >= 0 && index < size) found.push_back(&at.items[static_cast<size_t>(index)]);
      }
      break;
    case Step::Kind::slice: {
      int64_t from = step.from.value_or(0), to = step.to.value_or(size);
      if (from < 0) from = std::max<int64_t>(0, from + size);
      if (to < 0) to += size;
      for (int64_t i = from; i < std::min(to, size); ++i) found.push_back(&at.items[static_cast<size_t>(i)]);
      break;
    }
    case Step::Kind::wildcard:
      for (const Json& item : at.items) found.push_back(&item);
      for (const auto& [name, value] : at.members) found.push_back(&value);
      break;
  }
}

void JsonPath::find(const Json& at, size_t number, std::vector<const Json*>& found) const {
  if (number == steps_.size()) {
    found.push_back(&at);
    return;
  }
  const Step& step = steps_[number];
  std::vector<const Json*> here;
  match(at, step, here);
  for (const Json* next : here) find(*next, number + 1, found);
  if (!step.deep) return;
  for (const Json& item : at.items) find(item, number, found);
  for (const auto& [name, value] : at.members) find(value, number, found);
}

// $['a'][0] up to and with that step.
std::string JsonPath::text_to(size_t number) const {
  std::string text = "$";
  for (size_t i = 0; i <= number && i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (step.kind == Step::Kind::names) {
      text += "[";
      for (size_t k = 0; k < step.names.size(); ++k) text += (k > 0 ? ",'" : "'") + step.names[k] + "'";
      text += "]";
    } else if (step.kind == Step::Kind::indexes) {
      text += fmt::format("[{}]", step.indexes[0]);
    } else {
      text += "[*]";
    }
  }
  return text;
}

std::optional<Json> JsonPath::read(const Json& document, std::string* problem) const {
  if (!valid_) {
    if (problem)
      *problem = fmt::format(
          "Illegal jsonpath spec ''{}'', format of the spec should be: ''<lax|strict> $'{{'expr'}}'''", spec_);
    return std::nullopt;
  }
  if (!definite_) {
    std::vector<const Json*> found;
    find(document, 0, found);
    Json list;
    list.kind = Json::Kind::array;
    for (const Json* item : found) list.items.push_back(*item);
    return list;
  }
  const Json* at = &document;
  Json picked;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    bool last = i + 1 == steps_.size();
    if (step.kind == Step::Kind::names && step.names.size() > 1) {
      if (at->kind != Json::Kind::object) return std::nullopt;
      Json some;
      some.kind = Json::Kind::object;
      for (const std::string& name : step.names) {
        if (const Json* member = at->member(name)) some.members.emplace_back(name, *member);
      }
      picked = std::move(some);
      at = &picked;
      continue;
    }
    std::vector<const Json*> found;
    match(*at, step, found);
    if (found.empty()) {
      if (problem && step.kind == Step::Kind::names && at->kind == Json::Kind::object) {
        *problem = fmt::format("{} {}", last ? "No results for path:" : "Missing property in path", text_to(i));
      } else if (problem) {
        *problem = fmt::format(
            "{} {}",
            step.kind == Step::Kind::names ? "Expected to find an object with property" : "No results for path:",
            text_to(i));
      }
      return std::nullopt;
    }
    at = found[0];
  }
  return *at;
}

}  // namespace millrace::processing
