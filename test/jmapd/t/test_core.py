"""RFC 8620: the session, requests and their errors, references, creation ids."""

import json
import unittest

from jmap import CORE, ID, MAIL, Failed, Jmap

ERROR = "urn:ietf:params:jmap:error:"


class Core(unittest.TestCase):
    def setUp(self):
        self.jmap = Jmap()

    def test_session(self):
        session = self.jmap.session
        core = session["capabilities"][CORE]
        for name in ("maxSizeUpload", "maxConcurrentUpload", "maxSizeRequest", "maxConcurrentRequests",
                     "maxCallsInRequest", "maxObjectsInGet", "maxObjectsInSet"):
            self.assertGreater(core[name], 0)
        self.assertEqual(session["capabilities"][MAIL], {})
        account, = session["accounts"]
        self.assertRegex(account, ID)
        self.assertEqual(session["accounts"][account]["name"], "fred")
        self.assertIn("receivedAt", session["accounts"][account]["accountCapabilities"][MAIL]["emailQuerySortOptions"])
        self.assertEqual(session["username"], "fred")
        self.jmap.call("Core/echo")
        self.assertEqual(self.jmap.response["sessionState"], session["state"])

    def test_who_may(self):
        self.assertEqual(self.jmap.http("GET", "/.well-known/jmap", authorization=False)[0], 401)
        status, headers, _ = self.jmap.http("POST", "/jmap/api", "{}", "application/json", authorization=False)
        self.assertEqual((status, headers["WWW-Authenticate"][:5]), (401, "Basic"))
        with self.assertRaises(Exception):
            Jmap(password="wrong")
        with self.assertRaises(Exception):
            Jmap(user="nobody")
        self.assertEqual(self.jmap.http("GET", "/jmap/nowhere")[0], 404)
        self.assertEqual(self.jmap.http("PUT", "/jmap/api", "{}")[0], 405)
        with self.assertRaises(Failed) as failed:
            self.jmap.call("Mailbox/get", accountId="A999999")
        self.assertEqual(failed.exception.type, "accountNotFound")
        other = Jmap("wilma")
        with self.assertRaises(Failed) as failed:
            self.jmap.call("Mailbox/get", accountId=other.account)
        self.assertEqual(failed.exception.type, "accountNotFound")
        # nor its ids
        box = other.mailbox()
        email = other.email(box)
        self.assertEqual(self.jmap.call("Email/get", ids=[email])["notFound"], [email])
        self.assertEqual(self.jmap.call("Mailbox/get", ids=[box])["notFound"], [box])
        for update in ({"mailboxIds": {box: True}}, {"keywords/$seen": True}):
            self.assertEqual(self.jmap.call("Email/set", update={email: update})["notUpdated"][email]["type"], "notFound")
        self.assertEqual(self.jmap.call("Email/set", destroy=[email])["notDestroyed"][email]["type"], "notFound")
        result = self.jmap.call("Email/set", create={"x": {"mailboxIds": {box: True}}})
        self.assertEqual(result["notCreated"]["x"], {"type": "invalidProperties", "properties": ["mailboxIds"]})
        blob = other.one("Email", email)["blobId"]
        self.assertEqual(self.jmap.download(blob)[0], 404)
        self.assertEqual(self.jmap.http("GET", self.jmap.path("downloadUrl", accountId=other.account, blobId=blob,
                                                              name="x", type="a/b"))[0], 404)
        self.assertEqual(self.jmap.http("POST", self.jmap.path("uploadUrl", accountId=other.account), b"x", "a/b")[0], 404)

    def problem(self, request, kind, type="application/json"):
        body = request if isinstance(request, (str, bytes)) else json.dumps(request)
        status, headers, data = self.jmap.http("POST", "/jmap/api", body, type)
        problem = json.loads(data)
        self.assertEqual((status, headers["Content-Type"]), (400, "application/problem+json"))
        self.assertEqual((problem["type"], problem["status"]), (ERROR + kind, 400))
        return problem

    def test_request_errors(self):
        echo = {"using": [CORE], "methodCalls": [["Core/echo", {}, "c"]]}
        for bad in ("", "{", "no", b'{"using":["\xff"]}', '{"a":1,"a":2}'):
            self.problem(bad, "notJSON")
        self.problem(echo, "notJSON", "text/plain")
        for bad in ([], {}, {"using": CORE, "methodCalls": []}, {"using": [CORE]},
                    {"using": [CORE], "methodCalls": [["Core/echo", {}]]},
                    {"using": [CORE], "methodCalls": [["Core/echo", [], "c"]]},
                    {"using": [CORE], "methodCalls": [[1, {}, "c"]]},
                    {"using": [CORE], "methodCalls": {}},
                    dict(echo, createdIds=[]), dict(echo, createdIds={"a": 1})):
            with self.subTest(bad):
                self.problem(bad, "notRequest")
        self.problem({"using": [CORE, "urn:example:other"], "methodCalls": []}, "unknownCapability")
        core = self.jmap.session["capabilities"][CORE]
        problem = self.problem({"using": [CORE], "methodCalls": [["Core/echo", {}, "c"]] *
                                (core["maxCallsInRequest"] + 1)}, "limit")
        self.assertEqual(problem["limit"], "maxCallsInRequest")
        problem = self.problem(" " * (core["maxSizeRequest"] + 1), "limit")
        self.assertEqual(problem["limit"], "maxSizeRequest")
        status, _ = self.jmap.post(dict(echo, methodCalls=[["Core/echo", {}, "c"]] * core["maxCallsInRequest"]))
        self.assertEqual(status, 200)

    def test_echo_and_methods(self):
        args = {"a": [1, 2.5, None, True, {"b": "\u00e9\u0000"}], "accountId": "whatever"}
        self.assertEqual(self.jmap.request(("Core/echo", args)), [("Core/echo", args)])
        for using, name in (([CORE, MAIL], "Core/nothing"), ([CORE], "Mailbox/get"), ([], "Core/echo")):
            _, response = self.jmap.post({"using": using, "methodCalls": [[name, {}, "c"]]})
            self.assertEqual(response["methodResponses"], [["error", {"type": "unknownMethod"}, "c"]])
        # one fails, the others are run
        (first, _), (second, error), (third, _) = self.jmap.request(
            ("Core/echo", {}), ("Mailbox/get", {"ids": 1}), ("Mailbox/get", {"ids": []}))
        self.assertEqual((first, second, third, error["type"]), ("Core/echo", "error", "Mailbox/get", "invalidArguments"))

    def test_arguments(self):
        for name, args in (("Mailbox/get", {"ids": "x"}), ("Mailbox/get", {"ids": [1]}), ("Mailbox/get", {"ids": ["a b"]}),
                           ("Mailbox/get", {"properties": ["nothing"]}), ("Mailbox/get", {"nothing": 1}),
                           ("Mailbox/get", {"accountId": None}), ("Email/get", {"ids": [], "properties": [1]}),
                           ("Email/get", {"ids": [], "fetchTextBodyValues": None}),
                           ("Email/get", {"ids": [], "maxBodyValueBytes": -1}),
                           ("Email/get", {"ids": [], "bodyProperties": ["subject"]}),
                           ("Email/get", {"ids": [], "properties": ["header:From:asDate"]}),
                           ("Email/get", {"ids": [], "properties": ["header:X:asNothing"]}),
                           ("Email/get", {"ids": [], "properties": ["header:"]}),
                           ("Thread/get", {"ids": [], "properties": ["subject"]}),
                           ("Email/changes", {}), ("Email/changes", {"sinceState": 1}),
                           ("Email/changes", {"sinceState": "x", "maxChanges": 0}),
                           ("Email/changes", {"sinceState": "x", "maxChanges": -1}),
                           ("Email/query", {"position": "1"}), ("Email/query", {"limit": -1}),
                           ("Email/query", {"filter": []}), ("Email/query", {"sort": {}}),
                           ("Email/query", {"calculateTotal": 1}),
                           ("Email/set", {"create": []}), ("Email/set", {"destroy": {}}),
                           ("Email/import", {}), ("Email/import", {"emails": None}),
                           ("Email/parse", {}), ("Mailbox/set", {"onDestroyRemoveEmails": "yes"}),
                           ("Email/copy", {"fromAccountId": self.jmap.account, "create": {}}),
                           ("Blob/copy", {"fromAccountId": self.jmap.account, "blobIds": []})):
            with self.subTest((name, args)):
                with self.assertRaises(Failed) as failed:
                    self.jmap.call(name, **args)
                self.assertEqual(failed.exception.type, "invalidArguments")
        for name, args in (("Email/copy", {"create": {}}), ("Blob/copy", {"blobIds": []})):
            with self.assertRaises(Failed) as failed:
                self.jmap.call(name, fromAccountId="A999999", **args)
            self.assertEqual(failed.exception.type, "fromAccountNotFound")

    def test_too_large(self):
        core = self.jmap.session["capabilities"][CORE]
        many = ["E%d" % (i + 10**9) for i in range(core["maxObjectsInGet"] + 1)]
        for name, args in (("Email/get", {"ids": many}), ("Email/get", {"ids": None}), ("Mailbox/get", {"ids": many}),
                           ("Thread/get", {"ids": many}), ("Thread/get", {}),
                           ("Email/set", {"destroy": many}), ("Mailbox/set", {"update": {id: {} for id in many}}),
                           ("Email/import", {"emails": {id: {} for id in many}}), ("Email/parse", {"blobIds": many})):
            with self.subTest(name):
                with self.assertRaises(Failed) as failed:
                    self.jmap.call(name, **args)
                self.assertEqual(failed.exception.type, "requestTooLarge")
        self.assertEqual(len(self.jmap.call("Email/get", ids=many[1:])["notFound"]), core["maxObjectsInGet"])

    def test_references(self):
        box = self.jmap.mailbox()
        emails = [self.jmap.email(box, "reference %d" % i) for i in range(3)]
        query = ("Email/query", {"filter": {"inMailbox": box}})
        responses = self.jmap.request(
            query, ("Email/get", {"#ids": {"resultOf": "c0", "name": "Email/query", "path": "/ids"},
                                  "properties": ["threadId"]}),
            ("Thread/get", {"#ids": {"resultOf": "c1", "name": "Email/get", "path": "/list/*/threadId"}}),
            ("Email/get", {"#ids": {"resultOf": "c2", "name": "Thread/get", "path": "/list/*/emailIds"},
                           "properties": ["subject"]}),
            ("Email/get", {"#ids": {"resultOf": "c0", "name": "Email/query", "path": "/ids"},
                           "#properties": {"resultOf": "c4", "name": "x", "path": ""}}))
        self.assertEqual({e["id"] for e in responses[3][1]["list"]}, set(emails))
        self.assertEqual(responses[4][1]["type"], "invalidResultReference")
        for reference in ({"resultOf": "c9", "name": "Email/query", "path": "/ids"},
                          {"resultOf": "c0", "name": "Email/get", "path": "/ids"},
                          {"resultOf": "c0", "name": "Email/query", "path": "/nothing"},
                          {"resultOf": "c0", "name": "Email/query", "path": "/ids/9"},
                          {"resultOf": "c0", "name": "Email/query", "path": "/ids/00"},
                          {"resultOf": "c0", "name": "Email/query", "path": "ids"}, {"resultOf": "c0"}, "c0", None):
            with self.subTest(reference):
                self.assertEqual(self.jmap.request(query, ("Email/get", {"#ids": reference}))[1][1]["type"],
                                 "invalidResultReference")
        self.assertEqual(self.jmap.request(
            query, ("Email/get", {"ids": [], "#ids": {"resultOf": "c0", "name": "Email/query", "path": "/ids"}}))[1][1]["type"],
            "invalidArguments")
        # JSON pointers: ~1 is a slash, ~0 a tilde
        responses = self.jmap.request(
            ("Core/echo", {"a/b": {"~": ["E1", "E2"]}}),
            ("Core/echo", {"#x": {"resultOf": "c0", "name": "Core/echo", "path": "/a~1b/~0/1"}}))
        self.assertEqual(responses[1], ("Core/echo", {"x": "E2"}))

    def test_creation_ids(self):
        responses = self.jmap.request(
            ("Mailbox/set", {"create": {"b": {"name": "later", "parentId": "#a"}, "a": {"name": "made-by-reference"}}}),
            ("Email/set", {"create": {"e": {"mailboxIds": {"#a": True}, "subject": "in it"}}}),
            ("Email/set", {"update": {"#e": {"mailboxIds/#b": True}}}),
            ("Email/get", {"ids": ["#e"], "properties": ["mailboxIds"]}), createdIds={"old": "M1"})
        a, b = (responses[0][1]["created"][name]["id"] for name in "ab")
        email = responses[1][1]["created"]["e"]["id"]
        self.assertEqual(responses[2][1]["updated"], {"#e": None})
        self.assertEqual(responses[3][1]["list"], [{"id": email, "mailboxIds": {a: True, b: True}}])
        self.assertEqual(self.jmap.response["createdIds"], {"old": "M1", "a": a, "b": b, "e": email})
        self.assertEqual(self.jmap.one("Mailbox", b)["parentId"], a)
        self.jmap.request(("Core/echo", {}))
        self.assertNotIn("createdIds", self.jmap.response)
        self.jmap.request(("Mailbox/set", {"destroy": ["#a", "#b"], "onDestroyRemoveEmails": True}), createdIds={"a": a, "b": b})
        self.assertEqual(self.jmap.call("Mailbox/get", ids=[a, b])["list"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
