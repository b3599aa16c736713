// What every Net promises.
#include "runtime/channel.h"
#include "runtime/gate.h"
#include "runtime/unread.h"
#include "tests/runtime/each_world.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::in_each_world;
using test::parts;

Net& net() { return Shard::current().net(); }

struct Pair {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Connection> client;
  std::unique_ptr<Connection> server;
};

Task<Pair> connected() {
  Pair pair;
  const Address any{"localhost", 0};
  pair.listener = co_await net().listen(any);
  pair.client = co_await net().connect(pair.listener->local(), after(10s));
  pair.server = co_await pair.listener->accept();
  co_return pair;
}

// Everything until the peer has finished, or `bytes` of it.
Task<std::string> read_text(Connection& connection, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    std::byte buffer[1000];
    const std::span<std::byte> out(buffer, std::min(bytes - text.size(), sizeof buffer));
    const size_t got = co_await connection.read_some(out, after(10s));
    if (got == 0) break;
    text.append(reinterpret_cast<const char*>(buffer), got);
  }
  co_return text;
}

template <class T>
Task<std::string> error_of(Task<T> waiting) {
  try {
    co_await std::move(waiting);
    co_return "no error";
  } catch (const NetError& failed) {
    co_return failed.what();
  }
}

// A file of 4 MB and a bit, of which no two places look alike, in writes that stay in the page cache.
std::string numbers() {
  std::string text;
  for (int i = 0; text.size() < (4 << 20) + 1000; ++i) text += std::to_string(i) + ' ';
  return text;
}

Task<std::unique_ptr<File>> file_of(std::string path, std::string text) {
  std::unique_ptr<File> file = co_await Shard::current().disk().open(path, OpenMode::write_new);
  for (size_t at = 0; at < text.size(); at += 64 << 10) {
    std::vector<Bytes> piece = parts(std::string_view(text).substr(at, 64 << 10));
    co_await file->write(static_cast<int64_t>(at), std::move(piece));
  }
  co_return file;
}

// What a kernel cannot tell to be cached is never left unread; in the simulated world the dice decide.
Bytes some_unread(File& file, int64_t at, size_t size) {
  Bytes part;
  for (int i = 0; i < 100 && part.empty(); ++i) part = file.unread(at, size);
  return part;
}

TEST_CASE("what is sent out of a file arrives as it is there, between the rest, even when the file is removed") {
  in_each_world([](std::string directory) -> Task<void> {
    const std::string text = numbers();
    const std::string path = directory + "/numbers";
    std::unique_ptr<File> file = co_await file_of(path, text);
    const Bytes part = some_unread(*file, 100'001, 1'500'000);
    if (part.empty()) co_return;
    CHECK(unread_part(part) != nullptr);
    CHECK(part.size() == 1'500'000);
    const Bytes other = some_unread(*file, 7, 30'000);
    file.reset();
    co_await Shard::current().disk().remove(path);
    Pair pair = co_await connected();
    Gate gate;
    std::vector<Bytes> all{test::bytes("head"), part, test::bytes("middle"), Bytes(), other, test::bytes("tail")};
    gate.spawn(pair.server->write(std::move(all), after(30s)));
    const std::string expected = "head" + text.substr(100'001, 1'500'000) + "middle" + text.substr(7, 30'000) + "tail";
    const std::string got = co_await read_text(*pair.client, expected.size());
    CHECK(got == expected);
    co_await gate.close();
  });
}

TEST_CASE("nothing is left unread that a file does not have") {
  in_each_world([](std::string directory) -> Task<void> {
    const std::string text = numbers();
    std::unique_ptr<File> file = co_await file_of(directory + "/numbers", text);
    for (int i = 0; i < 20; ++i) {
      CHECK(file->unread(static_cast<int64_t>(text.size()) - 10, 11).empty());
      CHECK(file->unread(1 << 30, 10).empty());
      CHECK(file->unread(0, 0).empty());
    }
  });
}

TEST_CASE("a file that has become too short ends the connection it was announced to") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await file_of(directory + "/numbers", numbers());
    const Bytes part = some_unread(*file, 100'000, 200'000);
    if (part.empty()) co_return;
    co_await file->truncate(100'000);
    Pair pair = co_await connected();
    std::vector<Bytes> all{test::bytes("head"), part};
    const std::string error = co_await error_of(pair.server->write(std::move(all), after(10s)));
    CHECK(error.find("a file ends before what was announced of it") != std::string::npos);
  });
}

TEST_CASE("sending a file to a peer that is gone is an error and nothing worse") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await file_of(directory + "/numbers", numbers());
    const Bytes part = some_unread(*file, 0, 1'500'000);
    if (part.empty()) co_return;
    Pair pair = co_await connected();
    pair.client->close();
    std::string error = "no error";
    while (error == "no error") {
      std::vector<Bytes> all{part, part};
      error = co_await error_of(pair.server->write(std::move(all), after(10s)));
    }
    CHECK(error.find("timed out") == std::string::npos);
  });
}

