"""What a step costs, counted from its program: operations, bytes, the ledger, and how other tools would count it."""

from tuisim.accounting.formulas import FORMULAS, Formula
from tuisim.accounting.ledger import Ledger, Memory, Row, count, full_step, memory_of
from tuisim.accounting.operations import KINDS, Operations

__all__ = ["FORMULAS", "KINDS", "Formula", "Ledger", "Memory", "Operations", "Row", "count", "full_step", "memory_of"]
