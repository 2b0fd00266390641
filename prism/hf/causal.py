"""``transformers`` classes: a config that can be changed, and a causal language model.

The model holds one of this project's under ``model`` and translates the call: the attention mask
becomes segment ids (padding leaves a row as it was, on either side), the cache carries the state.
Whatever optimizer trains it, sparse routing is balanced once a step (:mod:`prism.hf.balance`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from prism.former_names import check_architecture
from prism.hf.balance import balances, tokens_of_kinds, watch
from prism.hf.cache import PrismCache, is_meta, segments_of
from prism.hf.export import MODEL_TYPE, SAME, make_model
from prism.model.protocol import LanguageModel
from prism.recipe import own_loss


class PrismConfigHF(PreTrainedConfig):
    """Config of a model, PRISM or a baseline.

    Attributes:
        prism: fields of :class:`prism.PrismConfig`; those left out have its defaults.
        kind: ``"prism"`` or the name of a baseline.
        mlp_hidden: of a baseline, the width of its MLP.
        use_cache: return the state.
        vocab_size, hidden_size, num_hidden_layers, tie_word_embeddings: the fields of ``prism``
            under the names that ``transformers`` asks for; where given, they hold.
    """

    model_type = MODEL_TYPE
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["cache", "aux_loss", "hidden_states"]

    prism: dict[str, Any] | None = None
    kind: str = "prism"
    mlp_hidden: int = 0
    use_cache: bool = True

    @classmethod
    def from_pretrained(cls, name: Any, *args: Any, **kwargs: Any) -> Any:
        """The config in a folder or of the hub."""
        return super().from_pretrained(name, *args, **{"name_or_path": name, **kwargs})

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """The config of a file; that of an earlier architecture is refused in one line, before
        the defaults of this one fill what it lacks."""
        saved = config_dict.get("prism")
        if saved is not None:
            where = kwargs.get("name_or_path", "config.json")
            check_architecture(saved, where, config_dict.get("kind", "prism"))
        return super().from_dict(config_dict, **kwargs)

    def __post_init__(self, **kwargs: Any) -> None:
        self.prism = dict(self.prism or {"vocab_size": 257})
        for name, ours in SAME.items():  # theirs hold: ``resize_token_embeddings`` changes them
            if name in kwargs:
                self.prism[ours] = kwargs.pop(name)
        with torch.device("meta"):
            fields = make_model(self.kind, self.prism, self.mlp_hidden).config.to_dict()
        self.prism = fields
        super().__post_init__(**kwargs)
        for name, ours in SAME.items():
            setattr(self, name, fields[ours])


@dataclass
class PrismOutputHF(ModelOutput):
    """Result of a call.

    Attributes:
        loss: cross entropy of the next token, plus ``aux_loss`` while training; with ``labels``.
        logits: ``[B, T, V]``; 0 at padding.
        cache: what continues the rows; with ``use_cache``.
        hidden_states: the one that the head reads, ``[B, T, D]``, where asked for.
        aux_loss: penalty of the router; 0 for baselines.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: PrismCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    aux_loss: Tensor | None = None


