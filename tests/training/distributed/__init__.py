"""Tests of runs that are spread over processes."""
