"""What docs/drivers.md says of a driver: which parameters need a cast, and what comes back.

Statements have {0}, {1} for parameters, as each driver writes them otherwise.
"""

import datetime
import re
import select
import sys
import uuid

TENANT, FIRST, SECOND = (uuid.UUID(int=n) for n in (1, 2, 3))
SECOND_OF_TIME = datetime.timedelta(seconds=1)


def numbered(sql, mark):
    return re.sub(r"\{(\d)\}", lambda m: mark(m.group(1)), sql)


class Psycopg2:
    def __init__(self):
        import psycopg2
        import psycopg2.extras
        psycopg2.extras.register_uuid()
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True

    def run(self, sql, *values):
        cursor = self.connection.cursor()
        cursor.execute(numbered(sql, lambda n: f"%(p{n})s"), {f"p{n}": v for n, v in enumerate(values)})
        return cursor.fetchall() if cursor.description else []

    def state(self, error):
        return error.pgcode

    def notified(self):
        self.run("LISTEN modseq")
        other = Psycopg2()
        other.run("INSERT INTO mail (mailbox_id) VALUES (3)")
        other.connection.close()
        select.select([self.connection.fileno()], [], [], 10)
        self.connection.poll()
        return len(self.connection.notifies)


class Psycopg:
    mark = "s"

    def __init__(self):
        import psycopg
        self.connection = psycopg.connect("", autocommit=True)

    def run(self, sql, *values):
        cursor = self.connection.execute(
            numbered(sql, lambda n: f"%(p{n}){self.mark}"), {f"p{n}": v for n, v in enumerate(values)})
        return cursor.fetchall() if cursor.description else []

    def state(self, error):
        return error.sqlstate


class PsycopgBinary(Psycopg):
    mark = "b"


class SQLAlchemy:
    def __init__(self):
        import sqlalchemy
        self.text = sqlalchemy.text
        self.connection = sqlalchemy.create_engine("postgresql+psycopg2://", isolation_level="AUTOCOMMIT").connect()

    def run(self, sql, *values):
        result = self.connection.execute(
            self.text(numbered(sql, lambda n: f":p{n}")), {f"p{n}": v for n, v in enumerate(values)})
        return [tuple(row) for row in result] if result.returns_rows else []

    def state(self, error):
        return error.orig.pgcode


class Asyncpg:
    def __init__(self):
        import asyncio
        import asyncpg
        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(asyncpg.connect())

    def run(self, sql, *values):
        rows = self.loop.run_until_complete(
            self.connection.fetch(numbered(sql, lambda n: f"${int(n) + 1}"), *values))
        return [tuple(row) for row in rows]

    def state(self, error):
        return error.sqlstate


