"""The demo's two protocols on one mailbox, chapters 16 to 18: what IMAP does is told to JMAP, and the other way round.
IMAPD_PORT and JMAPD_PORT are in the environment."""

import json

from imap import Imap
from jmap import Jmap


class ShownImap(Imap):
    def say(self, command):
        self.show.line("C: " + command)
        answer = self.ok(command)
        for line in answer.untagged:
            self.show.line("S: * " + line)
        self.show.line("S: OK ...")
        return answer


class ShownJmap(Jmap):
    def say(self, name, **args):
        self.show.line("C: %s %s" % (name, json.dumps(args)))
        result = self.call(name, **args)
        self.show.line("S: " + json.dumps({key: value for key, value in result.items()
                                           if key != "accountId" and value is not None}))
        return result


def play(show):
    jmap, imap = ShownJmap(), ShownImap()
    jmap.show = imap.show = show
    boxes = {box["name"]: id for id, box in jmap.get("Mailbox", None, properties=["name"]).items()}
    inbox = {"filter": {"inMailbox": boxes["INBOX"]}, "sort": [{"property": "receivedAt"}]}

    imap.append("Archive", "Subject: from last year\r\n\r\n")
    show.remark("16. A JMAP client (test/jmapd, on the same tables) asks what is in INBOX; an IMAP client has opened it.")
    imap.say("ENABLE QRESYNC")
    imap.say("SELECT INBOX")
    email = jmap.say("Email/query", limit=1, **inbox)["ids"][0]
    state = jmap.say("Email/get", ids=[email], properties=["subject", "keywords", "mailboxIds"])["state"]

    show.remark("17. By IMAP it is marked. Email/changes tells it, since the state that the JMAP client had.")
    imap.say("UID STORE 1 +FLAGS (\\Flagged)")
    changes = jmap.say("Email/changes", sinceState=state)
    show.check((changes["created"], changes["updated"], changes["destroyed"]) == ([], [email], []),
               "the Email is updated, and no other")
    record = jmap.say("Email/get", ids=[email], properties=["keywords"])["list"][0]
    show.check("$flagged" in record["keywords"], "it has the keyword")

    show.remark("18. By JMAP it is moved. The IMAP client sees it vanish, and finds it in Archive under a new UID.")
    jmap.say("Email/set", ifInState=jmap.state("Email"), update={email: {"mailboxIds": {boxes["Archive"]: True}}})
    show.check(imap.say("NOOP").all("VANISHED") == ["VANISHED 1"], "UID 1 has vanished from INBOX")
    imap.say("SELECT Archive")
    fetched = imap.say("UID FETCH 2:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    show.check(len(fetched.all(r"UID 2 .*\\Flagged")) == 1, "it is in Archive, with its flags")
    imap.close()
