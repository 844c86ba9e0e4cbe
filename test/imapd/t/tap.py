"""Stands between a client and a server, and writes the dialogue down."""

import socket
import threading


class Tap:
    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lines = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pump, args=("C: ", client, server), daemon=True).start()
            threading.Thread(target=self.pump, args=("S: ", server, client), daemon=True).start()

    def pump(self, who, source, target):
        rest = b""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                # before it is passed on, so that an answer never precedes its question
                self.lines += [who + line.decode("latin1").rstrip("\r") for line in lines]
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def take(self):
        """What was said since the last time."""
        lines, self.lines = self.lines, []
        return lines
