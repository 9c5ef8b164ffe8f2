"""The lines of the import page: the columns with their roles and first rows, and the network that fits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tuisim import units
from tuisim.data.tables.roles import LEFT_OUT, TARGET, TableColumn
from tuisim.errors import printable
from tuisim.features.setup.import_file.options import ImportOptions
from tuisim.features.setup.import_file.reading import FilePreview
from tuisim.provenance import Provenance
from tuisim.terminal.lines import Frame, Line, Span, Tone, clip, clip_line, ends, spread, width_of, wrap
from tuisim.terminal.table import Column, fits, table, visible_rows
from tuisim.units import layers_text

TAG = (("", Provenance.COUNTED),)
_CELL = 10
"""Cells of the screen for a value of the file."""
_REASON = 34
_RULES = {
    "drop": "rows with missing values are left out",
    "mean": "missing values become the training mean",
    "error": "missing values are refused",
}
_KEYS = (
    ("t", "target"), ("T", "add target"), ("d", "drop"), ("o", "category"), ("k", "keep"), ("n", "missing"),
    ("a", "kind"),
)  # fmt: skip
_CLASSES = 6
"""Classes that are named."""


@dataclass(frozen=True, slots=True)
class ImportState:
    """The choices so far and what is known of the file."""

    options: ImportOptions = field(default_factory=ImportOptions)
    preview: FilePreview | None = None
    """That of the last file that was read; None before the first."""
    failure: str = ""
    """Why the file cannot be read."""
    is_reading: bool = False
    selected: int = 0

    @property
    def columns(self) -> tuple[TableColumn, ...]:
        """The columns of the table; empty for a file of arrays."""
        return self.preview.columns if self.preview is not None else ()

    @property
    def column(self) -> TableColumn | None:
        """The selected column."""
        return self.columns[self.selected] if self.selected < len(self.columns) else None

    @property
    def is_usable(self) -> bool:
        """True if the form can be filled."""
        return not self.is_reading and not self.failure and self.preview is not None and self.preview.config is not None


def header(state: ImportState, frame: Frame) -> list[Line]:
    """Return the name of the file and its size, or what to do."""
    if not state.options.path:
        return [clip_line(((" type the path of a data file, or choose one in the list (↓)", Tone.TEXT),), frame.width)]
    name = printable(state.options.path.replace("\\", "/").rpartition("/")[2], 40)
    size = "reading …" if state.is_reading else ""
    if not size and state.preview is not None and state.preview.rows:
        columns = f" × {len(state.columns):,} columns" if state.columns else ""
        size = f"{state.preview.rows:,} rows{columns}"
    return [ends(((f" {name}", Tone.ACCENT),), ((f"{size} ", Tone.TEXT),), frame.width)]


# ── columns ──


def _shown(state: ImportState, height: int) -> range:
    return visible_rows(len(state.columns), height - 1, state.selected)


def _height(frame: Frame, state: ImportState) -> int:
    return len(state.columns) + 1 if frame.zoomed else frame.height


def column_lines(state: ImportState, frame: Frame) -> list[Line]:
    """Return a line for each column: its name, type, role, the reason and the first rows."""
    if not state.columns:
        if state.preview is None or state.failure:
            return []
        return wrap("a file of arrays: it has no columns with roles of their own", frame.width, Tone.DIM)
    heads = [Column(" #"), Column("column", right=False), Column("type", right=False), Column("role", right=False)]
    heads += [Column("inputs"), Column("missing")]
    lines = [_cells(column, at == state.selected) for at, column in enumerate(state.columns)]
    reasons = [printable(column.reason, 200) for column in state.columns]
    rest = max((len(reason) for reason in reasons), default=0)
    for row in range(max((len(column.values) for column in state.columns), default=0)):
        head, more = _with_row(heads, lines, state.columns, row)
        spare = [[*line, ("", Tone.TEXT)] for line in more]
        if not fits([*head, Column("", min_width=max(6, min(_REASON, rest)))], spare, frame.width):
            break
        heads, lines = head, more
    room = frame.width - sum(max(len(head.title), *(width_of((line[i],)) for line in lines)) + 1 for i, head in enumerate(heads))
    heads.append(Column("reason", right=False))
    lines = [[*line, (clip(reason, max(6, room)), Tone.DIM)] for line, reason in zip(lines, reasons, strict=True)]
    title, *drawn = table(heads, lines, frame.width, max_gap=2)
    return [clip_line(line, frame.width) for line in (title, *(drawn[at] for at in _shown(state, _height(frame, state))))]


def column_places(state: ImportState, frame: Frame) -> Sequence[int | None]:
    """Return the column that each line shows."""
    return (None, *_shown(state, _height(frame, state))) if state.columns else ()


def _cells(column: TableColumn, is_selected: bool) -> list[Span]:
    tone = Tone.ACCENT if is_selected else Tone.DIM if column.role == LEFT_OUT else Tone.TEXT
    role = Tone.STRONG if column.role == TARGET and not is_selected else tone
    return [
        (f"{'▸' if is_selected else ' '}{column.number}", tone), (clip(column.label, 18), tone), (column.dtype, tone),
        (column.role, role), (f"{column.inputs:,}" if column.inputs else "", tone),
        (f"{column.missing:,}" if column.missing else "", tone),
    ]  # fmt: skip


def _with_row(
    heads: list[Column], lines: list[list[Span]], columns: Sequence[TableColumn], row: int
) -> tuple[list[Column], list[list[Span]]]:
    """Return the table with the values of one more row of the file."""
    values = [printable(column.values[row], 200) if row < len(column.values) else "" for column in columns]
    more = [[*line, (clip(value, _CELL), Tone.DIM)] for line, value in zip(lines, values, strict=True)]
    return [*heads, Column(f"row {row + 1}", right=False)], more


# ── what follows ──


def result_lines(state: ImportState, frame: Frame) -> list[Line]:
    """Return the rows that are used, the network that follows, or why the file cannot be used."""
    width = frame.width
    if state.failure:
        return [*wrap(f"✗ {state.failure}", width, Tone.BAD), *_key_lines(state, width)]
    if state.preview is None:
        words = "reading …" if state.is_reading else "⏎ on a file reads it; the network that fits it is shown here"
        return wrap(words, width, Tone.DIM)
    preview = state.preview
    if preview.mistake:
        return [*wrap(f"✗ {preview.mistake}", width, Tone.BAD), *_key_lines(state, width)]
    lines = [_named("rows", _rows(state, preview), width), _named("network", _network(preview), width)]
    lines += [_named("training", _training(preview, width - 11), width), _named("targets", _targets(state, preview), width)]
    lines.append(_named("validation", _validation(state, preview), width))
    lines += _key_lines(state, width)
    for note in preview.notes:
        lines += wrap(note, width, Tone.DIM)
    return lines


def _named(name: str, words: str, width: int) -> Line:
    return clip_line(((f"{name:<11}", Tone.DIM), (words, Tone.TEXT)), width)


def _rows(state: ImportState, preview: FilePreview) -> str:
    used = preview.rows - preview.rows_dropped
    dropped = f", {preview.rows_dropped:,} dropped" if preview.rows_dropped else ""
    rule = ""
    if preview.columns:
        has_missing = any(column.missing for column in preview.columns if column.role != LEFT_OUT)
        rule = f" · {_RULES[state.options.missing]}" if has_missing else " · no missing values"
    return f"{used:,} used{dropped}{rule}"


def _network(preview: FilePreview) -> str:
    config = preview.config
    assert config is not None
    return f"{layers_text(config.layers)} · loss {config.loss} · output activation {config.output_activation}"


def _training(preview: FilePreview, width: int) -> str:
    assert preview.config is not None
    config = preview.config.resolved()
    words = "until stopped" if config.known_epochs is None else units.counted(config.known_epochs, "epoch")
    if config.known_epochs is not None and config.early_stopping == "yes":
        words = f"up to {words}"
    words = f"{config.optimizer} · learning rate {config.learning_rate:g} · batch {config.batch_size:,} · {words}"
    stopping = ", early stopping"
    return words + stopping if config.early_stopping == "yes" and len(words) + len(stopping) <= width else words


def _targets(state: ImportState, preview: FilePreview) -> str:
    config = preview.config
    assert config is not None
    outputs = config.layers[-1]
    kind = {"": "", "auto": " by their values"}.get(state.options.task * bool(preview.columns), " as chosen")
    if preview.kind == "labels":
        return f"{outputs:,} labels, multi-label{kind}"
    if preview.kind == "numbers":
        return f"{'one number' if outputs == 1 else f'{outputs:,} numbers'}{kind}"
    names = [printable(name, 16) for name in preview.classes[:_CLASSES]]
    more = ", …" if len(preview.classes) > _CLASSES else ""
    return f"{outputs:,} classes{kind}" + (f": {', '.join(names)}{more}" if names else "")


def _validation(state: ImportState, preview: FilePreview) -> str:
    config = preview.config
    assert config is not None
    if preview.validation_rows is None or not state.options.validation_data:
        return f"{config.validation:.3g} of the rows" if config.validation else "none"
    return f"{preview.validation_rows:,} rows of {printable(state.options.validation_data, 40)}"


def _key_lines(state: ImportState, width: int) -> list[Line]:
    """Return the selected column and the keys that change its role."""
    column = state.column
    if column is None:
        return []
    reason = f": {printable(column.reason, 80)}" if column.reason else ""
    head: Line = (
        (f"{'selected':<11}", Tone.DIM),
        (clip(column.label, 30), Tone.ACCENT),
        (f" · {column.role}{reason}", Tone.TEXT),
    )
    keys = [((f"{key}:", Tone.ACCENT), (f" {words}", Tone.DIM)) for key, words in _KEYS]
    return [clip_line(head, width), *spread(keys, width, gap=2)]
