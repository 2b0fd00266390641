"""Named mixes of public data sets: ``mix:pretrain``, ``mix:instruct``, ``mix:retrieval``.

Each entry names a data set that is public without a request, holds its text in itself, and is
described on its own page, https://huggingface.co/datasets/<path>. Weights are shares of tokens.
"""

from __future__ import annotations

from typing import Any

PRETRAIN = {
    "sources": [
        {
            "kind": "hub",
            "path": "HuggingFaceFW/fineweb-edu",
            "config": "sample-100BT",
            "weight": 0.65,
        },
        {
            "kind": "hub",
            "path": "HuggingFaceTB/smollm-corpus",
            "config": "cosmopedia-v2",
            "weight": 0.10,
        },
        {
            "kind": "hub",
            "path": "wikimedia/wikipedia",
            "config": "20231101.en",
            "weight": 0.10,
        },
        {"kind": "hub", "path": "open-web-math/open-web-math", "weight": 0.10},
        {
            "kind": "hub",
            "path": "codeparrot/codeparrot-clean",
            "text": "content",
            "weight": 0.05,
        },
    ],
}

INSTRUCT = {
    "sources": [
        {
            "kind": "hub",
            "path": "HuggingFaceTB/smol-smoltalk",
            "messages": "messages",
            "weight": 0.5,
        },
        {
            "kind": "hub",
            "path": "Open-Orca/OpenOrca",
            "prompt": "<|system|>\n{system_prompt}\n<|user|>\n{question}\n<|assistant|>\n",
            "answer": "{response}\n",
            "weight": 0.3,
        },
        {
            "kind": "hub",
            "path": "garage-bAInd/Open-Platypus",
            "prompt": "<|user|>\n{instruction}\n<|assistant|>\n",
            "answer": "{output}\n",
            "weight": 0.1,
        },
        {
            "kind": "hub",
            "path": "databricks/databricks-dolly-15k",
            "prompt": "<|user|>\n{context}\n{instruction}\n<|assistant|>\n",
            "answer": "{response}\n",
            "weight": 0.1,
        },
    ],
}

RETRIEVAL = {
    "sources": [
        {
            "kind": "hub",
            "path": "rajpurkar/squad",
            "prompt": "{context}\n\nQuestion: {question}\nAnswer:",
            "answer": " {answers.text.0}",
            "weight": 0.4,
        },
        {
            "kind": "hub",
            "path": "sentence-transformers/natural-questions",
            "prompt": "Question: {query}\nAnswer:",
            "answer": " {answer}",
            "weight": 0.3,
        },
        {
            "kind": "hub",
            "path": "mandarjoshi/trivia_qa",
            "config": "rc.nocontext",
            "prompt": "Question: {question}\nAnswer:",
            "answer": " {answer.value}",
            "weight": 0.1,
        },
        {
            "kind": "hub",
            "path": "HuggingFaceFW/fineweb-edu",
            "config": "sample-10BT",
            "weight": 0.2,
        },
    ],
}

NAMED: dict[str, dict[str, Any]] = {
    "pretrain": PRETRAIN,
    "instruct": INSTRUCT,
    "retrieval": RETRIEVAL,
}