TEST_CASE("both ends of a connection hear each other, and know who the other is") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    CHECK(pair.client->peer() == pair.listener->local());
    CHECK(pair.server->local() == pair.listener->local());
    CHECK(pair.server->peer() == pair.client->local());
    std::vector<Bytes> hello{test::bytes("hel"), Bytes(), test::bytes("lo")};
    co_await pair.client->write(std::move(hello));
    const std::string heard = co_await read_text(*pair.server, 5);
    CHECK(heard == "hello");
    co_await pair.server->write(parts("and back"));
    const std::string answer = co_await read_text(*pair.client, 8);
    CHECK(answer == "and back");
  });
}

TEST_CASE("a peer that closes is the end of what it has sent") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    co_await pair.client->write(parts("last words"));
    pair.client->close();
    pair.client->close();
    const std::string heard = co_await read_text(*pair.server, 100);
    CHECK(heard == "last words");
  });
}

TEST_CASE("a read that hears nothing gives up at its deadline, and the connection stays usable") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    std::byte buffer[10];
    const MonoTime deadline = after(20ms);
    const std::string error = co_await error_of(pair.server->read_some(buffer, deadline));
    CHECK(error.find("timed out") != std::string::npos);
    CHECK(now() >= deadline);
    co_await pair.client->write(parts("late"));
    const std::string heard = co_await read_text(*pair.server, 4);
    CHECK(heard == "late");
  });
}

TEST_CASE("a read into nothing ends with the first byte, with the end, at the deadline and by closing") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    const MonoTime deadline = after(20ms);
    const std::string error = co_await error_of(pair.server->read_some({}, deadline));
    CHECK(error.find("timed out") != std::string::npos);
    co_await pair.client->write(parts("x"));
    co_await pair.server->read_some({}, after(10s));
    const std::string heard = co_await read_text(*pair.server, 1);
    CHECK(heard == "x");
    pair.client->close();
    co_await pair.server->read_some({}, after(10s));
    const std::string rest = co_await read_text(*pair.server, 1);
    CHECK(rest.empty());
    Pair other = co_await connected();
    Gate gate;
    std::string closed;
    const auto wait = [&]() -> Task<void> { closed = co_await error_of(other.server->read_some({}, never)); };
    gate.spawn(wait());
    co_await yield();
    CHECK(closed.empty());
    other.server->close();
    co_await gate.close();
    CHECK(closed.find("closed") != std::string::npos);
  });
}

TEST_CASE("closing ends a read that waits, and refuses the next") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    Gate gate;
    std::string error;
    const auto read = [&]() -> Task<void> {
      std::byte buffer[10];
      error = co_await error_of(pair.server->read_some(buffer, never));
    };
    gate.spawn(read());
    co_await yield();
    CHECK(error.empty());
    pair.server->close();
    co_await gate.close();
    CHECK(error.find("closed") != std::string::npos);
    std::byte buffer[10];
    const std::string again = co_await error_of(pair.server->read_some(buffer, never));
    CHECK(again.find("closed") != std::string::npos);
  });
}

TEST_CASE("a writer waits for a reader that is slow, and nothing is lost") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    std::string sent(20 << 20, '.');  // more than both kernels hold
    for (size_t i = 0; i < sent.size(); i += 1000) sent[i] = static_cast<char>('a' + i / 1000 % 26);
    Gate gate;
    bool written = false;
    const auto write = [&]() -> Task<void> {
      std::vector<Bytes> pieces;
      const Bytes whole = test::bytes(sent);
      for (size_t at = 0; at < whole.size(); at += 100000) {
        pieces.push_back(whole.slice(at, std::min<size_t>(100000, whole.size() - at)));
      }
      co_await pair.client->write(std::move(pieces), after(60s));
      written = true;
      pair.client->close();
    };
    gate.spawn(write());
    co_await sleep_until(after(5ms));
    CHECK_FALSE(written);
    std::string heard;
    std::vector<std::byte> buffer(1 << 20);
    for (;;) {
      const size_t got = co_await pair.server->read_some(buffer, after(60s));
      if (got == 0) break;
      heard.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
    co_await gate.close();
    CHECK(heard.size() == sent.size());
    CHECK((heard == sent));
  });
}

TEST_CASE("a write nobody makes room for gives up at its deadline, while a read the other way goes on") {
  in_each_world([](std::string) -> Task<void> {
    Pair pair = co_await connected();
    Gate gate;
    std::string heard;
    const auto read = [&]() -> Task<void> { heard = co_await read_text(*pair.client, 5); };
    gate.spawn(read());
    std::string error;
    try {
      const std::string much(50 << 20, 'x');
      co_await pair.client->write(parts(much), after(30ms));
    } catch (const NetError& failed) {
      error = failed.what();
    }
    CHECK(error.find("timed out") != std::string::npos);
    co_await pair.server->write(parts("still"));
    co_await gate.close();
    CHECK(heard == "still");
  });
}

