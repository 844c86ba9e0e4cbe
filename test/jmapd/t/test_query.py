"""RFC 8621 sections 4.4 and 4.5: Email/query and Email/queryChanges."""

import unittest

from jmap import Failed, Jmap, sql
from imap import Imap       # jmap knows where it is


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.jmap = Jmap()
        cls.box, cls.other = cls.jmap.mailbox(), cls.jmap.mailbox()
        cls.ids = [cls.jmap.email(cls.box, **record) for record in (
            {"subject": "Re: Beta", "from": [{"name": "Zoe", "email": "z@example.org"}], "to": [{"email": "team@example.org"}],
             "messageId": ["q1@x"], "receivedAt": "2026-01-01T00:00:00Z", "sentAt": "2026-01-09T00:00:00Z",
             "keywords": {"$seen": True, "job": True}, "header:X-Kind:asText": "kind of m\u00fcde",
             "textBody": [{"partId": "1"}], "bodyValues": {"1": {"value": "Needle in the hay_stack 100%"}}},
            {"subject": "alpha", "from": [{"name": "anna", "email": "zz@example.org"}], "cc": [{"name": "Copied", "email": "c@x"}],
             "receivedAt": "2026-01-02T00:00:00Z", "sentAt": "2026-01-08T00:00:00Z", "keywords": {"$flagged": True},
             "htmlBody": [{"partId": "1"}], "bodyValues": {"1": {"value": "<p>Two <b>words</b></p>" + "<!-- hidden -->" * 50}}},
            {"subject": "beta", "from": [{"email": "m@example.org"}], "bcc": [{"email": "secret@example.org"}], "inReplyTo": ["q1@x"],
             "receivedAt": "2026-01-03T00:00:00Z", "sentAt": "2026-01-07T00:00:00Z",
             "attachments": [{"blobId": cls.jmap.upload(b"x" * 5000)["blobId"], "type": "a/b"}]})]
        cls.jmap.call("Email/set", update={cls.ids[1]: {"mailboxIds/" + cls.other: True}})

    def query(self, filter=None, **args):
        """The places of what is found, of those in the mailbox."""
        filter = {"operator": "AND", "conditions": [{"inMailbox": self.box}] + ([filter] if filter else [])}
        args.setdefault("sort", [{"property": "receivedAt"}])
        result = self.jmap.call("Email/query", filter=filter, **args)
        return [self.ids.index(id) for id in result["ids"]]

    def test_filters(self):
        for filter, found in (
                ({}, [0, 1, 2]), ({"inMailbox": self.other}, [1]), ({"inMailboxOtherThan": [self.box]}, [1]),
                ({"inMailboxOtherThan": [self.box, self.other]}, []), ({"inMailbox": "M999999"}, []), ({"inMailbox": "x"}, []),
                ({"before": "2026-01-02T00:00:00Z"}, [0]), ({"after": "2026-01-02T00:00:00Z"}, [1, 2]),
                ({"minSize": 5000}, [2]), ({"maxSize": 5000}, [0, 1]),
                ({"hasKeyword": "$seen"}, [0]), ({"hasKeyword": "JOB"}, [0]), ({"notKeyword": "$seen"}, [1, 2]),
                ({"allInThreadHaveKeyword": "$seen"}, []), ({"someInThreadHaveKeyword": "$seen"}, [0, 2]),
                ({"noneInThreadHaveKeyword": "$seen"}, [1]), ({"allInThreadHaveKeyword": "$flagged"}, [1]),
                ({"hasAttachment": True}, [2]), ({"hasAttachment": False}, [0, 1]),
                ({"from": "zoe"}, [0]), ({"from": "example.org"}, [0, 1, 2]), ({"to": "TEAM@"}, [0]), ({"cc": "copied"}, [1]),
                ({"bcc": "secret"}, [2]), ({"subject": "beta"}, [0, 2]), ({"subject": "be ta"}, [0, 2]), ({"subject": '"re: be"'}, [0]),
                ({"body": "needle"}, [0]), ({"body": "hay_stack"}, [0]), ({"body": "hay.stack"}, []), ({"body": "100%"}, [0]),
                ({"body": "two words"}, [1]), ({"body": "hidden"}, []),
                ({"text": "needle"}, [0]), ({"text": "secret"}, [2]), ({"text": "copied"}, [1]), ({"text": "zoe needle"}, [0]),
                ({"header": ["x-kind"]}, [0]), ({"header": ["X-Kind", "M\u00fcde"]}, [0]), ({"header": ["X-Kind", "other"]}, []),
                ({"header": ["Subject", "alpha"]}, [1]),
                ({"subject": "beta", "hasAttachment": True}, [2]),
                ({"operator": "OR", "conditions": [{"from": "zoe"}, {"cc": "copied"}]}, [0, 1]),
                ({"operator": "NOT", "conditions": [{"from": "zoe"}, {"cc": "copied"}]}, [2]),
                ({"operator": "NOT", "conditions": [{"operator": "AND", "conditions": [{"from": "zoe"}, {"cc": "copied"}]}]}, [0, 1, 2]),
                ({"operator": "OR", "conditions": []}, []), ({"operator": "AND", "conditions": []}, [0, 1, 2])):
            with self.subTest(filter):
                self.assertEqual(self.query(filter), found)

    def test_sort(self):
        for comparators, found in (
                ([], [2, 1, 0]), ([("receivedAt", True)], [0, 1, 2]), ([("receivedAt", False)], [2, 1, 0]),
                ([("sentAt", True)], [2, 1, 0]), ([("size", False)], [2, 1, 0]), ([("from", True)], [1, 2, 0]),
                ([("subject", True), ("receivedAt", True)], [1, 0, 2]), ([("subject", False), ("receivedAt", False)], [2, 0, 1]),
                ([("to", False), ("receivedAt", True)], [0, 1, 2]),
                ([("hasKeyword", False, "$flagged"), ("receivedAt", True)], [1, 0, 2]),
                ([("someInThreadHaveKeyword", True, "job"), ("receivedAt", True)], [1, 0, 2]),
                ([("allInThreadHaveKeyword", True, "$flagged"), ("receivedAt", True)], [0, 2, 1])):
            with self.subTest(comparators):
                sort = [dict({"property": c[0], "isAscending": c[1]}, **({"keyword": c[2]} if len(c) > 2 else {})) for c in comparators]
                self.assertEqual(self.query(sort=sort), found)
        self.assertEqual(self.query(sort=[{"property": "from", "collation": "i;octet"}]), [0, 1, 2])

    def test_pages(self):
        def page(**args):
            result = self.jmap.call("Email/query", filter={"inMailbox": self.box}, sort=[{"property": "receivedAt"}], **args)
            return [self.ids.index(id) for id in result["ids"]], result["position"]
        for args, found, position in (
                ({"position": 1}, [1, 2], 1), ({"position": -1}, [2], 2), ({"position": -9}, [0, 1, 2], 0), ({"position": 9}, [], 9),
                ({"limit": 2}, [0, 1], 0), ({"limit": 0}, [], 0), ({"anchor": self.ids[1]}, [1, 2], 1),
                ({"anchor": self.ids[1], "anchorOffset": -1, "position": 7}, [0, 1, 2], 0),
                ({"anchor": self.ids[1], "anchorOffset": -9}, [0, 1, 2], 0), ({"anchor": self.ids[1], "anchorOffset": 1, "limit": 5}, [2], 2)):
            with self.subTest(args):
                self.assertEqual(page(**args), (found, position))
        result = self.jmap.call("Email/query", filter={"inMailbox": self.box}, limit=1, calculateTotal=True)
        self.assertEqual(result["total"], 3)
        with self.assertRaises(Failed) as failed:
            page(anchor="E999999")
        self.assertEqual(failed.exception.type, "anchorNotFound")
        # of each thread the first in the order
        self.assertEqual(self.query(collapseThreads=True), [0, 1])
        self.assertEqual(self.query(collapseThreads=True, sort=[{"property": "receivedAt", "isAscending": False}]), [2, 1])

    def test_refused(self):
        for args, type in (({"filter": {"nothing": 1}}, "unsupportedFilter"), ({"filter": {"before": "x"}}, "invalidArguments"),
                           ({"filter": {"header": []}}, "invalidArguments"), ({"filter": {"hasKeyword": "a b"}}, "invalidArguments"),
                           ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
                           ({"filter": {"operator": "AND"}}, "invalidArguments"),
                           ({"filter": {"operator": "AND", "conditions": [1]}}, "invalidArguments"),
                           ({"sort": [{"property": "preview"}]}, "unsupportedSort"), ({"sort": [{"property": "hasKeyword"}]}, "invalidArguments"),
                           ({"sort": [{"isAscending": True}]}, "invalidArguments"), ({"sort": ["x"]}, "invalidArguments"),
                           ({"sort": [{"property": "subject", "collation": "i;x"}]}, "unsupportedSort")):
            with self.subTest(args):
                with self.assertRaises(Failed) as failed:
                    self.jmap.call("Email/query", **args)
                self.assertEqual(failed.exception.type, type)
        deep = {"hasKeyword": "x"}
        for _ in range(100):
            deep = {"operator": "NOT", "conditions": [deep]}
        with self.assertRaises(Failed):
            self.jmap.call("Email/query", filter=deep)

    def test_query_changes(self):
        """A client that keeps the list by the changes alone always has the server's."""
        box = self.jmap.mailbox()
        query = {"filter": {"inMailbox": box, "notKeyword": "hide"}, "sort": [{"property": "subject"}]}
        emails = [self.jmap.email(box, subject) for subject in "gcae"]
        result = self.jmap.call("Email/query", **query)
        self.assertTrue(result["canCalculateChanges"])
        known, state = result["ids"], result["queryState"]
        for step in (lambda: emails.append(self.jmap.email(box, "b")),
                     lambda: self.jmap.call("Email/set", update={emails[1]: {"keywords/hide": True}}),
                     lambda: self.jmap.call("Email/set", update={emails[1]: {"keywords/hide": None}}, destroy=[emails[0]]),
                     lambda: self.jmap.call("Email/set", update={emails[2]: {"mailboxIds": {self.other: True}}}),
                     lambda: self.jmap.email(self.other, "elsewhere"), lambda: None):
            step()
            changes = self.jmap.call("Email/queryChanges", sinceQueryState=state, calculateTotal=True, **query)
            known = [id for id in known if id not in changes["removed"]]
            for item in changes["added"]:
                known.insert(item["index"], item["id"])
            state = changes["newQueryState"]
            result = self.jmap.call("Email/query", **query)
            self.assertEqual((known, changes["total"], state), (result["ids"], len(result["ids"]), result["queryState"]))
        with self.assertRaises(Failed) as failed:
            self.jmap.call("Email/queryChanges", sinceQueryState=self.first_state(), maxChanges=1, **query)
        self.assertEqual(failed.exception.type, "tooManyChanges")
        for args in ({"sinceQueryState": "x"}, {"sinceQueryState": state, "collapseThreads": True},
                     {"sinceQueryState": state, "filter": {"someInThreadHaveKeyword": "x"}}):
            with self.assertRaises(Failed) as failed:
                self.jmap.call("Email/queryChanges", **args)
            self.assertEqual(failed.exception.type, "cannotCalculateChanges")
        self.assertFalse(self.jmap.call("Email/query", collapseThreads=True)["canCalculateChanges"])

    first = None

    def first_state(self):
        """One of before two Emails were changed."""
        state = self.jmap.state("Email")
        self.jmap.call("Email/set", update={id: {"keywords/x%d" % i: True} for i, id in enumerate(self.ids[:2])})
        return state

    def test_arrives_by_imap(self):
        """What another program brings is found by its text at once."""
        imap = Imap()
        name = sql("SELECT name FROM mw_mailbox WHERE id = " + self.other[1:])
        imap.append(name, "From: x@example.org\r\nSubject: by IMAP\r\n\r\nunheard words\r\n", "\\Seen $Odd")
        imap.close()
        id, = self.jmap.call("Email/query", filter={"body": "unheard", "inMailbox": self.other})["ids"]
        self.assertEqual(self.jmap.one("Email", id)["keywords"], {"$seen": True, "$odd": True})


if __name__ == "__main__":
    unittest.main(verbosity=2)
