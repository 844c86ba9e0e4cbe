"""A JMAP client for the tests: one method call or several in a request, and what any response must be."""

import base64
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../imapd/t"))

PORT = int(os.environ["JMAPD_PORT"])
CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
ID = re.compile(r"^[A-Za-z0-9_-]{1,255}$")


class Failed(Exception):
    """A method-level error."""

    def __init__(self, error):
        Exception.__init__(self, error)
        self.type = error["type"]


def check_response(name, args, given):
    """What RFC 8620 section 5 says of any response of that kind."""
    kind, verb = name.split("/")
    if "accountId" in given:
        assert args["accountId"] == given["accountId"], args
    if verb == "get":
        ids = [record["id"] for record in args["list"]]
        assert isinstance(args["state"], str)
        assert len(set(ids)) == len(ids) and not set(ids) & set(args["notFound"]), args
        if given.get("ids") is not None:
            assert set(ids) | set(args["notFound"]) >= {i for i in given["ids"] if not i.startswith("#")}, args
        if given.get("properties") is not None:
            for record in args["list"]:
                assert set(record) <= set(given["properties"]) | {"id"}, record
    elif verb == "changes":
        lists = [args["created"], args["updated"], args["destroyed"]]
        together = sum(lists, [])
        assert args["oldState"] == given["sinceState"]
        assert isinstance(args["newState"], str) and isinstance(args["hasMoreChanges"], bool)
        assert len(set(together)) == len(together), args
        assert len(together) <= (given.get("maxChanges") or len(together)), args
        if kind == "Mailbox":
            assert args["updatedProperties"] is None or set(args["updatedProperties"]) <= {
                "totalEmails", "unreadEmails", "totalThreads", "unreadThreads"}
    elif verb == "set":
        assert isinstance(args["oldState"], str) and isinstance(args["newState"], str)
        for done, refused, asked in (("created", "notCreated", "create"), ("updated", "notUpdated", "update"),
                                     ("destroyed", "notDestroyed", "destroy")):
            answered = set(args[done] or []) | set(args[refused] or {})
            assert args[done] != {} and args[done] != [] and args[refused] != {}, args
            assert len(answered) == len(set(given.get(asked) or [])), args
            for error in (args[refused] or {}).values():
                assert isinstance(error["type"], str)
    elif verb == "query":
        assert isinstance(args["queryState"], str) and isinstance(args["canCalculateChanges"], bool)
        assert args["position"] >= 0 and len(set(args["ids"])) == len(args["ids"])
        assert ("total" in args) == bool(given.get("calculateTotal")), args
    elif verb == "queryChanges":
        assert args["oldQueryState"] == given["sinceQueryState"]
        indexes = [item["index"] for item in args["added"]]
        assert indexes == sorted(indexes)


class Jmap:
    def __init__(self, user="fred", password="secret", port=None):
        self.port = port or PORT
        self.authorization = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
        self.session = json.loads(self.http("GET", "/.well-known/jmap")[2])
        self.account = self.session["primaryAccounts"][MAIL]

    def http(self, method, path, body=None, type=None, authorization=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {}
        if authorization:
            headers["Authorization"] = self.authorization
        if type:
            headers["Content-Type"] = type
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def path(self, template, **values):
        url = self.session[template]
        for name, value in dict(values, accountId=values.get("accountId", self.account)).items():
            url = url.replace("{%s}" % name, urllib.parse.quote(value, safe=""))
        return re.sub(r"^http://[^/]*", "", url)

    def post(self, request):
        """Status and what came with it, of anything that shall be a request."""
        body = request if isinstance(request, (str, bytes)) else json.dumps(request)
        status, headers, data = self.http("POST", self.path("apiUrl"), body, "application/json")
        return status, json.loads(data)

    def request(self, *calls, **more):
        """[name, arguments] each; the responses, with accountId put in. Method-level errors too."""
        invocations = []
        for i, (name, args) in enumerate(calls):
            if name != "Core/echo":
                args = dict({"accountId": self.account}, **args)
            invocations.append([name, args, "c%d" % i])
        status, response = self.post(dict({"using": [CORE, MAIL], "methodCalls": invocations}, **more))
        assert status == 200, response
        for name, args, call in response["methodResponses"]:
            if name != "error" and name != "Core/echo":
                check_response(name, args, invocations[int(call[1:])][1])
        self.response = response
        return [(name, args) for name, args, _ in response["methodResponses"]]

    def call(self, name, **args):
        (got, result), = self.request((name, args))
        if got == "error":
            raise Failed(result)
        assert got == name
        return result

    def get(self, kind, ids, **args):
        return {record["id"]: record for record in self.call(kind + "/get", ids=ids, **args)["list"]}

    def one(self, kind, id, **args):
        return self.get(kind, [id], **args)[id]

    def state(self, kind):
        return self.call(kind + "/get", ids=[])["state"]

    def changes(self, kind, since, **args):
        return self.call(kind + "/changes", sinceState=since, **args)

    def create(self, kind, **record):
        result = self.call(kind + "/set", create={"new": record})
        assert result["created"], result
        return result["created"]["new"]["id"]

    def mailbox(self, **record):
        global counter
        counter += 1
        return self.create("Mailbox", **dict({"name": "box%d-%d" % (os.getpid(), counter)}, **record))

    def email(self, box, subject="x", **record):
        return self.create("Email", **dict({"mailboxIds": {box: True}, "subject": subject}, **record))

    def upload(self, data, type="message/rfc822"):
        if isinstance(data, str):
            data = data.encode()
        status, headers, answer = self.http("POST", self.path("uploadUrl"), data, type)
        assert status == 201, answer
        return json.loads(answer)

    def download(self, blob, name="x", type="application/octet-stream"):
        return self.http("GET", self.path("downloadUrl", blobId=blob, name=name, type=type))

    def bring(self, raw, box, **record):
        """A message, imported: its id."""
        result = self.call("Email/import", emails={"new": dict(
            {"blobId": self.upload(raw)["blobId"], "mailboxIds": {box: True}}, **record)})
        assert result["created"], result
        return result["created"]["new"]["id"]


counter = 0


def sql(statement):
    """What psql says, one row a line."""
    return subprocess.run(
        ["psql", "-XAtqv", "ON_ERROR_STOP=1", "-c", statement],
        check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def imap_name(id):
    return sql("SELECT name FROM mw_mailbox WHERE id = %s" % id[1:])
