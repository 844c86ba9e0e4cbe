"""RFC 7162, CONDSTORE."""

import unittest

from imap import Imap, mailbox_id, new_mailbox, sql


class Condstore(unittest.TestCase):
    def setUp(self):
        self.a = Imap()
        self.b = Imap()
        self.box = new_mailbox(self.a, 4)

    def tearDown(self):
        self.a.close()
        self.b.close()

    def test_enabling_commands(self):
        """Each of the eight makes FETCH carry MODSEQ, and tells HIGHESTMODSEQ if a mailbox is open."""
        for command, selected in (
                ("SELECT %s (CONDSTORE)", False),
                ("EXAMINE %s (CONDSTORE)", False),
                ("STATUS %s (HIGHESTMODSEQ)", True),
                ("FETCH 1 (MODSEQ)", True),
                ("SEARCH MODSEQ 1", True),
                ("FETCH 1 (FLAGS) (CHANGEDSINCE 1)", True),
                ("STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)", True),
                ("ENABLE CONDSTORE", True),
                ("ENABLE QRESYNC", True)):
            with self.subTest(command):
                c = Imap()
                c.ok("SELECT " + self.box)
                self.assertIsNone(list(c.ok("STORE 2 +FLAGS (\\Draft)").fetches().values())[0][1])
                c.ok("STORE 2 -FLAGS (\\Draft)")
                answer = c.cmd(command % self.box if "%s" in command else command)
                self.assertEqual(answer.status, "OK")
                if selected:
                    highest = answer.number("HIGHESTMODSEQ")
                    self.assertEqual(highest, int(sql(
                        "SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box))))
                else:
                    c.ok("SELECT " + self.box)
                flags, modseq = list(c.ok("STORE 2 +FLAGS (\\Draft)").fetches().values())[0]
                self.assertIn("\\Draft", flags)
                self.assertIsNotNone(modseq)
                again = c.ok("ENABLE CONDSTORE")
                self.assertEqual(again.all("HIGHESTMODSEQ"), [], "only the first tells it")
                c.ok("STORE 2 -FLAGS (\\Draft)")
                c.close()

    def test_every_fetch_has_uid_and_modseq(self):
        """RFC 7162 section 3.2.4: after each of the enabling commands, whatever the FETCH was caused by."""
        box = new_mailbox(self.a, 9)
        self.b.ok("SELECT " + box)
        self.b.ok("STORE 9 +FLAGS.SILENT (\\Deleted)")
        self.b.ok("EXPUNGE")                    # message numbers 1 to 7 are not UIDs 2 to 8
        self.b.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.b.ok("EXPUNGE")
        for enable in ("SELECT {} (CONDSTORE)", "EXAMINE {} (CONDSTORE)", "STATUS {} (HIGHESTMODSEQ)",
                       "STATUS INBOX (HIGHESTMODSEQ)", "LIST \"\" INBOX RETURN (STATUS (HIGHESTMODSEQ))", "FETCH 7 (MODSEQ)",
                       "SEARCH MODSEQ 1", "FETCH 7 (FLAGS) (CHANGEDSINCE 99)", "STORE 7 (UNCHANGEDSINCE 1) +FLAGS (a)",
                       "ENABLE CONDSTORE", "ENABLE QRESYNC"):
            c = Imap()
            c.ok("SELECT " + box)
            c.cmd(enable.format(box))
            if "{}" in enable:
                c.ok("SELECT " + box)
            self.b.ok("UID STORE 3:4 FLAGS ()")
            self.b.ok("UID STORE 5 FLAGS ()")
            c.ok("NOOP")
            for command, uid in (
                    ("STORE 1 +FLAGS (\\Seen)", 2), ("STORE 1 +FLAGS (\\Seen)", 2), ("STORE 1 -FLAGS.SILENT (\\Seen)", 2),
                    ("UID STORE 2 FLAGS (\\Draft)", 2), ("UID STORE 2 FLAGS.SILENT ()", 2),
                    ("STORE 1 (UNCHANGEDSINCE 999) +FLAGS (\\Seen)", 2), ("STORE 1 (UNCHANGEDSINCE 999) FLAGS.SILENT ()", 2),
                    ("UID STORE 2 (UNCHANGEDSINCE 999) FLAGS.SILENT ()", 2), ("STORE 1 (UNCHANGEDSINCE 1) FLAGS (a)", 2),
                    ("FETCH 2 BODY[]", 3), ("UID FETCH 4 (BODY[HEADER])", 4), ("FETCH 4 (FLAGS RFC822.TEXT)", 5)):
                with self.subTest(enable + " " + command):
                    fetched = c.cmd(command).all("FETCH")
                    self.assertEqual(len(fetched), 1)
                    self.assertRegex(fetched[0], r"(?s)^%d FETCH \(UID %d .*MODSEQ \(\d+\)" % (uid - 1, uid))
            flags = 0
            for command in ("NOOP", "CHECK", "APPEND INBOX {4+}\r\nx: y", "STATUS INBOX (MESSAGES)", "COPY 2 INBOX",
                            "FETCH 2 (UID)", "SEARCH 2", "STORE 2 +FLAGS (b)", "UID SEARCH ALL", "IDLE"):
                with self.subTest(enable + " " + command):
                    flags += 1
                    self.b.ok("UID STORE 8 FLAGS (x%d)" % flags)
                    tag = c.start(command)
                    if command == "IDLE":
                        self.assertEqual(c.line(), "+ idling")
                        c.send("DONE\r\n")
                    fetched = c.finish(tag).all("^7 FETCH")
                    self.assertEqual(len(fetched), 1)
                    self.assertRegex(fetched[0], r"^7 FETCH \(UID 8 FLAGS \(x%d\) MODSEQ \(\d+\)\)$" % flags)
            c.close()

    def test_no_modseq_before(self):
        self.a.ok("SELECT " + self.box)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(self.a.ok("NOOP").fetches(), {1: ({"\\Seen"}, None)})

    def test_select_tells_highestmodseq(self):
        answer = self.a.ok("SELECT " + self.box)
        highest = answer.number("HIGHESTMODSEQ")
        self.assertEqual(highest, 5)
        self.assertEqual(int(self.b.ok("STATUS %s (HIGHESTMODSEQ)" % self.box).one(
            r"HIGHESTMODSEQ (\d+)").group(1)), highest)
        empty = new_mailbox(self.a)
        self.assertEqual(self.a.ok("EXAMINE " + empty).number("HIGHESTMODSEQ"), 1)

    def test_store_tells_modseq(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        flags, modseq = self.a.ok("STORE 1 +FLAGS (\\Seen)").fetches()[1]
        self.assertEqual((flags, modseq), ({"\\Seen"}, 6))
        # .SILENT leaves out the flags, not the mod-sequence; UID STORE has the UID
        answer = self.a.ok("UID STORE 2 +FLAGS.SILENT (\\Seen)")
        self.assertEqual(answer.all("FETCH"), ["2 FETCH (UID 2 MODSEQ (7))"])
        # without a change no new value, and the flags as they are
        self.assertEqual(self.a.ok("STORE 1 +FLAGS (\\Seen)").fetches()[1], ({"\\Seen"}, 6))
        self.assertEqual(self.a.ok("STORE 1 +FLAGS.SILENT (\\Seen)").all("FETCH"), [])
        self.assertEqual(self.a.ok("NOOP").untagged, [])

    def test_one_value_per_command(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        values = {m for _, m in self.a.ok("STORE 1:3 +FLAGS (\\Flagged)").fetches().values()}
        later = {m for _, m in self.a.ok("STORE 1:3 -FLAGS (\\Flagged)").fetches().values()}
        self.assertLess(max(values), min(later))

    def test_unchangedsince(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 2 +FLAGS (\\Answered)")
        answer = self.a.ok("STORE 1,2,3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen)")
        self.assertEqual(answer.code, "MODIFIED 2")
        got = answer.fetches()
        self.assertEqual(got[1], (None, 7))
        self.assertEqual(got[3], (None, 7))
        # what others have changed is told with its flags
        self.assertEqual(got[2], ({"\\Answered"}, 6))
        # the numbers are the command's own
        self.b.ok("STORE 1 +FLAGS (\\Deleted)")
        self.b.ok("EXPUNGE")
        self.a.ok("NOOP")
        self.assertEqual(self.a.ok("STORE 1:3 (UNCHANGEDSINCE 6) +FLAGS (\\Draft)").code, "MODIFIED 2")
        self.assertEqual(self.a.ok("UID STORE 2:4 (UNCHANGEDSINCE 5) +FLAGS (\\Draft)").code, "MODIFIED 2:4")

    def test_unchangedsince_other_flags(self):
        """RFC 7162 section 3.1.12: +FLAGS and -FLAGS are not refused for flags that they do not name."""
        self.b.ok("SELECT " + self.box)
        for told in ("SELECT %s (CONDSTORE)" % self.box, "FETCH 1:4 (FLAGS)"):
            self.a.ok(told)
        highest = int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))
        store = "STORE 1:4 (UNCHANGEDSINCE %d) " % highest
        self.b.ok("STORE 1 +FLAGS (\\Seen)")            # another flag
        self.b.ok("STORE 2 +FLAGS ($Work)")             # the same
        self.b.ok("STORE 3 +FLAGS ($Work \\Seen)")
        self.b.ok("STORE 3 -FLAGS ($Work)")             # it is back
        # the flags of others are told with it
        answer = self.a.ok(store + "+FLAGS.SILENT ($work)")
        self.assertEqual(answer.code, "MODIFIED 2")
        flags = {number: flags for number, (flags, _) in answer.fetches().items()}
        self.assertEqual(flags, {1: {"\\Seen", "$Work"}, 2: {"$Work"}, 3: {"\\Seen", "$Work"}, 4: None})
        # that was told, and UNCHANGEDSINCE is older than it: the client may not have heard it
        self.assertEqual(self.a.ok(store + "-FLAGS ($Work)").code, "MODIFIED 1:4")
        # its own changes it knows, also silent ones
        highest = int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))
        self.b.ok("STORE 4 +FLAGS (\\Draft)")
        self.b.ok("STORE 1 -FLAGS ($Work)")
        answer = self.a.ok("STORE 1,4 (UNCHANGEDSINCE %d) -FLAGS ($Work)" % highest)
        self.assertEqual(answer.code, "MODIFIED 1")
        self.assertEqual(answer.fetches()[4][0], {"\\Draft"})
        # FLAGS replaces all, and names all
        self.b.ok("STORE 2 +FLAGS (\\Draft)")
        highest = int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box))) - 1
        self.assertEqual(self.a.ok("STORE 2 (UNCHANGEDSINCE %d) FLAGS ($Work)" % highest).code, "MODIFIED 2")
        # nothing is known of what was not told since the mailbox was opened, nor of what is to be told
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        highest = int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))
        self.b.ok("STORE 2 -FLAGS (\\Draft)")
        self.assertEqual(self.a.ok("STORE 2 (UNCHANGEDSINCE %d) +FLAGS (\\Answered)" % highest).code, "MODIFIED 2")
        self.a.ok("FETCH 3 (FLAGS)")
        self.b.ok("STORE 3 -FLAGS (\\Seen)")
        self.b.ok("STORE 3 +FLAGS (\\Draft)")
        self.assertEqual(self.a.ok("STORE 3 (UNCHANGEDSINCE %d) +FLAGS (\\Answered)" % (highest + 2)).code, "MODIFIED 3")

    def test_unchangedsince_zero_and_duplicates(self):
        self.a.ok("SELECT " + self.box)
        answer = self.a.ok("STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)")
        self.assertEqual(answer.code, "MODIFIED 1:2")
        self.assertEqual(answer.number("HIGHESTMODSEQ"), 5)
        answer = self.a.ok("STORE 2,1:3,2 (UNCHANGEDSINCE 5) +FLAGS (\\Seen)")
        self.assertIsNone(answer.code)
        self.assertEqual(set(answer.fetches()), {1, 2, 3})

    def test_conditional_without_change_tells_modseq(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.a.ok("STORE 1 +FLAGS (\\Seen)")
        answer = self.a.ok("STORE 1 (UNCHANGEDSINCE 6) +FLAGS.SILENT (\\Seen)")
        self.assertEqual(answer.all("FETCH"), ["1 FETCH (UID 1 MODSEQ (6))"])
        self.assertIsNone(answer.code)

    def test_conditional_store_of_expunged(self):
        """RFC 7162 example 11: NO, and MODIFIED without the expunged."""
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 2 +FLAGS (\\Seen)")
        self.b.ok("STORE 4 +FLAGS.SILENT (\\Deleted)")
        self.b.ok("EXPUNGE")
        answer = self.a.cmd("STORE 1:4 (UNCHANGEDSINCE 5) +FLAGS (\\Flagged)")
        self.assertEqual((answer.status, answer.code), ("NO", "MODIFIED 2"))
        self.assertEqual(answer.all("EXPUNGE"), [])
        self.assertEqual(answer.number("HIGHESTMODSEQ"), 7)
        self.assertIn("\\Flagged", answer.fetches()[1][0])
        # UID STORE ignores what is gone, and may tell it
        answer = self.a.ok("UID STORE 1:4 (UNCHANGEDSINCE 99) +FLAGS (\\Draft)")
        self.assertEqual(answer.all("EXPUNGE"), ["4 EXPUNGE"])
        self.assertIsNone(answer.code)

    def test_silent_tells_flags_that_others_changed(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Answered)")
        self.assertEqual(self.a.ok("STORE 1 +FLAGS.SILENT (\\Seen)").fetches()[1][0],
                         {"\\Answered", "\\Seen"})

    def test_changedsince(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.a.ok("STORE 3 +FLAGS (\\Seen)")
        answer = self.a.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 5)")
        self.assertEqual(answer.fetches(), {3: ({"\\Seen"}, 6)})
        self.assertEqual(self.a.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 6)").fetches(), {})
        self.assertEqual(set(self.a.ok("UID FETCH 2:4 (UID) (CHANGEDSINCE 3)").fetches()), {3, 4})

    def test_fetch_without_modseq_has_none(self):
        """Once enabled, only changes carry it unasked."""
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.assertEqual(self.a.ok("FETCH 1 (FLAGS)").all("FETCH"), ["1 FETCH (FLAGS ())"])
        self.assertEqual(self.a.ok("FETCH 1 (MODSEQ)").all("FETCH"), ["1 FETCH (MODSEQ (2))"])

    def test_implicit_seen_has_the_new_modseq(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        answer = self.a.ok("FETCH 1 (BODY[TEXT] MODSEQ)")
        self.assertEqual(answer.fetches(), {1: ({"\\Seen"}, 6)})
        self.assertEqual(len(answer.all("FETCH")), 1)
        answer = self.a.ok("FETCH 1 BODY[TEXT]")
        self.assertEqual(answer.fetches(), {1: (None, None)})
        self.assertEqual(self.a.ok("FETCH 2 BODY.PEEK[TEXT]").fetches(), {2: (None, None)})

    def test_search_modseq(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.assertEqual(self.a.ok("SEARCH MODSEQ 4").untagged, ["SEARCH 3 4 (MODSEQ 5)"])
        self.assertEqual(self.a.ok("SEARCH MODSEQ 6").untagged, ["SEARCH"])
        self.assertEqual(self.a.ok('UID SEARCH MODSEQ "/flags/\\\\draft" all 5').untagged, ["SEARCH 4 (MODSEQ 5)"])
        # the highest of all that is returned, not of those that matched the key
        self.assertEqual(self.a.ok("SEARCH OR MODSEQ 99 1").untagged, ["SEARCH 1 (MODSEQ 2)"])
        self.assertEqual(self.a.ok("SEARCH MODSEQ 0").untagged, ["SEARCH 1 2 3 4 (MODSEQ 5)"])
        for command, result in (
                ("RETURN (MIN) MODSEQ 3", "MIN 2 MODSEQ 3"),
                ("RETURN (MAX) MODSEQ 3", "MAX 4 MODSEQ 5"),
                ("RETURN (MIN MAX) MODSEQ 3", "MIN 2 MAX 4 MODSEQ 5"),
                ("RETURN (ALL) MODSEQ 3", "ALL 2:4 MODSEQ 5"),
                ("RETURN (COUNT) MODSEQ 99", "COUNT 0")):
            tag = self.a.start("SEARCH " + command)
            self.assertEqual(self.a.finish(tag).untagged, ['ESEARCH (TAG "%s") %s' % (tag, result)])

    def test_bad(self):
        self.a.ok("SELECT " + self.box)
        for command in (
                "FETCH 1 (FLAGS) (CHANGEDSINCE)",
                "FETCH 1 (FLAGS) (CHANGEDSINCE -1)",
                "FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)",
                "FETCH 1 (FLAGS) (CHANGEDSINCE 1 CHANGEDSINCE 2)",
                "FETCH 1 (FLAGS) (VANISHED)",
                "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
                "STORE 1 (UNCHANGEDSINCE 1) (UNCHANGEDSINCE 1) FLAGS ()",
                "STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS ()",
                "STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS ()",
                "SEARCH MODSEQ",
                "SEARCH MODSEQ -1",
                "SEARCH MODSEQ 9223372036854775808",
                'SEARCH MODSEQ "/flags/x" some 1',
                "SELECT %s (QRESYNC (1 1))" % self.box,
                "SELECT %s (FROBNICATE)" % self.box,
                "SELECT %s ()" % self.box):
            with self.subTest(command):
                self.assertEqual(self.a.cmd(command).status, "BAD")
                self.a.ok("SELECT " + self.box)
        # the largest value is one
        self.a.ok("FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775807)")

    def test_close_tells_nothing(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.a.ok("STORE 1 +FLAGS (\\Deleted)")
        answer = self.a.ok("CLOSE")
        self.assertEqual((answer.untagged, answer.code), ([], None))
        answer = self.a.ok("SELECT " + self.box)
        answer.one("^3 EXISTS$")
        self.assertEqual(answer.number("HIGHESTMODSEQ"), 7)

    def test_examine_close_expunges_nothing(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.a.ok("STORE 1 +FLAGS (\\Deleted)")
        self.a.ok("UNSELECT")
        self.a.ok("EXAMINE " + self.box)
        self.a.ok("CLOSE")
        self.a.ok("SELECT " + self.box).one("^4 EXISTS$")

    def test_closed(self):
        self.a.ok("SELECT " + self.box)
        answer = self.a.ok("SELECT " + self.box)
        self.assertTrue(answer.untagged[0].startswith("OK [CLOSED]"))
        answer = self.a.cmd("SELECT nonesuch")
        self.assertTrue(answer.untagged[0].startswith("OK [CLOSED]"))
        self.assertEqual((answer.status, answer.code), ("NO", "NONEXISTENT"))
        self.assertEqual(self.a.cmd("FETCH 1 FLAGS").status, "BAD")

    def test_withheld_expunge(self):
        """FETCH and STORE by number hold back EXPUNGE, and say a lower HIGHESTMODSEQ."""
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")      # 6
        self.b.ok("EXPUNGE")                                # 7
        self.b.ok("STORE 3 +FLAGS.SILENT (\\Flagged)")      # 8, UID 4
        answer = self.a.ok("STORE 1 +FLAGS (\\Seen)")       # 9
        self.assertEqual(answer.all("EXPUNGE"), [])
        self.assertEqual(answer.fetches(), {1: ({"\\Seen"}, 9), 4: ({"\\Flagged"}, 8)})
        self.assertEqual(answer.code, "HIGHESTMODSEQ 6")
        # as long as it is withheld; and the flags are not told twice
        answer = self.a.ok("FETCH 1 (FLAGS)")
        self.assertEqual(len(answer.all("FETCH")), 1)
        self.assertEqual(answer.code, "HIGHESTMODSEQ 6")
        self.assertEqual(self.a.ok("SEARCH ALL").code, "HIGHESTMODSEQ 6")
        # numbers are stable until then: 4 is still UID 4
        self.assertEqual(set(self.a.ok("FETCH 4 (UID)").fetches()), {4})
        answer = self.a.cmd("FETCH 2 (FLAGS)")
        self.assertEqual((answer.status, answer.code), ("NO", "EXPUNGEISSUED"))
        self.assertEqual(answer.number("HIGHESTMODSEQ"), 6)
        answer = self.a.ok("NOOP")
        self.assertEqual((answer.untagged, answer.code), (["2 EXPUNGE"], None))
        self.assertEqual(set(self.a.ok("FETCH 3 (UID)").fetches()), {4})

    def test_arrived_and_gone(self):
        """What came and went unannounced is not told."""
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        self.b.append(self.box, "x: y\r\n\r\n")
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 5 +FLAGS (\\Deleted)")
        self.b.ok("EXPUNGE")
        self.b.append(self.box, "x: y\r\n\r\n")
        self.assertEqual(self.a.ok("NOOP").untagged, ["5 EXISTS", "0 RECENT"])
        self.assertEqual(set(self.a.ok("FETCH 5 (UID)").fetches()), {6})

    def test_keywords_ignore_case(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        first = self.a.ok("STORE 1 +FLAGS ($Test1)")
        first.one(r"^FLAGS .*\$Test1")
        self.assertEqual(self.a.ok("STORE 1 +FLAGS ($TEST1)").fetches(), first.fetches())
        self.assertEqual(self.a.ok("SEARCH KEYWORD $tesT1").untagged, ["SEARCH 1"])
        self.assertEqual(self.a.ok("STORE 1 -FLAGS ($test1)").fetches()[1][0], set())

    def test_raw_sql_writers_are_seen(self):
        self.a.ok("SELECT %s (CONDSTORE)" % self.box)
        box = mailbox_id(self.box)
        sql("UPDATE mw_mail SET flags = '{\\\\Seen,$Job}' WHERE mailbox_id = %d AND uid = 1" % box)
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 2" % box)
        sql("INSERT INTO mw_mail (mailbox_id, raw) VALUES (%d, 'Subject: job')" % box)
        answer = self.a.ok("NOOP")
        answer.one(r"^FLAGS .*\$Job")
        self.assertEqual([u for u in answer.untagged if "FLAGS (\\Answered" not in u and "PERMANENT" not in u],
                         ["2 EXPUNGE", "4 EXISTS", "0 RECENT", "1 FETCH (UID 1 FLAGS (\\Seen $Job) MODSEQ (6))"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
