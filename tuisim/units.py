"""Numbers as text and back: thousands, SI prefixes, bytes, durations, layer sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

MAX_COUNT = 10**30
"""The largest count that is accepted: a mistyped number does not fill the screen."""
MAX_REPEATED = 1_000
"""The largest number of equal layers that `32×19` may stand for."""
AUTO = -1
"""A size or a number of epochs that the data decide, written `auto`; as -1 in a shape of NumPy."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
_COUNT_PREFIXES = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SMALL = ("", "m", "µ", "n", "p", "f")
_YEAR = 365.25 * 86_400
_DURATIONS = {
    "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0,
    "hour": 3600.0, "d": 86_400.0, "day": 86_400.0, "week": 7 * 86_400.0, "y": _YEAR, "year": _YEAR,
}  # fmt: skip
_SIZES = {"b": 1} | {
    f"{letter}{i}b": base**power
    for power, letter in enumerate("kmgtpe", 1)
    for i, base in (("", 1000), ("i", 1024))
}  # fmt: skip
# Possessive quantifiers: `1e5` is a power, never the number 1 with a unit.
_NUMBER = r"([0-9][0-9_,]*+(?:\.[0-9]*+)?+|\.[0-9]++)(e[+-]?[0-9]{1,4})?+"
_GROUPED = r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
_AMOUNT = rf"{_NUMBER}\s*([a-zµ]*)"


def count(value: int | float | None) -> str:
    """Write an exact count with thousands separators, a fraction with two decimals; empty if unknown."""
    if value is None or not math.isfinite(value):
        return ""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}"


