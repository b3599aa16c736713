#!/usr/bin/env python3
"""The arithmetic and the page of tools/bench/report: ratios of pairs, numbers, tables, figures.

    report_test.py DIRECTORY      where tools/bench is
"""
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(sys.argv.pop()) / "tools/bench"))
import charts
import page
import results


def result(**changes):
    rows = [results.row("a", "small: broker CPU", "CPU-s/GB", "lower", [1.0, 2.0], [8.0, 8.0]),
            results.row("b", "big: broker CPU", "CPU-s/GB", "lower", [0.5, 0.5], [2.0, 3.0], noisy=True)]
    return {"name": "produce", "title": "Produce", "rows": rows, "machine": "2 × X", "date": "2026-01-02", "commit": "abc"} | changes


class Report(unittest.TestCase):
    def test_a_ratio_counts_in_our_favour_whichever_way_is_better(self):
        self.assertEqual(results.paired([1, 2], [8, 8], "lower"), (1.5, 8, 6, (4, 8)))
        self.assertEqual(results.paired([10, 20], [5, 5], "higher"), (15, 5, 3, (2, 4)))

    def test_nothing_is_divided_by_zero(self):
        self.assertEqual(results.paired([0], [5], "lower")[2:], (None, None))

    def test_numbers_have_three_digits(self):
        shown = [results.number(v) for v in (0, 0.01234, 0.5, 1.234, 45.67, 789.4, 12345, 999.6, None)]
        self.assertEqual(shown, ["0", "0.0123", "0.500", "1.23", "45.7", "789", "12,300", "1,000", "–"])

    def test_a_workload_measured_again_replaces_its_rows_in_place(self):
        old = [{"workload": w, "metric": m} for w, m in (("a", "1"), ("a", "2"), ("b", "1"))]
        merged = results.merge(old, [{"workload": "a", "metric": "3"}, {"workload": "c", "metric": "1"}])
        self.assertEqual([(r["workload"], r["metric"]) for r in merged], [("a", "3"), ("b", "1"), ("c", "1")])

    def test_the_page_shows_values_ratio_range_and_noise(self):
        text, figures = page.page([result()])
        self.assertIn("| **small** | | | | |", text)
        self.assertIn("| broker CPU | 1.50 CPU-s/GB | 8.00 CPU-s/GB | **6.00×** | 4.00–8.00 |", text)
        self.assertIn("4.00–6.00 *noisy* |", text)
        self.assertIn("tools/bench/compare produce", text)
        self.assertIn("(performance/produce-cpu.svg)", text)
        self.assertEqual(list(figures), ["produce-cpu.svg"])

    def test_a_broker_may_be_compared_with_itself(self):
        rows = [results.row("a", "job: ack p99", "µs", "lower", [100, 100], [110, 120], "with the job")]
        text, _ = page.page([result(name="beside", rows=rows, columns=["alone", "with the job", "longer by"])])
        self.assertIn("| | alone | with the job | longer by | range |\n", text)
        self.assertIn("| **job** | | | | |\n| ack p99 | 100 µs | 115 µs | **1.15×** | 1.10–1.20 |", text)

    def test_rows_of_different_versions_say_which(self):
        data = result()
        data["rows"][0]["commit"], data["rows"][1]["commit"] = "aaa", "bbb"
        text, _ = page.page([data])
        self.assertIn("| **small** (aaa) | | | | |", text)
        self.assertIn("commit aaa and bbb", text)

    def test_results_without_a_rival_have_a_table_too(self):
        rows = [{"metric": "append", "millrace": 1200, "unit": "instructions"}]
        data = result(name="callgrind", title="Instructions", rows=rows)
        del data["commit"], data["date"], data["machine"]
        text, _ = page.page([data])
        self.assertIn("| append | 1,200 instructions |  |", text)

    def test_results_that_do_not_say_what_is_better_are_judged_by_their_unit(self):
        slower = {"metric": "restart", "millrace": 2.0, "other": 8.0, "unit": "ms", "ratio": 0.25, "spread": [1.5, 3.0]}
        faster = {"metric": "rate", "millrace": 80.0, "other": 8.0, "unit": "k events/CPU-s", "ratio": 10.0, "spread": "9–11"}
        self.assertEqual([page.advantage(slower), page.advantage(faster)], [4.0, 10.0])
        self.assertIn("| restart | 2.00 ms | 8.00 ms | **4.00×** | 1.50–3.00 ms |", page.page([result(name="scale", rows=[slower])])[0])

    def test_every_figure_is_well_formed_and_escaped(self):
        points = [[50, 120.0], [90, 300.0], [99, 5000.0], [99.9, 11000.0]]
        curves = {"load": {"title": "a < b", "Millrace": {"ack": points}, "Kafka": {"ack": points}}}
        data = result(curves=curves)
        _, figures = page.page([data])
        self.assertEqual(sorted(figures), ["load.svg", "produce-cpu.svg"])
        for svg in figures.values():
            xml.etree.ElementTree.fromstring(svg)

    def test_bars_are_proportional(self):
        root = xml.etree.ElementTree.fromstring(charts.bars("t", "u", ["a", "b"], [("x", [10.0, 5.0])]))
        widths = [float(r.get("width")) for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "12"]
        self.assertEqual(len(widths), 2)
        self.assertAlmostEqual(widths[0], 2 * widths[1], delta=0.1)


unittest.main()
