// Address text.
#include "runtime/net.h"

namespace millrace {

std::string to_string(const Address& address) {
  const bool literal_v6 = address.host.find(':') != std::string::npos;
  std::string text = literal_v6 ? "[" + address.host + "]" : address.host;
  return text + ":" + std::to_string(address.port);
}

}  // namespace millrace
