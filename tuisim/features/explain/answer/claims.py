"""The seven claims of the answer, each with its figures for one network and a verdict in words.

What is counted is there at once; what only this machine can tell is handed in, and blank until then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

from tuisim import units
from tuisim.accounting import Ledger, Operations, count
from tuisim.accounting.operations import share
from tuisim.config import RunConfig
from tuisim.engine.step_time import StepTime
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, MULTIPLY, ElementTime
from tuisim.features.explain.answer.figures import Column, Figure, Row, Table
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance
from tuisim.units import layers_text

RUNGS = ((30, 30, 30), (64, 32, 10), (784, 128, 10), (784, 1024, 1024, 10), (784, 4096, 4096, 10))
"""Networks to hold this one against: the question's, the digits', and three sizes up."""
BATCHES = (1, 32)
"""The ratio is shown at these and at the batch asked for."""
VOLUME = (1_000_000, 100)
"""Examples and epochs of a run as people really do them."""
MILLISECOND = 1e-3
SMALL_FACTOR = 10
"""Times the guess below which the whole step counts as a small factor more."""
CLEARLY = 1.1
"""A function costs more than a multiplication from this many times on; below it the difference is the noise's."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What only running tells; empty where it was not run yet."""

    steps: tuple[StepTime, ...] = ()
    functions: tuple[ElementTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, the figures it is held against, and what they say."""

    id: str
    claim: str
    """The answer's words in short."""
    table: Table
    verdict: str
    """In words; empty while a figure it depends on is not known."""
    holds: bool | None
    """Whether the claim is true of this network here; none where it is so in part, or not known."""
    figures: dict[str, Figure] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", self.table.figures())


def claims(config: RunConfig, measured: Measured = Measured()) -> tuple[Claim, ...]:
    """S1 to S7 for `config`."""
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


def _counted(value: float | None, how: str = "") -> Figure:
    return Figure(value, Provenance.COUNTED, how=how)


def _layers(ledger: Ledger) -> Claim:
    """S1: what one layer computes, per example."""
    rows, exact = [], True
    pairs = list(pairwise(ledger.layers))
    for layer, (n, m) in enumerate(pairs, 1):
        done = _of(ledger, Phase.FORWARD, layer)
        products, sums, functions = (share(v, ledger.batch) for v in (done.multiply, done.add, done.activation))
        name = ledger.config.activations[layer - 1]
        exact = exact and (products, sums) == (n * m, n * m) and functions == (0 if name == "identity" else m)
        figures = _counted(products, f"{n:,}·{m:,}"), _counted(m), _counted(n + 1), _counted(sums, f"{m:,}·{n:,}")
        rows.append(Row(f"layer_{layer}", f"{layer}  {n:,} → {m:,}", (*figures, _counted(functions)), name))
    total = ledger.per_step[Phase.FORWARD]
    products, additions, functions = (share(v, ledger.batch) for v in (total.multiply, total.add, total.activation))
    sums_of_all = sum(m for _, m in pairs)
    total_figures = _counted(products), _counted(sums_of_all), None, _counted(additions), _counted(functions)
    rows.append(Row("layers", "all", total_figures, stressed=True))
    columns = (
        Column("products", "products N·M"),
        Column("sums", "sums M"),
        Column("terms", "of N+1 terms", aside=True),
        Column("additions", "additions M·N", aside=True),
        Column("functions", "f applied"),
    )
    verdict = (
        f"{units.count(products)} products, {units.count(sums_of_all)} sums made of {units.count(additions)} additions and "
        f"{units.count(functions)} applications of f: {units.count(share(total.total, ledger.batch))} operations forward"
    )
    said = "A layer is aⱼ = f(bⱼ + Σ Wᵢⱼ·xᵢ): N·M products, M sums of N + 1 terms, M times f."
    return Claim("S1", said, Table("layer", columns, tuple(rows)), verdict, exact)


def _backward(ledger: Ledger) -> Claim:
    """S2: what the derivatives and the update cost, per example."""
    merged: dict[tuple[Phase, str], tuple[Kind, str, Operations]] = {}
    for row in ledger.rows:
        if row.phase in (Phase.BACKWARD, Phase.UPDATE):
            kind, formula, before = merged.get((row.phase, row.what), (row.kind, row.formula, Operations()))
            merged[row.phase, row.what] = kind, formula, before + row.operations
    rows = [_costs(kind.value, what, n, ledger.batch, formula) for (_, what), (kind, formula, n) in merged.items()]
    back, update, forward = (ledger.per_step[phase] for phase in (Phase.BACKWARD, Phase.UPDATE, Phase.FORWARD))
    rows.append(_costs("backward_and_update", "all", back + update, ledger.batch, stressed=True))
    alone = share(ledger.parameters * forward.total, ledger.batch)
    rows.append(
        Row("without_reuse", "without re-use", (None, None, None, None, _counted(alone)), "a forward pass per derivative")
    )
    titles = ("multiply", "add", "derivative", "other", "operations")
    columns = tuple(Column(title, title, aside=title in ("derivative", "other")) for title in titles)
    verdict = (
        f"{units.count(ledger.parameters)} derivatives, one for each weight and bias, take "
        f"{units.count(share(back.total, ledger.batch))} operations, {back.total / forward.total:.2f} × the forward pass, as "
        f"what is passed back is used again; with the update the step is {ledger.ratio_to_naive:.2f} × the naive "
        f"{units.count(ledger.naive)}"
    )
    said = "Backward needs one derivative per weight and bias: a small factor more work, as results are re-used."
    return Claim("S2", said, Table("backward, update", columns, tuple(rows)), verdict, ledger.ratio_to_naive < SMALL_FACTOR)


def _costs(key: str, label: str, n: Operations, batch: int, formula: str = "", stressed: bool = False) -> Row:
    other = n.total - n.multiply - n.add - n.derivative
    values = (share(v, batch) for v in (n.multiply, n.add, n.derivative, other, n.total))
    return Row(key, label, tuple(_counted(value) for value in values), formula, stressed)


def _trivial(ledger: Ledger, steps: tuple[StepTime, ...]) -> Claim:
    """S3: the very step, timed."""
    columns = (
        Column("seconds_per_step", f"a step of {ledger.batch:,}"),
        Column("spread_seconds", "±"),
        Column("seconds_per_example", "an example"),
        Column("operations_per_second", "speed", aside=True),
    )
    rows = tuple(_timed(ledger, step) for step in steps)
    known = {step.backend: step.seconds / ledger.batch for step in steps if step.seconds is not None}
    said = "So few operations are trivial: less than a millisecond."
    table = Table("backend", columns, rows)
    if not known:
        return Claim("S3", said, table, "nothing here could run the step" if steps else "", None)
    verdict = "; ".join(
        f"{'under' if seconds < MILLISECOND else 'over'} a millisecond with {name} ({units.duration(seconds)} an example)"
        for name, seconds in known.items()
    )
    return Claim("S3", said, table, verdict, min(known.values()) < MILLISECOND)


def _timed(ledger: Ledger, step: StepTime) -> Row:
    seconds = step.seconds
    each = None if seconds is None else seconds / ledger.batch
    speed = None if seconds is None else ledger.step_total.total / seconds
    figures = (
        Figure(seconds, Provenance.MEASURED, "s"),
        Figure(step.spread, Provenance.MEASURED, "s"),
        Figure(each, Provenance.MEASURED, "s"),
        Figure(speed, Provenance.MEASURED, "op/s"),
    )
    return Row(step.backend, step.backend, figures, step.reason or step.device)


def _repeats(ledger: Ledger, steps: tuple[StepTime, ...]) -> Claim:
    """S4: examples times epochs, in operations and in time at the measured rate."""
    times = {step.backend: step.seconds for step in steps if step.seconds is not None}
    columns = [Column("examples", "examples"), Column("epochs", "epochs", aside=True), Column("operations", "operations")]
    columns += [Column(f"seconds_{name}", f"with {name}") for name in times]
    rows = [_volume("epoch", "one epoch of this run", ledger, ledger.examples, 1, times)]
    if ledger.epochs is not None:
        rows.append(_volume("run", "the whole run", ledger, ledger.examples, ledger.epochs, times))
    larger = count(replace(ledger.config, dataset="teacher", examples=VOLUME[0], epochs=VOLUME[1]))
    rows.append(_volume("volume", "a larger run", larger, *VOLUME, times))
    said = "All of it is repeated for each and every example."
    table = Table("volume", tuple(columns), tuple(rows))
    if ledger.examples is None:
        return Claim("S4", said, table, "how many examples the file has is known once it is read", None)
    verdict = "; ".join(_volume_words(row, list(times)) for row in rows)
    return Claim("S4", said, table, verdict, ledger.examples > 1)


def _volume(key: str, label: str, ledger: Ledger, examples: int | None, epochs: int, times: dict[str, float]) -> Row:
    epoch = ledger.per_epoch
    operations = None if epoch is None else epochs * sum(n.total for n in epoch.values())
    stepped = None if ledger.steps_per_epoch is None else epochs * ledger.steps_per_epoch
    projected = (None if stepped is None else seconds * stepped for seconds in times.values())
    figures = Figure(examples, Provenance.GIVEN), Figure(epochs, Provenance.GIVEN), _counted(operations)
    return Row(key, label, (*figures, *(Figure(seconds, Provenance.PROJECTED, "s") for seconds in projected)))


def _volume_words(row: Row, backends: list[str]) -> str:
    examples, epochs, operations, *seconds = (figure for figure in row.figures if figure is not None)
    times = [f"{figure.text} with {name}" for name, figure in zip(backends, seconds, strict=True) if figure.text]
    of = f"{examples.text} examples" + (f" × {epochs.text} epochs" if epochs.value != 1 else "")
    return f"{of}: {units.si(operations.value)} operations" + (f", {' or '.join(times)}" if times else "")


def _bigger(ledger: Ledger) -> Claim:
    """S5: the same count for a ladder of sizes."""
    here = ledger.layers
    rungs = sorted({*RUNGS, here}, key=lambda layers: sum(n * m for n, m in pairwise(layers)))
    config = ledger.config
    name = config.hidden_activation if isinstance(config.hidden_activation, str) else config.hidden_activation[0]
    rows, most = [], 0.0
    mine = share(ledger.step_total_without_loss.total, ledger.batch)
    for layers in rungs:
        other = ledger if layers == here else _at(replace(config, layers=layers, hidden_activation=name), ledger.batch)
        forward, step = (share(n.total, ledger.batch) for n in (other.per_step[Phase.FORWARD], other.step_total_without_loss))
        most = max(most, forward)
        figures = _counted(other.parameters), _counted(forward), _counted(step)
        text = layers_text(layers) if len(layers) <= 8 else f"{layers[0]:,} … {layers[-1]:,}"
        ratio = Figure(step / mine, Provenance.COUNTED, "×")
        rows.append(Row(layers_text(layers), text, (*figures, ratio), "this network" if layers == here else "", layers == here))
    columns = (
        Column("parameters", "parameters", aside=True),
        Column("forward", "forward"),
        Column("step", "whole step"),
        Column("ratio", "× this network"),
    )
    own = share(ledger.per_step[Phase.FORWARD].total, ledger.batch)
    times = f", {most / own:,.0f} × this network's" if most > own else ", and that is this network"
    verdict = f"up to {units.si(most)} operations in one forward pass{times}; any size can be counted, trained or not"
    said = "Real networks are far bigger: millions of operations in one forward pass."
    return Claim("S5", said, Table("network, an example", columns, tuple(rows)), verdict, most >= 1e6)


def _functions(config: RunConfig, times: tuple[ElementTime, ...]) -> Claim:
    """S6: one f against one multiplication."""
    by_name: dict[str, dict[int, ElementTime]] = {}
    for time in times:
        by_name.setdefault(time.function, {})[time.elements] = time
    rows = []
    for name, sizes in by_name.items():
        figures: list[Figure | None] = []
        for elements in (CACHED, LARGE):
            figures += [
                Figure(sizes[elements].seconds, Provenance.MEASURED, "s"),
                Figure(sizes[elements].ratio, Provenance.MEASURED, "×"),
            ]
        note = "used here" if name in config.activations else ""
        rows.append(Row(name, "one multiplication" if name == MULTIPLY else name, tuple(figures), note, bool(note)))
    columns = (
        Column("seconds_in_cache", "in cache"),
        Column("ratio_in_cache", "× product"),
        Column("seconds_from_memory", "from memory", aside=True),
        Column("ratio_from_memory", "× product", aside=True),
    )
    said = "Activation functions are slower than a multiplication."
    table = Table("an element, float32", columns, tuple(rows))
    if not times:
        return Claim("S6", said, table, "", None)
    ratios = {n: s[CACHED].ratio for n, s in by_name.items() if n != MULTIPLY}
    alike = [name for name, ratio in ratios.items() if ratio < CLEARLY]
    most = max(ratios, key=ratios.__getitem__)
    here = ", ".join(f"{name} {ratios[name]:.2f} ×" for name in dict.fromkeys(config.activations) if name in ratios)
    verdict = (
        f"in cache ({CACHED:,} elements) {len(ratios) - len(alike)} of {len(ratios)} cost clearly more, {most} most at "
        f"{ratios[most]:.0f} ×{f', here {here}' if here else ''}; from memory ({LARGE:,}) all wait for their arrays, a product "
        "for one more"
    )
    holds = True if not alike else None if len(alike) < len(ratios) else False
    return Claim("S6", said, table, verdict, holds)


def _ratio(ledger: Ledger) -> Claim:
    """S7: how far the guess is from the count, at which batch."""
    rows = []
    for batch in sorted({*BATCHES, ledger.batch}):
        other = _at(ledger.config, batch)
        each = share(other.step_total_without_loss.total, batch)
        ratios = (Figure(value, Provenance.COUNTED, "×") for value in (other.ratio_to_naive, other.ratio_with_loss))
        note = "this batch" if batch == ledger.batch else ""
        rows.append(Row(f"batch_{batch}", f"batch {batch:,}", (_counted(other.naive), _counted(each), *ratios), note, bool(note)))
    columns = (
        Column("naive", "the guess", aside=True),
        Column("operations", "operations"),
        Column("ratio", "ratio"),
        Column("ratio_with_loss", "with the loss", aside=True),
    )
    ratio = ledger.ratio_to_naive
    holds = 3.0 <= round(ratio, 1) <= 4.0
    words = "as claimed" if holds else "less than claimed" if ratio < 3 else "more than claimed"
    shared = f": the update is shared by {ledger.batch:,} examples" if ledger.batch > 1 else ": every example pays for an update"
    verdict = f"{ratio:.2f} × at batch {ledger.batch:,}, {words}{shared}"
    said = "Multiply the rough estimate by 3 or 4."
    return Claim("S7", said, Table("an example", columns, tuple(rows)), verdict, holds)


def _at(config: RunConfig, batch: int) -> Ledger:
    """The ledger of another network or batch, whatever the data hold."""
    return count(replace(config, dataset="teacher", examples=batch, batch_size=batch))


def _of(ledger: Ledger, phase: Phase, layer: int) -> Operations:
    return sum((row.operations for row in ledger.rows if row.phase is phase and row.layer == layer), Operations())
