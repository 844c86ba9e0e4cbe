"""STORE and SEARCH of so many messages that they are not read one by one: the answers are the same."""

import random
import unittest

from imap import Imap, mailbox_id, new_mailbox, sql

MANY = 6000


class Many(unittest.TestCase):
    def setUp(self):
        self.a = Imap()
        self.b = Imap()
        self.box = new_mailbox(self.a)
        sql("INSERT INTO mw_mail (mailbox_id, raw) SELECT %d, 'Subject: x' FROM generate_series(1, %d)"
            % (mailbox_id(self.box), MANY))
        for session in (self.a, self.b):
            session.ok("SELECT %s (CONDSTORE)" % self.box)

    def tearDown(self):
        self.a.close()
        self.b.close()

    def highest(self):
        return int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))

    def test_silent(self):
        """With .SILENT the mod-sequence of each message that has changed, and of no other"""
        self.a.ok("STORE 7 +FLAGS (\\Flagged)")
        answer = self.a.ok("STORE 1:%d +FLAGS.SILENT (\\Flagged)" % MANY)
        highest = self.highest()
        expected = {uid: (None, highest) for uid in range(1, MANY + 1) if uid != 7}
        self.assertEqual(answer.fetches(), expected)
        self.assertEqual(self.a.ok("NOOP").untagged, [])
        self.assertEqual(self.a.ok("STORE 1:%d +FLAGS.SILENT (\\Flagged)" % MANY).untagged, [])
        told = self.b.ok("NOOP").fetches()
        self.assertEqual({uid for uid in told if "\\Flagged" in told[uid][0]}, set(range(1, MANY + 1)))

    def test_flags(self):
        """Without, the flags of all of them"""
        self.a.ok("STORE 7 +FLAGS (\\Flagged)")
        before = self.highest()
        told = self.a.ok("STORE 1:%d +FLAGS (\\Flagged)" % MANY).fetches()
        after = self.highest()
        self.assertEqual(told, {uid: ({"\\Flagged"}, before if uid == 7 else after) for uid in range(1, MANY + 1)})
        self.assertEqual(self.a.ok("NOOP").untagged, [])

    def test_without_condstore(self):
        c = Imap()
        c.ok("SELECT " + self.box)
        self.assertEqual(c.ok("STORE 1:%d +FLAGS.SILENT (\\Flagged)" % MANY).untagged, [])
        self.assertEqual(c.ok("NOOP").untagged, [])
        self.assertEqual(c.ok("SEARCH UNFLAGGED").untagged, ["SEARCH"])
        c.close()

    def test_others_meanwhile(self):
        """What others have done is told, or withheld"""
        self.b.ok("STORE 3 +FLAGS ($Other)")
        self.b.append(self.box, "Subject: new\r\n\r\n")
        answer = self.a.ok("STORE 1:%d +FLAGS.SILENT (\\Flagged)" % MANY)
        self.assertEqual(answer.fetches()[3][0], {"$Other", "\\Flagged"})
        self.assertEqual(answer.fetches()[4][0], None)
        answer.one("^%d EXISTS" % (MANY + 1))
        self.b.ok("STORE 5 +FLAGS (\\Deleted)")
        self.b.ok("EXPUNGE")
        self.a.ok("NOOP")
        self.b.ok("STORE 5 +FLAGS (\\Deleted)")
        self.b.ok("EXPUNGE")
        answer = self.a.cmd("STORE 1:%d -FLAGS.SILENT (\\Flagged)" % (MANY - 1))
        self.assertEqual((answer.status, answer.code), ("NO", "EXPUNGEISSUED"))
        self.assertEqual(answer.all("EXPUNGE"), [])
        self.assertEqual(len(self.a.ok("NOOP").all("^5 EXPUNGE")), 1)

    def test_forgets(self):
        """A flag that was given without a word, and that another has taken away, is one that the client knows."""
        self.a.ok("FETCH 7 (FLAGS)")
        self.a.ok("STORE 1:%d +FLAGS.SILENT (\\Flagged)" % MANY)
        since = self.highest()
        self.b.ok("STORE 7 -FLAGS (\\Flagged)")
        answer = self.a.cmd("STORE 7 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Flagged)" % since)
        self.assertEqual((answer.status, answer.code), ("OK", "MODIFIED 7"))

    def test_search(self):
        """\\Seen and \\Deleted are searched by indexes, what is gone is not found"""
        generator = random.Random(1)
        flags = {}
        box = mailbox_id(self.box)
        sql("UPDATE mw_mail SET flags = CASE uid % 3 WHEN 0 THEN '{\"\\\\Seen\"}' WHEN 1 THEN flags ELSE"
            " '{\"\\\\Seen\",\"\\\\Deleted\",\"\\\\Flagged\"}' END::text[] WHERE mailbox_id = " + "%d AND uid %% 7 < 5" % box)
        for line in sql("SELECT uid, array_to_string(flags, ' ') FROM mw_mail WHERE mailbox_id = %d" % box).split("\n"):
            uid, _, text = line.partition("|")
            flags[int(uid)] = set(text.split())
        self.a.ok("NOOP")
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid IN (1, 2, 3, 4, 5, 6)" % box)
        for uid in range(1, 7):
            del flags[uid]
        names = {"SEEN": "\\Seen", "DELETED": "\\Deleted", "FLAGGED": "\\Flagged"}
        for _ in range(40):
            keys = generator.sample(["SEEN", "UNSEEN", "DELETED", "UNDELETED", "NOT DELETED", "FLAGGED", "UID 1:3000", "ALL"],
                                    generator.randrange(1, 4))
            expected = set(flags)
            for key in keys:
                word = key.removeprefix("NOT ").removeprefix("UN")
                if key == "UID 1:3000":
                    expected = {u for u in expected if u <= 3000}
                elif word in names:
                    expected = {u for u in expected if (names[word] in flags[u]) == (key == word)}
            found = self.a.ok("SEARCH " + " ".join(keys)).one("^SEARCH ?(.*)$").group(1)
            # by message number, for the client has not been told yet of what is gone
            self.assertEqual(set(map(int, found.split())), expected, keys)


if __name__ == "__main__":
    unittest.main(verbosity=2)
