"""How many connections to the backend there may be at once, and how many there are."""

from __future__ import annotations

import threading


class ConnectionLimiter:
    """Room for ``total`` connections."""

    def __init__(self, total: int) -> None:
        """Start empty."""
        self.total = total
        self.taken = 0
        self._changed = threading.Condition()

    def enter(self, timeout: float | None) -> bool:
        """Take a place, waiting at most ``timeout`` seconds for one (None: as long as it takes); tell if there was."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.taken < self.total, timeout):
                return False
            self.taken += 1
            return True

    def leave(self) -> None:
        """Give a place back."""
        with self._changed:
            self.taken -= 1
            self._changed.notify()
