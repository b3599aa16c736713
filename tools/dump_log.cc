// `millrace dump-log FILE…`: what is in the files of a log directory, for people. Works offline, writes nothing.
//
// Exit code 1 when a batch's checksum is wrong, or bytes are left over that are no batch.
#include <filesystem>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "log/producer_state.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"
#include "protocol/registry.h"
#include "runtime/real/world.h"
#include "tools/cat/format.h"
#include "tools/client/connection.h"
#include "tools/verbs.h"

namespace millrace::tools {

namespace {

using protocol::MessageKind;

enum class Decoder { none, metadata, group, transaction, share };

struct Wanted {
  std::vector<std::string> files;
  bool records = false;
};

// The topic's name says what its records are.
Decoder decoder_for(const std::filesystem::path& file) {
  const std::string directory = std::filesystem::absolute(file).parent_path().filename().string();
  const std::string topic = directory.substr(0, directory.rfind('-'));
  if (topic == "__cluster_metadata" || file.extension() == ".checkpoint") return Decoder::metadata;
  if (topic == "__consumer_offsets") return Decoder::group;
  if (topic == "__transaction_state") return Decoder::transaction;
  if (topic == "__share_group_state") return Decoder::share;
  return Decoder::none;
}

std::string quoted(const std::optional<std::string_view>& bytes) {
  if (!bytes) return "null";
  std::string out;
  cat::append_json_string(out, *bytes);
  return out;
}

std::string message_text(MessageKind kind, int16_t key, int16_t version, Bytes body) {
  const protocol::MessageInfo* info = protocol::find_message(kind, key);
  if (info == nullptr) return fmt::format("(unknown type {})", key);
  const std::optional<std::string> text = protocol::describe(*info, std::move(body), version);
  return fmt::format("{} v{} {}", info->name, version, text.value_or("(unreadable)"));
}

// A record of __cluster_metadata: frame version, type and version as unsigned varints, then the message.
std::string metadata_text(std::string_view value) {
  const Bytes bytes = Bytes::copy_of(value);
  protocol::Reader reader(bytes);
  const uint32_t frame = reader.uvarint();
  const auto key = static_cast<int16_t>(reader.uvarint());
  const auto version = static_cast<int16_t>(reader.uvarint());
  if (!reader.ok() || frame != 1) return "(not a metadata record)";
  return message_text(MessageKind::metadata, key, version, bytes.slice(reader.position(), reader.remaining()));
}

// A coordinator's record: the key begins with its type, the value with its version.
std::string coordinator_text(const protocol::RecordView& record, MessageKind keys, MessageKind values) {
  if (!record.key) return "(no key)";
  const Bytes key = Bytes::copy_of(*record.key);
  protocol::Reader reader(key);
  const int16_t type = reader.i16();
  if (!reader.ok()) return "(unreadable key)";
  // Types 0 and 1 are both offset commits, and share one message.
  std::string text = message_text(keys, type, 0, key.slice(2, key.size() - 2)) + " => ";
  if (!record.value) return text + "tombstone";
  const Bytes value = Bytes::copy_of(*record.value);
  protocol::Reader value_reader(value);
  const int16_t version = value_reader.i16();
  if (!value_reader.ok()) return text + "(unreadable value)";
  return text + message_text(values, type, version, value.slice(2, value.size() - 2));
}

std::string control_text(const protocol::RecordView& record) {
  if (!record.key || record.key->size() < 4) return "(unreadable control record)";
  const auto type = protocol::load_big<int16_t>(reinterpret_cast<const std::byte*>(record.key->data()) + 2);
  constexpr std::string_view names[] = {"ABORT",           "COMMIT",        "LEADER_CHANGE", "SNAPSHOT_HEADER",
                                        "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"};
  return std::string(type >= 0 && static_cast<size_t>(type) < std::size(names) ? names[type] : "UNKNOWN");
}

std::string record_text(const protocol::RecordView& record, Decoder decoder, bool control) {
  if (control) return control_text(record);
  switch (decoder) {
    case Decoder::metadata:
      return metadata_text(record.value.value_or(""));
    case Decoder::group:
      return coordinator_text(record, MessageKind::group_key, MessageKind::group_value);
    case Decoder::transaction:
      return coordinator_text(record, MessageKind::transaction_key, MessageKind::transaction_value);
    case Decoder::share:
      return coordinator_text(record, MessageKind::share_key, MessageKind::share_value);
    case Decoder::none:
      break;
  }
  std::string text = "key " + quoted(record.key) + " value " + quoted(record.value);
  for (const protocol::HeaderView& header : record.headers())
    text += fmt::format(" header {}={}", header.key, quoted(header.value));
  return text;
}

int dump_batch(const protocol::RecordBatch& batch, int64_t position, Decoder decoder, const Wanted& wanted) {
  const bool valid = batch.crc_matches();
  if (batch.is_legacy()) {
    fmt::print("at {}: offset {} size {} magic {}{}\n", position, batch.base_offset().value, batch.size(),
               batch.magic(), valid ? "" : " WRONG CHECKSUM");
  } else {
    fmt::print("at {}: offsets {}..{} records {} size {} epoch {} codec {}{}{} time {} producer {}/{} sequence {}{}\n",
               position, batch.base_offset().value, batch.last_offset().value, batch.count(), batch.size(),
               batch.leader_epoch().value, batch.codec_bits() <= 4 ? name(batch.compression()) : "?",
               batch.is_transactional() ? " transactional" : "", batch.is_control() ? " control" : "",
               batch.max_timestamp().value, batch.producer_id().value, batch.producer_epoch().value,
               batch.base_sequence().value, valid ? "" : " WRONG CHECKSUM");
  }
  if (!wanted.records || !valid) return valid ? 0 : 1;
  const bool control = !batch.is_legacy() && batch.is_control();
  protocol::RecordReader records(batch);
  while (const auto record = records.next()) {
    fmt::print("  offset {} time {} {}\n", record->offset.value, record->timestamp.value,
               record_text(*record, decoder, control));
  }
  if (!records.malformed()) return 0;
  fmt::print("  MALFORMED RECORDS\n");
  return 1;
}

Task<int> dump_segment(std::string path, const Wanted& wanted) {
  constexpr size_t step = 8 << 20;
  const Decoder decoder = decoder_for(path);
  std::unique_ptr<File> file = co_await Shard::current().disk().open(path, OpenMode::read);
  int code = 0;
  int64_t position = 0;
  size_t want = step;
  while (true) {
    std::vector<std::byte> buffer(want);
    buffer.resize(co_await file->read(position, buffer));
    const bool last = buffer.size() < want;
    protocol::BatchIterator batches(Bytes::take(std::move(buffer)));
    size_t at = 0;
    while (const auto batch = batches.next()) {
      code |= dump_batch(*batch, position + static_cast<int64_t>(at), decoder, wanted);
      at = batches.position();
    }
    position += static_cast<int64_t>(at);
    if (batches.malformed() || (last && batches.rest() > 0)) {
      fmt::print("at {}: {} BYTES THAT ARE NO BATCH\n", position, file->size() - position);
      co_return 1;
    }
    if (last) co_return code;
    want = at == 0 ? want * 2 : step;  // a batch larger than what was read
  }
}

template <size_t EntrySize, class Print>
Task<int> dump_entries(std::string path, Print print) {
  const std::optional<std::string> content = co_await read_file(Shard::current().disk(), path);
  if (!content) throw ClientError("there is no file " + path);
  for (size_t at = 0; at + EntrySize <= content->size(); at += EntrySize)
    print(reinterpret_cast<const std::byte*>(content->data()) + at);
  co_return content->size() % EntrySize == 0 ? 0 : 1;
}

Task<int> dump_snapshot(std::string path) {
  const std::optional<std::string> content = co_await read_file(Shard::current().disk(), path);
  if (!content) throw ClientError("there is no file " + path);
  log::ProducerState state;
  if (!state.load_snapshot(*content)) {
    fmt::print("NOT A PRODUCER SNAPSHOT\n");
    co_return 1;
  }
  for (const log::ProducerSummary& one : state.summaries()) {
    fmt::print("producer {} epoch {} last sequence {} last offset {} time {} transaction start {}\n", one.id.value,
               one.epoch.value, one.last_sequence.value, one.last_offset.value, one.last_timestamp.value,
               one.transaction_start.value);
  }
  co_return 0;
}

Task<int> dump_text(std::string path) {
  const std::optional<std::string> content = co_await read_file(Shard::current().disk(), path);
  if (!content) throw ClientError("there is no file " + path);
  fmt::print("{}\n", *content);
  co_return 0;
}

Task<int> dump_file(std::string path, const Wanted& wanted) {
  const std::filesystem::path file(path);
  const std::string kind = file.extension().string();
  int64_t base = 0;
  if (kind == ".index" || kind == ".timeindex") base = std::atoll(file.stem().c_str());
  if (kind == ".log" || kind == ".checkpoint") co_return co_await dump_segment(path, wanted);
  if (kind == ".index") {
    const auto print = [base](const std::byte* at) {
      fmt::print("offset {} position {}\n", base + protocol::load_big<int32_t>(at),
                 protocol::load_big<int32_t>(at + 4));
    };
    co_return co_await dump_entries<8>(path, print);
  }
  if (kind == ".timeindex") {
    const auto print = [base](const std::byte* at) {
      fmt::print("time {} offset {}\n", protocol::load_big<int64_t>(at), base + protocol::load_big<int32_t>(at + 8));
    };
    co_return co_await dump_entries<12>(path, print);
  }
  if (kind == ".txnindex") {
    const auto print = [](const std::byte* at) {
      fmt::print("aborted producer {} first {} last {} stable {}\n", protocol::load_big<int64_t>(at + 2),
                 protocol::load_big<int64_t>(at + 10), protocol::load_big<int64_t>(at + 18),
                 protocol::load_big<int64_t>(at + 26));
    };
    co_return co_await dump_entries<log::TransactionIndex::entry_size>(path, print);
  }
  if (kind == ".snapshot") co_return co_await dump_snapshot(path);
  co_return co_await dump_text(path);
}

Task<int> dump(const Wanted& wanted) {
  int code = 0;
  for (const std::string& path : wanted.files) {
    if (wanted.files.size() > 1) fmt::print("== {}\n", path);
    code |= co_await dump_file(path, wanted);
  }
  co_return code;
}

}  // namespace

int dump_log_main(int argc, char** argv) {
  CLI::App app("Shows the files of a log directory: .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint",
               "millrace dump-log");
  Wanted wanted;
  app.add_option("file", wanted.files, "Files")->required()->check(CLI::ExistingFile);
  app.add_flag("-r,--records", wanted.records, "Records too, decoded where the topic is one of the broker's own");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    real::World world;
    return world.run([&wanted](real::World&) { return dump(wanted); });
  } catch (const std::exception& error) {
    fmt::print(stderr, "millrace dump-log: {}\n", error.what());
    return 1;
  }
}

}  // namespace millrace::tools
