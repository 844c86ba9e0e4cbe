"""Every function of modseq that the front end calls is in the SQL of docs/imap.md."""

import os
import re
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Calls(unittest.TestCase):
    def test_calls_are_documented(self):
        with open(HERE + "/../sql.c") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        called = set(re.findall(r"\b(\w+)\('mw_mail'", text)) | set(re.findall(r"\b(ranges|uidset_agg)\(", text))
        self.assertIn("resync", called)
        with open(HERE + "/../../../docs/imap.md") as file:
            sql = "".join(re.findall(r"^```sql\n(.*?)^```", file.read(), flags=re.S | re.M))
        for name in sorted(called):
            with self.subTest(name):
                self.assertRegex(sql, r"\b%s\(" % name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
