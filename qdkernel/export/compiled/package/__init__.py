"""The parts that are the same in every package that ``export --to python`` writes."""
