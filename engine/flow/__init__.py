"""Flow matching: schedules, noising, preconditioning, guidance and solvers."""
