"""Values of a traced network, and the steps that lead to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import fx

from study.pruning.channels.links import Carried, Link, NotUnderstoodError


class Value(NamedTuple):
    """A tensor that depends on the images.

    Attributes:
        shape: With the examples in dimension 0.
        dim: The dimension that its channels are in: 1, or the last for rows.
    """

    shape: Sequence[int]
    dim: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[self.dim]

    @property
    def last(self) -> int:
        """The last dimension."""
        return len(self.shape) - 1


Inputs = Mapping[fx.Node, Value]


@dataclass(frozen=True)
class Step:
    """How a value comes from earlier ones.

    Attributes:
        sources: The links into it; none into the images themselves.
        dim: The dimension that its channels are in.
        entries: Names of the parameters and buffers with an entry for each of its channels.
        is_fixed: Whether numbers in the code, or constants, say how many channels there are.
        zeros: Whether a channel whose weights, biases and normalisation are all zero is zero
            here; None: if it is in all arguments.
    """

    sources: Sequence[tuple[fx.Node, Link]]
    dim: int
    entries: tuple[str, ...] = ()
    is_fixed: bool = False
    zeros: bool | None = None


def carried(
    argument: fx.Node,
    value: Value,
    *,
    entries: tuple[str, ...] = (),
    zeros: bool | None = None,
) -> Step:
    """Channel by channel, in the same dimension."""
    link = Carried.same(value.channels)
    return Step([(argument, link)], value.dim, entries=entries, zeros=zeros)


def require(understood: bool, what: str) -> None:
    """Give up unless ``understood``.

    Raises:
        NotUnderstoodError: ``what``, which begins with the operation's name.
    """
    if not understood:
        raise NotUnderstoodError(what)
