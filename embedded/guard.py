"""Starts a program that ends when the supervisor does, even if that one is killed with -9.

Used as `python -I -S guard.py PARENT SIGNAL UID GID PROGRAM ARGUMENT…`: it steps down to the given
account, asks the kernel to send SIGNAL when the parent dies, and becomes PROGRAM. The request has
to be made by the child itself and after the change of account, which clears it. Outside Linux
there is no such request; leftovers are then found by their pid files at the next start.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program that the arguments describe."""
    parent, death_signal, uid, gid = map(int, arguments[:4])
    command = arguments[4:]
    if os.geteuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("The supervisor ended before its child was started.")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
