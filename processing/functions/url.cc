// URLs, split and escaped as java.net does it.
#include <fmt/format.h>

#include "processing/functions/kernel.h"

namespace millrace::processing {

namespace {

struct Url {
  std::string_view protocol, authority, user, host, path, file;
  std::optional<std::string_view> query, reference;
  bool has_user = false;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Nothing: not a URL, or one of a protocol Java does not know.
std::optional<Url> parse(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_letter(text[0])) return std::nullopt;
  Url url;
  url.protocol = text.substr(0, colon);
  bool known = false;
  for (std::string_view p : {"http", "https", "ftp", "file", "jar", "mailto"}) known = known || url.protocol == p;
  if (!known) return std::nullopt;
  text.remove_prefix(colon + 1);
  if (size_t hash = text.find('#'); hash != std::string_view::npos) {
    url.reference = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    size_t end = text.find_first_of("/?");
    url.authority = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
    url.host = url.authority;
    if (size_t at = url.host.rfind('@'); at != std::string_view::npos) {
      url.user = url.host.substr(0, at);
      url.has_user = true;
      url.host = url.host.substr(at + 1);
    }
    size_t bracket = url.host.find(']');
    size_t port = url.host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (port != std::string_view::npos) {
      for (char c : url.host.substr(port + 1)) {
        if (c < '0' || c > '9') return std::nullopt;
      }
      url.host = url.host.substr(0, port);
    }
  }
  url.file = text;
  url.path = text;
  if (size_t question = text.find('?'); question != std::string_view::npos) {
    url.query = text.substr(question + 1);
    url.path = text.substr(0, question);
  }
  return url;
}

std::optional<std::string_view> part_of(std::string_view text, std::string_view part) {
  std::optional<Url> url = parse(text);
  if (!url) return std::nullopt;
  if (part == "HOST") return url->host;
  if (part == "PATH") return url->path;
  if (part == "QUERY") return url->query;
  if (part == "REF") return url->reference;
  if (part == "PROTOCOL") return url->protocol;
  if (part == "FILE") return url->file;
  if (part == "AUTHORITY" && !url->authority.empty()) return url->authority;
  if (part == "USERINFO" && url->has_user) return url->user;
  return std::nullopt;
}

std::optional<std::string_view> query_value(std::string_view text, std::string_view part, std::string_view key) {
  if (part != "QUERY") return std::nullopt;
  std::optional<std::string_view> query = part_of(text, part);
  if (!query) return std::nullopt;
  std::string_view rest = *query;
  for (;;) {
    size_t end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=')
      return pair.substr(key.size() + 1);
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
}

std::string url_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '*' || c == '_') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> url_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void bind_parse_url(Binding& b) {
  b.by_letters("ss[s", "s?");
  b.kernel = b.count() == 2
                 ? Kernel(lift<[](std::string_view url, std::string_view part) { return part_of(url, part); }>)
                 : Kernel(lift<[](std::string_view url, std::string_view part, std::string_view key) {
                     return query_value(url, part, key);
                   }>);
}

}  // namespace

std::vector<Function> url_functions() {
  using S = std::string_view;
  return {
      Function{{"PARSE_URL"}, "string", "PARSE_URL(url, part[, key])", "", "", nullptr, bind_parse_url, true},
      Function{{"URL_ENCODE"}, "string", "URL_ENCODE(s)", "s", "s", lift<[](S s) { return url_encode(s); }>},
      Function{{"URL_DECODE"}, "string", "URL_DECODE(s)", "s", "s?", lift<[](S s) { return url_decode(s); }>},
  };
}

}  // namespace millrace::processing
