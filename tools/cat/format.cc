// The format codes of kcat's -f.
#include "tools/cat/format.h"

namespace millrace::tools::cat {

namespace {

void append_headers(std::string& out, const protocol::RecordView& record) {
  bool first = true;
  for (const protocol::HeaderView& header : record.headers()) {
    if (!first) out.push_back(',');
    first = false;
    out.append(header.key).push_back('=');
    out.append(header.value.value_or("NULL"));
  }
}

int64_t size_of(const std::optional<std::string_view>& bytes) {
  return bytes ? static_cast<int64_t>(bytes->size()) : -1;
}

void append_json_field(std::string& out, std::string_view name, const std::optional<std::string_view>& value) {
  append_json_string(out, name);
  out.push_back(':');
  if (value) {
    append_json_string(out, *value);
  } else {
    out.append("null");
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out.append("\\u00");
          out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
          out.push_back(digits[static_cast<unsigned char>(c) & 15]);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

void Formatter::append(std::string& out, std::string_view topic, PartitionId partition,
                       const protocol::RecordView& record) const {
  if (options_.json) return append_json(out, topic, partition, record);
  if (options_.format) return append_formatted(out, topic, partition, record);
  if (options_.key_delimiter) out.append(record.key.value_or("")).append(*options_.key_delimiter);
  out.append(record.value.value_or("")).append(options_.delimiter);
}

void Formatter::append_json(std::string& out, std::string_view topic, PartitionId partition,
                            const protocol::RecordView& record) const {
  out.append("{\"topic\":");
  append_json_string(out, topic);
  out.append(",\"partition\":").append(std::to_string(partition.value));
  out.append(",\"offset\":").append(std::to_string(record.offset.value));
  out.append(",\"tstype\":\"create\",\"ts\":").append(std::to_string(record.timestamp.value));
  if (record.header_count > 0) {
    out.append(",\"headers\":[");
    bool first = true;
    for (const protocol::HeaderView& header : record.headers()) {
      if (!first) out.push_back(',');
      first = false;
      append_json_string(out, header.key);
      out.push_back(',');
      append_json_string(out, header.value.value_or("NULL"));
    }
    out.push_back(']');
  }
  out.push_back(',');
  append_json_field(out, "key", record.key);
  out.push_back(',');
  append_json_field(out, "payload", record.value);
  out.append("}\n");
}

void Formatter::append_formatted(std::string& out, std::string_view topic, PartitionId partition,
                                 const protocol::RecordView& record) const {
  const std::string_view format = *options_.format;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '\\') {
      const size_t length = i + 1 < format.size() && format[i + 1] == 'x' ? 4 : 2;
      out.append(unescape(format.substr(i, length)));
      i += std::min(length, format.size() - i) - 1;
      continue;
    }
    if (format[i] != '%' || i + 1 == format.size()) {
      out.push_back(format[i]);
      continue;
    }
    switch (const char code = format[++i]) {
      case 's':
        out.append(record.value.value_or(""));
        break;
      case 'S':
        out.append(std::to_string(size_of(record.value)));
        break;
      case 'k':
        out.append(record.key.value_or(""));
        break;
      case 'K':
        out.append(std::to_string(size_of(record.key)));
        break;
      case 't':
        out.append(topic);
        break;
      case 'p':
        out.append(std::to_string(partition.value));
        break;
      case 'o':
        out.append(std::to_string(record.offset.value));
        break;
      case 'T':
        out.append(std::to_string(record.timestamp.value));
        break;
      case 'h':
        append_headers(out, record);
        break;
      case '%':
        out.push_back('%');
        break;
      default:
        out.append({'%', code});
    }
  }
}

}  // namespace millrace::tools::cat
