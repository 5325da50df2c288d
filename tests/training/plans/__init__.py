"""Tests of plans: stages under one limit of time."""
