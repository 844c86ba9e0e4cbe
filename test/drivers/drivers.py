"""Runs cases.json with a driver of Python, for test/drivers/run: python3 drivers.py DRIVER

What the cases say is in docs/drivers.md. Statements have {0}, {1} for parameters, as each driver writes them otherwise.
"""

import datetime
import json
import os
import re
import select
import sys
import uuid


def numbered(sql, mark):
    return re.sub(r"\{(\d)\}", lambda m: mark(m.group(1)), sql)


class Psycopg2:
    name = "psycopg2"
    pooled = {}    # what docs/drivers.md says of poolers

    def __init__(self, **options):
        import psycopg2
        import psycopg2.extras
        psycopg2.extras.register_uuid()
        self.connection = psycopg2.connect("", **options)
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
    name = "psycopg"
    mark = "s"
    pooled = {"prepare_threshold": None}

    def __init__(self, **options):
        import psycopg
        self.connection = psycopg.connect("", autocommit=True, **options)

    def run(self, sql, *values):
        cursor = self.connection.execute(
            numbered(sql, lambda n: f"%(p{n}){self.mark}"), {f"p{n}": v for n, v in enumerate(values)})
        return cursor.fetchall() if cursor.description else []

    def state(self, error):
        return error.sqlstate


class PsycopgBinary(Psycopg):
    name = "psycopg %b"
    mark = "b"


class SQLAlchemy:
    name = "sqlalchemy"

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
    name = "asyncpg"
    pooled = {"statement_cache_size": 0}

    def __init__(self, **options):
        import asyncio
        import asyncpg
        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(asyncpg.connect(**options))

    def run(self, sql, *values):
        rows = self.loop.run_until_complete(
            self.connection.fetch(numbered(sql, lambda n: f"${int(n) + 1}"), *values))
        return [tuple(row) for row in rows]

    def state(self, error):
        return error.sqlstate


def value(said):
    """What a case says of a value, as an application would pass it"""
    if isinstance(said, list):
        return [value(element) for element in said]
    if not isinstance(said, dict):
        return said
    if "interval" in said:
        return datetime.timedelta(seconds=said["interval"])
    return uuid.UUID(said["uuid"]) if "uuid" in said else int(said["big"])


def plain(got):
    if isinstance(got, (list, tuple)):
        return [plain(element) for element in got]
    return got if got is None or isinstance(got, bool) else str(got)


failed = False


def report(name, what, right, got):
    global failed
    print(f"drivers {name}: {what} ... {'ok' if right else 'FAILED'}")
    if not right:
        print(f"    {got!r}")
        failed = True


def main(drivers):
    with open("cases.json", encoding="utf-8") as file:
        cases = json.load(file)
    for driver in drivers:
        for case in cases:
            if driver.name not in case.get("only", [driver.name]):
                continue
            try:
                got = plain(driver.run(case["sql"], *map(value, case["values"])))
                right = got == case.get("rows")
            except Exception as error:    # what it is depends on the driver
                got = error
                right = "error" in case and case["error"] in str(error) and driver.state(error) == case["state"]
            report(driver.name, case["what"], right, got)
        if "POOLER" in os.environ and hasattr(driver, "pooled"):
            through = type(driver)(host="127.0.0.1", port=int(os.environ["POOLER"]), **driver.pooled)
            got = []
            try:
                for _ in range(12):
                    through.run("BEGIN")
                    got.append(plain(through.run(cases[0]["sql"], *cases[0]["values"])))
                    through.run("COMMIT")
            except Exception as error:
                got = error
            report(driver.name, "a pooler", got == 12 * [cases[0]["rows"]], got)
        if hasattr(driver, "notified"):
            report(driver.name, "notifications", driver.notified() == 1, None)


main({"psycopg2": lambda: [Psycopg2()], "psycopg": lambda: [Psycopg(), PsycopgBinary()],
      "sqlalchemy": lambda: [SQLAlchemy()], "asyncpg": lambda: [Asyncpg()]}[sys.argv[1]]())
sys.exit(failed)
