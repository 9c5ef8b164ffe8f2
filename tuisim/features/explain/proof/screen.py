"""The proof page: three panels, each a check of the count, the gradient or the backend."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.accounting import count
from tuisim.engine.job import Job
from tuisim.features.explain.proof import view
from tuisim.features.explain.proof.proof import Proof, ProofProgress, TooLong, prove
from tuisim.features.explain.proof.view import ProofState
from tuisim.provenance import MEASURED, Provenance
from tuisim.tui.context import PageContext
from tuisim.tui.job_page import JobPage
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import zoom_bindings

COUNTED = (("predicted", Provenance.COUNTED), ("executed", Provenance.MEASURED))


class ProofScreen(JobPage[ProofProgress, Proof]):
    """A proof of the network of the context."""

    TITLE = "proof"
    HELP = (
        "Three checks: the predicted count (the ledger) against the count executed by plain Python (the tally), the gradient "
        "against central differences, and the backend against the scalar reference. Zoom the first to see every operation."
    )
    DEFAULT_CSS = """
    ProofScreen { layout: grid; grid-size: 2 3; grid-rows: 1 1fr 1fr; grid-columns: 1fr 1fr; }
    ProofScreen #proof-count { column-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "force", "force", id="proof.force", tooltip="Run the proof even if plain Python takes long"),
        *zoom_bindings("proof", "count", "gradient", "backend"),
    ]

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._ledger, self._is_forced = count(context.config), False
        self._line = ViewCanvas(view.header, id="proof-header")
        self._panels = (
            Panel(1, "predicted count = executed count", view.count_lines, id="proof-count", tag=COUNTED),
            Panel(2, "gradient", view.gradient_lines, id="proof-gradient", tag=(*MEASURED, ("parameters", Provenance.COUNTED))),
            Panel(3, "backend", view.backend_lines, id="proof-backend", tag=MEASURED),
        )

    def make_job(self) -> Job[ProofProgress, Proof]:
        """Return a job under the machine lease."""
        config, force = self.context.config, self._is_forced
        return Job("proof", lambda job: prove(config, force=force, tell=job.report), self.context.lease)

    def state(self, job: Job[ProofProgress, Proof]) -> ProofState:
        """Return what there is to see of the job."""
        failure, is_refused = (job.failure.message, isinstance(job.failure.error, TooLong)) if job.failure else ("", False)
        return ProofState(
            self.context.config, self._ledger, job.progress, job.result, failure, is_refused, job.is_waiting, int(job.seconds)
        )  # fmt: skip

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable an action only where it applies."""
        if action == "force":
            return self.job is not None and self.state(self.job).is_refused
        return super().check_action(action, parameters)

    def action_force(self) -> None:
        """Run the proof without the limit."""
        self._is_forced = True
        self.start()
