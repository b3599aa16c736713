// Numbers as text.
#include <doctest/doctest.h>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "processing/value.h"
#include "tests/sim/random.h"

using namespace millrace;
using namespace millrace::processing;

TEST_CASE("floating point numbers read back as what they were, whole and small, huge and next to powers of ten") {
  sim::SeededRandom random(20'261'122);
  for (int i = 0; i < 200'000; ++i) {
    const float small = std::bit_cast<float>(static_cast<uint32_t>(random.below(0x7f800000)));
    CHECK(std::strtof(float_text(small).c_str(), nullptr) == small);
    const double large = std::bit_cast<double>(random.below(0x7ff0000000000000));
    CHECK(std::strtod(double_text(large).c_str(), nullptr) == large);
    const double whole =
        std::floor(std::ldexp(static_cast<double>(random.below(1ull << 53)), static_cast<int>(random.below(11))));
    CHECK(std::strtod(double_text(whole).c_str(), nullptr) == whole);
    CHECK(std::strtof(float_text(static_cast<float>(whole)).c_str(), nullptr) == static_cast<float>(whole));
  }
  for (double power = 1; power < 1e20; power *= 10) {
    float below = static_cast<float>(power), above = below;
    double lower = power, higher = power;
    for (int step = 0; step < 100; ++step) {
      for (const float number : {below, above}) CHECK(std::strtof(float_text(number).c_str(), nullptr) == number);
      for (const double number : {lower, higher}) CHECK(std::strtod(double_text(number).c_str(), nullptr) == number);
      below = std::nextafter(below, 0.0f);
      above = std::nextafter(above, std::numeric_limits<float>::infinity());
      lower = std::nextafter(lower, 0.0);
      higher = std::nextafter(higher, std::numeric_limits<double>::infinity());
    }
  }
}