class PrismForCausalLM(PreTrainedModel, GenerationMixin):
    """PRISM or a baseline behind the calls of ``transformers``: Trainer, ``generate``, PEFT.

    Args:
        config: of the model; its weights are drawn from ``config.prism["seed"]``.

    Attributes:
        model: PRISM or the baseline.
        waiting: ``[L, E]`` tokens that each kind ran for since the last optimizer step.
    """

    config_class = PrismConfigHF
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = True
    _tied_weights_keys: ClassVar[dict[str, str]] = {"model.head.weight": "model.embedding.weight"}
    _keep_in_fp32_modules_strict: ClassVar[list[str]] = ["selection_bias"]
    _no_split_modules: ClassVar[list[str]] = ["Prism", "ResidualStack", "Transformer"]

    def __init__(self, config: PrismConfigHF) -> None:
        super().__init__(config)
        self.model = make_model(config.kind, config.prism, config.mlp_hidden)
        self.waiting: Tensor | None = None
        watch(self)
        if not is_meta(self.model):  # drawn: nothing here is to be initialised again
            for tensor in (*self.model.parameters(), *self.model.buffers()):
                tensor._is_hf_initialized = True
        self.post_init()

    @classmethod
    def of(cls, model: LanguageModel) -> PrismForCausalLM:
        """``model`` itself behind the calls of ``transformers``."""
        with torch.device("meta"):
            wrapped = cls(PrismConfigHF(**config_of(model)))
        wrapped.model = model
        wrapped.config.dtype = model.embedding.weight.dtype
        return wrapped.train(model.training)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        watch(self)  # a copy is made without __init__

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Weights that a checkpoint lacks are those of a new model of this config."""
        named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        missing = [n for n, x in named if not getattr(x, "_is_hf_initialized", False)]
        if not missing or is_meta(module):
            return
        fresh = dict(self.model.remade().named_modules())
        name = next(name for name, m in self.model.named_modules() if m is module)
        for tensor in missing:
            getattr(module, tensor).copy_(getattr(fresh[name], tensor))

    def get_input_embeddings(self) -> nn.Embedding:
        """The embedding."""
        return self.model.embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the embedding, as ``resize_token_embeddings`` does."""
        self.model.embedding = value
        self.model.config = replace(self.model.config, vocab_size=value.num_embeddings)
        machine = getattr(self.model, "machine", None)
        if machine is not None:
            machine.resize(value.num_embeddings)

    def set_output_embeddings(self, new_embeddings: nn.Linear) -> None:
        """Replace the head."""
        self.model.head = new_embeddings

    def get_output_embeddings(self) -> nn.Linear:
        """The head."""
        return self.model.head

    def gradient_checkpointing_enable(self, *_: Any, **__: Any) -> None:
        """Keep only the inputs of blocks for the backward pass."""
        self.model.recompute = True

    def gradient_checkpointing_disable(self) -> None:
        """Keep everything for the backward pass."""
        self.model.recompute = False

    @property
    def is_gradient_checkpointing(self) -> bool:
        """True while blocks are computed again in the backward pass."""
        return self.model.recompute

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        cache: PrismCache | None = None,
        use_cache: bool | None = None,
        position_ids: Tensor | None = None,
        segment_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> PrismOutputHF | tuple[Any, ...]:
        """Read ``input_ids [B, T]``.

        Args:
            attention_mask: ``[B, S]`` of all tokens so far; 0 = padding, on either side.
            labels: ``[B, T]``, the tokens themselves (they are shifted here); -100 = not scored.
            cache: of the call before; it is not changed.
            position_ids: only read for where documents of a packed row begin.
            segment_ids: ``[B, T]`` document of each token, in place of mask and positions.

        Raises:
            ValueError: ``inputs_embeds``, or arguments that the model refuses.
        """
        if input_ids is None or inputs_embeds is not None:
            raise ValueError("inputs_embeds: not read by this model; must be input_ids")
        if segment_ids is None:
            segment_ids = segments_of(attention_mask, position_ids, input_ids.shape[1])
        state = None if cache is None else cache.state
        output = self.model(input_ids, state=state, segment_ids=segment_ids)
        if self.training and torch.is_grad_enabled() and balances(self.model):
            ran = tokens_of_kinds(output.loads, input_ids, segment_ids)
            self.waiting = ran if self.waiting is None else self.waiting + ran
        use_cache = self.config.use_cache if use_cache is None else use_cache
        length = input_ids.shape[1] + (0 if cache is None else cache.length)
        result = PrismOutputHF(
            loss=None if labels is None else self._loss(output, labels, **kwargs),
            logits=output.logits,
            cache=PrismCache(output.state, length) if use_cache else None,
            hidden_states=(output.hidden,) if output_hidden_states else None,
            aux_loss=output.aux_loss,
        )
        return result if return_dict in (None, True) else result.to_tuple()

    def _loss(self, output: Any, labels: Tensor, **kwargs: Any) -> Tensor:
        """Cross entropy of the next token; while training, with that of the symbolic expert's own
        answer and the penalty of the router, weighed as this batch's share of
        ``num_items_in_batch`` tokens where the trainer gives them."""

        def words(logits: Tensor) -> Tensor:
            size = self.config.vocab_size
            return self.loss_function(logits=logits, labels=labels, vocab_size=size, **kwargs)

        loss = words(output.logits)
        if not self.training:
            return loss
        items = kwargs.get("num_items_in_batch")
        share = 1.0 if items is None else (labels[:, 1:] != -100).sum() / items
        return loss + own_loss(output, words) + share * output.aux_loss

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        next_sequence_length: int | None = None,
        cache: PrismCache | None = None,
        attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Arguments of the next call: the whole text, or the ``next_sequence_length`` tokens that
        the cache has not read."""
        if next_sequence_length is not None:
            input_ids = input_ids[:, -next_sequence_length:]
        return {
            "input_ids": input_ids.contiguous(),
            "cache": cache,
            "attention_mask": attention_mask,
            "use_cache": use_cache,
        }

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """False: the first call makes the cache."""
        return False


def config_of(model: LanguageModel) -> dict[str, Any]:
    """Arguments of :class:`PrismConfigHF` for ``model``."""
    hidden = 0 if model.kind == "prism" else model.hidden
    return {"prism": model.config.to_dict(), "kind": model.kind, "mlp_hidden": hidden}


AutoConfig.register(MODEL_TYPE, PrismConfigHF, exist_ok=True)
AutoModelForCausalLM.register(PrismConfigHF, PrismForCausalLM, exist_ok=True)
