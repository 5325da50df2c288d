"""Tests of the studio: project, commands, playback, window."""
