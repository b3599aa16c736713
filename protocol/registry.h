// Every message there is, and text for people from the bytes of any of them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/bytes.h"
#include "protocol/message.h"
#include "protocol/writer.h"

namespace millrace::protocol {

std::span<const MessageInfo> all_messages();
// The request, response or record of that key; nullptr when there is none.
const MessageInfo* find_message(MessageKind kind, int16_t key);
const MessageInfo* find_message(std::string_view name);

// One line of JSON as Kafka's tools print messages: {"name":"orders","topicId":"…"}. Fields that the version does not
// carry, and tagged ones that were not sent, are left out; records appear as their size. Nothing when the bytes are not
// such a message.
std::optional<std::string> describe(const MessageInfo& message, Bytes body, int16_t version);

template <class M>
std::string describe(const M& message, int16_t version = M::max_version) {
  Writer writer;
  message.encode(writer, version);
  return describe(M::info(), writer.finish_whole(), version).value_or("");
}

}  // namespace millrace::protocol
