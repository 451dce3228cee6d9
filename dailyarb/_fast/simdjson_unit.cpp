// The one unit of simdjson that the Polymarket decoder links; its text stays in pysimdjson.
#include "simdjson.cpp"
