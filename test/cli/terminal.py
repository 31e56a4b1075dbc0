"""Runs a program on a terminal of its own: what the program writes goes to standard output.

Usage: python3 terminal.py WORDS ANSWER PROGRAM ARGUMENTS...    (the answer is typed when the program has written the words)
"""

import os
import pty
import sys

words, answer, *command = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)

shown = b""
is_answered = False
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # Linux's way of saying that nobody has the terminal open any more.
        break
    if not piece:
        break
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    shown += piece
    if not is_answered and words.encode() in shown:
        is_answered = True
        os.write(terminal, answer.encode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
