"""A raw IMAP client for the tests: sends a line, keeps every octet of the answer."""

import os
import re
import socket
import subprocess
import time

PORT = int(os.environ["IMAPD_PORT"])


class Closed(Exception):
    pass


class Answer:
    """What a command brought: untagged responses as text, and the tagged one."""

    def __init__(self, untagged, tagged):
        self.untagged = untagged
        self.tagged = tagged
        self.status = tagged.split(" ")[0]
        code = re.match(r"\w+ \[([^\]]*)\]", tagged)
        self.code = code.group(1) if code else None

    def all(self, pattern):
        return [u for u in self.untagged if re.search(pattern, u)]

    def one(self, pattern):
        found = self.all(pattern)
        assert len(found) == 1, (pattern, self.untagged)
        return re.search(pattern, found[0])

    def number(self, code):
        """The number in an untagged response code."""
        return int(self.one(r"^OK \[%s (\d+)\]" % code).group(1))

    def fetches(self):
        """UID (or message number without one) -> (flags, modseq) of all FETCH."""
        result = {}
        for u in self.all(r"^\d+ FETCH"):
            uid = re.search(r"UID (\d+)", u)
            flags = re.search(r"FLAGS \(([^)]*)\)", u)
            modseq = re.search(r"MODSEQ \((\d+)\)", u)
            key = int(uid.group(1)) if uid else int(u.split()[0])
            result[key] = (
                set(flags.group(1).split()) if flags else None,
                int(modseq.group(1)) if modseq else None,
            )
        return result

    def __repr__(self):
        return "\n".join(["* " + u for u in self.untagged] + [self.tagged])


class Imap:
    def __init__(self, user="fred", password="secret", login=True, port=None, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port or PORT), timeout=60)
        self.file = self.socket.makefile("rb")
        self.tags = 0
        self.greeting = self.line()
        if login:
            self.ok("LOGIN %s %s" % (user, password))

    def raw_line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Closed(line)
        return line[:-2]

    def line(self):
        """A response, with its literals in it."""
        whole = b""
        while True:
            part = self.raw_line()
            whole += part
            literal = re.search(rb"\{(\d+)\}$", part)
            if not literal:
                return whole.decode("latin1")
            size = int(literal.group(1))
            data = self.file.read(size)
            if len(data) < size:
                raise Closed(data)
            whole += b"\r\n" + data

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin1")
        self.socket.sendall(data)

    def start(self, command):
        self.tags += 1
        tag = "t%d" % self.tags
        self.send("%s %s\r\n" % (tag, command))
        return tag

    def finish(self, tag):
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + " "):
                return Answer(untagged, line[len(tag) + 1:])
            assert line.startswith("* "), line
            untagged.append(line[2:])

    def cmd(self, command):
        return self.finish(self.start(command))

    def ok(self, command):
        answer = self.cmd(command)
        assert answer.status == "OK", (command, answer)
        return answer

    def append(self, mailbox, text, flags="", date=""):
        data = text if isinstance(text, bytes) else text.encode()
        tag = self.start("APPEND %s %s%s{%d+}\r\n" % (
            mailbox, "(%s) " % flags if flags else "", '"%s" ' % date if date else "", len(data))
            + data.decode("latin1"))
        answer = self.finish(tag)
        assert answer.status == "OK", answer
        return answer

    def fill(self, mailbox, count):
        for i in range(count):
            self.append(mailbox, message(i + 1))

    def close(self):
        self.file.close()
        self.socket.close()


def message(n):
    return "From: a%d@example.org\r\nSubject: message %d\r\n\r\nThis is text %d.\r\n" % (n, n, n)


def sql(statement):
    """What psql says, one row a line."""
    return subprocess.run(
        ["psql", "-XAtqv", "ON_ERROR_STOP=1", "-c", statement],
        check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def mailbox_id(name):
    return int(sql("SELECT b.id FROM mw_mailbox b JOIN mw_user u ON u.id = user_id"
                   " WHERE u.name = 'fred' AND b.name = '%s'" % name))


counter = 0


def new_mailbox(imap, count=0):
    """The name of a mailbox of the test's own."""
    global counter
    counter += 1
    name = "box%d-%d" % (os.getpid(), counter)
    imap.ok("CREATE " + name)
    imap.fill(name, count)
    return name


def wait_for(condition, seconds=20):
    until = time.time() + seconds
    while not condition():
        assert time.time() < until, "waited in vain"
        time.sleep(0.02)
