"""Questions to a warehouse: a new session costs the server more than most of them, so one stays open per warehouse."""

import os
import threading
from typing import Any

import psycopg

Session = psycopg.Connection[tuple[Any, ...]]

_sessions: dict[tuple[str, int], Session] = {}


def ask(url: str, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The rows of one ``select`` that sets nothing: what a session would keep of another must not meet the next.

    Args:
        url: Whom to ask. A warehouse that was dropped and made anew, or restarted, is connected to again.
    """
    session = _session(url)
    try:
        return session.execute(statement, parameters).fetchall()
    except psycopg.OperationalError:
        if not session.broken:
            raise
        return _session(url).execute(statement, parameters).fetchall()


def forget(url: str) -> None:
    """Close the sessions of a warehouse: no other can be made in its likeness while one is open."""
    for key in [key for key in _sessions if key[0] == url]:
        _sessions.pop(key).close()


def _session(url: str) -> Session:
    """This thread's session with a warehouse."""
    key = url, threading.get_ident()
    session = _sessions.get(key)
    if session is None or session.closed:
        session = _sessions[key] = psycopg.connect(url, autocommit=True)
    return session


def _forget_here() -> None:
    """Close this thread's sessions: a forked process would answer and end them in its parent's place."""
    for key in [key for key in _sessions if key[1] == threading.get_ident()]:
        _sessions.pop(key).close()


os.register_at_fork(before=_forget_here)