def si(value: float | None, unit: str = "", digits: int = 3) -> str:
    """Write `value` to `digits` significant figures with an SI prefix: `14.6 G`, `920 m`, `0`; empty if unknown."""
    if value is None or not math.isfinite(value):
        return ""
    if value == 0:
        return f"0 {unit}".rstrip()
    magnitude = abs(value)
    # Rounded first, so that 999.96 becomes 1.00 k and not 1000.
    exponent = math.floor(math.log10(float(f"{float(magnitude):.{digits - 1}e}")))
    group = max(-len(_SMALL) + 1, min(exponent // 3, len(_PREFIXES) - 1))
    if exponent // 3 != group:  # beyond the last prefix, or below
        return f"{float(value):.{digits - 1}e} {unit}".rstrip()
    prefix = _PREFIXES[group] if group >= 0 else _SMALL[-group]
    decimals = max(0, digits - 1 - (exponent - 3 * group))
    scaled = value / 1000.0**group
    text = f"{scaled:,.{decimals}f}"
    return f"{text} {prefix}{unit}".rstrip()


def short_count(value: int | float | None, width: int = 9) -> str:
    """Write a count in full if it fits in `width` characters, else with an SI prefix."""
    text = count(value)
    return text if len(text) <= width else si(value)


def counted(number: int, what: str, width: int | None = None) -> str:
    """Write a number of things: `1 run`, `12 runs`; the figure in at most `width` characters if that is given."""
    figure_ = count(number) if width is None else short_count(number, width)
    return f"{figure_} {what}{'s' * (number != 1)}"


def size(bytes_: float | None) -> str:
    """Write a number of bytes in binary units: `9.6 KiB`, `1.4 GiB`; empty if unknown."""
    if bytes_ is None:
        return ""
    value = float(bytes_)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if float(f"{abs(value):.0f}") < 1024 or unit == "EiB":  # as it would be written
            break
        value /= 1024
    if abs(value) >= 1e5:  # beyond the last unit
        return f"{value:.2e} {unit}"
    return f"{value:.0f} {unit}" if unit == "B" or abs(value) >= 100 else f"{value:.1f} {unit}"


def exact_size(bytes_: int) -> str:
    """Return a size in the largest binary unit that leaves a whole number, so that `parse_size` reads it back: `2 GiB`."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if bytes_ % 1024**power == 0:
            return f"{bytes_ // 1024**power} {unit}"
    return str(bytes_)


def duration(seconds: float | None) -> str:
    """Write a length of time: `13.1 µs`, `2 min 05 s`, `3 h 12 min`, `4.2 days`, `3.10 million years`; empty if unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return si(seconds, "s")
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s" if minutes < 60 else "1 h 00 min"
    if seconds < 86_400:
        hours, rest = divmod(round(seconds / 60), 60)
        return f"{hours} h {rest:02d} min" if hours < 24 else "1.0 days"
    if seconds < _YEAR:
        return f"{seconds / 86_400:.1f} days"
    years = seconds / _YEAR
    if years < 1e6:
        return f"{years:.1f} years" if years < 100 else f"{float(f'{years:.3g}'):,.0f} years"
    for size, name in ((1e6, "million"), (1e9, "billion")):
        if years < 999.5 * size:
            return f"{figure(years / size)} {name} years"
    return f"{years:.2e} years"


def clock(seconds: float) -> str:
    """Write elapsed time: `00:12` or `1:02:03`."""
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share of one as a percentage; empty if unknown."""
    return "" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"


def figure(value: float | None, digits: int = 3) -> str:
    """Write a measured real number in a few characters: `0.0312`, `1.2e-05`, `12.3`; empty if unknown."""
    if value is None:
        return ""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    magnitude = abs(value)
    if 1e-3 <= magnitude < 10**digits:
        decimals = max(0, digits - 1 - math.floor(math.log10(magnitude)))
        return f"{value:.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def parse_count(text: str) -> int:
    """Read a whole number: `10000`, `10_000`, `10,000`, `1e6`, `2.5e3`, `60k`, `1.5M`. Raises ValueError with a reason."""
    written = text.strip()
    factor = _COUNT_PREFIXES.get(written[-1:], 1)
    try:
        value = Decimal(_plain(written[:-1].rstrip() if factor > 1 else written)) * factor
    except InvalidOperation:
        raise ValueError("not a number; write 10000 or 1e4") from None
    if value.is_nan():
        raise ValueError("not a number; write 10000 or 1e4")
    if not value.is_finite() or value.adjusted() > 30:
        raise ValueError("too large to count")
    if value != value.to_integral_value():
        raise ValueError("not a whole number")
    return int(value)


def parse_share(text: str) -> float:
    """Read a real number, also in percent: `0.2`, `1e-3`, `20 %`. Raises ValueError with a readable reason."""
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError("not a number; write 0.01 or 1e-2") from None


def parse_duration(text: str) -> float:
    """Read a length of time above 0 in seconds: `600`, `10min`, `2h`, `1.5 days`, `2 h 30 min`.

    Raises ValueError with a readable reason.
    """
    remedy = "not a length of time; write 600, 10min, 2h or 3d"
    written = text.strip().lower().replace("μ", "µ")
    # Several amounts need a unit each.
    if not re.fullmatch(rf"{_AMOUNT}|(?:{_NUMBER}\s*[a-zµ]+\s*)+", written):
        raise ValueError("must be more than 0" if re.fullmatch(rf"-\s*{_AMOUNT}", written) else remedy)
    seconds = 0.0
    for digits, power, unit in re.findall(_AMOUNT, written):
        factor = _DURATIONS.get(unit or "s", _DURATIONS.get(unit.removesuffix("s")))
        if factor is None:
            raise ValueError(remedy)
        seconds += float(_plain(digits) + power) * factor
    return float(_above_zero(seconds))


def parse_size(text: str) -> int:
    """Read a size above 0 in bytes: `500MB`, `2GiB`, `1e9`; a kB is 1000 bytes and a KiB 1024.

    Raises ValueError with a readable reason.
    """
    remedy = "not a size; write 500MB, 2GiB or a number of bytes"
    written = text.strip().lower()
    found = re.fullmatch(_AMOUNT, written)
    if found is None:
        raise ValueError("must be more than 0" if re.fullmatch(rf"-\s*{_AMOUNT}", written) else remedy)
    digits, power, unit = found.groups("")
    if (unit or "b") not in _SIZES:
        raise ValueError(remedy)
    value = Decimal(_plain(digits) + power)
    _above_zero(value)
    whole = int(value * _SIZES[unit or "b"])
    return int(_above_zero(whole))


def _plain(number: str) -> str:
    """Return a number without thousands separators. Raises ValueError for a decimal comma: 2,5 is not 25."""
    if "," in number and not re.fullmatch(_GROUPED, number):
        raise ValueError("a comma groups thousands, as in 10,000; write 2.5 for two and a half")
    return number.replace("_", "").replace(",", "")


def _above_zero(value: float | Decimal) -> float | Decimal:
    """Return `value`. Raises ValueError if it is not above 0, or above MAX_COUNT."""
    if value <= 0:
        raise ValueError("must be more than 0")
    if value > float(MAX_COUNT):
        raise ValueError("too large to count")
    return value


def parse_layers(text: str) -> tuple[int, ...]:
    """Read layer sizes: `64-32-10`, also `64,32,10`, `64 32 10` and `64x32x10`; `64-32×3-10` is 64-32-32-32-10; `auto` is AUTO.

    Raises ValueError if a part is neither a whole number nor `auto`.
    """
    if re.search(r"[/\\]|\.[A-Za-z]", text):
        raise ValueError("not sizes: a data file is given with --dataset, or as the form's dataset")
    written = re.sub(r"(?<=\d)\s*x\s*(?=\d)", "×", text.strip().lower().replace("–", "-"))
    separator = next((mark for mark in "-," if mark in written), None)
    if separator is None and " " in written:
        written = " ".join(written.split())
        separator = " "
    parts = written.split("×" if separator is None else separator)
    sizes: list[int] = []
    for part in parts:
        size, _, times = part.partition("×")
        if max(len(size), len(times)) > len(str(MAX_COUNT)):
            raise ValueError("a size is too large to count")
        try:
            repeated = int(times) if times else 1
            value = AUTO if size.strip() == "auto" else _unsigned(size)
        except ValueError:
            raise ValueError("write the sizes with dashes, inputs first, such as 64-32-10") from None
        if repeated > MAX_REPEATED:
            raise ValueError(f"at most {MAX_REPEATED} equal layers in a row")
        sizes += [value] * repeated
    return tuple(sizes)


def _unsigned(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("negative")
    return value


def layers_text(layers: Sequence[int]) -> str:
    """Write layer sizes with dashes, AUTO as `auto`."""
    return "-".join("auto" if size == AUTO else str(size) for size in layers)
