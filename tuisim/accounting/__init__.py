"""Costs of a step, counted from its program: operations, bytes, the ledger, and counts by the conventions of other tools."""

from tuisim.accounting.formulas import FORMULAS, Formula
from tuisim.accounting.ledger import Ledger, LedgerRow, StepMemory, count, full_step, program_memory
from tuisim.accounting.operations import KINDS, Operations

__all__ = [
    "FORMULAS",
    "KINDS",
    "Formula",
    "Ledger",
    "LedgerRow",
    "Operations",
    "StepMemory",
    "count",
    "full_step",
    "program_memory",
]
