"""What another session, or the server, does in the middle: each command against it."""

import os
import re
import subprocess
import tempfile
import unittest

from imap import Closed, Imap, mailbox_id, message, new_mailbox, sql, wait_for
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
        self.process.stdin.write(statement + ";\n\\echo done\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            assert line, statement
            if line == "done\n":
                return

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def waits_for_lock():
    return sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
               " AND wait_event_type = 'Lock'") == "1"


APPEND = "APPEND {other} {{%d+}}\r\n%s" % (len(DATA), DATA)


class Meanwhile(unittest.TestCase):
    def setUp(self):
        self.a = Imap()

    def tearDown(self):
        self.a.close()

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

    def count(self, name):
        return int(sql("SELECT count(*) FROM mw_mail WHERE mailbox_id = %d" % mailbox_id(name)))

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
                    self.assertEqual(self.count(self.other), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
