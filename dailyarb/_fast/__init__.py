"""Kernels in Cython and C++: decoders, ladder, seqlock, ring, statistics, signing."""
