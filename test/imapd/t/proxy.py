"""Stands between the front end and PostgreSQL: counts round trips, and can cut the connection at a COMMIT."""

import os
import socket
import threading

COMMITTED = b"C\0\0\0\x0bCOMMIT\0"      # CommandComplete of a COMMIT


class Proxy:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.conninfo = "host=127.0.0.1 port=%d sslmode=disable gssencmode=disable" % self.port
        self.trips = 0          # a Sync or Query that is answered
        self.states = b""       # what each answer ends with: I idle, T in a transaction, E in one that has failed
        self.cut = None         # at the next COMMIT's answer: "before" it reaches the front end, or "after"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection((os.environ["PGHOST"], int(os.environ["PGPORT"])))
            threading.Thread(target=self.questions, args=(client, server), daemon=True).start()
            threading.Thread(target=self.answers, args=(server, client), daemon=True).start()

    def questions(self, client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass
        self.end(client, server)

    def answers(self, server, client):
        pending = b""
        try:
            while data := server.recv(65536):
                pending += data
                at = 0
                cut = None
                while cut is None and len(pending) >= at + 5:
                    end = at + int.from_bytes(pending[at + 1:at + 5], "big") + 1
                    if len(pending) < end:
                        break
                    if pending[at:end] == COMMITTED:
                        cut = self.cut
                    if pending[at:at + 1] == b"Z":          # ReadyForQuery
                        self.trips += 1
                        self.states += pending[end - 1:end]
                    if cut != "before":
                        at = end
                client.sendall(pending[:at])
                pending = pending[at:]
                if cut:
                    self.cut = None
                    return
        except OSError:
            pass
        finally:
            self.end(client, server)

    @staticmethod
    def end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
