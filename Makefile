# Everything is done by installer/bootstrap.py, which works the same without make.
PYTHON ?= python3

.PHONY: run test test-long bench format setup
run test test-long bench format setup:
	@$(PYTHON) installer/bootstrap.py $@
