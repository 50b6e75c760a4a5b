"""The study's own record: append-only, one JSON object a line, the only truth about it.

Everything else (Optuna's knowledge, what MLflow shows, which trials are to be continued) is made
from it. A line is on disk before anything else acts on it.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any

from study.credentials import without_credentials
from study.errors import StudyError
from study.results import Outcome, TrialHistory
from study.store.recorded_study import ARRIVALS_FOLDER, RecordedStudy
from study.store.recorded_trial import RecordedTrial, Source
from study.store.store import StorePlace

__all__ = ["ARRIVALS_FOLDER", "Record", "RecordedTrial", "Source"]


class Record(RecordedStudy):
    """The record of one study, in memory and on disk.

    Use :meth:`open` to go on writing and :meth:`read` to look.
    """

    def __init__(self) -> None:
        super().__init__()
        self._file: RawIOBase | None = None
        self._place: StorePlace | None = None
        self._size = 0

    @classmethod
    def read(cls, path: Path) -> "Record":
        """The record at ``path`` as it is now; an unfinished last line is left out.

        Raises:
            StudyError: A line before the last is damaged.
        """
        record = cls()
        record._path = path
        for number, line in enumerate(_whole_lines(path), start=1):
            try:
                record.take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise StudyError(
                    f"{path}, line {number}: cannot be read; the study's record is damaged, put "
                    f"back a copy of it or begin the study under another name"
                ) from None
            record._size += len(line)
        return record

    @classmethod
    def open(cls, path: Path, *, place: StorePlace | None = None) -> "Record":
        """The record at ``path``, made if need be, to go on with.

        A last line torn by a crash is removed.

        Args:
            path: In the study's folder.
            place: The store; else the folder above the study's.

        Raises:
            StudyError: A line before the last is damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        record = cls.read(path)
        record._place = place
        # Unbuffered: a line that could not be written must not be written later.
        record._file = path.open("ab", buffering=0)
        record._file.truncate(record._size)
        return record

    def close(self) -> None:
        """Close the file; the record can still be looked at."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin_session(self, **facts: Any) -> None:
        """A process begins, or goes on with, the study; ``facts`` are for people."""
        begun = {} if self._size else {"study_id": uuid.uuid4().hex}
        self._append({"event": "session", **begun, **facts})

    def add_trial(
        self,
        key: str,
        *,
        source: Source,
        chosen: Mapping[str, Any],
        config: Mapping[str, Any],
        proposed_by: str = "",
    ) -> RecordedTrial:
        """A new configuration is going to be tried."""
        self._append(
            {
                "event": "trial",
                "key": key,
                "number": self._next_number,
                "source": source,
                "proposed_by": proposed_by,
                "chosen": dict(chosen),
                "config": config,
            }
        )
        return self.trials[key]

    def begin_update(
        self, key: str, *, updated_from: str, config: Mapping[str, Any]
    ) -> RecordedTrial:
        """A trial is going to meet data that has arrived since, or goes on doing so.

        Args:
            key: Of the trial with the new data.
            updated_from: Key of the trial before.
            config: Of the new one, nested, its arrivals as absolute paths. Of those in the study's
                folder the record holds the names alone, so that the folder may be moved.
        """
        data, folder = config["data"], self._path.parent / ARRIVALS_FOLDER
        paths = [Path(path) for path in data["arrivals"]]
        names = [path.name if path.parent == folder else str(path) for path in paths]
        self._append(
            {
                "event": "update",
                "key": key,
                "number": self._next_number,
                "updated_from": updated_from,
                "config": {**config, "data": {**data, "arrivals": names}},
            }
        )
        return self.updates[key]

    def add_repeat(self, key: str, chosen: Mapping[str, Any]) -> None:
        """The sampler proposed once more what has a result; it is answered from here."""
        self._append({"event": "repeat", "key": key, "chosen": dict(chosen)})

    def add_refused(self, chosen: Mapping[str, Any]) -> None:
        """The sampler proposed what is known to break a constraint; it is not trained."""
        self._append({"event": "refused", "chosen": dict(chosen)})

    def add_place(self, chosen: Mapping[str, Any]) -> None:
        """Values that are to be proposed first."""
        self._append({"event": "place", "chosen": dict(chosen)})

    def add_prior(self, prior: RecordedTrial) -> None:
        """A trial of an earlier study, transferred to the sampler; it is none of this study's."""
        self._append(
            {
                "event": "prior",
                "key": prior.key,
                "chosen": dict(prior.chosen),
                "config": prior.config,
                "history": prior.history.to_dict(),
                "outcome": prior.outcome,
            }
        )

    def end_warm_start(self) -> None:
        """All that earlier studies know has been added."""
        self._append({"event": "warm"})

    def add_history(self, key: str, reported: TrialHistory) -> bool:
        """What a trial reports; records that are known already are left out.

        Returns:
            Whether anything was new.
        """
        new = reported.after(self.find(key).history)
        if not new.epochs and not new.megabatches:
            return False
        self._append({"event": "history", "key": key, "history": new.to_dict()})
        return True

    def add_outcome(self, key: str, outcome: Outcome, reason: str = "") -> None:
        """How a trial ended."""
        reason = without_credentials(reason)
        self._append({"event": "outcome", "key": key, "outcome": outcome, "reason": reason})

    def add_notice(self, key: str, text: str) -> None:
        """Something that a trial ran into and got over."""
        self._append({"event": "notice", "key": key, "text": without_credentials(text)})

    def finish(self) -> None:
        """The study has come to its end."""
        self._append({"event": "finished"})

    def reopen(self) -> None:
        """A finished study is to go on."""
        self._append({"event": "reopened"})

    @property
    def _next_number(self) -> int:
        return len(self.trials) + len(self.updates)

    @property
    def name(self) -> str:
        """The study's, which is its folder's."""
        return self._path.parent.name

    def command(self, words: str) -> str:
        """What is to be typed to do something with the study: ``app-study WORDS NAME``."""
        place = self._place or StorePlace(self._path.parent.parent)
        return place.command(words, self.name)

    def _append(self, event: dict[str, Any]) -> None:
        assert self._file is not None, "the record was opened to be looked at"
        text = json.dumps({**event, "time": round(time.time(), 3)}, separators=(",", ":"))
        line = text.encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:]) or 0
            os.fsync(self._file.fileno())
        except OSError as error:
            # What comes next must not be appended to half a line.
            self._file.truncate(self._size)
            raise StudyError(
                f"{self._path}: cannot be written ({error.strerror}); once it can, go on with the "
                f"study by: {self.command('resume')}"
            ) from error
        self._size += len(line)
        self.take(json.loads(text))


def _whole_lines(path: Path) -> Iterator[bytes]:
    """One after the other: all of them together are several times what is made of them."""
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return
