"""Clients that follow RFC 7162 section 6 and nothing else end up with what the server has, wherever they lose their
connection. Several change one mailbox at once, through the front end and by SQL."""

import collections
import os
import random
import re
import threading
import time
import unittest

from imap import Closed, Imap, mailbox_id, message, new_mailbox, sql

SECONDS = float(os.environ.get("IMAPD_SECONDS", "20"))
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "$A", "$B"]


def parse_set(text):
    uids = set()
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        uids.update(range(int(lo), int(hi or lo) + 1))
    return uids


class Client:
    """A mail client with a cache that outlives its connections."""

    def __init__(self, box, seed):
        self.box = box
        self.random = random.Random(seed)
        self.uidvalidity = None
        self.modseq = None
        self.next = 1               # all below is in the cache, if it is there
        self.cache = {}             # UID -> flags
        self.imap = None
        self.log = collections.deque(maxlen=400)
        self.commands = 0
        self.resyncs = 0

    def connect(self):
        self.imap = Imap()
        self.imap.ok("ENABLE QRESYNC")
        self.gone = 0
        self.numbers = []           # UID of each message number, None if not known yet
        known = ""
        # all that is in the cache, also what a FETCH that nobody asked for has brought since it has learned
        last = max([self.next - 1, *self.cache])
        if self.uidvalidity and self.random.random() < 0.5 and last > 0:
            known = " 1:%d" % last
        if self.uidvalidity:
            self.resyncs += 1
            self.run("SELECT %s (QRESYNC (%d %d%s))" % (self.box, self.uidvalidity, self.modseq, known))
        else:
            self.run("SELECT " + self.box)
        # which UIDs there are, for the message numbers; of flags and expunges it learns nothing by it
        self.run("UID SEARCH RETURN (ALL) ALL")
        assert self.gone == 0, "EXISTS, SEARCH and VANISHED do not agree"
        self.run("UID FETCH %d:* (FLAGS)" % self.next)
        self.learn()

    def learn(self):
        """Asks for what it was told to be there and does not know: never again for what it has."""
        while None in self.numbers:
            self.run("UID FETCH %d:* (FLAGS)" % self.next)
        self.next = max(self.numbers + [self.next - 1]) + 1

    def run(self, command):
        """A command, with the rules of section 6 for what it brings."""
        self.commands += 1
        self.log.append("C: " + command)
        tag = self.imap.start(command)
        modseqs, told = [], None
        while True:
            line = self.imap.line()
            self.log.append("S: " + line)
            tagged = line.startswith(tag + " ")
            highest = re.search(r"OK \[HIGHESTMODSEQ (\d+)\]", line)
            if highest:
                told = int(highest.group(1))
            if tagged:
                break
            self.untagged(line, modseqs)
        if told is not None:
            self.modseq = told
        elif modseqs:
            self.modseq = max(modseqs + [self.modseq or 0])
        return line

    def untagged(self, line, modseqs):
        found = re.match(r"\* (\d+) EXISTS", line)
        if found:
            self.numbers += [None] * (int(found.group(1)) - len(self.numbers))
            assert len(self.numbers) == int(found.group(1)), "EXISTS must not shrink"
        found = re.match(r"\* ESEARCH .* ALL (\S+)", line)
        if found:
            # without those that are gone, of which the same answer tells; with what came
            self.gone = len(self.numbers)
            self.numbers = sorted(parse_set(found.group(1)))
            self.gone -= len(self.numbers)
        found = re.match(r"\* OK \[UIDVALIDITY (\d+)", line)
        if found:
            self.uidvalidity = int(found.group(1))
        found = re.match(r"\* VANISHED (\(EARLIER\) )?(\S+)", line)
        if found:
            for uid in parse_set(found.group(2)):
                self.cache.pop(uid, None)
                if not found.group(1):
                    if self.gone > 0 and uid not in self.numbers:
                        self.gone -= 1
                    else:
                        self.numbers.pop(self.place(uid))
        assert not re.match(r"\* \d+ EXPUNGE", line), "VANISHED is in its place"
        found = re.match(r"(?s)\* (\d+) FETCH \((.*)\)$", line)
        if found:
            number = int(found.group(1))
            assert 1 <= number <= len(self.numbers), (line, self.numbers)
            uid = re.search(r"UID (\d+)", found.group(2))
            flags = re.search(r"FLAGS \(([^)]*)\)", found.group(2))
            modseq = re.search(r"MODSEQ \((\d+)\)", found.group(2))
            if uid:
                uid = int(uid.group(1))
                assert self.numbers[number - 1] in (None, uid), (line, self.numbers)
                self.numbers[number - 1] = uid
            else:
                uid = self.numbers[number - 1]
            if flags and uid:
                self.cache[uid] = frozenset(flags.group(1).split())
            if modseq:
                modseqs.append(int(modseq.group(1)))

    def place(self, uid):
        """Where a UID is among the numbers, known or not: they rise."""
        if uid in self.numbers:
            return self.numbers.index(uid)
        at = next((i for i, known in enumerate(self.numbers) if known and known > uid), len(self.numbers)) - 1
        assert at >= 0 and self.numbers[at] is None, "vanished and never announced: %d" % uid
        return at

    def do_something(self):
        chance = self.random.random()
        n = len(self.numbers)
        flags = " ".join(self.random.sample(FLAGS, self.random.randrange(1, 3)))
        if n == 0 or chance < 0.12:
            data = message(self.random.randrange(1000))
            self.run("APPEND %s (%s) {%d+}\r\n%s" % (self.box, flags, len(data), data))
        elif chance < 0.45:
            number = self.random.randrange(1, n + 1)
            other = self.random.randrange(1, n + 1)
            sign = self.random.choice(["+", "-", ""])
            if self.random.random() < 0.3 and self.modseq:
                sign = "(UNCHANGEDSINCE %d) %s" % (self.modseq, sign)
            # flags that go without a word are what the client thinks them to be: so never .SILENT here
            if self.random.random() < 0.5:
                self.run("STORE %d,%d %sFLAGS (%s)" % (number, other, sign, flags))
            elif self.numbers[number - 1]:
                self.run("UID STORE %d %sFLAGS (%s)" % (self.numbers[number - 1], sign, flags))
        elif chance < 0.55:
            number = self.random.randrange(1, n + 1)
            if self.numbers[number - 1]:
                uid = self.numbers[number - 1]
                self.run("UID STORE %d +FLAGS (\\Deleted)" % uid)
                self.run(self.random.choice(["EXPUNGE", "UID EXPUNGE %d" % uid]))
        elif chance < 0.65:
            number = self.random.randrange(1, n + 1)
            self.run("FETCH %d (%s)" % (number, self.random.choice(["FLAGS MODSEQ", "UID", "BODY[TEXT]<0.1>"])))
        elif chance < 0.7:
            self.run(self.random.choice(["SEARCH ALL", "UID SEARCH MODSEQ 1", "CHECK"]))
        elif chance < 0.75:
            number = self.random.randrange(1, n + 1)
            self.run(self.random.choice(["COPY", "MOVE"]) + " %d %s" % (number, self.box))
        else:
            self.run("NOOP")
        # now and then it learns nothing more, and at times its connection ends with that
        if self.random.random() < 0.7:
            self.learn()
        elif self.random.random() < 0.25:
            self.drop()

    def drop(self):
        """The connection is lost; sometimes in the middle of a command whose answer is never read."""
        if self.random.random() < 0.3:
            self.imap.start("STORE 1:* +FLAGS (\\Draft)")
        self.imap.close()
        self.imap = None


