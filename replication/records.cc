#include "replication/records.h"

#include "protocol/reader.h"
#include "protocol/writer.h"

namespace millrace::replication {

namespace {

constexpr uint32_t frame_version = 1;
constexpr int16_t last_known_key = 28;

template <class Record>
int16_t version_of(const Record&) {
  return Record::max_version;
}

// The lowest version that says it, as Kafka chooses.
int16_t version_of(const protocol::BrokerRegistrationChangeRecord& change) {
  if (change.cordoned_log_dirs) return 3;
  if (!change.log_dirs.empty()) return 2;
  return change.in_controlled_shutdown != 0 ? 1 : 0;
}

struct Encoder {
  protocol::Writer& writer;

  void operator()(const OtherRecord& record) const {
    head(record.key, record.version);
    writer.append(record.body.span());
  }
  template <class Record>
  void operator()(const Record& record) const {
    const int16_t version = version_of(record);
    head(Record::record_type, version);
    record.encode(writer, version);
  }
  void head(int16_t key, int16_t version) const {
    writer.uvarint(frame_version);
    writer.uvarint(static_cast<uint32_t>(key));
    writer.uvarint(static_cast<uint32_t>(version));
  }
};

// Tries the alternatives of the variant one after the other.
template <size_t Index = 0>
MetadataRecord decode_as(int16_t key, int16_t version, protocol::Reader& reader) {
  using Record = std::variant_alternative_t<Index, MetadataRecord>;
  if constexpr (std::is_same_v<Record, OtherRecord>) {
    return OtherRecord{key, version, reader.take(reader.remaining())};
  } else {
    if (key != Record::record_type) return decode_as<Index + 1>(key, version, reader);
    if (version > Record::max_version) {
      throw UnreadableMetadata("metadata record " + std::to_string(key) + " has version " + std::to_string(version) +
                               ", which is newer than this broker");
    }
    Record record;
    record.decode(reader, version);
    return record;
  }
}

}  // namespace

Bytes encode_record(const MetadataRecord& record) {
  protocol::Writer writer;
  std::visit(Encoder{writer}, record);
  return writer.finish_whole();
}

MetadataRecord decode_record(Bytes value) {
  protocol::Reader reader(std::move(value));
  const uint32_t frame = reader.uvarint();
  const uint32_t key = reader.uvarint();
  const uint32_t version = reader.uvarint();
  if (!reader.ok() || frame != frame_version || key > last_known_key || version > INT16_MAX) {
    throw UnreadableMetadata("metadata record with frame version " + std::to_string(frame) + " and key " +
                             std::to_string(key) + " is not known to this broker");
  }
  MetadataRecord record = decode_as(static_cast<int16_t>(key), static_cast<int16_t>(version), reader);
  if (!reader.ok()) throw UnreadableMetadata("metadata record of key " + std::to_string(key) + " is cut short");
  return record;
}

}  // namespace millrace::replication
