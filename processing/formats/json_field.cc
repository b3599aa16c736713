#include "processing/formats/json_field.h"

#include <limits>
#include <optional>

#include "processing/formats/number_text.h"

namespace millrace::processing {

std::vector<JsonField> json_fields(std::span<const Field> fields, TimestampStandard standard) {
  std::vector<JsonField> all;
  for (const Field& field : fields) {
    JsonField known;
    known.name = field.name;
    known.physical = physical_of(field.type.root);
    const auto whole = [&]<class T>(T) {
      known.kind = JsonField::Kind::whole;
      known.least = std::numeric_limits<T>::min();
      known.most = std::numeric_limits<T>::max();
    };
    switch (field.type.root) {
      case TypeRoot::tinyint:
        whole(int8_t{});
        break;
      case TypeRoot::smallint:
        whole(int16_t{});
        break;
      case TypeRoot::integer:
        whole(int32_t{});
        break;
      case TypeRoot::bigint:
        whole(int64_t{});
        break;
      case TypeRoot::character:
      case TypeRoot::varchar:
        known.kind = JsonField::Kind::text;
        break;
      case TypeRoot::timestamp:
      case TypeRoot::timestamp_ltz:
        known.kind = JsonField::Kind::timestamp;
        known.millis_only = field.type.precision <= 3;
        known.timestamp = TimestampReader(standard, field.type.is(TypeRoot::timestamp_ltz));
        break;
      case TypeRoot::boolean:
        known.kind = JsonField::Kind::boolean;
        break;
      case TypeRoot::decimal:
      case TypeRoot::double_:
      case TypeRoot::float_:
        known.kind = JsonField::Kind::fraction;
        known.precision = field.type.precision;
        known.scale = field.type.scale;
        break;
      case TypeRoot::date:
        known.kind = JsonField::Kind::date;
        break;
      default:
        break;
    }
    all.push_back(std::move(known));
  }
  return all;
}

JsonFit read_fraction(std::string_view text, const JsonField& known, size_t field, RowTargets& targets) {
  const auto set = [&]<class T>(const std::optional<T>& value) {
    if (value && targets.wanted(field)) targets.set<T>(field, *value);
    return value ? JsonFit::value : JsonFit::null;
  };
  if (known.physical == Physical::decimal)
    return set(parse_decimal(text, known.precision, known.scale));  // too large: NULL
  const JsonFit fit = known.physical == Physical::double_ ? set(parse_double(text)) : set(parse_float(text));
  return fit == JsonFit::null ? JsonFit::unfit : fit;
}

}  // namespace millrace::processing
