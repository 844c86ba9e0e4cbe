"""Deadlocks are tried again; --create-user and --import do what they say."""

import os
import pty
import shutil
import subprocess
import tempfile
import time
import unittest

from imap import Imap, mailbox_id, message, new_mailbox, sql, wait_for
from proxy import Proxy

IMAPD = os.environ["IMAPD"]


class Tools(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="imapd-tools.")

    def tearDown(self):
        shutil.rmtree(self.home)

    def test_deadlock_is_tried_again(self):
        """Another program takes message, then mailbox; the front end mailbox, then message."""
        # the front end looks for it once, so long after it has begun to wait
        sql("ALTER DATABASE %s SET deadlock_timeout = '5s'" % os.environ["PGDATABASE"])
        a = Imap()
        sql("ALTER DATABASE %s RESET deadlock_timeout" % os.environ["PGDATABASE"])
        box = new_mailbox(a, 2)
        a.ok("SELECT " + box)
        other = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # the front end waits first, and so it is the one that notices
        other.stdin.write("SET deadlock_timeout = '60s'; BEGIN;"
                          "SELECT uid FROM mw_mail WHERE mailbox_id = %d AND uid = 1 FOR UPDATE;\n" % mailbox_id(box))
        other.stdin.flush()
        self.assertEqual(other.stdout.readline(), "1\n")
        before = int(sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
        tag = a.start("STORE 1 +FLAGS (\\Seen)")
        wait_for(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'imapd'"
                             " AND wait_event_type = 'Lock'") == "1")
        other.stdin.write("SELECT uidnext FROM modseq.lock('mw_mail', %d); COMMIT;\n" % mailbox_id(box))
        other.stdin.close()
        self.assertEqual(other.stdout.readline(), "3\n")
        other.wait()
        other.stdout.close()
        answer = a.finish(tag)
        self.assertEqual((answer.status, answer.fetches()[1][0]), ("OK", {"\\Seen"}))
        wait_for(lambda: int(sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")) > before)
        a.close()

    def run_imapd(self, *arguments, **options):
        return subprocess.run([IMAPD] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, **options)

    def test_create_user(self):
        run = self.run_imapd("--create-user", "barney", input="pebble\n", env={**os.environ, "IMAPD_PASSWORD": ""})
        self.assertNotEqual(run.returncode, 0)
        environment = {k: v for k, v in os.environ.items() if k != "IMAPD_PASSWORD"}
        run = self.run_imapd("--create-user", "barney", input="pebble\n", env=environment)
        self.assertEqual(run.returncode, 0, run.stderr)
        Imap("barney", "pebble").close()
        self.assertEqual(sql("SELECT password ~ 'pebble' FROM mw_user WHERE name = 'barney'"), "f")
        # again: another password, the same mailboxes
        self.run_imapd("--create-user", "barney", input="rubble\n", env=environment)
        b = Imap("barney", "rubble")
        self.assertEqual(len(b.ok('LIST "" *').untagged), 6)
        b.close()

    def test_import_mbox(self):
        path = self.home + "/mbox"
        with open(path, "w") as file:
            for n in range(1, 4):
                file.write("From someone@example.org Thu Jul 16 09:0%d:00 2026\n%s>From the beginning\n\n"
                           % (n, message(n).replace("\r\n", "\n")))
        run = self.run_imapd("--import", "mbox", path, "--user", "fred", "--mailbox", "from-mbox")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "imapd: imported 3 messages\n", ""))
        a = Imap()
        a.ok("SELECT from-mbox").one("^3 EXISTS")
        self.assertEqual(a.ok("FETCH 2 (BODY.PEEK[] INTERNALDATE)").untagged[0].split(" ", 3)[3],
                         "{%d}\r\n%sFrom the beginning\r\n INTERNALDATE \"16-Jul-2026 09:02:00 +0000\")" % (
                             len(message(2)) + 20, message(2)))
        a.close()

    def test_import_of_many(self):
        """Some hundred an INSERT, each with a transaction and a round trip of its own: the backend is idle between."""
        path = self.home + "/mbox"
        with open(path, "w") as file:
            for n in range(1200):
                file.write("From x Thu Jul 16 09:00:00 2026\n%s\n" % message(n).replace("\r\n", "\n"))
        proxy = Proxy()
        run = self.run_imapd("-d", proxy.conninfo, "--import", "mbox", path, "--user", "fred", "--mailbox", "many")
        self.assertEqual((run.returncode, run.stdout), (0, "imapd: imported 1200 messages\n"))
        # the connection, its settings, the user, the mailbox, to create it, and three times some messages
        self.assertEqual(proxy.states, b"IIIIIIII")
        self.assertEqual(sql("SELECT uidnext, highestmodseq FROM modseq.status('mw_mail', %d)" % mailbox_id("many")),
                         "1201|4")
        self.assertEqual(sql("SELECT count(*) FROM mw_mail WHERE mailbox_id = %d AND position(convert_to("
                             "'Subject: message ' || uid - 1 || E'\\r\\n', 'UTF8') IN raw) > 0" % mailbox_id("many")), "1200")

    def test_import_maildir(self):
        """And on a terminal there is a progress bar."""
        path = self.home + "/maildir"
        for part in ("cur", "new", "tmp"):
            os.makedirs(path + "/" + part)
        for n in range(1, 251):
            name = path + ("/cur/%04d.x:2,FS" if n % 2 else "/new/%04d.x") % n
            with open(name, "w") as file:
                file.write(message(n).replace("\r\n", "\n"))
            os.utime(name, (1000000000, 1000000000))
        terminal, theirs = pty.openpty()
        run = subprocess.run([IMAPD, "--import", "maildir", path, "--user", "fred", "--mailbox", "from-maildir"],
                             stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60)
        os.close(theirs)
        self.assertEqual((run.returncode, run.stdout), (0, "imapd: imported 250 messages\n"))
        time.sleep(0.1)
        screen = os.read(terminal, 65536).decode()
        os.close(terminal)
        self.assertIn("[########################################] 100%  250 messages", screen)
        a = Imap()
        a.ok("SELECT from-maildir").one("^250 EXISTS")
        self.assertEqual(a.ok("FETCH 1 (FLAGS INTERNALDATE)").untagged,
                         ['1 FETCH (FLAGS (\\Flagged \\Seen) INTERNALDATE "09-Sep-2001 01:46:40 +0000")'])
        self.assertEqual(len(a.ok("SEARCH UNSEEN").untagged[0].split()), 126)
        a.close()

    def test_wrong_options(self):
        for arguments in (["--nonesuch"], ["--port", "x"], ["--port", "99999"], ["--import", "mbox", "x"], ["x"],
                          ["--import", "frob", "x", "--user", "fred"], ["--listen", "nonesuch", "--port", "0"],
                          ["--import", "mbox", "/nonexistent", "--user", "fred"],
                          ["--import", "mbox", "/dev/null", "--user", "nobody"]):
            run = self.run_imapd(*arguments)
            self.assertNotEqual(run.returncode, 0, arguments)
            self.assertNotEqual(run.stderr, "", arguments)
        self.assertEqual(self.run_imapd("--help").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
