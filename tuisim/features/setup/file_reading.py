"""The reading of the form's data file on a thread; the newest request wins."""

from __future__ import annotations

from tuisim.config import RunConfig
from tuisim.data import shape
from tuisim.engine.job import Job
from tuisim.errors import printable
from tuisim.stages import Stages


class FileReading:
    """Reads the file of the latest run that was requested, once for all runs that read it alike."""

    def __init__(self) -> None:
        self.failure = ""
        """The reason why the file requested last cannot be read now; a lasting reason is kept with its shape."""
        self._key: object = None
        self._name = ""
        self._job: Job[None, None] | None = None
        self._stages = Stages()

    @property
    def words(self) -> str:
        """The file that is being read and its progress, as text; empty if no file is."""
        if self._job is None:
            return ""
        progress = next((stage.progress for stage in self._stages.now() if stage.progress), "")
        return f"reading {self._name}" + (f": {progress}" if progress else " …")

    def words_for(self, config: RunConfig | None) -> str:
        """Return the text on the file of a run: the reading progress or, once it is read, its name and its number of rows."""
        found = None if config is None else shape.known(config)
        if self._job is not None or config is None or found is None or found.rows is None:
            return self.words
        return f"{_name(config)} · {found.rows:,} rows"

    def request(self, config: RunConfig | None) -> None:
        """Read the file of a run unless its shape is known; None for no run. The reading of another file is cancelled."""
        key = None if config is None or shape.is_known(config) else shape.reading_key(config)
        if key == self._key:
            return
        self.cancel()
        self._key = key
        if key is not None and config is not None:
            self._name = _name(config)
            self._job = self._started(config)

    def _started(self, config: RunConfig) -> Job[None, None]:
        def work(job: Job[None, None]) -> None:
            with self._stages.stage("data"):
                shape.of_file(config)

        job: Job[None, None] = Job("read file", work)
        self._stages = Stages(check=job.check)
        job.start()
        return job

    def is_finished(self) -> bool:
        """Return True at the first call after a reading has ended, with or without success."""
        job = self._job
        if job is None or job.is_alive:
            return False
        self._job = None
        self.failure = "" if job.failure is None else job.failure.message
        return True

    def cancel(self) -> None:
        """Cancel the reading in progress."""
        if self._job is not None:
            self._job.cancel()
        self._job, self._key, self.failure = None, None, ""


def _name(config: RunConfig) -> str:
    return printable(config.dataset.replace("\\", "/").rpartition("/")[2], 40)
