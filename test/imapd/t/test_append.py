"""APPEND of several messages (RFC 3502): all or none, one lock, one set of UIDs (RFC 4315)."""

import os
import re
import subprocess
import unittest

from imap import Imap, mailbox_id, message, new_mailbox, sql, wait_for
from proxy import Proxy


def literal(text, flags="", date=""):
    return '%s%s{%d+}\r\n%s' % ("(%s) " % flags if flags else "", '"%s" ' % date if date else "", len(text), text)


class Append(unittest.TestCase):
    def setUp(self):
        self.a = Imap()
        self.box = new_mailbox(self.a, 1)

    def tearDown(self):
        self.a.close()

    def append(self, *messages):
        return self.a.cmd("APPEND %s %s" % (self.box, " ".join(messages)))

    def status(self):
        return self.a.ok("STATUS %s (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)" % self.box).untagged

    def test_capability(self):
        self.assertIn(" MULTIAPPEND ", self.a.ok("CAPABILITY").untagged[0] + " ")

    def test_several(self):
        """Each with its own flags and date; told in their order; one mod-sequence."""
        answer = self.append(literal(message(2), "\\Seen $One"), literal(message(3), date="17-Jul-1996 02:44:25 -0700"),
                             literal(message(4)), literal(message(5), "\\Draft", " 7-Feb-1994 22:43:04 -0800"))
        self.assertEqual(answer.status, "OK", answer)
        uidvalidity = sql("SELECT uidvalidity FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box))
        self.assertEqual(answer.code, "APPENDUID %s 2:5" % uidvalidity)
        selected = self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        selected.one("^5 EXISTS")
        self.assertEqual(selected.number("HIGHESTMODSEQ"), 3)
        fetched = self.a.ok("UID FETCH 2:5 (FLAGS MODSEQ INTERNALDATE RFC822.SIZE)")
        self.assertEqual(fetched.fetches(), {2: ({"\\Seen", "$One"}, 3), 3: (set(), 3), 4: (set(), 3), 5: ({"\\Draft"}, 3)})
        fetched.one(r'^3 FETCH .*INTERNALDATE "17-Jul-1996 09:44:25 \+0000"')
        fetched.one(r'^5 FETCH .*INTERNALDATE "08-Feb-1994 06:43:04 \+0000"')
        for n in range(2, 6):
            self.assertEqual(self.a.ok("SEARCH SUBJECT \"message %d\"" % n).untagged, ["SEARCH %d" % n])

    def test_to_the_selected_mailbox(self):
        self.a.ok("SELECT " + self.box)
        answer = self.append(literal(message(2)), literal(message(3)))
        answer.one("^3 EXISTS")
        self.assertEqual(self.a.ok("UID SEARCH ALL").untagged, ["SEARCH 1 2 3"])

    def test_synchronizing_literals(self):
        """A + for each, and what follows a message is the next one's flags."""
        first, second = message(2), message(3)
        tag = self.a.start("APPEND %s (\\Seen) {%d}" % (self.box, len(first)))
        self.assertEqual(self.a.line(), "+ OK")
        self.a.send("%s (\\Flagged) {%d}\r\n" % (first, len(second)))
        self.assertEqual(self.a.line(), "+ OK")
        self.a.send(second + "\r\n")
        self.assertRegex(self.a.finish(tag).code, r"^APPENDUID \d+ 2:3$")

    def test_all_or_none(self):
        """Whatever is wrong with one of them; UIDNEXT stays where it is, too."""
        before = self.status()
        for wrong, status in ((literal(""), "NO"), (literal("a: \0b"), "NO"), (literal(message(3), "\\Frob"), "BAD"),
                              (literal(message(3), date="32-Jul-1996 02:44:25 -0700"), "BAD"), ("", "BAD"),
                              ("x", "BAD")):
            for messages in ([literal(message(2)), wrong], [wrong, literal(message(2))],
                             [literal(message(2)), wrong, literal(message(4))]):
                answer = self.append(*messages)
                self.assertIn(answer.status, (status, "BAD"), (wrong, answer))
                self.assertEqual(self.status(), before, wrong)
        self.assertEqual(self.append(literal(message(2)), "(\\Seen)").status, "BAD")
        self.assertEqual(self.status(), before)
        self.assertEqual(self.a.cmd("APPEND nonesuch %s %s" % (literal(message(1)), literal(message(2)))).code, "TRYCREATE")

    def test_database_refuses_one(self):
        """The third of them fails as it is written: none is there."""
        sql("ALTER TABLE mw_mail ADD CONSTRAINT no_poison CHECK (position('poison' IN encode(raw, 'escape')) = 0) NOT VALID")
        try:
            before = self.status()
            answer = self.append(literal(message(2)), literal(message(3)), literal(message(4) + "poison"), literal(message(5)))
        finally:
            sql("ALTER TABLE mw_mail DROP CONSTRAINT no_poison")
        self.assertEqual(answer.status, "NO", answer)
        self.assertEqual(self.status(), before)

    def test_one_lock_one_round_trip(self):
        """Many messages: one transaction, and others who append meanwhile do not come in between."""
        proxy = Proxy()
        server = subprocess.Popen([os.environ["IMAPD"], "--port", "0", "-d", proxy.conninfo],
                                  stdout=subprocess.PIPE, text=True)
        port = int(re.search(r"\d+$", server.stdout.readline().strip()).group(0))
        c, d = Imap(port=port), Imap(port=port)
        c.ok("STATUS %s (UIDNEXT)" % self.box)
        lock = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lock.stdin.write("BEGIN; SELECT uidnext FROM modseq.lock('mw_mail', %d);\n" % mailbox_id(self.box))
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "2\n")
        before = proxy.trips
        one = c.start("APPEND %s %s" % (self.box, " ".join(literal(message(n)) for n in range(200))))
        two = d.start("APPEND %s %s" % (self.box, " ".join(literal(message(n)) for n in range(200))))
        wait_for(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
                             " AND wait_event_type = 'Lock'") == "2")
        lock.communicate("COMMIT;\n")
        sets = sorted(re.search(r"(\d+):(\d+)$", a.code).groups() for a in (c.finish(one), d.finish(two)))
        self.assertEqual(sets, [("2", "201"), ("202", "401")])
        # each found its mailbox, and wrote
        self.assertEqual(proxy.trips - before, 4)
        c.close()
        d.close()
        server.terminate()
        server.wait()
        server.stdout.close()

    def test_together_no_larger_than_one_may_be(self):
        """Nothing of what is refused stays; what is not is taken, though it is more than a command may have."""
        part = message(2) + "x" * 700000
        answer = self.append(*[literal(part)] * 4)
        self.assertRegex(answer.code, r"^APPENDUID \d+ 2:5$")
        tag = self.a.start("APPEND %s {%d}" % (self.box, 40 * 1024 * 1024))
        self.assertEqual(self.a.line(), "+ OK")
        self.a.send(b"x" * (40 * 1024 * 1024))
        self.a.send(" {%d}\r\n" % (40 * 1024 * 1024))
        self.assertTrue(self.a.line().startswith(tag + " BAD [TOOBIG]"))
        self.a.ok("STATUS %s (UIDNEXT)" % self.box).one("UIDNEXT 6")


if __name__ == "__main__":
    unittest.main(verbosity=2)
