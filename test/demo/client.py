"""The demo's real client: neomutt syncs, others write by SQL, neomutt syncs again. Prints the dialogue, and checks it.

    client.py PORT      of the front end
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../imapd/t"))
from neomutt import neomutt     # noqa: E402
from tap import Tap             # noqa: E402

JOBS = r"""
UPDATE mw_mail SET flags = flags || '{"\\Flagged"}' WHERE raw LIKE '%Subject: Invoice%';
DELETE FROM mw_mail WHERE raw LIKE '%Subject: Lottery win%';
INSERT INTO mw_mail (mailbox_id, raw)
    SELECT id, convert_to(E'From: cron@example.org\r\nSubject: Lunch?\r\n\r\nAt noon.\r\n', 'UTF8')
    FROM mw_mailbox WHERE name = 'INBOX';
""".strip()


def show(lines):
    for line in lines:
        print(line if len(line) < 120 else line[:116] + " ...")


def check(holds, what):
    if not holds:
        sys.exit("the demo failed: not true that " + what)
    print("# Checked: " + what)


def main():
    tap = Tap(int(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="modseq-demo.") as home:
        print("# 13. neomutt opens INBOX for the first time, and fetches all headers.\n")
        neomutt(home, tap.port, "INBOX", "<quit>")
        first = tap.take()
        show(first)
        print("\n# 14. While it is closed, others write by SQL: one message flagged, one gone, one new.\n")
        for line in JOBS.split("\n"):
            print("SQL: " + line)
        subprocess.run(["psql", "-Xqv", "ON_ERROR_STOP=1", "-c", JOBS], check=True)
        print("\n# 15. neomutt opens INBOX again.\n")
        neomutt(home, tap.port, "INBOX", "<quit>")
        second = tap.take()
        show(second)
    print()
    asked = [line for line in second if re.search(r"UID FETCH \S+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", line)]
    check(len(asked) == 1, "neomutt asks for what has changed since")
    at = second.index(asked[0])
    check(second[at + 1] == "S: * VANISHED (EARLIER) 2", "it is told of the message that is gone")
    check(re.match(r"S: \* 3 FETCH \(UID 4 FLAGS \(\\Flagged\) MODSEQ \(\d+\)\)$", second[at + 2]) is not None and
          " OK " in second[at + 3], "and of the one that was flagged, and of no other")


main()
