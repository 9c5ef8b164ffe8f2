"""The seven claims of the answer, each with its figures for one network and a verdict.

Counted figures are there at once; measured figures are passed in, and empty until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from tuisim import units
from tuisim.accounting import Ledger, Operations, count
from tuisim.accounting.operations import share
from tuisim.config import RunConfig
from tuisim.engine.step_time import StepTime
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, MULTIPLY, ElementTime
from tuisim.features.explain.answer.figures import Figure, FigureColumn, FigureRow, FigureTable
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance
from tuisim.units import layers_text

NETWORKS = ((30, 30, 30), (64, 32, 10), (784, 128, 10), (784, 1024, 1024, 10), (784, 4096, 4096, 10))
"""Networks to compare with: the question's, the digits', and three larger ones."""
BATCHES = (1, 32)
"""The ratio is shown at these and at the configured batch."""
VOLUME = (1_000_000, 100)
"""Examples and epochs of a typical large run."""
MILLISECOND = 1e-3
SMALL_FACTOR = 10
"""Times the naive count, below which the step is a small factor more."""
CLEARLY = 1.1
"""Times a multiplication, above which a function clearly costs more; below, the difference is noise."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured figures; empty if not measured yet."""

    steps: tuple[StepTime, ...] = ()
    functions: tuple[ElementTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, its figures, and the verdict."""

    id: str
    claim: str
    """The claim in short."""
    table: FigureTable
    verdict: str
    """In words; empty until its figures are known."""
    holds: bool | None
    """True if the claim holds for this network on this machine; None if in part, or if unknown."""

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures by dotted name, `row.column`."""
        columns = self.table.columns
        return {
            f"{row.key}.{column.key}": figure
            for row in self.table.rows
            for column, figure in zip(columns, row.figures, strict=True)
            if figure is not None
        }


def claims(config: RunConfig, measured: Measured = Measured()) -> tuple[Claim, ...]:
    """Return S1 to S7 for `config`."""
    ledger = count(config)
    return (
        _layers(ledger),
        _backward(ledger),
        _trivial(ledger, measured.steps),
        _repeats(ledger, measured.steps),
        _bigger(ledger),
        _functions(config, measured.functions),
        _ratio(ledger),
    )


def _table(heading: str, rows: Iterable[FigureRow], *columns: tuple[str, str] | tuple[str, str, bool]) -> FigureTable:
    """Return a table; a column is its key, its title, and True if it is left out first when there is no room."""
    return FigureTable(heading, tuple(FigureColumn(*column) for column in columns), tuple(rows))


def _counted(value: float | None, how: str = "") -> Figure:
    return Figure(value, Provenance.COUNTED, how=how)


def _measured(value: float | None, unit: str) -> Figure:
    return Figure(value, Provenance.MEASURED, unit)


def _layers(ledger: Ledger) -> Claim:
    """Return S1: the forward pass of each layer, per example."""
    rows, exact = [], True
    pairs = list(pairwise(ledger.layers))
    for layer, (n, m) in enumerate(pairs, 1):
        own = (row.operations for row in ledger.rows if row.phase is Phase.FORWARD and row.layer == layer)
        done = sum(own, Operations())
        products, sums, functions = (share(v, ledger.batch) for v in (done.multiply, done.add, done.activation))
        name = ledger.config.activations[layer - 1]
        exact = exact and (products, sums) == (n * m, n * m) and functions == (0 if name == "identity" else m)
        figures = _counted(products, f"{n:,}·{m:,}"), _counted(m), _counted(n + 1), _counted(sums, f"{m:,}·{n:,}")
        rows.append(FigureRow(f"layer_{layer}", f"{layer}  {n:,} → {m:,}", (*figures, _counted(functions)), name))
    total = ledger.per_step[Phase.FORWARD]
    products, additions, functions = (share(v, ledger.batch) for v in (total.multiply, total.add, total.activation))
    sums_of_all = sum(m for _, m in pairs)
    total_figures = _counted(products), _counted(sums_of_all), None, _counted(additions), _counted(functions)
    rows.append(FigureRow("layers", "total", total_figures, stressed=True))
    table = _table(
        "layer", rows, ("products", "multiply N·M"), ("sums", "sums M"), ("terms", "of N+1 terms", True),
        ("additions", "additions M·N", True), ("functions", "activations"),
    )  # fmt: skip
    verdict = (
        f"{units.count(products)} multiplications, {units.count(sums_of_all)} sums with {units.count(additions)} additions and "
        f"{units.count(functions)} activations: {units.count(share(total.total, ledger.batch))} operations in the forward pass"
    )
    said = "A layer is aⱼ = f(bⱼ + Σ Wᵢⱼ·xᵢ): N·M products, M sums of N + 1 terms, M evaluations of f."
    return Claim("S1", said, table, verdict, exact)


def _backward(ledger: Ledger) -> Claim:
    """Return S2: the backward pass and the update, per example."""
    merged: dict[tuple[Phase, str], tuple[Kind, str, Operations]] = {}
    for row in ledger.rows:
        if row.phase in (Phase.BACKWARD, Phase.UPDATE):
            kind, formula, before = merged.get((row.phase, row.what), (row.kind, row.formula, Operations()))
            merged[row.phase, row.what] = kind, formula, before + row.operations
    rows = [_costs(kind.value, what, n, ledger.batch, formula) for (_, what), (kind, formula, n) in merged.items()]
    back, update, forward = (ledger.per_step[phase] for phase in (Phase.BACKWARD, Phase.UPDATE, Phase.FORWARD))
    rows.append(_costs("backward_and_update", "total", back + update, ledger.batch, stressed=True))
    alone = share(ledger.parameters * forward.total, ledger.batch)
    rows.append(
        FigureRow("without_reuse", "without reuse", (None, None, None, None, _counted(alone)), "one forward pass per derivative")
    )
    titles = ("multiply", "add", "derivative", "other", "operations")
    table = _table("backward, update", rows, *((title, title, title in ("derivative", "other")) for title in titles))
    verdict = (
        f"{units.count(ledger.parameters)} derivatives, one for each weight and bias, take "
        f"{units.count(share(back.total, ledger.batch))} operations, {back.total / forward.total:.2f} × the forward pass, since "
        f"intermediate results are reused; with the update the step is {ledger.ratio_to_naive:.2f} × the naive count of "
        f"{units.count(ledger.naive)}"
    )
    said = "Backward needs one derivative per weight and bias, at a small multiple of the forward cost, since results are reused."
    return Claim("S2", said, table, verdict, ledger.ratio_to_naive < SMALL_FACTOR)


def _costs(key: str, label: str, n: Operations, batch: int, formula: str = "", stressed: bool = False) -> FigureRow:
    other = n.total - n.multiply - n.add - n.derivative
    values = (share(v, batch) for v in (n.multiply, n.add, n.derivative, other, n.total))
    return FigureRow(key, label, tuple(_counted(value) for value in values), formula, stressed)


def _trivial(ledger: Ledger, steps: tuple[StepTime, ...]) -> Claim:
    """Return S3: the measured time of the step."""
    table = _table(
        "backend", [_timed(ledger, step) for step in steps], ("seconds_per_step", f"step, batch {ledger.batch:,}"),
        ("spread_seconds", "±"), ("seconds_per_example", "per example"), ("operations_per_second", "speed", True),
    )  # fmt: skip
    known = {step.backend: step.seconds / ledger.batch for step in steps if step.seconds is not None}
    said = "So few operations take less than a millisecond."
    if not known:
        return Claim("S3", said, table, "no backend could run the step" if steps else "", None)
    verdict = "; ".join(
        f"{'under' if seconds < MILLISECOND else 'over'} a millisecond with {name} ({units.duration(seconds)} per example)"
        for name, seconds in known.items()
    )
    return Claim("S3", said, table, verdict, min(known.values()) < MILLISECOND)


def _timed(ledger: Ledger, step: StepTime) -> FigureRow:
    each = speed = None
    if step.seconds is not None:
        each, speed = step.seconds / ledger.batch, ledger.step_total.total / step.seconds
    times = (_measured(seconds, "s") for seconds in (step.seconds, step.spread, each))
    return FigureRow(step.backend, step.backend, (*times, _measured(speed, "op/s")), step.reason or step.device)


def _repeats(ledger: Ledger, steps: tuple[StepTime, ...]) -> Claim:
    """Return S4: operations and projected time of all examples and epochs."""
    times = {step.backend: step.seconds for step in steps if step.seconds is not None}
    rows = [_volume("epoch", "one epoch of this run", ledger, ledger.examples, 1, times)]
    if ledger.epochs is not None:
        rows.append(_volume("run", "the whole run", ledger, ledger.examples, ledger.epochs, times))
    larger = count(replace(ledger.config, dataset="teacher", examples=VOLUME[0], epochs=VOLUME[1]))
    rows.append(_volume("volume", "a larger run", larger, *VOLUME, times))
    said = "All these operations are repeated for every example."
    timed = [(f"seconds_{name}", f"with {name}") for name in times]
    table = _table("volume", rows, ("examples", "examples"), ("epochs", "epochs", True), ("operations", "operations"), *timed)
    if ledger.examples is None:
        return Claim("S4", said, table, "the number of examples is known once the file is read", None)
    verdict = "; ".join(_volume_words(row, list(times)) for row in rows)
    return Claim("S4", said, table, verdict, ledger.examples > 1)


def _volume(key: str, label: str, ledger: Ledger, examples: int | None, epochs: int, times: dict[str, float]) -> FigureRow:
    epoch = ledger.per_epoch
    operations = None if epoch is None else epochs * sum(n.total for n in epoch.values())
    stepped = None if ledger.steps_per_epoch is None else epochs * ledger.steps_per_epoch
    projected = (None if stepped is None else seconds * stepped for seconds in times.values())
    figures = Figure(examples, Provenance.GIVEN), Figure(epochs, Provenance.GIVEN), _counted(operations)
    return FigureRow(key, label, (*figures, *(Figure(seconds, Provenance.PROJECTED, "s") for seconds in projected)))


def _volume_words(row: FigureRow, backends: list[str]) -> str:
    examples, epochs, operations, *seconds = (figure for figure in row.figures if figure is not None)
    times = [f"{figure.text} with {name}" for name, figure in zip(backends, seconds, strict=True) if figure.text]
    of = f"{examples.text} examples" + (f" × {epochs.text} epochs" if epochs.value != 1 else "")
    return f"{of}: {units.si(operations.value)} operations" + (f", {' or '.join(times)}" if times else "")


def _bigger(ledger: Ledger) -> Claim:
    """Return S5: the count of larger networks."""
    here = ledger.layers
    networks = sorted({*NETWORKS, here}, key=lambda layers: sum(n * m for n, m in pairwise(layers)))
    config = ledger.config
    name = config.hidden_activation if isinstance(config.hidden_activation, str) else config.hidden_activation[0]
    rows, most = [], 0.0
    mine = share(ledger.step_total_without_loss.total, ledger.batch)
    for layers in networks:
        other = ledger if layers == here else _at(replace(config, layers=layers, hidden_activation=name), ledger.batch)
        forward, step = (share(n.total, ledger.batch) for n in (other.per_step[Phase.FORWARD], other.step_total_without_loss))
        most = max(most, forward)
        figures = _counted(other.parameters), _counted(forward), _counted(step)
        text = layers_text(layers) if len(layers) <= 8 else f"{layers[0]:,} … {layers[-1]:,}"
        ratio = Figure(step / mine, Provenance.COUNTED, "×")
        rows.append(
            FigureRow(layers_text(layers), text, (*figures, ratio), "this network" if layers == here else "", layers == here)
        )
    table = _table(
        "network, per example", rows, ("parameters", "parameters", True), ("forward", "forward"), ("step", "whole step"),
        ("ratio", "× this network"),
    )  # fmt: skip
    own = share(ledger.per_step[Phase.FORWARD].total, ledger.batch)
    times = f", {most / own:,.0f} × this network's" if most > own else ", and that is this network"
    verdict = f"up to {units.si(most)} operations in one forward pass{times}; any size can be counted without training"
    said = "Real networks are far bigger: millions of operations in one forward pass."
    return Claim("S5", said, table, verdict, most >= 1e6)


def _functions(config: RunConfig, times: tuple[ElementTime, ...]) -> Claim:
    """Return S6: the time of an activation relative to a multiplication."""
    by_name: dict[str, dict[int, ElementTime]] = {}
    for time in times:
        by_name.setdefault(time.function, {})[time.elements] = time
    rows = []
    for name, sizes in by_name.items():
        figures = (
            _measured(value, unit)
            for elements in (CACHED, LARGE)
            for value, unit in ((sizes[elements].seconds, "s"), (sizes[elements].ratio, "×"))
        )
        note = "used here" if name in config.activations else ""
        rows.append(FigureRow(name, "one multiplication" if name == MULTIPLY else name, tuple(figures), note, bool(note)))
    said = "Activation functions are slower than a multiplication."
    table = _table(
        "per element, float32", rows, ("seconds_in_cache", "in cache"), ("ratio_in_cache", "× multiply"),
        ("seconds_from_memory", "from memory", True), ("ratio_from_memory", "× multiply", True),
    )  # fmt: skip
    if not times:
        return Claim("S6", said, table, "", None)
    ratios = {n: s[CACHED].ratio for n, s in by_name.items() if n != MULTIPLY}
    alike = [name for name, ratio in ratios.items() if ratio < CLEARLY]
    most = max(ratios, key=ratios.__getitem__)
    here = ", ".join(f"{name} {ratios[name]:.2f} ×" for name in dict.fromkeys(config.activations) if name in ratios)
    verdict = (
        f"in cache ({CACHED:,} elements) {len(ratios) - len(alike)} of {len(ratios)} activations cost clearly more than a "
        f"multiplication, {most} most ({ratios[most]:.0f} ×){f'; used here: {here}' if here else ''}; from memory "
        f"({LARGE:,} elements) the memory traffic dominates"
    )
    holds = True if not alike else None if len(alike) < len(ratios) else False
    return Claim("S6", said, table, verdict, holds)


def _ratio(ledger: Ledger) -> Claim:
    """Return S7: the ratio of the count to the naive count, by batch."""
    rows = []
    for batch in sorted({*BATCHES, ledger.batch}):
        other = _at(ledger.config, batch)
        each = share(other.step_total_without_loss.total, batch)
        ratios = (Figure(value, Provenance.COUNTED, "×") for value in (other.ratio_to_naive, other.ratio_with_loss))
        note = "this batch" if batch == ledger.batch else ""
        rows.append(
            FigureRow(f"batch_{batch}", f"batch {batch:,}", (_counted(other.naive), _counted(each), *ratios), note, bool(note))
        )
    table = _table(
        "per example", rows, ("naive", "naive", True), ("operations", "operations"), ("ratio", "ratio"),
        ("ratio_with_loss", "with the loss", True),
    )  # fmt: skip
    ratio = ledger.ratio_to_naive
    holds = 3.0 <= round(ratio, 1) <= 4.0
    words = "as claimed" if holds else "less than claimed" if ratio < 3 else "more than claimed"
    shared = f": the update is shared by {ledger.batch:,} examples" if ledger.batch > 1 else ": every example has its own update"
    verdict = f"{ratio:.2f} × at batch {ledger.batch:,}, {words}{shared}"
    said = "Multiply the naive count by 3 or 4."
    return Claim("S7", said, table, verdict, holds)


def _at(config: RunConfig, batch: int) -> Ledger:
    """Return the ledger of another network or batch, independent of the data."""
    return count(replace(config, dataset="teacher", examples=batch, batch_size=batch))
