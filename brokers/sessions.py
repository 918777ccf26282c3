"""Sessions of the back office: each use moves their end, written at most once a minute."""

from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

_WRITTEN_EVERY = timedelta(seconds=60)


class SessionStore(db.SessionStore):
    """A session that ends SESSION_COOKIE_AGE after its last use, a minute at most before that."""

    def load(self) -> dict[str, Any]:
        """The session as stored; used a minute after its last write, it is written again."""
        row = self._get_session_from_db()  # type: ignore[attr-defined]
        if row is None:
            return {}
        full = timedelta(seconds=self.get_session_cookie_age())
        if row.expire_date < timezone.now() + full - _WRITTEN_EVERY:
            self.modified = True
        stored: dict[str, Any] = self.decode(row.session_data)
        return stored
