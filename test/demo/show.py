"""What the demo prints: chapters, dialogues, results beside what is made of them, and checks."""

import os
import re
import shutil
import sys

WIDTH = 52      # of what stands to the left of an answer

# Colours are for terminals whose user has nothing against them (no-color.org)
COLOURS = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
NARROW = sys.stdout.isatty() and shutil.get_terminal_size().columns < 100
STYLES = [("C:", "36"), ("S:", "32"), ("SQL:", "33"), ("# Checked:", "1;32"), ("# ", "1")]


def styled(text):
    for start, style in STYLES:
        if COLOURS and text.startswith(start):
            return "\033[%sm%s\033[0m" % (style, text)
    return text


class Show:
    """Prints chapter ONLY alone, or all of them if it is 0. The others are played, too, up to that one."""

    def __init__(self, only=0):
        self.only = only
        self.playing = 0
        self.shown = []
        self.checks = 0

    @property
    def done(self):
        return self.only and self.playing > self.only

    def heard(self):
        return not self.only or self.playing == self.only

    def line(self, text=""):
        if self.heard():
            print(styled(text.rstrip()), flush=True)

    def remark(self, text):
        """A line of its own. With a number it is the title of a chapter."""
        number = re.match(r"(\d+)\. ", text)
        if number:
            self.playing = int(number.group(1))
            if self.heard():
                self.shown.append(self.playing)
        self.line()
        self.line("# " + text)
        self.line()

    def dialogue(self, lines):
        for text in lines:
            self.line(text if len(text) < 120 else text[:116] + " ...")

    def beside(self, left, right):
        """What a query has returned, and the answer that is made of it."""
        if not self.heard():
            return
        left = "     " + left
        if NARROW and left.strip() and right:
            print(left)
            left = ""
        print((left.ljust(WIDTH) + " " + styled(right) if right and not NARROW else left + styled(right)).rstrip(),
              flush=True)

    def check(self, holds, what):
        if not holds:
            sys.exit("the demo failed: not true that " + what)
        if self.heard():
            self.checks += 1
        self.line("# Checked: " + what)
