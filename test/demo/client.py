"""The demo's real client, chapters 12 to 15: neomutt syncs, others write by SQL, neomutt syncs again."""

import re
import tempfile

from libpq import Connection
from neomutt import neomutt
from tap import Tap

SUBJECTS = """
SELECT uid, substring(convert_from(raw, 'UTF8') FROM 'Subject: ([^\\r\\n]*)') FROM mw_mail ORDER BY uid
"""
JOBS = r"""UPDATE mw_mail SET flags = flags || '{"\\Flagged"}' WHERE raw LIKE '%Subject: Invoice%';
DELETE FROM mw_mail WHERE raw LIKE '%Subject: Lottery win%';
INSERT INTO mw_mail (mailbox_id, raw)
    SELECT id, convert_to(E'From: cron@example.org\r\nSubject: Lunch?\r\n\r\nAt noon.\r\n', 'UTF8')
    FROM mw_mailbox WHERE name = 'INBOX'"""


def play(show, port):
    """PORT is the IMAP front end's."""
    tap = Tap(port)
    show.remark("12. A sample mailbox, served by the reference IMAP front end (test/imapd).")
    connection = Connection(show.line)
    for uid, subject in connection.run(SUBJECTS)[1]:
        show.beside("uid %s, %s" % (uid, subject), "")
    with tempfile.TemporaryDirectory(prefix="modseq-demo.") as home:
        show.remark("13. neomutt opens INBOX for the first time, and fetches all headers.")
        neomutt(home, tap.port, "INBOX", "<quit>")
        show.dialogue(tap.take())
        show.remark("14. While it is closed, others write by SQL: one message flagged, one gone, one new.")
        for job in JOBS.split(";\n"):
            for line in job.split("\n"):
                show.line("SQL: " + line)
            show.beside("%s row" % connection.run(job)[2], "")
        show.remark("15. neomutt opens INBOX again.")
        neomutt(home, tap.port, "INBOX", "<quit>")
        second = tap.take()
        show.dialogue(second)
    asked = [line for line in second if re.search(r"UID FETCH \S+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", line)]
    show.check(len(asked) == 1, "neomutt asks for what has changed since")
    at = second.index(asked[0])
    show.check(second[at + 1] == "S: * VANISHED (EARLIER) 2", "it is told of the message that is gone")
    show.check(re.match(r"S: \* 3 FETCH \(UID 4 FLAGS \(\\Flagged\) MODSEQ \(\d+\)\)$", second[at + 2]) is not None and
               " OK " in second[at + 3], "and of the one that was flagged, and of no other")
