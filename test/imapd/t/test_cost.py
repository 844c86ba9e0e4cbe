"""What commands cost the database: round trips, and rows that are read."""

import os
import re
import subprocess
import unittest

from imap import Imap, mailbox_id, new_mailbox, sql, wait_for
from proxy import Proxy

MESSAGES = int(os.environ.get("IMAPD_MESSAGES", "100000"))

notes = []


class Cost(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.proxy = Proxy()
        cls.server = subprocess.Popen([os.environ["IMAPD"], "--port", "0", "-d", cls.proxy.conninfo],
                                      stdout=subprocess.PIPE, text=True)
        cls.port = int(re.search(r"\d+$", cls.server.stdout.readline().strip()).group(0))
        c = Imap()
        cls.box = new_mailbox(c)
        c.close()
        cls.id = mailbox_id(cls.box)
        sql("INSERT INTO mw_mail (mailbox_id, flags, raw)"
            " SELECT %d, '{\"\\\\Seen\"}', 'Subject: x' FROM generate_series(1, %d)" % (cls.id, MESSAGES))
        sql("VACUUM ANALYZE mw_mail")

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait()
        cls.server.stdout.close()
        print("\n".join(notes))

    def connect(self):
        """What it asks by itself after LOGIN has been answered by then."""
        c = Imap(port=self.port)
        c.ok("NOOP")
        return c

    def trips(self, imap, command):
        before = self.proxy.trips
        answer = imap.ok(command)
        return answer, self.proxy.trips - before

    def rows_read(self):
        """Of messages, by whatever scan. The sessions tell it when they are idle for a second, or end."""
        return int(sql("SELECT pg_stat_force_next_flush();"
                       "SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
                       " WHERE relname = 'mw_mail') FROM pg_stat_user_tables WHERE relname = 'mw_mail'").split("\n")[-1])

    def test_qresync(self):
        """SELECT (QRESYNC) of a large mailbox with 100 changes: one round trip, no whole read."""
        uidvalidity, highest = sql("SELECT uidvalidity || ' ' || highestmodseq FROM modseq.status('mw_mail', %d)"
                                   % self.id).split()
        step = MESSAGES // 100
        for i in range(50):
            sql("UPDATE mw_mail SET flags = '{}' WHERE mailbox_id = %d AND uid = %d" % (self.id, i * step + 1))
            sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = %d" % (self.id, (i + 50) * step))
        # another program passes over UIDs: the list is known without a read all the same
        sql("INSERT INTO mw_mail (mailbox_id, uid, raw) VALUES (%d, %d, 'Subject: gap')" % (self.id, MESSAGES + 1000))
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid > %d" % (self.id, MESSAGES))
        c = self.connect()
        c.ok("ENABLE QRESYNC")
        top = MESSAGES - MESSAGES // 50
        for parameters in ("", " 1:%d (1:%d,%d 1:%d,%d)" % (MESSAGES, step, top, step, top + 25)):
            wait_for(self.is_quiet)
            before = self.rows_read()
            answer, trips = self.trips(c, "SELECT %s (QRESYNC (%s %s%s))" % (self.box, uidvalidity, highest, parameters))
            answer.one("^%d EXISTS$" % (MESSAGES - 50))
            self.assertEqual(len(answer.fetches()), 50)
            vanished = answer.one(r"VANISHED \(EARLIER\) (.*)").group(1).split(",")
            if not parameters:
                self.assertEqual(vanished.pop(), "%d:%d" % (MESSAGES + 1, MESSAGES + 1000))
            self.assertEqual(len(vanished), 50)
            self.assertEqual(answer.one(r"UNSEEN (\d+)").group(1), "1")
            number = int(answer.one(r"^(\d+) FETCH \(UID %d " % (49 * step + 1)).group(1))
            self.assertEqual(number, 49 * step + 1)
            self.assertEqual(trips, 1)
            # its statistics are told when it is idle, or ends
            c.ok("LOGOUT")
            c.close()
            wait_for(self.is_quiet)
            read = self.rows_read() - before
            self.assertLess(read, 1000)
            notes.append("# SELECT (QRESYNC) of %d messages%s: %d round trips, %d rows read"
                         % (MESSAGES, ", with match data" if parameters else "", trips, read))
            c = self.connect()
            c.ok("ENABLE QRESYNC")
        c.close()

    def test_status(self):
        """How many messages there are is known without a read of them."""
        c = self.connect()
        wait_for(self.is_quiet)
        before = self.rows_read()
        answer, trips = self.trips(c, "STATUS %s (MESSAGES UIDNEXT HIGHESTMODSEQ)" % self.box)
        self.assertEqual(int(answer.one(r"MESSAGES (\d+)").group(1)),
                         int(sql("SELECT count(*) FROM mw_mail WHERE mailbox_id = %d" % self.id)))
        counted = self.rows_read()
        self.assertLessEqual(trips, 1)
        c.ok("LOGOUT")
        c.close()
        wait_for(self.is_quiet)
        self.assertLess(self.rows_read() - counted, 10)
        self.assertGreater(counted - before, 1000)

    def test_few_of_many(self):
        """One query each, and what is read follows what is found; where flags are searched, the mailbox's rows."""
        highest = int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % self.id))
        uids = [2, MESSAGES // 2 + 1, MESSAGES - 1]
        sql("UPDATE mw_mail SET flags = '{\"\\\\Flagged\"}' WHERE mailbox_id = %d AND uid IN (%d, %d, %d)"
            % (self.id, *uids))
        listed = ",".join(map(str, uids))
        for command, most in (
                ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % highest, 100),
                ("UID FETCH %s (FLAGS)" % listed, 100),
                ("UID SEARCH MODSEQ %d" % (highest + 1), 100),
                ("UID SEARCH RETURN (MIN MAX) FLAGGED UNSEEN MODSEQ %d" % (highest + 1), 100),
                ("UID SEARCH UID %s FLAGGED" % listed, 100),
                ("UID SEARCH UNSEEN UNDELETED", 100),
                ("UID SEARCH FLAGGED UNSEEN", 2 * MESSAGES)):
            with self.subTest(command):
                before = self.rows_read()
                c = self.connect()
                c.ok("EXAMINE " + self.box)
                answer, trips = self.trips(c, command)
                if "FETCH" in command:
                    self.assertEqual(len(answer.fetches()), 3)
                elif "RETURN" in command:
                    answer.one(r"MIN 2 MAX %d MODSEQ %d" % (uids[2], highest + 1))
                else:
                    answer.one("^SEARCH " + " ".join(map(str, uids)) + r"( \(MODSEQ %d\))?$" % (highest + 1))
                self.assertLessEqual(trips, 2)
                c.ok("LOGOUT")
                c.close()
                wait_for(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'") == "0")
                self.assertLess(self.rows_read() - before, most)

    def is_quiet(self):
        """Have all sessions of the front end ended, so that their statistics are told?"""
        return sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
                   " AND state <> 'idle'") == "0"

    def test_round_trips(self):
        c = self.connect()
        box = new_mailbox(c, 3)
        c.ok("ENABLE QRESYNC")
        for command, most in (
                ("SELECT " + box, 1), ("NOOP", 1), ("FETCH 1:3 (FLAGS)", 2), ("SEARCH SEEN", 2),
                ("STORE 1 +FLAGS (\\Seen)", 1), ("STORE 1 (UNCHANGEDSINCE 99) -FLAGS (\\Seen)", 2),
                ("FETCH 1 BODY[]", 4), ("STATUS %s (MESSAGES UNSEEN HIGHESTMODSEQ)" % box, 2),
                ("UID MOVE 1 Archive", 2), ("EXPUNGE", 1), ("LIST \"\" * RETURN (STATUS (UNSEEN))", 2)):
            with self.subTest(command):
                _, trips = self.trips(c, command)
                self.assertLessEqual(trips, most)
        c.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
