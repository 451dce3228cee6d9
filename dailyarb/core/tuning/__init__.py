"""Which parameters to try next: posteriors from results, and what may be changed at all."""
