"""A connection by libpq, which is there wherever modseq was built: no driver need be installed."""

import ctypes
import ctypes.util

pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
NOTICE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
for name, result, arguments in [
        ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
        ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
        ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
        ("PQsetNoticeProcessor", ctypes.c_void_p, [ctypes.c_void_p, NOTICE, ctypes.c_void_p]),
        ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
        ("PQclear", None, [ctypes.c_void_p]),
        ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
        ("PQresultErrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
        ("PQcmdTuples", ctypes.c_char_p, [ctypes.c_void_p]),
        ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
        ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
        ("PQfname", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
        ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int])]:
    getattr(pq, name).restype = result
    getattr(pq, name).argtypes = arguments


class Connection:
    """To where PG* in the environment say. notice is called with what the server has to say beside results."""

    def __init__(self, notice):
        self.notice = NOTICE(lambda _, text: notice(text.decode()))
        self.connection = pq.PQconnectdb(b"")
        if pq.PQstatus(self.connection) != 0:
            raise RuntimeError(pq.PQerrorMessage(self.connection).decode())
        pq.PQsetNoticeProcessor(self.connection, self.notice, None)

    def run(self, sql):
        """Columns, rows of texts (NULL is an empty one), and how many rows a statement without a result has changed."""
        result = pq.PQexec(self.connection, sql.encode())
        try:
            if pq.PQresultStatus(result) not in (1, 2):     # PGRES_COMMAND_OK, PGRES_TUPLES_OK
                raise RuntimeError(pq.PQresultErrorMessage(result).decode() + sql)
            columns = [pq.PQfname(result, i).decode() for i in range(pq.PQnfields(result))]
            rows = [[pq.PQgetvalue(result, row, i).decode() for i in range(len(columns))]
                    for row in range(pq.PQntuples(result))]
            return columns, rows, pq.PQcmdTuples(result).decode()
        finally:
            pq.PQclear(result)
