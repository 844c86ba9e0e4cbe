"""RFC 8621 section 4: Emails; Threads; blobs."""

import re
import unittest

from jmap import Failed, Jmap, sql

MIME = (
    "Received: from b.example.org by c.example.org; Wed, 17 Jul 1996 09:30:00 +0000\r\n"
    "Received: from a.example.org by b.example.org; Wed, 17 Jul 1996 09:00:00 +0000\r\n"
    "From: =?utf-8?q?Caf=C3=A9?= <cafe@example.org>, plain@example.org\r\n"
    "To: group: a@example.org, \"B, C\" <b@example.org>;, last@example.org\r\n"
    "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
    "Subject: a folded\r\n =?iso-8859-1?q?s=FCbject?=\r\n"
    "Message-ID: <mime@example.org>\r\n"
    "In-Reply-To: <one@example.org> <two@example.org>\r\n"
    "X-Twice: first\r\n"
    "X-Twice:  second \r\n"
    "List-Post: <mailto:list@example.org>, (or)\r\n <https://example.org/post>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"b1\"\r\n"
    "\r\n"
    "preamble\r\n"
    "--b1\r\n"
    "Content-Type: multipart/alternative; boundary=b2\r\n"
    "\r\n"
    "--b2\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "gr=C3=BC=C3=9Fe\r\nan alle\r\n"
    "--b2\r\n"
    "Content-Type: text/html; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "PGI+Z3L83zwvYj4=\r\n"
    "--b2--\r\n"
    "--b1\r\n"
    "Content-Type: image/png; name=\"a b.png\"\r\n"
    "Content-Disposition: inline; filename=\"a b.png\"\r\n"
    "Content-ID: <cid@example.org>\r\n"
    "Content-Language: de, en\r\n"
    "Content-Location: here\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "AAEC\r\n"
    "--b1\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Disposition: attachment; filename=\"octets\"\r\n"
    "\r\n"
    "1234\r\n"
    "--b1--\r\n")


