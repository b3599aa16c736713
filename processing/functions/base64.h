// Base64 as Java's basic encoder and decoder do it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::processing {

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);
// The first character that is neither a digit of it nor padding.
std::optional<char> foreign_to_base64(std::string_view text);

}  // namespace millrace::processing
