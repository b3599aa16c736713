// Literals and addresses as Asio knows them; names as getaddrinfo does.
#include "runtime/real/socket_address.h"

#include <netdb.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>

namespace millrace::real {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

SocketAddress from_endpoint(const tcp::endpoint& endpoint) { return {endpoint.data(), endpoint.size()}; }

}  // namespace

SocketAddress::SocketAddress(const void* data, size_t size_)
    : size(static_cast<socklen_t>(std::min(size_, sizeof storage))) {
  std::memcpy(&storage, data, size);
}

Address to_address(const SocketAddress& address) {
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &address.storage, std::min<size_t>(address.size, endpoint.capacity()));
  asio::ip::address ip = endpoint.address();
  if (ip.is_v6() && ip.to_v6().is_v4_mapped()) ip = asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6());
  return Address{ip.to_string(), endpoint.port()};
}

std::optional<SocketAddress> literal(const Address& address) {
  boost::system::error_code not_literal;
  const asio::ip::address ip = asio::ip::make_address(address.host, not_literal);
  if (not_literal) return std::nullopt;
  return from_endpoint(tcp::endpoint(ip, address.port));
}

SocketAddress any_address(int family, uint16_t port) {
  return from_endpoint(tcp::endpoint(family == AF_INET6 ? tcp::v6() : tcp::v4(), port));
}

std::vector<SocketAddress> look_up(const Address& address, bool to_listen) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int failed = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    throw NetError("look up " + address.host + ": " +
                   (failed == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(failed)));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    addresses.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace millrace::real
