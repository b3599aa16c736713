// Reading kcat's flags with getopt, as kcat does, so that joined and permuted forms mean the same.
#include "tools/cat/options.h"

#include <getopt.h>

#include <charconv>

namespace millrace::tools::cat {

const char* const usage = R"(usage: millrace cat -b BROKERS (-C|-P|-L|-Q|-G GROUP) [options] [TOPIC or FILE …]

  -C  consume (default)         -P  produce from standard input, or from FILEs
  -L  list brokers and topics   -Q  offsets by time: -t TOPIC:PARTITION:TIMESTAMP_MS …
  -G GROUP TOPIC…               consume as a member of a group

  -b BROKERS    host:port,… (localhost:9092)         -t TOPIC
  -p PARTITION  one partition only                   -X KEY=VALUE  client property (see below)
  -K DELIM      key and value are separated by DELIM
  -D DELIM      records are separated by DELIM (newline)
consuming:
  -o OFFSET     beginning, end, stored, N, -N (from the end), s@MS (from a time), e@MS (until a time)
  -c COUNT      stop after COUNT records             -e  stop at the end of every partition
  -f FORMAT     %s value %S its size %k key %K its size %t topic %p partition %o offset %T time %h headers \n \t
  -J            one JSON object a record             -u  write at once    -q  no notes
producing:
  -z CODEC      none, gzip, snappy, lz4, zstd        -k KEY  the same key for every record
  -H NAME=VALUE header, any number of times          -Z  an empty value or key is null
  -l            lines of FILE, not FILE as one record

-X understands: acks, enable.idempotence, compression.codec, auto.offset.reset, isolation.level, session.timeout.ms,
heartbeat.interval.ms, client.id; others are accepted for the sake of scripts written for kcat.)";

namespace {

int64_t number(std::string_view text, std::string_view what) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    throw UsageError(std::string(what) + " is not a number: '" + std::string(text) + "'");
  }
  return value;
}

void read_position(Options& options, std::string_view text) {
  using Kind = Position::Kind;
  if (text.starts_with("s@")) {
    options.from = {Kind::time, number(text.substr(2), "-o s@")};
  } else if (text.starts_with("e@")) {
    options.until = Position{Kind::time, number(text.substr(2), "-o e@")};
  } else if (text == "beginning" || text == "earliest") {
    options.from = {Kind::beginning, 0};
  } else if (text == "end" || text == "latest") {
    options.from = {Kind::end, 0};
  } else if (text == "stored") {
    options.from = {Kind::stored, 0};
  } else {
    const int64_t value = number(text, "-o");
    options.from = value < 0 ? Position{Kind::from_end, -value} : Position{Kind::absolute, value};
  }
}

std::pair<std::string, std::string> split_pair(std::string_view text, std::string_view what) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    throw UsageError(std::string(what) + " wants NAME=VALUE, not '" + std::string(text) + "'");
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

protocol::Compression codec_named(std::string_view name) {
  const auto codec = protocol::compression_named(name);
  if (!codec) throw UsageError("no such codec: '" + std::string(name) + "' (none, gzip, snappy, lz4 or zstd)");
  return *codec;
}

void finish(Options& options, std::vector<std::string> rest) {
  if (const auto codec = options.properties.find("compression.codec"); codec != options.properties.end()) {
    options.compression = codec_named(codec->second);
  }
  if (const auto codec = options.properties.find("compression.type"); codec != options.properties.end()) {
    options.compression = codec_named(codec->second);
  }
  if (const auto servers = options.properties.find("bootstrap.servers"); servers != options.properties.end()) {
    options.brokers = servers->second;
  }
  switch (options.mode) {
    case Mode::group:
      options.topics = std::move(rest);
      if (options.topics.empty()) throw UsageError("-G wants a group and at least one topic");
      break;
    case Mode::produce:
      options.files = std::move(rest);
      if (options.topic.empty()) throw UsageError("-P wants a topic: -t TOPIC");
      break;
    case Mode::consume:
      if (options.topic.empty()) throw UsageError("-C wants a topic: -t TOPIC");
      break;
    case Mode::query:
      if (options.query.empty()) throw UsageError("-Q wants -t TOPIC:PARTITION:TIMESTAMP_MS");
      break;
    case Mode::list:
      break;
  }
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    switch (const char c = text[++i]) {
      case 'n':
        out.push_back('\n');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case '0':
        out.push_back('\0');
        break;
      case 'x': {
        unsigned value = 0;
        const char* from = text.data() + i + 1;
        const auto [end, error] = std::from_chars(from, text.data() + std::min(text.size(), i + 3), value, 16);
        if (error == std::errc()) {
          out.push_back(static_cast<char>(value));
          i += static_cast<size_t>(end - from);
        }
        break;
      }
      default:
        out.push_back(c);
    }
  }
  return out;
}

Options parse_options(int argc, char** argv) {
  Options options;
  optind = 1;
  opterr = 0;
  for (int flag = 0; (flag = getopt(argc, argv, ":CPLQG:b:t:p:o:c:ef:K:D:z:X:k:H:ZlquJO")) != -1;) {
    const std::string_view argument = optarg == nullptr ? "" : optarg;
    switch (flag) {
      case 'C':
        options.mode = Mode::consume;
        break;
      case 'P':
        options.mode = Mode::produce;
        break;
      case 'L':
        options.mode = Mode::list;
        break;
      case 'Q':
        options.mode = Mode::query;
        break;
      case 'G':
        options.mode = Mode::group;
        options.group = argument;
        break;
      case 'b':
        options.brokers = argument;
        break;
      case 't':
        options.topic = argument;
        options.query.emplace_back(argument);
        break;
      case 'p':
        options.partition = static_cast<int32_t>(number(argument, "-p"));
        break;
      case 'o':
        read_position(options, argument);
        break;
      case 'c':
        options.count = number(argument, "-c");
        break;
      case 'e':
        options.exit_at_end = true;
        break;
      case 'f':
        options.format = argument;
        break;
      case 'K':
        options.key_delimiter = unescape(argument);
        break;
      case 'D':
        options.delimiter = unescape(argument);
        break;
      case 'z':
        options.compression = codec_named(argument);
        break;
      case 'X':
        options.properties.insert(split_pair(argument, "-X"));
        break;
      case 'k':
        options.fixed_key = argument;
        break;
      case 'H': {
        auto [name, value] = split_pair(argument, "-H");
        options.headers.push_back({std::move(name), std::move(value)});
        break;
      }
      case 'Z':
        options.null_for_empty = true;
        break;
      case 'l':
        options.lines_of_file = true;
        break;
      case 'q':
        options.quiet = true;
        break;
      case 'u':
        options.unbuffered = true;
        break;
      case 'J':
        options.json = true;
        break;
      case 'O':
        break;
      case ':':
        throw UsageError(std::string("-") + static_cast<char>(optopt) + " wants a value");
      default:
        throw UsageError(std::string("no such option: -") + static_cast<char>(optopt));
    }
  }
  if (options.delimiter.empty()) throw UsageError("-D wants a delimiter");
  finish(options, std::vector<std::string>(argv + optind, argv + argc));
  return options;
}

}  // namespace millrace::tools::cat
