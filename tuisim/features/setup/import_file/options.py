"""The choices of an import: the files, the roles that a person gives to columns, and the run that follows."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from tuisim.config import FIELDS, RunConfig
from tuisim.config.choices import DATASETS, MISSING, TASKS
from tuisim.data.tables.roles import TableColumn
from tuisim.errors import printable
from tuisim.units import AUTO

ROLES = ("target", "drop", "categorical", "keep")
"""The fields of a run that give a role to columns."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The files of an import and what is asked of their columns."""

    path: str = ""
    validation_data: str = ""
    target: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    missing: str = "drop"
    task: str = "auto"

    @classmethod
    def of(cls, config: RunConfig) -> ImportOptions:
        """Return the options of a run that reads a file; those of no file for any other."""
        if config.dataset in DATASETS:
            return cls()
        target, drop, categorical, keep = (_names(getattr(config, role)) for role in ROLES)
        return cls(config.dataset, config.validation_data or "", target, drop, categorical, keep, config.missing, config.task)

    def with_role(self, column: str, role: str) -> ImportOptions:
        """Return the options with the role for a column, or without it if the column has it already.

        A column has one role. The role `target` replaces all targets so far; see `with_target` for several.
        """
        before: dict[str, Any] = {name: getattr(self, name) for name in ROLES}
        after: dict[str, Any] = {name: tuple(one for one in names if one != column) for name, names in before.items()}
        if column not in before[role]:
            after[role] = (column,) if role == "target" else (*after[role], column)
        return replace(self, **after)

    def with_target(self, column: str) -> ImportOptions:
        """Return the options with a column as one more target, or as one fewer."""
        if column in self.target:
            return replace(self, target=tuple(one for one in self.target if one != column))
        return replace(self.with_role(column, "target"), target=(*self.target, column))

    def with_next_task(self) -> ImportOptions:
        """Return the options with the next kind of targets: by the values, classes or numbers."""
        return replace(self, task=TASKS[(TASKS.index(self.task) + 1) % len(TASKS)])

    def with_next_missing(self) -> ImportOptions:
        """Return the options with the next rule for missing values."""
        return replace(self, missing=MISSING[(MISSING.index(self.missing) + 1) % len(MISSING)])

    def with_file(self, path: str) -> ImportOptions:
        """Return the options for another file, whose columns have no roles yet; the same ones for the same file."""
        return self if path == self.path else ImportOptions(path, missing=self.missing)

    def config(self, base: RunConfig) -> RunConfig:
        """Return the run that reads the files.

        Its network and training are those of `tuisim run --dataset FILE`, whatever the form had for other data. If `base` reads
        the same file, its own are kept, except what the columns decide: the ends, the loss and the output activation.
        """
        path = _as_path(self.path)
        if _location(base.dataset) != _location(path):
            machine = {name: getattr(base, name) for name, field in FIELDS.items() if field.group == "machine"}
            base = RunConfig(**machine)
        roles: dict[str, Any] = {role: getattr(self, role) or None for role in ROLES}
        if self.validation_data:
            base = replace(base, validation=FIELDS["validation"].default)
        return replace(
            base,
            layers=(AUTO, *base.layers[1:-1], AUTO),
            loss="auto",
            output_activation="auto",
            dataset=path,
            validation_data=self.validation_data or None,
            task=self.task,
            missing=self.missing,
            **roles,
        )


def column_option(columns: tuple[TableColumn, ...], place: int) -> str:
    """Return the name, or else the number, by which an option names a column."""
    column = columns[place]
    is_clear = column.name and "," not in column.name and column.name == printable(column.name, 30).strip()
    is_unique = [one.name for one in columns].count(column.name) == 1
    return column.name if is_clear and is_unique else str(column.number)


def _names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value


def _location(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _as_path(text: str) -> str:
    """Return a file's bare name with `./`: it would be read as the name of a dataset."""
    return text if not text or any(mark in text for mark in (os.sep, "/", ".")) else os.path.join(os.curdir, text)
