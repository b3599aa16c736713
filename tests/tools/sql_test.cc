// The SQL client's own parts: tables, errors, endpoints, and the line editor.
#include <doctest/doctest.h>

#include "tools/sql/line_editor.h"
#include "tools/sql/rest_client.h"
#include "tools/sql/tableau.h"

namespace millrace::tools::sql {
namespace {

TEST_CASE("rows of a query stand in columns as wide as their types") {
  const std::vector<Column> columns = {{"n", "INTEGER", 0},
                                       {"d", "DECIMAL", 10},
                                       {"ts", "TIMESTAMP_WITHOUT_TIME_ZONE", 3},
                                       {"s", "VARCHAR", 0},
                                       {"a_long_name_of_a_flag", "BOOLEAN", 0}};
  const Tableau table = Tableau::by_type(columns, 30);
  CHECK(table.border() ==
        "+----+-------------+--------------+-------------------------+--------------------------------+"
        "-----------------------+");
  CHECK(table.heading() ==
        "| op |           n |            d |                      ts |                              s |"
        " a_long_name_of_a_flag |");
  ResultRow row{"+U", {"1", "1.50", std::nullopt, "a very long string that exceeds thirty", "TRUE"}};
  CHECK(table.row(row) ==
        "| +U |           1 |         1.50 |                  <NULL> | a very long string that exc... |"
        "                  TRUE |");
}

TEST_CASE("rows of a listing stand in columns as wide as what is in them") {
  const std::vector<Column> columns = {{"table name", "VARCHAR", 0}, {"x", "VARCHAR", 0}};
  const std::vector<ResultRow> rows = {{"+I", {"t", "日本"}}, {"+I", {std::nullopt, "y"}}};
  const Tableau table = Tableau::by_content(columns, rows);
  CHECK(table.border() == "+------------+------+");
  CHECK(table.heading() == "| table name |    x |");
  CHECK(table.row(rows[0]) == "|          t | 日本 |");
  CHECK(table.row(rows[1]) == "|     <NULL> |    y |");
}

TEST_CASE("wide characters are cut in whole and made up for") {
  const Tableau table = Tableau::by_type({{"s", "VARCHAR", 0}}, 8);
  CHECK(table.row({"+I", {"日本日本日本"}}) == "| +I |  日本... |");
  CHECK(display_width("hé🙂x") == 6);
}

TEST_CASE("the root of a failure is found in what a gateway prints") {
  const GatewayError error(
      "<Exception on server side:\norg.x.Outer: first\n\tat a.b(C.java:1)\nCaused by: org.x.Middle: From line 2, "
      "column "
      "3\n\tat a.b(C.java:1)\n\t... 7 more\nCaused by: org.x.Root: Encountered \"x\" at line 2, column 3.\nWas "
      "expecting "
      "one of:\n    <EOF> \n    \"A\" ...\n    \n\tat q\n\t... 1 more\n\nEnd of exception on server side>");
  REQUIRE(error.causes().size() == 3);
  CHECK(error.causes()[0] == "org.x.Outer: first");
  CHECK(error.root() ==
        "org.x.Root: Encountered \"x\" at line 2, column 3.\nWas expecting one of:\n    <EOF> \n    \"A\" ...");
}

TEST_CASE("an endpoint may be a url, an address or a host") {
  CHECK(parse_endpoint("http://127.0.0.1:8083") == Address{"127.0.0.1", 8083});
  CHECK(parse_endpoint("http://gw.example:99/") == Address{"gw.example", 99});
  CHECK(parse_endpoint("gw") == Address{"gw", 8083});
  CHECK(parse_endpoint("[::1]:5") == Address{"::1", 5});
  CHECK_THROWS_AS(parse_endpoint("https://x"), std::invalid_argument);
  CHECK_THROWS_AS(parse_endpoint("http://"), std::invalid_argument);
  CHECK_THROWS_AS(parse_endpoint("x:port"), std::invalid_argument);
}

LineEditor::Event type(LineEditor& editor, std::string_view keys) {
  LineEditor::Event event = LineEditor::Event::none;
  for (const char key : keys) event = editor.feed(key);
  return event;
}

TEST_CASE("a line is edited with cursor and control keys") {
  LineEditor editor;
  editor.begin("> ", 80);
  CHECK(type(editor, "SELCT é 1") == LineEditor::Event::none);
  type(editor,
       "\x01\x1b[C\x1b[C\x1b[C"
       "E");  // home, three to the right
  CHECK(editor.line() == "SELECT é 1");
  type(editor, "\x1b[F\x7f\x7f\x7f");  // end, and back over " 1" and the accent
  CHECK(editor.line() == "SELECT ");
  type(editor, "word\x17");
  CHECK(editor.line() == "SELECT ");
  type(editor, "2;\x1b[D\x1b[D\x1b[3~3");
  CHECK(editor.line() == "SELECT 3;");
  CHECK(type(editor, "\r") == LineEditor::Event::line);
}

TEST_CASE("earlier lines come back, and the unfinished one after them") {
  LineEditor editor;
  editor.remember("first");
  editor.remember("second");
  editor.remember("second");
  CHECK(editor.history().size() == 2);
  editor.begin("> ", 80);
  type(editor, "new\x1b[A");
  CHECK(editor.line() == "second");
  type(editor, "\x1b[A\x1b[A");
  CHECK(editor.line() == "first");
  type(editor, "\x1b[B\x1b[B");
  CHECK(editor.line() == "new");
}

TEST_CASE("control keys end input as a shell's do") {
  LineEditor editor;
  editor.begin("> ", 80);
  CHECK(type(editor, "abc\x03") == LineEditor::Event::interrupt);
  editor.begin("> ", 80);
  CHECK(type(editor, "\x04") == LineEditor::Event::end);
  editor.begin("> ", 80);
  CHECK(type(editor, "x\x01\x04") == LineEditor::Event::none);
  CHECK(editor.line().empty());
  CHECK(type(editor, "SE\t") == LineEditor::Event::complete);
}

TEST_CASE("a line wider than the terminal shows the part around the cursor") {
  LineEditor editor;
  editor.begin("> ", 20);
  editor.output();
  type(editor, std::string(50, 'a'));
  editor.output();
  type(editor, "Z");
  const std::string shown = editor.output();
  CHECK(shown.size() < 30);
  CHECK(shown.find('Z') != std::string::npos);
}

}  // namespace
}  // namespace millrace::tools::sql
