"""Run natively: `python3 -m unittest` in this directory."""

import unittest

from records import NotRecords, kind_of, merged, records


def parsed(text: str, size: int) -> list[dict]:
    data = text.encode()
    return list(records(data[start : start + size] for start in range(0, len(data), size)))


class Records(unittest.TestCase):
    def test_chunks_may_end_anywhere(self):
        for size in (1, 2, 3, 1000):
            self.assertEqual(parsed(' [ {"a": "ü,]"} , {"b": [1.5, {}]}\n] ', size), [{"a": "ü,]"}, {"b": [1.5, {}]}])
            self.assertEqual(parsed('{"a": 1}\n{"a": 2}\n', size), [{"a": 1}, {"a": 2}])
            self.assertEqual(parsed("[]", size), [])
            self.assertEqual(parsed("", size), [])

    def test_what_is_no_records_is_refused(self):
        for text in ("[1]", "3", '{"a":', '[{"a": 1}', '[{"a": 1} {"b": 2}]', '[{}] x', "[{}] []", "nul"):
            for size in (1, 1000):
                with self.assertRaises(NotRecords, msg=text):
                    parsed(text, size)

    def test_a_column_is_of_the_kind_that_has_all_its_items(self):
        self.assertEqual([kind_of(item) for item in (None, True, 1, 1.5, "a", [], 1 << 63)],
                         [None, "BOOLEAN", "INTEGER", "REAL", "TEXT", "JSON", "JSON"])
        self.assertEqual(merged("INTEGER", "REAL"), "REAL")
        self.assertEqual(merged("BOOLEAN", "INTEGER"), "JSON")
        self.assertEqual(merged(None, "TEXT"), "TEXT")
        self.assertEqual(merged("TEXT", None), "TEXT")


if __name__ == "__main__":
    unittest.main()
