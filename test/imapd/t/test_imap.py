"""RFC 3501 and the small extensions, by raw dialogues and by Python's imaplib."""

import imaplib
import re
import unittest

from imap import PORT, Imap, mailbox_id, message, new_mailbox, sql

MIME = (
    "From: =?utf-8?q?Caf=C3=A9?= <cafe@example.org>, Plain Name <plain@example.org>\r\n"
    "To: group: a@example.org, \"B, C\" <b@example.org>;\r\n"
    "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
    "Subject: a folded\r\n subject\r\n"
    "Message-ID: <1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"b1\"\r\n"
    "\r\n"
    "preamble\r\n"
    "--b1\r\n"
    "\r\n"
    "no header\r\n"
    "--b1\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "From: inner@example.org\r\n"
    "Content-Type: multipart/alternative; boundary=b2\r\n"
    "\r\n"
    "--b2\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "gr=C3=BC=C3=9Fe\r\n"
    "\r\n"
    "--b2\r\n"
    "Content-Type: text/html\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "PGI+aGVsbG88L2I+\r\n"
    "--b2--\r\n"
    "epilogue 2\r\n"
    "--b1\r\n"
    "Content-Type: application/octet-stream; name=\"a b.bin\"\r\n"
    "Content-Disposition: attachment; filename=\"a b.bin\"\r\n"
    "Content-ID: <cid@example.org>\r\n"
    "Content-Description: some octets\r\n"
    "\r\n"
    "AAAA\r\n"
    "--b1--\r\n"
    "epilogue\r\n")


def between(text, first, last):
    """From the first to before the last."""
    begin = text.index(first)
    return text[begin:text.index(last, begin)]


