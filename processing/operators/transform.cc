#include "processing/operators/transform.h"

#include <algorithm>
#include <utility>

#include "processing/operators/row_order.h"
#include "processing/windows/window_time.h"

namespace millrace::processing {

namespace {

class CalcTransform final : public Transform {
 public:
  explicit CalcTransform(const plan::Calc& node) : condition_(node.condition), outputs_(node.outputs) {}

  Batch apply(Batch batch, EvalContext& context) override {
    if (condition_) batch.selection = filter(*condition_, batch, context);
    Batch out;
    out.rows = batch.rows;
    out.selection = batch.selection;
    if (batch.selected() == 0) return out;
    out.columns.reserve(outputs_.size());
    for (const ExprPtr& expr : outputs_) out.columns.push_back(evaluate(*expr, batch, context));
    out.kinds = std::move(batch.kinds);
    return out;
  }

 private:
  ExprPtr condition_;
  std::vector<ExprPtr> outputs_;
};

class ExpandTransform final : public Transform {
 public:
  explicit ExpandTransform(const plan::Expand& node) : projections_(node.projections), types_(types_of(node.schema)) {}

  Batch apply(Batch batch, EvalContext& context) override {
    std::vector<Batch> parts;
    for (const std::vector<ExprPtr>& projection : projections_) {
      Batch part;
      part.rows = batch.rows;
      part.kinds = batch.kinds;
      for (const ExprPtr& expr : projection) part.columns.push_back(evaluate(*expr, batch, context));
      parts.push_back(std::move(part));
    }
    // Row by row, all projections of a row one after the other.
    BatchBuilder out(types_);
    batch.each([&](size_t row) {
      for (const Batch& part : parts) out.append(part, row);
    });
    return out.finish();
  }

 private:
  std::vector<std::vector<ExprPtr>> projections_;
  std::vector<DataType> types_;
};

class UnnestTransform final : public Transform {
 public:
  explicit UnnestTransform(const plan::Unnest& node)
      : collection_(node.collection),
        condition_(node.condition),
        outer_(node.outer),
        ordinality_(node.ordinality),
        types_(types_of(node.schema)) {}

  Batch apply(Batch batch, EvalContext& context) override {
    const Column collections = evaluate(*collection_, batch, context);
    const DataType& type = collection_->type;
    const size_t before = batch.columns.size();
    BatchBuilder out(types_);
    std::vector<bool> kept_alone;  // of each output row: it stands for a row without elements
    const auto copy = [&](size_t row) {
      for (size_t c = 0; c < before; ++c) out.column(c).append(batch.columns[c], row);
    };
    batch.each([&](size_t row) {
      const Value value = collections.value(row);
      size_t count = 0;
      if (!value.is_null()) {
        const std::vector<Value>& items = value.items();
        const bool pairs = type.is(TypeRoot::map) || type.is(TypeRoot::multiset);
        for (size_t i = 0; i < items.size(); i += pairs ? 2 : 1) {
          size_t at = before;
          const bool row_element = type.is(TypeRoot::array) && type.child(0).is(TypeRoot::row);
          if (row_element && items[i].is_null()) continue;  // a null row has no fields to show
          if (type.is(TypeRoot::multiset)) {
            for (int64_t n = items[i + 1].as_int(); n > 0; --n) {
              copy(row);
              at = append_element(out, before, items[i], type.child(0));
              finish(out, at, ++count, batch.kind(row), kept_alone);
            }
            continue;
          }
          copy(row);
          if (pairs) {
            out.column(at++).append(items[i]);
            out.column(at++).append(items[i + 1]);
          } else {
            at = append_element(out, at, items[i], type.child(0));
          }
          finish(out, at, ++count, batch.kind(row), kept_alone);
        }
      }
      if (count == 0 && outer_) {
        copy(row);
        for (size_t c = before; c < types_.size(); ++c) out.column(c).append_null();
        out.end_row(batch.kind(row));
        kept_alone.push_back(true);
      }
    });
    Batch result = out.finish();
    if (condition_) {
      std::vector<uint32_t> kept = filter(*condition_, result, context);
      if (outer_) {
        std::vector<uint32_t> all;
        size_t k = 0;
        for (uint32_t r = 0; r < result.rows; ++r) {
          const bool passes = k < kept.size() && kept[k] == r;
          if (passes) ++k;
          if (passes || kept_alone[r]) all.push_back(r);
        }
        kept = std::move(all);
      }
      result.selection = std::move(kept);
    }
    return result;
  }

