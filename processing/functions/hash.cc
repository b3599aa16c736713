// Digests, and other encodings of bytes.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "processing/functions/base64.h"
#include "processing/functions/kernel.h"
#include "processing/functions/utf8.h"

namespace millrace::processing {

namespace {

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string digest(std::string_view bytes, const EVP_MD* algorithm) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out, &size, algorithm, nullptr) != 1) {
    throw RunFailure(java::illegal_argument, "Unsupported algorithm");
  }
  return hex({reinterpret_cast<const char*>(out), size});
}

template <const EVP_MD* (*Algorithm)()>
Column digest_kernel(const KernelCall& call) {
  return lift<[](std::string_view v) { return digest(v, Algorithm()); }>(call);
}

const EVP_MD* sha2(int64_t bits) {
  switch (bits) {
    case 0:
    case 256:
      return EVP_sha256();
    case 224:
      return EVP_sha224();
    case 384:
      return EVP_sha384();
    case 512:
      return EVP_sha512();
    default:
      throw RunFailure(java::runtime, "Unsupported algorithm.");
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> unhex(std::string_view text) {
  std::string out;
  size_t i = 0;
  if (text.size() % 2 == 1) {
    // Of an odd number of digits the first counts for nothing.
    if (hex_value(text[i++]) < 0) return std::nullopt;
    out += '\0';
  }
  for (; i < text.size(); i += 2) {
    int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

// ---- character sets ----

enum class Charset { utf8, ascii, latin1, utf16, utf16be, utf16le };

Charset charset(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (upper == "UTF-8" || upper == "UTF8") return Charset::utf8;
  if (upper == "US-ASCII" || upper == "ASCII") return Charset::ascii;
  if (upper == "ISO-8859-1" || upper == "LATIN1") return Charset::latin1;
  if (upper == "UTF-16") return Charset::utf16;
  if (upper == "UTF-16BE") return Charset::utf16be;
  if (upper == "UTF-16LE") return Charset::utf16le;
  throw RunFailure("java.io.UnsupportedEncodingException", std::string(name));
}

std::string encode(std::string_view text, std::string_view name) {
  Charset to = charset(name);
  if (to == Charset::utf8) return std::string(text);
  std::u16string units = to_utf16(text);
  std::string out;
  if (to == Charset::utf16) out = "\xfe\xff";
  for (size_t i = 0; i < units.size(); ++i) {
    unsigned c = units[i];
    if (to == Charset::ascii || to == Charset::latin1) {
      if (c >= 0xd800 && c <= 0xdbff && i + 1 < units.size()) ++i;
      out += c < (to == Charset::ascii ? 0x80u : 0x100u) ? static_cast<char>(c) : '?';
    } else {
      char high = static_cast<char>(c >> 8), low = static_cast<char>(c & 0xff);
      out += to == Charset::utf16le ? low : high;
      out += to == Charset::utf16le ? high : low;
    }
  }
  return out;
}

std::string decode(std::string_view bytes, std::string_view name) {
  Charset from = charset(name);
  std::u16string units;
  if (from == Charset::utf8) return to_utf8(to_utf16(bytes));
  if (from == Charset::ascii || from == Charset::latin1) {
    for (char c : bytes) {
      unsigned char v = static_cast<unsigned char>(c);
      units += from == Charset::ascii && v >= 0x80 ? u'\ufffd' : static_cast<char16_t>(v);
    }
    return to_utf8(units);
  }
  bool little = from == Charset::utf16le;
  if (from == Charset::utf16 && bytes.size() >= 2) {
    little = bytes.starts_with("\xff\xfe");
    if (little || bytes.starts_with("\xfe\xff")) bytes.remove_prefix(2);
  }
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    unsigned a = static_cast<unsigned char>(bytes[i]), b = static_cast<unsigned char>(bytes[i + 1]);
    units += static_cast<char16_t>(little ? b << 8 | a : a << 8 | b);
  }
  return to_utf8(units);
}

template <int Length>
void bind_digest(Binding& b) {
  b.by_letters("x", "");
  b.type = DataType::character(Length).with_nullable(b.any_nullable());
}

void bind_sha2(Binding& b) {
  b.by_letters("xl", "");
  b.type = DataType::varchar(128).with_nullable(b.any_nullable());
}

std::string decoded_base64(std::string_view text) {
  std::optional<std::string> bytes = from_base64(text);
  if (!bytes) {
    const std::optional<char> foreign = foreign_to_base64(text);
    throw RunFailure(java::illegal_argument, foreign ? fmt::format("Illegal base64 character {:x}",
                                                                   static_cast<int>(static_cast<signed char>(*foreign)))
                                                     : "Input byte array has wrong 4-byte ending unit");
  }
  return *bytes;
}

int32_t java_hash_code(std::string_view text) {
  uint32_t h = 0;
  for (char16_t c : to_utf16(text)) h = h * 31 + c;
  int32_t v = static_cast<int32_t>(h);
  return v < 0 && v != INT32_MIN ? -v : v;
}

}  // namespace

std::vector<Function> hash_functions() {
  using S = std::string_view;
  auto hash = [](std::string_view name, void (*bind)(Binding&), Kernel kernel) {
    return Function{{name}, "hash", name, "", "", kernel, bind, true};
  };
  auto plain = [](std::string_view name, std::string_view usage, std::string_view args, std::string_view result,
                  Kernel kernel) { return Function{{name}, "string", usage, args, result, kernel, nullptr, true}; };
  return {
      hash("MD5", bind_digest<32>, digest_kernel<EVP_md5>),
      hash("SHA1", bind_digest<40>, digest_kernel<EVP_sha1>),
      hash("SHA224", bind_digest<56>, digest_kernel<EVP_sha224>),
      hash("SHA256", bind_digest<64>, digest_kernel<EVP_sha256>),
      hash("SHA384", bind_digest<96>, digest_kernel<EVP_sha384>),
      hash("SHA512", bind_digest<128>, digest_kernel<EVP_sha512>),
      Function{{"SHA2"},
               "hash",
               "SHA2(s, bits)",
               "",
               "",
               lift<[](S s, int64_t bits) { return digest(s, sha2(bits)); }>,
               bind_sha2,
               true},
      plain("HASH_CODE", "HASH_CODE(s)", "s", "i", lift<[](S s) { return java_hash_code(s); }>),
      plain("TO_BASE64", "TO_BASE64(s)", "x", "s", lift<[](S s) { return to_base64(s); }>),
      plain("FROM_BASE64", "FROM_BASE64(s)", "x", "s", lift<[](S s) { return decoded_base64(s); }>),
      plain("ENCODE", "ENCODE(s, charset)", "ss", "b?", lift<[](S s, S name) { return encode(s, name); }>),
      plain("DECODE", "DECODE(bytes, charset)", "xs", "s?", lift<[](S s, S name) { return decode(s, name); }>),
      plain("UNHEX", "UNHEX(s)", "s", "b?", lift<[](S s) { return unhex(s); }>),
  };
}

}  // namespace millrace::processing