TEST_CASE("nobody listening is an error that names the address") {
  in_each_world([](std::string) -> Task<void> {
    const Address any{"localhost", 0};
    std::unique_ptr<Listener> listener = co_await net().listen(any);
    const Address address = listener->local();
    listener->close();
    listener = nullptr;
    std::string error;
    try {
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(10s));
    } catch (const NetError& failed) {
      error = failed.what();
    }
    CHECK(error.find(to_string(address)) != std::string::npos);
    CHECK(error.find("refused") != std::string::npos);
  });
}

TEST_CASE("an address can be listened on once, and again after it was closed") {
  in_each_world([](std::string) -> Task<void> {
    const Address any{"localhost", 0};
    std::unique_ptr<Listener> listener = co_await net().listen(any);
    const Address address = listener->local();
    CHECK(address.port != 0);
    std::string error;
    try {
      const Address same{"", address.port};
      std::unique_ptr<Listener> second = co_await net().listen(same);
    } catch (const NetError& failed) {
      error = failed.what();
    }
    CHECK(error.find("in use") != std::string::npos);
    listener->close();
    listener = nullptr;
    std::unique_ptr<Listener> third = co_await net().listen(address);
    CHECK(third->local() == address);
  });
}

TEST_CASE("closing a listener ends the accept that waits") {
  in_each_world([](std::string) -> Task<void> {
    const Address any{"localhost", 0};
    std::unique_ptr<Listener> listener = co_await net().listen(any);
    Gate gate;
    std::string error;
    const auto accept = [&]() -> Task<void> {
      try {
        std::unique_ptr<Connection> connection = co_await listener->accept();
      } catch (const NetError& failed) {
        error = failed.what();
      }
    };
    gate.spawn(accept());
    co_await yield();
    listener->close();
    listener->close();
    co_await gate.close();
    CHECK(error.find("closed") != std::string::npos);
  });
}

TEST_CASE("many clients are accepted and answered") {
  in_each_world([](std::string) -> Task<void> {
    const Address everywhere{"", 0};
    std::unique_ptr<Listener> listener = co_await net().listen(everywhere);
    const Address address{"localhost", listener->local().port};
    constexpr int clients = 50;
    Gate gate;
    Gate sessions;
    const auto echo = [](std::unique_ptr<Connection> connection) -> Task<void> {
      const std::string heard = co_await read_text(*connection, 3);
      co_await connection->write(parts("echo " + heard));
    };
    const auto serve = [&]() -> Task<void> {
      for (int i = 0; i < clients; ++i) {
        std::unique_ptr<Connection> connection = co_await listener->accept();
        sessions.spawn(echo(std::move(connection)));
      }
    };
    int answered = 0;
    const auto ask = [&](int i) -> Task<void> {
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(10s));
      const std::string question = std::to_string(100 + i);
      co_await connection->write(parts(question));
      const std::string answer = co_await read_text(*connection, 8);
      if (answer == "echo " + question) ++answered;
    };
    gate.spawn(serve());
    for (int i = 0; i < clients; ++i) gate.spawn(ask(i));
    co_await gate.close();
    co_await sessions.close();
    CHECK(answered == clients);
  });
}

TEST_CASE("shards of one process share an address; each connection goes to one of them") {
  in_each_world(2, [](std::vector<Shard*> shards) -> Task<void> {
    const Address any{"localhost", 0};
    std::unique_ptr<Listener> first = co_await net().listen(any);
    const Address address = first->local();
    std::unique_ptr<Listener> second;
    const auto listen = [&]() -> Task<void> { second = co_await net().listen(address); };
    co_await on(*shards[1], listen);
    CHECK(second->local() == address);

    Gate gate;
    int accepted = 0;
    const auto count = [&](Listener& listener) -> Task<void> {
      try {
        for (;;) {
          std::unique_ptr<Connection> connection = co_await listener.accept();
          const auto add = [&]() -> Task<void> {
            ++accepted;
            co_return;
          };
          co_await on(*shards[0], add);
          co_await connection->write(parts("hi"));
        }
      } catch (const NetError&) {
      }
    };
    const auto count_first = [&]() -> Task<void> { co_await count(*first); };
    const auto count_second = [&]() -> Task<void> {
      const auto there = [&]() -> Task<void> {
        co_await count(*second);
        second = nullptr;
      };
      co_await on(*shards[1], there);
    };
    gate.spawn(count_first());
    gate.spawn(count_second());
    for (int i = 0; i < 20; ++i) {
      std::unique_ptr<Connection> connection = co_await net().connect(address, after(10s));
      const std::string heard = co_await read_text(*connection, 2);
      CHECK(heard == "hi");
    }
    first->close();
    const auto close_second = [&]() -> Task<void> {
      second->close();
      co_return;
    };
    co_await on(*shards[1], close_second);
    co_await gate.close();
    CHECK(accepted == 20);
  });
}

}  // namespace
}  // namespace millrace
