"""RFC 7162, QRESYNC."""

import unittest

from imap import Imap, mailbox_id, message, new_mailbox, sql


class Qresync(unittest.TestCase):
    def setUp(self):
        self.a = Imap()
        self.b = Imap()
        self.a.ok("ENABLE QRESYNC")
        self.box = new_mailbox(self.a, 6)
        self.b.ok("SELECT " + self.box)

    def tearDown(self):
        self.a.close()
        self.b.close()

    def select(self, parameters=None):
        return self.a.cmd("SELECT %s%s" % (self.box, " (QRESYNC (%s))" % parameters if parameters else ""))

    def uidvalidity(self):
        return int(sql("SELECT uidvalidity FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))

    def expunge(self, uids, by=None):
        by = by or self.b
        by.ok("UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids)
        by.ok("UID EXPUNGE %s" % uids)

    def test_enable(self):
        c = Imap()
        self.assertEqual(c.ok("ENABLE CONDSTORE QRESYNC X-NONESUCH").untagged, ["ENABLED CONDSTORE QRESYNC"])
        self.assertEqual(c.ok("ENABLE QRESYNC").untagged, ["ENABLED"])
        c.close()

    def test_nothing_changed(self):
        v = self.uidvalidity()
        answer = self.select("%d 7" % v)
        answer.one("^6 EXISTS$")
        self.assertEqual(answer.number("UIDNEXT"), 7)
        self.assertEqual(answer.number("HIGHESTMODSEQ"), 7)
        self.assertEqual(answer.all("VANISHED|FETCH"), [])
        self.assertEqual(answer.code, "READ-WRITE")

    def test_resync(self):
        v = self.uidvalidity()
        self.b.ok("UID STORE 5 +FLAGS (\\Seen)")         # 8
        self.expunge("2:3")                              # 9, 10
        self.b.append(self.box, message(7))              # 11
        answer = self.select("%d 7" % v)
        answer.one("^5 EXISTS$")
        tail = [u for u in answer.untagged if "VANISHED" in u or "FETCH" in u]
        self.assertEqual(tail, [
            "VANISHED (EARLIER) 2:3",
            "3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (8))",
            "5 FETCH (UID 7 FLAGS () MODSEQ (11))"])
        self.assertLess(answer.untagged.index([u for u in answer.untagged if "HIGHESTMODSEQ" in u][0]),
                        answer.untagged.index(tail[0]))

    def test_known_uids_limit(self):
        v = self.uidvalidity()
        self.b.ok("STORE 1:6 +FLAGS.SILENT (\\Seen)")
        self.expunge("2,4")
        answer = self.select("%d 7 1:3" % v)
        self.assertEqual(answer.all("VANISHED"), ["VANISHED (EARLIER) 2"])
        self.assertEqual(set(answer.fetches()), {1, 3})
        # what was never assigned is not expunged
        answer = self.select("%d 7 1:4294967295" % v)
        self.assertEqual(answer.all("VANISHED"), ["VANISHED (EARLIER) 2,4"])

    def test_sequence_match_data(self):
        """Pairs that still match spare the client what it knows, if the past is folded."""
        v = self.uidvalidity()
        self.expunge("1")
        self.expunge("4")
        sql("SELECT modseq.compact('mw_mail', '0 seconds')")
        self.assertEqual(self.select("%d 10" % v).all("VANISHED"), ["VANISHED (EARLIER) 1,4"])
        # the client has seen 1 go: it holds 2:6
        answer = self.select("%d 10 2:6 (1,2,5 2,3,6)" % v)
        self.assertEqual(answer.all("VANISHED"), ["VANISHED (EARLIER) 4"])
        for match, vanished in (("1:2 2:3", "4"), ("1:6 1:6", "1,4"), ("2,5 3,6", "4"), ("1:4 2:3,5:6", None),
                                ("3:4 5:6", None), ("2 1000", "1,4"), ("4294967295 4294967295", "1,4"),
                                ("1:4294967295 1:4294967295", "1,4"), ("1:4294967294 2:4294967295", "4"),
                                ("1,3,9 2,5,6", None), ("4,7:8 6,8:9", None)):
            with self.subTest(match):
                answer = self.select("%d 10 1:6 (%s)" % (v, match))
                self.assertEqual(answer.all("VANISHED"), ["VANISHED (EARLIER) " + vanished] if vanished else [])

    def test_other_uidvalidity(self):
        self.b.ok("STORE 1 +FLAGS (\\Seen)")
        answer = self.select("%d 1" % (self.uidvalidity() - 1))
        self.assertEqual(answer.all("VANISHED|FETCH"), [])
        self.assertEqual(answer.status, "OK")

    def test_ahead_of_the_server(self):
        """After a restore from a backup: everything that may have vanished, and all flags."""
        self.expunge("2")
        answer = self.select("%d 1000" % self.uidvalidity())
        self.assertEqual(answer.all("VANISHED"), ["VANISHED (EARLIER) 2"])
        self.assertEqual(set(answer.fetches()), {1, 3, 4, 5, 6})

    def test_bad(self):
        v = self.uidvalidity()
        for parameters in ("%d" % v, "0 1", "%d 0" % v, "%d 1 *" % v, "%d 1 1:*" % v, "4294967296 1",
                           "%d 9223372036854775808" % v, "%d 1 1:2 (1 1:2)" % v, "%d 1 1:2 (1:* 1:*)" % v,
                           "%d 1 0" % v, "%d 1 1:2 1:2" % v, "%d 1 (1 1) 1" % v, "x y"):
            with self.subTest(parameters):
                self.assertEqual(self.select(parameters).status, "BAD")
        # nothing was opened; and what was open is closed, as whenever SELECT fails
        self.assertEqual(self.a.cmd("FETCH 1 FLAGS").status, "BAD")
        self.select()
        self.select("%d 0" % v).one(r"^OK \[CLOSED\]")
        self.assertEqual(self.a.cmd("FETCH 1 FLAGS").status, "BAD")
        self.assertEqual(self.a.cmd("SELECT %s (QRESYNC (1 1) QRESYNC (1 1))" % self.box).status, "BAD")
        self.select()
        self.assertEqual(self.a.cmd("FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)").status, "BAD")
        self.assertEqual(self.a.cmd("UID FETCH 1 (FLAGS) (VANISHED)").status, "BAD")

    def test_match_without_known(self):
        self.assertEqual(self.select("%d 7 (1 1)" % self.uidvalidity()).status, "OK")

    def test_uid_fetch_vanished(self):
        self.expunge("2,6")
        self.select()
        answer = self.a.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)")
        # '*' reaches UIDNEXT - 1, though the last message is 5
        self.assertEqual(answer.untagged, ["VANISHED (EARLIER) 2,6"])
        answer = self.a.ok("UID FETCH 1:4 (FLAGS) (VANISHED CHANGEDSINCE 6)")
        self.assertEqual(answer.untagged, ["VANISHED (EARLIER) 2"])
        self.b.ok("UID STORE 1 +FLAGS (\\Seen)")
        answer = self.a.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)")
        self.assertEqual(answer.untagged[:2],
                         ["VANISHED (EARLIER) 2,6", "1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))"])

    def test_live_expunge_in_uid_fetch_vanished(self):
        """What is still announced is told once, without EARLIER."""
        self.select()
        self.expunge("3")
        answer = self.a.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)")
        self.assertEqual(answer.all("VANISHED"), ["VANISHED 3"])
        self.assertEqual(self.a.ok("NOOP").untagged, [])

    def test_vanished_in_place_of_expunge(self):
        self.select()
        self.expunge("2:4")
        self.assertEqual(self.a.ok("NOOP").untagged, ["VANISHED 2:4"])
        self.a.ok("UID STORE 1 +FLAGS (\\Deleted)")
        answer = self.a.ok("EXPUNGE")
        self.assertEqual(answer.untagged, ["VANISHED 1"])
        self.assertEqual(answer.code, "HIGHESTMODSEQ 11")
        answer = self.a.ok("EXPUNGE")
        self.assertEqual((answer.untagged, answer.code), ([], None))
        self.assertEqual(set(self.a.ok("FETCH 1:2 (UID)").fetches()), {5, 6})

    def test_unsolicited_fetch_has_uid_and_modseq(self):
        self.select()
        self.b.ok("UID STORE 2 +FLAGS (\\Seen)")
        self.assertEqual(self.a.ok("NOOP").untagged, ["2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))"])
        self.assertEqual(self.a.ok("STORE 3 +FLAGS.SILENT (\\Seen)").untagged, ["3 FETCH (UID 3 MODSEQ (9))"])

    def test_withheld_vanished(self):
        self.select()
        self.expunge("2")                                # 8, 9
        for command in ("FETCH 1 (FLAGS)", "STORE 1 +FLAGS (\\Seen)", "SEARCH ALL", "UID SEARCH 1"):
            answer = self.a.ok(command)
            self.assertEqual(answer.all("VANISHED"), [], command)
            self.assertEqual(answer.code, "HIGHESTMODSEQ 8", command)
        answer = self.a.ok("UID SEARCH ALL")
        self.assertEqual(answer.untagged, ["SEARCH 1 3 4 5 6", "VANISHED 2"])
        self.assertIsNone(answer.code)

    def test_only_announced_vanish(self):
        self.select()
        self.b.append(self.box, message(7))
        self.b.ok("NOOP")
        self.expunge("1,7")
        self.assertEqual(self.a.ok("NOOP").untagged, ["VANISHED 1"])

    def test_move(self):
        target = new_mailbox(self.a)
        self.select()
        answer = self.a.ok("UID MOVE 2,4 " + target)
        code = answer.one(r"^OK \[COPYUID (\d+) 2,4 1:2\]")
        self.assertEqual(answer.all("VANISHED"), ["VANISHED 2,4"])
        self.assertEqual(answer.code, "HIGHESTMODSEQ 8")
        status = self.a.ok("STATUS %s (UIDVALIDITY MESSAGES HIGHESTMODSEQ)" % target)
        status.one("MESSAGES 2 UIDVALIDITY %s HIGHESTMODSEQ 2" % code.group(1))

    def test_move_within(self):
        self.select()
        answer = self.a.ok("UID MOVE 2 " + self.box)
        answer.one(r"COPYUID \d+ 2 7")
        self.assertEqual(answer.all("VANISHED"), ["VANISHED 2"])
        answer.one("^6 EXISTS")
        self.assertEqual(answer.code, "HIGHESTMODSEQ 8")

    def test_close_tells_nothing(self):
        self.select()
        self.a.ok("STORE 1 +FLAGS (\\Deleted)")
        answer = self.a.ok("CLOSE")
        self.assertEqual((answer.untagged, answer.code), ([], None))
        self.assertEqual(self.b.ok("NOOP").untagged[0], "1 EXPUNGE")

    def test_recreated_mailbox(self):
        v = self.uidvalidity()
        self.b.ok("UNSELECT")
        self.a.ok("DELETE " + self.box)
        self.a.ok("CREATE " + self.box)
        self.assertGreater(self.uidvalidity(), v)
        self.assertEqual(self.select("%d 3" % v).all("VANISHED|FETCH"), [])

    def test_rename_keeps_all(self):
        v = self.uidvalidity()
        self.expunge("2")
        self.b.ok("UNSELECT")
        self.a.ok("RENAME %s %s-new" % (self.box, self.box))
        self.box += "-new"
        self.assertEqual(self.uidvalidity(), v)
        self.assertEqual(self.select("%d 7" % v).all("VANISHED|FETCH"), ["VANISHED (EARLIER) 2"])

    def test_gaps_that_another_writer_left(self):
        """UIDs that another program passes over have vanished, and nobody is told: numbers are right all the same."""
        sql("INSERT INTO mw_mail (mailbox_id, uid, raw) VALUES (%d, 1000, 'Subject: gap')" % mailbox_id(self.box))
        answer = self.select("%d 7" % self.uidvalidity())
        answer.one("^7 EXISTS$")
        self.assertEqual(answer.all("FETCH"), ["7 FETCH (UID 1000 FLAGS () MODSEQ (8))"])
        self.assertEqual(self.b.ok("NOOP").untagged[0], "7 EXISTS")

    def test_uidvalidity_changes_meanwhile(self):
        self.select()
        sql("SELECT modseq.reset_uidvalidity('mw_mail', %d)" % mailbox_id(self.box))
        tag = self.a.start("NOOP")
        self.assertTrue(self.a.line().startswith("* BYE"), tag)

    def test_uidvalidity_changes_before_a_write(self):
        """The session's UIDs name other messages now: nothing is written, and the session ends."""
        target = new_mailbox(self.b)
        where = "mailbox_id IN (%d, %d)" % (mailbox_id(self.box), mailbox_id(target))
        messages = "SELECT mailbox_id, uid, modseq, flags FROM mw_mail WHERE %s ORDER BY 1, 2" % where
        self.b.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        before = sql(messages)
        for command in (
                "EXPUNGE", "UID EXPUNGE 1:6", "CLOSE", "UID FETCH 1:6 BODY[]", "STORE 1:6 FLAGS (a)",
                "UID STORE 1:6 +FLAGS (a)", "UID STORE 1:6 -FLAGS (\\Deleted)",
                "UID STORE 1:6 (UNCHANGEDSINCE 99) +FLAGS (a)", "COPY 1:6 " + target, "UID COPY 1:6 " + target,
                "UID MOVE 1:6 " + target, "UID MOVE 1:6 " + self.box):
            with self.subTest(command):
                c = Imap()
                c.ok("ENABLE QRESYNC")
                c.ok("SELECT " + self.box)
                sql("SELECT modseq.reset_uidvalidity('mw_mail', %d)" % mailbox_id(self.box))
                tag = c.start(command)
                line = c.line()
                while not line.startswith(("* BYE", tag)):
                    line = c.line()
                c.close()
                self.assertEqual(line.startswith("* BYE"), command != "CLOSE", line)
                self.assertEqual(sql(messages), before)

    def test_idle(self):
        self.select()
        tag = self.a.start("IDLE")
        self.assertEqual(self.a.line(), "+ idling")
        self.b.ok("UID STORE 2 +FLAGS (\\Seen)")
        self.assertEqual(self.a.line(), "* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))")
        self.b.append(self.box, message(7))
        self.assertEqual(self.a.line(), "* 7 EXISTS")
        self.assertEqual(self.a.line(), "* 0 RECENT")
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 3" % mailbox_id(self.box))
        self.assertEqual(self.a.line(), "* VANISHED 3")
        self.a.send("DONE\r\n")
        answer = self.a.finish(tag)
        self.assertEqual((answer.status, answer.untagged), ("OK", []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
