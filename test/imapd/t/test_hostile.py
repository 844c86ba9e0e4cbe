"""Clients that mean no good, or break: no crash, no leak, and nobody else is disturbed."""

import os
import random
import resource
import socket
import time
import unittest

from imap import PORT, Closed, Imap, mailbox_id, message, new_mailbox, sql, wait_for


def ended(imap):
    """Everything up to the end of the connection."""
    imap.socket.settimeout(30)
    text = b""
    try:
        while True:
            data = imap.file.read(4096)
            if not data:
                return text
            text += data
    except ConnectionResetError:
        return text


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # a bystander, who must not notice any of it
        cls.other = Imap()
        cls.box = new_mailbox(cls.other, 3)
        cls.other.ok("SELECT " + cls.box)

    @classmethod
    def tearDownClass(cls):
        cls.other.close()

    def tearDown(self):
        started = time.time()
        self.other.ok("NOOP")
        self.other.ok("STORE 1 +FLAGS (\\Seen)")
        self.other.ok("STORE 1 -FLAGS (\\Seen)")
        self.assertLess(time.time() - started, 5)

    def test_long_line_before_login(self):
        c = Imap(login=False)
        c.send("a1 " + "x" * 100000 + "\r\n")
        self.assertTrue(c.line().startswith("a1 BAD"))
        c.send("a2 NOOP\r\n")
        self.assertEqual(c.line(), "a2 OK NOOP completed")
        c.close()

    def test_long_line_after_login(self):
        c = Imap()
        c.send("a1 NOOP " + "x" * 3000000 + "\r\n")
        self.assertTrue(c.line().startswith("a1 BAD"))
        c.ok("NOOP")
        c.close()

    def test_endless_line(self):
        c = Imap(login=False)
        try:
            for _ in range(200):
                c.send("x" * 100000)
            c.send("\r\n")
        except OSError:
            pass
        self.assertTrue(c.line().startswith("* BAD"))
        c.close()

    def test_refused_by_tag(self):
        """Whatever tag it has, the client learns which of its commands was too long."""
        c = Imap(login=False)
        for tag in ("a1", "1.2", "-", "x]&~"):
            c.send("%s ID (%s)\r\n" % (tag, "x" * 100000))
            self.assertTrue(c.line().startswith(tag + " BAD [TOOBIG]"), tag)
        c.close()

    def test_large_literals(self):
        c = Imap(login=False)
        for size in ("100000", "99999999999999999999", "4294967296", "18446744073709551616"):
            self.assertEqual(c.cmd("LOGIN {%s}" % size).status, "BAD", size)
        c.ok("LOGIN fred secret")
        self.assertEqual(c.cmd("APPEND INBOX {99999999999}").status, "BAD")
        self.assertEqual(c.cmd("SELECT {900000000}").status, "BAD")
        c.send("x LOGIN {500000000+}\r\n")
        self.assertIn(b"* BYE", ended(c))
        c.close()

    def test_many_literals(self):
        c = Imap(login=False)
        c.send("x LOGIN " + "{1+}\r\nx " * 100 + "\r\n")
        self.assertIn("BAD", c.line())
        c.send("x LOGIN " + ("{30000+}\r\n" + "x" * 30000 + " ") * 2 + "{30000+}\r\n")
        self.assertIn(b"BYE", ended(c))
        c.close()

    def test_half_commands(self):
        for half in ("", "a", "a1", "a1 ", "a1 LOGIN", "a1 LOGIN fred", "a1 LOGIN {10}\r\nabc",
                     "a1 LOGIN fred secret", "a1 LOGIN fred secret\r\na2 SELECT INBOX\r\na3 FETCH 1 (BODY[",
                     "a1 LOGIN fred secret\r\na2 IDLE\r\n", "a1 LOGIN fred secret\r\na2 APPEND INBOX {100}\r\nx",
                     "a1 AUTHENTICATE PLAIN\r\n"):
            c = Imap(login=False)
            c.send(half)
            c.close()

    def test_malformed(self):
        c = Imap()
        c.ok("SELECT " + self.box)
        for command in (
                "", " ", "(", "LOGIN", "SELECT", "SELECT \"", "SELECT \"a\\b\"", "SELECT {x}", "SELECT {1", "SELECT {}",
                "FETCH", "FETCH 1", "FETCH 1 (", "FETCH 1 ()", "FETCH 1 BODY[", "FETCH 1 BODY[0]", "FETCH 1 BODY[1.",
                "FETCH 1 BODY[]<1>", "FETCH 1 BODY[]<1.0>", "FETCH 1 BODY[]<99999999999.1>", "FETCH 1 BODY[MIME]",
                "FETCH 1 BODY[HEADER.FIELDS]", "FETCH 1 BODY[HEADER.FIELDS ()]", "FETCH 1 BODY[%s]" % ".".join(["1"] * 300),
                "FETCH 1 (%s)" % " ".join(["UID FLAGS"] * 300), "FETCH 99999999999 FLAGS", "FETCH 1:2:3 FLAGS",
                "FETCH * : FLAGS", "FETCH -1 FLAGS", "UID", "UID NOOP", "UID FETCH", "STORE 1 FLAGS (", "COPY 1",
                "SEARCH %s1" % ("NOT " * 100), "SEARCH %s1%s" % ("(" * 100, ")" * 100), "SEARCH " + "OR 1 " * 100 + "1",
                "SEARCH " + "(" * 100000, "STATUS INBOX", "STATUS INBOX ()", "STATUS INBOX (FROB)", "LIST", "LIST \"\"",
                "LIST (FROB) \"\" *", "LIST \"\" * RETURN", "LIST \"\" * RETURN (STATUS)", "ENABLE", "ID", "ID (x)",
                "ID (\"a\")", "APPEND", "APPEND INBOX", "APPEND INBOX (", "APPEND INBOX x", "RENAME a", "EXPUNGE 1",
                "UID EXPUNGE", "CLOSE x", "MOVE 1", "STARTTLS", "SORT (DATE) UTF-8 ALL", "NOOP\tx", "NOOP ",
                "SEARCH SUBJECT \"" + "x" * 10 + "\r", "STORE 1 +FLAGS (%s)" % " ".join("k%d" % i for i in range(200)),
                "STORE 1 +FLAGS (%s)" % ("k" * 500)):
            with self.subTest(command[:60]):
                self.assertEqual(c.cmd(command).status, "BAD")
        c.send("+ NOOP\r\n")
        self.assertTrue(c.line().startswith("* BAD"))
        c.ok("NOOP")
        c.close()

    def test_patterns(self):
        """A pattern that a matcher could take for ever."""
        c = Imap()
        c.ok("CREATE %s" % ("a" * 200))
        started = time.time()
        c.ok('LIST "" "%sb"' % ("*a" * 100))
        c.ok('LIST "" "%sb"' % ("%*" * 400))
        self.assertLess(time.time() - started, 10)
        c.ok("DELETE %s" % ("a" * 200))
        c.close()

    def test_sql_in_every_string(self):
        c = Imap(login=False)
        evil = "x'; DROP TABLE mw_mail; --"
        for e in (evil, "x\\'; --", "%s%s%n", "$1", "x\" OR \"1\"=\"1", "'||(SELECT 1)||'"):
            quoted = '"%s"' % e.replace("\\", "\\\\").replace('"', '\\"')
            literal = "{%d+}\r\n%s" % (len(e), e)
            self.assertEqual(c.cmd("LOGIN %s %s" % (quoted, literal)).status, "NO")
        c.close()
        count = "SELECT count(*) FROM mw_mail WHERE mailbox_id = %d" % mailbox_id(self.box)
        before = sql(count)
        c = Imap()
        for e in (evil, "x\\'; --", "%s%s%n", "$1", "'||(SELECT 1)||'"):
            quoted = '"%s"' % e.replace("\\", "\\\\").replace('"', '\\"')
            self.assertIn(c.cmd("CREATE " + quoted).status, ("OK", "NO"))
            self.assertIn(c.cmd("SELECT " + quoted).status, ("OK", "NO"))
            for command in ("STATUS %s (MESSAGES)", "LIST \"\" %s", "LIST %s *", "LSUB %s *", "SUBSCRIBE %s", "UNSUBSCRIBE %s",
                            "RENAME %s %s", "DELETE %s", "APPEND %s {4+}\r\nx: y"):
                self.assertIn(c.cmd(command.replace("%s", quoted)).status, ("OK", "NO"), command)
            c.ok("SELECT " + self.box)
            for command in ("COPY 1 %s", "MOVE 1 %s", "SEARCH SUBJECT %s", "SEARCH HEADER %s %s", "SEARCH CHARSET %s ALL",
                            "SEARCH TEXT %s", "FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]", "ID (%s %s)"):
                self.assertIn(c.cmd(command.replace("%s", quoted)).status, ("OK", "NO"), command)
        c.ok("STORE 1 +FLAGS (x';DROP $1 a,b {)".replace(" {", ""))
        self.assertEqual(c.ok("FETCH 1 (FLAGS)").fetches()[1][0], {"x';DROP", "$1", "a,b"})
        c.ok("STORE 1 FLAGS ()")
        c.close()
        self.assertEqual(sql(count), before)

    def test_flags_that_other_programs_wrote(self):
        c = Imap()
        box = new_mailbox(c, 1)
        sql("UPDATE mw_mail SET flags = ARRAY['a b', E'x\\r\\n* BYE', '(', '', 'ok', 'ü', '\\Seen', '\\'] WHERE mailbox_id = %d"
            % mailbox_id(box))
        c.ok("SELECT " + box)
        self.assertEqual(c.ok("FETCH 1 (FLAGS)").all("FETCH"), ["1 FETCH (FLAGS (ok \\Seen))"])
        c.close()

    def test_binary(self):
        generator = random.Random(42)
        for i in range(30):
            c = Imap(login=i % 2 == 1)
            if i % 2 == 1:
                c.ok("SELECT " + self.box)
            try:
                for _ in range(20):
                    c.send(bytes(generator.randrange(256) for _ in range(generator.randrange(300))) + b"\r\n")
                c.send(b"\r\nlast LOGOUT\r\n")
            except OSError:
                pass
            ended(c)
            c.close()

    def test_mutated_commands(self):
        """Valid commands with some octets changed, dropped or doubled."""
        generator = random.Random(int(os.environ.get("IMAPD_SEED", "1")))
        commands = [
            'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (From)]<0.10>)',
            'UID FETCH 1:3,5 (FLAGS) (CHANGEDSINCE 3 VANISHED)', 'STORE 1:2 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x)',
            'SEARCH RETURN (MIN ALL) OR (NOT SEEN) (SINCE 1-Jan-2020 SUBJECT "x") MODSEQ "/flags/\\\\seen" all 3',
            'SELECT %s (QRESYNC (1 2 1:3 (1:2 1:2)))' % self.box, 'LIST (SUBSCRIBED) "" (% *) RETURN (STATUS (MESSAGES SIZE))',
            'APPEND %s (\\Seen) "01-Feb-2020 03:04:05 +0100" {4+}\r\nx: y' % self.box, 'STATUS %s (HIGHESTMODSEQ)' % self.box,
            'COPY 1:2 %s' % self.box, 'UID EXPUNGE 3', 'CREATE "x y"', 'RENAME "x y" z', 'ID ("a" NIL)', 'ENABLE QRESYNC']
        c = Imap()
        c.socket.settimeout(30)
        for i in range(1500):
            data = bytearray(generator.choice(commands).encode())
            for _ in range(generator.randrange(1, 4)):
                at = generator.randrange(len(data))
                kind = generator.randrange(4)
                if kind == 0:
                    data[at] = generator.randrange(256)
                elif kind == 1:
                    del data[at]
                elif kind == 2:
                    data[at:at] = data[at:at + generator.randrange(1, 20)]
                else:
                    data[at:at] = generator.choice([b'"', b"(", b")", b"*", b"{3+}\r\n", b"\\", b" ", b"0", b"4294967295"])
                data = data or bytearray(b"x")
            try:
                # what may have become a continuation ends with the line after it
                c.send(b"m%d " % i + bytes(data) + b"\r\n")
                c.send(b"\r\n\r\nDONE\r\nend%d NOOP\r\n" % i)
                while not c.line().startswith("end%d " % i):
                    pass
            except (Closed, OSError):
                c.close()
                c = Imap()
        c.close()

    def test_mutated_messages(self):
        """MIME that is broken in all ways: parsed, told, and consistent."""
        generator = random.Random(int(os.environ.get("IMAPD_SEED", "2")))
        from test_imap import MIME
        c = Imap()
        box = new_mailbox(c)
        c.ok("SELECT " + box)
        pieces = MIME.splitlines(True)
        for i in range(150):
            lines = list(pieces)
            for _ in range(generator.randrange(1, 6)):
                at = generator.randrange(len(lines))
                kind = generator.randrange(5)
                if kind == 0:
                    del lines[at]
                elif kind == 1:
                    lines.insert(at, generator.choice(pieces))
                elif kind == 2:
                    lines[at] = lines[at].replace("b1", "b2").replace("\r\n", "\n")
                elif kind == 3:
                    lines = lines[:at + 1]
                else:
                    lines[at] = "".join(chr(generator.randrange(1, 256)) for _ in range(20)) + "\r\n"
            c.append(box, ("".join(lines) or "x").encode("latin1"))
        c.ok("FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)")
        c.ok("FETCH 1:* (BODY.PEEK[1] BODY.PEEK[2.1.MIME] BODY.PEEK[2.HEADER] BODY.PEEK[3] BODY.PEEK[2.TEXT]<3.9>)")
        c.ok("SEARCH TEXT nonesuch SENTSINCE 1-Jan-1990")
        c.close()

    def test_deep_messages(self):
        c = Imap()
        box = new_mailbox(c)
        c.append(box, "".join("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(3000)))
        c.append(box, "Content-Type: message/rfc822\r\n\r\n" * 3000 + "x")
        c.append(box, "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\nx\r\n" * 5000)
        c.append(box, "Subject: " + "=?utf-8?q?" * 20000 + "\r\nTo: " + "<a@b>," * 20000 + "\r\n\r\n")
        c.append(box, "To: " + "(" * 50000 + "\r\nFrom: " + "a:" * 20000 + "\r\n\r\n")
        c.ok("SELECT " + box)
        c.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
        c.ok("SEARCH TEXT nonesuch")
        c.close()

    def test_never_reads(self):
        """Who leaves an answer unread is given up, and holds no lock or snapshot meanwhile."""
        c = Imap()
        box = new_mailbox(c)
        for _ in range(8):
            c.append(box, "Subject: big\r\n\r\n" + "x" * 4000000)
        c.ok("SELECT " + box)
        for _ in range(20):
            c.start("FETCH 1:8 (BODY[])")
        time.sleep(0.5)
        self.assertEqual(sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
                             " AND state <> 'idle'"), "0")
        self.other.ok("COPY 1 " + box)
        wait_for(lambda: self.given_up(c))
        c.close()
        self.other.ok("DELETE " + box)

    def given_up(self, c):
        try:
            c.socket.send(b"x NOOP\r\n" * 1000, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        time.sleep(0.1)
        return False

    def test_hundreds_of_connections(self):
        """That do nothing; they hold no connection to the database."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        before = int(sql("SELECT count(*) FROM pg_stat_activity"))
        idle = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(250)]
        for s in (idle[0], idle[-1]):
            s.settimeout(60)
            self.assertTrue(s.recv(1000).startswith(b"* OK"))
        self.assertLessEqual(int(sql("SELECT count(*) FROM pg_stat_activity")), before)
        self.other.ok("NOOP")
        c = Imap()
        c.close()
        for s in idle:
            s.close()

    def test_early_timeout(self):
        import re
        import subprocess
        server = subprocess.Popen([os.environ["IMAPD"], "--port", "0", "--login-timeout", "1", "--max-connections", "2"],
                                  stdout=subprocess.PIPE, text=True)
        port = int(re.search(r"\d+$", server.stdout.readline().strip()).group(0))
        c = Imap(login=False, port=port)
        d = Imap(port=port)
        e = socket.create_connection(("127.0.0.1", port))
        self.assertTrue(e.recv(100).startswith(b"* BYE"))
        e.close()
        self.assertIn(b"* BYE", ended(c))
        d.ok("NOOP")
        wait_for(lambda: self.can_connect(port))
        c.close()
        d.close()
        server.terminate()
        server.wait()
        server.stdout.close()

    def can_connect(self, port):
        s = socket.create_connection(("127.0.0.1", port))
        answer = s.recv(100)
        s.close()
        return answer.startswith(b"* OK")

    def test_many_errors(self):
        c = Imap(login=False)
        for _ in range(110):
            c.send("x FROB\r\n")
        self.assertIn(b"* BYE", ended(c))
        c.close()
        c = Imap(login=False)
        for i in range(10):
            c.start("LOGIN fred wrong")
        self.assertIn(b"* BYE", ended(c))
        c.close()

    def test_database_gone(self):
        c = Imap()
        c.ok("SELECT " + self.box)
        pid = sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'imapd' ORDER BY backend_start DESC LIMIT 1")
        sql("SELECT pg_terminate_backend(%s)" % pid)
        c.start("NOOP")
        self.assertIn(b"* BYE", ended(c))
        c.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
