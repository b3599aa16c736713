#include "tests/protocol/random_message.h"

#include "protocol/writer.h"
#include "tests/protocol/codec.h"

namespace millrace::protocol {
namespace {

class Maker {
 public:
  Maker(Prng& prng, int16_t version, bool flexible, RandomShape limits)
      : prng_(prng), version_(version), flexible_(flexible), limits_(limits) {}

  void structure(const Shape& shape) {
    uint32_t tags = 0;
    std::vector<const FieldShape*> tagged;
    for (size_t i = 0; i < shape.count; ++i) {
      const FieldShape& field = shape.fields[i];
      if (version_ < field.first || version_ > field.last) continue;
      if (field.tag < 0) {
        value(field);
      } else if (prng_.below(2) == 0) {
        tagged.push_back(&field);
        ++tags;
      }
    }
    if (!flexible_) return;
    const uint32_t unknown = limits_.unknown_tags ? static_cast<uint32_t>(prng_.below(2)) : 0;
    writer.uvarint(tags + unknown);
    for (const FieldShape* field : tagged) {
      const size_t begin = writer.begin_tagged(static_cast<uint32_t>(field->tag));
      value(*field);
      writer.end_tagged(begin);
    }
    if (unknown > 0) {
      const size_t begin = writer.begin_tagged(static_cast<uint32_t>(10000 + prng_.below(10000)));
      writer.append(text().span());
      writer.end_tagged(begin);
    }
  }

  Writer writer;

 private:
  void value(const FieldShape& field) {
    const bool nullable = version_ >= field.nullable_from;
    if (!field.array) return single(field, nullable);
    if (nullable && prng_.below(4) == 0) return writer.null_count(flexible_);
    const uint64_t count = prng_.below(limits_.longest_array + 1);
    writer.count(count, flexible_);
    for (uint64_t i = 0; i < count; ++i) single(field, false);
  }

  void single(const FieldShape& field, bool nullable) {
    const bool null = nullable && prng_.below(4) == 0;
    switch (field.form) {
      case WireForm::boolean:
        return writer.boolean(prng_.below(2) == 0);
      case WireForm::i8:
        return writer.i8(static_cast<int8_t>(number()));
      case WireForm::i16:
        return writer.i16(static_cast<int16_t>(number()));
      case WireForm::u16:
        return writer.u16(static_cast<uint16_t>(number()));
      case WireForm::i32:
        return writer.i32(static_cast<int32_t>(number()));
      case WireForm::u32:
        return writer.u32(static_cast<uint32_t>(number()));
      case WireForm::i64:
        return writer.i64(static_cast<int64_t>(number()));
      case WireForm::f64:
        return writer.f64(static_cast<double>(static_cast<int32_t>(prng_.next())) / 8);
      case WireForm::uuid:
        return writer.uuid(Uuid{prng_.next(), prng_.next()});
      case WireForm::string:
      case WireForm::plain_string: {
        const bool flexible = flexible_ && field.form == WireForm::string;
        return null ? writer.null_string(flexible) : writer.string(text().text(), flexible);
      }
      case WireForm::bytes:
      case WireForm::records:
        return null ? writer.null_bytes(flexible_) : writer.bytes(text(), flexible_);
      case WireForm::structure:
        if (nullable && field.tag >= 0) writer.uvarint(null ? 0 : 1);
        if (nullable && field.tag < 0) writer.i8(null ? -1 : 1);
        if (!null) structure(*field.structure);
        return;
    }
  }

  // Often small, sometimes at the edges.
  uint64_t number() {
    switch (prng_.below(6)) {
      case 0:
        return 0;
      case 1:
        return static_cast<uint64_t>(-1);
      case 2:
        return prng_.next();
      case 3:
        return prng_.next() >> prng_.below(64);
      default:
        return prng_.below(100);
    }
  }

  Bytes text() {
    std::string letters(prng_.below(limits_.longest_text + 1), ' ');
    for (char& c : letters) c = static_cast<char>('a' + prng_.below(26));
    return Bytes::copy_of(letters);
  }

  Prng& prng_;
  const int16_t version_;
  const bool flexible_;
  const RandomShape limits_;
};

}  // namespace

Bytes random_body(const MessageInfo& message, Prng& prng, int16_t version, RandomShape shape) {
  Maker maker(prng, version, version >= message.flexible_from, shape);
  maker.structure(message.shape);
  return maker.writer.finish_whole();
}

const std::vector<Codec>& all_codecs() {
  static const std::vector<Codec> all = [] {
    std::vector<Codec> list;
    add_codecs<0>(list);
    add_codecs<1>(list);
    add_codecs<2>(list);
    add_codecs<3>(list);
    return list;
  }();
  return all;
}

}  // namespace millrace::protocol
