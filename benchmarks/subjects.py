"""Registry of the subjects: every chapter of RESULTS.md and RESULTS_LEVERS.md, in page order.

A new chapter is a folder beside this file and one entry here; how: benchmarks/README.md.
"""

from __future__ import annotations

from functools import partial

from benchmarks.facts.criteria import facts_criteria
from benchmarks.facts.page import facts_sections
from benchmarks.facts.unseen import unseen_criteria, unseen_sections
from benchmarks.freeze import criteria as freeze_criteria
from benchmarks.freeze import page as freeze
from benchmarks.freeze.plot import freezing_figure
from benchmarks.holo.criteria import holo_criteria, million_criteria
from benchmarks.holo.page import holo_sections, million_sections
from benchmarks.holo.plot import holo_figure
from benchmarks.levers import criteria
from benchmarks.levers import page as chapters
from benchmarks.levers.plot import methods_figure
from benchmarks.mind.page import figures, mind_sections, prompted_sections
from benchmarks.page.subject import Page, Subject
from benchmarks.quality.criteria import quality_criteria
from benchmarks.quality.page import quality_sections
from benchmarks.real_text.page import text_sections
from benchmarks.real_text.plot import text_figure
from benchmarks.retrieval.criteria import retrieval_criteria
from benchmarks.retrieval.page import retrieval_sections
from benchmarks.specialisation.criteria import specialisation_criteria
from benchmarks.specialisation.page import specialisation_sections
from benchmarks.speed.criteria import speed_criteria
from benchmarks.speed.page import speed_sections
from benchmarks.speed.plot import speed_figure
from benchmarks.trainer.page import trainer_criteria, trainer_sections

RESULTS_PAGE = Page(
    file="RESULTS.md",
    head=(
        "# Results",
        "Made by `python -m benchmarks.results` from the JSON files in `benchmarks/results/`; "
        "every number below comes from them, none is typed in.",
    ),
    criteria="Criteria that were set before anything was measured: {met} met, {missed} missed, "
    "{open} not judged. Criterion 6 also asks for the invariants, which `make test` proves. The "
    "chapters on HoloTape, facts, retrieval and the trainer list criteria of their own.",
)

METHODS_PAGE = Page(
    file="RESULTS_LEVERS.md",
    head=(
        "# Results of the training methods",
        "Made by `python -m benchmarks.results` from `benchmarks/results/levers.json`; every "
        "measured number below comes from it, none is typed in.",
        "Each arm of each method has the learning rate that is best for it on seeds used for "
        "tuning only, each section says how, and its loss is read after its rate has decayed to "
        "zero. Arms of one seed begin with the same stream of text and are compared pair by pair; "
        "brackets are 95% intervals of the mean over seeds. A method is off unless a flag turns "
        "it on.",
        "![Final loss of every arm against its baseline](benchmarks/results/levers.png)",
    ),
    criteria="Criteria that were set before anything was measured: {met} met, {missed} missed, "
    "{open} not judged (fewer than 5 seeds, or not measured). A criterion is about the mean over "
    "seeds, unless it names the upper end of its interval; a ratio is the mean over the seeds that "
    "reach the loss, and met only if all do.",
    origin="One thread. The machine was shared, so a time is never a wall clock but CPU seconds of "
    "one process: of growth the median of steps of all sizes in turn, times the steps of a "
    "run; of the other parts as they ran. A part that was interrupted shows where it last "
    'went on. MIX is the text of docs/DATA.md, "Real English without a hub", kernel first; '
    "runs that are in the file are not made again, `--out FILE` measures anew.",
)

PAGES = (RESULTS_PAGE, METHODS_PAGE)

QUALITY = Subject(
    "quality",
    "Quality",
    quality_sections,
    quality_criteria,
    file="compare.json",
    command="python -m prism.train --compare --full --out runs/full, then "
    "python -m benchmarks.results --import runs/full/results.json",
    at_head=True,
)
SPEED = Subject("speed", "Speed", speed_sections, speed_criteria, at_head=True, figure=speed_figure)
METHOD = partial(
    Subject,
    file="levers.json",
    command="python -m benchmarks.levers --part {name}",
    at_head=True,
    figure=methods_figure,
    page=METHODS_PAGE.file,
    shares_file=True,
)
FREEZE = partial(
    Subject,
    file="freeze.json",
    command="python -m benchmarks.freeze --part {name}",
    figure=freezing_figure,
    shares_file=True,
)
WATCHED = partial(FREEZE, of_prism=False)  # the run that is watched is a Transformer

