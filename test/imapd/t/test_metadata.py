"""RFC 5464: GETMETADATA and SETMETADATA."""

import subprocess
import unittest

from imap import Imap, mailbox_id, new_mailbox, sql, wait_for


class Metadata(unittest.TestCase):
    def setUp(self):
        self.a = Imap()
        self.box = new_mailbox(self.a, 1)

    def tearDown(self):
        self.a.close()

    def get(self, what, options="", box=None):
        return self.a.ok("GETMETADATA %s%s %s" % (options, self.box if box is None else box, what)).untagged

    def set(self, what, box=None):
        return self.a.cmd("SETMETADATA %s (%s)" % (self.box if box is None else box, what))

    def highestmodseq(self):
        return int(sql("SELECT highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id(self.box)))

    def response(self, entries, box=None):
        return ["METADATA %s (%s)" % (self.box if box is None else box, entries)]

    def test_set_and_get(self):
        self.assertIn(" METADATA", self.a.ok("CAPABILITY").untagged[0])
        self.assertEqual(self.get("/shared/comment"), self.response("/shared/comment NIL"))
        self.assertEqual(self.set('/shared/comment "Shared comment" /Private/Comment {11+}\r\nMy\r\ncomment').status, "OK")
        self.assertEqual(self.get("/SHARED/comment"), self.response('/shared/comment "Shared comment"'))
        self.assertEqual(self.get("(/shared/comment /private/comment /private/x)"), self.response(
            '/shared/comment "Shared comment" /private/comment {11}\r\nMy\r\ncomment /private/x NIL'))
        self.assertEqual(self.set('/private/comment NIL /shared/comment "" /private/x "NIL"').status, "OK")
        self.assertEqual(self.get("(/shared/comment /private/comment /private/x)"), self.response(
            '/shared/comment "" /private/comment NIL /private/x "NIL"'))
        self.assertEqual(self.set('/private/x "1" /PRIVATE/x "2"').status, "OK")
        self.assertEqual(self.get("/private/x"), self.response('/private/x "2"'))
        self.assertEqual(self.set('"/private/a b" "\\"\\\\"').status, "OK")
        self.assertEqual(self.get('"/private/a b"'), self.response('"/private/a b" "\\"\\\\"'))

    def test_octets(self):
        """Any: what has a NUL comes as a literal8, and goes as one (RFC 3516)."""
        for value in ("\0", "a\0b\r\n", "\xff\xfe\0", "\xc3\xa9"):
            self.assertEqual(self.set("/private/x ~{%d+}\r\n%s" % (len(value), value)).status, "OK")
            self.assertEqual(self.get("/private/x"), self.response(
                "/private/x %s{%d}\r\n%s" % ("~" if "\0" in value else "", len(value), value)))
        tag = self.a.start("SETMETADATA %s (/private/x ~{3}" % self.box)
        self.assertEqual(self.a.line(), "+ OK")
        self.a.send("a\0b)\r\n")
        self.assertEqual(self.a.finish(tag).status, "OK")
        self.assertEqual(self.set("/private/x {3+}\r\na\0b").status, "BAD")

    def test_depth_and_maxsize(self):
        self.set('/private/a "1" /private/a/b "22" /private/a/b/c "333" /private/ab "4" /shared/a "5"')
        for options, found in (("", '/private/a "1"'), ("(DEPTH 0) ", '/private/a "1"'),
                               ("(DEPTH 1) ", '/private/a "1" /private/a/b "22"'),
                               ("(depth INFINITY) ", '/private/a "1" /private/a/b "22" /private/a/b/c "333"'),
                               ("(MAXSIZE 2 DEPTH infinity) ", '/private/a "1" /private/a/b "22"')):
            self.assertEqual(self.get("/private/a", options), self.response(found), options)
            if options:             # as in the examples
                self.assertEqual(self.a.ok("GETMETADATA %s %s(/private/a)" % (self.box, options)).untagged,
                                 self.response(found), options)
        self.assertEqual(self.get("/private", "(DEPTH 1) "), self.response('/private/a "1" /private/ab "4"'))
        self.assertEqual(self.get("/shared", "(DEPTH infinity) "), self.response('/shared/a "5"'))
        answer = self.a.ok("GETMETADATA (MAXSIZE 1 DEPTH infinity) %s (/private/a)" % self.box)
        self.assertEqual(answer.code, "METADATA LONGENTRIES 3")
        answer = self.a.ok("GETMETADATA (MAXSIZE 0) %s (/private/a /private/a/b)" % self.box)
        self.assertEqual((answer.code, answer.untagged), ("METADATA LONGENTRIES 2", []))
        self.assertEqual(self.a.ok("GETMETADATA (MAXSIZE 3) %s /private/a/b/c" % self.box).code, None)

    def test_wrong(self):
        for entry in ("comment", "/private", "/private/", "/other/x", "/private//x", "/private/x/", "/privatex/y", "/private/x*",
                      "/private/x%", "/private/\xe9", '"/private/\t"', "/private/vendor/x", "/shared/vendor",
                      "/private/" + "x" * 250):
            self.assertEqual(self.set(entry + " NIL").status, "BAD", entry)
        for command in ("GETMETADATA", "GETMETADATA {0}", "GETMETADATA {0} ()", "GETMETADATA {0} (/private/x",
                        "GETMETADATA (DEPTH 2) {0} /private/x", "GETMETADATA (FROB) {0} /private/x",
                        "GETMETADATA (MAXSIZE) {0} /private/x", "GETMETADATA {0} (DEPTH 1)", "GETMETADATA {0} /private/*",
                        "SETMETADATA {0}", "SETMETADATA {0} /private/x NIL", "SETMETADATA {0} ()", "SETMETADATA {0} (/private/x)",
                        "SETMETADATA {0} (/private/x NIL", "SETMETADATA {0} (/private/x y)", "SETMETADATA {0} (/private/x NIL) "):
            self.assertEqual(self.a.cmd(command.format(self.box)).status, "BAD", command)
        self.assertEqual(self.a.cmd("GETMETADATA nonesuch /private/x").code, "NONEXISTENT")
        self.assertEqual(self.a.cmd("SETMETADATA nonesuch (/private/x NIL)").code, "NONEXISTENT")

    def test_limits(self):
        """All or none: nothing is set if one cannot be."""
        self.assertEqual(self.set("/private/x \"1\" /private/y {65537+}\r\n" + "x" * 65537).code, "METADATA MAXSIZE 65536")
        self.assertEqual(self.set("/private/y {65536+}\r\n" + "x" * 65536).status, "OK")
        self.assertEqual(self.get("/private/x"), self.response("/private/x NIL"))
        self.assertEqual(self.set(" ".join('/private/n%d "v"' % n for n in range(199))).status, "OK")
        before = self.highestmodseq()
        self.assertEqual(self.set('/private/n0 "changed" /private/more "x"').code, "METADATA TOOMANY")
        self.assertEqual(self.get("(/private/n0 /private/more)"), self.response('/private/n0 "v" /private/more NIL'))
        self.assertEqual(self.highestmodseq(), before)
        self.assertEqual(self.set('/private/n0 "changed"').status, "OK")

    def test_modseq(self):
        """touch(): a change of an annotation raises HIGHESTMODSEQ, and no message carries it."""
        self.a.ok("ENABLE QRESYNC")
        selected = self.a.ok("SELECT " + self.box)
        before = selected.number("HIGHESTMODSEQ")
        self.assertEqual(self.set('/private/x "1" /shared/y "2"').untagged, [])
        self.assertEqual(self.highestmodseq(), before + 1)
        self.assertEqual(sql("SELECT array_agg(modseq) FROM mw_annotation WHERE mailbox_id = %d" % mailbox_id(self.box)),
                         "{%d,%d}" % (before + 1, before + 1))
        # what does not change takes none
        self.assertEqual(self.set('/private/x "1" /private/gone NIL').status, "OK")
        self.assertEqual(self.highestmodseq(), before + 1)
        self.assertEqual(self.set('/private/x NIL /shared/y "2"').status, "OK")
        self.assertEqual(sql("SELECT array_agg(modseq ORDER BY entry) FROM mw_annotation WHERE mailbox_id = %d"
                             % mailbox_id(self.box)), "{%d,%d}" % (before + 2, before + 1))
        answer = self.a.ok("SELECT %s (QRESYNC (%d %d))" % (self.box, selected.number("UIDVALIDITY"), before))
        self.assertEqual(answer.number("HIGHESTMODSEQ"), before + 2)
        self.assertEqual(answer.all("FETCH|VANISHED"), [])

    def test_two_write_the_same(self):
        """The second waits for the first, and sees what it wrote: mod-sequences are in the order of the values."""
        b = Imap()
        self.set('/private/x "0"')
        before = self.highestmodseq()
        sql("CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'")
        sql("CREATE TRIGGER wait_here BEFORE INSERT ON mw_annotation FOR EACH ROW EXECUTE FUNCTION wait_here()")
        lock = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            lock.stdin.write("SELECT pg_advisory_lock(1), 'locked';\n")
            lock.stdin.flush()
            self.assertIn("locked", lock.stdout.readline())
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd' AND wait_event_type = 'Lock'"
            one = self.a.start('SETMETADATA %s (/private/x "1")' % self.box)
            wait_for(lambda: sql(waiting) == "1")
            two = b.start('SETMETADATA %s (/private/x "1" /private/z "2")' % self.box)
            wait_for(lambda: sql(waiting) == "2")
        finally:
            lock.communicate()
        self.assertEqual((self.a.finish(one).status, b.finish(two).status), ("OK", "OK"))
        sql("DROP TRIGGER wait_here ON mw_annotation")
        sql("DROP FUNCTION wait_here")
        self.assertEqual(sql("SELECT array_agg(modseq ORDER BY entry) FROM mw_annotation WHERE mailbox_id = %d"
                             % mailbox_id(self.box)), "{%d,%d}" % (before + 1, before + 2))
        b.close()

    def test_follow_the_mailbox(self):
        """RENAME takes them along, DELETE away; RENAME INBOX copies them (section 4.1)."""
        self.set('/private/x "1"')
        self.a.ok("RENAME %s %s-new" % (self.box, self.box))
        self.assertEqual(self.get("/private/x", box=self.box + "-new"), self.response('/private/x "1"', self.box + "-new"))
        self.a.ok("DELETE %s-new" % self.box)
        self.a.ok("CREATE %s-new" % self.box)
        self.assertEqual(self.get("/private/x", box=self.box + "-new"), self.response("/private/x NIL", self.box + "-new"))
        w = Imap("wilma")
        w.fill("INBOX", 1)
        w.ok('SETMETADATA inbox (/private/x "1" /private/y "2")')
        w.ok("SETMETADATA INBOX (/private/y NIL)")
        w.ok("RENAME INBOX old")
        for box in ("INBOX", "old"):
            self.assertEqual(w.ok("GETMETADATA %s (DEPTH infinity) /private" % box).untagged,
                             ['METADATA %s (/private/x "1")' % box])
        self.assertEqual(w.cmd("GETMETADATA %s-new /private/x" % self.box).code, "NONEXISTENT")
        w.ok("DELETE old")
        w.ok("SETMETADATA INBOX (/private/x NIL)")
        w.close()

    def test_server(self):
        """A user's own, and everybody's, which only SQL writes."""
        sql("INSERT INTO mw_server_annotation (entry, value) VALUES ('/shared/admin', 'mailto:root@localhost')")
        self.assertEqual(self.get("(/shared/admin /shared/comment)", box='""'),
                         self.response('/shared/admin "mailto:root@localhost" /shared/comment NIL', '""'))
        self.assertEqual(self.set('/private/vendor/x/y "1" /private/z "2"', box='""').status, "OK")
        self.assertEqual(self.set('/private/vendor/x/y "3" /private/z NIL', box='""').status, "OK")
        self.assertEqual(self.get("/private", "(DEPTH infinity) ", box='""'), self.response('/private/vendor/x/y "3"', '""'))
        self.assertEqual(self.set('/private/z "1" /shared/admin "x"', box='""').code, "NOPERM")
        self.assertEqual(self.get("/private/z", box='""'), self.response("/private/z NIL", '""'))
        w = Imap("wilma")
        self.assertEqual(w.ok('GETMETADATA "" (/shared/admin /private/vendor/x/y)').untagged, self.response(
            '/shared/admin "mailto:root@localhost" /private/vendor/x/y NIL', '""'))
        w.close()
        self.set("/private/vendor/x/y NIL", box='""')
        sql("DELETE FROM mw_server_annotation")


if __name__ == "__main__":
    unittest.main(verbosity=2)
