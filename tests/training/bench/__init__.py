"""Tests of LPM-Bench."""