class Emails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.jmap = Jmap()
        cls.box = cls.jmap.mailbox()
        cls.mime = cls.jmap.bring(MIME, cls.box)

    def get(self, id, *properties, **args):
        return self.jmap.one("Email", id, properties=list(properties), **args)

    def refused(self, verb, record, error, id="new"):
        result = self.jmap.call("Email/set", **{verb: [id] if verb == "destroy" else {id: record}})
        got = result[{"create": "notCreated", "update": "notUpdated", "destroy": "notDestroyed"}[verb]][id]
        if isinstance(error, list):
            error = {"type": "invalidProperties", "properties": error}
        self.assertEqual(got, error if isinstance(error, dict) else {"type": error})
        self.assertEqual(result["oldState"], result["newState"])

    def test_default_properties(self):
        self.assertEqual(set(self.jmap.one("Email", self.mime)), {
            "id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId", "inReplyTo",
            "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt", "hasAttachment", "preview",
            "bodyValues", "textBody", "htmlBody", "attachments"})

    def test_headers(self):
        email = self.jmap.one("Email", self.mime)
        self.assertEqual(email["receivedAt"], "1996-07-17T09:30:00Z")
        self.assertEqual(email["size"], len(MIME))
        self.assertEqual(email["messageId"], ["mime@example.org"])
        self.assertEqual(email["inReplyTo"], ["one@example.org", "two@example.org"])
        self.assertEqual((email["references"], email["sender"], email["cc"]), (None, None, None))
        self.assertEqual(email["subject"], "a folded s\u00fcbject")
        self.assertEqual(email["sentAt"], "1996-07-17T02:23:25-07:00")
        self.assertEqual(email["from"], [{"name": "Caf\u00e9", "email": "cafe@example.org"},
                                         {"name": None, "email": "plain@example.org"}])
        self.assertEqual([a["email"] for a in email["to"]], ["a@example.org", "b@example.org", "last@example.org"])
        names = ["header:X-Twice", "header:x-twice:asText:all", "header:X-Twice:all", "header:None", "header:None:all",
                 "header:To:asGroupedAddresses", "header:List-Post:asURLs", "header:Date:asDate", "header:Subject",
                 "header:Message-ID:asMessageIds", "header:Content-Type:asText", "header:From:asAddresses:all"]
        email = self.get(self.mime, *names)
        self.assertEqual([email[name] for name in names[:5]],
                         ["  second ", ["first", "second"], [" first", "  second "], None, []])
        self.assertEqual(email[names[5]], [
            {"name": "group", "addresses": [{"name": None, "email": "a@example.org"}, {"name": "B, C", "email": "b@example.org"}]},
            {"name": None, "addresses": [{"name": None, "email": "last@example.org"}]}])
        self.assertEqual(email[names[6]], ["mailto:list@example.org", "https://example.org/post"])
        self.assertEqual(email[names[7]], "1996-07-17T02:23:25-07:00")
        self.assertEqual(email[names[8]], " a folded\r\n =?iso-8859-1?q?s=FCbject?=")
        self.assertEqual(email[names[9]], ["mime@example.org"])
        self.assertEqual(email[names[10]], 'multipart/mixed; boundary="b1"')
        self.assertEqual(len(email[names[11]][0]), 2)
        fields = self.get(self.mime, "headers")["headers"]
        self.assertEqual([field["name"] for field in fields], re.findall(r"^([\w-]+):", MIME.split("\r\n\r\n")[0], re.M))

    def test_body(self):
        properties = ["partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location",
                      "header:Content-Transfer-Encoding:asText"]
        email = self.get(self.mime, "bodyStructure", "textBody", "htmlBody", "attachments", "bodyValues", "hasAttachment",
                         "preview", bodyProperties=properties, fetchAllBodyValues=True)
        mixed = email["bodyStructure"]
        self.assertEqual((mixed["type"], mixed["partId"], mixed["blobId"]), ("multipart/mixed", None, None))
        alternative, image, octets = mixed["subParts"]
        plain, html = alternative["subParts"]
        self.assertEqual((plain["type"], plain["charset"], plain["size"], plain["header:Content-Transfer-Encoding:asText"]),
                         ("text/plain", "utf-8", 16, "quoted-printable"))
        self.assertEqual([image[name] for name in properties[2:10]],
                         [3, "a b.png", "image/png", None, "inline", "cid@example.org", ["de", "en"], "here"])
        self.assertEqual([part["partId"] for part in email["textBody"]], [plain["partId"], image["partId"]])
        self.assertEqual([part["partId"] for part in email["htmlBody"]], [html["partId"], image["partId"]])
        self.assertEqual([part["partId"] for part in email["attachments"]], [octets["partId"]])
        self.assertTrue(email["hasAttachment"])
        self.assertEqual(email["preview"], "gr\u00fc\u00dfe an alle")
        self.assertEqual(email["bodyValues"], {
            plain["partId"]: {"value": "gr\u00fc\u00dfe\nan alle", "isEncodingProblem": False, "isTruncated": False},
            html["partId"]: {"value": "<b>gr\u00fc\u00df</b>", "isEncodingProblem": False, "isTruncated": False}})
        # limits: no half character, no half tag
        email = self.get(self.mime, "bodyValues", fetchTextBodyValues=True, maxBodyValueBytes=3)
        self.assertEqual(email["bodyValues"], {plain["partId"]: {
            "value": "gr", "isEncodingProblem": False, "isTruncated": True}})
        email = self.get(self.mime, "bodyValues", fetchHTMLBodyValues=True, maxBodyValueBytes=10)
        self.assertEqual(email["bodyValues"][html["partId"]]["value"], "<b>gr\u00fc\u00df")
        self.assertEqual(self.get(self.mime, "bodyValues")["bodyValues"], {})
        # blobs of parts
        for part, data in ((image, b"\0\1\2"), (octets, b"1234")):
            status, headers, body = self.jmap.download(part["blobId"], "a b", "image/x-mine")
            self.assertEqual((status, headers["Content-Type"], body), (200, "image/x-mine", data))

    def test_broken(self):
        """What cannot be decoded says so, and nothing is lost by it."""
        for text, value in (("Content-Type: text/plain; charset=utf-8\r\n\r\na\xe4b", "a\ufffdb"),
                            ("Content-Type: text/plain; charset=x-unheard\r\n\r\nabc", "abc"),
                            ("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-odd\r\n\r\nabc", "abc")):
            id = self.jmap.bring(("Subject: x\r\n" + text).encode("latin1"), self.box)
            value_of, = self.get(id, "bodyValues", fetchTextBodyValues=True)["bodyValues"].values()
            self.assertEqual(value_of, {"value": value, "isEncodingProblem": True, "isTruncated": False})
        for raw in ("X: y", "X: y\r\n\r\n", "X: y\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
                    "X: y\r\nContent-Type: /\r\nContent-Type: text\r\n\r\n--", "From: \"<@:;,\r\nTo: ;:\r\nDate: never\r\n\r\nx"):
            email = self.jmap.one("Email", self.jmap.bring(raw, self.box), fetchAllBodyValues=True)
            self.assertEqual((email["sentAt"], email["subject"]), (None, None))

    def test_create(self):
        id = self.jmap.email(self.box, "\u00fcber", **{
            "from": [{"name": "J\u00f6rg", "email": "joerg@example.org"}], "to": [{"email": "a@example.org"}],
            "header:X-Mine:asText": "m\u00fcde", "header:X-Raw": "raw\r\n value", "header:X-All:asURLs:all": [["http://a/"], ["http://b/"]],
            "header:Cc:asGroupedAddresses": [{"name": "g", "addresses": [{"name": None, "email": "g@example.org"}]}],
            "inReplyTo": ["one@example.org"], "sentAt": "2026-07-16T09:00:00+02:00", "receivedAt": "2026-07-17T00:00:00Z",
            "keywords": {"$seen": True, "$Draft": True, "mine": True},
            "textBody": [{"partId": "t", "type": "text/plain"}], "htmlBody": [{"partId": "h", "type": "text/html"}],
            "attachments": [{"blobId": self.jmap.upload(b"\0\xff\r\n.\n")["blobId"], "type": "image/png", "name": "\u00e4.png",
                             "disposition": "inline", "cid": "c@x", "language": ["de"]}],
            "bodyValues": {"t": {"value": "Gr\u00fc\u00dfe\nFrom here\n" + "long " * 300}, "h": {"value": "<b>Gr\u00fc\u00dfe</b>"}}})
        email = self.jmap.one("Email", id, fetchAllBodyValues=True, properties=[
            "from", "to", "cc", "subject", "header:X-Mine:asText", "header:X-Raw", "header:X-All:asURLs:all", "inReplyTo", "sentAt",
            "receivedAt", "keywords", "textBody", "htmlBody", "attachments", "bodyValues", "messageId", "blobId", "size"])
        self.assertEqual(email["from"], [{"name": "J\u00f6rg", "email": "joerg@example.org"}])
        self.assertEqual(email["cc"], [{"name": None, "email": "g@example.org"}])
        self.assertEqual((email["subject"], email["header:X-Mine:asText"], email["header:X-Raw"]), ("\u00fcber", "m\u00fcde", " raw\r\n value"))
        self.assertEqual(email["header:X-All:asURLs:all"], [["http://a/"], ["http://b/"]])
        self.assertEqual((email["sentAt"], email["receivedAt"]), ("2026-07-16T09:00:00+02:00", "2026-07-17T00:00:00Z"))
        self.assertEqual(email["keywords"], {"$seen": True, "$draft": True, "mine": True})
        values = [email["bodyValues"][email[body][0]["partId"]]["value"] for body in ("textBody", "htmlBody")]
        self.assertEqual(values, ["Gr\u00fc\u00dfe\nFrom here\n" + "long " * 300, "<b>Gr\u00fc\u00dfe</b>"])
        part = [part for part in email["textBody"] if part["name"]][0]
        self.assertEqual((part["name"], part["cid"], part["language"]), ("\u00e4.png", "c@x", ["de"]))
        self.assertEqual(self.jmap.download(part["blobId"])[2], b"\0\xff\r\n.\n")
        status, _, raw = self.jmap.download(email["blobId"])
        self.assertEqual(len(raw), email["size"])
        self.assertTrue(max(len(line) for line in raw.split(b"\r\n")) < 998 and b"\n" not in raw.replace(b"\r\n", b""))
        self.assertEqual(raw.decode("ascii").count("Message-I"), 1)
        # the least there is
        email = self.jmap.one("Email", self.jmap.create("Email", mailboxIds={self.box: True}))
        self.assertTrue(email["messageId"] and email["sentAt"])
        self.assertEqual(email["keywords"], {})
        # a structure
        blob = self.jmap.upload(MIME)["blobId"]
        id = self.jmap.create("Email", mailboxIds={self.box: True}, bodyValues={"1": {"value": "x"}}, bodyStructure={
            "type": "multipart/mixed", "subParts": [
                {"partId": "1", "header:X-Part": "y"}, {"blobId": blob, "type": "message/rfc822", "disposition": "attachment"}]})
        structure = self.get(id, "bodyStructure", bodyProperties=["type", "header:X-Part:asText"])["bodyStructure"]
        self.assertEqual([(p["type"], p["header:X-Part:asText"]) for p in structure["subParts"]],
                         [("text/plain", "y"), ("message/rfc822", None)])

    def test_create_refused(self):
        text = {"textBody": [{"partId": "1"}], "bodyValues": {"1": {"value": "x"}}}
        for record, error in (
                ({"mailboxIds": None}, ["mailboxIds"]), ({"mailboxIds": {}}, ["mailboxIds"]),
                ({"mailboxIds": {self.box: False}}, ["mailboxIds"]), ({"mailboxIds": {"M999999": True}}, ["mailboxIds"]),
                ({"keywords": {"a b": True}}, ["keywords"]), ({"keywords": {"a": False}}, ["keywords"]),
                ({"keywords": []}, ["keywords"]), ({"receivedAt": "yesterday"}, ["receivedAt"]),
                ({"receivedAt": "2026-07-16T09:00:00+02:00"}, ["receivedAt"]),
                ({"id": "E1"}, ["id"]), ({"blobId": "x"}, ["blobId"]), ({"size": 1}, ["size"]), ({"preview": "x"}, ["preview"]),
                ({"headers": []}, ["headers"]), ({"nothing": 1}, ["nothing"]),
                ({"from": "a@example.org"}, ["from"]), ({"from": [{"name": "x"}]}, ["from"]),
                ({"from": [{"name": "x\r\nBcc: y", "email": "z"}]}, ["from"]),
                ({"subject": "x\r\nBcc: y@example.org"}, ["subject"]), ({"subject": ["x"]}, ["subject"]),
                ({"header:X": "a\r\nBcc: b"}, ["header:X"]), ({"header:X": ["a"]}, ["header:X"]),
                ({"header:X:all": "a"}, ["header:X:all"]), ({"header:From:asDate": "2026-07-16T09:00:00Z"}, ["header:From:asDate"]),
                ({"header:Content-Type": "text/html"}, ["header:Content-Type"]),
                ({"header:Subject:asText": "y", "subject": "x"}, ["subject"]),
                ({"messageId": "a@b"}, ["messageId"]), ({"sentAt": "x"}, ["sentAt"]),
                ({"textBody": [{"partId": "1"}]}, ["textBody/0/partId"]),
                ({"textBody": []}, ["textBody"]), ({"textBody": [{"partId": "1", "type": "text/html"}]}, ["textBody"]),
                (dict(text, bodyStructure={"partId": "1"}), ["textBody"]),
                (dict(text, bodyValues={"1": {"value": "x", "isTruncated": True}}), ["bodyValues/1/isTruncated"]),
                (dict(text, textBody=[{"partId": "1", "charset": "utf-8"}]), ["textBody/0/charset"]),
                (dict(text, textBody=[{"partId": "1", "size": 1}]), ["textBody/0/size"]),
                (dict(text, textBody=[{"partId": "1", "headers": []}]), ["textBody/0/headers"]),
                (dict(text, textBody=[{"partId": "1", "header:Content-Transfer-Encoding": "8bit"}]),
                 ["textBody/0/header:Content-Transfer-Encoding"]),
                (dict(text, textBody=[{"partId": "1", "blobId": "x"}]), ["textBody/0/partId", "textBody/0/blobId"]),
                ({"bodyStructure": {"type": "multipart/mixed", "subParts": []}}, ["bodyStructure/subParts"]),
                ({"bodyStructure": {"type": "multipart/mixed", "subParts": [{"partId": "9"}]}}, ["bodyStructure/subParts/0/partId"]),
                ({"attachments": [{"blobId": "nothing", "type": "a/b"}]}, {"type": "blobNotFound", "notFound": ["nothing"]}),
                ({"keywords": {"k%d" % i: True for i in range(101)}}, "tooManyKeywords"), ([], "invalidProperties")):
            with self.subTest(record):
                if isinstance(record, dict):
                    record = dict({"mailboxIds": {self.box: True}}, **record)
                self.refused("create", record, error)
        blob = self.jmap.upload(b"12345")["blobId"]
        self.refused("create", {"mailboxIds": {self.box: True}, "attachments": [{"blobId": blob, "type": "a/b", "size": 4}]},
                     ["attachments/0/size"])

    def test_update(self):
        id, other = self.jmap.email(self.box), self.jmap.mailbox()

        def update(patch):
            result = self.jmap.call("Email/set", update={id: patch})
            self.assertEqual(result["updated"], {id: None}, result)
            return self.get(id, "keywords", "mailboxIds")
        self.assertEqual(update({"keywords": {"$Seen": True, "Mine": True}})["keywords"], {"$seen": True, "mine": True})
        self.assertEqual(update({"keywords/$flagged": True, "keywords/mine": None})["keywords"], {"$seen": True, "$flagged": True})
        self.assertEqual(update({"keywords/a~1b": True})["keywords"], {"$seen": True, "$flagged": True, "a/b": True})
        self.assertEqual(update({"mailboxIds/" + other: True})["mailboxIds"], {self.box: True, other: True})
        self.assertEqual(sql("SELECT count(*), count(DISTINCT flags) FROM mw_mail WHERE email_id = " + id[1:]), "2|1")
        update({"keywords": {}})
        self.assertEqual(sql("SELECT DISTINCT flags FROM mw_mail WHERE email_id = " + id[1:]), "{}")
        self.assertEqual(update({"mailboxIds/" + self.box: None})["mailboxIds"], {other: True})
        self.assertEqual(update({"mailboxIds": {self.box: True}})["mailboxIds"], {self.box: True})
        whole = self.get(id, "id", "blobId", "threadId", "size", "receivedAt", "keywords", "mailboxIds")
        state = self.jmap.state("Email")
        update(whole)
        self.assertEqual(self.jmap.state("Email"), state)      # nothing has changed
        for patch, error in (
                ({"mailboxIds": {}}, ["mailboxIds"]), ({"mailboxIds/" + self.box: None}, ["mailboxIds"]),
                ({"mailboxIds/M999999": True}, ["mailboxIds"]), ({"mailboxIds/x": True}, ["mailboxIds/x"]),
                ({"mailboxIds/" + self.box: False}, ["mailboxIds/" + self.box]), ({"mailboxIds": None}, ["mailboxIds"]),
                ({"keywords/$seen": False}, ["keywords/$seen"]), ({"keywords/a b": True}, ["keywords/a b"]),
                ({"keywords": {"a": True}, "keywords/b": True}, "invalidPatch"), ({"keywords/a/b": True}, "invalidPatch"),
                ({"subject": "other"}, ["subject"]), ({"size": 1}, ["size"]), ("x", "invalidPatch"),
                ({"mailboxIds": {"M%d" % i: True for i in range(10**6, 10**6 + 51)}}, ["mailboxIds"])):
            with self.subTest(patch):
                self.refused("update", patch, error, id)
        self.refused("update", {}, "notFound", "E999999")
        self.refused("update", {}, "notFound", "x")
        boxes = [self.jmap.mailbox() for _ in range(51)]
        self.refused("update", {"mailboxIds": {box: True for box in boxes}}, "tooManyMailboxes", id)
        self.jmap.call("Mailbox/set", destroy=boxes)

    def test_destroy(self):
        id, kept = self.jmap.email(self.box), self.jmap.email(self.box)
        result = self.jmap.call("Email/set", destroy=[id, id, "E999999"], update={id: {"keywords/x": True}, kept: {}})
        self.assertEqual((result["destroyed"], result["updated"]), ([id], {kept: None}))
        self.assertEqual(result["notUpdated"], {id: {"type": "willDestroy"}})
        self.assertEqual(result["notDestroyed"]["E999999"], {"type": "notFound"})
        self.assertEqual(self.jmap.call("Email/get", ids=[id])["notFound"], [id])
        self.assertEqual(sql("SELECT * FROM modseq.\"check\"('mw_mail')"), "")

    def test_if_in_state(self):
        state = self.jmap.state("Email")
        id = self.jmap.email(self.box)
        blob = self.jmap.upload(MIME)["blobId"]
        for name, args in (("Email/set", {"update": {id: {"keywords/x": True}}}), ("Email/set", {"destroy": [id]}),
                           ("Email/set", {"create": {"x": {"mailboxIds": {self.box: True}}}}),
                           ("Email/import", {"emails": {"x": {"blobId": blob, "mailboxIds": {self.box: True}}}})):
            now = self.jmap.state("Email")
            with self.assertRaises(Failed) as failed:
                self.jmap.call(name, ifInState=state, **args)
            self.assertEqual(failed.exception.type, "stateMismatch")
            self.assertEqual(self.jmap.state("Email"), now)
        result = self.jmap.call("Email/set", ifInState=self.jmap.state("Email"), update={id: {"keywords/x": True}})
        self.assertEqual(result["updated"], {id: None})
        self.assertEqual(result["newState"], self.jmap.state("Email"))

    def test_changes(self):
        """Of every page of every size: no id twice, and together what has happened."""
        box, other = self.jmap.mailbox(), self.jmap.mailbox()
        ids = [self.jmap.email(box, "change %d" % i) for i in range(6)]
        state = self.jmap.state("Email")
        self.jmap.call("Email/set", update={ids[0]: {"keywords/$seen": True}, ids[1]: {"mailboxIds": {other: True}},
                                            ids[2]: {"mailboxIds/" + other: True}}, destroy=[ids[3], ids[4]])
        new = [self.jmap.email(box, "new %d" % i) for i in range(3)]
        self.jmap.call("Email/set", update={new[0]: {"keywords/$seen": True}}, destroy=[new[2]])
        expected = (set(new[:2]), set(ids[:3]), set(ids[3:5]))
        for size in (None, 1, 2, 3, 5, 100):
            seen, since, pages = ([], [], []), state, 0
            while True:
                changes = self.jmap.changes("Email", since, maxChanges=size)
                for into, name in zip(seen, ("created", "updated", "destroyed")):
                    into.extend(changes[name])
                since, pages = changes["newState"], pages + 1
                if not changes["hasMoreChanges"]:
                    break
            self.assertEqual(tuple(map(set, seen)), expected)
            self.assertEqual(sum(map(len, seen)), 7)
            self.assertEqual(since, self.jmap.state("Email"))
            self.assertEqual(pages, 1 if size in (None, 100) else -(-7 // size))
        for bad in ("", "x", state + "0"):
            with self.assertRaises(Failed) as failed:
                self.jmap.changes("Email", bad)
            self.assertEqual(failed.exception.type, "cannotCalculateChanges")

    def test_threads(self):
        box = self.jmap.mailbox()
        state = self.jmap.state("Thread")
        first = self.jmap.email(box, "a thread", messageId=["t1@x"], receivedAt="2026-01-02T00:00:00Z")
        thread = self.get(first, "threadId")["threadId"]
        changes = self.jmap.changes("Thread", state)
        self.assertEqual((changes["created"], changes["updated"], changes["destroyed"]), ([thread], [], []))
        second = self.jmap.email(box, "Re: [list] A thread", messageId=["t2@x"])
        self.assertNotEqual(self.get(second, "threadId")["threadId"], thread)
        state = self.jmap.state("Thread")
        earlier = self.jmap.email(box, "RE: Fwd[2]: [list] a   thread", inReplyTo=["t1@x"], receivedAt="2026-01-01T00:00:00Z")
        later = self.jmap.email(box, "a thread (fwd)", references=["t0@x", "t1@x"])
        self.assertEqual(self.jmap.one("Thread", thread), {"id": thread, "emailIds": [earlier, first, later]})
        self.assertEqual(self.jmap.changes("Thread", state)["updated"], [thread])
        other = self.jmap.email(box, "another subject", inReplyTo=["t1@x"])
        self.assertNotEqual(self.get(other, "threadId")["threadId"], thread)
        # not by a flag, nor by a move
        state, emails = self.jmap.state("Thread"), self.jmap.state("Email")
        self.jmap.call("Email/set", update={first: {"keywords/$seen": True, "mailboxIds": {self.box: True}}})
        self.assertEqual(self.jmap.state("Thread"), state)
        self.assertNotEqual(self.jmap.state("Email"), emails)
        self.jmap.call("Email/set", destroy=[first])
        self.assertEqual(self.jmap.changes("Thread", state)["updated"], [thread])
        self.jmap.call("Email/set", destroy=[earlier, later])
        self.assertEqual(self.jmap.changes("Thread", state)["destroyed"], [thread])
        self.assertEqual(self.jmap.call("Thread/get", ids=[thread, "x"])["notFound"], ["x", thread])

    def test_import(self):
        blob = self.jmap.upload(MIME)
        self.assertEqual((blob["type"], blob["size"]), ("message/rfc822", len(MIME)))
        result = self.jmap.call("Email/import", emails={"a": {
            "blobId": blob["blobId"], "mailboxIds": {self.box: True}, "keywords": {"$seen": True}, "receivedAt": "2026-01-01T00:00:00Z"}})
        created = result["created"]["a"]
        self.assertEqual((created["blobId"], created["size"]), (blob["blobId"], len(MIME)))
        self.assertEqual(self.get(created["id"], "keywords", "receivedAt"),
                         {"id": created["id"], "keywords": {"$seen": True}, "receivedAt": "2026-01-01T00:00:00Z"})
        self.assertEqual((result["newState"], result["notCreated"]), (self.jmap.state("Email"), None))
        no_message = self.jmap.upload(b"\0\1\2")["blobId"]
        good = {"blobId": blob["blobId"], "mailboxIds": {self.box: True}}
        for record, error in ((dict(good, blobId="nothing"), ["blobId"]), (dict(good, blobId=1), ["blobId"]),
                              ({"blobId": blob["blobId"]}, ["mailboxIds"]), (dict(good, mailboxIds={"M999999": True}), ["mailboxIds"]),
                              (dict(good, keywords={"": True}), ["keywords"]), (dict(good, receivedAt="x"), ["receivedAt"]),
                              (dict(good, subject="x"), ["subject"]), (dict(good, blobId=no_message), "invalidEmail")):
            with self.subTest(record):
                got = self.jmap.call("Email/import", emails={"x": record})["notCreated"]["x"]
                self.assertEqual(got, {"type": "invalidProperties", "properties": error} if isinstance(error, list) else {"type": error})

    def test_parse(self):
        blob, bad = self.jmap.upload(MIME)["blobId"], self.jmap.upload(b"\0")["blobId"]
        part = self.get(self.mime, "attachments")["attachments"][0]["blobId"]
        result = self.jmap.call("Email/parse", blobIds=[blob, bad, "nothing", part], properties=["subject", "id", "size", "mailboxIds"])
        self.assertEqual(result["parsed"], {blob: {"subject": "a folded s\u00fcbject", "id": None, "size": len(MIME), "mailboxIds": None}})
        self.assertEqual((result["notParsable"], result["notFound"]), ([bad, part], ["nothing"]))

    def test_blobs(self):
        blob = self.jmap.upload(b"")
        self.assertEqual(blob["size"], 0)
        self.assertEqual(self.jmap.download(blob["blobId"])[2], b"")
        self.assertEqual(self.jmap.download("nothing")[0], 404)
        self.assertEqual(self.jmap.download(blob["blobId"] + "-1")[0], 404)
        big = self.jmap.session["capabilities"]["urn:ietf:params:jmap:core"]["maxSizeUpload"]
        self.assertEqual(self.jmap.http("POST", self.jmap.path("uploadUrl"), b"x" * (big + 1), "a/b")[0], 413)


if __name__ == "__main__":
    unittest.main(verbosity=2)
