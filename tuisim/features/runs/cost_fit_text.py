"""The cost law in sentences: what a step, an operation and a byte take, what could not be told, and how far it is off.

It fits nothing.
"""

from __future__ import annotations

from tuisim import units
from tuisim.features.runs.cost_fit import BYTE, OPERATION, STEP, TERMS, Coefficient, Law, Residual
from tuisim.store.folder import closed

_MAKE_SOME = "no runs yet: each `tuisim run 64-32-10 --epochs 20`, or training in the app, adds one; vary sizes and batches"
LEAST_ERROR = 0.005
"""Of a figure: a smaller error would not be seen in its three digits."""
NOTHING_SHOWS = "nothing that shows"
_UNKNOWN = {
    STEP: ("what a step costs before it computes anything", "smaller networks and batches would show it"),
    OPERATION: ("what an operation takes", "networks of other sizes would show it"),
    BYTE: ("what a byte takes", "other batch sizes would show it"),
}


def no_runs() -> str:
    """Explain why there are none: how to make some, or why none can be kept."""
    why = closed()
    return f"no runs: {why}" if why else _MAKE_SOME


def formula(law: Law) -> str:
    """`21.0 µs + 23.0 ps · operations + 12.0 ps · bytes`, of what is known and shows."""
    tails = ("", " · operations", " · bytes")
    pairs = zip(law.coefficients, tails, strict=True)
    return " + ".join(units.duration(one.seconds) + tail for one, tail in pairs if one.seconds)


def sentences(law: Law) -> tuple[str, ...]:
    """What it says first, then what follows from that, what is not known, and what it rests on."""
    if not law.unknowns:
        return (_too_few(law),)
    return (_says(law), *_break_even(law), *_unknown(law), _rests_on(law))


def _too_few(law: Law) -> str:
    runs, one = units.counted(len(law.rows), "run"), len(law.rows) == 1
    if law.different < 2:
        return (
            f"{runs} of one size {'tells' if one else 'tell'} nothing apart: train a network of another size, or at another batch"
        )
    return f"{runs} that are too alike to tell anything apart: train networks and batches of very different sizes"


def _says(law: Law) -> str:
    said = []
    if law.step.seconds is not None:
        said.append(f"a step costs {_takes(law.step)} before it computes anything")
    if law.operation.seconds is not None:
        said.append(f"1 operation takes {_takes(law.operation)}{_rate(law.operation, '/s')}")
    if law.byte.seconds is not None:
        said.append(f"1 byte takes {_takes(law.byte)}{_rate(law.byte, 'B/s')}")
    return "; ".join(said)


def _takes(one: Coefficient) -> str:
    """`23.0 ps ± 1.2 ps`, with its standard error where there is one."""
    if not one.seconds:
        return NOTHING_SHOWS
    shows = one.error is not None and one.error >= LEAST_ERROR * one.seconds
    return units.duration(one.seconds) + (f" ± {units.duration(one.error)}" if shows else "")


def _rate(one: Coefficient, unit: str) -> str:
    return f" ({units.si(one.per_second, unit)})" if one.per_second else ""


def _break_even(law: Law) -> list[str]:
    """How large a step must be before what it computes and moves takes longer than what it costs at all."""
    if not law.step.seconds or not law.operation.seconds or not (_sure(law.step) and _sure(law.operation)):
        return []
    said = f"the constant is the time of {units.si(law.step.seconds / law.operation.seconds)} operations"
    byte = _sure(law.byte)
    if byte and law.byte.seconds:
        said += f" or of {units.si(law.step.seconds / law.byte.seconds, 'B')} moved"
    return [f"{said}: a step far below {'both' if byte else 'that'} is mostly overhead"]


def _sure(one: Coefficient) -> bool:
    """Whether it is more than its own standard error, so that something may follow from it."""
    return bool(one.seconds) and (one.error is None or one.error < (one.seconds or 0.0))


def _unknown(law: Law) -> list[str]:
    """Of three at least two are known where there is a law, and have what the third takes in them."""
    missing = [_UNKNOWN[name] for name, one in zip(TERMS, law.coefficients, strict=True) if one.seconds is None]
    few = law.different < len(TERMS)
    return [
        f"{what} cannot be told from the rest, which has it: {'a third size of run would show it' if few else remedy}"
        for what, remedy in missing
    ]


def _rests_on(law: Law) -> str:
    said = f"{units.counted(len(law.rows), 'run')} of {units.counted(law.different, 'size')}"
    # One that is held at 0 is not free to go through anything.
    if law.different <= sum(bool(one.seconds) for one in law.coefficients):
        return f"{said} for {law.unknowns} unknowns: it goes through them, so that its error says nothing yet"
    said += f": median error {units.percent(law.median_error)}"
    worst = law.worst
    return f"{said}; {_worst(worst)}" if worst is not None else said


def _worst(worst: Residual) -> str:
    return f"furthest is {run_words(worst)}, at {units.figure(worst.ratio)} × the law"


def run_words(row: Residual) -> str:
    """Its network and batch."""
    return f"{units.layers_text(row.run.layers)} at batch {units.count(row.run.batch)}"


def skipped_words(skipped: int) -> str:
    """What to say of lines that could not be read; empty where there are none."""
    return f"{units.counted(skipped, 'line')} left out: of the runs kept, but not to be read" if skipped else ""
