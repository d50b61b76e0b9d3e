"""The demo: real parts from wheels, a week of traffic, a breach, and the judgement of what came of it."""
