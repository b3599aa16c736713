// LIKE patterns: % any text, _ one character, and an optional escape character.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::processing {

class LikePattern {
 public:
  // Throws PlanFailure when the escape is followed by anything but %, _ or itself. `escape`: empty or one character.
  LikePattern(std::string_view pattern, std::string_view escape);
  bool matches(std::string_view text) const;

 private:
  // What stands between two %: plain bytes, with one-character gaps.
  struct Piece {
    std::string text;        // '\0' where a gap is
    std::vector<bool> gaps;  // per byte of text; empty: none
  };
  static size_t match_at(const Piece& piece, std::string_view text);
  std::vector<Piece> pieces_;  // n pieces have n − 1 % between them
};

}  // namespace millrace::processing
