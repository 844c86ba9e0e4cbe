"""The demo's two protocols on one mailbox: what IMAP does is told to JMAP, and the other way round. Checks it.

    both.py       IMAPD_PORT and JMAPD_PORT in the environment
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../jmapd/t"))
from jmap import Jmap       # noqa: E402
from imap import Imap       # noqa: E402


def check(holds, what):
    if not holds:
        sys.exit("the demo failed: not true that " + what)
    print("# Checked: " + what)


class Imap(Imap):
    def say(self, command):
        print("C: " + command)
        answer = self.ok(command)
        for line in answer.untagged:
            print("S: * " + line)
        print("S: OK ...")
        return answer


class Jmap(Jmap):
    def say(self, name, **args):
        print("C: %s %s" % (name, json.dumps(args)))
        result = self.call(name, **args)
        print("S: " + json.dumps({key: value for key, value in result.items() if key != "accountId" and value is not None}))
        return result


def main():
    jmap, imap = Jmap(), Imap()
    boxes = {box["name"]: id for id, box in jmap.get("Mailbox", None, properties=["name"]).items()}
    inbox = {"filter": {"inMailbox": boxes["INBOX"]}, "sort": [{"property": "receivedAt"}]}

    imap.append("Archive", "Subject: from last year\r\n\r\n")
    print("# 16. A JMAP client (test/jmapd, on the same tables) asks what is in INBOX; an IMAP client has opened it.\n")
    imap.say("ENABLE QRESYNC")
    imap.say("SELECT INBOX")
    email = jmap.say("Email/query", limit=1, **inbox)["ids"][0]
    state = jmap.say("Email/get", ids=[email], properties=["subject", "keywords", "mailboxIds"])["state"]

    print("\n# 17. By IMAP it is marked. Email/changes tells it, since the state that the JMAP client had.\n")
    imap.say("UID STORE 1 +FLAGS (\\Flagged)")
    changes = jmap.say("Email/changes", sinceState=state)
    check((changes["created"], changes["updated"], changes["destroyed"]) == ([], [email], []),
          "the Email is updated, and no other")
    record = jmap.say("Email/get", ids=[email], properties=["keywords"])["list"][0]
    check("$flagged" in record["keywords"], "it has the keyword")

    print("\n# 18. By JMAP it is moved. The IMAP client sees it vanish, and finds it in Archive under a new UID.\n")
    jmap.say("Email/set", ifInState=jmap.state("Email"), update={email: {"mailboxIds": {boxes["Archive"]: True}}})
    check(imap.say("NOOP").all("VANISHED") == ["VANISHED 1"], "UID 1 has vanished from INBOX")
    imap.say("SELECT Archive")
    fetched = imap.say("UID FETCH 2:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    check(len(fetched.all(r"UID 2 .*\\Flagged")) == 1, "it is in Archive, with its flags")
    imap.close()
    print()


main()
