"""RFC 8621 section 2: Mailboxes."""

import unittest

from jmap import Failed, Jmap, imap_name, sql
from imap import Imap       # jmap knows where it is

COUNTS = ["totalEmails", "unreadEmails", "totalThreads", "unreadThreads"]


class Mailboxes(unittest.TestCase):
    def setUp(self):
        self.jmap = Jmap()

    def refused(self, verb, record, type, properties=None, id="new"):
        args = {verb: [id] if verb == "destroy" else {id: record}}
        result = self.jmap.call("Mailbox/set", **args)
        error = result[{"create": "notCreated", "update": "notUpdated", "destroy": "notDestroyed"}[verb]][id]
        self.assertEqual(error["type"], type)
        self.assertEqual(error.get("properties"), properties)
        self.assertEqual(result["oldState"], result["newState"])
        return error

    def test_get(self):
        boxes = self.jmap.get("Mailbox", None)
        roles = {box["role"]: box for box in boxes.values()}
        self.assertEqual(set(roles) - {None}, {"inbox", "archive", "drafts", "junk", "sent", "trash"})
        inbox = roles["inbox"]
        self.assertEqual(set(inbox), {"id", "name", "parentId", "role", "sortOrder", "myRights", "isSubscribed"} | set(COUNTS))
        self.assertEqual((inbox["name"], inbox["parentId"], inbox["isSubscribed"]), ("INBOX", None, True))
        self.assertFalse(inbox["myRights"]["mayDelete"])
        self.assertEqual(self.jmap.one("Mailbox", inbox["id"], properties=["role"]), {"id": inbox["id"], "role": "inbox"})
        result = self.jmap.call("Mailbox/get", ids=[inbox["id"], "M999999", "x", "M01", inbox["id"]])
        self.assertEqual((len(result["list"]), set(result["notFound"])), (1, {"M999999", "x", "M01"}))

    def test_counts(self):
        box, other = self.jmap.mailbox(), self.jmap.mailbox()
        first = self.jmap.email(box, "counted", messageId=["count-1@example.org"])
        self.jmap.email(box, "Re: counted", inReplyTo=["count-1@example.org"], keywords={"$seen": True})
        self.jmap.email(box, "draft", keywords={"$draft": True})
        self.jmap.call("Email/set", update={first: {"mailboxIds/" + other: True}})
        self.assertEqual([self.jmap.one("Mailbox", box)[name] for name in COUNTS], [3, 1, 2, 1])
        self.assertEqual([self.jmap.one("Mailbox", other)[name] for name in COUNTS], [1, 1, 1, 1])
        self.jmap.call("Email/set", update={first: {"keywords/$seen": True}})
        self.assertEqual([self.jmap.one("Mailbox", box)[name] for name in COUNTS], [3, 0, 2, 0])

    def test_names(self):
        """In IMAP they are paths in modified UTF-7."""
        top = self.jmap.mailbox(name="Entw\u00fcrfe & mehr")
        below = self.jmap.mailbox(name="\u53f0\u5317 100% *", parentId=top)
        self.assertEqual(imap_name(below), "Entw&APw-rfe &- mehr/&U,BTFw- 100% *")
        record = self.jmap.one("Mailbox", below)
        self.assertEqual((record["name"], record["parentId"]), ("\u53f0\u5317 100% *", top))
        self.jmap.call("Mailbox/set", update={top: {"name": "plain"}})
        self.assertEqual(imap_name(below), "plain/&U,BTFw- 100% *")
        self.assertEqual(self.jmap.one("Mailbox", below)["name"], "\u53f0\u5317 100% *")
        # what IMAP makes has a name here
        imap = Imap()
        imap.ok("CREATE plain/sub/deep")
        names = {box["name"]: box for box in self.jmap.get("Mailbox", None).values()}
        self.assertEqual(names["deep"]["parentId"], names["sub"]["id"])
        self.assertEqual(names["sub"]["parentId"], top)
        imap.close()
        self.jmap.call("Mailbox/set", destroy=[top, below, names["sub"]["id"], names["deep"]["id"]])
        self.assertEqual(self.jmap.get("Mailbox", [top]), {})

    def test_create(self):
        result = self.jmap.call("Mailbox/set", create={"a": {"name": "created"}, "b": {
            "name": "created too", "parentId": "#a", "sortOrder": 7, "isSubscribed": True, "role": "important"}})
        a, b = result["created"]["a"], result["created"]["b"]
        self.assertEqual((a["sortOrder"], a["parentId"], a["role"], a["isSubscribed"], a["totalEmails"]), (0, None, None, False, 0))
        record = self.jmap.one("Mailbox", b["id"])
        self.assertEqual((record["parentId"], record["sortOrder"], record["isSubscribed"], record["role"]),
                         (a["id"], 7, True, "important"))
        self.assertNotEqual(result["oldState"], result["newState"])
        self.assertEqual(result["newState"], self.jmap.state("Mailbox"))
        self.assertEqual(self.refused("create", {"name": "created"}, "alreadyExists")["existingId"], a["id"])
        self.refused("create", {"name": "x", "role": "important"}, "invalidProperties", ["role"])
        self.jmap.call("Mailbox/set", destroy=[a["id"], b["id"]])
        for record, properties in (({}, ["name"]), ({"name": ""}, ["name"]), ({"name": "a/b"}, ["name"]),
                                   ({"name": "a\nb"}, ["name"]), ({"name": "x" * 300}, ["name"]), ({"name": 1}, ["name"]),
                                   ({"name": "x", "parentId": "M999999"}, ["parentId"]),
                                   ({"name": "x", "parentId": "#nobody"}, ["parentId"]),
                                   ({"name": "x", "role": "inbox"}, ["role"]), ({"name": "x", "role": "king"}, ["role"]),
                                   ({"name": "x", "sortOrder": -1}, ["sortOrder"]),
                                   ({"name": "x", "sortOrder": 2**31}, ["sortOrder"]),
                                   ({"name": "x", "isSubscribed": 1}, ["isSubscribed"]),
                                   ({"name": "x", "id": "M1"}, ["id"]), ({"name": "x", "totalEmails": 3}, ["totalEmails"]),
                                   ({"name": "x", "myRights": {"mayDelete": False}}, ["myRights/mayDelete"]),
                                   ({"name": "x", "nothing": 1}, ["nothing"])):
            with self.subTest(record):
                self.refused("create", record, "invalidProperties", properties)
        # INBOX there is one
        self.refused("create", {"name": "inbox"}, "alreadyExists")

    def test_update(self):
        a, b, c = self.jmap.mailbox(), self.jmap.mailbox(), self.jmap.mailbox()
        self.jmap.call("Mailbox/set", update={b: {"parentId": a}, c: {"parentId": b}})
        self.jmap.call("Mailbox/set", update={a: {"sortOrder": 5, "isSubscribed": True, "role": "flagged", "name": "named"}})
        record = self.jmap.one("Mailbox", a)
        self.assertEqual((record["sortOrder"], record["isSubscribed"], record["role"], record["name"]),
                         (5, True, "flagged", "named"))
        self.assertTrue(imap_name(c).startswith("named/"))
        # what the server sets may be there if it is right
        self.jmap.call("Mailbox/set", update={a: dict(record, name="renamed")})
        self.assertEqual(self.jmap.one("Mailbox", a)["name"], "renamed")
        self.assertTrue(self.jmap.one("Mailbox", a)["isSubscribed"])
        self.jmap.call("Mailbox/set", update={a: {"role": None, "isSubscribed": False}})
        record = self.jmap.one("Mailbox", a)
        self.assertEqual((record["role"], record["isSubscribed"]), (None, False))
        inbox = self.jmap.call("Mailbox/query", filter={"role": "inbox"})["ids"][0]
        for id, record, type, properties in (
                (a, {"parentId": c}, "invalidProperties", ["parentId"]), (a, {"parentId": a}, "invalidProperties", ["parentId"]),
                (a, {"parentId": "M999999"}, "invalidProperties", ["parentId"]), (a, {"role": "trash"}, "invalidProperties", ["role"]),
                (a, {"totalEmails": 9, "id": "M1"}, "invalidProperties", ["totalEmails", "id"]),
                (a, {"nothing/below": 1}, "invalidProperties", ["nothing/below"]), (a, {"name": None}, "invalidProperties", ["name"]),
                (inbox, {"name": "other"}, "forbidden", None), (inbox, {"role": None}, "invalidProperties", ["role"]),
                (inbox, {"parentId": a}, "forbidden", None), ("M999999", {}, "notFound", None), (a, [], "invalidPatch", None),
                (a, {"name": "INBOX"}, "alreadyExists", None)):
            with self.subTest(record):
                self.refused("update", record, type, properties, id)
        self.jmap.call("Mailbox/set", update={inbox: {"sortOrder": 1}})
        self.jmap.call("Mailbox/set", destroy=[a, b, c])

    def test_destroy(self):
        a, b = self.jmap.mailbox(), self.jmap.mailbox()
        self.jmap.call("Mailbox/set", update={b: {"parentId": a}})
        email, shared = self.jmap.email(b), self.jmap.email(b)
        other = self.jmap.mailbox()
        self.jmap.call("Email/set", update={shared: {"mailboxIds/" + other: True}})
        self.refused("destroy", None, "mailboxHasChild", id=a)
        self.refused("destroy", None, "mailboxHasEmail", id=b)
        self.refused("destroy", None, "notFound", id="M999999")
        inbox = self.jmap.call("Mailbox/query", filter={"role": "inbox"})["ids"][0]
        self.refused("destroy", None, "forbidden", id=inbox)
        result = self.jmap.call("Mailbox/set", destroy=[a], onDestroyRemoveEmails=True)
        self.assertEqual(result["notDestroyed"], {a: {"type": "mailboxHasChild"}})
        state = self.jmap.state("Email")
        result = self.jmap.call("Mailbox/set", destroy=[a, b], onDestroyRemoveEmails=True)
        self.assertEqual(set(result["destroyed"]), {a, b})
        changes = self.jmap.changes("Email", state)
        self.assertEqual((changes["created"], changes["updated"], changes["destroyed"]), ([], [shared], [email]))
        self.assertEqual(self.jmap.one("Email", shared)["mailboxIds"], {other: True})

    def test_if_in_state(self):
        state = self.jmap.state("Mailbox")
        box = self.jmap.mailbox()
        with self.assertRaises(Failed) as failed:
            self.jmap.call("Mailbox/set", ifInState=state, update={box: {"sortOrder": 3}})
        self.assertEqual(failed.exception.type, "stateMismatch")
        self.assertEqual(self.jmap.one("Mailbox", box)["sortOrder"], 0)
        result = self.jmap.call("Mailbox/set", ifInState=self.jmap.state("Mailbox"), update={box: {"sortOrder": 3}})
        self.assertEqual(result["updated"], {box: None})

    def test_changes(self):
        state = self.jmap.state("Mailbox")
        self.assertEqual(self.jmap.changes("Mailbox", state)["newState"], state)
        box = self.jmap.mailbox()
        changes = self.jmap.changes("Mailbox", state)
        self.assertEqual((changes["created"], changes["updated"], changes["destroyed"]), ([box], [], []))
        self.assertIsNone(changes["updatedProperties"])
        second = changes["newState"]
        self.jmap.email(box)
        changes = self.jmap.changes("Mailbox", second)
        self.assertEqual((changes["updated"], set(changes["updatedProperties"])), ([box], set(COUNTS)))
        self.jmap.call("Mailbox/set", update={box: {"name": "told"}})
        changes = self.jmap.changes("Mailbox", second)
        self.assertEqual((changes["updated"], changes["updatedProperties"]), ([box], None))
        third = changes["newState"]
        self.jmap.call("Mailbox/set", update={box: {"isSubscribed": True}})
        self.assertEqual(self.jmap.changes("Mailbox", third)["updated"], [box])
        self.jmap.call("Mailbox/set", destroy=[box], onDestroyRemoveEmails=True)
        self.assertEqual(self.jmap.changes("Mailbox", third)["destroyed"], [box])
        changes = self.jmap.changes("Mailbox", state)
        self.assertEqual((changes["created"], changes["updated"], changes["destroyed"]), ([], [], []))
        for bad in ("", "x", state + "x", "\u00e9"):
            with self.assertRaises(Failed) as failed:
                self.jmap.changes("Mailbox", bad)
            self.assertEqual(failed.exception.type, "cannotCalculateChanges")

    def test_query(self):
        top = self.jmap.mailbox(name="query", sortOrder=9)
        b = self.jmap.mailbox(name="b", parentId=top, sortOrder=1)
        a = self.jmap.mailbox(name="A", parentId=top, sortOrder=2, isSubscribed=True)
        c = self.jmap.mailbox(name="c", parentId=a, sortOrder=0)
        name = [{"property": "name"}]

        def query(filter=None, **args):
            return self.jmap.call("Mailbox/query", filter=filter, **args)["ids"]
        self.assertEqual(query({"parentId": top}, sort=name), [a, b])
        self.assertEqual(query({"parentId": top}, sort=[{"property": "name", "isAscending": False}]), [b, a])
        self.assertEqual(query({"parentId": top}, sort=[{"property": "sortOrder"}]), [b, a])
        self.assertEqual(query({"parentId": top, "isSubscribed": True}), [a])
        self.assertEqual(query({"name": "QUER"}), [top])
        self.assertNotIn(a, query({"parentId": None}))
        self.assertEqual(set(query({"hasAnyRole": True})),
                         {id for id, box in self.jmap.get("Mailbox", None).items() if box["role"]})
        self.assertEqual(query({"operator": "AND", "conditions": [{"parentId": top}, {"operator": "NOT", "conditions": [
            {"name": "b"}, {"name": "zzz"}]}]}), [a])
        self.assertEqual(set(query({"operator": "OR", "conditions": [{"name": "query"}, {"parentId": a}]})), {top, c})
        tree = query({"operator": "NOT", "conditions": [{"hasAnyRole": True}]}, sort=name, sortAsTree=True)
        at = tree.index(top)
        self.assertEqual(tree[at:at + 4], [top, a, c, b])
        self.assertEqual(query({"operator": "OR", "conditions": [{"parentId": a}, {"name": "query"}]}, filterAsTree=True), [top])
        result = self.jmap.call("Mailbox/query", sort=name, calculateTotal=True, position=-1)
        self.assertEqual((len(result["ids"]), result["position"]), (1, result["total"] - 1))
        self.assertEqual(query(sort=name, anchor=b, anchorOffset=-1, limit=3)[1], b)
        for args, type in (({"filter": {"nothing": 1}}, "unsupportedFilter"), ({"filter": {"name": 1}}, "invalidArguments"),
                           ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
                           ({"sort": [{"property": "role"}]}, "unsupportedSort"), ({"sort": [{}]}, "invalidArguments"),
                           ({"sort": [{"property": "name", "collation": "i;x"}]}, "unsupportedSort"),
                           ({"anchor": "M999999"}, "anchorNotFound")):
            with self.subTest(args):
                with self.assertRaises(Failed) as failed:
                    self.jmap.call("Mailbox/query", **args)
                self.assertEqual(failed.exception.type, type)
        state = self.jmap.call("Mailbox/query", filter={"parentId": top}, sort=name)["queryState"]
        self.jmap.call("Mailbox/set", update={b: {"name": "0"}})
        changes = self.jmap.call("Mailbox/queryChanges", filter={"parentId": top}, sort=name, sinceQueryState=state)
        self.assertEqual((changes["removed"], changes["added"]), ([b], [{"id": b, "index": 0}]))
        self.jmap.call("Mailbox/set", destroy=[top, a, b, c])

    def test_imap_sees_it(self):
        imap = Imap()
        box = self.jmap.mailbox(name="seen by IMAP", isSubscribed=True, role="all")
        self.assertEqual(imap.ok('LIST "" "seen*" RETURN (SPECIAL-USE SUBSCRIBED)').untagged,
                         ['LIST (\\HasNoChildren \\Subscribed \\All) "/" "seen by IMAP"'])
        imap.ok('UNSUBSCRIBE "seen by IMAP"')
        self.assertFalse(self.jmap.one("Mailbox", box)["isSubscribed"])
        state = self.jmap.state("Mailbox")
        imap.ok('RENAME "seen by IMAP" "renamed by IMAP"')
        self.assertEqual(self.jmap.changes("Mailbox", state)["updated"], [box])
        self.assertEqual(self.jmap.one("Mailbox", box)["name"], "renamed by IMAP")
        imap.ok('DELETE "renamed by IMAP"')
        self.assertEqual(self.jmap.changes("Mailbox", state)["destroyed"], [box])
        imap.close()
        self.assertEqual(sql("SELECT * FROM modseq.\"check\"('mw_mail')"), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