class Basic(unittest.TestCase):
    def setUp(self):
        self.a = Imap()

    def tearDown(self):
        self.a.close()

    def test_login(self):
        c = Imap(login=False)
        self.assertIn("AUTH=PLAIN", c.greeting)
        self.assertEqual(c.cmd("SELECT INBOX").status, "BAD")
        self.assertEqual(c.cmd("LOGIN fred wrong").code, "AUTHENTICATIONFAILED")
        self.assertEqual(c.cmd("LOGIN nobody secret").code, "AUTHENTICATIONFAILED")
        self.assertEqual(c.cmd("LOGIN {4+}\r\nfred \"sec\\\"ret\"").status, "NO")
        c.ok("LOGIN {4+}\r\nfred {6+}\r\nsecret")
        self.assertEqual(c.cmd("LOGIN fred secret").status, "BAD")
        c.close()

    def test_authenticate(self):
        c = Imap(login=False)
        self.assertEqual(c.cmd("AUTHENTICATE PLAIN AGZyZWQAd3Jvbmc=").code, "AUTHENTICATIONFAILED")
        self.assertEqual(c.cmd("AUTHENTICATE CRAM-MD5").status, "NO")
        self.assertEqual(c.cmd("AUTHENTICATE PLAIN eA==").status, "NO")
        self.assertEqual(c.cmd("AUTHENTICATE PLAIN =").status, "NO")
        for response in ("!!!", "AGZyZWQAc2VjcmV0=", "AGZyZWQAc2VjcmV", "A===", "AG=yZWQAc2VjcmV0", "===="):
            self.assertEqual(c.cmd("AUTHENTICATE PLAIN " + response).status, "BAD", response)
        tag = c.start("AUTHENTICATE PLAIN")
        self.assertEqual(c.line(), "+ ")
        c.send("*\r\n")
        self.assertEqual(c.finish(tag).status, "BAD")
        tag = c.start("AUTHENTICATE PLAIN")
        c.line()
        c.send("AGZyZWQAc2VjcmV0\r\n")
        self.assertEqual(c.finish(tag).status, "OK")
        c.close()

    def test_no_password_from_elsewhere(self):
        """Over an interface other than loopback nobody can log in."""
        import os
        import socket
        import subprocess
        addresses = subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE, text=True).stdout.split()
        addresses = [a for a in addresses if ":" not in a and not a.startswith("127.")]
        if not addresses:
            self.skipTest("no other interface")
        server = subprocess.Popen([os.environ["IMAPD"], "--port", "0", "--listen", addresses[0]],
                                  stdout=subprocess.PIPE, text=True)
        port = int(re.search(r"\d+$", server.stdout.readline().strip()).group(0))
        c = Imap(login=False, port=port, host=addresses[0])
        self.assertIn("LOGINDISABLED", c.greeting)
        self.assertNotIn("AUTH=", c.greeting)
        self.assertEqual(c.cmd("LOGIN fred secret").code, "PRIVACYREQUIRED")
        self.assertEqual(c.cmd("AUTHENTICATE PLAIN AGZyZWQAc2VjcmV0").status, "NO")
        c.close()
        server.terminate()
        server.wait()
        server.stdout.close()

    def test_small_commands(self):
        self.a.ok("CAPABILITY").one("^CAPABILITY IMAP4rev1 ")
        self.a.ok("ID NIL").one("^ID ")
        self.a.ok('ID ("name" "x" "version" NIL)').one("^ID ")
        self.a.ok("NAMESPACE").one(r'^NAMESPACE \(\("" "/"\)\) NIL NIL')
        self.a.ok("NOOP")
        tag = self.a.start("IDLE")
        self.assertEqual(self.a.line(), "+ idling")
        self.a.send("done\r\n")
        self.assertEqual(self.a.finish(tag).status, "OK")
        self.a.ok("LOGOUT").one("^BYE")

    def test_largest_id(self):
        """30 fields of 30 octets, with values of 1024 (RFC 2971 section 3.3)"""
        c = Imap(login=False)
        c.ok("ID (%s)" % " ".join('"%s" "%s"' % (str(i) * 15, "v" * 1024) for i in range(10, 40)))
        c.close()

    def test_pipelined(self):
        self.a.ok("SELECT INBOX")
        self.a.send("p1 NOOP\r\np2 CHECK\r\np3 SEARCH ALL\r\n")
        for tag in ("p1", "p2", "p3"):
            self.assertEqual(self.a.finish(tag).status, "OK")

    def test_mailboxes(self):
        box = new_mailbox(self.a, 1)
        self.assertEqual(self.a.cmd("CREATE " + box).code, "ALREADYEXISTS")
        self.assertEqual(self.a.cmd("CREATE inbox").code, "ALREADYEXISTS")
        self.assertEqual(self.a.cmd("DELETE INBOX").status, "NO")
        self.assertEqual(self.a.cmd("CREATE a//b").status, "NO")
        self.assertEqual(self.a.cmd('CREATE ""').status, "NO")
        self.assertEqual(self.a.cmd('CREATE "x*"').status, "NO")
        self.a.ok("CREATE %s/x/y/" % box)
        self.assertEqual(self.a.cmd("RENAME %s %s/z" % (box, box)).status, "NO")
        self.assertEqual(self.a.cmd("RENAME %s %s" % (box, box)).code, "ALREADYEXISTS")
        self.a.ok("RENAME %s %s-2" % (box, box))
        names = [u.split()[-1] for u in self.a.ok('LIST "" "%s*"' % box).untagged]
        self.assertEqual(names, [box + "-2", box + "-2/x", box + "-2/x/y"])
        self.a.ok("STATUS %s-2 (MESSAGES)" % box).one("MESSAGES 1")
        self.a.ok("DELETE %s-2/x" % box)
        self.assertEqual(self.a.cmd("SELECT %s-2/x" % box).code, "NONEXISTENT")
        self.assertEqual(self.a.ok('LIST "" "%s-2/%%"' % box).untagged,
                         ['LIST (\\Noselect \\HasChildren) "/" %s-2/x' % box])
        self.assertEqual(self.a.cmd("DELETE nonesuch").code, "NONEXISTENT")
        self.assertEqual(self.a.cmd("APPEND nonesuch {4+}\r\nx: y").code, "TRYCREATE")

    def test_rename_inbox(self):
        w = Imap("wilma")
        w.fill("INBOX", 2)
        w.ok("CREATE old")
        w.ok("DELETE old")
        w.ok("RENAME INBOX old")
        w.ok("STATUS INBOX (MESSAGES)").one("MESSAGES 0")
        w.ok("STATUS old (MESSAGES UNSEEN SIZE)").one("MESSAGES 2 UNSEEN 2 SIZE %d" % (
            len(message(1)) + len(message(2))))
        w.ok("DELETE old")
        w.close()

    def test_list_extended(self):
        box = new_mailbox(self.a)
        self.a.ok("CREATE %s/below" % box)
        self.a.ok("SUBSCRIBE %s/below" % box)
        self.a.ok("SUBSCRIBE %s/gone" % box)
        self.assertEqual(self.a.ok('LIST (SUBSCRIBED) "" "%s/*"' % box).untagged, [
            'LIST (\\HasNoChildren \\Subscribed) "/" %s/below' % box,
            'LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" %s/gone' % box])
        self.assertEqual(self.a.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%s"' % box).untagged, [
            'LIST (\\HasChildren) "/" %s ("CHILDINFO" ("SUBSCRIBED"))' % box])
        self.assertEqual(self.a.ok('LSUB "" "%s/*"' % box).untagged, [
            'LSUB () "/" %s/below' % box, 'LSUB (\\Noselect) "/" %s/gone' % box])
        self.assertEqual(self.a.ok('LSUB "" "%s/%%"' % box[:-1]).untagged, [])
        self.assertEqual(self.a.ok('LIST (SPECIAL-USE) "" *').untagged, [
            'LIST (\\HasNoChildren \\%s) "/" %s' % (n, n) for n in ("Archive", "Drafts", "Junk", "Sent", "Trash")])
        answer = self.a.ok('LIST "" (%s %s/below) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES))' % (box, box))
        self.assertEqual(answer.untagged, [
            'LIST (\\HasChildren) "/" %s' % box,
            'LIST (\\HasNoChildren \\Subscribed) "/" %s/below' % box,
            "STATUS %s (MESSAGES 0)" % box, "STATUS %s/below (MESSAGES 0)" % box])
        for reference in ("", "INBOX/", "/x/"):
            self.assertEqual(self.a.ok('LIST "%s" ""' % reference).untagged, ['LIST (\\Noselect) "/" ""'])
        self.assertEqual(self.a.ok('LIST "%s/" b%%' % box).untagged, ['LIST (\\HasNoChildren) "/" %s/below' % box])
        self.assertEqual(self.a.cmd('LIST (RECURSIVEMATCH) "" *').status, "BAD")
        self.a.ok("UNSUBSCRIBE %s/gone" % box)
        # What tells itself makes no CHILDINFO of what lies above, unless that is told anyway.
        both = 'LIST (SUBSCRIBED RECURSIVEMATCH) "" (%s %s/below)' % (box, box)
        self.assertEqual(self.a.ok(both).untagged, ['LIST (\\HasNoChildren \\Subscribed) "/" %s/below' % box])
        self.a.ok("SUBSCRIBE " + box)
        self.assertEqual(self.a.ok(both).untagged, [
            'LIST (\\HasChildren \\Subscribed) "/" %s ("CHILDINFO" ("SUBSCRIBED"))' % box,
            'LIST (\\HasNoChildren \\Subscribed) "/" %s/below' % box])
        self.a.ok("UNSUBSCRIBE " + box)

    def test_inbox_in_any_case(self):
        w = Imap("wilma")
        w.ok("CREATE inbox/Sub")
        for pattern in ("iNbOx*", "in%ox*", "*"):
            names = [u.split()[-1] for u in w.ok('LIST "" "%s"' % pattern).untagged]
            self.assertLessEqual({"INBOX", "INBOX/Sub"}, set(names), pattern)
        for pattern in ("inbox/%", "INbox/Sub", "%nbox/S*"):
            self.assertEqual(w.ok('LIST "" "%s"' % pattern).untagged, ['LIST (\\HasNoChildren) "/" INBOX/Sub'], pattern)
        self.assertEqual(w.ok('LIST "" inbox/sub').untagged, [])
        self.assertEqual(w.ok('LIST "" sent').untagged, [])
        w.ok("DELETE INBOX/Sub")
        w.close()

    def test_select(self):
        box = new_mailbox(self.a, 3)
        answer = self.a.ok("SELECT " + box)
        for pattern in ("^3 EXISTS$", "^0 RECENT$", r"^FLAGS \(\\Answered", r"UNSEEN 1\]", r"UIDNEXT 4\]",
                        "UIDVALIDITY", r"PERMANENTFLAGS .*\\\*"):
            answer.one(pattern)
        self.assertEqual(answer.code, "READ-WRITE")
        answer = self.a.ok("EXAMINE " + box)
        self.assertEqual(answer.code, "READ-ONLY")
        for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 INBOX"):
            self.assertEqual(self.a.cmd(command).status, "NO")
        self.a.ok("FETCH 1 BODY[]")
        self.assertEqual(self.a.ok("FETCH 1 FLAGS").fetches()[1][0], set())
        self.assertEqual(self.a.ok("UNSELECT").untagged, [])
        self.assertEqual(self.a.cmd("UNSELECT").status, "BAD")

    def test_append(self):
        box = new_mailbox(self.a)
        answer = self.a.append(box, message(1), "\\Seen $Work", "01-Feb-2020 03:04:05 +0100")
        self.assertTrue(re.match(r"APPENDUID \d+ 1$", answer.code))
        self.a.ok("SELECT " + box)
        got = self.a.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)").one("^1 FETCH (.*)").group(1)
        self.assertEqual(got, '(FLAGS (\\Seen $Work) INTERNALDATE "01-Feb-2020 02:04:05 +0000" RFC822.SIZE %d)'
                         % len(message(1)))
        self.assertEqual(self.a.append(box, message(2)).untagged, ["2 EXISTS", "0 RECENT"])
        self.assertEqual(self.a.cmd("APPEND %s {0+}\r\n" % box).status, "NO")
        self.assertEqual(self.a.cmd('APPEND %s "32-Feb-2020 03:04:05 +0100" {4+}\r\nx: y' % box).status, "BAD")
        self.assertEqual(self.a.cmd("APPEND %s (\\Recent) {4+}\r\nx: y" % box).status, "BAD")
        octets = bytes(range(1, 256)) * 3
        self.a.append(box, octets)
        self.assertIn(octets.decode("latin1"), self.a.ok("FETCH 3 BODY.PEEK[]").untagged[0])

    def fetch(self, item):
        """The literal or atom behind the item."""
        line = self.a.ok("FETCH 1 (%s)" % item).one(r"(?s)^1 FETCH \((.*)\)$").group(1)
        label = re.sub(r"\.PEEK|\.\d+(?=>)", "", item)
        self.assertTrue(line.startswith(label + " "), line)
        value = line[len(label) + 1:]
        literal = re.match(r"(?s)\{(\d+)\}\r\n(.*)$", value)
        if literal:
            self.assertEqual(int(literal.group(1)), len(literal.group(2)))
            return literal.group(2)
        return value

    def test_fetch_sections(self):
        box = new_mailbox(self.a)
        self.a.append(box, MIME)
        self.a.ok("SELECT " + box)
        header, text = MIME.split("\r\n\r\n", 1)
        inner = between(MIME, "Subject: inner", "\r\n--b1\r\nContent-Type: application")
        for item, expected in (
                ("BODY.PEEK[]", MIME), ("RFC822.HEADER", header + "\r\n\r\n"),
                ("BODY.PEEK[HEADER]", header + "\r\n\r\n"), ("BODY.PEEK[TEXT]", text),
                ("BODY.PEEK[1]", "no header"), ("BODY.PEEK[1.MIME]", "\r\n"),
                ("BODY.PEEK[2]", inner), ("BODY.PEEK[2.MIME]", "Content-Type: message/rfc822\r\n\r\n"),
                ("BODY.PEEK[2.HEADER]", between(inner, "Subject", "--b2")),
                ("BODY.PEEK[2.TEXT]", inner[inner.index("--b2"):]),
                ("BODY.PEEK[2.1]", "gr=C3=BC=C3=9Fe\r\n"),
                ("BODY.PEEK[2.1.MIME]", between(MIME, "Content-Type: text/plain", "gr=")),
                ("BODY.PEEK[2.2]", "PGI+aGVsbG88L2I+"), ("BODY.PEEK[3]", "AAAA"),
                ("BODY.PEEK[4]", "NIL"), ("BODY.PEEK[1.1]", "NIL"), ("BODY.PEEK[2.3]", "NIL"),
                ("BODY.PEEK[]<5.10>", MIME[5:15]), ("BODY.PEEK[3]<2.99>", "AA"), ("BODY.PEEK[3]<4.1>", '""'),
                ("BODY.PEEK[HEADER.FIELDS (SUBJECT Date)]",
                 "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nSubject: a folded\r\n subject\r\n\r\n"),
                ("BODY.PEEK[HEADER.FIELDS.NOT (From To Date Subject Content-Type)]",
                 "Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\r\n"),
                ("BODY.PEEK[2.HEADER.FIELDS (From)]", "From: inner@example.org\r\n\r\n"),
                ("BODY.PEEK[HEADER.FIELDS (nonesuch)]", "\r\n")):
            with self.subTest(item):
                self.assertEqual(self.fetch(item), expected)
        self.assertEqual(self.a.ok("FETCH 1 FLAGS").fetches()[1][0], set())
        self.assertEqual(self.fetch("BODYSTRUCTURE"),
            '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 0 NIL NIL NIL NIL)'
            '("message" "rfc822" NIL NIL NIL "7bit" %d (NIL "inner" ((NIL NIL "inner" "example.org"))'
            ' ((NIL NIL "inner" "example.org")) ((NIL NIL "inner" "example.org")) NIL NIL NIL NIL NIL)'
            ' (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 17 1 NIL NIL NIL NIL)'
            '("text" "html" NIL NIL NIL "base64" 16 0 NIL NIL NIL NIL) "alternative" ("boundary" "b2") NIL NIL NIL)'
            ' %d NIL NIL NIL NIL)'
            '("application" "octet-stream" ("name" "a b.bin") "<cid@example.org>" "some octets" "7bit" 4 NIL'
            ' ("attachment" ("filename" "a b.bin")) NIL NIL) "mixed" ("boundary" "b1") NIL NIL NIL)'
            % (len(inner), inner.count("\n")))
        self.assertEqual(self.fetch("ENVELOPE"),
            '("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "a folded subject"'
            ' (("=?UTF-8?b?Q2Fmw6k=?=" NIL "cafe" "example.org")("Plain Name" NIL "plain" "example.org"))'
            ' (("=?UTF-8?b?Q2Fmw6k=?=" NIL "cafe" "example.org")("Plain Name" NIL "plain" "example.org"))'
            ' (("=?UTF-8?b?Q2Fmw6k=?=" NIL "cafe" "example.org")("Plain Name" NIL "plain" "example.org"))'
            ' ((NIL NIL "group" NIL)(NIL NIL "a" "example.org")("B, C" NIL "b" "example.org")(NIL NIL NIL NIL))'
            ' NIL NIL NIL "<1@example.org>")')

    def test_fetch_of_a_single_part(self):
        box = new_mailbox(self.a)
        self.a.append(box, message(1))
        self.a.ok("SELECT " + box)
        self.assertEqual(self.fetch("BODY.PEEK[1]"), "This is text 1.\r\n")
        self.assertEqual(self.fetch("BODY.PEEK[2]"), "NIL")
        self.assertEqual(self.fetch("BODY"), '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 17 1)')
        self.a.ok("FETCH 1 FAST").one("FLAGS .* INTERNALDATE .* RFC822.SIZE")
        self.a.ok("FETCH 1 FULL").one("FLAGS .* ENVELOPE .* BODY")
        self.assertEqual(self.a.ok("FETCH 1 RFC822").fetches(), {1: ({"\\Seen"}, None)})
        self.assertEqual(self.a.ok("STORE 1 FLAGS.SILENT ()").untagged, [])

    def test_long_header(self):
        """Longer than what is read of a message for its header."""
        box = new_mailbox(self.a)
        header = "Subject: long\r\n" + "".join("X-%d: %s\r\n" % (i, "y" * 60) for i in range(1000)) + "\r\n"
        self.a.append(box, header + "text")
        self.a.ok("SELECT " + box)
        self.assertEqual(self.fetch("BODY.PEEK[HEADER]"), header)

    def test_store(self):
        box = new_mailbox(self.a, 3)
        self.a.ok("SELECT " + box)
        self.assertEqual(self.a.ok("STORE 1:2 FLAGS (\\Seen \\Draft)").fetches(),
                         {1: ({"\\Seen", "\\Draft"}, None), 2: ({"\\Seen", "\\Draft"}, None)})
        self.assertEqual(self.a.ok("STORE 1 -FLAGS \\Seen").fetches(), {1: ({"\\Draft"}, None)})
        self.assertEqual(self.a.ok("STORE 1 +FLAGS \\seen $A").fetches(), {1: ({"\\Draft", "\\Seen", "$A"}, None)})
        self.assertEqual(self.a.ok("STORE 1:* FLAGS.SILENT (\\Flagged)").untagged, [])
        self.assertEqual(self.a.ok("UID STORE * -FLAGS (\\Flagged)").all("FETCH"), ["3 FETCH (UID 3 FLAGS ())"])
        self.assertEqual(self.a.ok("UID STORE 77 +FLAGS (\\Flagged)").untagged, [])
        for command in ("STORE 4 FLAGS ()", "STORE 0 FLAGS ()", "STORE 1 FLAGS", "STORE 1 FLAGS (\\Recent)",
                        "STORE 1 XFLAGS ()", "STORE 1, FLAGS ()", "STORE 1:4 FLAGS ()", "FETCH 4 FLAGS"):
            self.assertEqual(self.a.cmd(command).status, "BAD", command)

    def test_copy(self):
        box = new_mailbox(self.a, 5)
        target = new_mailbox(self.a)
        self.a.ok("SELECT " + box)
        self.a.ok("STORE 2 +FLAGS (\\Flagged $B)")
        self.assertTrue(re.match(r"COPYUID \d+ 2,4 1:2$", self.a.ok("COPY 4,2 " + target).code))
        self.assertTrue(re.match(r"COPYUID \d+ 1:2 6:7$", self.a.ok("COPY 1:2 " + box).code))
        self.assertIsNone(self.a.ok("UID COPY 99 " + target).code)
        self.assertEqual(self.a.cmd("COPY 1 nonesuch").code, "TRYCREATE")
        self.a.ok("SELECT " + target)
        got = self.a.ok("FETCH 1:2 (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])")
        self.assertIn("message 2", got.untagged[0])
        self.assertEqual(got.fetches()[1][0], {"\\Flagged", "$B"})

    def test_copy_of_expunged_copies_none(self):
        box = new_mailbox(self.a, 3)
        target = new_mailbox(self.a)
        self.a.ok("SELECT " + box)
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 2" % mailbox_id(box))
        answer = self.a.cmd("COPY 1:3 " + target)
        self.assertEqual((answer.status, answer.code), ("NO", "EXPUNGEISSUED"))
        self.a.ok("STATUS %s (MESSAGES UIDNEXT)" % target).one("MESSAGES 0 UIDNEXT 1")

    def test_move_of_expunged_moves_the_others(self):
        box = new_mailbox(self.a, 3)
        target = new_mailbox(self.a)
        self.a.ok("SELECT " + box)
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 2" % mailbox_id(box))
        answer = self.a.cmd("MOVE 2 " + target)
        self.assertEqual((answer.status, answer.code, answer.untagged), ("NO", "EXPUNGEISSUED", ["2 EXPUNGE"]))
        sql("DELETE FROM mw_mail WHERE mailbox_id = %d AND uid = 3" % mailbox_id(box))
        answer = self.a.ok("MOVE 1:2 " + target)
        self.assertEqual(answer.untagged[1:], ["2 EXPUNGE", "1 EXPUNGE"])
        answer.one(r"^OK \[COPYUID \d+ 1 1\]")

    def test_expunge(self):
        box = new_mailbox(self.a, 5)
        self.a.ok("SELECT " + box)
        self.a.ok("STORE 1,3:4 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(self.a.ok("UID EXPUNGE 2:3").untagged, ["3 EXPUNGE"])
        self.assertEqual(self.a.ok("EXPUNGE").untagged, ["3 EXPUNGE", "1 EXPUNGE"])
        self.assertEqual(set(self.a.ok("FETCH 1:* (UID)").fetches()), {2, 5})
        self.a.ok("STATUS %s (MESSAGES)" % box).one("MESSAGES 2")

    def test_search_addresses(self):
        """As the ENVELOPE has them: without what comments and folds put into the middle (RFC 5322 section 3.4)."""
        box = new_mailbox(self.a)
        addresses = ["alice@(work) example.org", "\"A\" (comment) <alice@example.org>", "alice(a (nested) one)@example.org",
                     "alice\r\n @(a\r\n fold) example . org", "A Group: bob@x, alice(c)@(d)example.org;",
                     "=?utf-8?q?Caf=C3=A9?= <alice@example(\\)).org>", "<@route:alice@ example.org>", "alice at example.org"]
        fields = ["From", "To", "Cc", "Bcc"]
        for address in addresses:
            self.a.append(box, "".join("%s: %s\r\n" % (field, address) for field in fields) + "Subject: x\r\n\r\nx\r\n")
        self.a.append(box, "Subject: alice@(work) example.org\r\n\r\nx\r\n")
        self.a.ok("SELECT " + box)
        for key in fields + ["HEADER From", "TEXT"]:
            for text in ("alice@example.org", "ALICE@Example.ORG", "ce@exam"):
                self.assertEqual(self.a.ok("SEARCH %s %s" % (key, text)).untagged, ["SEARCH 1 2 3 4 5 6 7"], (key, text))
        for key in fields:
            self.assertEqual(self.a.ok("SEARCH %s nested" % key).untagged, ["SEARCH 3"])
            self.assertEqual(self.a.ok("SEARCH %s \"a group\"" % key).untagged, ["SEARCH 5"])
            self.assertEqual(self.a.ok("SEARCH %s bob@x" % key).untagged, ["SEARCH 5"])
            name = "caf\u00e9 <alice@example.org".encode()
            self.assertEqual(self.a.ok("SEARCH %s {%d+}\r\n%s" % (key, len(name), name.decode("latin1"))).untagged, ["SEARCH 6"])
            self.assertEqual(self.a.ok("SEARCH NOT %s alice@example.org" % key).untagged, ["SEARCH 8 9"])
        self.assertEqual(self.a.ok("SEARCH SUBJECT alice@example.org").untagged, ["SEARCH"])
        for n in range(1, 8):
            self.assertIn('"alice" "example.org"', self.a.ok("FETCH %d ENVELOPE" % n).untagged[0])

    def test_search(self):
        box = new_mailbox(self.a)
        self.a.append(box, MIME, "\\Seen", "01-Feb-2020 03:04:05 +0000")
        self.a.append(box, message(2), "\\Flagged $K", "02-Feb-2021 23:59:59 +0000")
        self.a.append(box, "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nDate: 1 Jan 2001 00:00:00 +0000\r\n\r\nx\r\n")
        self.a.ok("SELECT " + box)
        for keys, found in (
                ("ALL", "1 2 3"), ("SEEN", "1"), ("UNSEEN", "2 3"), ("FLAGGED KEYWORD $k", "2"),
                ("UNKEYWORD $K", "1 3"), ("NOT 2", "1 3"), ("OR 1 UID 3", "1 3"), ("(SEEN) (1:2)", "1"),
                ("BEFORE 2-Feb-2020", "1"), ("ON 1-Feb-2020", "1"), ('SINCE "1-Feb-2021"', "2 3"),
                ("SENTON 17-Jul-1996", "1"), ("SENTBEFORE 1-Jan-2001", "1"), ("SENTSINCE 1-Jan-2001", "3"),
                ("LARGER 200", "1"), ("SMALLER 200", "2 3"), ("OLDER 3600", "1 2"), ("YOUNGER 3600", "3"),
                ("FROM cafe", "1"),
                ("SUBJECT \"FOLDED sub\"", "1"), ("HEADER Message-ID \"\"", "1"), ("HEADER X-None \"\"", ""),
                ("BODY \"this is TEXT\"", "2"), ("BODY hello", "1"), ("BODY inner@example.org", "1"),
                ("TEXT \"message 2\"", "2"), ("BODY \"message 2\"", ""), ("TO b@example", "1"), ("CC x", ""),
                ("NEW", ""), ("OLD", "1 2 3"), ("RECENT", ""), ("NOT (OR BODY hello SEEN)", "2 3"),
                ("2:*", "2 3"), ("*", "3"), ("UID 1:1000", "1 2 3"), ("UID 1000", "")):
            with self.subTest(keys):
                self.assertEqual(self.a.ok("SEARCH " + keys).untagged, [("SEARCH " + found).strip()])
        self.assertEqual(self.a.ok("SEARCH CHARSET utf-8 SUBJECT {7+}\r\n" + "GRÜßE".encode().decode("latin1")).untagged,
                         ["SEARCH 3"])
        self.assertEqual(self.a.ok("SEARCH BODY {7+}\r\n" + "Grüße".encode().decode("latin1")).untagged, ["SEARCH 1"])
        self.assertEqual(self.a.cmd("SEARCH CHARSET x-none ALL").code, "BADCHARSET (US-ASCII UTF-8)")
        for command in ("SEARCH", "SEARCH FROB", "SEARCH NOT", "SEARCH OR 1", "SEARCH (1", "SEARCH ()",
                        "SEARCH ON 31-Feb-2020", "SEARCH FROM", "SEARCH KEYWORD", "SEARCH RETURN (FROB) ALL",
                        "SEARCH YOUNGER 0", "SEARCH BODY {2+}\r\n\xff\xfe", "SEARCH 1  2", "SEARCH ALL "):
            self.assertEqual(self.a.cmd(command).status, "BAD", command)
        # A number that there is not finds nothing.
        self.assertEqual(self.a.ok("SEARCH 1000").untagged, ["SEARCH"])
        self.assertEqual(self.a.ok("SEARCH 2:1000").untagged, ["SEARCH 2 3"])
        self.assertEqual(self.a.ok("SEARCH NOT 1000").untagged, ["SEARCH 1 2 3"])
        self.assertEqual(self.a.cmd("SEARCH 0").status, "BAD")
        tag = self.a.start("SEARCH RETURN () 1000")
        self.assertEqual(self.a.finish(tag).untagged, ['ESEARCH (TAG "%s")' % tag])
        tag = self.a.start("UID SEARCH RETURN () UNSEEN")
        self.assertEqual(self.a.finish(tag).untagged, ['ESEARCH (TAG "%s") UID ALL 2:3' % tag])
        tag = self.a.start("SEARCH RETURN (MIN MAX COUNT) SEEN UNSEEN")
        self.assertEqual(self.a.finish(tag).untagged, ['ESEARCH (TAG "%s") COUNT 0' % tag])

    def test_empty_mailbox(self):
        box = new_mailbox(self.a)
        self.a.ok("SELECT " + box).one("^0 EXISTS")
        for keys in ("ALL", "1", "*", "1:*", "UID 1:*", "NOT 1"):
            self.assertEqual(self.a.ok("SEARCH " + keys).untagged, ["SEARCH"], keys)
        self.assertEqual(self.a.ok("UID FETCH 1:* FLAGS").untagged, [])
        self.assertEqual(self.a.cmd("FETCH 1:* FLAGS").status, "BAD")

    def test_two_sessions(self):
        box = new_mailbox(self.a, 2)
        b = Imap()
        self.a.ok("SELECT " + box)
        b.ok("SELECT " + box)
        b.fill(box, 1)
        self.assertEqual(self.a.ok("NOOP").untagged, ["3 EXISTS", "0 RECENT"])
        b.ok("STORE 1 +FLAGS (\\Deleted \\Seen)")
        b.ok("EXPUNGE")
        b.ok("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(self.a.ok("NOOP").untagged, ["1 EXPUNGE", "1 FETCH (FLAGS (\\Flagged))"])
        b.close()

    def test_keywords_of_others(self):
        box = new_mailbox(self.a, 2)
        b = Imap()
        word = "$" + box
        self.a.ok("SELECT " + box)
        b.ok("SELECT " + box)

        def told(answer):
            """FLAGS names the word before a FETCH has it; and only once"""
            flags = [i for i, u in enumerate(answer.untagged) if u.startswith("FLAGS (") and word in u]
            permanent = [u for u in answer.untagged if "PERMANENTFLAGS" in u and word in u]
            fetch = [i for i, u in enumerate(answer.untagged) if "FETCH (" in u and word in u]
            self.assertTrue(fetch, answer)
            self.assertEqual(len(permanent), len(flags))
            self.assertTrue(all(i < fetch[0] for i in flags), answer)
            return len(flags)

        b.ok("STORE 1 +FLAGS (%s)" % word)
        self.assertEqual(told(self.a.ok("NOOP")), 1)
        self.assertEqual(told(self.a.ok("FETCH 1 FLAGS")), 0)
        # In the answer to FETCH, and if no IMAP client has made it
        word += "-sql"
        sql("UPDATE mw_mail SET flags = flags || '{%s}' WHERE mailbox_id = %d AND uid = 2" % (word, mailbox_id(box)))
        self.assertEqual(told(self.a.ok("FETCH 1:2 (FLAGS)")), 1)
        self.assertEqual(told(self.a.ok("FETCH 2 (FLAGS)")), 0)
        b.close()

    def test_imaplib(self):
        c = imaplib.IMAP4("127.0.0.1", PORT)
        c.login("fred", "secret")
        self.assertIn("QRESYNC", c.capabilities)
        c.create("imaplib")
        c.append("imaplib", "(\\Seen)", imaplib.Time2Internaldate(1000000000), message(1).encode())
        c.append("imaplib", None, None, message(2).encode())
        self.assertEqual(c.select("imaplib"), ("OK", [b"2"]))
        self.assertEqual(c.search(None, "UNSEEN"), ("OK", [b"2"]))
        self.assertEqual(c.uid("FETCH", "1:*", "(FLAGS)")[1], [b"1 (UID 1 FLAGS (\\Seen))", b"2 (UID 2 FLAGS ())"])
        self.assertEqual(c.fetch("2", "(RFC822)")[1][0], (b"2 (RFC822 {%d}" % len(message(2)), message(2).encode()))
        c.store("1", "+FLAGS", "\\Deleted")
        self.assertEqual(c.expunge(), ("OK", [b"1"]))
        self.assertEqual(c.status("imaplib", "(MESSAGES UIDNEXT)")[1], [b"imaplib (MESSAGES 1 UIDNEXT 3)"])
        c.close()
        c.delete("imaplib")
        c.logout()


if __name__ == "__main__":
    unittest.main(verbosity=2)
