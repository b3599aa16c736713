"""What tools/bench/callgrind says about counts that have changed, and what --accept keeps."""
import importlib.machinery
import importlib.util
import pathlib
import unittest

loader = importlib.machinery.SourceFileLoader("callgrind", str(pathlib.Path(__file__).with_name("callgrind")))
callgrind = importlib.util.module_from_spec(importlib.util.spec_from_loader("callgrind", loader))
loader.exec_module(callgrind)


class Verdicts(unittest.TestCase):
    def test_growth_above_the_tolerance_fails_and_names_the_path_and_the_way_out(self):
        fails, text = callgrind.verdict("append, 1 KB", 1021, 1000)
        self.assertTrue(fails)
        self.assertIn("append, 1 KB", text)
        self.assertIn('tools/bench/callgrind --accept "reason"', text)

    def test_little_changes_are_silent(self):
        self.assertEqual(callgrind.verdict("append", 1019, 1000), (False, ""))
        self.assertEqual(callgrind.verdict("append", 981, 1000), (False, ""))

    def test_shrinkage_is_told_and_does_not_fail(self):
        fails, text = callgrind.verdict("append", 900, 1000)
        self.assertFalse(fails)
        self.assertIn("10.0% fewer", text)

    def test_a_path_without_a_committed_number_fails(self):
        self.assertTrue(callgrind.verdict("append", 900, None)[0])

    def test_accept_gives_the_reason_to_what_has_changed_only(self):
        committed = {"a": {"instructions": 100, "reason": "first"}, "b": {"instructions": 100, "reason": "first"}, "gone": {"instructions": 1, "reason": "first"},
                     "other": {"instructions": 7, "reason": "first"}}
        after = callgrind.accepted(committed, {"a": 101, "b": 150, "new": 5}, ["a", "b", "other", "new"], "checks more")
        self.assertEqual(after, {"a": {"instructions": 100, "reason": "first"}, "b": {"instructions": 150, "reason": "checks more"},
                                 "other": {"instructions": 7, "reason": "first"}, "new": {"instructions": 5, "reason": "checks more"}})


unittest.main()
