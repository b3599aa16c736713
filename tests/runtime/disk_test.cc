// What every Disk promises.
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/gate.h"
#include "runtime/real/world.h"
#include "tests/runtime/each_world.h"

namespace millrace {
namespace {

using test::in_each_world;
using test::parts;

Task<std::string> read_at(File& file, int64_t at, size_t bytes, Haste haste = Haste::ordinary) {
  std::string text(bytes, '?');
  const std::span<std::byte> out = std::as_writable_bytes(std::span(text.data(), text.size()));
  const size_t got = co_await file.read(at, out, haste);
  text.resize(got);
  co_return text;
}

Disk& disk() { return Shard::current().disk(); }

TEST_CASE("what is written is read back, in parts and past the end") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    CHECK(file->size() == 0);
    std::vector<Bytes> three{test::bytes("one "), Bytes(), test::bytes("two "), test::bytes("three")};
    co_await file->write(0, std::move(three));
    CHECK(file->size() == 13);
    co_await file->write(4, parts("TWO"));
    const std::string all = co_await read_at(*file, 0, 100);
    CHECK(all == "one TWO three");
    const std::string middle = co_await read_at(*file, 4, 3);
    CHECK(middle == "TWO");
    const std::string beyond = co_await read_at(*file, 13, 10);
    CHECK(beyond.empty());
    co_await file->sync();
  });
}

TEST_CASE("memory for whole blocks lies on a block and has all it was asked for, however large it is") {
  for (const size_t bytes : {size_t{1}, block_bytes, size_t{1} << 20, (size_t{1} << 20) + 1, (size_t{5} << 20) - 1}) {
    CAPTURE(bytes);
    const BlockMemory memory(bytes);
    CHECK(memory.size() == (bytes + block_bytes - 1) / block_bytes * block_bytes);
    CHECK(reinterpret_cast<uintptr_t>(memory.span().data()) % block_bytes == 0);
    std::memset(memory.span().data(), 'x', memory.size());
  }
}

TEST_CASE("who has no haste reads and writes the same bytes") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    co_await file->write(0, parts(std::string(100'000, 'a') + std::string(100'000, 'b')));
    const std::string all = co_await read_at(*file, 0, 300'000, Haste::none);
    CHECK(all == std::string(100'000, 'a') + std::string(100'000, 'b'));
    const std::string edge = co_await read_at(*file, 99'999, 2, Haste::none);
    CHECK(edge == "ab");
    const std::string beyond = co_await read_at(*file, 200'000, 10, Haste::none);
    CHECK(beyond.empty());
    co_await file->write(200'000, parts("c"), Haste::none);
    co_await file->write(0, parts("A"), Haste::none);
    const std::string end = co_await read_at(*file, 199'999, 10);
    CHECK(end == "bc");
    const std::string begin = co_await read_at(*file, 0, 2);
    CHECK(begin == "Aa");
    CHECK(file->size() == 200'001);
  });
}

TEST_CASE("a block file takes several writes at once, and they are read back whole") {
  const auto run_case = [](std::string directory) -> Task<void> {
    const std::string path = directory + "/blocks";
    std::vector<BlockMemory> memory;
    for (int i = 0; i < 10; ++i) {
      const BlockMemory& blocks = memory.emplace_back(static_cast<size_t>(i % 3 + 1) * block_bytes - 100);
      CHECK(blocks.size() == static_cast<size_t>(i % 3 + 1) * block_bytes);
      std::memset(blocks.span().data(), 'a' + i, blocks.size());
    }
    std::string expected;
    {
      const std::unique_ptr<BlockFile> file = co_await disk().open_blocks(path);
      CHECK(file->size() == 0);
      Gate gate;
      const auto write = [&](int64_t at, size_t which) -> Task<void> {
        co_await file->write_durable(at, memory[which].span());
      };
      for (size_t i = 0; i < memory.size(); ++i) {
        gate.spawn(write(static_cast<int64_t>(expected.size()), i));
        expected.append(memory[i].size(), static_cast<char>('a' + i));
      }
      co_await gate.close();
      CHECK(file->size() == static_cast<int64_t>(expected.size()));
      co_await file->write_durable(block_bytes, memory[9].span());
      expected.replace(block_bytes, block_bytes, std::string(block_bytes, 'j'));
    }
    const std::unique_ptr<BlockFile> again = co_await disk().open_blocks(path);
    CHECK(again->size() == static_cast<int64_t>(expected.size()));
    std::unique_ptr<File> file = co_await disk().open(path, OpenMode::read);
    const std::string all = co_await read_at(*file, 0, expected.size() + 1);
    CHECK(all == expected);
  };
  in_each_world(run_case);
  SUBCASE("where the kernel refuses io_uring") {
    std::string directory = std::filesystem::temp_directory_path() / "millrace-test-XXXXXX";
    REQUIRE(mkdtemp(directory.data()) != nullptr);
    real::World world(1, false);
    world.run([&](real::World&) -> Task<int> {
      co_await run_case(directory);
      co_return 0;
    });
    std::filesystem::remove_all(directory);
  }
}

TEST_CASE("a block file in a directory that is not there is an error") {
  in_each_world([](std::string directory) -> Task<void> {
    int error = 0;
    try {
      const std::unique_ptr<BlockFile> file = co_await disk().open_blocks(directory + "/missing/blocks");
    } catch (const DiskError& failed) {
      error = failed.error();
    }
    CHECK(error == ENOENT);
  });
}

TEST_CASE("a hole reads as zeros, and truncation forgets what it cuts") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    co_await file->write(5, parts("x"));
    const std::string hole = co_await read_at(*file, 0, 10);
    CHECK(hole == std::string("\0\0\0\0\0x", 6));
    co_await file->truncate(3);
    CHECK(file->size() == 3);
    co_await file->truncate(8);
    const std::string zeros = co_await read_at(*file, 0, 10);
    CHECK(zeros == std::string(8, '\0'));
  });
}

