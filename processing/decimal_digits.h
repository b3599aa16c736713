// The decimal digits of a floating point number.
#pragma once

#include <array>
#include <string_view>

namespace millrace::processing {

struct DecimalDigits {
  std::array<char, 20> digits{};
  int count = 0;
  int point = 0;  // the number is 0.d₁d₂… · 10^point; zero has no digits

  std::string_view text() const { return {digits.data(), static_cast<size_t>(count)}; }
  char at(int i) const { return i >= 0 && i < count ? digits[static_cast<size_t>(i)] : '0'; }
  // Rounds half up to so many digits; below zero of them nothing is left.
  void keep(int most);
};

// As few as tell a finite number, whose sign is left out, from its neighbours.
DecimalDigits shortest_digits(double value);
DecimalDigits shortest_digits(float value);

}  // namespace millrace::processing
