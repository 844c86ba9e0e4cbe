"""Plays dialogues.txt, which says how it is to be read: chapters 1 to 11 of the demo."""

import os
import re

from libpq import Connection


def parse(text):
    """Items: the first word of a line, and what comes with it. SQL goes on to the end of its statement."""
    items = []
    sql = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if not sql:
            if word in ("", "--"):
                continue
            if word in ("#", "C:", "S:", "S*", "?"):
                items.append((word, rest))
                continue
            kind = "~" if word == "~" else "SQL"
        sql.append(rest if not sql and kind == "~" else line)
        whole = "\n".join(sql)
        if re.search(r";( *--.*)?$", line) and whole.count("$$") % 2 == 0:
            items.append((kind, whole))
            sql = []
    return items


class Player:
    def __init__(self, show):
        self.show = show
        self.values = {}
        self.connection = Connection(lambda text: show.line("# " + re.sub(r"^NOTICE: +", "", text.strip())))

    def fill(self, text, values=None):
        """:name is a value of that name, and :'name' the same as a literal."""
        values = values or self.values

        def value(match):
            quote, name = match.groups()
            return "'%s'" % values[name].replace("'", "''") if quote else values[name]
        return re.sub(r"(?<![:\w]):('?)([a-z_]+)\1", value, text)

    def run(self, sql):
        columns, rows, changed = self.connection.run(sql)
        for row in rows[-1:]:
            self.values.update(zip(columns, row))
        return columns, rows, changed

    def play(self, items):
        while items and not self.show.done:
            word, text = items.pop(0)
            if word == "#":
                self.show.remark(text)
            elif word == "~":
                self.run(self.fill(text))
            elif word == "?":
                condition, _, what = text.partition(" -- ")
                _, rows, _ = self.connection.run("SELECT " + self.fill(condition))
                self.show.check(rows == [["t"]], what)
            elif word == "SQL":
                self.statement(text, items)
            else:
                self.say(word, text)

    def say(self, word, text):
        if word == "S:":
            self.show.beside("", self.fill("S: " + text))
        else:
            self.show.line(self.fill(word + " " + text))

    def statement(self, text, items):
        """The statement; and what it returns, beside the answers that follow."""
        sql = self.fill(text)
        for line in sql.split("\n"):
            self.show.line("SQL: " + line)
        columns, rows, changed = self.run(sql)
        if not columns:
            if changed and not text.startswith("SELECT"):
                self.show.beside("%s row%s" % (changed, "" if changed == "1" else "s"), "")
        elif items and items[0][0] == "S*":
            template = "S: " + items.pop(0)[1]
            for row in rows:
                values = dict(zip(columns, row))
                if "flags" in values:
                    values["flags"] = re.sub(r'"|\\(?=\\)', "", values["flags"])    # an array's text, without quotes
                told = {name: re.sub("[{}]", "", value).replace(",", " ") for name, value in values.items()}
                self.show.beside(self.told(values, columns), self.fill(template, told))
            if not rows:
                self.show.beside("(0 rows)", "")
        elif len(rows) == 1:
            self.columns(columns, items)
        else:
            for row in rows:
                self.show.beside(self.told(dict(zip(columns, row)), columns), "")

    def columns(self, columns, items):
        """A row: columns beside the answer that has them, and others before."""
        count = next((i for i, item in enumerate(items) if item[0] != "S:"), len(items))
        answers = [text for _, text in items[:count]]
        del items[:count]
        uses = [[name for name in columns if re.search(r":%s\b" % name, text)] for text in answers]
        alone = [name for name in columns if not any(name in names for names in uses)]
        if alone:
            self.show.beside(self.told(self.values, alone), "")
        for names, text in zip(uses, answers):
            self.show.beside(self.told(self.values, names), self.fill("S: " + text))

    @staticmethod
    def told(values, names):
        return ", ".join("%s %s" % (name, values[name] or "''") for name in names)


def play(show):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dialogues.txt")) as file:
        Player(show).play(parse(file.read()))
