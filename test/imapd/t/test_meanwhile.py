"""What another session, or the server, does in the middle: each command against it.

What has been committed is answered OK, whatever becomes of the open mailbox; a session whose mailbox is gone ends with
BYE; commands that know no NO (RFC 3501 sections 6.1.2, 6.4.1, 6.4.2; RFC 2177) never say it.
"""

import imaplib
import os
import re
import subprocess
import tempfile
import unittest

from imap import PORT, Closed, Imap, mailbox_id, message, new_mailbox, sql, wait_for
from proxy import Proxy

DATA = message(1)


def outcome(imap, command, until=None):
    """How a command ends: its tagged status, and BYE if the session ends with it. The connection is of no use then."""
    tag = imap.start(command)
    if until:
        until()
    imap.socket.shutdown(1)             # the session that goes on ends without a word
    result, lines = [], []
    while True:
        try:
            line = imap.line()
        except Closed:
            break
        lines.append(line)
        if line.startswith("* BYE"):
            result.append("BYE")
        elif line.startswith(tag + " "):
            result.append(re.match(r"\S+ (\w+( \[(?:TRYCREATE|NONEXISTENT|INUSE)\])?)", line).group(1))
    imap.close()
    imap.lines = lines
    return " ".join(result)


class Psql:
    """A session of another program."""

    def __init__(self):
        self.process = subprocess.Popen(["psql", "-XAtqv", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self, statement):
        """What it says, as sql() does, and without a process each time."""
        self.process.stdin.write(statement + ";\n\\echo done\n")
        self.process.stdin.flush()
        said = []
        while True:
            line = self.process.stdout.readline()
            assert line, statement
            if line == "done\n":
                return "".join(said).strip()
            said.append(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def waits_for_lock():
    return sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
               " AND wait_event_type = 'Lock'") == "1"


other_program = Psql()


# What may become of the open mailbox. Names are those of one user only.

def delete(box):
    other_program.run("DELETE FROM mw_mailbox WHERE name = '%s'" % box)


def replace(box):
    """The new one has messages that CLOSE and EXPUNGE would take."""
    other_program.run(
        "DELETE FROM mw_mailbox WHERE name = '{0}';"
        "INSERT INTO mw_mailbox (user_id, name) SELECT id, '{0}' FROM mw_user WHERE name = 'fred';"
        "INSERT INTO mw_mail (mailbox_id, flags, raw) SELECT id, '{{\\\\Deleted}}', 'Subject: x'"
        " FROM mw_mailbox, generate_series(1, 2) WHERE name = '{0}'".format(box))


def renew(box):
    other_program.run(
        "SELECT modseq.reset_uidvalidity('mw_mail', id) FROM mw_mailbox WHERE name = '{0}';"
        "UPDATE mw_mail SET flags = '{{\\\\Deleted}}' WHERE mailbox_id = (SELECT id FROM mw_mailbox WHERE name = '{0}')"
        .format(box))


def rename(box):
    other_program.run("UPDATE mw_mailbox SET name = '{0}-renamed' WHERE name = '{0}'".format(box))


def count(box, condition="true"):
    return int(other_program.run(
        "SELECT count(*) FROM mw_mail m JOIN mw_mailbox b ON b.id = mailbox_id WHERE b.name = '%s' AND %s"
        % (box, condition)))


APPEND = "APPEND {other} {{%d+}}\r\n%s" % (len(DATA), DATA)

# Command -> what it ends with if meanwhile the open mailbox was
#                                          deleted              deleted, and       given another
#                                                               made again         UIDVALIDITY
ENDS = {
    "NOOP":                                ("OK BYE",           "OK BYE",          "BYE"),
    "CHECK":                               ("OK BYE",           "OK BYE",          "BYE"),
    "IDLE\r\nDONE":                        ("BYE",              "BYE",             "BYE"),
    "CLOSE":                               ("OK",               "OK",              "OK"),
    "UNSELECT":                            ("OK",               "OK",              "OK"),
    "LOGOUT":                              ("BYE OK",           "BYE OK",          "BYE OK"),
    "CAPABILITY":                          ("OK",               "OK",              "OK"),
    "ID NIL":                              ("OK",               "OK",              "OK"),
    "NAMESPACE":                           ("OK",               "OK",              "OK"),
    "ENABLE QRESYNC":                      ("OK",               "OK",              "OK"),
    "LIST \"\" {other}":                   ("OK",               "OK",              "OK"),
    "LIST \"\" box% RETURN (STATUS (HIGHESTMODSEQ))": ("OK",    "OK",              "OK"),
    "LSUB \"\" *":                         ("OK",               "OK",              "OK"),
    "SUBSCRIBE {box}":                     ("OK",               "OK",              "OK"),
    "UNSUBSCRIBE {box}":                   ("OK",               "OK",              "OK"),
    "CREATE {other}/sub":                  ("OK",               "OK",              "OK"),
    "RENAME {other} {other}-new":          ("OK",               "OK",              "OK"),
    "DELETE {other}":                      ("OK",               "OK",              "OK"),
    "CREATE {box}":                        ("OK",               "NO",              "NO"),
    "RENAME {box} {box}-new":              ("NO [NONEXISTENT]", "OK",              "OK"),
    "DELETE {box}":                        ("NO [NONEXISTENT]", "OK",              "OK"),
    "SELECT {other}":                      ("OK",               "OK",              "OK"),
    "EXAMINE {box}":                       ("NO [NONEXISTENT]", "OK",              "OK"),
    "SELECT {box} (QRESYNC ({v} 2))":      ("NO [NONEXISTENT]", "OK",              "OK"),
    # what is done or told of another mailbox
    APPEND:                                ("OK BYE",           "OK BYE",          "OK BYE"),
    APPEND.replace("{other}", "{other} (\\Seen $New)"): ("OK BYE", "OK BYE",       "OK BYE"),
    "STATUS {other} (MESSAGES)":           ("OK BYE",           "OK BYE",          "OK BYE"),
    "STATUS {other} (HIGHESTMODSEQ)":      ("OK BYE",           "OK BYE",          "OK BYE"),
    "GETMETADATA {other} /private/x":      ("OK BYE",           "OK BYE",          "OK BYE"),
    "GETMETADATA \"\" /private/x":         ("OK BYE",           "OK BYE",          "OK BYE"),
    "SETMETADATA {other} (/private/x \"1\")": ("OK BYE",        "OK BYE",          "OK BYE"),
    # by name it is the new one
    "GETMETADATA {box} /private/x":        ("NO [NONEXISTENT]", "OK BYE",          "OK BYE"),
    "SETMETADATA {box} (/private/x NIL)":  ("NO [NONEXISTENT]", "OK BYE",          "OK BYE"),
    APPEND.replace("{other}", "{box}"):    ("NO [TRYCREATE]",   "OK BYE",          "OK BYE"),
    "STATUS {box} (MESSAGES)":             ("NO [NONEXISTENT]", "OK BYE",          "OK BYE"),
    "COPY 1 {box}":                        ("NO [TRYCREATE]",   "BYE",             "BYE"),
    "MOVE 1 {box}":                        ("NO [TRYCREATE]",   "BYE",             "BYE"),
    "COPY 1 nonesuch":                     ("NO [TRYCREATE]",   "NO [TRYCREATE]",  "NO [TRYCREATE]"),
    # what is asked of messages that are gone; where UIDs may name others, no answer is right
    "FETCH 1 (FLAGS)":                     ("NO BYE",           "NO BYE",          "BYE"),
    "FETCH 1 (MODSEQ)":                    ("NO BYE",           "NO BYE",          "BYE"),
    "FETCH 1 BODY[]":                      ("NO BYE",           "NO BYE",          "BYE"),
    "FETCH 1 BODY.PEEK[]":                 ("NO BYE",           "NO BYE",          "BYE"),
    "UID FETCH 1 (FLAGS)":                 ("OK BYE",           "OK BYE",          "BYE"),
    "UID FETCH 1 BODY[]":                  ("OK BYE",           "OK BYE",          "BYE"),
    "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)": ("BYE",             "BYE",             "BYE"),
    "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)": ("BYE",    "BYE",             "BYE"),
    "SEARCH ALL":                          ("BYE",              "BYE",             "BYE"),
    "UID SEARCH RETURN (ALL) MODSEQ 1":    ("BYE",              "BYE",             "BYE"),
    # what would change them
    "STORE 1 +FLAGS (\\Seen)":             ("BYE",              "BYE",             "BYE"),
    "STORE 1 +FLAGS.SILENT ($New)":        ("BYE",              "BYE",             "BYE"),
    "UID STORE 1 FLAGS ()":                ("BYE",              "BYE",             "BYE"),
    "STORE 1 (UNCHANGEDSINCE 9) -FLAGS (\\Seen)": ("BYE",       "BYE",             "BYE"),
    "EXPUNGE":                             ("BYE",              "BYE",             "BYE"),
    "UID EXPUNGE 1":                       ("BYE",              "BYE",             "BYE"),
    "COPY 1 {other}":                      ("BYE",              "BYE",             "BYE"),
    "UID COPY 1 {other}":                  ("BYE",              "BYE",             "BYE"),
    "MOVE 1 {other}":                      ("BYE",              "BYE",             "BYE"),
    "UID MOVE 1 {other}":                  ("BYE",              "BYE",             "BYE"),
}


class Meanwhile(unittest.TestCase):
    def setUp(self):
        self.a = Imap()

    def tearDown(self):
        self.a.close()

    def each_command(self, event, column):
        for command, ends in ENDS.items():
            with self.subTest(command):
                box = new_mailbox(self.a, 2)
                other = new_mailbox(self.a)
                c = Imap()
                c.ok("ENABLE QRESYNC")
                uidvalidity = c.ok("SELECT " + box).number("UIDVALIDITY")
                event(box)
                command = command.format(box=box, other=other, v=uidvalidity)
                self.assertEqual(outcome(c, command), ends[column], c.lines)
                # what it says is what it did
                if command.startswith("APPEND " + other):
                    self.assertEqual(count(other), 1)
                    self.assertIn("APPENDUID", [line for line in c.lines if " OK " in line][-1])
                elif command.startswith("STATUS " + other):
                    self.assertEqual(len([line for line in c.lines if line.startswith("* STATUS")]), 1)
                elif command.startswith(("COPY", "MOVE", "UID COPY", "UID MOVE")):
                    self.assertEqual(count(other), 0)
                elif event is not delete and command.startswith(("CLOSE", "EXPUNGE", "UID EXPUNGE", "STORE", "UID STORE")):
                    self.assertEqual(count(box, "flags = '{\\\\Deleted}'"), 2)

    def test_deleted(self):
        self.each_command(delete, 0)

    def test_made_again(self):
        self.each_command(replace, 1)

    def test_uidvalidity_reset(self):
        self.each_command(renew, 2)

    def test_renamed(self):
        """The open mailbox goes on under its new name."""
        for command in ENDS:
            if "{box}" in command:
                continue
            with self.subTest(command):
                box = new_mailbox(self.a, 2)
                other = new_mailbox(self.a)
                c = Imap()
                c.ok("ENABLE QRESYNC")
                c.ok("SELECT " + box)
                rename(box)
                end = outcome(c, command.format(other=other))
                self.assertEqual(end, "BYE OK" if command == "LOGOUT" else
                                 "NO [TRYCREATE]" if "nonesuch" in command else "OK", c.lines)

    def test_own_delete(self):
        """A session that deletes what it has open can close it, or open another one."""
        for command in ("CLOSE", "UNSELECT", "SELECT INBOX"):
            box = new_mailbox(self.a, 1)
            self.a.ok("SELECT " + box)
            self.a.ok("DELETE " + box)
            self.a.ok(command)
            self.a.ok("NOOP")

    def test_pipelined(self):
        """A client that goes on sending hears that its APPEND was done, before it hears BYE."""
        box = new_mailbox(self.a, 1)
        other = new_mailbox(self.a)
        c = Imap()
        c.ok("SELECT " + box)
        delete(box)
        size = 32 * 1024 * 1024
        c.send("a1 APPEND %s {%d+}\r\n%s\r\na2 APPEND %s {%d+}\r\n" % (other, len(DATA), DATA, other, size))
        c.send("x" * size + "\r\n")
        self.assertRegex(c.line(), r"^a1 OK \[APPENDUID")
        self.assertRegex(c.line(), r"^\* BYE")
        self.assertEqual(c.file.read(), b"")
        self.assertEqual(count(other), 1)
        c.close()

    def test_imaplib(self):
        """A client of others: its APPEND is done once, and then it knows that it must connect again."""
        box = new_mailbox(self.a, 1)
        other = new_mailbox(self.a)
        c = imaplib.IMAP4("127.0.0.1", PORT)
        c.login("fred", "secret")
        c.select(box)
        delete(box)
        self.assertEqual(c.append(other, None, None, DATA.encode())[0], "OK")
        self.assertRaises(imaplib.IMAP4.abort, c.noop)
        self.assertEqual(count(other), 1)
        c.shutdown()

    def test_idle(self):
        """What becomes of the mailbox wakes it, whoever does it; it says BYE, and no tagged response, as there was no DONE."""
        for event, words in (
                (lambda box: self.a.ok("DELETE " + box), "deleted"), (delete, "deleted"), (renew, "UIDVALIDITY"),
                (lambda box: sql("BEGIN; SAVEPOINT s; DELETE FROM mw_mailbox WHERE name = '%s'; RELEASE s; COMMIT" % box),
                 "deleted"),
                # by a key that was not its own
                (lambda box: sql("BEGIN; DELETE FROM mw_mail WHERE mailbox_id = %d;"
                                 "UPDATE mw_mailbox SET id = DEFAULT WHERE name = '%s'; COMMIT" % (mailbox_id(box), box)),
                 "deleted")):
            box = new_mailbox(self.a, 1)
            c = Imap()
            c.ok("SELECT " + box)
            c.start("IDLE")
            self.assertEqual(c.line(), "+ idling")
            event(box)
            self.assertRegex(c.line(), r"^\* BYE .*" + words)
            self.assertEqual(c.file.read(), b"")
            c.close()

    def race(self, command, event, mailbox="{other}"):
        """The command waits for the mailbox's row; meanwhile another program does something, and commits."""
        box = new_mailbox(self.a, 2)
        other = new_mailbox(self.a)
        names = {"box": box, "other": other, "id": mailbox_id(mailbox.format(box=box, other=other))}
        c = Imap()
        c.ok("SELECT " + box)
        psql = Psql()
        psql.run("BEGIN; SELECT modseq.lock('mw_mail', %d)" % names["id"])

        def until():
            wait_for(waits_for_lock)
            psql.run(event.format(**names) + "; COMMIT")
        try:
            return outcome(c, command.format(**names), until), c.lines, names
        finally:
            psql.close()

    def test_target_deleted_meanwhile(self):
        """After the command has found it: TRYCREATE, and the session goes on."""
        for command in (APPEND, "COPY 1:2 {other}", "UID COPY 1 {other}", "MOVE 1 {other}", "UID MOVE 1:2 {other}"):
            with self.subTest(command):
                end, lines, names = self.race(command, "DELETE FROM mw_mailbox WHERE id = {id}")
                self.assertEqual(end, "NO [TRYCREATE]", lines)
                self.assertEqual(count(names["box"]), 2)

    def test_source_deleted_meanwhile(self):
        for command in ("COPY 1:2 {other}", "UID MOVE 1:2 {other}", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "FETCH 1 BODY[]"):
            with self.subTest(command):
                end, lines, names = self.race(command, "DELETE FROM mw_mailbox WHERE id = {id}", "{box}")
                self.assertEqual(end, "BYE", lines)
                self.assertEqual(count(names["other"]), 0)
        self.assertEqual(self.race("CLOSE", "DELETE FROM mw_mailbox WHERE id = {id}", "{box}")[0], "OK")

    def test_target_changed_meanwhile(self):
        """Another UIDVALIDITY or name of the target is no reason to fail; COPYUID and APPENDUID have the new one."""
        for command in (APPEND, "COPY 1:2 {other}", "MOVE 1:2 {other}"):
            for event in ("SELECT modseq.reset_uidvalidity('mw_mail', {id})",
                          "UPDATE mw_mailbox SET name = name || '-new' WHERE id = {id}"):
                with self.subTest(command + event):
                    end, lines, names = self.race(command, event)
                    self.assertEqual(end, "OK", lines)
                    now = sql("SELECT uidvalidity FROM modseq.status('mw_mail', %d)" % names["id"])
                    self.assertRegex("\n".join(lines), r"(APPEND|COPY)UID %s " % now)

    def test_renamed_meanwhile(self):
        """RENAME of a mailbox that has just been deleted renames nothing."""
        other = new_mailbox(self.a)
        psql = Psql()
        psql.run("BEGIN; DELETE FROM mw_mailbox WHERE id = %d" % mailbox_id(other))

        def until():
            wait_for(waits_for_lock)
            psql.run("COMMIT")
        c = Imap()
        self.assertEqual(outcome(c, "RENAME %s %s-new" % (other, other), until), "NO [NONEXISTENT]", c.lines)
        psql.close()

    def test_commit_that_fails(self):
        """A statement by itself commits at the end of its round trip: it may fail after its result has come."""
        sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE 'refused at COMMIT' USING ERRCODE = 'P0001'; END$$;"
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE OF name OR DELETE ON mw_mailbox"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();"
            "ALTER TABLE mw_mailbox DISABLE TRIGGER refuse")
        other = new_mailbox(self.a)
        sql("ALTER TABLE mw_mailbox ENABLE TRIGGER refuse")
        try:
            for command in ("CREATE %s-new", "RENAME %s %s-new", "DELETE %s"):
                self.assertEqual(self.a.cmd(command.replace("%s", other)).status, "NO", command)
                self.assertEqual(len(self.a.ok("LIST \"\" %s*" % other).untagged), 1)
        finally:
            sql("SET client_min_messages = warning; DROP FUNCTION refuse CASCADE")