 private:
  size_t append_element(BatchBuilder& out, size_t at, const Value& item, const DataType& type) {
    if (!type.is(TypeRoot::row)) {
      out.column(at).append(item);
      return at + 1;
    }
    for (size_t f = 0; f < type.fields->size(); ++f) {
      if (item.is_null())
        out.column(at + f).append_null();
      else
        out.column(at + f).append(item.items()[f]);
    }
    return at + type.fields->size();
  }
  void finish(BatchBuilder& out, size_t at, size_t position, RowKind kind, std::vector<bool>& kept_alone) {
    if (ordinality_) out.column(at).append(Value::integer(static_cast<int64_t>(position)));
    out.end_row(kind);
    kept_alone.push_back(false);
  }

  ExprPtr collection_;
  ExprPtr condition_;
  bool outer_;
  bool ordinality_;
  std::vector<DataType> types_;
};

// TUMBLE, HOP and CUMULATE as table functions: every row once per window, with the window's columns appended.
class WindowTransform final : public Transform {
 public:
  explicit WindowTransform(const plan::WindowTvf& node)
      : spec_(node.window), assigner_(shape_of(node.window)), types_(types_of(node.schema)) {}

  size_t rows_of_a_row() const override { return static_cast<size_t>(assigner_.windows_of_a_row()); }

  Batch apply(Batch batch, EvalContext& context) override {
    const WindowTime time(context.zone, spec_.local_time);
    const size_t before = batch.columns.size();
    std::vector<uint32_t> source;
    ColumnBuilder start(types_[before]), end(types_[before + 1]), instant(types_[before + 2]);
    batch.each([&](size_t row) {
      int64_t at = context.now.millis;
      if (!spec_.proctime) {
        const Column& column = batch.columns[static_cast<size_t>(spec_.time_column)];
        if (column.is_null(row)) return;  // counted nowhere in Flink's results either: a row without time is dropped
        at = column.at<TimestampValue>(row).millis;
      }
      for (const Window& window : assigner_.windows(time.local(at))) {
        source.push_back(static_cast<uint32_t>(row));
        start.append_plain(TimestampValue{window.start, 0});
        end.append_plain(TimestampValue{window.end, 0});
        instant.append_plain(TimestampValue{time.instant(window.end - 1), 0});
      }
    });
    Batch out = batch.take(source);
    out.columns.push_back(start.finish());
    out.columns.push_back(end.finish());
    out.columns.push_back(instant.finish());
    return out;
  }

 private:
  plan::WindowSpec spec_;
  WindowAssigner assigner_;
  std::vector<DataType> types_;
};

}  // namespace

void TransformOperator::on_batch(int, Batch batch) {
  const size_t at_once = std::max<size_t>(1, Transform::piece_rows / transform_->rows_of_a_row());
  if (batch.selected() <= at_once || transform_->rows_of_a_row() == 1)
    return emit(transform_->apply(std::move(batch), eval_));
  std::vector<uint32_t> rows;
  const auto give = [&] {
    Batch piece = batch;
    piece.selection = std::exchange(rows, {});
    emit(transform_->apply(std::move(piece), eval_));
  };
  batch.each([&](size_t row) {
    rows.push_back(static_cast<uint32_t>(row));
    if (rows.size() == at_once) give();
  });
  if (!rows.empty()) give();
}

std::unique_ptr<Transform> make_transform(const plan::Node& node) {
  switch (node.kind) {
    case plan::Kind::calc:
      return std::make_unique<CalcTransform>(static_cast<const plan::Calc&>(node));
    case plan::Kind::expand:
      return std::make_unique<ExpandTransform>(static_cast<const plan::Expand&>(node));
    case plan::Kind::unnest:
      return std::make_unique<UnnestTransform>(static_cast<const plan::Unnest&>(node));
    case plan::Kind::window_tvf: {
      const auto& window = static_cast<const plan::WindowTvf&>(node);
      if (window.window.kind == plan::WindowSpec::Kind::session) return nullptr;
      return std::make_unique<WindowTransform>(window);
    }
    default:
      return nullptr;
  }
}

}  // namespace millrace::processing