SUBJECTS = (
    QUALITY,
    Subject(
        "specialisation",
        "Specialisation",
        specialisation_sections,
        specialisation_criteria,
        at_head=True,
    ),
    SPEED,
    Subject("holo", "HoloTape", holo_sections, holo_criteria, figure=holo_figure, of_prism=False),
    Subject(
        "million",
        "A million facts",
        million_sections,
        million_criteria,
        command="python -m benchmarks.holo.million",
        of_prism=False,
    ),
    Subject(
        "facts",
        "Facts in SmolLM2",
        facts_sections,
        facts_criteria,
        command="python -m prism.eval_facts, then cp runs/facts/facts.json runs/facts/facts.png "
        "benchmarks/results/",
        of_prism=False,
    ),
    Subject(
        "unseen-encoder",
        "Facts in SmolLM2: texts that no rule has seen",
        unseen_sections,
        unseen_criteria,
        command="python -m prism.eval_facts --unseen four --encoder, then cp "
        "runs/facts/unseen-encoder.json benchmarks/results/",
        of_prism=False,
    ),
    Subject(
        "unseen",
        "Facts in SmolLM2: the same texts without the sentence encoder",
        unseen_sections,
        command="python -m prism.eval_facts --unseen four, then cp runs/facts/unseen.json "
        "benchmarks/results/",
        of_prism=False,
    ),
    Subject("retrieval", "PRISM asks a tape", retrieval_sections, retrieval_criteria),
    Subject(
        "mind",
        "The knowledge base: what it hears and answers",
        mind_sections,
        command="python -m prism.eval_mind --sets six, then cp runs/mind/mind.json "
        "benchmarks/results/",
        of_prism=False,
    ),
    Subject(
        "mind-prompted",
        "The knowledge base: pairs in the prompt",
        prompted_sections,
        command="python -m prism.eval_mind --sets three --facts 1000 --seeds 1 --parts prompted "
        "--out runs/prompted, then cp runs/prompted/mind.json "
        "benchmarks/results/mind-prompted.json",
        of_prism=False,
    ),
    Subject(
        "mind-seen",
        "The knowledge base: the sets its rules were mended with",
        mind_sections,
        command="python -m prism.eval_mind --sets one,two --facts 1000 --seeds 1 --out runs/seen, "
        "then cp runs/seen/mind.json benchmarks/results/mind-seen.json",
        of_prism=False,
    ),
    Subject(
        "mind-ledger",
        "The knowledge base: its file",
        figures,
        command="python -m benchmarks.mind.ledger --out benchmarks/results/mind-ledger.json",
        of_prism=False,
    ),
    Subject(
        "mind-serving",
        "The knowledge base: its server",
        figures,
        command="python -m benchmarks.mind.serving --model smollm2 --out "
        "benchmarks/results/mind-serving.json",
        of_prism=False,
    ),
    Subject(
        "real_text",
        "Real text",
        text_sections,
        command="python -m benchmarks.real_text --data MIX",
        figure=text_figure,
    ),
    Subject(
        "real_text_prose",
        "Real text: prose",
        text_sections,
        command="python -m benchmarks.real_text --data mix:prose.json --dropout --out "
        "benchmarks/results/real_text_prose.json",
        figure=text_figure,
    ),
    Subject("trainer", "The trainer", trainer_sections, trainer_criteria),
    WATCHED(
        "instrument",
        "Watching training: the instruments",
        freeze.instrument_sections,
        freeze_criteria.instrument_criteria,
    ),
    WATCHED(
        "tokenizer",
        "A tokenizer with dead tokens",
        freeze.tokenizer_sections,
        freeze_criteria.tokenizer_criteria,
    ),
    WATCHED(
        "ablation",
        "What freezes dead tokens",
        freeze.ablation_sections,
        freeze_criteria.ablation_criteria,
    ),
    WATCHED(
        "starts",
        "What makes clumps of dead tokens",
        freeze.starts_sections,
        freeze_criteria.starts_criteria,
    ),
    FREEZE(
        "rounding",
        "Weights in bf16 alone",
        freeze.rounding_sections,
        freeze_criteria.rounding_criteria,
    ),
    METHOD("growth", "Growth", chapters.growth, criteria.growth),
    METHOD("selection", "Token selection and recycling", chapters.selection, criteria.selection),
    METHOD("curriculum", "Curriculum", chapters.curriculum, criteria.curriculum),
    METHOD("modular", "Modular phases", chapters.modular, criteria.modular),
)
