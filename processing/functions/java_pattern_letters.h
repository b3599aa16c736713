// What the letters of Java's date patterns stand for, where formatting and parsing agree.
#pragma once

#include <array>
#include <string_view>

namespace millrace::processing {

inline constexpr std::array<std::string_view, 12> month_names = {"January",   "February", "March",    "April",
                                                                 "May",       "June",     "July",     "August",
                                                                 "September", "October",  "November", "December"};
inline constexpr std::array<std::string_view, 7> day_names = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                              "Friday", "Saturday", "Sunday"};

// Whether it is written in digits.
inline bool is_number(char letter, int count) {
  if (letter == 'M' || letter == 'L') return count < 3;
  return std::string_view("yuYdDHhKkmsSnNAeFwWQq").find(letter) != std::string_view::npos;
}

}  // namespace millrace::processing