class Tests:
    def __init__(self, name, driver):
        self.name = name
        self.driver = driver
        self.failed = False
        self.uidvalidity = driver.run("SELECT uidvalidity FROM modseq.status('mail', CAST('1' AS bigint))")[0][0]

    def report(self, what, right, got):
        print(f"drivers {self.name}: {what} ... {'ok' if right else 'FAILED'}")
        if not right:
            print(f"    {got!r}")
            self.failed = True

    def gives(self, what, expected, sql, *values):
        try:
            got = self.driver.run(sql, *values)
        except Exception as error:    # what it is depends on the driver
            got = error
        self.report(what, got == expected, got)

    def fails(self, what, words, state, sql, *values):
        try:
            got = self.driver.run(sql, *values)
            self.report(what, False, got)
        except Exception as error:
            self.report(what, words in str(error) and self.driver.state(error) == state, error)

    def with_casts(self):
        """These are for all drivers"""
        self.gives("a mailbox", [(6,)], "SELECT uidnext FROM modseq.status('mail', CAST({0} AS bigint))", 1)
        self.gives("a list", [(1, 6), (2, 1)],
                   "SELECT mailbox, uidnext FROM modseq.status('mail', CAST({0} AS bigint[]))", [1, 2])
        self.gives("an empty list", [], "SELECT mailbox FROM modseq.lock('mail', CAST({0} AS bigint[]))", [])
        self.gives("a list of uuids", [(FIRST,), (SECOND,)],
                   "SELECT mailbox FROM modseq.status('note', CAST({0} AS uuid[]))", [FIRST, SECOND])
        self.gives("a key of two columns", [(1,)],
                   "SELECT uidnext FROM modseq.status('letter', CAST({0} AS text[]))", [str(TENANT), str(FIRST)])
        self.gives("a list of such keys", [([str(TENANT), str(SECOND)], 1), ([str(TENANT), str(FIRST)], 1)],
                   "SELECT mailbox, uidnext FROM modseq.lock('letter', CAST({0} AS text[]))",
                   [[str(TENANT), str(SECOND)], [str(TENANT), str(FIRST)]])
        self.gives("sets, and none", [("ok", "3", "1:2"), ("ok", "3", "1:2,4:5")], """
            SELECT verdict, vanished, changed FROM modseq.resync('mail', CAST({0} AS bigint), CAST({1} AS bigint),
                CAST({2} AS bigint), CAST({3} AS modseq.uidset))
            UNION ALL
            SELECT verdict, vanished, changed FROM modseq.resync('mail', CAST({0} AS bigint), CAST({1} AS bigint),
                CAST({2} AS bigint), CAST({4} AS modseq.uidset))""", 1, self.uidvalidity, 1, "1:3", None)
        self.gives("a condition", [(1,), (2,)], """
            SELECT uid FROM mail WHERE mailbox_id = {0} AND uid OPERATOR(modseq.<@) CAST({1} AS modseq.uidset)
            ORDER BY uid""", 1, "1:3")
        self.gives("flags", [(["\\Seen"],)], """
            UPDATE mail SET flags = CAST({0} AS text[]) WHERE mailbox_id = {1} AND uid = 5
                AND NOT flags @> CAST({0} AS text[]) RETURNING flags""", ["\\Seen"], 1)
        self.gives("an interval", [(True,)],
                   "SELECT modseq.wait_for('mail', CAST({0} AS bigint), CAST({1} AS bigint), CAST({2} AS interval))",
                   1, 1, SECOND_OF_TIME)
        self.driver.run("UPDATE mail SET flags = '{}' WHERE uid = 5")

    def has_types(self):
        """Of psycopg, which knows what is an integer and what a UUID"""
        self.gives("a mailbox without a cast", [(6,)], "SELECT uidnext FROM modseq.status('mail', {0})", 1)
        self.gives("a uuid without a cast", [(1,)], "SELECT uidnext FROM modseq.status('note', {0})", FIRST)
        self.gives("a list without a cast", [(1,), (2,)], "SELECT mailbox FROM modseq.status('mail', {0})", [1, 2])
        self.fails("no mod-sequence, without a cast", "function modseq.changed_since(unknown, integer, numeric) does not exist",
                   "42883", "SELECT uid FROM modseq.changed_since('mail', 1, {0})", 2 ** 63)
        self.fails("no mod-sequence", "out of range", "22003",
                   "SELECT uid FROM modseq.changed_since('mail', 1, CAST({0} AS bigint))", 2 ** 63)
        self.fails("an empty list without a cast", 'mailbox key "{}" is an array without a type', "22P02",
                   "SELECT uidnext FROM modseq.status('mail', {0})", [])


def main(name):
    if name == "psycopg2":
        tests = Tests(name, Psycopg2())
        tests.with_casts()
        tests.has_types()
        tests.report("notifications", tests.driver.notified() == 1, None)
        return tests.failed
    if name == "psycopg":
        tests = Tests(name, Psycopg())
        tests.with_casts()
        tests.has_types()
        tests.fails("a list of strings without a cast", "is an array without a type", "22P02",
                    "SELECT uidnext FROM modseq.status('note', {0})", [str(FIRST), str(SECOND)])
        binary = Tests(name + " %b", PsycopgBinary())
        binary.with_casts()
        binary.fails("a set without a cast", "function modseq.changed_since(unknown, bigint, bigint, text) does not exist",
                     "42883", "SELECT * FROM modseq.changed_since('mail', CAST({0} AS bigint), CAST({1} AS bigint), {2})",
                     1, 1, "1:3")
        return tests.failed or binary.failed
    if name == "sqlalchemy":
        tests = Tests(name, SQLAlchemy())
        tests.with_casts()
        tests.has_types()
        tests.fails("a cast with colons", 'syntax error at or near ":"', "42601",
                    "SELECT uid FROM mail WHERE uid OPERATOR(modseq.<@) {0}::modseq.uidset", "1:3")
        return tests.failed
    if name == "asyncpg":
        tests = Tests(name, Asyncpg())
        tests.with_casts()
        tests.fails("a mailbox without a cast", "expected str, got int", "22000",
                    "SELECT uidnext FROM modseq.status('mail', {0})", 1)
        return tests.failed
    sys.exit(f"no such driver: {name}")


sys.exit(main(sys.argv[1]))
