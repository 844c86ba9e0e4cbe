"""Every function of modseq that the front end calls is in the SQL of docs/jmap.md, and every method has its heading."""

import os
import re
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(HERE, name)) as file:
        return file.read()


class Calls(unittest.TestCase):
    def test_calls_are_documented(self):
        text = re.sub(r"/\*.*?\*/", "", read("../sql.c"), flags=re.S)
        called = set(re.findall(r"\b(\w+)\('mw_mail'", text)) | set(re.findall(r'CHANGES\("(\w+)"', text))
        self.assertGreaterEqual(called, {"account_state", "account_lock", "email_changes", "thread_changes", "mailbox_changes"})
        sql = "".join(re.findall(r"^```sql\n(.*?)^```", read("../../../docs/jmap.md"), flags=re.S | re.M))
        for name in sorted(called):
            with self.subTest(name):
                self.assertRegex(sql, r"\b%s\('mail'" % name)

    def test_methods_are_documented(self):
        methods = re.findall(r'\{"(\w+/\w+)", \w+, (?:true|false)', read("../request.c"))
        self.assertGreater(len(methods), 15)
        headings = re.findall(r"^## (\w+/\w+)$", read("../../../docs/jmap.md"), flags=re.M)
        self.assertEqual(sorted(methods), sorted(headings))

    def test_statements_are_used(self):
        names = set(re.findall(r"\[(SQL_\w+)\]", read("../sql.c"))) - {"SQL_COUNT"}
        source = "".join(read("../" + name) for name in os.listdir(HERE + "/..") if name.endswith(".c") and name != "sql.c")
        source += read("../../mail/db.c")
        self.assertEqual(sorted(name for name in names if not re.search(r"\b%s\b" % name, source)), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
