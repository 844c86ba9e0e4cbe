"""Every function of modseq that the front end calls is in README.md's table of what an IMAP server calls."""

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
        with open(HERE + "/../../../README.md") as file:
            section = file.read().split("\n## What an IMAP server calls\n")[1].split("\n## ")[0]
        table = "\n".join(line for line in section.split("\n") if line.startswith("| "))
        for name in sorted(called):
            with self.subTest(name):
                self.assertRegex(table, r"`[^`]*\b%s\(" % name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
