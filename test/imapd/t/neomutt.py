"""Runs neomutt in a terminal of its own, with the keys that it is to be given, to its end."""

import os
import pty
import select
import signal
import time

RC = """
set imap_user=fred imap_pass=secret imap_authenticators=plain ssl_starttls=no ssl_force_tls=no
set imap_condstore=yes imap_qresync=yes header_cache="{home}/cache/" imap_keepalive=300
set folder="{home}" record="" postponed="" mbox="" move=no tmpdir="{home}"
set quit=yes delete=yes wait_key=no mark_old=no sort=mailbox-order timeout=1
"""


def neomutt(home, port, box, keys):
    """What was on the screen; its files are in home, also from one run to the next."""
    with open(home + "/rc", "w") as file:
        file.write(RC.format(home=home))
    os.makedirs(home + "/Mail", exist_ok=True)
    os.makedirs(home + "/cache", exist_ok=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", HOME=home, LC_ALL="C.UTF-8")
        os.execvp("neomutt", ["neomutt", "-n", "-F", home + "/rc", "-f", "imap://127.0.0.1:%d/%s" % (port, box),
                              "-e", 'push "%s"' % keys])
    screen = b""
    until = time.time() + 60
    while time.time() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:
                break
        if os.waitpid(pid, os.WNOHANG)[0]:
            os.close(terminal)
            return screen
    else:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise RuntimeError("neomutt does not end: %r" % screen[-1000:])
    os.waitpid(pid, 0)
    os.close(terminal)
    return screen
