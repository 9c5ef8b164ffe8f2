"""Rules on the training rows: the scale of the inputs and the shares of the classes."""

from __future__ import annotations

from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading
from tuisim.units import figure, percent

MIN_SCALE, MAX_SCALE = 0.1, 10.0
"""The root mean square of the largest input column; it is 1 in standardized data."""
LARGE_SHARE = 0.8
"""Share of the largest class from which on the classes are imbalanced."""


def unscaled_inputs(reading: HealthReading) -> Hint | None:
    """Return a hint if the inputs are ten times larger or smaller than standardized ones.

    Inputs should have a mean near 0 and about the same variance, near 1 (LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998,
    section 4.3): the initializers and the default learning rates assume it.
    """
    scale = reading.data.input_scale
    if MIN_SCALE <= scale <= MAX_SCALE or scale == 0:
        return None
    words = f"the largest column has a root mean square of {figure(scale)}, standardized it is 1"
    can_scale = reading.config.scaling == "none"
    return Hint("unscaled_inputs", "unscaled inputs", words, *(("scaling", "standard") if can_scale else ()))


def class_imbalance(reading: HealthReading) -> Hint | None:
    """Return a hint if one class has most rows and the network is hardly better than always predicting that class.

    Accuracy then hides that the other classes are not learned (He & Garcia, "Learning from imbalanced data", IEEE TKDE 2009). A
    minority of 20 % or less is a moderate imbalance in Google's Machine Learning course. The network must have learned less than
    half of what this constant prediction leaves.
    """
    data = reading.data
    accuracy = reading.training_accuracy if reading.validation_accuracy is None else reading.validation_accuracy
    if data.largest_share is None or data.largest_share < LARGE_SHARE or accuracy is None or data.largest_share == 1:
        return None
    if accuracy > data.largest_share + (1 - data.largest_share) / 2:
        return None
    share = percent(data.largest_share, 0)
    words = f"class {data.largest_class} alone is {share} of the rows, the accuracy is {percent(accuracy, 0)}"
    return Hint("class_imbalance", "class imbalance", words)
