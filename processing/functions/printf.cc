// PRINTF: java.util.Formatter's directives over Flink's internal values, so a number is a character for %c and text is
// none, and a DATE is its number of days. What Java refuses comes out as NULL.
//
//   %[argument$ or <][-#+ 0,(][width][.precision]conversion      b s c d o x e f g, most in capitals too; % and n
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "processing/decimal_digits.h"
#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

struct Directive {
  size_t argument = 0;  // from 1; 0: the next one
  bool same = false;    // the one before once more
  std::string flags;
  int width = -1;
  int precision = -1;
  char conversion = 0;

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Behind the %; nothing where it is none.
std::optional<Directive> read_directive(std::string_view text, size_t& at) {
  Directive directive;
  const auto number = [&]() -> std::optional<int> {
    int value = 0;
    size_t digits = 0;
    for (; at < text.size() && is_digit(text[at]); ++at) {
      if (++digits > 9) return std::nullopt;
      value = value * 10 + (text[at] - '0');
    }
    return digits > 0 ? std::optional(value) : std::nullopt;
  };
  if (at < text.size() && text[at] != '0' && is_digit(text[at])) {
    const size_t begin = at;
    const std::optional<int> argument = number();
    if (argument && at < text.size() && text[at] == '$') {
      directive.argument = static_cast<size_t>(*argument);
      ++at;
    } else {
      at = begin;
    }
  }
  if (directive.argument == 0 && at < text.size() && text[at] == '<') {
    directive.same = true;
    ++at;
  }
  for (; at < text.size() && std::string_view("-#+ 0,(").find(text[at]) != std::string_view::npos; ++at) {
    if (directive.has(text[at])) return std::nullopt;
    directive.flags += text[at];
  }
  if (at < text.size() && is_digit(text[at])) {
    const std::optional<int> width = number();
    if (!width) return std::nullopt;
    directive.width = *width;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    const std::optional<int> precision = number();
    if (!precision) return std::nullopt;
    directive.precision = *precision;
  }
  if (at == text.size()) return std::nullopt;
  directive.conversion = text[at++];
  const bool left = directive.has('-');
  if ((left || directive.has('0')) && directive.width < 0) return std::nullopt;
  if (left && directive.has('0')) return std::nullopt;
  if (directive.has('+') && directive.has(' ')) return std::nullopt;
  return directive;
}

std::string padded(std::string text, const Directive& directive) {
  const size_t size = to_utf16(text).size();
  const size_t width = directive.width < 0 ? 0 : static_cast<size_t>(directive.width);
  if (size >= width) return text;
  const std::string spaces(width - size, ' ');
  return directive.has('-') ? text + spaces : spaces + text;
}

std::string cut(std::string text, const Directive& directive) {
  if (directive.precision < 0) return text;
  const std::u16string units = to_utf16(text);
  return to_utf8(units.substr(0, static_cast<size_t>(directive.precision)));
}

// Sign, groups and leading zeros around the digits of a number's size. A fraction follows the first character that is
// no digit.
std::string decorated(bool negative, std::string digits, const Directive& directive) {
  if (directive.has(',')) {
    const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
    for (size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  }
  std::string before, after;
  if (negative && directive.has('(')) {
    before = "(";
    after = ")";
  } else if (negative) {
    before = "-";
  } else if (directive.has('+')) {
    before = "+";
  } else if (directive.has(' ')) {
    before = " ";
  }
  if (directive.has('0')) {
    const size_t size = before.size() + digits.size() + after.size();
    const size_t width = static_cast<size_t>(directive.width);
    if (size < width) digits.insert(0, width - size, '0');
  }
  return padded(before + digits + after, directive);
}

std::string fixed(DecimalDigits number, int precision) {
  number.keep(number.point + precision);
  std::string text;
  for (int i = 0; i < number.point; ++i) text += number.at(i);
  if (text.empty()) text = "0";
  if (precision > 0) text += '.';
  for (int i = 0; i < precision; ++i) text += number.at(number.point + i);
  return text;
}

std::string scientific(DecimalDigits number, int precision) {
  number.keep(precision + 1);
  const int exponent = number.count == 0 ? 0 : number.point - 1;
  std::string text(1, number.at(0));
  if (precision > 0) text += '.';
  for (int i = 1; i <= precision; ++i) text += number.at(i);
  return text + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
}

// %g: as many digits as the precision says, in the form that fits.
std::string general(const DecimalDigits& number, int precision) {
  precision = precision == 0 ? 1 : precision;
  if (number.count == 0) return fixed(number, precision - 1);
  DecimalDigits rounded = number;
  rounded.keep(precision);
  if (rounded.point > -4 && rounded.point <= precision) return fixed(number, precision - rounded.point);
  return scientific(number, precision - 1);
}

std::optional<std::string> floating(double value, const Directive& directive) {
  if (directive.has('#') || (directive.conversion == 'e' && directive.has(','))) return std::nullopt;
  if (!std::isfinite(value)) {
    Directive plain = directive;
    std::erase(plain.flags, '0');
    std::erase(plain.flags, ',');
    if (std::isnan(value)) return padded("NaN", plain);
    return decorated(value < 0, "Infinity", plain);
  }
  const DecimalDigits number = shortest_digits(value);
  const int precision = directive.precision < 0 ? 6 : directive.precision;
  const std::string digits = directive.conversion == 'e'   ? scientific(number, precision)
                             : directive.conversion == 'f' ? fixed(number, precision)
                                                           : general(number, precision);
  return decorated(std::signbit(value), digits, directive);
}

std::optional<std::string> whole(int64_t value, int bits, const Directive& directive) {
  if (directive.precision >= 0) return std::nullopt;
  if (directive.conversion == 'd') {
    if (directive.has('#')) return std::nullopt;
    const uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    return decorated(value < 0, fmt::format("{}", size), directive);
  }
  if (directive.has('+') || directive.has(' ') || directive.has(',') || directive.has('(')) return std::nullopt;
  const uint64_t all = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const uint64_t pattern = static_cast<uint64_t>(value) & all;
  std::string digits = directive.conversion == 'x' ? fmt::format("{:x}", pattern) : fmt::format("{:o}", pattern);
  const std::string prefix = !directive.has('#') ? "" : directive.conversion == 'x' ? "0x" : "0";
  if (directive.has('0')) {
    const size_t width = static_cast<size_t>(directive.width);
    if (prefix.size() + digits.size() < width) digits.insert(0, width - prefix.size() - digits.size(), '0');
  }
  return padded(prefix + digits, directive);
}

int bits_of(const DataType& type) {
  switch (type.root) {
    case TypeRoot::tinyint:
      return 8;
    case TypeRoot::smallint:
      return 16;
    case TypeRoot::bigint:
    case TypeRoot::interval_millis:
      return 64;
    default:
      return 32;
  }
}

std::string shown(const Value& value, const DataType& type, const KernelCall& call) {
  switch (type.root) {
    case TypeRoot::boolean:
      return value.as_bool() ? "true" : "false";
    case TypeRoot::date:
    case TypeRoot::time:
    case TypeRoot::interval_months:
    case TypeRoot::interval_millis:
      return fmt::format("{}", value.as_int());
    case TypeRoot::timestamp:
    case TypeRoot::timestamp_ltz: {
      std::string text = timestamp_text(value.as_timestamp(), 9);
      text[text.find(' ')] = 'T';
      // As Java's LocalDateTime: 0, 3, 6 or 9 digits of a fraction, and no seconds where there are none.
      for (int group = 0; group < 3 && text.ends_with("000"); ++group) text.resize(text.size() - 3);
      if (text.back() == '.') text.pop_back();
      if (text.size() == 19 && text.ends_with(":00")) text.resize(16);
      return text;
    }
    default:
      return value_text(value, type, call.context.zone);
  }
}

std::optional<std::string> formatted(const Directive& written, const Value& value, const DataType& type,
                                     const KernelCall& call) {
  Directive directive = written;
  const bool capitals = directive.conversion >= 'A' && directive.conversion <= 'Z';
  if (capitals) directive.conversion = static_cast<char>(directive.conversion - 'A' + 'a');
  if (capitals && std::string_view("sbcxeg").find(directive.conversion) == std::string_view::npos) return std::nullopt;
  std::optional<std::string> text;
  switch (directive.conversion) {
    case 's':
    case 'b': {
      if (directive.flags.find_first_not_of('-') != std::string::npos) return std::nullopt;
      std::string plain = value.is_null() ? "null" : shown(value, type, call);
      if (directive.conversion == 'b') {
        plain = value.is_null() || (type.root == TypeRoot::boolean && !value.as_bool()) ? "false" : "true";
      }
      text = padded(cut(std::move(plain), directive), directive);
      break;
    }
    case 'd':
    case 'o':
    case 'x':
    case 'e':
    case 'f':
    case 'g': {
      const bool for_whole = std::string_view("dox").find(directive.conversion) != std::string_view::npos;
      if (for_whole && directive.precision >= 0) return std::nullopt;
      if (value.is_null()) {
        text = padded(cut("null", directive), directive);
        break;
      }
      switch (physical_of(type.root)) {
        case Physical::int32:
        case Physical::int64:
          if (for_whole) text = whole(value.as_int(), bits_of(type), directive);
          break;
        case Physical::float_:
          if (!for_whole) text = floating(std::stod(float_text(value.as_float())), directive);
          break;
        case Physical::double_:
          if (!for_whole) text = floating(value.as_double(), directive);
          break;
        default:
          break;
      }
      break;
    }
    case 'c': {
      if (directive.precision >= 0 || directive.flags.find_first_not_of('-') != std::string::npos) return std::nullopt;
      std::string character = "null";
      if (!value.is_null()) {
        const bool small = physical_of(type.root) == Physical::int32 && type.root != TypeRoot::boolean;
        if (!small || value.as_int() < 0 || value.as_int() > 0x10ffff) return std::nullopt;
        character.clear();
        append_code_point(character, static_cast<char32_t>(value.as_int()));
      }
      text = padded(std::move(character), directive);
      break;
    }
    default:
      return std::nullopt;
  }
  if (text && capitals) {
    for (char& c : *text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return text;
}

Value print(const KernelCall& call, std::span<const Value> values) {
  if (values[0].is_null()) return Value();
  const std::string text = values[0].as_text();
  const std::string_view format = text;
  std::string out;
  size_t next = 1, before = 0;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    const std::optional<Directive> directive = read_directive(format, ++at);
    if (!directive) return Value();
    if (directive->conversion == 'n') {
      if (!directive->flags.empty() || directive->width >= 0 || directive->precision >= 0) return Value();
      out += '\n';
    } else if (directive->conversion == '%') {
      if (directive->precision >= 0) return Value();
      out += padded("%", *directive);
    } else {
      const size_t argument = directive->same ? before : directive->argument > 0 ? directive->argument : next++;
      if (argument == 0 || argument >= values.size()) return Value();
      before = argument;
      const std::optional<std::string> printed =
          formatted(*directive, values[argument], call.args[argument].type(), call);
      if (!printed) return Value();
      out += *printed;
    }
  }
  return Value::text(std::move(out));
}

void bind_printf(Binding& b) {
  if (b.count() == 0) b.refuse_count("1");
  if (b.arg(0).root == TypeRoot::null) b.cast(0, DataType::string());
  if (!b.arg(0).is_text()) b.refuse("'PRINTF(<CHARACTER>, <ANY>...)'");
  for (size_t i = 1; i < b.count(); ++i) {
    if (b.arg(i).root == TypeRoot::null) b.cast(i, DataType::string());
  }
  b.type = DataType::string();
}

}  // namespace

std::vector<Function> printf_functions() {
  return {{{"PRINTF"}, "string", "PRINTF(format, a, b, …)", "", "", lift_boxed<print>, bind_printf}};
}

}  // namespace millrace::processing
