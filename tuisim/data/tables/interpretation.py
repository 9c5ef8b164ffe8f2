"""The interpretation of a table: targets, inputs and rows, given a run's options for the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import memory
from tuisim.data.table import Table, TableLayout
from tuisim.data.tables import cells, roles
from tuisim.data.tables.columns import Column
from tuisim.data.tables.roles import CATEGORY, LEFT_OUT, NUMBER, TARGET, TableColumn, TableOptions, Verdict
from tuisim.data.tables.text_reader import TableContent
from tuisim.errors import DataError, printable
from tuisim.units import counted

Array = NDArray[Any]

_NAMED = 6
"""Columns that a note names."""
_FEW_CLASSES = 20
_REPEATED = 5
"""Minimum rows per distinct value at which numbers and words mixed in a target are classes."""


class Interpretation:
    """The roles of a table's columns and the rows that are used."""

    def __init__(self, content: TableContent, options: TableOptions) -> None:
        self.content, self.options = content, options
        self._categories: dict[int, tuple[Column, tuple[str, ...]]] = {}
        self._present = self._rows_with_values()
        self._columns = [self._only_present(column) for column in content.columns]
        self.targets, self._target_reason = self._find_targets()
        self._check_targets()
        self._verdicts = self._roles()
        self._rows = self._complete_rows()

    # ── rows ──

    def _rows_with_values(self) -> NDArray[np.intp] | None:
        """Return the rows that are not empty; None if no row is empty."""
        empty = np.ones(self.content.rows, dtype=bool)
        for column in self.content.columns:
            empty &= column.missing
            if not empty.any():
                return None
        if empty.all():
            raise DataError(f"{self.content.name} has no rows with values: give at least one")
        return np.flatnonzero(~empty)

    def _only_present(self, column: Column) -> Column:
        return column if self._present is None else column.take(self._present)

    def _where(self, row: int, place: int) -> str:
        return self.content.where(row if self._present is None else int(self._present[row]), place)

    @property
    def rows_dropped(self) -> int:
        """The number of rows that are left out for a missing value."""
        return 0 if self._rows is None else len(self._columns[0].missing) - len(self._rows)

    def _complete_rows(self) -> NDArray[np.intp] | None:
        """Return the rows that are used; None if all are. Raises DataError if half of them or more would be left out."""
        total = len(self._columns[0].missing)
        used = [place for place, verdict in enumerate(self._verdicts) if verdict.role in (NUMBER, CATEGORY, TARGET)]
        if self.options.missing == "mean":
            used = self.targets
        gaps = np.zeros(total, dtype=bool)
        for place in used:
            gaps |= self._columns[place].missing
        dropped = int(gaps.sum())
        if not dropped:
            return None
        counts = sorted(((int(self._columns[place].missing.sum()), place) for place in used), key=lambda one: -one[0])
        worst = counts[0][1]
        if self.options.missing == "error":
            row = int(np.argmax(gaps))
            place = next(place for place in used if self._columns[place].missing[row])
            raise DataError(f"{self._where(row, place)} has no value: fill it, or use missing drop or mean")
        if 2 * dropped >= total:
            option = self.content.heading.option(worst)
            remedy = "name another target" if worst in self.targets else f"use drop {option}, or missing mean"
            raise DataError(
                f"{self.content.name}: {dropped:,} of {total:,} rows have a missing value, most of them {self._label(worst)}, "
                f"{counts[0][0]:,}, first in {self._first_gap(worst)}: {remedy}"
            )
        return np.flatnonzero(~gaps)

    def _first_gap(self, place: int) -> str:
        where = self._where(int(np.argmax(self._columns[place].missing)), place)
        return where.removeprefix(f"{self.content.name}, ").split(", column")[0]

    # ── targets ──

    def _find_targets(self) -> tuple[list[int], str]:
        if self.options.target:
            return self.content.heading.places(self.options.target), "as asked"
        used = [place for place, column in enumerate(self._columns) if not column.missing.all()]
        if len(used) < 2:
            raise DataError(f"{self.content.name} has values in {len(used)} column: at least an input and a target are needed")
        named = self.content.heading.target
        if named is not None and named != used[-1]:
            return [named], "by its name"
        columns = [self._columns[place] for place in used]
        if not self.content.classes and self.options.task != "regression" and (places := roles.one_hot_places(columns)):
            return [used[place] for place in places], f"one-hot: the last {len(places)} columns"
        return [used[-1]], "the last column"

    def _check_targets(self) -> None:
        """Raise DataError if a target has no value, or if one of several is text."""
        for place in self.targets:
            column, label = self._columns[place], self._label(place)
            if column.missing.all():
                raise DataError(f"{self.content.name}: the target, column {place + 1} ({label}), has no values: name another")
            if len(self.targets) > 1 and not column.is_numeric:
                raise DataError(
                    f"{self.content.name}: the target {label} is text and one of several: give one target, or numbers"
                )
        dropped = set(self.content.heading.places(self.options.drop)) & set(self.targets)
        if dropped:
            raise DataError(f"{self.content.name}: {self._label(min(dropped))} is the target and dropped: give one")

    # ── roles ──

    def _roles(self) -> list[Verdict]:
        """Return the role of each column. Raises DataError if a column of numbers has a text, or if no input is left."""
        heading, options = self.content.heading, self.options
        drop, keep = heading.places(options.drop), heading.places(options.keep)
        categorical = heading.places(options.categorical)
        verdicts = []
        for place, column in enumerate(self._columns):
            if place in self.targets:
                verdicts.append(Verdict(TARGET, self._target_reason))
            elif place in drop:
                verdicts.append(Verdict(LEFT_OUT, "as asked"))
            elif place in categorical or (place in keep and not column.is_numeric):
                verdicts.append(Verdict(CATEGORY, "as asked, one-hot"))
            elif place in keep:
                verdicts.append(Verdict(NUMBER, "as asked"))
            else:
                verdicts.append(roles.input_role(column, heading.names[place] if heading.names else None))
        self._check_mixed(verdicts)
        verdicts = self._with_constants(verdicts)
        inputs = [place for place, verdict in enumerate(verdicts) if verdict.role in (NUMBER, CATEGORY)]
        if not inputs:
            return self._with_an_input(verdicts)
        return verdicts

    def _check_mixed(self, verdicts: list[Verdict]) -> None:
        for place, verdict in enumerate(verdicts):
            if verdict.bad_text is not None:
                column, option = self._columns[place], self.content.heading.option(place)
                assert column.codes is not None
                row = int(np.argmax(column.codes == verdict.bad_text))
                shown = printable(repr(column.texts[verdict.bad_text]), 40)
                raise DataError(
                    f"{self._where(row, place)} is {shown}: write a number, or use categorical {option} or drop {option}"
                )

    def _with_constants(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Return the roles with constant columns as inputs if the first layer's size includes them."""
        constant = {place for place, verdict in enumerate(verdicts) if verdict.is_constant and self._columns[place].is_numeric}
        inputs = sum(self._width(place, verdict) for place, verdict in enumerate(verdicts))
        if not constant or self.options.inputs != inputs + len(constant):
            return verdicts
        return [Verdict(NUMBER, one.reason) if place in constant else one for place, one in enumerate(verdicts)]

    def _with_an_input(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Return the roles with the only column of numbers as input, although it looks like a row number. Raises DataError."""
        for place, verdict in enumerate(verdicts):
            if verdict.role == LEFT_OUT and verdict.reason.startswith(("a row number", "an identifier")):
                return [Verdict(NUMBER, "the only input") if at == place else one for at, one in enumerate(verdicts)]
        reasons = "; ".join(f"{self._label(place)}: {one.reason}" for place, one in enumerate(verdicts) if one.role == LEFT_OUT)
        raise DataError(f"{self.content.name} has no input left ({printable(reasons, 120)}): name one with keep")

    def _label(self, place: int) -> str:
        return self.content.heading.label(place)

    def _width(self, place: int, verdict: Verdict) -> int:
        """Return the number of inputs that a column becomes."""
        return len(self._coded(place)[1]) if verdict.role == CATEGORY else int(verdict.role == NUMBER)

    def _coded(self, place: int) -> tuple[Column, tuple[str, ...]]:
        """Return a column of categories as codes, and the categories' names."""
        if place not in self._categories:
            self._categories[place] = roles.categories(self._columns[place])
        return self._categories[place]

    def _input_places(self) -> list[int]:
        """Return the places of the columns that are inputs, in the order of the inputs."""
        return [place for place, verdict in enumerate(self._verdicts) if verdict.role in (NUMBER, CATEGORY)]

    # ── results ──

    def table_columns(self) -> tuple[TableColumn, ...]:
        """Return each column with its role and reason."""
        names = self.content.heading.names or ("",) * len(self._columns)
        return tuple(
            TableColumn(
                place + 1, names[place], roles.dtype_of(column), verdict.role, verdict.reason, self.content.first[place],
                int(column.missing.sum()), self._width(place, verdict),
            )
            for place, (column, verdict) in enumerate(zip(self._columns, self._verdicts, strict=True))
        )  # fmt: skip

    def table(self) -> Table:
        """Return inputs and targets. Raises DataError or MemoryNeeded."""
        targets, names = self._target_values()
        X = self._inputs()
        has_missing = self.options.missing == "mean" and bool(np.isnan(X).any())
        return Table(
            self.content.name, X, targets, names=names, notes=self._notes(), layout=self._layout(names is not None),
            has_missing=has_missing,
        )  # fmt: skip

    def _layout(self, is_text: bool) -> TableLayout:
        inputs = tuple(
            (place, self._coded(place)[1] if self._verdicts[place].role == CATEGORY else None) for place in self._input_places()
        )
        return TableLayout(self.content.name, self.content.heading.names, tuple(self.targets), inputs, is_text)

    def _used(self, column: Column) -> Column:
        return column if self._rows is None else column.take(self._rows)

    def _finite(self, values: Array, place: int) -> Array:
        """Return the numbers of a column. Raises DataError with the place of an infinite one."""
        wrong = np.isinf(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            number = values[row]
            row = row if self._rows is None else int(self._rows[row])
            raise DataError(f"{self._where(row, place)} is {number}: every value must be a finite number")
        return values

    def _inputs(self) -> Array:
        """Return the inputs (rows, inputs): numbers, and a column of 0 and 1 for each category."""
        rows = len(self._columns[0].missing) - self.rows_dropped
        places = self._input_places()
        widths = [self._width(place, self._verdicts[place]) for place in places]
        memory.require(8 * rows * sum(widths), f"{self.content.name}: {sum(widths):,} inputs", "give fewer rows or categories")
        X = np.zeros((rows, sum(widths)))
        start = 0
        for place, width in zip(places, widths, strict=True):
            if self._verdicts[place].role == NUMBER:
                X[:, start] = self._finite(self._used(self._columns[place]).as_numbers(), place)
            else:
                codes = self._used(self._coded(place)[0]).codes
                assert codes is not None
                known = np.flatnonzero(codes >= 0)
                X[known, start + codes[known]] = 1
                if self.options.missing == "mean":
                    X[self._used(self._columns[place]).missing, start : start + width] = np.nan
            start += width
        return X

    def _target_values(self) -> tuple[Array, tuple[str, ...] | None]:
        """Return numbers (rows,) or (rows, k) and None, or the classes' numbers (rows,) and names."""
        columns = [self._used(self._columns[place]) for place in self.targets]
        if len(columns) > 1:
            values = np.column_stack(
                [self._finite(one.as_numbers(), place) for one, place in zip(columns, self.targets, strict=True)]
            )
            is_one_hot = bool(((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all())
            if is_one_hot and self.options.task != "regression":
                return values.argmax(axis=1), tuple(map(self._label, self.targets))
            return values, None
        column = columns[0]
        if self._is_text(column):
            coded, names = roles.categories(column)
            assert coded.codes is not None
            different, codes = np.unique(coded.codes, return_inverse=True)
            return codes.astype(np.int64), tuple(names[code] for code in different.tolist())
        values = self._finite(column.as_numbers(), self.targets[0])
        names = self.content.classes
        is_named = bool(names) and bool(np.isin(values, np.arange(len(names))).all())
        return (values.astype(np.int64), names) if is_named else (values, None)

    def _is_text(self, column: Column) -> bool:
        """Return True if the texts of a target are its classes. Raises DataError for a word among numbers."""
        if column.codes is None:
            return False
        if column.is_boolean or any(map(cells.is_code, column.texts)):
            return True
        words = [text for text, number in zip(column.texts, column.text_numbers, strict=True) if number is None]
        if not words:
            return False
        different, rows = len(column.texts), len(column.missing)
        if len(words) == different or self.options.task == "classes":
            return True
        fewest = min(int(column.counts[column.texts.index(word)]) for word in words)
        if different <= _FEW_CLASSES and rows >= _REPEATED * different and fewest >= _REPEATED:
            return True
        row = int(np.argmax(column.codes == column.texts.index(words[0])))
        where = self._where(row if self._rows is None else int(self._rows[row]), self.targets[0])
        raise DataError(f"{where} is {printable(repr(words[0]), 40)} among numbers: correct it, or use task classes")

    def _notes(self) -> tuple[str, ...]:
        """Return one note for each role that a column has been given, and one for the rows left out."""
        notes = list(self.content.notes)
        if self._target_reason not in ("as asked", "the last column"):
            notes.append(f"target: {', '.join(map(self._label, self.targets[:_NAMED]))} ({self._target_reason})")
        left_out = [(place, one.reason) for place, one in enumerate(self._verdicts) if one.role == LEFT_OUT]
        named = [(f"{self._label(place)} ({reason})") for place, reason in left_out if reason != "as asked"]
        if named:
            notes.append(f"columns left out: {_listed(named)}")
        asked = [self._label(place) for place, reason in left_out if reason == "as asked"]
        if asked:
            notes.append(f"columns dropped: {_listed(asked)}")
        one_hot = [
            f"{self._label(place)} ({self._width(place, one)})"
            for place, one in enumerate(self._verdicts)
            if one.role == CATEGORY
        ]
        if one_hot:
            notes.append(f"categories, one-hot encoded: {_listed(one_hot)}")
        return (*notes, *self._row_notes())

    def _row_notes(self) -> tuple[str, ...]:
        if not self.rows_dropped:
            return ()
        total = len(self._columns[0].missing)
        return (f"{self.rows_dropped:,} of {total:,} rows left out: a value is missing{self._gaps()}",)

    def _gaps(self) -> str:
        gaps = [
            f"{self._label(place)} {count:,}"
            for place, verdict in enumerate(self._verdicts)
            if verdict.role != LEFT_OUT and (count := int(self._columns[place].missing.sum()))
        ]
        return f" ({_listed(gaps)})"


class LikeTraining(Interpretation):
    """The interpretation of a validation table: its columns have the roles that they have in the training table."""

    def __init__(self, content: TableContent, options: TableOptions, layout: TableLayout) -> None:
        self._training = layout
        is_named = layout.names is not None and content.heading.names is not None
        names = layout.names or ()
        self._places = {
            place: content.heading.place(names[place]) if is_named and names.count(names[place]) == 1 and names[place] else place
            for place in (*layout.targets, *(place for place, _ in layout.inputs))
        }
        if max(self._places.values()) >= content.heading.columns:
            inputs = content.heading.columns - len(layout.targets)
            raise DataError(
                f"{content.name} has {inputs:,} inputs, {layout.name} has {len(layout.inputs):,}: give the same columns"
            )
        super().__init__(content, options)

    def _find_targets(self) -> tuple[list[int], str]:
        return [self._places[place] for place in self._training.targets], "as asked"

    def _roles(self) -> list[Verdict]:
        verdicts = [Verdict(LEFT_OUT, "as asked")] * len(self._columns)
        for place, categories in self._training.inputs:
            own = self._places[place]
            verdicts[own] = Verdict(NUMBER if categories is None else CATEGORY)
            column = self._columns[own]
            if categories is None and not column.is_numeric:
                verdicts[own] = Verdict(NUMBER, bad_text=column.text_numbers.index(None))
            elif categories is not None:
                coded, names = roles.categories(column)
                assert coded.codes is not None
                known = [categories.index(name) if name in categories else -1 for name in names]
                self._categories[own] = Column(codes=np.array([*known, -1], dtype=np.int32)[coded.codes]), categories
        for place in self.targets:
            verdicts[place] = Verdict(TARGET, "as asked")
        self._check_mixed(verdicts)
        return verdicts

    def _input_places(self) -> list[int]:
        return [self._places[place] for place, _ in self._training.inputs]

    def _is_text(self, column: Column) -> bool:
        return (self._training.is_text and column.codes is not None) or super()._is_text(column)

    def _notes(self) -> tuple[str, ...]:
        unknown = sum(
            int(((coded.codes < 0) & ~self._columns[place].missing).sum())
            for place, (coded, _) in self._categories.items()
            if coded.codes is not None
        )
        note = (f"{counted(unknown, 'value')} of categories that no training row has: encoded as all zeros",) if unknown else ()
        return tuple(f"{self.content.name}: {words}" for words in (*self.content.notes, *note, *self._row_notes()))


def _listed(words: Sequence[str]) -> str:
    more = f", and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
