#include "processing/functions/like.h"

#include <fmt/format.h>

#include <algorithm>

#include "processing/failure.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

LikePattern::LikePattern(std::string_view pattern, std::string_view escape) {
  if (!escape.empty() && count_characters(escape) != 1) {
    throw PlanFailure(java::validation, fmt::format("Invalid escape character '{}'", escape));
  }
  pieces_.emplace_back();
  bool gaps = false;
  auto add = [&](std::string_view bytes, bool gap) {
    pieces_.back().text += bytes;
    pieces_.back().gaps.resize(pieces_.back().text.size(), gap);
    gaps = gaps || gap;
  };
  for (size_t i = 0; i < pattern.size();) {
    std::string_view c = pattern.substr(i, character_size(pattern[i]));
    i += c.size();
    if (!escape.empty() && c == escape) {
      std::string_view next = i < pattern.size() ? pattern.substr(i, character_size(pattern[i])) : std::string_view();
      if (next != "%" && next != "_" && next != escape) {
        throw PlanFailure(java::validation, fmt::format("Invalid escape sequence '{}', {}", pattern,
                                                        count_characters(pattern.substr(0, i)) - 1));
      }
      add(next, false);
      i += next.size();
    } else if (c == "%") {
      pieces_.emplace_back();
    } else if (c == "_") {
      add(std::string_view("\0", 1), true);
    } else {
      add(c, false);
    }
  }
  if (!gaps) {
    for (Piece& piece : pieces_) piece.gaps.clear();
  }
}

// How many bytes of the text the piece covers from its start; npos: it does not match there.
size_t LikePattern::match_at(const Piece& piece, std::string_view text) {
  if (piece.gaps.empty()) return text.starts_with(piece.text) ? piece.text.size() : std::string_view::npos;
  size_t at = 0;
  for (size_t i = 0; i < piece.text.size(); ++i) {
    if (at >= text.size()) return std::string_view::npos;
    if (piece.gaps[i]) {
      at += character_size(text[at]);
    } else if (text[at] == piece.text[i]) {
      ++at;
    } else {
      return std::string_view::npos;
    }
  }
  return at <= text.size() ? at : std::string_view::npos;
}

bool LikePattern::matches(std::string_view text) const {
  size_t covered = match_at(pieces_[0], text);
  if (covered == std::string_view::npos) return false;
  if (pieces_.size() == 1) return covered == text.size();
  text.remove_prefix(covered);
  // Each middle piece where it first fits; the last one at the end.
  for (size_t p = 1; p + 1 < pieces_.size(); ++p) {
    const Piece& piece = pieces_[p];
    if (piece.gaps.empty()) {
      size_t at = text.find(piece.text);
      if (at == std::string_view::npos) return false;
      text.remove_prefix(at + piece.text.size());
      continue;
    }
    while ((covered = match_at(piece, text)) == std::string_view::npos) {
      if (text.empty()) return false;
      text.remove_prefix(std::min(character_size(text[0]), text.size()));
    }
    text.remove_prefix(covered);
  }
  const Piece& last = pieces_.back();
  if (last.gaps.empty()) return text.ends_with(last.text);
  for (;;) {
    if (match_at(last, text) == text.size()) return true;
    if (text.empty()) return false;
    text.remove_prefix(std::min(character_size(text[0]), text.size()));
  }
}

}  // namespace millrace::processing
