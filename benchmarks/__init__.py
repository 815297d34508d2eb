"""Speed and scale, measured: `python -m benchmarks` (see __main__). No timing is asserted anywhere."""
