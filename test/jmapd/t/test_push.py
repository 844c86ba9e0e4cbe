"""EventSource (RFC 8620 section 7.3): changes by JMAP, by IMAP and by SQL are pushed."""

import http.client
import json
import unittest

from jmap import Jmap, imap_name, sql
from imap import Imap       # jmap knows where it is


class Stream:
    def __init__(self, jmap, types="*", closeafter="no", ping="0"):
        self.connection = http.client.HTTPConnection("127.0.0.1", jmap.port, timeout=30)
        self.connection.request("GET", jmap.path("eventSourceUrl", types=types, closeafter=closeafter, ping=ping),
                                headers={"Authorization": jmap.authorization})
        self.response = self.connection.getresponse()
        if self.response.status == 200:
            self.line = self.response.readline()        # a comment: it has begun

    def event(self):
        """Name and data of the next one; None at the end."""
        name = data = None
        while True:
            line = self.response.readline().decode()
            if line == "":
                return None
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif line == "\n" and data is not None:
                return name, data

    def close(self):
        self.connection.close()


class Push(unittest.TestCase):
    def setUp(self):
        self.jmap = Jmap()
        self.box = self.jmap.mailbox()

    def until(self, stream, changed):
        """Events until these are the states: one may come for each transaction before."""
        got = {}
        while got != changed:
            name, data = stream.event()
            self.assertEqual((name, data["@type"], list(data["changed"])), ("state", "StateChange", [self.jmap.account]))
            got.update(data["changed"][self.jmap.account])

    def states(self, *kinds):
        return {kind: self.jmap.state(kind) for kind in kinds}

    def test_all_writers(self):
        stream = Stream(self.jmap)
        self.assertEqual(stream.response.headers["Content-Type"], "text/event-stream")
        email = self.jmap.email(self.box)
        self.until(stream, self.states("Email", "Mailbox", "Thread"))
        self.jmap.call("Email/set", update={email: {"keywords/$flagged": True}})
        self.until(stream, self.states("Email", "Mailbox"))
        imap = Imap()
        imap.append(imap_name(self.box), "Subject: x\r\n\r\n")
        imap.close()
        self.until(stream, self.states("Email", "Mailbox", "Thread"))
        sql("DELETE FROM mw_mail WHERE mailbox_id = " + self.box[1:])
        self.until(stream, self.states("Email", "Mailbox", "Thread"))
        self.jmap.call("Mailbox/set", update={self.box: {"sortOrder": 4}})
        self.until(stream, self.states("Mailbox"))
        self.jmap.call("Mailbox/set", destroy=[self.box])
        self.until(stream, self.states("Mailbox"))
        stream.close()

    def test_types(self):
        stream = Stream(self.jmap, types="Mailbox,Other")
        email = self.jmap.email(self.box)
        self.until(stream, self.states("Mailbox"))
        stream.close()
        # one that hears only of threads hears nothing of a flag; then of the thread
        stream = Stream(self.jmap, types="Thread")
        self.jmap.call("Email/set", update={email: {"keywords/$seen": True}})
        self.jmap.call("Email/set", destroy=[email])
        name, data = stream.event()
        self.assertEqual(data["changed"][self.jmap.account], self.states("Thread"))
        stream.close()

    def test_close_after(self):
        stream = Stream(self.jmap, closeafter="state")
        self.jmap.email(self.box)
        self.assertEqual(stream.event()[0], "state")
        self.assertIsNone(stream.event())
        stream.close()

    def test_ping_and_others(self):
        stream = Stream(self.jmap, types="Email", ping="1")
        # another account's changes are not this one's
        other = Jmap("wilma")
        other.email(other.mailbox())
        self.assertEqual(stream.event(), ("ping", {"interval": 5}))
        stream.close()

    def test_bad_request(self):
        for args in ({"closeafter": "never"}, {"ping": "x"}, {"ping": ""}):
            stream = Stream(self.jmap, **args)
            self.assertEqual(stream.response.status, 400)
            stream.close()
        self.assertEqual(self.jmap.http("GET", "/jmap/events")[0], 400)
        self.assertEqual(self.jmap.http("GET", "/jmap/events?types=*&closeafter=no&ping=0", authorization=False)[0], 401)


if __name__ == "__main__":
    unittest.main(verbosity=2)
