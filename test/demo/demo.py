"""The demo, once its servers run: all chapters, or the one that DEMO names; and then what was shown."""

import os
import signal
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(here, "../imapd/t"), os.path.join(here, "../jmapd/t")]

import dialogues        # noqa: E402
from show import Show   # noqa: E402

PARTS = [(1, 11, "the SQL behind IMAP commands"),
         (12, 15, "neomutt, a mail client, synced by the IMAP front end"),
         (16, 18, "IMAP and JMAP on one mailbox")]


def chapters(numbers):
    if len(numbers) == 1:
        return "chapter %d" % numbers[0]
    return "chapters %d to %d" % (numbers[0], numbers[-1])


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)   # its output may be cut off by head
    only = int(os.environ.get("DEMO") or 0)
    show = Show(only)
    if only <= 11:
        mail = os.environ["PGDATABASE"]
        os.environ["PGDATABASE"] = "modseq_demo"
        dialogues.play(show)
        os.environ["PGDATABASE"] = mail
    if not only or only > 11:
        import both     # which need the servers
        import client
        client.play(show, int(os.environ["IMAPD_PORT"]))
        if not show.done and only not in range(12, 16):
            both.play(show)

    print()
    print("# Shown:")
    for first, last, what in PARTS:
        numbers = [number for number in show.shown if first <= number <= last]
        if numbers:
            print("#   %s: %s" % (chapters(numbers), what))
    if show.checks:
        print("# %d check%s passed, none failed." % (show.checks, "" if show.checks == 1 else "s"))


main()
