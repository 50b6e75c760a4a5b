"""A store of runs in memory, for tests."""

import threading
import time

from study.tracking.metric_points import MetricPoint
from study.tracking.run_store import RUNNING, StoredRun
from study.tracking.tracker import TrackingError


class MemoryStore:
    """Runs as a database holds them, which fails as told: before or after it has done its work."""

    address = "memory"

    def __init__(self, faults=()):
        self._faults = iter(faults)
        self.runs = {}
        self.views = {}
        self.log = []  # (run, metric, step) in order of arrival
        self.is_away = threading.Event()
        self.hangs = threading.Event()
        self.is_hanging = False
        self.num_calls = 0

    def _do(self, work):
        self.num_calls += 1
        fault = "away" if self.is_away.is_set() else next(self._faults, None)
        while self.hangs.is_set():
            self.is_hanging = True
            time.sleep(0.001)
        self.is_hanging = False
        if fault in ("before", "away"):
            raise TrackingError("database is locked")
        answer = work()
        if fault == "after":
            raise ConnectionResetError("the answer was lost")
        return answer

    def find(self, tags, status=None):
        def work():
            return [
                StoredRun(
                    i,
                    r["status"],
                    0,
                    dict(r["tags"]),
                    dict(r["params"]),
                    dict.fromkeys(r["names"], 0.0),
                )
                for i, r in self.runs.items()
                if tags.items() <= r["tags"].items() and status in (None, r["status"])
            ]

        return self._do(work)

    def create(self, title, tags, *, started_at):
        def work():
            run_id = str(len(self.runs))
            run = dict(
                status=RUNNING, tags=dict(tags), params={}, names=set(), points={}, files={}
            )
            self.runs[run_id] = run | {"title": title, "started_at": started_at}
            return StoredRun(run_id, RUNNING, 0, tags, {}, {})

        return self._do(work)

    def remove(self, run_id):
        self._do(lambda: self.runs.pop(run_id, None))

    def reopen(self, run, tags):
        def work():
            self.runs[run.run_id]["tags"] |= tags
            self.runs[run.run_id]["status"] = RUNNING

        self._do(work)

    def set_tags(self, run_id, tags):
        self._do(lambda: self.runs[run_id]["tags"].update(tags))

    def save_view(self, key, view):
        self._do(lambda: self.views.setdefault(key, view))

    def remove_tag(self, run_id, tag):
        self._do(lambda: self.runs[run_id]["tags"].pop(tag))

    def log_params(self, run_id, params, metrics):
        metrics = list(metrics)

        def work():
            self.runs[run_id]["params"] |= params
            self.runs[run_id]["names"] |= {p.name for p in metrics}

        self._do(work)

    def log_metrics(self, run_id, points):
        points = list(points)

        def work():
            run = self.runs[run_id]
            for p in points:
                run["names"].add(p.name)
                # As MLflow's tables: the same value at the same time is one row.
                run["points"].setdefault((p.name, p.step), set()).add((p.value, p.time))
                self.log.append((run_id, p.name, p.step))

        self._do(work)

    def add_dataset(self, run_id, dataset):
        self._do(lambda: self.runs[run_id].update(dataset=dataset))

    def logged(self, run_id, metric_names):
        names = set(metric_names)
        return self._do(lambda: frozenset(k for k in self.runs[run_id]["points"] if k[0] in names))

    def metric_names(self, run_id):
        return self._do(lambda: frozenset(self.runs[run_id]["names"]))

    def points(self, run_id):
        def work():
            points = self.runs[run_id]["points"]
            return [
                MetricPoint(name, value, step)
                for (name, step), values in points.items()
                for value, _ in values
            ]

        return self._do(work)

    def log_text(self, run_id, text, artifact):
        self._do(lambda: self.runs[run_id]["files"].update({artifact: text}))

    def log_folder(self, run_id, folder):
        files = {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*.parquet")}
        self._do(lambda: self.runs[run_id]["files"].update(files))

    def close(self, run_id, tags, status, *, ended_at):
        def work():
            self.runs[run_id]["tags"] |= tags
            self.runs[run_id].update(status=status, ended_at=ended_at)

        self._do(work)
