"""The parts of `benchmarks/memory_to_answer.py`."""