TEST_CASE("small and large appends of odd sizes follow each other without a gap") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    std::string expected;
    const std::vector<size_t> sizes{1,         700'001, 4095, 1 << 20, 5,         300'000,
                                    3'000'000, 4096,    8192, 0,       1'048'577, 262'145};
    for (const size_t size : sizes) {
      std::string text(size, '\0');
      for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (expected.size() + i * 7) % 26);
      std::vector<Bytes> pieces;
      pieces.push_back(Bytes::copy_of(std::string_view(text).substr(0, size / 3)));
      pieces.push_back(Bytes::copy_of(std::string_view(text).substr(size / 3)));
      co_await file->write(static_cast<int64_t>(expected.size()), std::move(pieces));
      expected += text;
      CHECK(file->size() == static_cast<int64_t>(expected.size()));
      // The newest bytes, across the place where the append began.
      const size_t from = expected.size() - std::min(expected.size(), size + 10);
      const std::string newest = co_await read_at(*file, static_cast<int64_t>(from), expected.size() - from);
      CHECK(newest == expected.substr(from));
    }
    // Over what is there already, not behind it.
    co_await file->write(100, parts("middle"));
    expected.replace(100, 6, "middle");
    co_await file->sync();
    file = co_await disk().open(directory + "/a", OpenMode::read);
    const std::string all = co_await read_at(*file, 0, expected.size() + 1);
    CHECK(all == expected);
  });
}

TEST_CASE("a large write of many parts arrives whole") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    std::vector<Bytes> many;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
      const std::string text = std::to_string(i) + std::string(700, static_cast<char>('a' + i % 26));
      many.push_back(test::bytes(text));
      expected += text;
    }
    co_await file->write(3, std::move(many));
    const std::string all = co_await read_at(*file, 3, expected.size() + 1);
    CHECK(all == expected);
  });
}

TEST_CASE("open modes: read needs the file, write keeps it, write_new empties it") {
  in_each_world([](std::string directory) -> Task<void> {
    const std::string path = directory + "/a";
    int error = 0;
    try {
      std::unique_ptr<File> missing = co_await disk().open(path, OpenMode::read);
    } catch (const DiskError& failed) {
      error = failed.error();
      const std::string what = failed.what();
      CHECK(what.find(path) != std::string::npos);
      CHECK(what.find("No such file") != std::string::npos);
    }
    CHECK(error == ENOENT);
    {
      std::unique_ptr<File> file = co_await disk().open(path, OpenMode::write);
      co_await file->write(0, parts("kept"));
    }
    {
      std::unique_ptr<File> file = co_await disk().open(path, OpenMode::write);
      CHECK(file->size() == 4);
    }
    {
      std::unique_ptr<File> file = co_await disk().open(path, OpenMode::read);
      const std::string text = co_await read_at(*file, 0, 10);
      CHECK(text == "kept");
      bool refused = false;
      try {
        co_await file->write(0, parts("x"));
      } catch (const DiskError&) {
        refused = true;
      }
      CHECK(refused);
    }
    std::unique_ptr<File> file = co_await disk().open(path, OpenMode::write_new);
    CHECK(file->size() == 0);
  });
}

