"""RFC 5465: what other sessions do is told without being asked."""

import unittest

from imap import Imap, mailbox_id, message, new_mailbox, sql

ALL = "(MessageNew MessageExpunge FlagChange)"


class Notify(unittest.TestCase):
    def setUp(self):
        self.a, self.b = Imap(), Imap()
        self.box, self.other = new_mailbox(self.b, 2), new_mailbox(self.b, 1)

    def tearDown(self):
        self.a.close()
        self.b.close()

    def notify(self, what):
        return self.a.ok("NOTIFY " + what)

    def told(self, *patterns):
        """The next responses, which nobody has asked for."""
        for pattern in patterns:
            line = self.a.line()
            self.assertRegex(line, r"(?s)^\* %s$" % pattern)

    def quiet(self):
        """All of the notifications that there have been are taken, and have brought nothing: the next is told first."""
        Notify.mark += 1
        name = "/shared/mark%d" % Notify.mark
        sql("INSERT INTO mw_server_annotation (entry, value) VALUES ('%s', 'x')" % name)
        self.told('METADATA "" %s' % name)

    mark = 0

    def test_arguments(self):
        self.assertIn(" NOTIFY", self.a.ok("CAPABILITY").untagged[0])
        for command in ("", "SET", "FROB", "NONE x", "SET STATUS", "SET ()", "SET (selected)", "SET (selected ())",
                        "SET (frob NONE)", "SET (mailboxes NONE)", "SET (mailboxes () NONE)", "SET (subtree NONE x)",
                        "SET (personal (MessageNew))", "SET (personal (MessageExpunge))", "SET (personal (FlagChange))",
                        "SET (selected (MessageNew MessageExpunge MailboxName))", "SET (personal NONE", "SET personal NONE",
                        "SET (personal (MessageNew (UID) MessageExpunge))", "SET (selected NONE) (selected-delayed NONE)",
                        "SET (selected (MessageNew () MessageExpunge))", "SET (selected (MessageNew (FROB) MessageExpunge))",
                        "SET (personal MailboxName)", "SET (personal NONE) ", "SET  (personal NONE)"):
            self.assertEqual(self.a.cmd("NOTIFY " + command).status, "BAD", command)
        for events in ("AnnotationChange", "MessageNew MessageExpunge AnnotationChange", "Frob", "MailboxName Frob SubscriptionChange"):
            self.assertEqual(self.a.cmd("NOTIFY SET (personal (%s))" % events).tagged.split("]")[0],
                             "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
                             " MailboxMetadataChange ServerMetadataChange)")
        for command in ("NONE", "set (PERSONAL (messagenew MESSAGEEXPUNGE))", "SET (personal NONE)", "SET (mailboxes nonesuch %s)" % ALL,
                        "SET (subtree (INBOX \"a b\") (MailboxName)) (selected-delayed NONE)",
                        "SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (From Subject)]) MessageExpunge)) (inboxes %s)" % ALL):
            self.assertEqual(self.notify(command).untagged, [], command)

    def test_status_indicator(self):
        """Of all that are watched but the selected one; HIGHESTMODSEQ where flags are (section 3.1)."""
        self.a.ok("SELECT " + self.box)
        lines = self.notify("SET STATUS (mailboxes (%s %s nonesuch) (MessageNew MessageExpunge))"
                            " (mailboxes INBOX (MailboxName))" % (self.box, self.other)).untagged
        validity = sql("SELECT uidvalidity FROM modseq.status('mw_mail', %d)" % mailbox_id(self.other))
        self.assertEqual(lines, ["STATUS %s (MESSAGES 1 UIDNEXT 2 UIDVALIDITY %s)" % (self.other, validity)])
        lines = self.notify("SET STATUS (mailboxes %s %s)" % (self.other, ALL)).untagged
        self.assertEqual(lines, ["STATUS %s (MESSAGES 1 UIDNEXT 2 UIDVALIDITY %s HIGHESTMODSEQ 2)" % (self.other, validity)])
        lines = self.notify("SET STATUS (personal %s)" % ALL).untagged
        self.assertGreater(len(lines), 6)
        self.assertEqual([u for u in lines if self.box + " " in u or not u.startswith("STATUS")], [])

    def test_other_mailbox(self):
        """One LISTEN for all: what becomes of messages is told by STATUS."""
        self.notify("SET (mailboxes (%s %s) %s) (personal (ServerMetadataChange))" % (self.box, self.other, ALL))
        self.b.append(self.other, message(2))
        self.told(r"STATUS %s \(MESSAGES 2 UIDNEXT 3 UIDVALIDITY \d+\)" % self.other)
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Seen)")
        self.told(r"STATUS %s \(UIDVALIDITY \d+ UNSEEN 1\)" % self.box)
        self.b.ok("STORE 1 +FLAGS (\\Deleted)")
        self.told(r"STATUS %s \(UIDVALIDITY \d+ UNSEEN 1\)" % self.box)
        self.b.ok("EXPUNGE")
        self.told(r"STATUS %s \(MESSAGES 1 UIDNEXT 3 UIDVALIDITY \d+\)" % self.box)
        # both at once; and what comes and goes between two looks
        self.b.ok("COPY 1 " + self.other)
        self.told(r"STATUS %s \(MESSAGES 3 UIDNEXT 4 UIDVALIDITY \d+\)" % self.other)
        sql("BEGIN; INSERT INTO mw_mail (mailbox_id, raw) VALUES (%d, 'x'); DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 3;"
            " COMMIT" % (mailbox_id(self.box), mailbox_id(self.box)))
        self.told(r"STATUS %s \(MESSAGES 1 UIDNEXT 4 UIDVALIDITY \d+\)" % self.box)
        sql("SELECT modseq.reset_uidvalidity('mw_mail', %d)" % mailbox_id(self.box))
        self.told(r"STATUS %s \(MESSAGES 1 UIDNEXT 4 UIDVALIDITY %s\)" % (
            self.box, sql("SELECT uidvalidity FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box))))
        # what is not watched, and what the session does itself
        new_mailbox(self.b, 1)
        self.assertEqual(self.a.append(self.other, message(3)).untagged, [])
        self.quiet()

    def test_other_mailbox_with_condstore(self):
        """HIGHESTMODSEQ goes with each, once it is enabled (sections 5.1 to 5.3)."""
        self.a.ok("ENABLE QRESYNC")
        self.notify("SET (subtree %s %s)" % (self.box, ALL))
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Deleted)")
        self.told(r"STATUS %s \(UIDVALIDITY \d+ HIGHESTMODSEQ 4\)" % self.box)
        self.b.append(self.box, message(3))
        self.told(r"STATUS %s \(MESSAGES 3 UIDNEXT 4 UIDVALIDITY \d+ HIGHESTMODSEQ 5\)" % self.box)
        self.b.ok("EXPUNGE")
        self.told(r"STATUS %s \(MESSAGES 2 UIDNEXT 4 UIDVALIDITY \d+ HIGHESTMODSEQ 6\)" % self.box)
        # an annotation raises HIGHESTMODSEQ, too
        self.b.ok('SETMETADATA %s (/private/x "1")' % self.box)
        self.told(r"STATUS %s \(UIDVALIDITY \d+ HIGHESTMODSEQ 7\)" % self.box)

    def test_events_that_are_not_wanted(self):
        self.notify("SET (mailboxes %s (MessageNew MessageExpunge)) (mailboxes %s NONE) (personal (ServerMetadataChange))"
                    % (self.box, self.other))
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Seen)")
        self.b.append(self.other, message(2))
        self.b.ok("SUBSCRIBE " + self.other)
        self.b.ok("RENAME %s %s-new" % (self.other, self.other))
        self.b.ok('SETMETADATA %s (/private/x "1")' % self.box)
        self.quiet()

    def test_selected(self):
        """At once, expunges too; a FETCH of what was asked for with each new message."""
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge FlagChange))"
                    " (personal (ServerMetadataChange))")
        self.b.ok("SELECT " + self.box)
        self.b.append(self.box, message(3))
        self.told("3 EXISTS", "0 RECENT",
                  r"3 FETCH \(UID 3 BODY\[HEADER.FIELDS \(Subject\)\] \{22\}\r\nSubject: message 3\r\n\r\n\)")
        self.b.ok("STORE 2 +FLAGS (\\Deleted)")
        self.told(r"2 FETCH \(FLAGS \(\\Deleted\)\)")
        self.b.ok("EXPUNGE")
        self.told("2 EXPUNGE")
        self.b.ok("COPY 1 " + self.box)
        self.told("3 EXISTS", "0 RECENT", r"3 FETCH \(UID 4 .*")
        # its own come with EXISTS, and without FETCH (section 5.2)
        self.assertEqual(self.a.append(self.box, message(5)).untagged, ["4 EXISTS", "0 RECENT"])
        self.assertEqual(self.a.ok("COPY 1 " + self.box).untagged, ["5 EXISTS", "0 RECENT"])
        self.quiet()
        # by a command, and after it
        self.a.ok("UNSELECT")
        self.b.append(self.box, message(7))
        self.quiet()
        self.a.ok("SELECT " + self.other)
        self.b.append(self.other, message(2))
        self.told("2 EXISTS", "0 RECENT", r"2 FETCH \(UID 2 .*")

    def test_selected_with_qresync(self):
        self.a.ok("ENABLE QRESYNC")
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))")
        self.b.append(self.box, message(3), "\\Seen")
        self.told("3 EXISTS", "0 RECENT", r"3 FETCH \(UID 3 FLAGS \(\\Seen\) MODSEQ \(4\)\)")
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 2 +FLAGS (\\Deleted)")
        self.told(r"2 FETCH \(UID 2 FLAGS \(\\Deleted\) MODSEQ \(5\)\)")
        self.b.ok("EXPUNGE")
        self.told("VANISHED 2")
        self.assertEqual(self.a.ok("NOOP").untagged, [])

    def test_new_messages_stay_unseen(self):
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected (MessageNew (BODY[TEXT]) MessageExpunge))")
        self.b.append(self.box, message(3))
        self.told("3 EXISTS", "0 RECENT", r"3 FETCH \(BODY\[TEXT\] \{17\}\r\nThis is text 3.\r\n\)")
        self.assertEqual(self.b.ok("STATUS %s (UNSEEN)" % self.box).untagged, ["STATUS %s (UNSEEN 3)" % self.box])

    def test_selected_delayed(self):
        """Expunges wait for a command that may tell them (section 6.1.2); so message numbers stay."""
        self.a.ok("ENABLE CONDSTORE")
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected-delayed (MessageNew MessageExpunge FlagChange))")
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 1" % mailbox_id(self.box))
        self.b.append(self.box, message(3))
        self.told("3 EXISTS", "0 RECENT")
        self.assertEqual(self.a.ok("FETCH 2 (UID)").untagged, ["2 FETCH (UID 2)"])
        self.assertEqual(self.a.ok("NOOP").untagged, ["1 EXPUNGE"])
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 2" % mailbox_id(self.box))
        tag = self.a.start("IDLE")
        self.assertEqual(self.a.line(), "+ idling")
        self.told("1 EXPUNGE")
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 3" % mailbox_id(self.box))
        self.told("1 EXPUNGE")
        self.a.send("DONE\r\n")
        self.assertEqual(self.a.finish(tag).status, "OK")

    def test_withheld_expunges_are_told_after_the_command(self):
        """With selected: FETCH by number must not tell them, what comes after it does."""
        self.a.ok("ENABLE QRESYNC")
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected (MessageNew MessageExpunge FlagChange))")
        self.a.send("x1 FETCH 2 (UID)\r\n")
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 1" % mailbox_id(self.box))
        lines = []
        while "* VANISHED 1" not in lines:
            lines.append(self.a.line())
        self.assertEqual(lines[0], "* 2 FETCH (UID 2)")

    def test_nothing_of_the_selected(self):
        """Without a group for it, with NONE, and after NOTIFY NONE: until it is asked for (section 3.1)."""
        self.a.ok("ENABLE QRESYNC")
        for what in ("SET (personal (MessageNew MessageExpunge ServerMetadataChange))",
                     "SET (selected NONE) (personal (ServerMetadataChange))", "NONE"):
            box = new_mailbox(self.b, 2)
            highest = self.a.ok("SELECT " + box).number("HIGHESTMODSEQ")
            self.notify(what)
            self.b.append(box, message(3))
            sql("UPDATE mw_mail SET flags = '{\"\\\\Seen\"}' WHERE mailbox_id = %d AND uid = 1" % mailbox_id(box))
            sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 2" % mailbox_id(box))
            if what != "NONE":
                self.quiet()
            answer = self.a.ok("NOOP")
            self.assertEqual(answer.untagged, [])
            # all that it has not heard of is above that (RFC 7162 section 3.2)
            self.assertEqual(answer.code, "HIGHESTMODSEQ %d" % highest)
            tag = self.a.start("IDLE")
            self.assertEqual(self.a.line(), "+ idling")
            self.a.send("DONE\r\n")
            self.assertEqual(self.a.finish(tag).untagged, [])
            self.assertEqual(self.notify("SET (selected %s)" % ALL).untagged,
                             ["VANISHED 2", "2 EXISTS", "0 RECENT", "1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (%d))" % (highest + 2)])

    def test_no_flags_of_the_selected(self):
        """Without FlagChange: they are kept back, and HIGHESTMODSEQ stays below them, until they are wanted."""
        self.a.ok("ENABLE QRESYNC")
        highest = self.a.ok("SELECT " + self.box).number("HIGHESTMODSEQ")
        self.notify("SET (selected (MessageNew MessageExpunge)) (personal (ServerMetadataChange))")
        self.b.ok("SELECT " + self.box)
        self.b.ok("STORE 1 +FLAGS (\\Seen)")
        self.quiet()
        self.b.append(self.box, message(3))
        self.told("3 EXISTS", "0 RECENT")
        answer = self.a.ok("NOOP")
        self.assertEqual((answer.untagged, answer.code), ([], "HIGHESTMODSEQ %d" % highest))
        # what it does itself is answered
        self.assertEqual(self.a.ok("UID STORE 2 +FLAGS (\\Flagged)").fetches(), {2: ({"\\Flagged"}, highest + 3)})
        answer = self.notify("SET (selected %s)" % ALL)
        self.assertEqual(answer.fetches()[1], ({"\\Seen"}, highest + 1))
        self.assertEqual(self.a.ok("NOOP").code, None)

    def test_names(self):
        """LIST, with OLDNAME after a RENAME; the level above, too (section 5.4)."""
        self.notify("SET (subtree (%s %s-new) (MailboxName)) (personal (ServerMetadataChange))" % (self.box, self.box))
        self.b.ok("CREATE %s/x" % self.box)
        self.told(r'LIST \(\\HasChildren\) "/" %s' % self.box, r'LIST \(\\HasNoChildren\) "/" %s/x' % self.box)
        self.b.ok("CREATE %s/x/y" % self.box)
        self.told(r'LIST \(\\HasChildren\) "/" %s/x' % self.box, r'LIST \(\\HasNoChildren\) "/" %s/x/y' % self.box)
        self.b.ok("DELETE %s/x" % self.box)
        self.told(r'LIST \(\\HasChildren\) "/" %s' % self.box, r'LIST \(\\NonExistent \\HasChildren\) "/" %s/x' % self.box)
        # what lies below is renamed with it, without a word
        self.b.ok("RENAME %s %s-new" % (self.box, self.box))
        self.told(r'LIST \(\\HasChildren\) "/" %s-new \("OLDNAME" \(%s\)\)' % (self.box, self.box))
        self.b.ok("DELETE %s-new/x/y" % self.box)
        self.told(r'LIST \(\\NonExistent \\HasNoChildren\) "/" %s-new/x' % self.box,
                  r'LIST \(\\NonExistent \\HasNoChildren\) "/" %s-new/x/y' % self.box)
        # from here to what is not watched, and back
        self.b.ok("RENAME %s-new %s-far" % (self.box, self.other))
        self.told(r'LIST \(\\HasNoChildren\) "/" %s-far \("OLDNAME" \(%s-new\)\)' % (self.other, self.box))
        self.b.ok("RENAME %s-far %s" % (self.other, self.box))
        self.told(r'LIST \(\\HasNoChildren\) "/" %s \("OLDNAME" \(%s-far\)\)' % (self.box, self.other))
        self.b.ok("DELETE " + self.other)
        self.quiet()

    def test_own_names(self):
        """What the session does itself is not told again (section 5)."""
        self.notify("SET (personal (MailboxName SubscriptionChange ServerMetadataChange))")
        for command in ("CREATE {0}/x/y", "SUBSCRIBE {0}/x/y", "UNSUBSCRIBE {0}/x/y", "RENAME {0} {0}-own/new", "DELETE {0}-own/new/x/y",
                        "SUBSCRIBE nonesuch", "UNSUBSCRIBE nonesuch"):
            self.assertEqual(self.a.ok(command.format(self.box)).untagged, [])
            self.quiet()
        self.b.ok("CREATE %s-b" % self.box)
        self.told(r'LIST \(\\HasNoChildren\) "/" %s-b' % self.box)

    def test_of_a_new_mailbox(self):
        """A mailbox that is made later is watched from then on, with what is in it already; by JMAP and SQL as well."""
        self.notify("SET (personal (MailboxName MessageNew MessageExpunge))")
        sql("WITH b AS (INSERT INTO mw_mailbox (user_id, name) SELECT id, 'late{0}' FROM mw_user WHERE name = 'fred' RETURNING id)"
            " INSERT INTO mw_mail (mailbox_id, raw) SELECT id, 'x' FROM b".format(self.box))
        self.told(r'LIST \(\\HasNoChildren\) "/" late%s' % self.box,
                  r"STATUS late%s \(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \d+\)" % self.box)
        self.b.append("late" + self.box, message(2))
        self.told(r"STATUS late%s \(MESSAGES 2 UIDNEXT 3 UIDVALIDITY \d+\)" % self.box)
        # deleted and made anew in one go: it is told once, as there
        sql("BEGIN; DELETE FROM mw_mailbox WHERE name = 'late{0}';"
            " INSERT INTO mw_mailbox (user_id, name) SELECT id, 'late{0}' FROM mw_user WHERE name = 'fred'; COMMIT".format(self.box))
        self.told(r'LIST \(\\HasNoChildren\) "/" late%s' % self.box)
        self.b.ok("DELETE late" + self.box)
        self.told(r'LIST \(\\NonExistent \\HasNoChildren\) "/" late%s' % self.box)

    def test_subscriptions(self):
        """LIST with \\Subscribed, or without; the list of what is watched follows (sections 5.5, 6.4)."""
        self.notify("SET (subscribed (SubscriptionChange MessageNew MessageExpunge)) (personal (ServerMetadataChange))")
        self.b.append(self.box, message(3))
        self.quiet()
        self.b.ok("SUBSCRIBE " + self.box)
        self.told(r'LIST \(\\HasNoChildren \\Subscribed\) "/" %s' % self.box)
        self.b.append(self.box, message(4))
        self.told(r"STATUS %s \(MESSAGES 4 UIDNEXT 5 UIDVALIDITY \d+\)" % self.box)
        self.b.ok("UNSUBSCRIBE " + self.box)
        self.told(r'LIST \(\\HasNoChildren\) "/" %s' % self.box)
        self.b.append(self.box, message(5))
        self.quiet()
        self.b.ok("SUBSCRIBE nonesuch")
        self.told(r'LIST \(\\NonExistent \\HasNoChildren \\Subscribed\) "/" nonesuch')
        self.b.ok("UNSUBSCRIBE nonesuch")
        self.told(r'LIST \(\\NonExistent \\HasNoChildren\) "/" nonesuch')

    def test_metadata(self):
        """Names of what has changed, of what was taken out too; no values (RFC 5464 section 4.4.2)."""
        self.a.ok("SELECT " + self.box)
        self.notify("SET (mailboxes (%s %s) (MailboxMetadataChange)) (inboxes (ServerMetadataChange))" % (self.box, self.other))
        self.b.ok('SETMETADATA %s (/private/x "1" "/shared/a b" "2")' % self.box)
        self.told(r'METADATA %s /private/x "/shared/a b"' % self.box)
        self.b.ok('SETMETADATA %s (/private/x NIL /private/y "3")' % self.box)
        self.told(r"METADATA %s /private/x /private/y" % self.box)
        self.b.ok('SETMETADATA %s (/private/y "3")' % self.box)
        self.b.ok('SETMETADATA %s (/private/y "3")' % self.other)
        self.told(r"METADATA %s /private/y" % self.other)
        self.b.ok('SETMETADATA "" (/private/x "1" /private/y "2")')
        self.told(r'METADATA "" /private/x', r'METADATA "" /private/y')
        self.b.ok('SETMETADATA "" (/private/x NIL /private/y "2")')
        self.told(r'METADATA "" /private/x')
        w = Imap("wilma")
        w.ok('SETMETADATA "" (/private/x "1")')
        w.close()
        self.assertEqual(self.a.ok('SETMETADATA "" (/private/y NIL)').untagged, [])
        self.quiet()

    def test_in_idle(self):
        """IDLE tells exactly what NOTIFY has asked for (section 4)."""
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected (MessageNew (UID) MessageExpunge)) (mailboxes %s %s) (personal (MailboxName))" % (self.other, ALL))
        tag = self.a.start("IDLE")
        self.assertEqual(self.a.line(), "+ idling")
        self.b.append(self.other, message(2))
        self.told(r"STATUS %s .*" % self.other)
        self.b.append(self.box, message(3))
        self.told("3 EXISTS", "0 RECENT", r"3 FETCH \(UID 3\)")
        self.b.ok("CREATE %s-x" % self.box)
        self.told('LIST .* %s-x' % self.box)
        self.a.send("DONE\r\n")
        self.assertEqual(self.a.finish(tag).untagged, [])
        # and goes on afterwards
        self.b.append(self.other, message(3))
        self.told(r"STATUS %s .*" % self.other)
        self.b.append(self.box, message(4))
        self.told("4 EXISTS", "0 RECENT", r"4 FETCH \(UID 4\)")

    def test_selected_mailbox_goes(self):
        self.a.ok("SELECT " + self.box)
        self.notify("SET (selected %s)" % ALL)
        self.b.ok("DELETE " + self.box)
        self.told("BYE .*")
        self.a = Imap()

    def test_literal_in_the_middle(self):
        """While a command is coming in, nothing is said."""
        self.notify("SET (mailboxes %s %s)" % (self.other, ALL))
        data = message(3)
        tag = self.a.start("APPEND %s {%d}" % (self.box, len(data)))
        self.assertEqual(self.a.line(), "+ OK")
        self.b.append(self.other, message(2))
        self.a.send(data + "\r\n")
        self.assertEqual(self.a.finish(tag).untagged, [])
        self.told(r"STATUS %s .*" % self.other)


if __name__ == "__main__":
    unittest.main(verbosity=2)
