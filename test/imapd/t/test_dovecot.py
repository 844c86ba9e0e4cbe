"""The same dialogue to the reference front end and to Dovecot. Every difference is explained in dovecot.txt."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from imap import Imap, message

IMAP = "/usr/lib/dovecot/imap"

CONFIG = """
base_dir = {home}/run
log_path = {home}/log
mail_home = {home}/home
mail_location = sdbox:{home}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
"""

# session, command, what of the answer to remember: {v} is UIDVALIDITY, {h0} and so on are HIGHESTMODSEQ
SCRIPT = """
a ENABLE QRESYNC
a SELECT box                                                        = v h0
b SELECT box
b STORE 1 +FLAGS (\\Seen)
a NOOP
a STORE 2 +FLAGS.SILENT (\\Flagged)
a STORE 2 +FLAGS.SILENT (\\Flagged)
a STORE 2 +FLAGS (\\Flagged)
a STATUS box (HIGHESTMODSEQ)                                        = h1
a STORE 1:3 (UNCHANGEDSINCE {h0}) +FLAGS (\\Answered)
a UID STORE 3,5 (UNCHANGEDSINCE {h0}) +FLAGS.SILENT ($New)
a UID STORE 6 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)
a STORE 6 (UNCHANGEDSINCE {h1}) +FLAGS.SILENT (\\Draft)
a STORE 6 (UNCHANGEDSINCE 9223372036854775807) +FLAGS.SILENT (\\Draft)
a FETCH 1:* (FLAGS) (CHANGEDSINCE {h1})
a FETCH 1:* (UID) (CHANGEDSINCE 9223372036854775807)
a UID FETCH 1:* (FLAGS) (CHANGEDSINCE {h0} VANISHED)
a FETCH 6 (FLAGS)
a FETCH 4 (BODY[TEXT])
a UID FETCH 5 (BODY[TEXT])
a FETCH 3 (MODSEQ)
a SEARCH MODSEQ {h1}
a SEARCH MODSEQ {h1} NOT ALL
a SEARCH RETURN (MIN) MODSEQ {h1}
a SEARCH RETURN (MAX COUNT) MODSEQ {h1}
a UID SEARCH RETURN (ALL) MODSEQ "/flags/\\\\seen" all {h1}
a STATUS box (HIGHESTMODSEQ MESSAGES UIDNEXT)                       = h2
b STORE 4 +FLAGS.SILENT (\\Deleted)
b EXPUNGE
a FETCH 1 (FLAGS)
a STORE 1 +FLAGS (\\Draft)
a SEARCH UID 1:3
a FETCH 4 (UID)
a STORE 4 +FLAGS (\\Seen)
a STORE 3:4 (UNCHANGEDSINCE {h0}) +FLAGS (\\Seen)
a NOOP
a STORE 2 +FLAGS.SILENT (\\Deleted)
a EXPUNGE                                                           = h3
a EXPUNGE
b NOOP
b STATUS box (HIGHESTMODSEQ)
b STORE 1 -FLAGS (\\Seen)
b APPEND
a NOOP
a UID MOVE 6:7 other
a STORE 1 +FLAGS.SILENT (\\Deleted)
a CLOSE
b SELECT box                                                        = h4
a SELECT box (QRESYNC ({v} {h2}))
a SELECT box (QRESYNC ({v} {h0} 1:2))
a SELECT box (QRESYNC ({v} {h0} 1:5000))
a SELECT box (QRESYNC ({v} {h4}))
a SELECT box (QRESYNC (77 {h0}))
a SELECT box (QRESYNC ({v} {h0} 1:7 (1:2 1:2)))
a UID FETCH 1:* (UID) (CHANGEDSINCE {h0} VANISHED)
a UID FETCH 4:* (FLAGS) (CHANGEDSINCE {h0} VANISHED)
a SELECT nonesuch (QRESYNC ({v} {h0}))
a FETCH 1 (FLAGS)
a EXAMINE box (CONDSTORE)
a UID FETCH 1:* (FLAGS) (VANISHED)
a FETCH 1:* (FLAGS) (CHANGEDSINCE {h0} VANISHED)
a FETCH 1:* (FLAGS) (CHANGEDSINCE 0)
a FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775808)
a SEARCH MODSEQ 9223372036854775808
a STORE 1 (UNCHANGEDSINCE 9223372036854775808) +FLAGS (\\Seen)
a SELECT box (QRESYNC ({v} 0))
a SELECT box (QRESYNC (0 1))
a SELECT box (QRESYNC ({v} 1 1:*))
a SELECT box (QRESYNC ({v}))
b SELECT box (QRESYNC ({v} {h0}))
b UID FETCH 1:* (FLAGS) (CHANGEDSINCE {h0} VANISHED)
"""


class Raw(Imap):
    """A session of Dovecot's imap, logged in already, on a pair of sockets."""

    def __init__(self, command, home):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(60)
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
                                        env={"USER": "fred", "HOME": home, "PATH": os.environ["PATH"]})
        theirs.close()
        self.file = self.socket.makefile("rb")
        self.tags = 0
        self.greeting = self.line()

    def close(self):
        self.cmd("LOGOUT")
        super().close()
        self.process.wait()