class Server:
    """A front end of its own, with settings of its sessions."""

    def __init__(self, conninfo):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([os.environ["IMAPD"], "--port", "0", "-d", conninfo],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.port = int(re.search(r"\d+$", self.process.stdout.readline().strip()).group(0))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.log.seek(0)
        log = self.log.read()
        self.log.close()
        assert not re.search("Sanitizer|runtime error|SERVERBUG", log), log


class Busy(unittest.TestCase):
    """A lock that is not to be had in time, a transaction that cannot be serialized, a connection that is lost."""

    def setUp(self):
        self.a = Imap()
        self.box = new_mailbox(self.a, 2)
        self.other = new_mailbox(self.a)
        self.psql = Psql()

    def tearDown(self):
        self.psql.close()
        self.a.close()

    def serve(self, conninfo):
        server = Server(conninfo)
        self.addCleanup(server.close)
        return server.port

    def open(self, port):
        c = Imap(port=port)
        c.ok("ENABLE QRESYNC")
        c.ok("SELECT " + self.box)
        return c

    def test_row_locked(self):
        """NO [INUSE] where a command may say so, with nothing done; and the session goes on."""
        for setting in ("lock_timeout", "statement_timeout"):
            c = self.open(self.serve("options='-c %s=200ms'" % setting))
            c.ok("STORE 1 +FLAGS (\\Deleted)")
            self.psql.run("BEGIN; SELECT modseq.lock('mw_mail', ARRAY[%d::bigint, %d])"
                          % (mailbox_id(self.box), mailbox_id(self.other)))
            for command, end in (
                    (APPEND, "NO"), ("COPY 1 {other}", "NO"), ("MOVE 1 {other}", "NO"), ("STORE 2 +FLAGS (\\Seen)", "NO"),
                    ("STORE 2 (UNCHANGEDSINCE 9) +FLAGS (\\Seen)", "NO"), ("EXPUNGE", "NO"), ("UID EXPUNGE 1", "NO"),
                    ("FETCH 2 BODY[]", "NO"), ("FETCH 2 BODY.PEEK[]", "OK"), ("SEARCH DELETED", "OK"), ("NOOP", "OK"),
                    ("STATUS {other} (MESSAGES)", "OK"), ("CLOSE", "OK"), ("SELECT {box}", "OK")):
                with self.subTest(setting + " " + command):
                    answer = c.cmd(command.format(box=self.box, other=self.other))
                    self.assertEqual(answer.status, end, answer)
                    if end == "NO":
                        self.assertEqual(answer.code, "INUSE")
                    # FETCH may have told mod-sequences that are above changes that it has not
                    self.assertEqual(len(answer.all("HIGHESTMODSEQ")), 1 if command[:5] + end in ("FETCHNO", "SELECOK") else 0)
            self.psql.run("ROLLBACK")
            self.assertEqual((count(self.box), count(self.other)), (2, 0))
            self.assertEqual(c.ok("UID FETCH 1:* (FLAGS)").fetches(), {1: ({"\\Deleted"}, None), 2: (set(), None)})
            c.ok("STORE 1 -FLAGS (\\Deleted)")
            c.close()

    def test_sync_that_waits(self):
        """What has changed cannot be asked for now: it is told later, and HIGHESTMODSEQ says how far it is told."""
        c = self.open(self.serve("options='-c lock_timeout=200ms'"))
        cursor = int(c.ok("STATUS %s (HIGHESTMODSEQ)" % self.box).one(r"HIGHESTMODSEQ (\d+)").group(1))
        self.a.ok("SELECT " + self.box)
        self.a.ok("STORE 2 +FLAGS (\\Deleted)")
        self.a.ok("EXPUNGE")
        self.a.ok("STORE 1 +FLAGS (\\Answered)")
        self.psql.run("BEGIN; LOCK TABLE mw_mail_vanished")
        for command in ("STATUS {other} (UIDNEXT)", "NOOP", "CHECK", "FETCH 1 (MODSEQ)"):
            with self.subTest(command):
                answer = c.ok(command.format(box=self.box, other=self.other))
                told = answer.code if answer.code and "HIGHEST" in answer.code else answer.one(
                    r"^OK \[(HIGHESTMODSEQ \d+)").group(1)
                self.assertEqual(told, "HIGHESTMODSEQ %d" % cursor)
                self.assertEqual(answer.all("VANISHED"), [])
        # STATUS reads nothing but counters; and the list stands without it (RFC 5819 section 2)
        self.assertEqual(len(c.ok("LIST \"\" %s RETURN (STATUS (MESSAGES))" % self.other).untagged), 2)
        self.psql.run("LOCK TABLE mw_mail_mailbox")
        self.assertEqual(len(c.ok("LIST \"\" %s RETURN (STATUS (MESSAGES))" % self.other).untagged), 1)
        tag = c.start("IDLE")
        self.assertEqual(c.line(), "+ idling")
        c.send("DONE\r\n")
        answer = c.finish(tag)
        self.assertEqual((answer.status, answer.untagged), ("OK", []))
        self.psql.run("ROLLBACK")
        self.assertEqual(c.ok("NOOP").untagged, ["VANISHED 2", "1 FETCH (UID 1 FLAGS (\\Answered) MODSEQ (%d))" % (cursor + 3)])
        c.close()

    def test_login_that_waits(self):
        """After NO nobody is logged in."""
        port = self.serve("options='-c lock_timeout=200ms'")
        self.psql.run("BEGIN; LOCK TABLE mw_keyword")
        c = Imap(port=port, login=False)
        answer = c.cmd("LOGIN fred secret")
        self.assertEqual((answer.status, answer.code), ("NO", "UNAVAILABLE"))
        self.assertEqual(c.cmd("STATUS INBOX (MESSAGES)").status, "BAD")
        self.psql.run("ROLLBACK")
        c.ok("LOGIN fred secret")
        c.ok("STATUS INBOX (MESSAGES)")
        c.close()

    def test_cannot_be_serialized(self):
        """40001 is tried again, from BEGIN."""
        port = self.serve("options='-c default_transaction_isolation=repeatable\\\\ read'")
        for command in (APPEND, "COPY 1 {other}", "MOVE 1 {other}", "STORE 1 +FLAGS (\\Seen)", "FETCH 1 BODY[]",
                        "STORE 1 (UNCHANGEDSINCE 99) +FLAGS (\\Seen)", "UID EXPUNGE 1", "EXPUNGE", "CLOSE",
                        "RENAME {other} {other}-new", "DELETE {other}"):
            with self.subTest(command):
                self.box = new_mailbox(self.a, 2)
                self.other = new_mailbox(self.a)
                c = self.open(port)
                self.psql.run("BEGIN; UPDATE mw_mail SET flags = '{x}' WHERE mailbox_id = %d; SELECT modseq.touch('mw_mail', %d);"
                              "UPDATE mw_mailbox SET special_use = NULL WHERE id = %d"
                              % (mailbox_id(self.box), mailbox_id(self.other), mailbox_id(self.other)))

                def until():
                    wait_for(waits_for_lock)
                    self.psql.run("COMMIT")
                self.assertEqual(outcome(c, command.format(box=self.box, other=self.other), until), "OK", c.lines)

    def test_commit_in_doubt(self):
        """The server has committed, and its answer is lost: no answer is right, so there is none."""
        proxy = Proxy()
        port = self.serve(proxy.conninfo)
        for command in (APPEND, "COPY 1 {other}", "MOVE 1 {other}", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "CLOSE", "FETCH 1 BODY[]"):
            with self.subTest(command):
                self.box = new_mailbox(self.a, 2)
                self.other = new_mailbox(self.a)
                c = self.open(port)
                proxy.cut = "before"
                self.assertEqual(outcome(c, command.format(other=self.other)), "BYE", c.lines)
                self.assertIsNone(proxy.cut)
                if "{other}" in command:
                    self.assertEqual(count(self.other), 1)

    def test_lost_after_commit(self):
        """The COMMIT was confirmed, and then the connection is lost: OK, and BYE."""
        proxy = Proxy()
        port = self.serve(proxy.conninfo)
        for command in (APPEND, "COPY 1 {other}", "MOVE 1 {other}", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "CLOSE"):
            with self.subTest(command):
                self.box = new_mailbox(self.a, 2)
                self.other = new_mailbox(self.a)
                c = self.open(port)
                proxy.cut = "after"
                end = outcome(c, command.format(other=self.other))
                # what needs the database no more goes on without it
                self.assertEqual(end, "OK BYE" if command.startswith(("APPEND", "COPY")) else "OK", c.lines)
                if "{other}" in command:
                    self.assertEqual(count(self.other), 1)
                    self.assertRegex("\n".join(c.lines), "(APPEND|COPY)UID")

    def test_lost_while_idle(self):
        for command, end in (("NOOP", "OK BYE"), (APPEND, "BYE"), ("CLOSE", "BYE"), ("UNSELECT", "OK"), ("LOGOUT", "BYE OK")):
            c = self.open(self.serve(""))
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'imapd'"
                " AND query ~ 'live_uids|resync|COMMIT' AND pid = (SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'imapd')")
            self.assertEqual(outcome(c, command.format(other=self.other)), end, c.lines)


def tearDownModule():
    other_program.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
