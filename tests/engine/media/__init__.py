"""Tests of the readers and writers of media."""
