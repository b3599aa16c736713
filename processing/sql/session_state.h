// What a session knows, and what each kind of statement does to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "processing/sql/ast.h"
#include "processing/sql/catalog.h"
#include "processing/sql/planner.h"
#include "processing/sql/session.h"

namespace millrace::processing::sql {

struct Session::State {
  Catalog catalog;
  plan::Options settings;
  std::vector<std::string> functions;  // CREATE FUNCTION: names only
  bool in_statement_set = false;
  StatementSet statement_set;

  Planner planner() { return Planner(catalog, settings); }

  // --- DDL ---
  CatalogTable table_from(const CreateTable& create);
  // CREATE TABLE … LIKE base (INCLUDING | EXCLUDING | OVERWRITING feature …)
  void inherit(CatalogTable& table, const CreateTable& create);
  Planned execute(const CreateTable& create);
  Planned execute(const CreateView& create);
  // Plans the query once: a view that cannot be read is refused, and its columns are known.
  void set_view_columns(CatalogTable& view);
  Planned execute(const CreateOther& create);
  Planned execute(const Drop& drop);
  Planned execute(const AlterTable& alter);

  // --- DML and queries ---
  Planned execute(const QueryPtr& query);
  Planned plan_inserts(const std::vector<std::shared_ptr<Insert>>& inserts);
  Planned execute(const std::shared_ptr<Insert>& insert);
  Planned execute(const std::shared_ptr<StatementSet>& set);
  Planned execute(const BeginStatementSet&);
  Planned execute(const EndStatementSet&);
  Planned execute(const Explain& explain);

  // --- SHOW and friends ---
  Planned execute(const Show& show);
  Planned describe_table(const Name& name);
  Planned execute(const Describe& describe);
  Planned execute(const Use& use);
  Planned execute(const SetOption& set);
  Planned execute(const ResetOption& reset);
  Planned execute(const StopJob& stop);
  Planned execute(const RefusedDml& dml);
  Planned execute(const OtherStatement& other);
};

// An answer of rows.
Planned table_of(std::vector<Field> columns, std::vector<Row> rows);
// As in a message or a script.
std::string names_list(const std::vector<std::string>& names);
// The DDL that makes it.
std::string create_script(const CatalogTable& table);

}  // namespace millrace::processing::sql