class Converge(unittest.TestCase):
    def worker(self, client, until):
        try:
            while time.time() < until:
                if client.imap is None:
                    client.connect()
                client.do_something()
        except (AssertionError, Closed, OSError, ValueError, IndexError) as error:
            import traceback
            self.errors.append("%r\n%s" % (error, traceback.format_exc()))

    def writer(self, box, until):
        generator = random.Random(self.seed)
        while time.time() < until:
            sql("SELECT FROM modseq.lock('mw_mail', %d);" % box + generator.choice([
                "UPDATE mw_mail SET flags = '{$Job}' WHERE mailbox_id = %d AND uid %% 7 = %d" % (box, generator.randrange(7)),
                "DELETE FROM mw_mail WHERE mailbox_id = %d AND uid %% 17 = %d" % (box, generator.randrange(17)),
                "INSERT INTO mw_mail (mailbox_id, raw) SELECT %d, 'Subject: job' FROM generate_series(1, %d)"
                % (box, generator.randrange(1, 6)),
                "SELECT modseq.compact('mw_mail', '0 seconds')"]))
            time.sleep(0.1)

    def test_converge(self):
        self.seed = int(os.environ.get("IMAPD_SEED", "0")) or random.randrange(1 << 30)
        self.errors = []
        first = Imap()
        box = new_mailbox(first, 5)
        first.close()
        number = mailbox_id(box)
        clients = [Client(box, self.seed + i) for i in range(5)]
        rounds = 0
        end = time.time() + SECONDS
        while time.time() < end and not self.errors:
            until = min(end, time.time() + 4)
            threads = [threading.Thread(target=self.worker, args=(c, until)) for c in clients]
            threads.append(threading.Thread(target=self.writer, args=(number, until)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(self.errors, [], "seed %d" % self.seed)
            truth = {}
            for line in sql("SELECT uid, array_to_string(flags, ' ') FROM mw_mail WHERE mailbox_id = %d" % number).split("\n"):
                if line:
                    uid, _, flags = line.partition("|")
                    truth[int(uid)] = frozenset(flags.split())
            for i, client in enumerate(clients):
                # either the session goes on, or it begins again from the cache
                if client.imap and client.random.random() < 0.5:
                    client.run("NOOP")
                    client.learn()
                    self.assertEqual(client.numbers, sorted(truth), "seed %d client %d" % (self.seed, i))
                else:
                    if client.imap:
                        client.imap.close()
                    client.imap = None
                    client.connect()
                differs = {uid for uid in set(truth) | set(client.cache) if truth.get(uid) != client.cache.get(uid)}
                self.assertEqual(differs, set(), "seed %d client %d\n%s" % (self.seed, i, "\n".join(client.log)))
            rounds += 1
        self.assertEqual(sql('SELECT * FROM modseq."check"(\'mw_mail\')'), "")
        notes.append("# converge: %d commands, %d resyncs, %d rounds, seed %d" % (
            sum(c.commands for c in clients), sum(c.resyncs for c in clients), rounds, self.seed))
        for client in clients:
            client.imap.close()

    @classmethod
    def tearDownClass(cls):
        print("\n".join(notes))


notes = []

if __name__ == "__main__":
    unittest.main(verbosity=2)
