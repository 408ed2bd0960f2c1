"""Django's PostgreSQL backend with a health check that costs no round trip.

Django asks ``SELECT 1`` on a kept connection before the first query of every request, which for short requests is a
good part of their cost. A server that went away has closed its end, and that can be seen on the socket.
"""

import select

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Nothing to read on an idle connection: it is as it was. Anything else, and after an error: ask."""
        if self.connection is not None and not self.errors_occurred and _silent(self.connection):
            return True
        return bool(super().is_usable())


def _silent(connection: "psycopg.Connection") -> bool:
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN | select.POLLRDHUP)
    except psycopg.Error:  # closed already
        return False
    return not poll.poll(0)
