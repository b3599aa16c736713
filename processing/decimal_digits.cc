// Shortest digits as double-conversion finds them.
#include "processing/decimal_digits.h"

#include <double-conversion/double-conversion.h>

#include <algorithm>

namespace millrace::processing {

namespace {

using double_conversion::DoubleToStringConverter;

DecimalDigits digits_of(double value, DoubleToStringConverter::DtoaMode mode) {
  DecimalDigits found;
  static_assert(sizeof found.digits >= DoubleToStringConverter::kBase10MaximalLength + 1);
  if (value == 0) return found;
  bool negative = false;
  DoubleToStringConverter::DoubleToAscii(value, mode, 0, found.digits.data(), static_cast<int>(found.digits.size()),
                                         &negative, &found.count, &found.point);
  return found;
}

}  // namespace

void DecimalDigits::keep(int most) {
  if (most >= count) return;
  const bool up = most >= 0 && at(most) >= '5';
  count = std::max(most, 0);
  if (!up) return;
  while (count > 0 && at(count - 1) == '9') --count;
  if (count > 0) {
    ++digits[static_cast<size_t>(count - 1)];
  } else {
    digits[0] = '1';
    count = 1;
    ++point;
  }
}

DecimalDigits shortest_digits(double value) { return digits_of(value, DoubleToStringConverter::SHORTEST); }
DecimalDigits shortest_digits(float value) {
  return digits_of(static_cast<double>(value), DoubleToStringConverter::SHORTEST_SINGLE);
}

}  // namespace millrace::processing
