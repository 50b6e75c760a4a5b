"""Who has a study at a URL: a file that its process renews, since such stores know no locks."""

import contextlib
import dataclasses
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from study.errors import OvertakenError, StorageError
from study.store.remote.remote import Remote

LEASE_FILE = "lease.json"
# Tokens with which this process has a study; of another one with its number they are none.
_OURS: set[str] = set()

LASTS_S = 120.0  # after its last renewal
RENEWED_EVERY_S = 20.0


@dataclass(frozen=True)
class Lease:
    """A process has the study, or had it.

    Attributes:
        token: Of this time that it has it.
        host: For people.
        machine: Identifies the machine and its process table; empty where nothing does.
        renewed_at: By the clock of its machine, in seconds since 1970.
    """

    token: str
    host: str
    machine: str
    pid: int
    renewed_at: float

    def lives(self, now: float) -> bool:
        """Whether the process may still be at it."""
        return now - self.renewed_at < LASTS_S and not self._is_of_the_dead()

    def _is_of_the_dead(self) -> bool:
        if not self.machine or self.machine != _this_machine():
            return False
        if self.pid == os.getpid():  # of what ran in this process's place, which is over
            return self.token not in _OURS
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


class LeaseHeldError(StorageError):
    """Another process has the study."""


class LeaseHolder:
    """This process's part: takes the lease of a study, renews it, gives it back.

    Args:
        study: The study's folder at the URL.
        pause: Sleeps so many seconds.
    """

    SETTLE_S = 1.0

    def __init__(self, study: Remote, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._file = study / LEASE_FILE
        self._pause = pause
        self._token = secrets.token_hex(8)

    def take(self) -> None:
        """Have the study from now on.

        Raises:
            LeaseHeldError: Another process has it.
            StorageError: The store refuses.
        """
        other = read_lease(self._file)
        if other is not None and self._is_renewed(other):
            raise _held(other)
        if other is not None:
            self._write()  # over one that has run out
        elif not self._file.create_bytes(self._content()):
            self._pause(self.SETTLE_S)  # one made this moment is whole by then
            if read_lease(self._file) is None:
                self._write()  # over one that died in being written
        # Where the driver makes no file exclusively the later of two has it.
        self._pause(self.SETTLE_S)
        now = read_lease(self._file)
        if now is not None and now.token != self._token:
            raise _held(now)
        _OURS.add(self._token)

    def _is_renewed(self, other: Lease) -> bool:
        """Whether a lease still counts; one that seems over is watched, for clocks differ."""
        if other.lives(time.time()):
            return True
        if other.machine and other.machine == _this_machine():
            return False  # the same clock
        self._pause(RENEWED_EVERY_S * 1.5)
        return read_lease(self._file) not in (None, other)

    def renew(self) -> None:
        """Have it for another while; to be called every :data:`RENEWED_EVERY_S`.

        Raises:
            OvertakenError: Another process took it, this one having been silent for too long.
            StorageError: The store refuses.
        """
        other = read_lease(self._file)
        if other is not None and other.token != self._token:
            raise OvertakenError(f"{other.host} (process {other.pid}) has taken it over")
        self._write()

    def give_back(self) -> None:
        """Have it no longer; where the store refuses, the lease runs out by itself."""
        _OURS.discard(self._token)
        with contextlib.suppress(StorageError):
            lease = read_lease(self._file)
            if lease is not None and lease.token == self._token:
                self._file.unlink()

    def _write(self) -> None:
        self._file.write_bytes(self._content())

    def _content(self) -> bytes:
        lease = Lease(
            self._token, socket.gethostname(), _this_machine(), os.getpid(), round(time.time(), 1)
        )
        return json.dumps(dataclasses.asdict(lease)).encode()


def read_lease(file: Remote) -> Lease | None:
    """The lease, which may be over; None without one, and for one that died in being written."""
    try:
        raw = json.loads(file.read_bytes())
        return Lease(
            token=str(raw["token"]),
            host=str(raw["host"]),
            machine=str(raw["machine"]),
            pid=int(raw["pid"]),
            renewed_at=float(raw["renewed_at"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _held(lease: Lease) -> LeaseHeldError:
    ago = max(0.0, time.time() - lease.renewed_at)
    return LeaseHeldError(
        f"on {lease.host} (process {lease.pid}), whose lease was renewed {ago:.0f} s ago; wait "
        f"for it, or stop it. A process that died counts no more after {LASTS_S:.0f} s"
    )


def _this_machine() -> str:
    """A mark of this boot of this machine and this container's processes; empty off Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
