"""Hugging Face: PRISM and its baselines as ``transformers`` models, and in lm-evaluation-harness.

With the extra ``hf`` installed, importing this package registers :class:`PrismConfigHF` and
:class:`PrismForCausalLM` for ``AutoConfig`` and ``AutoModelForCausalLM``. Without it the package
can be imported, and exports; a class that needs ``transformers`` says how to install it.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from prism.hf.cache import PrismCache
from prism.hf.export import export

if TYPE_CHECKING:
    from prism.hf.causal import PrismConfigHF, PrismForCausalLM, PrismOutputHF

INSTALL = "needs transformers: pip install 'prism-lm[hf]'"
NEED_TRANSFORMERS = ("PrismConfigHF", "PrismForCausalLM", "PrismOutputHF")

__all__ = ["PrismCache", "PrismConfigHF", "PrismForCausalLM", "PrismOutputHF", "export"]


def __getattr__(name: str) -> Any:
    if name not in NEED_TRANSFORMERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("transformers") is None:
        raise ImportError(f"prism.hf.{name} {INSTALL}")
    from prism.hf import causal

    return getattr(causal, name)


if find_spec("transformers") is not None:
    __getattr__("PrismForCausalLM")
