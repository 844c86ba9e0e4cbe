"""Real mail clients: a first sync, changes by another client, a second sync that carries only these."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from imap import PORT, Imap, message, new_mailbox
from neomutt import neomutt
from tap import Tap

MBSYNC = """
IMAPAccount test
Host 127.0.0.1
Port {port}
User fred
Pass secret
SSLType None
AuthMechs PLAIN LOGIN

IMAPStore far
Account test

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel test
Far :far:{box}
Near :near:{box}
Create Near
Expunge Both
SyncState {home}/
"""


class Clients(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="imapd-client.")
        self.other = Imap()
        self.box = new_mailbox(self.other, 5)
        self.other.ok("SELECT " + self.box)
        self.tap = Tap(PORT)

    def tearDown(self):
        self.other.close()
        self.tap.listener.close()
        shutil.rmtree(self.home)

    def change(self):
        """What the other client does meanwhile."""
        self.other.ok("STORE 2 +FLAGS (\\Flagged)")
        self.other.ok("STORE 4 +FLAGS (\\Deleted)")
        self.other.ok("EXPUNGE")
        self.other.append(self.box, message(6))

    def said(self, lines, pattern):
        return [line for line in lines if re.search(pattern, line)]

    def neomutt(self, keys):
        """The dialogue of a run of neomutt."""
        neomutt(self.home, self.tap.port, self.box, keys)
        return self.tap.take()

    def test_neomutt(self):
        lines = self.neomutt("<quit>")
        self.assertEqual(len(self.said(lines, r"^C: \w+ ENABLE QRESYNC$")), 1)
        self.assertEqual(len(self.said(lines, r'^C: \w+ SELECT "%s" \(CONDSTORE\)$' % self.box)), 1)
        self.assertEqual(len(self.said(lines, r"^S: \* \d+ FETCH .*BODY\[HEADER.FIELDS")), 5)
        highest = self.said(lines, r"\[HIGHESTMODSEQ")[0].split()[4].rstrip("]")

        self.change()
        lines = self.neomutt("<quit>")
        at = [i for i, line in enumerate(lines) if re.search(r"^C: \w+ UID FETCH 1:5 \(FLAGS\) \(CHANGEDSINCE %s VANISHED\)$"
                                                             % highest, line)]
        self.assertEqual(len(at), 1, lines)
        self.assertEqual(lines[at[0] + 1], "S: * VANISHED (EARLIER) 4")
        self.assertRegex(lines[at[0] + 2], r"^S: \* 2 FETCH \(UID 2 FLAGS \(\\Flagged\) MODSEQ \(\d+\)\)$")
        self.assertRegex(lines[at[0] + 3], r"^S: \w+ OK ")
        # headers of the new message, and none that it has already
        fetched = {re.search(r"UID (\d+)", line).group(1) for line in self.said(lines, r"^S: \* \d+ FETCH .*BODY\[HEADER")}
        self.assertIn("6", fetched)
        self.assertFalse(fetched & {"1", "2", "3"})

    def test_neomutt_changes(self):
        """Flags a message, deletes the next, and reads one."""
        self.neomutt("<first-entry><flag-message><delete-message><sync-mailbox><quit>")
        self.other.ok("NOOP")
        self.assertEqual(self.other.ok("UID FETCH 1:* (FLAGS)").fetches()[1][0], {"\\Flagged"})
        self.assertEqual(set(self.other.ok("UID FETCH 1:* (UID)").fetches()), {1, 3, 4, 5})
        self.neomutt("<first-entry><display-message><exit><quit>")
        self.assertEqual(self.other.ok("NOOP").fetches()[1][0], {"\\Flagged", "\\Seen"})

    def mbsync(self):
        with open(self.home + "/rc", "w") as file:
            file.write(MBSYNC.format(home=self.home, port=self.tap.port, box=self.box))
        os.makedirs(self.home + "/mail", exist_ok=True)
        run = subprocess.run(["mbsync", "-c", self.home + "/rc", "test"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stdout)
        return self.tap.take()

    def maildir(self):
        """Subject -> flags of the local copy."""
        result = {}
        for part in ("cur", "new"):
            folder = "%s/mail/%s/%s" % (self.home, self.box, part)
            for name in os.listdir(folder):
                with open(folder + "/" + name) as file:
                    subject = re.search("Subject: (.*)", file.read()).group(1)
                result[subject] = name.split(":2,")[1] if ":2," in name else ""
        return result

    def test_mbsync(self):
        lines = self.mbsync()
        self.assertEqual(self.maildir(), {"message %d" % n: "" for n in range(1, 6)})
        self.assertEqual(len(self.said(lines, r"^S: \* \d+ FETCH .*BODY\[\]")), 5)

        self.change()
        lines = self.mbsync()
        self.assertEqual(self.maildir(), {"message 1": "", "message 2": "F", "message 3": "", "message 5": "", "message 6": ""})
        # only the new message comes over again
        bodies = self.said(lines, r"^S: \* \d+ FETCH .*BODY\[\]")
        self.assertEqual(len(bodies), 1, bodies)
        self.assertIn("UID 6", bodies[0])

        # and the other way: a flag, a new message, one gone
        folder = "%s/mail/%s/" % (self.home, self.box)
        for part in ("cur", "new"):
            for name in os.listdir(folder + part):
                with open(folder + part + "/" + name) as file:
                    text = file.read()
                if "message 1\n" in text.replace("\r", ""):
                    os.rename(folder + part + "/" + name, folder + "cur/" + name.split(":")[0] + ":2,S")
                elif "message 3\n" in text.replace("\r", ""):
                    os.remove(folder + part + "/" + name)
        with open(folder + "new/1.2.here", "w") as file:
            file.write(message(7).replace("\r\n", "\n"))
        lines = self.mbsync()
        self.assertEqual(len(self.said(lines, r"^S: \w+ OK \[APPENDUID \d+ 7\]")), 1)
        self.other.ok("NOOP")
        got = self.other.ok("UID FETCH 1:* (FLAGS)").fetches()
        self.assertEqual(got, {1: ({"\\Seen"}, None), 2: ({"\\Flagged"}, None), 5: (set(), None), 6: (set(), None),
                               7: (set(), None)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