TEST_CASE("names: directories, listing in order, renaming over a file, removing what is not there") {
  in_each_world([](std::string directory) -> Task<void> {
    co_await disk().make_directories(directory + "/d/e");
    co_await disk().make_directories(directory + "/d/e");
    co_await write_file_atomically(disk(), directory + "/d/z", "zz");
    co_await write_file_atomically(disk(), directory + "/d/b", "b");
    std::vector<DirectoryEntry> entries = co_await disk().list(directory + "/d");
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].name == "b");
    CHECK(entries[0].size == 1);
    CHECK(entries[1].name == "e");
    CHECK(entries[1].is_directory);
    CHECK(entries[2].name == "z");

    co_await disk().rename(directory + "/d/z", directory + "/d/b");
    const std::optional<std::string> content = co_await read_file(disk(), directory + "/d/b");
    CHECK(content == "zz");
    const std::optional<DirectoryEntry> gone = co_await disk().stat(directory + "/d/z");
    CHECK_FALSE(gone.has_value());
    const std::optional<DirectoryEntry> found = co_await disk().stat(directory + "/d/b");
    REQUIRE(found.has_value());
    CHECK(found->name == "b");
    CHECK(found->size == 2);

    co_await disk().rename(directory + "/d", directory + "/f");
    const std::optional<std::string> moved = co_await read_file(disk(), directory + "/f/b");
    CHECK(moved == "zz");
    co_await disk().remove(directory + "/f/b");
    co_await disk().remove(directory + "/f/b");
    co_await disk().remove_all(directory + "/f");
    co_await disk().remove_all(directory + "/f");
    const std::vector<DirectoryEntry> nothing = co_await disk().list(directory);
    CHECK(nothing.empty());
    co_await disk().sync_directory(directory);
  });
}

TEST_CASE("listing, renaming or syncing what is not there fails and names it") {
  in_each_world([](std::string directory) -> Task<void> {
    const std::string path = directory + "/nowhere";
    int errors = 0;
    for (int what = 0; what < 3; ++what) {
      try {
        if (what == 0) {
          std::vector<DirectoryEntry> entries = co_await disk().list(path);
        } else if (what == 1) {
          co_await disk().rename(path, directory + "/there");
        } else {
          co_await disk().sync_directory(path);
        }
      } catch (const DiskError& failed) {
        CHECK(failed.error() == ENOENT);
        CHECK(std::strstr(failed.what(), path.c_str()) != nullptr);
        ++errors;
      }
    }
    CHECK(errors == 3);
  });
}

TEST_CASE("an open file can be read after it was renamed or removed") {
  in_each_world([](std::string directory) -> Task<void> {
    std::unique_ptr<File> file = co_await disk().open(directory + "/a", OpenMode::write);
    co_await file->write(0, parts("still here"));
    co_await disk().rename(directory + "/a", directory + "/b");
    co_await disk().remove(directory + "/b");
    const std::string text = co_await read_at(*file, 0, 100);
    CHECK(text == "still here");
  });
}

TEST_CASE("a lock is held once until it is let go, even within one process") {
  in_each_world([](std::string directory) -> Task<void> {
    const std::string path = directory + "/.lock";
    std::unique_ptr<FileLock> first = co_await disk().lock(path);
    CHECK(first != nullptr);
    std::unique_ptr<FileLock> second = co_await disk().lock(path);
    CHECK(second == nullptr);
    const std::optional<DirectoryEntry> entry = co_await disk().stat(path);
    REQUIRE(entry.has_value());
    CHECK(entry->size == 0);
    first = nullptr;
    std::unique_ptr<FileLock> third = co_await disk().lock(path);
    CHECK(third != nullptr);
  });
}

TEST_CASE("reading a whole file refuses one beyond the limit") {
  in_each_world([](std::string directory) -> Task<void> {
    co_await write_file_atomically(disk(), directory + "/a", "0123456789");
    const std::optional<std::string> all = co_await read_file(disk(), directory + "/a", 10);
    CHECK(all == "0123456789");
    bool refused = false;
    try {
      const std::optional<std::string> too_much = co_await read_file(disk(), directory + "/a", 9);
    } catch (const DiskError&) {
      refused = true;
    }
    CHECK(refused);
    const std::optional<std::string> missing = co_await read_file(disk(), directory + "/b");
    CHECK_FALSE(missing.has_value());
  });
}

}  // namespace
}  // namespace millrace