def sorted_items(text):
    """The items of a FETCH, in one order."""
    items = []
    while text:
        match = re.match(r"(\S+) (\([^)]*\)|\{\d+\}\r\n|\S+) ?", text)
        name, value = match.group(1), match.group(2)
        text = text[match.end():]
        if value.startswith("{"):
            size = int(value[1:-3])
            value, text = value + text[:size], text[size:].lstrip()
        if name == "FLAGS":
            value = "(%s)" % " ".join(sorted(value[1:-1].split()))
        items.append("%s %s" % (name, value.replace("\r\n", "~")))
    return " ".join(sorted(items))


class Player:
    def __init__(self, a, b):
        self.sessions = {"a": a, "b": b}
        self.known = {}

    def modseq(self, match):
        """A mod-sequence in words that do not depend on the server: how it lies to those remembered."""
        value = int(match.group(2))
        names = sorted((v, k) for k, v in self.known.items() if k.startswith("h"))
        word = "new"
        for known, name in names:
            if value == known:
                word = name
                break
            if value > known:
                word = "above " + name
        return match.group(1) + word

    def plain(self, line):
        line = re.sub(r"\\Recent ?", "", line).replace(" )", ")")
        line = line.replace("[CLIENTBUG]", "")
        line = re.sub(r"^(\w+ )?(OK|NO|BAD) (\[[^\]]*\])?.*", lambda m: ("%s %s" % (m.group(2), m.group(3) or "")).strip(), line)
        line = re.sub(r"((?:UIDVALIDITY|COPYUID|APPENDUID) )\d+", r"\1v", line)
        line = re.sub(r"(HIGHESTMODSEQ |MODSEQ \(?)(\d+)", self.modseq, line)
        line = re.sub(r'TAG "\w+"', "TAG", line)
        fetch = re.match(r"(?s)(\d+ FETCH) \((.*)\)$", line)
        if fetch:
            line = "%s (%s)" % (fetch.group(1), sorted_items(fetch.group(2)))
        flags = re.match(r"(FLAGS|OK \[PERMANENTFLAGS) \((.*)\)(.*)$", line)
        if flags:
            line = "%s (%s)%s" % (flags.group(1), " ".join(sorted(flags.group(2).split())), flags.group(3))
        return line

    def play(self):
        """Step -> the lines of the answer."""
        transcript = []
        for line in SCRIPT.strip().split("\n"):
            step, _, remember = line.partition(" = ")
            step = step.strip()
            session = self.sessions[step[0]]
            if step[2:] == "APPEND":
                answer = session.append("box", message(7))
            else:
                answer = session.cmd(step[2:].format(**self.known))
            for name in remember.split():
                found = re.search(("UIDVALIDITY" if name == "v" else "HIGHESTMODSEQ") + r" (\d+)", repr(answer))
                self.known[name] = int(found.group(1))
            lines = [self.plain(u) for u in answer.untagged]
            lines = sorted(u for u in lines if u != "OK" and not u.endswith(" RECENT"))
            transcript.append((step, ["* " + u for u in lines] + [self.plain(answer.tagged)]))
        return transcript


def prepare(session):
    session.ok("CREATE box")
    session.ok("CREATE other")
    session.fill("box", 6)


def difference(ours, theirs):
    """The report, as in dovecot.txt but for the explanations."""
    report = []
    for (step, mine), (_, dovecots) in zip(ours, theirs):
        if mine != dovecots:
            lines = ["modseq:  " + m for m in mine if m not in dovecots]
            lines += ["dovecot: " + d for d in dovecots if d not in mine]
            report.append((step, lines or ["order of lines"]))
    return report


class Dovecot(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(IMAP):
            self.skipTest("no dovecot-imapd")
        self.home = tempfile.mkdtemp(prefix="imapd-dovecot.")
        command = [IMAP, "-c", self.home + "/conf"]
        user, group = "nobody", "nogroup"
        if os.getuid() == 0:
            os.chmod(self.home, 0o777)
            command = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--"] + command
        else:
            import grp
            import pwd
            user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        with open(self.home + "/conf", "w") as file:
            file.write(CONFIG.format(home=self.home, user=user, group=group))
        self.command = command

    def tearDown(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def test_same_dialogue(self):
        theirs = [Raw(self.command, self.home) for _ in "ab"]
        prepare(theirs[0])
        dovecot = Player(*theirs).play()
        ours = [Imap("wilma") for _ in "ab"]
        prepare(ours[0])
        modseq = Player(*ours).play()
        for session in ours + theirs:
            session.close()
        report = difference(modseq, dovecot)
        with open(os.path.join(os.path.dirname(__file__), "dovecot.txt")) as file:
            text = file.read()
        explained = re.findall(r"(?m)^## (.*)\n((?:(?:modseq|dovecot):.*\n|order of lines\n)+)(.+)", text)
        expected = [(step, lines.strip().split("\n")) for step, lines, _ in explained]
        if report != expected and os.environ.get("IMAPD_SHOW"):
            for step, lines in report:
                print("\n## %s\n%s" % (step, "\n".join(lines)))
        self.assertEqual(report, expected)


if __name__ == "__main__":
    unittest.main(verbosity=2)
