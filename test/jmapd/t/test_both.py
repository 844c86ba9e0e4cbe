"""One mailbox, seen by JMAP and by IMAP."""

import subprocess
import threading
import unittest

from jmap import Failed, Jmap, imap_name, sql
from imap import Imap, message, wait_for       # jmap knows where it is


class Both(unittest.TestCase):
    def setUp(self):
        self.jmap, self.imap = Jmap(), Imap()
        self.imap.ok("ENABLE QRESYNC")
        self.box, self.other = self.jmap.mailbox(), self.jmap.mailbox()
        self.name, self.other_name = imap_name(self.box), imap_name(self.other)

    def tearDown(self):
        self.imap.close()
        self.assertEqual(sql("SELECT * FROM modseq.\"check\"('mw_mail')"), "")

    def emails(self, box=None):
        return self.jmap.call("Email/query", filter={"inMailbox": box or self.box}, sort=[{"property": "subject"}])["ids"]

    def changes(self, kind, since):
        changes = self.jmap.changes(kind, since)
        return changes["created"], changes["updated"], changes["destroyed"]

    def test_arrival_flags_and_departure(self):
        state = self.jmap.state("Email")
        self.imap.fill(self.name, 3)
        emails = self.emails()
        created, updated, destroyed = self.changes("Email", state)
        self.assertEqual((set(created), updated, destroyed), (set(emails), [], []))
        self.imap.ok("SELECT " + self.name)
        state = self.jmap.state("Email")
        self.imap.ok("STORE 2 +FLAGS (\\Flagged $Work)")
        self.assertEqual(self.changes("Email", state), ([], [emails[1]], []))
        self.assertEqual(self.jmap.one("Email", emails[1])["keywords"], {"$flagged": True, "$work": True})
        # the other way round: with the spelling that IMAP knows
        self.jmap.call("Email/set", update={emails[0]: {"keywords/$work": True, "keywords/$answered": True}})
        fetch, = self.imap.ok("NOOP").all("FETCH")
        self.assertRegex(fetch, r"1 FETCH \(UID 1 FLAGS \((\\Answered \$Work|\$Work \\Answered)\) MODSEQ")
        state = self.jmap.state("Email")
        self.jmap.call("Email/set", destroy=[emails[2]])
        self.assertEqual(self.imap.ok("NOOP").all("VANISHED"), ["VANISHED 3"])
        self.assertEqual(self.changes("Email", state), ([], [], [emails[2]]))

    def test_move(self):
        """A move by either keeps the Email, and gives the message a new UID."""
        self.imap.fill(self.name, 2)
        self.imap.append(self.other_name, message(9))
        emails = self.emails()
        self.imap.ok("SELECT " + self.name)
        threads = self.jmap.state("Thread")
        state = self.jmap.state("Email")
        self.jmap.call("Email/set", update={emails[0]: {"mailboxIds": {self.other: True}}})
        self.assertEqual(self.changes("Email", state), ([], [emails[0]], []))
        self.assertEqual(self.imap.ok("NOOP").all("VANISHED|EXPUNGE"), ["VANISHED 1"])
        self.imap.ok("SELECT " + self.other_name)
        self.assertIn("Subject: message 1", self.imap.ok("UID FETCH 2 (BODY.PEEK[HEADER])").untagged[0])
        state = self.jmap.state("Email")
        self.imap.ok("UID MOVE 2 " + self.name)
        self.assertEqual(self.changes("Email", state), ([], [emails[0]], []))
        self.assertEqual(self.jmap.one("Email", emails[0])["mailboxIds"], {self.box: True})
        self.assertEqual(self.jmap.state("Thread"), threads)

    def test_copy(self):
        """A COPY is another Email, in the same thread."""
        self.imap.fill(self.name, 1)
        email, = self.emails()
        state = self.jmap.state("Email")
        self.imap.ok("SELECT " + self.name)
        self.imap.ok("COPY 1 " + self.other_name)
        copy, = self.emails(self.other)
        self.assertEqual(self.changes("Email", state), ([copy], [], []))
        records = self.jmap.get("Email", [email, copy], properties=["blobId", "threadId"])
        self.assertEqual(*[{k: v for k, v in record.items() if k != "id"} for record in records.values()])

    def test_flags_in_all_mailboxes(self):
        """An Email has its keywords everywhere."""
        email = self.jmap.email(self.box)
        self.jmap.call("Email/set", update={email: {"mailboxIds/" + self.other: True}})
        self.imap.ok("SELECT " + self.name)
        second = Imap()
        second.ok("SELECT " + self.other_name)
        state = self.jmap.state("Email")
        self.imap.ok("STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(second.ok("NOOP").untagged, ["1 FETCH (FLAGS (\\Seen))"])
        self.assertEqual(self.changes("Email", state), ([], [email], []))
        # one of two is expunged: the Email is not gone
        state = self.jmap.state("Email")
        second.ok("STORE 1 +FLAGS (\\Deleted)")
        second.ok("EXPUNGE")
        second.close()
        self.assertEqual(self.changes("Email", state), ([], [email], []))
        self.assertEqual(self.jmap.one("Email", email)["mailboxIds"], {self.box: True})
        self.assertEqual(self.imap.ok("FETCH 1 FLAGS").fetches()[1][0], {"\\Seen"})

    def test_deleted_is_not_seen(self):
        """RFC 8621 section 4.1.1: marked \\Deleted, it is not there; nor for its thread and its mailbox."""
        self.imap.fill(self.name, 2)
        email, other = self.emails()
        thread = self.jmap.one("Email", email)["threadId"]
        states = {kind: self.jmap.state(kind) for kind in ("Email", "Thread", "Mailbox")}
        self.imap.ok("SELECT " + self.name)
        self.imap.ok("STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(self.emails(), [other])
        self.assertEqual(self.changes("Email", states["Email"]), ([], [], [email]))
        self.assertEqual(self.changes("Thread", states["Thread"]), ([], [], [thread]))
        self.assertEqual(self.changes("Mailbox", states["Mailbox"]), ([], [self.box], []))
        self.assertEqual(self.jmap.one("Mailbox", self.box)["totalEmails"], 1)
        self.assertEqual(self.jmap.call("Email/get", ids=[email])["notFound"], [email])
        states = {kind: self.jmap.state(kind) for kind in states}
        self.imap.ok("STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(self.changes("Email", states["Email"]), ([], [], []))
        self.imap.ok("STORE 1 -FLAGS (\\Deleted)")
        self.assertEqual(self.changes("Email", states["Email"]), ([email], [], []))
        self.assertEqual(self.changes("Thread", states["Thread"]), ([thread], [], []))
        self.assertEqual(self.emails(), [email, other])
        # a mailbox that has nothing else can be destroyed
        self.imap.ok("STORE 1:2 +FLAGS (\\Deleted)")
        self.imap.ok("UNSELECT")
        self.assertEqual(self.jmap.call("Mailbox/set", destroy=[self.box])["destroyed"], [self.box])

    def test_walk_from_every_state(self):
        """Whatever either protocol does, a client that walks from any state it had, by pages of any size, has it all."""
        def all_emails():
            return {id: record for box in (self.box, self.other) for id, record in
                    self.jmap.get("Email", self.emails(box), properties=["mailboxIds", "keywords"]).items()}
        self.imap.ok("SELECT " + self.name)
        known = [(self.jmap.state("Email"), all_emails())]
        for step in (lambda: self.imap.fill(self.name, 3), lambda: self.imap.ok("STORE 1:2 +FLAGS (\\Seen)"),
                     lambda: self.jmap.email(self.other, "made"), lambda: self.imap.ok("COPY 2 " + self.other_name),
                     lambda: self.jmap.call("Email/set", update={self.emails()[0]: {"mailboxIds/" + self.other: True}}),
                     lambda: self.imap.ok("STORE 3 +FLAGS (\\Deleted)"), lambda: self.imap.ok("MOVE 1 " + self.other_name),
                     lambda: self.imap.ok("EXPUNGE"), lambda: self.jmap.call("Email/set", destroy=self.emails(self.other)[:1]),
                     lambda: self.imap.fill(self.name, 1)):
            step()
            known.append((self.jmap.state("Email"), all_emails()))
        for state, old in known:
            for size in (None, 1, 2, 3):
                replica, since, more = dict(old), state, True
                while more:
                    changes = self.jmap.changes("Email", since, maxChanges=size)
                    for id in changes["destroyed"]:
                        replica.pop(id, None)
                    replica.update(self.jmap.get("Email", changes["created"] + changes["updated"],
                                                 properties=["mailboxIds", "keywords"]))
                    self.assertFalse(set(changes["updated"]) - set(replica))
                    since, more = changes["newState"], changes["hasMoreChanges"]
                self.assertEqual(replica, known[-1][1])
                self.assertEqual(since, known[-1][0])

    def test_one_of_two_wins(self):
        """Two that have the same ifInState wait for a third: one of them finds another state."""
        emails = [self.jmap.email(self.box) for _ in range(2)]
        state = self.jmap.state("Email")
        psql = subprocess.Popen(["psql", "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        psql.stdin.write("BEGIN; SELECT 'locked' FROM modseq.account_lock('mw_mail', %s::bigint);\n" % self.jmap.account[1:])
        psql.stdin.flush()
        self.assertEqual(psql.stdout.readline(), "locked\n")
        results = []

        def store(email):
            try:
                results.append(Jmap().call("Email/set", ifInState=state, update={email: {"keywords/won": True}}))
            except Failed as failed:
                results.append(failed.type)
        threads = [threading.Thread(target=store, args=(email,)) for email in emails]
        for thread in threads:
            thread.start()
        wait_for(lambda: sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jmapd'"
                             " AND wait_event_type = 'Lock'") == "2")
        # a reader waits for nobody
        self.assertEqual(self.jmap.state("Email"), state)
        psql.communicate("COMMIT;\n")
        for thread in threads:
            thread.join()
        won, = [result for result in results if result != "stateMismatch"]
        self.assertEqual((len(results), won["oldState"], won["newState"]), (2, state, self.jmap.state("Email")))
        self.assertEqual([len(self.jmap.one("Email", email)["keywords"]) for email in emails].count(1), 1)

    def test_states_expire(self):
        old = self.jmap.state("Email")
        box = self.jmap.state("Mailbox")
        self.jmap.call("Email/set", destroy=[self.jmap.email(self.box)])
        sql("SELECT modseq.compact('mw_mail', '1 day', changes_older_than => '0 seconds')")
        for kind, state in (("Email", old), ("Mailbox", box)):
            with self.assertRaises(Failed) as failed:
                self.jmap.changes(kind, state)
            self.assertEqual(failed.exception.type, "cannotCalculateChanges")
        self.assertEqual(self.changes("Email", self.jmap.state("Email")), ([], [], []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
