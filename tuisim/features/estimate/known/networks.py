"""Ten known networks from papers: the cost of one example, and the number of examples they were trained on, with sources."""

from __future__ import annotations

from dataclasses import dataclass

MULTIPLY_ADD = 2
"""The operations of a multiply-add: one multiplication and one addition."""
TRAINING = 3
"""The cost of training on one example in forward passes: a backward pass counts as two."""
TRAINING_SOURCE = "Kaplan et al. 2020, section 2.1; Amodei & Hernandez 2018, AI and Compute, appendix"
"""The source of that rule."""
_TWO_N = (
    "multiply-adds a token = parameters outside the embeddings, by the rule C ≈ 2·N FLOPs forward, Kaplan et al. 2020, sec. 2.1"
)


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A published network. What no paper states is None."""

    name: str
    year: int
    parameters: int
    forward: int
    """Multiply-adds of the forward pass of one example."""
    example: str
    """A description of one example."""
    examples: int | None
    """The size of its training set."""
    epochs: int | None
    seen: int | None
    """The examples of the whole training, if the paper states only those."""
    parameters_source: str
    forward_source: str
    training_source: str

    @property
    def operations(self) -> int:
        """The multiplications and additions of training on one example: 3 times those of the forward pass."""
        return TRAINING * MULTIPLY_ADD * self.forward

    def trained_on(self, examples: int | None = None, epochs: int | None = None) -> int | None:
        """Return the examples of the whole training; volume and epochs are by default as published. None if unknown."""
        if examples is None and epochs is None and self.seen is not None:
            return self.seen
        volume = self.examples if examples is None else examples
        times = self.epochs if epochs is None else epochs
        return None if volume is None or times is None else volume * times


_ZIP = "LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition, Neural Computation 1(4)"
_LENET = "LeCun et al. 1998, Gradient-based learning applied to document recognition, Proc. IEEE 86(11)"
_ALEXNET = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, NIPS 25"
_SZE = "Sze et al. 2017, Efficient processing of deep neural networks, Proc. IEEE 105(12), table II"
_VGG = "Simonyan & Zisserman 2014, arXiv:1409.1556"
_RESNET = "He et al. 2015, Deep residual learning for image recognition, arXiv:1512.03385"
_BERT = "Devlin et al. 2018, arXiv:1810.04805"
_GPT2 = "Radford et al. 2019, Language models are unsupervised multitask learners"
_GPT3 = "Brown et al. 2020, arXiv:2005.14165"
_DEIT = "Touvron et al. 2020, arXiv:2012.12877"
_LLAMA = "Grattafiori et al. 2024, The Llama 3 herd of models, arXiv:2407.21783"

KNOWN_NETWORKS = (
    KnownNetwork(
        "LeCun 1989", 1989, 9_760, 64_660, "an image of 16×16", 7_291, 23, None,
        f"{_ZIP}, section 3.3", f"{_ZIP}, section 3.3: 64,660 connections, a multiply-add each",
        f"{_ZIP}, sections 2 and 4: 7,291 examples, 23 passes",
    ),
    KnownNetwork(
        "LeNet-5", 1998, 60_000, 340_908, "an image of 32×32", 60_000, 20, None,
        f"{_LENET}, section II-B", f"{_LENET}, section II-B: 340,908 connections, a multiply-add each",
        f"{_LENET}, section III: 60,000 examples, 20 iterations through them",
    ),
    KnownNetwork(
        "AlexNet", 2012, 60_000_000, 724_000_000, "an image of 227×227", 1_200_000, 90, None,
        f"{_ALEXNET}, abstract", f"{_SZE}: 724 M MACs",
        f"{_ALEXNET}, section 5: roughly 90 cycles through 1.2 million images",
    ),
    KnownNetwork(
        "VGG-16", 2014, 138_000_000, 15_300_000_000, "an image of 224×224", 1_300_000, 74, None,
        f"{_VGG}, table 2", f"{_RESNET}, section 4.1: 15.3 billion FLOPs, there multiply-adds",
        f"{_VGG}, sections 3.1 and 4: 1.3 M images, 74 epochs",
    ),
    KnownNetwork(
        "ResNet-50", 2015, 25_500_000, 3_800_000_000, "an image of 224×224", 1_280_000, 90, None,
        "Xie et al. 2016, arXiv:1611.05431, table 1", f"{_RESNET}, table 1: 3.8·10⁹ FLOPs, there multiply-adds",
        "He et al. 2015, section 4.1: 1.28 million images; Goyal et al. 2017, arXiv:1706.02677, section 5.1: 90 epochs",
    ),
    KnownNetwork(
        "BERT-base", 2018, 110_000_000, 12 * 12 * 768**2, "a token", None, None, 256_000 * (900 * 128 + 100 * 512),
        f"{_BERT}, section 3",
        f"derived: {_TWO_N}; N = 12·12·768² of the 12 layers of width 768 in {_BERT}, section 3",
        f"{_BERT}, appendix A.2: 1,000,000 steps of 256 sequences, of 128 tokens for 90 % of the steps and of 512 for the rest",
    ),
    KnownNetwork(
        "GPT-2", 2019, 1_542_000_000, 12 * 48 * 1600**2, "a token", None, None, None,
        f"{_GPT2}, table 2",
        f"derived: {_TWO_N}; N = 12·48·1600² of the 48 layers of width 1600 in {_GPT2}, table 2",
        "not published: neither how many tokens its text has nor how often they were gone through",
    ),
    KnownNetwork(
        "GPT-3", 2020, 174_600_000_000, 174_600_000_000, "a token", None, None, 300_000_000_000,
        f"{_GPT3}, table D.1", f"{_GPT3}, table D.1: 2 FLOPs a parameter and token forward",
        f"{_GPT3}, table 2.1: 300 billion tokens",
    ),
    KnownNetwork(
        "DeiT-B", 2020, 86_000_000, 17_500_000_000, "an image of 224×224", 1_281_167, 300, None,
        f"{_DEIT}, table 1", "Liu et al. 2021, Swin transformer, arXiv:2103.14030, table 1: 17.5 G FLOPs, there multiply-adds",
        f"{_DEIT}, tables 6 and 9: 1,281,167 images, 300 epochs",
    ),
    KnownNetwork(
        "Llama 3.1 405B", 2024, 405_000_000_000, 405_000_000_000, "a token", None, None, 15_600_000_000_000,
        f"{_LLAMA}, section 1",
        f"derived: N multiply-adds a token, N all parameters: 6·N·D then is the 3.8·10²⁵ FLOPs of {_LLAMA}, section 1",
        f"{_LLAMA}, section 1: 15.6 T tokens",
    ),
)  # fmt: skip
"""From the oldest to the newest."""
